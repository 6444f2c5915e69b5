import type { AnyMachineSnapshot } from "xstate";
import { itemAddress, pipelineAddress, progressAddress } from "../../src/domain/ids.ts";
import type { Policy } from "../../src/domain/policy.ts";
import type { Edge, Exploration } from "../catalog.ts";
import type { Leg, LegEnd, PipelineEnded, PipelineGates, PipelineInput } from "../pipeline-context.ts";
import type { RalphContext, RalphEvent, RalphInput } from "../ralph-context.ts";
import { id, item, plan, policy, workspace } from "./fixtures.ts";
import { asked, at, ignored, same, spawned, stamped, told } from "./reading.ts";

const attempt = 3, lineage = 1;
const owner = itemAddress(id, lineage);
const itself = ({ leg }: RalphContext): string => `ralph/${id}/${attempt}${leg ? "/leg2" : ""}`, watcher = ({ leg }: RalphContext) => progressAddress(id, attempt, leg ? "2" : undefined);
const nameOf = ({ leg, legs: n }: RalphContext): string => `${leg ? "2." : ""}${n}`;
const checklist = "Do:\n- [ ] the parser\n- [x] the lexer\n- [ ] the printer";

const input = (stages: Policy["stages"], more: Partial<Pick<PipelineInput, "failing">> & { readonly body?: string; readonly rounds?: number } = {}): PipelineInput => ({
  owner, item: { ...item, body: more.body ?? item.body }, attempt, lineage, failing: more.failing ?? [], policy: { ...policy, stages, maxIterations: 9, lanes: { ralph: { maxIterations: more.rounds ?? 2 } } },
});
/** A step of another lane, with parts of its own. */
const within: Leg = { n: "2", round: 1, begin: "work", feedback: "", findings: [], session: { id: null, costUsd: 0 }, escalated: false, since: "judged" };
const given: RalphInput["stories"] = [{ title: "the lexer", details: "It is done when:\n- it lexes" }, { title: "the emitter", details: "It emits." }];
const large = { ...plan, escalateModel: "large" }, other = { ...plan, escalateAdapter: "claude" as const };

type End = Pick<PipelineEnded, "outcome" | "failure"> & { readonly says?: Partial<LegEnd> };
const done: End = { outcome: "done", failure: null }, wrong: End = { outcome: "exhausted", failure: "cap", says: { feedback: "Handle the empty list", findings: [{ severity: "major", message: "the empty list" }] } };
const broken: End = { outcome: "exhausted", failure: "cap", says: { feedback: "New failures.", failing: ["test: b", "test: a"] } };
const ends: readonly End[] = [done, wrong, broken, { outcome: "exhausted", failure: "stuck" }, { outcome: "exhausted", failure: "infra" }, { outcome: "failed", failure: "environment" }, { outcome: "failed", failure: "rejected" }, { outcome: "cancelled", failure: null }];
/** More legs than any path within the caps has; each is stale for a run that is at another. */
const legs = ["1", "2", "3", "4", "5", "6", "7", "2.1", "2.2", "2.3", "2.4", "2.5", "2.6", "2.7"];
const over = ({ says, ...end }: End, n: string): PipelineEnded & { readonly at: number } => stamped({
  type: "pipeline.ended" as const, attempt, ...end, reason: end.outcome === "done" ? "" : `it ended ${end.outcome}, ${end.failure}`, workspace, head: `head${n}`, iterations: 1, checks: { base: "0/1", head: "1/1" }, summary: "the summary", warnings: ["a warning"], costUsd: 0.25,
  leg: { n, feedback: "", findings: [], failing: [], session: { id: "session-1", costUsd: 0.4 }, diffHash: `diff${n}`, ...says },
});
const shown = { implementationComplete: { state: "met" as const, evidence: "head" }, testsPassed: { state: "met" as const, evidence: "1/1" } };

const results = [
  stamped({ type: "workspace.ready", workspace }),
  ...(["io", "environment"] as const).map((klass) => stamped({ type: "effect.failed", kind: "workspace.prepare" as const, class: klass, message: "it broke", mend: "mend it" })),
  ...legs.flatMap((n) => ends.map((end) => over(end, n))),
  ...legs.map((n): PipelineGates & { readonly at: number } => stamped({ type: "pipeline.gates" as const, attempt, gates: shown, leg: n })),
  // Nobody's: of the plain pipeline of another lane.
  stamped({ type: "pipeline.ended" as const, attempt, outcome: "done" as const, failure: null, reason: "", workspace, head: "head9", iterations: 1, checks: null, summary: "", warnings: [], costUsd: 1 }),
  stamped({ type: "stuck", rule: "oscillation", says: "back and forth" }),
] satisfies readonly RalphEvent[];

const alphabet: readonly RalphEvent[] = [
  ...results, ...legs.map((n) => stamped({ type: "pipeline.asks" as const, question: "which one?", leg: n })), stamped({ type: "answer", text: "the first" }), stamped({ type: "pause" }), stamped({ type: "resume" }), stamped({ type: "resume", session: "session-a" }), stamped({ type: "advance", session: "session-a" }), stamped({ type: "advance", session: "session-b" }), stamped({ type: "advance", session: "session-a", round: 1 }), stamped({ type: "advance", session: "session-a", generation: 99 }), stamped({ type: "cancel" }),
];

const contextOf = (snapshot: AnyMachineSnapshot): RalphContext => snapshot.context;
const isEvent = (event: { readonly type: string }): event is RalphEvent => alphabet.some((each) => each === event);

interface Reading { readonly state: string; readonly from: RalphContext; readonly to: RalphContext; readonly event: RalphEvent | undefined; /** The end of the leg under way. */ readonly end: (PipelineEnded & { readonly leg: LegEnd }) | undefined }
const read = (edge: Edge): Reading => {
  const event = isEvent(edge.event) ? edge.event : undefined, from = contextOf(edge.from);
  const leg = event?.type === "pipeline.ended" ? event.leg : undefined;
  return { state: String(edge.from.value), from, to: contextOf(edge.to), event, end: event?.type === "pipeline.ended" && leg !== undefined && from.running && leg.n === nameOf(from) ? { ...event, leg } : undefined };
};

const phases = ["executing", "verifying", "fixing"] as const;
const inPhase = (state: string): boolean => phases.some((phase) => phase === state);
const open = ({ stories }: RalphContext): number => stories.filter(({ passes }) => !passes).length;
const left = ({ iteration, maxIterations }: RalphContext): boolean => iteration < maxIterations;
const more = ({ escalated, policy: { stages: { coder } } }: RalphContext): boolean => !escalated && coder !== undefined && (coder.escalateModel !== null || coder.escalateAdapter !== null);

/** Where the end of the leg must lead. */
const after = ({ state, from, end }: Reading): string | undefined => {
  if (!end) return undefined;
  const whole = from.phase === "verifying" && end.outcome === "done" && open(from) === 1;
  switch (state) {
    case "executing": case "fixing": case "verifying": {
      if (end.outcome === "done") return state !== "verifying" ? "verifying" : open(from) === 1 ? "done" : left(from) ? "executing" : "exhausted";
      if (end.outcome === "exhausted" && end.failure === "cap") return left(from) ? "fixing" : "exhausted";
      if (end.outcome === "exhausted" && end.failure === "stuck" && left(from) && more(from)) return "fixing";
      return end.outcome;
    }
    case "settling": return whole ? "done" : from.escalateNow && left(from) ? "fixing" : "exhausted";
    case "pausing": return whole ? "done" : from.reason !== "" && !(from.escalateNow && left(from)) ? "exhausted" : "paused";
    case "cancelling": return "cancelled";
    default: return undefined;
  }
};
/** A story has passed on this edge. */
const passes = ({ state, from, end }: Reading): boolean => end?.outcome === "done" && from.phase === "verifying" && (state === "verifying" || (state === "pausing" && from.reason === "") || ((state === "settling" || state === "pausing") && open(from) === 1));
/** A round of work begins. */
const rises = (e: Edge, r: Reading): boolean => r.end !== undefined && (r.state === "pausing" ? goesOn(r) && at(e.to, "paused") : at(e.to, "fixing") || (at(e.to, "executing") && r.state === "verifying"));
/** A rule had stopped the leg before the pause, and there is another approach. */
const goesOn = ({ from }: Reading): boolean => from.reason !== "" && from.escalateNow && left(from);

/** By its own session, in a round of its own, and of that round; generation 99 never comes. */
const advances = ({ state, from, event }: Reading): boolean => event?.type === "advance" && (state === "executing" || state === "fixing") && from.driver !== undefined && event.session === from.driver && (event.round ?? from.iteration) === from.iteration && event.generation === undefined;

const hears: Readonly<Record<string, readonly RalphEvent["type"][]>> = {
  starting: ["workspace.ready", "effect.failed", "pause", "cancel"], settling: ["pipeline.ended", "pause", "cancel"], pausing: ["pipeline.ended", "workspace.ready", "effect.failed", "cancel"], paused: ["resume", "cancel"], cancelling: ["pipeline.ended", "workspace.ready", "effect.failed"],
  ...Object.fromEntries(phases.map((phase) => [phase, ["pipeline.ended", "pipeline.asks", "pipeline.gates", "answer", "stuck", "pause", "cancel", ...(phase === "verifying" ? [] : ["advance" as const])]])),
};
const observed = (edge: Edge): readonly unknown[] => told(edge, "observe").filter(({ to }) => to === watcher(contextOf(edge.to))).map(({ event }) => event["seen"]);

export const exploration: Exploration = {
  inputs: [
    { name: "one story", input: input({ coder: plan, critic: plan }) },
    { name: "two stories, no critic of its own, a larger model", input: input({ coder: large }, { body: checklist, rounds: 3 }) },
    { name: "all stages, escalating to another adapter after the first round, taken up again", input: input({ coder: { ...other, escalateAfterIteration: 1 }, critic: plan, tester: plan, documenter: plan }, { failing: ["test: a"] }) },
    { name: "a step of another lane, with the parts that it gave", input: { ...input({ coder: plan, critic: plan }), leg: within, stories: given } },
    { name: "driven by a session", input: { ...input({ coder: plan, critic: plan }), driver: "session-a" } },
    { name: "a step of another lane, with one part", input: { ...input({ coder: plan, critic: plan }), leg: within, stories: given.slice(0, 1) } },
  ],
  events: [...alphabet],
  unattended: [...results],
  abstraction: (snapshot) => {
    const c = contextOf(snapshot);
    if (snapshot.status !== "active") return { failure: c.failure };
    return { phase: c.phase, driven: c.driver !== undefined, iteration: c.iteration, passed: c.stories.map(({ passes: passed }) => passed), running: c.running, stopped: c.reason !== "", escalated: c.escalated, escalateNow: c.escalateNow, asks: c.question !== null, failing: c.failing.length > 0, begun: c.workspace !== null };
  },
  restStates: ["paused", "done", "failed", "cancelled", "exhausted"],
  states: [
    { name: "I1 at most maxIterations rounds of work", holds: (s) => contextOf(s).iteration >= 1 && contextOf(s).iteration <= contextOf(s).maxIterations },
    { name: "I3 done means that every story has passed by a request; nothing else does", holds: (s) => at(s, "done") === (open(contextOf(s)) === 0) && contextOf(s).stories.every(({ passes: passed, evidence }) => passed === /^request \d+, commit head[\d.]+$/.test(evidence)) },
    { name: "I3 a request is open exactly while something is judged", holds: (s) => (contextOf(s).request !== null) === (contextOf(s).running && contextOf(s).phase === "verifying") && (contextOf(s).request === null || contextOf(s).request?.id === contextOf(s).legs) },
    { name: "I4 a leg runs exactly in its phases and while it is awaited", holds: (s) => contextOf(s).running === (at(s, "verifying", "settling") || (at(s, "executing", "fixing") && contextOf(s).driver === undefined) || (at(s, "cancelling", "pausing") && contextOf(s).legs > 0)) },
    { name: "the phase is the one that the state names", holds: (s) => !inPhase(String(s.value)) || contextOf(s).phase === s.value },
    { name: "every end but done says why, and of what kind; done has no trouble", holds: (s) => {
      const c = contextOf(s);
      if (s.status === "active") return c.failure === null;
      return at(s, "done") ? c.failure === null && c.reason === "" : at(s, "cancelled") ? c.failure === null && c.reason === "cancelled" : c.failure !== null && c.reason !== "" && (c.failure !== "cap" || c.iteration === c.maxIterations);
    } },
    { name: "I6 only a coder with something else to offer escalates", holds: (s) => !(contextOf(s).escalated || contextOf(s).escalateNow) || contextOf(s).policy.stages.coder?.escalateModel === "large" || contextOf(s).policy.stages.coder?.escalateAdapter === "claude" },
  ],
  first: [
    { name: "the first step starts the watch and asks for the workspace, once each; stories are the open boxes, or the whole", holds: (first) => at(first.to, "starting") && first.actions.length === 2
      && same(spawned(first, "progress"), [{ address: watcher(contextOf(first.to)), input: { pipeline: itself(contextOf(first.to)), limits: policy.progress } }]) && same(asked(first, "workspace.prepare"), [{ kind: "workspace.prepare", item: id, attempt: lineage, repository: item.repository, baseRef: policy.baseRef }])
      && same(contextOf(first.to).stories.map(({ title }) => title), contextOf(first.to).leg ? ["the lexer", "the emitter"].slice(0, Math.max(1, contextOf(first.to).stories.length)) : contextOf(first.to).item.body === checklist ? ["the parser", "the printer"] : [item.title]) },
  ],
  edges: [
    { name: "each end of the leg leads where it must", holds: (e) => { const r = read(e), must = after(r); return must === undefined || at(e.to, must); } },
    { name: "I4 a leg begins exactly where a phase is entered, and is what the phase needs", holds: (e) => {
      const r = read(e), { from, to, state } = r, begins = inPhase(String(e.to.value)) && (to.driver === undefined || to.phase === "verifying") && (r.end !== undefined || state === "starting" || state === "paused" || advances(r)) && !ignored(e), made = spawned(e, "pipeline");
      if (made.length !== (begins ? 1 : 0) || to.legs !== from.legs + made.length) return false;
      return made.every(({ address, input: given }) => {
        const leg = given["leg"] as { readonly n: string; readonly round: number; readonly begin: string; readonly feedback: string; readonly findings: unknown; readonly session: unknown; readonly escalated: boolean; readonly since?: string }, rules = given["policy"] as Policy, reviews = to.phase === "verifying", { coder, critic, ...later } = to.policy.stages;
        const stages = reviews ? { ...(open(to) === 1 ? later : {}), critic: critic ?? coder, coder } : { coder };
        const part = to.stories.find(({ passes: passed }) => !passed), many = to.stories.length > 1;
        return address === pipelineAddress(id, attempt, nameOf(to)) && given["owner"] === itself(to) && given["attempt"] === attempt && given["lineage"] === lineage && same(given["item"], to.item) && rules.maxIterations === to.iteration && leg.round === to.iteration && same(Object.keys(rules.stages).toSorted(), Object.keys(stages).toSorted()) && same(rules.stages.critic, reviews ? (critic ?? coder) : undefined)
          && leg.n === nameOf(to) && leg.begin === (reviews ? "review" : "work") && leg.escalated === to.escalated && same(leg.session, to.session) && same(given["failing"], reviews ? [] : to.failing) && same(leg.findings, reviews ? [] : to.findings)
          && leg.since === ((to.phase === "fixing" || (reviews && to.driver !== undefined && to.feedback !== "")) && to.failing.length === 0 ? to.head : to.phase === "executing" ? to.leg?.since : undefined)
          && (reviews || to.feedback === "" || leg.feedback.endsWith(to.feedback)) && (!reviews || !leg.feedback.includes("empty list")) && (!many || (reviews && open(to) === 1 ? leg.feedback.includes("All 2 parts") && to.stories.every(({ details = "" }) => leg.feedback.includes(details)) && leg.feedback.includes("the lexer") === (to.leg !== undefined) : leg.feedback.includes(part?.title ?? "?") && leg.feedback.includes(part?.details ?? "") && !leg.feedback.includes("undefined")))
          && (many || leg.feedback === [part?.details ?? "", reviews ? "" : to.feedback].filter((text) => text !== "").join("\n\n"));
      });
    } },
    { name: "I1 I7 only trouble with the work, a rule and the next story cost a round", holds: (e) => { const r = read(e); return r.to.iteration === r.from.iteration + (rises(e, r) ? 1 : 0); } },
    { name: "I6 escalation happens once: on evidence, or after the configured round", holds: (e) => {
      const r = read(e), { from, to, state } = r, after1 = from.iteration + 1 > (from.policy.stages.coder?.escalateAfterIteration ?? 9), evident = from.escalateNow || (inPhase(state) && r.end?.failure === "stuck");
      return to.escalated === (from.escalated || (rises(e, r) && more(from) && (evident || after1))) && (!rises(e, r) || !to.escalateNow);
    } },
    { name: "a story passes by the approval that answers the open request, and nothing takes it back", holds: (e) => {
      const r = read(e), { from, to } = r, first = from.stories.findIndex(({ passes: passed }) => !passed);
      return to.stories.every((story, n) => story.passes === ((from.stories[n]?.passes ?? false) || (passes(r) && n === first)) && (n !== first || !passes(r) || story.evidence === `request ${from.legs}, commit ${r.end?.head}`));
    } },
    { name: "I2 a request is about the commit that was claimed", holds: (e) => { const r = read(e); return !(at(e.to, "verifying") && !at(e.from, "verifying")) || (r.to.request?.head === r.to.head && (r.to.driver !== undefined || r.to.head.startsWith("head"))); } },
    { name: "what a leg left is taken once", holds: (e) => {
      const r = read(e), { from, to, end } = r, takes = end !== undefined && after(r) !== undefined;
      const session = takes && to.escalated && !from.escalated && from.policy.stages.coder?.escalateAdapter === "claude" ? { id: null, costUsd: 0 } : takes && from.phase !== "verifying" ? end.leg.session : from.session;
      return to.costUsd === from.costUsd + (takes ? 0.25 : 0) && (!takes || (!(to.running && to.legs === from.legs) && to.head === end.head && to.summary === end.summary && to.warnings.includes("a warning") && same(to.workspace, workspace) && same(to.checks, end.checks) && to.question === null)) && same(to.session, session);
    } },
    { name: "the next round is told what was wrong with the last one", holds: (e) => {
      const r = read(e), { from, to, end, state } = r;
      if (!end || !inPhase(state)) return true;
      if (end.failure === "cap") return to.feedback === end.leg.feedback && same(to.findings, end.leg.findings) && same(to.failing, end.leg.failing);
      if (passes(r)) return to.feedback === "" && to.findings.length === 0 && to.failing.length === 0;
      return at(e.to, "fixing") ? to.feedback.includes(end.reason) && to.findings.length === 0 : same([to.feedback, to.findings, to.failing], [from.feedback, from.findings, from.failing]);
    } },
    { name: "the end carries why", holds: (e) => {
      const r = read(e), { to, end } = r;
      if (e.from.status !== "active" || !end || !inPhase(r.state) || !at(e.to, "failed", "exhausted")) return true;
      return end.outcome === "done" || end.failure === "cap" ? to.failure === "cap" && to.reason.startsWith(`${to.iteration} of ${to.maxIterations} rounds`) && to.reason.includes(end.outcome === "done" ? "1 of 2 parts" : end.leg.feedback) : to.failure === end.failure && to.reason === end.reason;
    } },
    { name: "the worktree's preparation is awaited, and what it gave is taken", holds: (e) => {
      const { state, event, from, to } = read(e), awaits = state === "starting" || ((state === "cancelling" || state === "pausing") && from.legs === 0);
      if (!awaits || (event?.type !== "workspace.ready" && event?.type !== "effect.failed")) return true;
      return event.type === "effect.failed" ? at(e.to, state === "cancelling" ? "cancelled" : "failed") : same(to.workspace, workspace) && to.head === workspace.base && at(e.to, state === "starting" ? "executing" : state === "pausing" ? "paused" : "cancelled");
    } },
    { name: "I9 a session that drives the run has its work looked at when it says so; nobody else's word counts", holds: (e) => { const r = read(e); return r.event?.type !== "advance" || (advances(r) ? at(e.to, "verifying") : ignored(e)); } },
    { name: "a resume says who drives the run from then on", holds: (e) => { const { state, event, from, to } = read(e); return to.driver === (state === "paused" && event?.type === "resume" ? event.session : from.driver); } },
    { name: "who is cancelled says so", holds: (e) => !at(e.to, "cancelled") || (contextOf(e.to).reason === "cancelled" && contextOf(e.to).failure === null) },
    { name: "trouble with the worktree ends the run by its kind", holds: (e) => { const { state, event, to } = read(e); return (state !== "starting" && state !== "pausing") || event?.type !== "effect.failed" || ignored(e) || (at(e.to, "failed") && to.failure === (event.class === "environment" ? "environment" : "infra") && to.reason === "it broke (mend it)"); } },
    { name: "a rule stops the leg and settles; while a question is open it only starts the watch anew", holds: (e) => {
      const { state, event, from, to } = read(e), fires = inPhase(state) && event?.type === "stuck";
      return !fires || (from.question !== null ? same(e.from.value, e.to.value) && told(e, "reset").length === 1 && told(e, "cancel").length === 0 : at(e.to, from.running ? "settling" : "exhausted") && (from.running || to.failure === "stuck") && to.rule === event.rule && to.reason.includes(event.says) && (from.feedback === "" || to.reason.includes(from.feedback)) && to.feedback.includes(event.says) && to.findings.length === 0 && to.escalateNow === more(from));
    } },
    { name: "settling without another approach ends as stuck", holds: (e) => { const r = read(e); return (r.state !== "settling" && r.state !== "pausing") || !r.end || !at(e.to, "exhausted") || (r.to.failure === "stuck" && r.to.reason === r.from.reason); } },
    { name: "the leg is cancelled once, when it is not wanted any more", holds: (e) => {
      const { state, event, from } = read(e), must = inPhase(state) && from.running && (event?.type === "cancel" || event?.type === "pause" || (event?.type === "stuck" && from.question === null)), sent = told(e, "cancel");
      return sent.length === (must ? 1 : 0) && sent.every(({ to }) => to === pipelineAddress(id, attempt, nameOf(from)));
    } },
    { name: "I5 pause, resume and cancel go where they must, and each begins a generation", holds: (e) => {
      const { state, event, from, to } = read(e), c = event?.type;
      const must = inPhase(state) && !from.running && (c === "pause" || c === "cancel") ? (c === "pause" ? "paused" : "cancelled") : c === "pause" && (inPhase(state) || state === "starting" || state === "settling") ? "pausing" : c === "resume" && state === "paused" ? from.phase : c === "cancel" && (inPhase(state) || ["starting", "settling", "pausing"].includes(state)) ? "cancelling" : c === "cancel" && state === "paused" ? "cancelled" : undefined;
      return to.generation === from.generation + (must === undefined ? 0 : 1) && (must === undefined || at(e.to, must));
    } },
    { name: "I5 a pause keeps the phase, unless the leg was quicker", holds: (e) => { const r = read(e); return r.state !== "pausing" || !at(e.to, "paused") || r.to.phase === (r.end === undefined ? "executing" : goesOn(r) ? "fixing" : r.end.outcome !== "done" ? r.from.phase : r.from.phase === "verifying" ? "executing" : "verifying"); } },
    { name: "the owner is told of a pause once it is one", holds: (e) => { const enters = at(e.to, "paused") && !at(e.from, "paused"); return told(e, "pipeline.paused").length === (enters ? 1 : 0) && told(e, "pipeline.paused").every(({ to, event }) => to === owner && event["attempt"] === attempt && event["leg"] === contextOf(e.to).leg?.n); } },
    { name: "I8 the owner hears of gates: complete on entering the last verifying, what the leg shows then, and none when it is mended, or given up", holds: (e) => {
      const r = read(e), { state, event, from, to } = r, tells = told(e, "pipeline.gates");
      const begins = to.legs > from.legs, relays = state === "verifying" && event?.type === "pipeline.gates" && event.leg === nameOf(from) && open(from) === 1;
      const mends = at(e.to, "fixing") && (r.end !== undefined || state === "paused") && !ignored(e);
      const must = mends || (at(e.to, "exhausted") && !at(e.from, "exhausted")) ? {} : begins && at(e.to, "verifying") ? (open(to) === 1 && to.driver === undefined ? { implementationComplete: { state: "met", evidence: `commit ${to.head}` } } : {}) : relays ? shown : undefined;
      return tells.length === (must === undefined ? 0 : 1) && tells.every(({ to: whom, event: said }) => whom === owner && said["attempt"] === attempt && said["leg"] === from.leg?.n && same(said["gates"], must));
    } },
    { name: "a question goes up, an answer down; it is open in between", holds: (e) => {
      const { state, event, from, to } = read(e), up = told(e, "pipeline.asks"), down = told(e, "answer"), asks = inPhase(state) && from.running && event?.type === "pipeline.asks" && event.leg === nameOf(from), answers = inPhase(state) && from.running && event?.type === "answer";
      return up.length === (asks ? 1 : 0) && up.every(({ to: whom, event: said }) => whom === owner && said["question"] === "which one?" && said["leg"] === from.leg?.n) && down.length === (answers ? 1 : 0) && down.every(({ to: whom, event: said }) => whom === pipelineAddress(id, attempt, nameOf(from)) && said["text"] === "the first")
        && (!asks || to.question === "which one?") && (!answers || to.question === null);
    } },
    { name: "the watch sees each diff, error and feedback, and begins anew with each story and each other approach", holds: (e) => {
      const r = read(e), { state, end } = r, resets = told(e, "reset").filter(({ to }) => to === watcher(r.to)).length;
      const works = state === "executing" || state === "fixing", cap = end?.failure === "cap" && left(r.from);
      const must = works && end?.outcome === "done" ? [{ kind: "diff", hash: end.leg.diffHash }, { kind: "fixed" }] : works && cap ? [{ kind: "diff", hash: end.leg.diffHash }, { kind: "error", fingerprint: end.leg.failing.length > 0 ? "test: a\ntest: b" : end.leg.feedback }]
        : state === "verifying" && cap ? [{ kind: "diff", hash: r.from.driver === undefined ? "" : end.leg.diffHash }, end.leg.failing.length > 0 ? { kind: "error", fingerprint: "test: a\ntest: b" } : { kind: "feedback", words: ["handle", "the", "empty", "list"] }] : [];
      const anew = (inPhase(state) && end?.failure === "stuck" && at(e.to, "fixing")) || (state === "settling" && at(e.to, "fixing")) || (state === "pausing" && end !== undefined && goesOn(r) && at(e.to, "paused")) || (state === "verifying" && end?.outcome === "done" && at(e.to, "executing")) || (inPhase(state) && r.event?.type === "stuck" && r.from.question !== null);
      return same(observed(e), must) && resets === (anew ? 1 : 0);
    } },
    { name: "the owner hears the end once, as it was, and the watch is ended with it", holds: (e) => {
      const ends1 = e.from.status === "active" && e.to.status !== "active", said = told(e, "pipeline.ended"), watch = told(e, "end"), { to } = read(e);
      return said.length === (ends1 ? 1 : 0) && watch.length === said.length && watch.every(({ to: whom }) => whom === watcher(to)) && said.every(({ to: whom, event }) => whom === owner && same(event, { type: "pipeline.ended", attempt, outcome: e.to.value, failure: to.failure, reason: to.reason, workspace: to.workspace, head: to.head, iterations: to.iteration, checks: to.checks, summary: to.summary, warnings: to.warnings, costUsd: to.costUsd, ...(to.leg ? { leg: { n: "2", feedback: to.feedback, findings: to.findings, failing: to.failing, session: to.session, diffHash: "", escalated: to.escalated } } : {}) }));
    } },
    { name: "word of another leg, and misplaced events, change nothing", holds: (e) => {
      const { state, event, end, from } = read(e);
      if (e.from.status !== "active" || !event) return true;
      const ofLeg = event.type === "pipeline.ended" ? end !== undefined : event.type === "pipeline.asks" ? from.running && event.leg === nameOf(from) : event.type === "pipeline.gates" ? event.leg === nameOf(from) && state === "verifying" && open(from) === 1 : event.type === "workspace.ready" || event.type === "effect.failed" ? state === "starting" || (from.legs === 0) : true;
      const ofDriver = event.type === "advance" ? advances(read(e)) : event.type !== "answer" || from.running;
      return ((hears[state] ?? []).includes(event.type) && ofLeg && ofDriver) || ignored(e);
    } },
  ],
};
