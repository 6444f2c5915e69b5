import type { AnyMachineSnapshot } from "xstate";
import { givenUp, isOver, unfinished } from "../../src/domain/board.ts";
import { itemAddress, memberAddress, pipelineAddress } from "../../src/domain/ids.ts";
import type { Policy } from "../../src/domain/policy.ts";
import type { TeamPolicy } from "../../src/domain/team.ts";
import type { Edge, Exploration } from "../catalog.ts";
import type { LegEnd, PipelineEnded, PipelineGates, PipelineInput } from "../pipeline-context.ts";
import { isLiving, memberOf, type TeamContext } from "../team-context.ts";
import * as work from "../team-work.ts";
import type { UltraworkContext, UltraworkEvent } from "../ultrawork-context.ts";
import { asks, carryOn, claimed, type Do, does, givenUpSays, heard, isStrangers, left, memberEnded, nobodyLeft, over, ownerOf, pathOf, sameContext, type Told } from "./crew.ts";
import { id, item, plan, policy, workspace } from "./fixtures.ts";
import { asked, at, ignored, implies, now, same, spawned, stamped, told } from "./reading.ts";

const attempt = 3, lineage = 1, leaseMs = 90_000;
const owner = itemAddress(id, lineage), itself = `ultrawork/${id}/${attempt}`;
const two = "- [ ] the parser\n- [x] the lexer\n- [ ] the printer";
const limits: TeamPolicy = { workers: 9, leaseMs, maxFixes: 9, memberRestarts: { max: 3, withinMs: 600_000 }, taskAttempts: 1 };

const input = (caps: { readonly concurrency: number; readonly maxFixes: number }, more: { readonly body?: string; readonly failing?: readonly string[]; readonly team?: Partial<TeamPolicy>; readonly stages?: Policy["stages"]; readonly keep?: boolean } = {}): PipelineInput => ({
  owner, item: { ...item, operatorLane: "ultrawork", body: more.body ?? item.body }, attempt, lineage, failing: more.failing ?? [],
  policy: { ...policy, keepWorktree: more.keep ?? false, stages: more.stages ?? policy.stages, team: { ...limits, ...more.team }, lanes: { ralph: { maxIterations: 9 }, ultrawork: caps } },
});

const [w1, w2, w3] = ["worker-1", "worker-2", "worker-3"] as const;
const claims = [[w1, 1, 1], [w1, 1, 2], [w1, 2, 1], [w1, 3, 1], [w2, 1, 1], [w2, 1, 2], [w2, 2, 1], [w2, 3, 1]] as const;

type End = Pick<PipelineEnded, "outcome" | "failure" | "checks"> & { readonly says?: Partial<LegEnd> };
const checks = { base: "0/1", head: "1/1" };
const ends: readonly End[] = [
  { outcome: "done", failure: null, checks }, { outcome: "exhausted", failure: "cap", checks, says: { feedback: "not yet", findings: [{ severity: "major", message: "the empty list", file: "a.ts", line: 3 }] } },
  { outcome: "exhausted", failure: "cap", checks, says: { feedback: "New failures.", failing: ["test: a"] } }, { outcome: "exhausted", failure: "infra", checks: null }, { outcome: "failed", failure: "rejected", checks }, { outcome: "cancelled", failure: null, checks: null },
];
/** More than any path within the caps has; each is stale for a run that is at another. */
const legs = ["1", "2", "3"];
const legEnd = ({ says, ...end }: End, n: string): PipelineEnded & { readonly at: number } => stamped({
  type: "pipeline.ended" as const, attempt, ...end, reason: end.outcome === "done" ? "" : `it ended ${end.outcome}, ${end.failure}`, workspace, head: end.checks ? `judged${n}` : workspace.base, iterations: 1, summary: "", warnings: ["a warning"], costUsd: 0.25,
  leg: { n, feedback: "", findings: [], failing: [], session: { id: null, costUsd: 0 }, diffHash: "", ...says },
});
const shown = { implementationComplete: { state: "met" as const, evidence: "head" }, reviewPassed: { state: "met" as const, evidence: "approved" } };

const results = [
  stamped({ type: "workspace.ready", workspace }), stamped({ type: "workspace.committed", head: "base0" }),
  stamped({ type: "workspace.merged", head: "team1" }), stamped({ type: "workspace.merged", head: "base0" }), stamped({ type: "workspace.conflicted", files: ["a.ts"] }),
  { type: "alarm.lease" as const, at: now + 10 * leaseMs }, { type: "alarm.lease" as const, at: now + 20 * leaseMs },
  ...[w1, w2, w3].map((member) => stamped({ type: "member.ready" as const, member })), stamped({ type: "member.ready", member: "worker-9" }),
  stamped({ type: "member.began", member: w1, mail: ["m1"] }),
  stamped({ type: "member.turn", member: w1, turns: 1, costUsd: 0.25, well: true, mail: ["m1"], messages: [{ to: w2, text: "look" }] }),
  ...claimed({ type: "member.renew" }, claims.slice(0, 2)), ...claimed({ type: "member.evidence", commit: "work1", checks: "0/1 → 1/1", summary: "done" }, claims), ...claimed({ type: "member.evidence", commit: "", checks: "0/1 → 1/1", summary: "done" }, claims.slice(0, 1)),
  ...claimed({ type: "member.failed", reason: "too hard" }, claims.slice(0, 5)), ...claimed({ type: "member.declined" }, [claims[0], claims[4]]),
  stamped({ type: "member.died", member: w1, died: 1, reason: "it crashed" }),
  memberEnded(w1, "cancelled"), memberEnded(w1, "exhausted", "crash"), memberEnded(w1, "exhausted", "cap"), memberEnded(w2, "cancelled"), memberEnded(w2, "exhausted", "auth"), memberEnded(w3, "cancelled"), memberEnded("worker-4", "failed", "environment"),
  ...legs.flatMap((n) => ends.map((end) => legEnd(end, n))), ...legs.map((n): PipelineGates & { readonly at: number } => stamped({ type: "pipeline.gates" as const, attempt, gates: shown, leg: n })),
  ...(["io", "environment"] as const).map((klass) => stamped({ type: "effect.failed" as const, kind: "workspace.merge" as const, class: klass, message: "it broke", mend: "mend it" })),
] satisfies readonly UltraworkEvent[];

const alphabet: readonly UltraworkEvent[] = [
  ...results, stamped({ type: "member.asks", member: w1, question: "which one?" }), stamped({ type: "member.asks", member: w2, question: "and this?" }), ...legs.map((n) => stamped({ type: "pipeline.asks" as const, question: "what for?", leg: n })),
  stamped({ type: "answer", text: "the first" }), stamped({ type: "cancel" }), stamped({ type: "pause" }), stamped({ type: "resume" }), stamped({ type: "team.message", to: w1, text: "use tabs", id: "m1" }), stamped({ type: "team.message", to: "nobody", text: "hello?", id: "m2" }),
];

const contextOf = (snapshot: AnyMachineSnapshot): UltraworkContext => snapshot.context;
const isEvent = (event: { readonly type: string }): event is UltraworkEvent => alphabet.some((each) => each === event);

// ---- What must become of each event, said as a function.

type Run = Told<UltraworkContext>;
const put = (given: Run, change: Partial<UltraworkContext>, path = given.path): Run => ({ ...given, path, context: { ...given.context, ...change } });
const tellsOwner = (given: Run, event: Readonly<Record<string, unknown>>): Run => asks(given, "tell", { to: owner, event });
const gates = (given: Run, of: Readonly<Record<string, unknown>>): Run => tellsOwner(given, { type: "pipeline.gates", attempt, gates: of });
const tellsLeg = (given: Run, event: Readonly<Record<string, unknown>>): Run => asks(given, "tell", { to: pipelineAddress(id, attempt, String(given.context.legs)), event });
const drain = (given: Run, ending: NonNullable<TeamContext["ending"]>, why: Partial<Pick<TeamContext, "reason" | "failure" | "force">>): Run => over(left(given, ending, why));
const cancelled = { reason: "cancelled", failure: null, force: true } as const;
const later = ({ generation }: UltraworkContext) => ({ generation: generation + 1 });
const mayFix = ({ fixes, limits: { maxFixes } }: UltraworkContext): boolean => fixes < maxFixes;
const trouble = (event: UltraworkEvent): Pick<TeamContext, "reason" | "failure"> => ({ reason: "it broke (mend it)", failure: event.type === "effect.failed" && event.class === "environment" ? "environment" : "infra" });

const verify = (given: Run): Run => {
  const { context: c } = given, { coder, critic, ...rest } = c.policy.stages, legN = c.legs + 1, n = String(legN), parts = c.board.tasks.filter(({ kind }) => kind === "work").length;
  const stages = critic ? c.policy.stages : { coder, ...rest, critic: coder };
  const made = {
    owner: itself, item: c.item, attempt, lineage, failing: [], policy: { ...c.policy, stages, maxIterations: c.fixes + 1 },
    leg: { n, round: c.fixes + 1, begin: "review", feedback: parts === 1 ? "" : `All ${parts} parts of the work item are merged. Judge the whole.`, findings: [], session: { id: null, costUsd: 0 }, escalated: false, watched: true },
  };
  const begun = asks(put(given, { phase: "verifying", legs: legN, checking: true }, "working.verifying"), "spawn", { address: pipelineAddress(id, attempt, n), chart: "pipeline", input: made });
  return gates(begun, { implementationComplete: { state: "met", evidence: `commit ${c.head}: ${c.board.tasks.filter(({ state }) => state === "done").length} parts merged` } });
};

const mend = (given: Run, when: number): Run => settled(does(gates(put(given, { phase: "fixing" }, "working.fixing"), {}), carryOn(when)), when);
const fix = (given: Run, when: number, change: Do): Run => mend(does(put(given, { fixes: given.context.fixes + 1 }), change), when);

/** What follows by itself. */
const settled = (given: Run, when: number): Run => {
  const { path, context: c } = given;
  if (path !== "working.executing" && path !== "working.fixing") return given;
  const isQuiet = c.board.tasks.length > 0 && unfinished(c.board).length === 0, allDone = isQuiet && givenUp(c.board).length === 0;
  if (allDone) return c.head === workspace.base ? drain(given, "failed", { reason: "every task is done, and nothing in the repository changed", failure: "work" }) : verify(given);
  if (isQuiet) return mayFix(c) ? fix(given, when, work.failedPutAgain) : drain(given, "exhausted", { failure: "cap", reason: givenUpSays(c) });
  const nobody = nobodyLeft(c);
  return nobody ? drain(given, nobody.failure === "work" ? "exhausted" : "failed", nobody) : given;
};
const execute = (given: Run, when: number): Run => settled(does(put(given, { phase: "executing" }, "working.executing"), work.boardPut, carryOn(when)), when);
const hire = (given: Run, when: number): Run => does(given, (c) => work.hired({ ...c, force: false }, when));

/** What a leg leaves, whatever became of it. */
const takeLeg = (given: Run, event: PipelineEnded): Run => put(given, {
  checking: false, costUsd: given.context.costUsd + 0.25, checks: event.checks ?? given.context.checks, newFailures: event.leg?.failing ?? [], warnings: [...new Set([...given.context.warnings, "a warning"])], head: event.checks ? event.head : given.context.head,
});
const isOfLeg = ({ checking, legs: n }: UltraworkContext, event: UltraworkEvent): boolean => checking && (event.type === "pipeline.ended" ? event.leg?.n === String(n) : (event.type === "pipeline.asks" || event.type === "pipeline.gates") && event.leg === String(n));

const judged = (given: Run, event: UltraworkEvent & PipelineEnded): Run => {
  const taken = takeLeg(given, event), { failure, reason } = event, says = event.leg;
  if (event.outcome === "done") return drain(taken, "done", {});
  if (event.outcome === "cancelled") return drain(taken, "cancelled", cancelled);
  if (event.outcome === "exhausted" && failure === "cap" && says) {
    const heeded = put(taken, { feedback: [says.feedback, ...says.failing].join("\n") });
    if (!mayFix(given.context)) return drain(heeded, "exhausted", { failure: "cap", reason: `${given.context.fixes} of ${given.context.limits.maxFixes} fixes used; last feedback: ${heeded.context.feedback}` });
    return fix(heeded, event.at, (c) => (says.failing.length > 0 ? work.checksPut(c) : work.reviewPut(c, says.feedback, says.findings)));
  }
  return drain(taken, event.outcome, { failure, reason });
};

const pausing = (given: Run): Run => quiet(asks(does(put(given, {}, "pausing"), (c) => work.dismissed({ ...c, force: true, lapse: null })), "alarm", { name: "lease", at: null }));
const quiet = (given: Run): Run => {
  const { context: c } = given;
  return c.members.some(isLiving) || c.merging !== null || c.checking ? given : tellsOwner(put(given, {}, "paused"), { type: "pipeline.paused", attempt });
};

const working = (given: Run, event: UltraworkEvent): Run => {
  const { context: c, path } = given, judges = path === "working.verifying";
  if (isStrangers(c, event)) return given;
  if (judges && event.type === "answer") return tellsLeg(given, { type: "answer", text: "the first" });
  const news = heard(c, event);
  if (news) return news.length === 0 ? given : settled(does(given, ...news), event.at);
  switch (event.type) {
    case "pause": return pausing(judges ? tellsLeg(put(given, later(c)), { type: "cancel" }) : put(given, later(c)));
    case "cancel": return drain(put(judges ? tellsLeg(given, { type: "cancel" }) : given, later(c)), "cancelled", cancelled);
    case "effect.failed": return c.merging === null ? given : drain(put(given, { merging: null, checking: false }), "failed", trouble(event));
    case "pipeline.gates": return judges && isOfLeg(c, event) ? gates(given, shown) : given;
    case "pipeline.asks": return judges && isOfLeg(c, event) ? tellsOwner(given, { type: "pipeline.asks", question: "what for?" }) : given;
    case "pipeline.ended": return judges && isOfLeg(c, event) ? judged(given, event) : given;
    default: return given;
  }
};

const held = (given: Run, event: UltraworkEvent): Run => {
  const { context: c } = given;
  if (isStrangers(c, event)) return given;
  switch (event.type) {
    case "member.turn": return quiet(does(given, (context) => work.turned(context, event)));
    case "member.evidence": return quiet(does(given, (context) => work.evidenced(context, event)));
    case "member.failed": return quiet(does(given, (context) => work.taskFailed(context, event)));
    case "member.declined": return quiet(does(given, (context) => work.declined(context, event)));
    case "member.died": return quiet(does(given, (context) => work.died(context, event)));
    case "member.ended": return quiet(does(given, (context) => work.leftTeam(context, event)));
    case "workspace.merged": return c.merging === null ? given : quiet(does(given, (context) => work.mergeTaken(context, event)));
    case "workspace.conflicted": return c.merging === null ? given : quiet(does(given, (context) => work.conflictTaken(context, event)));
    case "effect.failed": return c.merging === null ? given : drain(put(given, { merging: null, checking: false }), "failed", trouble(event));
    case "pipeline.gates": return isOfLeg(c, event) ? gates(given, shown) : given;
    case "pipeline.ended": return !isOfLeg(c, event) ? given : event.outcome === "done" ? drain(takeLeg(given, event), "done", {}) : quiet(takeLeg(given, event));
    case "cancel": return drain(put(given, later(c)), "cancelled", cancelled);
    default: return given;
  }
};

const paused = (given: Run, event: UltraworkEvent): Run => {
  if (event.type === "cancel") return drain(put(given, later(given.context)), "cancelled", cancelled);
  if (event.type !== "resume") return given;
  const back = hire(put(given, later(given.context)), event.at);
  return back.context.phase === "verifying" ? verify(back) : back.context.phase === "fixing" ? mend(back, event.at) : execute(back, event.at);
};

const draining = (given: Run, event: UltraworkEvent): Run => {
  const { context: c } = given;
  if (isStrangers(c, event)) return given;
  switch (event.type) {
    case "member.turn": return over(does(given, (context) => work.turned(context, event)));
    case "member.ended": return over(does(given, (context) => work.leftTeam(context, event)));
    case "workspace.merged": return c.merging === null ? given : over(does(given, (context) => work.mergeTaken(context, event)));
    case "workspace.conflicted": case "effect.failed": return over(put(given, { merging: null }));
    case "pipeline.ended": return isOfLeg(c, event) ? over(takeLeg(given, event)) : given;
    case "cancel": return over(does(put(given, { ...later(c), ...cancelled, ending: "cancelled", asking: [], duty: null }), work.dismissed));
    default: return given;
  }
};

const starting = (given: Run, event: UltraworkEvent): Run => {
  switch (event.type) {
    case "workspace.ready": return given.path === "starting.worktree" ? asks(put(given, { workspace }, "starting.branch"), "effect", { kind: "workspace.commit", item: id, workspace, message: `${id}: what was left in the worktree` }) : given;
    case "workspace.committed": return given.path !== "starting.branch" ? given : given.context.held ? tellsOwner(put(given, { head: event.head, held: false }, "paused"), { type: "pipeline.paused", attempt }) : execute(hire(put(given, { head: event.head }), event.at), event.at);
    case "pause": return put(given, { ...later(given.context), held: true });
    case "effect.failed": return drain(given, "failed", trouble(event));
    case "cancel": return put(given, { ...later(given.context), ...cancelled, ending: "cancelled" }, "stopping");
    default: return given;
  }
};
const stopping = (given: Run, event: UltraworkEvent): Run => {
  if (!["workspace.ready", "workspace.committed", "effect.failed"].includes(event.type)) return given;
  // Nobody was called yet: the end is at once.
  return drain(put(given, event.type === "workspace.ready" ? { workspace } : {}), "cancelled", {});
};

const oracle = (e: Pick<Edge, "from" | "event">): Run => {
  const given: Run = { path: pathOf(e.from.value), context: contextOf(e.from), asked: [] }, { event } = e;
  if (e.from.status !== "active" || !isEvent(event)) return given;
  const [top] = given.path.split(".");
  switch (top) {
    case "starting": return starting(given, event);
    case "stopping": return stopping(given, event);
    case "working": return working(given, event);
    case "pausing": return held(given, event);
    case "paused": return paused(given, event);
    default: return draining(given, event);
  }
};

let last: { readonly edge: Edge; readonly must: Run } | undefined;
const mustOf = (edge: Edge): Run => {
  if (!last || last.edge.from !== edge.from || last.edge.event !== edge.event) last = { edge, must: oracle(edge) };
  return last.must;
};

export const exploration: Exploration = {
  inputs: [
    { name: "two parts, one at a time", input: input({ concurrency: 1, maxFixes: 0 }, { body: two }) },
    { name: "two parts at once", input: input({ concurrency: 2, maxFixes: 0 }, { body: two, keep: true }) },
    { name: "one part, no critic, two fixes", input: input({ concurrency: 3, maxFixes: 2 }, { stages: { coder: plan } }) },
    { name: "checks to mend, two attempts", input: input({ concurrency: 2, maxFixes: 0 }, { body: two, failing: ["test: a"], team: { taskAttempts: 2 } }) },
  ],
  events: [...alphabet],
  unattended: [...results],
  abstraction: (snapshot) => {
    const c = contextOf(snapshot), living = Math.min(3, c.members.filter(isLiving).length);
    if (snapshot.status !== "active") return { failure: c.failure };
    if (snapshot.matches("starting")) return { held: c.held === true };
    if (snapshot.matches("draining")) return { living, merging: c.merging !== null, checking: c.checking, ending: c.ending, force: c.force };
    if (snapshot.matches("pausing") || snapshot.matches("paused")) return { living, phase: c.phase, merging: c.merging !== null, checking: c.checking, open: unfinished(c.board).length > 0 };
    // Who comes after a pause, and questions, are explored where they happen, not in every combination with all that may happen afterwards.
    if (c.members.length > c.spec.workers || c.asking.length > 0) return { living, asking: c.asking, open: unfinished(c.board).length > 0, merging: c.merging !== null, checking: c.checking, fixes: c.fixes };
    return {
      // Who has not asked yet, or not again, waits to be asked for: it makes no difference why.
      living: c.members.map(({ state, task }) => [state === "down" ? "gone" : state === "waiting" ? "starting" : state, task]), board: c.board.tasks.flatMap((task) => (isOver(task) ? [] : [[task.id, task.state, task.attempts, task.doubted, ownerOf(c, task.id)]])),
      over: [c.board.tasks.length, givenUp(c.board).length > 0], moved: c.head !== workspace.base, queue: c.queue.length, merging: c.merging, checking: c.checking, fixes: c.fixes, mail: c.spec.workers === 1 && c.fixes === 0 ? c.mailbox.letters.filter((letter) => letter.id === "m1").map(({ state }) => state) : null,
    };
  },
  restStates: ["paused", "done", "failed", "cancelled", "exhausted"],
  states: [
    { name: "I1 no more workers live than configured or than there are parts, each with one part", holds: (s) => { const c = contextOf(s), owners = c.board.tasks.filter(({ state }) => state === "claimed").map((task) => task.owner); return c.members.filter(isLiving).length <= Math.min(c.policy.lanes?.ultrawork?.concurrency ?? 0, c.item.body === two && c.failing.length === 0 ? 2 : 1) && new Set(owners).size === owners.length && owners.every((name) => { const known = memberOf(c, name ?? ""); return known !== undefined && isLiving(known); }); } },
    { name: "nobody leads, and no duty is owed", holds: (s) => contextOf(s).duty === null && memberOf(contextOf(s), "leader") === undefined && contextOf(s).letters === 0 },
    { name: "I2 at most one merge is under way, of a task whose evidence was taken", holds: (s) => { const c = contextOf(s), task = c.board.tasks.find((each) => each.id === c.merging); return c.merging === null || (task !== undefined && task.evidence !== null && (task.state === "merging" || at(s, "draining"))); } },
    { name: "I3 done means that no part is open and the leg found nothing; judging comes after the work only", holds: (s) => !(at(s, "done") || s.matches({ working: "verifying" })) || (contextOf(s).board.tasks.length > 0 && unfinished(contextOf(s).board).length === 0 && givenUp(contextOf(s).board).length === 0 && contextOf(s).head !== workspace.base && (!at(s, "done") || (contextOf(s).newFailures.length === 0 && contextOf(s).legs > 0))) },
    { name: "I4 fixes keep to their cap; in `fixing` there was one", holds: (s) => contextOf(s).fixes <= contextOf(s).limits.maxFixes && (!s.matches({ working: "fixing" }) || contextOf(s).fixes > 0) },
    { name: "I5 nothing ends or is paused while somebody works or something is under way", holds: (s) => (s.status === "active" && !at(s, "paused")) || (!contextOf(s).members.some(isLiving) && contextOf(s).merging === null && !contextOf(s).checking) },
    { name: "I6 in a pause no part is held", holds: (s) => !at(s, "paused") || contextOf(s).board.tasks.every(({ state }) => state !== "claimed") },
    { name: "a leg runs exactly while it judges, and while it is awaited", holds: (s) => contextOf(s).checking === s.matches({ working: "verifying" }) || at(s, "pausing", "draining") },
    { name: "the phase is the one that the state names", holds: (s) => !at(s, "working") || s.matches({ working: contextOf(s).phase }) },
    { name: "every end but done says why, and failed and exhausted what kind of trouble", holds: (s) => s.status === "active" || (at(s, "done") ? contextOf(s).reason === "" && contextOf(s).failure === null : contextOf(s).reason !== "" && at(s, "failed", "exhausted") === (contextOf(s).failure !== null)) },
    { name: "a lease is watched exactly while there is one", holds: (s) => !at(s, "working") || (contextOf(s).lapse !== null) === contextOf(s).board.tasks.some(({ state, leaseUntil }) => state === "claimed" && leaseUntil !== null) },
  ],
  first: [{ name: "the first step asks for the item's worktree, and nothing else; parts are the open boxes, the whole, or what has to be mended", holds: (first) => first.to.matches({ starting: "worktree" }) && first.actions.length === 1 && same(asked(first, "workspace.prepare"), [{ kind: "workspace.prepare", item: id, attempt: lineage, repository: item.repository, baseRef: policy.baseRef }])
    && same(contextOf(first.to).planned.map(({ title }) => title), contextOf(first.to).failing.length > 0 ? ["Mend the checks"] : contextOf(first.to).item.body === two ? ["the parser", "the printer"] : [item.title]) }],
  edges: [
    { name: "each event leads where it must", holds: (e) => pathOf(e.to.value) === mustOf(e).path },
    { name: "each event changes what it must, and nothing else", holds: (e) => sameContext(contextOf(e.to), mustOf(e).context) },
    { name: "each event asks for what it must, in that order, and nothing else", holds: (e) => same(e.actions.map(({ type, params }) => [type, params]), mustOf(e).asked.map(({ type, params }) => [type, params])) },
    { name: "I1 workers are called as many as there may be, at the start and after a pause, each under a new name and told whom to answer", holds: (e) => { const made = spawned(e, "member"), { spec, members } = contextOf(e.to), known = contextOf(e.from).members; return made.length === members.length - known.length && (made.length === 0 || made.length === spec.workers) && made.every(({ address, input: i }, n) => address === memberAddress(id, attempt, `worker-${known.length + n + 1}`) && i["team"] === itself && i["teamName"] === null && i["role"] === "worker" && i["base"] === workspace.base && i["adapter"] === "scripted"); } },
    { name: "I2 work reaches the branch only by evidence under a valid claim", holds: (e) => asked(e, "workspace.merge").every((merge) => contextOf(e.to).board.tasks.some((task) => task.state === "merging" && task.evidence?.commit === merge["commit"] && contextOf(e.to).merging === task.id)) && implies(contextOf(e.to).head !== contextOf(e.from).head, () => ["workspace.merged", "workspace.committed", "pipeline.ended"].includes(e.event.type)) },
    { name: "a claim that is of the past changes no task", holds: (e) => {
      const event = isEvent(e.event) ? e.event : undefined, { board } = contextOf(e.from);
      if (event?.type !== "member.evidence" && event?.type !== "member.failed" && event?.type !== "member.declined") return true;
      const task = board.tasks.find((each) => each.id === event.task);
      return (task?.state === "claimed" && task.fence === event.token && task.owner === event.member) || same(contextOf(e.to).board, board);
    } },
    { name: "word of another leg changes nothing", holds: (e) => { const event = isEvent(e.event) ? e.event : undefined; return !(event?.type === "pipeline.ended" || event?.type === "pipeline.gates" || event?.type === "pipeline.asks") || isOfLeg(contextOf(e.from), event) || ignored(e); } },
    { name: "the owner hears the end once, and nothing after it", holds: (e) => told(e, "pipeline.ended").length === (e.from.status === "active" && e.to.status !== "active" ? 1 : 0) && (e.from.status === "active" || ignored(e)) },
  ],
};
