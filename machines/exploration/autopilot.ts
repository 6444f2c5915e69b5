import type { AnyMachineSnapshot } from "xstate";
import { emptyBrief } from "../../src/domain/effects.ts";
import { itemAddress, pipelineAddress, progressAddress, stageAddress, teamAddress } from "../../src/domain/ids.ts";
import type { LanePolicy, Policy } from "../../src/domain/policy.ts";
import type { PlannedTask } from "../../src/domain/team-answers.ts";
import type { AutopilotContext, AutopilotEvent } from "../autopilot-context.ts";
import type { Edge, Exploration } from "../catalog.ts";
import type { Leg, LegEnd, PipelineEnded, PipelineGates, PipelineInput } from "../pipeline-context.ts";
import type { StageEnded } from "../stage.ts";
import { id, item, plan, policy, workspace } from "./fixtures.ts";
import { asked, at, ignored, same, spawned, stamped, told } from "./reading.ts";

const attempt = 3, lineage = 1;
const owner = itemAddress(id, lineage), itself = `autopilot/${id}/${attempt}`, watcher = progressAddress(id, attempt);
const large = { ...plan, escalateModel: "large" }, other = { ...plan, escalateAdapter: "claude" as const };

const input = (stages: Policy["stages"], more: { readonly failing?: readonly string[]; readonly guidance?: string; readonly caps?: NonNullable<LanePolicy["autopilot"]> } = {}): PipelineInput => ({
  owner, item, attempt, lineage, failing: more.failing ?? [], ...(more.guidance === undefined ? {} : { guidance: more.guidance }), policy: { ...policy, stages, maxIterations: 9, lanes: { ralph: { maxIterations: 9 }, autopilot: more.caps ?? { plans: 2, qaCycles: 2, validationRounds: 2 } } },
});

// The second task comes first: the first needs it.
const task = (title: string, ...dependsOn: readonly number[]): PlannedTask => ({ title, description: `do ${title}`, acceptance: [`${title} works`], dependsOn: [...dependsOn] });
const good = [task("the printer", 2), task("the parser")], bad = [task("a", 2), task("b", 1)];
const ordered = [task("the parser"), task("the printer", 1)];
const criteria = { criteria: [{ task: 1, acceptance: ["it prints", "it parses"] }, { task: 2, acceptance: ["it parses"] }] };

type StageEnd = Pick<StageEnded, "outcome" | "failure" | "plan" | "criteria">;
const planEnds: readonly StageEnd[] = [
  { outcome: "done", failure: null, criteria, plan: null }, { outcome: "done", failure: null, plan: { tasks: good }, criteria: null }, { outcome: "done", failure: null, plan: { tasks: bad }, criteria: null }, { outcome: "done", failure: null },
  { outcome: "failed", failure: "noAnswer" }, { outcome: "failed", failure: "auth" }, { outcome: "failed", failure: "environment", criteria, plan: { tasks: good } }, { outcome: "exhausted", failure: "crash" }, { outcome: "cancelled", failure: null },
];
type End = Pick<PipelineEnded, "outcome" | "failure"> & { readonly head?: string; readonly says?: Partial<LegEnd> };
const ends: readonly End[] = [
  { outcome: "done", failure: null }, { outcome: "done", failure: null, head: "", says: { escalated: true } }, { outcome: "done", failure: null, says: { escalated: true } },
  { outcome: "exhausted", failure: "cap", says: { feedback: "Handle the empty list", findings: [{ severity: "major", message: "the empty list" }] } }, { outcome: "exhausted", failure: "cap", says: { feedback: "New failures.", failing: ["test: b", "test: a"] } },
  { outcome: "exhausted", failure: "stuck" }, { outcome: "exhausted", failure: "infra" }, { outcome: "failed", failure: "environment" }, { outcome: "failed", failure: "rejected" }, { outcome: "cancelled", failure: null },
];
/** More children than any shortest path within the caps has; each is stale for a run that is at another. */
const planners = [1, 2, 3, 4], children = [2, 3, 4, 5, 6, 7, 8, 9, 10, 11];
const planned = (end: StageEnd, n: number, stage: StageEnded["stage"] = "planner"): StageEnded & { readonly at: number } => stamped({
  type: "stage.ended" as const, stage, iteration: n, reason: end.outcome === "done" ? "" : `it ended ${end.outcome}`, verdict: null, audit: null, text: "", undone: ["src/a.ts"], denials: [], session: { id: `planner-${n}`, costUsd: 0.1 }, costUsd: 0.25, ...end,
});
const over = ({ says, head = undefined, ...end }: End, n: number): PipelineEnded & { readonly at: number } => stamped({
  type: "pipeline.ended" as const, attempt, ...end, reason: end.outcome === "done" ? "" : `it ended ${end.outcome}, ${end.failure}`, workspace, head: head ?? `head${n}`, iterations: 2, checks: { base: "0/1", head: "1/1" }, summary: "the summary", warnings: ["a warning"], costUsd: 0.25,
  leg: { n: String(n), feedback: "", findings: [], failing: [], session: { id: `session-${n}`, costUsd: 0.4 }, diffHash: `diff${n}`, ...says },
});
const shown = { implementationComplete: { state: "met" as const, evidence: "head" }, testsPassed: { state: "met" as const, evidence: "1/1" } };

const results = [
  stamped({ type: "workspace.ready", workspace }),
  ...(["io", "environment"] as const).map((klass) => stamped({ type: "effect.failed", kind: "workspace.prepare" as const, class: klass, message: "it broke", mend: "mend it" })),
  ...planners.flatMap((n) => planEnds.map((end) => planned(end, n))), planned({ outcome: "done", failure: null, criteria, plan: { tasks: good } }, 1, "coder"),
  ...children.flatMap((n) => ends.map((end) => over(end, n))),
  ...children.map((n): PipelineGates & { readonly at: number } => stamped({ type: "pipeline.gates" as const, attempt, gates: shown, leg: String(n) })),
  ...children.map((n) => stamped({ type: "pipeline.paused" as const, attempt, leg: String(n) })),
  // Nobody's: of the plain pipeline of another lane.
  stamped({ type: "pipeline.ended" as const, attempt, outcome: "done" as const, failure: null, reason: "", workspace, head: "head9", iterations: 1, checks: null, summary: "", warnings: [], costUsd: 1 }),
  stamped({ type: "stuck", rule: "oscillation", says: "back and forth" }),
] satisfies readonly AutopilotEvent[];

const alphabet: readonly AutopilotEvent[] = [
  ...results, stamped({ type: "stage.asks" as const, question: "which one?" }), ...children.map((n) => stamped({ type: "pipeline.asks" as const, question: "which one?", leg: String(n) })),
  stamped({ type: "answer", text: "the first" }), stamped({ type: "pause" }), stamped({ type: "resume" }), stamped({ type: "cancel" }),
];

const contextOf = (snapshot: AnyMachineSnapshot): AutopilotContext => snapshot.context;
const isEvent = (event: { readonly type: string }): event is AutopilotEvent => alphabet.some((each) => each === event);

const phases = ["expansion", "planning", "execution", "qa", "mending", "validation"] as const;
const inPhase = (state: string): boolean => phases.some((phase) => phase === state);
const plans = ({ phase }: AutopilotContext): boolean => phase === "expansion" || phase === "planning";
/** Word of the child under way. */
const isOwn = (from: AutopilotContext, event: AutopilotEvent | undefined): boolean => {
  if (!from.running || !event) return false;
  if (event.type === "stage.ended") return plans(from) && event.stage === "planner" && event.iteration === from.children;
  if (event.type === "stage.asks") return plans(from);
  const leg = event.type === "pipeline.ended" ? event.leg?.n : event.type === "pipeline.asks" || event.type === "pipeline.gates" || event.type === "pipeline.paused" ? event.leg : undefined;
  return !plans(from) && leg === String(from.children);
};

interface Reading { readonly state: string; readonly from: AutopilotContext; readonly to: AutopilotContext; readonly event: AutopilotEvent | undefined; /** The end of the child under way. */ readonly stage: StageEnded | undefined; readonly end: (PipelineEnded & { readonly leg: LegEnd }) | undefined }
const read = (edge: Edge): Reading => {
  const event = isEvent(edge.event) ? edge.event : undefined, from = contextOf(edge.from), own = edge.from.status === "active" && isOwn(from, event);
  const leg = event?.type === "pipeline.ended" ? event.leg : undefined;
  return { state: String(edge.from.value), from, to: contextOf(edge.to), event, stage: own && event?.type === "stage.ended" ? event : undefined, end: own && event?.type === "pipeline.ended" && leg !== undefined ? { ...event, leg } : undefined };
};

const more = ({ escalated, policy: { stages: { coder } } }: AutopilotContext): boolean => !escalated && coder !== undefined && (coder.escalateModel !== null || coder.escalateAdapter !== null);
const cycle = ({ cycles, caps }: AutopilotContext): boolean => cycles < caps.qaCycles;
const round = ({ rounds, caps }: AutopilotContext): boolean => rounds < caps.validationRounds;
const isGood = (stage: StageEnded): boolean => stage.outcome === "done" && same(stage.plan?.tasks, good);
const gives = (stage: StageEnded): boolean => stage.outcome === "done" && (stage.criteria ?? null) !== null;
const won = (end: PipelineEnded): boolean => end.outcome === "done" && end.head !== "";
const ended = ({ outcome }: { readonly outcome: string }): string => (outcome === "done" ? "failed" : outcome);

/** Where the end of the child must lead. */
const after = ({ state, from, stage, end }: Reading): string | undefined => {
  if (stage) {
    switch (state) {
      case "expansion": return gives(stage) ? "planning" : ended(stage);
      case "planning": return isGood(stage) ? "execution" : stage.outcome === "done" && stage.plan ? (from.plans < from.caps.plans ? "planning" : "exhausted") : ended(stage);
      case "settling": return "exhausted";
      case "pausing": return "paused";
      case "cancelling": return "cancelled";
      default: return undefined;
    }
  }
  if (!end) return undefined;
  const cap = end.outcome === "exhausted" && end.failure === "cap", whole = from.phase === "validation" && won(end);
  switch (state) {
    case "execution": return won(end) ? "qa" : ended(end);
    case "qa": return won(end) ? "validation" : cap && cycle(from) ? "mending" : ended(end);
    case "mending": return won(end) ? "qa" : (cap && cycle(from)) || (end.failure === "stuck" && more(from)) ? "mending" : ended(end);
    case "validation": return whole ? "done" : cap && cycle(from) && round(from) ? "mending" : ended(end);
    case "settling": return whole ? "done" : from.escalateNow ? "mending" : "exhausted";
    case "pausing":
    case "paused": return whole ? "done" : from.phase !== "execution" || won(end) ? "paused" : ended(end);
    case "cancelling": return "cancelled";
    default: return undefined;
  }
};
/** A child begins on this edge. */
const begins = (e: Edge, r: Reading): boolean => inPhase(String(e.to.value)) && (r.stage !== undefined || r.end !== undefined || (r.state === "starting" && r.event?.type === "workspace.ready"));
/** The work is mended because of what this end says. */
const mends = (e: Edge, r: Reading): boolean => at(e.to, "mending") && r.end !== undefined;
const isCap = ({ end }: Reading): boolean => end?.failure === "cap" && end.outcome === "exhausted";

const team = ({ caps }: AutopilotContext): boolean => caps.execution === "team";
const childOf = (c: AutopilotContext, { phase, children: n } = c): string => (phase === "expansion" || phase === "planning" ? stageAddress(id, attempt, "planner", n) : phase === "execution" ? (team(c) ? teamAddress(id, attempt) : `ralph/${id}/${attempt}/leg${n}`) : pipelineAddress(id, attempt, String(n)));
const criteriaText = "The whole is done when:\n- it prints\n- it parses";
const hears: Readonly<Record<string, readonly AutopilotEvent["type"][]>> = {
  starting: ["workspace.ready", "effect.failed", "pause", "cancel"], settling: ["stage.ended", "pipeline.ended", "cancel"], pausing: ["stage.ended", "pipeline.ended", "pipeline.paused", "workspace.ready", "effect.failed", "cancel"], paused: ["pipeline.ended", "resume", "cancel"], cancelling: ["stage.ended", "pipeline.ended", "workspace.ready", "effect.failed"],
  ...Object.fromEntries(phases.map((phase) => [phase, ["stage.ended", "stage.asks", "pipeline.ended", "pipeline.asks", "pipeline.gates", "answer", "stuck", "pause", "cancel"]])),
};
const observed = (edge: Edge): readonly unknown[] => told(edge, "observe").filter(({ to }) => to === watcher).map(({ event }) => event["seen"]);

export const exploration: Exploration = {
  inputs: [
    { name: "coder and critic, fewer checks than judgements", input: input({ coder: plan, critic: plan }, { caps: { plans: 2, qaCycles: 2, validationRounds: 3 } }) },
    { name: "all stages and a planner, escalating to another adapter, taken up again", input: input({ coder: other, critic: plan, tester: plan, documenter: plan, auditor: plan, "stage-documenter": plan, planner: { ...plan, model: "thinker" } }, { failing: ["test: z"], guidance: "use a table" }) },
    { name: "no critic of its own, a larger model, more checks than judgements", input: input({ coder: large }, { caps: { plans: 1, qaCycles: 3, validationRounds: 2 } }) },
    { name: "a team does the tasks", input: input({ coder: plan, critic: plan }, { caps: { execution: "team", plans: 1, qaCycles: 1, validationRounds: 1 } }) },
  ],
  events: [...alphabet],
  unattended: [...results],
  abstraction: (snapshot) => {
    const c = contextOf(snapshot);
    if (snapshot.status !== "active") return { failure: c.failure };
    // Once there is a plan, nobody asks how many there were.
    return { phase: c.phase, plans: plans(c) ? c.plans : 0, cycles: c.cycles, rounds: c.rounds, running: c.running, escalated: c.escalated, escalateNow: c.escalateNow, asks: c.question !== null, failing: c.failing.length > 0, begun: c.workspace !== null };
  },
  restStates: ["paused", "done", "failed", "cancelled", "exhausted"],
  states: [
    { name: "I1 plans, checks and judgements keep to their caps", holds: (s) => { const c = contextOf(s); return c.plans <= c.caps.plans && c.cycles <= c.caps.qaCycles && c.rounds <= c.caps.validationRounds && c.plans >= 1 && c.cycles >= 1 && c.rounds >= 1; } },
    { name: "I2 each phase has its evidence: criteria, a plan in order, a commit", holds: (s) => { const c = contextOf(s); return (c.phase === "expansion" || same(c.criteria, ["it prints", "it parses"])) && (plans(c) || same(c.tasks, ordered)) && (plans(c) || c.phase === "execution" || c.head.startsWith("head")); } },
    { name: "I4 a child runs exactly in its phases and while it is awaited; over a pause only the run that does the tasks lives", holds: (s) => { const c = contextOf(s); return at(s, "starting") ? !c.running : at(s, "paused") ? !c.running || c.phase === "execution" : at(s, ...phases, "settling") ? c.running : s.status === "active" || !c.running; } },
    { name: "the phase is the one that the state names", holds: (s) => !inPhase(String(s.value)) || contextOf(s).phase === s.value },
    { name: "every end but done says why, and of what kind; done has no trouble and was judged", holds: (s) => {
      const c = contextOf(s);
      if (s.status === "active") return c.failure === null;
      return at(s, "done") ? c.failure === null && c.phase === "validation" : at(s, "cancelled") ? c.failure === null && c.reason === "cancelled" : c.failure !== null && c.reason !== "";
    } },
    { name: "I6 only a coder with something else to offer escalates by itself", holds: (s) => !contextOf(s).escalateNow || contextOf(s).policy.stages.coder?.escalateModel === "large" || contextOf(s).policy.stages.coder?.escalateAdapter === "claude" },
    { name: "the first plan is asked for without complaint", holds: (s) => contextOf(s).planProblem === "" || (contextOf(s).plans > 1 || at(s, "exhausted")) },
  ],
  first: [
    { name: "the first step starts the watch and asks for the workspace, once each", holds: (first) => at(first.to, "starting") && first.actions.length === 2 && same(spawned(first, "progress"), [{ address: watcher, input: { pipeline: itself, limits: policy.progress } }])
      && same(asked(first, "workspace.prepare"), [{ kind: "workspace.prepare", item: id, attempt: lineage, repository: item.repository, baseRef: policy.baseRef }]) },
  ],
  edges: [
    { name: "I2 I3 each end of a child leads where it must", holds: (e) => { const must = after(read(e)); return must === undefined || at(e.to, must); } },
    { name: "I4 a child begins exactly where a phase is entered, but for a run that goes on", holds: (e) => {
      const r = read(e), made = [...spawned(e, "stage"), ...spawned(e, "ralph"), ...spawned(e, "team"), ...spawned(e, "pipeline")], must = begins(e, r) ? 1 : 0;
      return made.length === must && r.to.children === r.from.children + must && made.every(({ address }) => address === childOf(r.to)) && spawned(e, "stage").length === (must === 1 && plans(r.to) ? 1 : 0) && spawned(e, team(r.to) ? "team" : "ralph").length === (must === 1 && r.to.phase === "execution" ? 1 : 0) && spawned(e, team(r.to) ? "ralph" : "team").length === 0;
    } },
    { name: "a planner is told what it owes, the criteria, and why its last plan was of no use", holds: (e) => spawned(e, "stage").every(({ input: i }) => {
      const { from, to } = read(e), duty = to.phase === "expansion" ? "criteria" : "plan", runner = to.policy.stages.planner ?? to.policy.stages.coder, brief = i["brief"] as typeof emptyBrief;
      return i["pipeline"] === itself && i["stage"] === "planner" && i["duty"] === duty && i["iteration"] === to.children && i["attempt"] === attempt && i["since"] === to.head && same(i["workspace"], to.workspace) && same(i["session"], to.planner) && i["model"] === runner?.model && i["adapter"] === runner?.adapter && i["timeoutMs"] === runner?.timeoutMs
        && same(i["item"], { id, title: item.title, body: item.body, kind: item.kind }) && i["repository"] === item.repository && i["playbook"] === null && same(i["policy"], to.policy) && same(brief.failingChecks, from.failing)
        && brief.feedback === [...(to.guidance === undefined ? [] : ["The final check of your work found new failures.\n\nAn earlier attempt was stuck. A person says: use a table"]), ...(duty === "criteria" ? [] : [criteriaText]), ...(to.planProblem === "" ? [] : [`Your last plan cannot be used: ${to.planProblem}. Give another one.`])].join("\n\n");
    }) },
    { name: "the run, or the team, has the plan's tasks in their order, and coder and critic alone", holds: (e) => [...spawned(e, "ralph"), ...spawned(e, "team")].every(({ input: i }) => {
      const { to } = read(e), { coder, critic } = to.policy.stages, leg = i["leg"] as Leg;
      return i["owner"] === itself && i["attempt"] === attempt && i["lineage"] === lineage && same(i["item"], team(to) ? { ...to.item, team: { name: "loc-7", workers: 0, adapters: [], interactive: false, tasks: ordered } } : to.item) && same(i["failing"], to.failing) && i["guidance"] === to.guidance && same((i["policy"] as Policy).stages, { coder, critic }) && same({ ...(i["policy"] as Policy), stages: {} }, { ...to.policy, stages: {} })
        && same(leg, { n: String(to.children), round: 1, session: to.session, escalated: to.escalated, begin: "work", feedback: "", findings: [] }) && (team(to) ? i["stories"] === undefined : same(i["stories"], ["the parser", "the printer"].map((title) => ({ title, details: `do ${title}\n\nIt is done when:\n- ${title} works` }))));
    }) },
    { name: "a leg checks with the tester, mends with the coder, or judges with the others", holds: (e) => spawned(e, "pipeline").every(({ input: i }) => {
      const { to } = read(e), leg = i["leg"] as Leg, { stages, maxIterations } = i["policy"] as Policy, { coder, critic, tester, documenter, auditor, "stage-documenter": report } = to.policy.stages, works = to.phase === "mending";
      const must = to.phase === "qa" ? { coder, tester } : works ? { coder } : { coder, critic: critic ?? coder, documenter, auditor, "stage-documenter": report };
      return i["owner"] === itself && i["attempt"] === attempt && i["lineage"] === lineage && same(i["item"], to.item) && same(stages, must) && Object.values(stages).every((each) => each !== undefined) && maxIterations === to.iteration && same(i["failing"], works ? to.failing : [])
        && same(leg, { n: String(to.children), round: to.iteration, session: to.session, escalated: to.escalated, begin: works ? "work" : "review", feedback: !works || to.feedback === "" ? criteriaText : `${criteriaText}\n\n${to.feedback}`, findings: works ? to.findings : [], ...(works && to.failing.length === 0 ? { since: to.head } : {}) });
    }) },
    { name: "I1 I7 only an unusable plan, wrong work and a judgement that sends it back count", holds: (e) => {
      const r = read(e), { from, to, state, stage } = r, wrong = mends(e, r) && isCap(r) && state !== "settling";
      return to.plans === from.plans + (state === "planning" && stage !== undefined && at(e.to, "planning") ? 1 : 0) && to.cycles === from.cycles + (wrong ? 1 : 0) && to.rounds === from.rounds + (wrong && state === "validation" ? 1 : 0)
        && to.iteration === Math.max(from.iteration, r.end && after(r) !== undefined ? r.end.iterations : 0) + (mends(e, r) ? 1 : 0);
    } },
    { name: "what a planner gave is taken once, and only as it was given", holds: (e) => {
      const r = read(e), { from, to, stage, state } = r, takes = stage !== undefined && after(r) !== undefined, here = state === "expansion" || state === "planning" || state === "pausing";
      const expands = takes && here && from.phase === "expansion" && gives(stage), plannedNow = takes && here && from.phase === "planning" && isGood(stage), complains = takes && state === "planning" && stage.outcome === "done" && stage.plan != null && !isGood(stage);
      return same(to.criteria, expands ? ["it prints", "it parses"] : from.criteria) && same(to.tasks, plannedNow ? ordered : from.tasks) && (plannedNow ? to.planProblem === "" : complains ? to.planProblem !== "" : to.planProblem === from.planProblem)
        && same(to.planner, takes ? stage.session : from.planner) && (!takes || to.warnings.includes("planner changed what it may not; undone: src/a.ts"));
    } },
    { name: "what a child left is taken once", holds: (e) => {
      const r = read(e), { from, to, end, stage } = r, takes = end !== undefined && after(r) !== undefined, works = takes && (from.phase === "execution" || from.phase === "mending"), again = begins(e, r);
      const anew = to.escalated && mends(e, r) && (from.escalateNow || end?.failure === "stuck") && from.policy.stages.coder?.escalateAdapter === "claude";
      return to.costUsd === from.costUsd + (takes || (stage !== undefined && after(r) !== undefined) ? 0.25 : 0) && (!takes || (to.running === again && to.head === (end.head || from.head) && to.summary === end.summary && to.warnings.includes("a warning") && same(to.workspace, workspace) && same(to.checks, end.checks) && to.question === null))
        && (stage === undefined || after(r) === undefined || (to.question === null && to.running === again)) && same(to.session, anew ? { id: null, costUsd: 0 } : works ? end.leg.session : from.session);
    } },
    { name: "I6 escalation happens once: as the run did, or when a rule stopped what mends", holds: (e) => {
      const r = read(e), { from, to, end, state } = r, works = end !== undefined && after(r) !== undefined && (from.phase === "execution" || from.phase === "mending"), itself1 = (state === "mending" && at(e.to, "mending") && end?.failure === "stuck") || (state === "settling" && at(e.to, "mending"));
      return to.escalated === (from.escalated || itself1 || (works && end.leg.escalated === true)) && (!itself1 || (!to.escalateNow && more(from)));
    } },
    { name: "the next mending is told what was wrong", holds: (e) => {
      const r = read(e), { from, to, end, state } = r;
      if (!end || !inPhase(state) || state === "execution") return true;
      if (isCap(r)) return same([to.feedback, to.findings, to.failing], [end.leg.feedback, end.leg.findings, end.leg.failing]);
      return mends(e, r) ? to.feedback === `You were stopped: ${end.reason}. Take another approach.` && to.findings.length === 0 : same([to.feedback, to.findings, to.failing], [from.feedback, from.findings, from.failing]);
    } },
    { name: "I1 the end carries why, and names the cap", holds: (e) => {
      const r = read(e), { from, to, end, stage, state } = r;
      if (!inPhase(state) && !((state === "pausing" || state === "paused") && from.phase === "execution")) return true;
      if (!at(e.to, "failed", "exhausted")) return true;
      if (stage) {
        if (state === "planning" && stage.outcome === "done" && stage.plan) return to.failure === "cap" && to.reason === `${to.plans} of ${to.caps.plans} plans used; the last one: ${to.planProblem}` && to.planProblem !== "";
        return to.failure === (stage.failure === "auth" ? "auth" : stage.failure === "environment" ? "environment" : stage.failure === "crash" ? "infra" : "work") && to.reason === `planner: ${stage.reason || "it gave no usable answer"}`;
      }
      if (!end) return true;
      const caps = isCap(r) && state !== "execution" && state !== "pausing" && state !== "paused";
      if (!caps) return to.failure === (end.failure ?? "work") && to.reason === (end.reason || "it ended without a commit");
      return to.failure === "cap" && to.reason === (state === "validation" && !round(from) ? `${to.rounds} of ${to.caps.validationRounds} judgements of the whole used (lanes.autopilot.validationRounds); last feedback: ${end.leg.feedback}` : `${to.cycles} of ${to.caps.qaCycles} checks of the whole used (lanes.autopilot.qaCycles); last feedback: ${end.leg.feedback}`);
    } },
    { name: "the worktree's preparation is awaited, what it gave is taken, and the phase goes on", holds: (e) => {
      const { state, event, from, to } = read(e), awaits = state === "starting" || ((state === "cancelling" || state === "pausing") && !from.running);
      if (!awaits || (event?.type !== "workspace.ready" && event?.type !== "effect.failed")) return true;
      if (event.type === "effect.failed") return at(e.to, state === "cancelling" ? "cancelled" : "failed") && (state === "cancelling" || (to.failure === (event.class === "environment" ? "environment" : "infra") && to.reason === "it broke (mend it)"));
      return same(to.workspace, workspace) && to.head === (from.head || workspace.base) && to.phase === from.phase && at(e.to, state === "starting" ? from.phase : state === "pausing" ? "paused" : "cancelled");
    } },
    { name: "I5 the worktree is looked at before anything goes on, once", holds: (e) => asked(e, "workspace.prepare").length === (at(e.to, "starting") && !at(e.from, "starting") ? 1 : 0) && asked(e, "workspace.prepare").every((effect) => effect["item"] === id && effect["attempt"] === lineage) },
    { name: "who is cancelled says so", holds: (e) => !at(e.to, "cancelled") || (contextOf(e.to).reason === "cancelled" && contextOf(e.to).failure === null) },
    { name: "a rule stops the child and settles; while a question is open, and in the run that has a watch of its own, it only starts the watch anew", holds: (e) => {
      const { state, event, from, to } = read(e);
      if (!inPhase(state) || event?.type !== "stuck") return true;
      if (from.question !== null || state === "execution") return same(e.from.value, e.to.value) && told(e, "reset").length === 1 && told(e, "cancel").length === 0;
      return at(e.to, "settling") && to.rule === event.rule && to.reason === `stopped by rule ${event.rule}: ${event.says}${from.feedback === "" ? "" : `; the last time: ${from.feedback}`}` && to.feedback.includes(event.says) && to.findings.length === 0 && to.escalateNow === (state === "mending" && more(from));
    } },
    { name: "settling without another approach ends as stuck; going on leaves no reason", holds: (e) => { const r = read(e); return r.state !== "settling" || (at(e.to, "exhausted") ? r.to.failure === "stuck" && r.to.reason === r.from.reason : !at(e.to, "mending") || (r.to.reason === "" && r.to.feedback === r.from.feedback)); } },
    { name: "the child is cancelled once, when it is not wanted any more; the run that does the tasks is paused and resumed instead", holds: (e) => {
      const { state, event, from } = read(e), c = event?.type, phase = inPhase(state), run = state === "execution";
      const must = phase ? c === "cancel" || (!run && (c === "pause" || (c === "stuck" && from.question === null))) : c === "cancel" && (state === "pausing" || state === "paused") && from.running;
      const all = [["cancel", must], ["pause", run && c === "pause"], ["resume", state === "paused" && from.running && c === "resume"]] as const;
      return all.every(([what, when]) => told(e, what).length === (when ? 1 : 0) && told(e, what).every(({ to }) => to === childOf(from)));
    } },
    { name: "I5 pause, resume and cancel go where they must, and each begins a generation", holds: (e) => {
      const { state, event, from, to } = read(e), c = event?.type;
      const must = c === "pause" && (inPhase(state) || state === "starting") ? "pausing" : c === "resume" && state === "paused" ? (from.running ? "execution" : "starting") : c === "cancel" && (inPhase(state) || ["starting", "settling", "pausing"].includes(state)) ? "cancelling" : c === "cancel" && state === "paused" ? (from.running ? "cancelling" : "cancelled") : undefined;
      return to.generation === from.generation + (must === undefined ? 0 : 1) && (must === undefined || at(e.to, must));
    } },
    { name: "I5 a pause keeps the phase, unless the child was quicker", holds: (e) => {
      const { state, from, to, stage, end } = read(e);
      if ((state !== "pausing" && !(state === "paused" && end)) || !at(e.to, "paused")) return true;
      const next = { expansion: stage && gives(stage) ? "planning" : undefined, planning: stage && isGood(stage) ? "execution" : undefined, execution: end && won(end) ? "qa" : undefined, qa: end && won(end) ? "validation" : undefined, mending: end && won(end) ? "qa" : undefined, validation: undefined }[from.phase];
      return to.phase === (next ?? from.phase) && to.question === null;
    } },
    { name: "I5 the run that does the tasks says when it is paused, and lives on", holds: (e) => { const { state, from, to, event } = read(e); return state !== "pausing" || event?.type !== "pipeline.paused" || (isOwn(from, event) && from.phase === "execution" ? at(e.to, "paused") && to.running : ignored(e)); } },
    { name: "the owner is told of a pause once it is one", holds: (e) => { const enters = at(e.to, "paused") && !at(e.from, "paused"); return told(e, "pipeline.paused").length === (enters ? 1 : 0) && told(e, "pipeline.paused").every(({ to, event }) => to === owner && event["attempt"] === attempt); } },
    { name: "I8 the owner hears of gates: complete on entering validation, what its leg shows then, and none when it is mended", holds: (e) => {
      const r = read(e), { state, event, from, to } = r, tells = told(e, "pipeline.gates"), enters = begins(e, r), relays = state === "validation" && event?.type === "pipeline.gates" && isOwn(from, event);
      const must = enters && at(e.to, "mending") ? {} : enters && at(e.to, "validation") ? { implementationComplete: { state: "met", evidence: `commit ${to.head}` } } : relays ? shown : undefined;
      return tells.length === (must === undefined ? 0 : 1) && tells.every(({ to: whom, event: said }) => whom === owner && said["attempt"] === attempt && !("leg" in said) && same(said["gates"], must));
    } },
    { name: "a question goes up, an answer down; it is open in between", holds: (e) => {
      const { state, event, from, to } = read(e), up = told(e, "pipeline.asks"), down = told(e, "answer"), asks = inPhase(state) && (event?.type === "pipeline.asks" || event?.type === "stage.asks") && isOwn(from, event), answers = inPhase(state) && event?.type === "answer";
      return up.length === (asks ? 1 : 0) && up.every(({ to: whom, event: said }) => whom === owner && said["question"] === "which one?") && down.length === (answers ? 1 : 0) && down.every(({ to: whom, event: said }) => whom === childOf(from) && said["text"] === "the first")
        && (!asks || to.question === "which one?") && (!answers || to.question === null);
    } },
    { name: "the watch sees each diff, error and feedback, and begins anew with each phase of planning and each other approach", holds: (e) => {
      const r = read(e), { state, end, stage, from } = r, resets = told(e, "reset").filter(({ to }) => to === watcher).length, goes = isCap(r) && at(e.to, "mending");
      const error = { kind: "error", fingerprint: end?.leg.failing.length === 0 ? end.leg.feedback : "test: a\ntest: b" }, diff = { kind: "diff", hash: end?.leg.diffHash };
      const must = state === "qa" ? (end && won(end) ? [{ kind: "fixed" }] : goes ? [error] : []) : state === "mending" ? (end && won(end) ? [diff] : goes ? [diff, error] : [])
        : state === "validation" && goes ? [{ kind: "feedback", words: end !== undefined && end.leg.findings.length > 0 ? ["handle", "the", "empty", "list"] : ["new", "failures"] }] : [];
      const anew = (stage !== undefined && ((state === "expansion" && at(e.to, "planning")) || (state === "planning" && at(e.to, "execution")))) || (state === "execution" && at(e.to, "qa")) || (mends(e, r) && (state === "settling" || end?.failure === "stuck")) || (inPhase(state) && r.event?.type === "stuck" && (from.question !== null || state === "execution"));
      return same(observed(e), must) && resets === (anew ? 1 : 0);
    } },
    { name: "the owner hears the end once, as it was, and the watch is ended with it", holds: (e) => {
      const over1 = e.from.status === "active" && e.to.status !== "active", said = told(e, "pipeline.ended"), watch = told(e, "end"), { to } = read(e);
      return said.length === (over1 ? 1 : 0) && watch.length === said.length && watch.every(({ to: whom }) => whom === watcher) && said.every(({ to: whom, event }) => whom === owner && same(event, { type: "pipeline.ended", attempt, outcome: e.to.value, failure: to.failure, reason: to.reason, workspace: to.workspace, head: to.head, iterations: to.iteration, checks: to.checks, summary: to.summary, warnings: to.warnings, costUsd: to.costUsd }));
    } },
    { name: "word of another child, and misplaced events, change nothing", holds: (e) => {
      const { state, event, from } = read(e);
      if (e.from.status !== "active" || !event) return true;
      const childs = ["stage.ended", "stage.asks", "pipeline.ended", "pipeline.asks", "pipeline.gates", "pipeline.paused"].includes(event.type), prepares = event.type === "workspace.ready" || event.type === "effect.failed";
      const fits = (event.type !== "pipeline.gates" || state === "validation") && (event.type !== "pipeline.paused" || from.phase === "execution") && (childs ? isOwn(from, event) : prepares ? state === "starting" || !from.running : true);
      return ((hears[state] ?? []).includes(event.type) && fits) || ignored(e);
    } },
  ],
};
