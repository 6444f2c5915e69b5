import type { AnyMachineSnapshot } from "xstate";
import { givenUp, isOver, refusalText, unfinished, boardOf } from "../../src/domain/board.ts";
import { itemAddress, memberAddress } from "../../src/domain/ids.ts";
import type { Policy } from "../../src/domain/policy.ts";
import { PlannedTask } from "../../src/domain/team-answers.ts";
import type { TeamPolicy } from "../../src/domain/team.ts";
import type { Edge, Exploration } from "../catalog.ts";
import type { PipelineEnded, PipelineInput } from "../pipeline-context.ts";
import { isLiving, memberOf, type TeamContext, type TeamEvent, workersOf } from "../team-context.ts";
import * as work from "../team-work.ts";
import { asks, carryOn, claimed, type Do, does, givenUpSays, heard, isStrangers, kindOf, left, memberEnded, nobodyLeft, noted, over, ownerOf, pathOf, sameContext, type Told } from "./crew.ts";
import { id, item, policy, report, workspace } from "./fixtures.ts";
import { asked, at, ignored, implies, now, same, spawned, stamped, told } from "./reading.ts";

const attempt = 3, lineage = 1, leaseMs = 90_000;
const owner = itemAddress(id, lineage);
const limits: TeamPolicy = { workers: 1, leaseMs, maxFixes: 0, memberRestarts: { max: 3, withinMs: 600_000 }, taskAttempts: 1 };
const planned = (title: string, ...dependsOn: number[]): PlannedTask => PlannedTask.parse({ title, dependsOn, description: `do ${title}` });

const input = (tasks: readonly PlannedTask[], workers: number, more: Partial<TeamPolicy> = {}, keepWorktree = false): PipelineInput => {
  const own: Policy = { ...policy, keepWorktree, team: { ...limits, ...more } };
  return { owner, item: { ...item, operatorLane: "team", team: { name: "alpha", workers, adapters: [], tasks: [...tasks], interactive: false } }, attempt, lineage, failing: [], policy: own };
};

const [w1, w2, w3, leader] = ["worker-1", "worker-2", "worker-3", "leader"] as const;
const claims = [[w1, 1, 1], [w1, 1, 2], [w1, 2, 1], [w1, 3, 1], [w2, 1, 1], [w2, 1, 2]] as const;
const usable = { tasks: [planned("a"), planned("b", 1)] }, cyclic = { tasks: [planned("a", 1)] };
const answers = [1, 2, 3, 4, 5].flatMap((token) => [
  { plan: usable, criteria: { criteria: [{ task: 1, acceptance: ["it works"] }] }, verdict: { decision: "approve" as const, feedback: "", findings: [] }, text: "well done" },
  { plan: cyclic, criteria: { criteria: [{ task: 9, acceptance: ["it works"] }] }, verdict: { decision: "revise" as const, feedback: "not yet", findings: [{ severity: "major" as const, message: "the empty list", file: "a.ts", line: 3 }] }, text: "not done" },
  { plan: null, criteria: null, verdict: { decision: "reject" as const, feedback: "not wanted", findings: [] }, text: "no" },
  { plan: null, criteria: null, verdict: null, text: "well" },
].map((answer) => stamped({ type: "member.answered" as const, member: leader, token, ...answer })));

const ended = (n: number, outcome: PipelineEnded["outcome"], failure: PipelineEnded["failure"], more: Partial<PipelineEnded> = {}) => stamped({
  type: "pipeline.ended" as const, attempt, outcome, failure, reason: failure === null ? "" : `it was ${failure}`, workspace, head: `mended${n}`, iterations: 2, checks: { base: "0/1", head: "1/1" }, summary: "it is mended", warnings: ["a warning"], costUsd: 0.25,
  leg: { n: String(n), feedback: "", findings: [], failing: [], session: { id: "s1", costUsd: 0.4 }, diffHash: "d1" }, ...more,
});

const results = [
  stamped({ type: "workspace.ready", workspace }), stamped({ type: "workspace.committed", head: "base0" }),
  stamped({ type: "workspace.merged", head: "team1" }), stamped({ type: "workspace.merged", head: "base0" }), stamped({ type: "workspace.conflicted", files: ["a.ts"] }),
  stamped({ type: "verify.done", report: report([]) }), stamped({ type: "verify.done", report: report(["test: a"]) }),
  { type: "alarm.lease" as const, at: now + 10 * leaseMs }, { type: "alarm.lease" as const, at: now + 20 * leaseMs },
  ...[leader, w1, w2].map((member) => stamped({ type: "member.ready" as const, member })),
  stamped({ type: "member.began", member: w1, mail: ["m1"] }),
  stamped({ type: "member.turn", member: w1, turns: 1, costUsd: 0.25, well: true, mail: ["m1"], messages: [{ to: "leader", text: "look" }] }), stamped({ type: "member.turn", member: w1, turns: 1, costUsd: 0.25, well: false, mail: ["m1"], messages: [] }),
  ...claimed({ type: "member.renew" }, claims.slice(0, 2)), ...claimed({ type: "member.evidence", commit: "work1", checks: "0/1 → 1/1", summary: "done" }, claims), ...claimed({ type: "member.evidence", commit: "", checks: "0/1 → 1/1", summary: "done" }, claims.slice(0, 1)),
  ...claimed({ type: "member.failed", reason: "too hard" }, claims.slice(0, 5)), ...claimed({ type: "member.declined" }, [claims[0], claims[2], claims[4], [leader, 0, 1]]),
  ...answers,
  ...[leader, w1].map((member) => stamped({ type: "member.died" as const, member, died: 1, reason: "it crashed" })),
  memberEnded(w1, "done"), memberEnded(w1, "exhausted", "crash"), memberEnded(w2, "done"), memberEnded(w2, "exhausted", "auth"), memberEnded(w3, "done"), memberEnded(leader, "done"), memberEnded(leader, "failed", "environment"), memberEnded(w1, "exhausted", "cap"), memberEnded(leader, "exhausted", "cap"),
  ...(["io", "environment"] as const).map((klass) => stamped({ type: "effect.failed" as const, kind: "workspace.merge" as const, class: klass, message: "it broke", mend: "mend it" })),
  stamped({ type: "member.ready", member: "worker-9" }),
  ...[1, 2].flatMap((n) => [
    ...([["done", null], ["exhausted", "stuck"], ["failed", "environment"], ["cancelled", null]] as const).map(([outcome, failure]) => ended(n, outcome, failure)), stamped({ type: "pipeline.paused" as const, attempt, leg: String(n) }),
  ]),
  ended(1, "done", null, { head: "", checks: null }),
] satisfies readonly TeamEvent[];

const alphabet: readonly TeamEvent[] = [
  ...results, stamped({ type: "member.asks", member: w1, question: "which one?" }), stamped({ type: "member.asks", member: w2, question: "and this?" }), stamped({ type: "answer", text: "the first" }), stamped({ type: "cancel" }), stamped({ type: "pause" }), stamped({ type: "resume" }), ...[1, 2].map((n) => stamped({ type: "pipeline.asks" as const, question: "what for?", leg: String(n) })),
  stamped({ type: "team.message", to: w1, text: "use tabs", id: "m1" }), stamped({ type: "team.message", to: "nobody", text: "hello?", id: "m2" }), stamped({ type: "team.add", adapter: "claude" }),
  stamped({ type: "team.remove", member: w1 }), stamped({ type: "team.remove", member: leader }), stamped({ type: "team.shutdown", force: false }), stamped({ type: "team.shutdown", force: true }),
];

const contextOf = (snapshot: AnyMachineSnapshot): TeamContext => snapshot.context;
const isEvent = (event: { readonly type: string }): event is TeamEvent => alphabet.some((each) => each === event);
// ---- What must become of each event, said as a function: the chart must agree with it in state, data and everything it asks for.

/** What the owner is told of the gates. */
const gates = (told: Told, shown: "nothing" | "work" | "review"): Told => {
  const { context: c } = told, met = (evidence: string) => ({ state: "met", evidence });
  const all = { implementationComplete: met(`commit ${c.head}: ${c.board.tasks.filter(({ state }) => state === "done").length} tasks done`), testsPassed: met(`before ${c.checks?.base}, now ${c.checks?.head}`), ...(shown === "review" ? { reviewPassed: met("approved by the team's leader") } : {}) };
  return asks(told, "tell", { to: owner, event: { type: "pipeline.gates", attempt, gates: shown === "nothing" ? {} : all } });
};

const drain = (given: Told, ending: NonNullable<TeamContext["ending"]>, why: Partial<Pick<TeamContext, "reason" | "failure" | "force">>): Told => over(left(given, ending, why));
const mayFix = (c: TeamContext): boolean => c.fixes < c.limits.maxFixes;

const fix = (given: Told, when: number, put: Do): Told => settled(does(gates(does({ ...given, path: "alive.fix", context: { ...given.context, fixes: given.context.fixes + 1 } }, put), "nothing"), carryOn(when)), when);

const leaderGone = (told: Told): Told => {
  const known = memberOf(told.context, leader);
  return told.path.startsWith("alive") && known && !isLiving(known) ? drain(told, known.failure === "cap" ? "exhausted" : "failed", { reason: `the leader is down: ${known.reason}`, failure: kindOf[known.failure ?? "crash"] }) : told;
};

// ---- The run that mends

const runAt = (n: number) => `ralph/${id}/${attempt}/leg${n}`;
const tellsRun = (given: Told, event: { readonly type: string } & Readonly<Record<string, unknown>>): Told => (given.context.run ? asks(given, "tell", { to: runAt(given.context.run.n), event }) : given);
const ralphs = (given: Told, title: string, details: string, since?: string): Told => {
  const context = { ...given.context, fixes: given.context.fixes + 1, run: { n: given.context.fixes + 1, paused: false } }, { policy: p, newFailures } = context, { coder, critic } = p.stages;
  const begun = asks({ ...given, path: "alive.mending", context }, "spawn", { address: runAt(context.fixes), chart: "ralph", input: {
    owner: `team/${id}/${attempt}`, item: context.item, attempt, lineage, failing: newFailures, policy: { ...p, stages: { coder, ...(critic === undefined ? {} : { critic }) } }, stories: [{ title, details }],
    leg: { n: String(context.fixes), round: 1, begin: "work", feedback: "", findings: [], session: { id: null, costUsd: 0 }, escalated: false, ...(since === undefined ? {} : { since }) },
  } });
  return leaderGone(gates(begun, "nothing"));
};
const byRalph = (c: TeamContext): boolean => c.limits.mending === "ralph";
const isOfRun = ({ run }: TeamContext, event: TeamEvent): boolean => run !== null && run !== undefined && (event.type === "pipeline.ended" ? event.leg?.n : event.type === "pipeline.asks" || event.type === "pipeline.paused" ? event.leg : undefined) === String(run.n);
/** What it leaves, whatever became of it. */
const runTaken = (given: Told, event: PipelineEnded): Told => ({ ...given, context: { ...given.context, run: null, costUsd: given.context.costUsd + 0.25, head: event.head || given.context.head, checks: event.checks ?? given.context.checks, warnings: [...new Set([...given.context.warnings, "a warning"])] } });
const runOver = (given: Told, event: PipelineEnded): Told => {
  const taken = runTaken(given, event);
  if (event.outcome === "cancelled") return drain(taken, "cancelled", { reason: "cancelled", failure: null, force: true });
  return drain(taken, event.outcome === "exhausted" ? "exhausted" : "failed", { failure: event.failure ?? "work", reason: `what mended the whole ended: ${event.reason}` });
};
const checkAll = (given: Told): Told => leaderGone(asks({ ...given, path: "alive.verify.checks", context: { ...given.context, checking: true } }, "effect", { kind: "verify", repository: item.repository, base: workspace.base, head: given.context.head }));

/** Everybody gives back what they hold; once nobody works the owner is told. */
const hold = (given: Told, when: number): Told => quiet(does({ ...given, path: "alive.pausing" }, (c) => {
  const back: work.Step["asked"] = c.board.tasks.flatMap((task) => (task.state === "claimed" ? [work.say(c, task.owner ?? "", { type: "member.revoked", task: task.id, token: task.fence })] : []));
  return { context: { ...c, held: true, duty: null, asking: [], members: c.members.map((each) => ({ ...each, question: null })) }, asked: c.duty?.given ? [...back, work.say(c, leader, { type: "member.revoked", task: 0, token: c.duty.token })] : back };
}, carryOn(when)));
const quiet = (told: Told): Told => {
  const { context: c, path } = told;
  const busy = c.members.some(({ state }) => ["working", "asking", "merging", "draining"].includes(state)) || c.merging !== null || c.checking || (c.run && !c.run.paused);
  return leaderGone(path !== "alive.pausing" || busy ? told : asks({ ...told, path: "alive.paused" }, "tell", { to: owner, event: { type: "pipeline.paused", attempt } }));
};

/** Where it was. */
const goOn = (given: Told, when: number): Told => {
  const back: Told = { ...given, context: { ...given.context, held: false } }, { planned, board, fixes, run } = back.context;
  if (run) return leaderGone(gates(tellsRun({ ...back, path: "alive.mending", context: { ...back.context, run: { ...run, paused: false } } }, { type: "resume" }), "nothing"));
  if (planned.length === 0) return leaderGone(does({ ...back, path: "alive.plan.asking" }, (c) => work.dutyPut(c, "plan"), carryOn(when)));
  if (board.tasks.length === 0) return prd(back, when);
  return fixes > 0 ? settled(does(gates({ ...back, path: "alive.fix" }, "nothing"), carryOn(when)), when) : exec(back, when);
};

/** What follows by itself. */
const settled = (told: Told, when: number): Told => {
  const { path, context: c } = told;
  if (path === "alive.pausing") return quiet(told);
  if (path !== "alive.exec" && path !== "alive.fix") return leaderGone(told);
  const tasks = c.board.tasks, isQuiet = tasks.length > 0 && unfinished(c.board).length === 0, allDone = isQuiet && givenUp(c.board).length === 0;
  if (allDone && c.head === workspace.base) return drain(told, "failed", { reason: "every task is done, and nothing in the repository changed", failure: "work" });
  if (allDone) return checkAll(told);
  if (isQuiet && mayFix(c)) return fix(told, when, work.failedPutAgain);
  if (isQuiet) return drain(told, "exhausted", { failure: "cap", reason: givenUpSays(c) });
  const nobody = nobodyLeft(c);
  if (nobody) return drain(told, nobody.failure === "work" ? "exhausted" : "failed", nobody);
  return leaderGone(told);
};

const exec = (given: Told, when: number): Told => settled(does({ ...given, path: "alive.exec" }, work.boardPut, carryOn(when)), when);
const prd = (given: Told, when: number): Told => {
  const asks = given.context.spec.tasks.length === 0 && given.context.planned.some(({ acceptance }) => acceptance.length === 0);
  return asks ? leaderGone(does({ ...given, path: "alive.prd.asking" }, (c) => work.dutyPut(c, "criteria"), carryOn(when))) : exec(does(given, noted(when, "no criteria were asked for: the tasks have them, or were given as they are")), when);
};

const answeredBy = (given: Told, event: Extract<TeamEvent, { type: "member.answered" }>): Told => {
  const { path, context: c } = given, { duty } = c, when = event.at;
  if (!duty || !duty.given || duty.token !== event.token) return given;
  const again = (why: string): Told => does(given, (context) => work.dutyPutAgain(context, why), carryOn(when));
  const taken = (context: TeamContext): TeamContext => ({ ...work.dutyDone(context), summary: event.text });
  switch (path) {
    case "alive.plan.asking": {
      const outcome = event.plan && boardOf(event.plan.tasks);
      if (event.plan && outcome?.ok) { const { tasks } = event.plan; return prd(does(given, (context) => ({ ...work.dutyDone(context), planned: tasks }), noted(when, "the leader gave a plan")), when); }
      const why = outcome && !outcome.ok ? `your last plan cannot be followed: ${refusalText(outcome.refusal)}` : "your last answer carried no valid plan";
      return duty.asked < 2 ? again(why) : drain(given, "failed", { failure: "work", reason: `the leader gave no usable plan: ${why}` });
    }
    case "alive.prd.asking": {
      const fits = event.criteria !== null && event.criteria.criteria.every(({ task }) => task <= c.planned.length);
      if (!fits && duty.asked < 2) return again(event.criteria ? "your last criteria name tasks that are not there" : "your last answer carried no valid criteria");
      const put: Do = (context) => ({ ...work.dutyDone(context), planned: context.planned.map((task, n) => ({ ...task, acceptance: event.criteria?.criteria.find((each) => each.task === n + 1)?.acceptance ?? task.acceptance })) });
      return exec(does(given, put, noted(when, fits ? "the leader gave acceptance criteria" : "the leader gave no usable criteria; the tasks stand as they are")), when);
    }
    case "alive.verify.verdict":
      switch (event.verdict?.decision) {
        case "approve": return drain(gates(does(given, taken), "review"), "done", {});
        case "reject": return drain(does(given, taken), "failed", { failure: "rejected", reason: "rejected in review: not wanted" });
        case "revise": return mayFix(c) && byRalph(c) ? ralphs(does(given, taken), "Do what the review asks", "not yet\n- major: the empty list (a.ts:3)", c.head) : mayFix(c) ? fix(does(given, taken), when, (context) => work.reviewPut(context, event.verdict?.feedback ?? "", event.verdict?.findings ?? [])) : drain(does(given, taken), "exhausted", { failure: "cap", reason: "the review still asks for changes: not yet" });
        case undefined: return duty.asked < 2 ? again("your last answer carried no valid verdict") : drain(given, "failed", { failure: "work", reason: "the leader gave no valid verdict, twice" });
      }
      // falls through
    default: return given;
  }
};

const alive = (given: Told, event: TeamEvent): Told => {
  const { context: c, path } = given, when = event.at, on = carryOn(when);
  const then = (...list: readonly Do[]): Told => settled(does(given, ...list), when);
  if (isStrangers(c, event)) return given;
  if (path === "alive.mending" && event.type === "answer") return tellsRun(given, { type: "answer", text: "the first" });
  const news = heard(c, event);
  if (news) return news.length === 0 ? given : then(...news);
  switch (event.type) {
    case "pipeline.asks": return path === "alive.mending" && isOfRun(c, event) ? asks(given, "tell", { to: owner, event: { type: "pipeline.asks", question: "what for?" } }) : given;
    case "pipeline.paused": return path === "alive.pausing" && isOfRun(c, event) && c.run ? quiet({ ...given, context: { ...c, run: { ...c.run, paused: true } } }) : given;
    case "pipeline.ended": return (path !== "alive.mending" && path !== "alive.pausing") || !isOfRun(c, event) ? given : event.outcome !== "done" ? runOver(given, event) : path === "alive.mending" ? checkAll(runTaken(given, event)) : quiet(runTaken(given, event));
    case "member.answered": return answeredBy(given, event);
    case "team.add": return then((context) => work.added(context, event));
    case "team.remove": {
      const known = memberOf(c, event.member), others = workersOf(c).filter((each) => isLiving(each) && each.state !== "draining");
      return known && known.role === "worker" && others.includes(known) && others.length > 1 ? then((context) => work.removed(context, event)) : then(noted(when, "nobody was removed: only a worker that is not the last one can be"));
    }
    case "team.shutdown": {
      const open = unfinished(c.board);
      if (event.force) return drain(given, "cancelled", { reason: "shut down", force: true });
      if (open.length > 0) return then(noted(when, `the shutdown was refused: open are ${open.slice(0, 10).map((task) => `task ${task.id} (${task.title})`).join(", ")}`));
      return drain(given, c.board.tasks.length > 0 && givenUp(c.board).length === 0 ? "done" : "cancelled", { reason: "shut down", force: false });
    }
    case "pause": return path === "alive.pausing" || path === "alive.paused" ? given : hold(path === "alive.mending" ? tellsRun(given, { type: "pause" }) : given, when);
    case "resume": return path === "alive.paused" ? goOn(given, when) : given;
    case "cancel": return drain(given, "cancelled", { reason: "cancelled", failure: null, force: true });
    case "effect.failed": return drain({ ...given, context: { ...c, merging: null, checking: false } }, "failed", trouble(event));
    case "verify.done": {
      if (path === "alive.pausing") return quiet({ ...given, context: { ...c, checking: false } });
      if (path !== "alive.verify.checks") return given;
      const wrong = event.report.newFailures, seen: TeamContext = { ...c, checking: false, checks: { base: "0/1", head: wrong.length > 0 ? "0/1" : "1/1" }, newFailures: wrong, warnings: [...new Set([...c.warnings, ...event.report.warnings])] };
      if (wrong.length === 0) return leaderGone(does(gates({ ...given, path: "alive.verify.verdict", context: seen }, "work"), (context) => work.dutyPut(context, "verdict"), on));
      if (mayFix(c) && byRalph(c)) return ralphs({ ...given, context: seen }, "Mend the checks", "The project's checks fail on the team's branch and did not before:\n- test: a");
      return mayFix(c) ? fix({ ...given, context: seen }, when, work.checksPut) : drain({ ...given, context: seen }, "exhausted", { failure: "cap", reason: `${c.fixes} of ${c.limits.maxFixes} fixes used; the checks still fail: ${wrong.join("; ")}` });
    }
    default: return given;
  }
};
const trouble = (event: Extract<TeamEvent, { type: "effect.failed" }>): Pick<TeamContext, "reason" | "failure"> => ({ reason: "it broke (mend it)", failure: event.class === "environment" ? "environment" : "infra" });

const draining = (given: Told, event: TeamEvent): Told => {
  const { context: c } = given, still: Do = (context) => ({ ...context, merging: null, checking: false });
  if (isStrangers(c, event)) return given;
  switch (event.type) {
    case "member.turn": return over(does(given, (context) => work.turned(context, event)));
    case "member.ended": return over(does(given, (context) => work.leftTeam(context, event)));
    case "workspace.merged": return c.merging === null ? given : over(does(given, (context) => work.mergeTaken(context, event)));
    case "workspace.conflicted": case "verify.done": case "effect.failed": return over(does(given, still));
    case "pipeline.ended": return isOfRun(c, event) ? over(runTaken(given, event)) : given;
    case "cancel": return over(does({ ...given, context: { ...c, reason: "cancelled", failure: null, force: true, ending: "cancelled", asking: [], duty: null } }, work.dismissed));
    case "team.shutdown": return event.force ? over(does({ ...given, context: { ...c, force: true } }, work.dismissed)) : given;
    default: return given;
  }
};

const begin = (given: Told, event: TeamEvent): Told => {
  const { path } = given;
  const none: Partial<TeamContext> = { ending: "cancelled", asking: [], duty: null };
  switch (event.type) {
    case "workspace.ready": return path === "preparing.worktree" ? asks({ ...given, path: "preparing.branch", context: { ...given.context, workspace } }, "effect", { kind: "workspace.commit", item: id, workspace, message: `${id}: what was left in the worktree` }) : given;
    case "workspace.committed": {
      if (path !== "preparing.branch") return given;
      const gathered = does({ ...given, context: { ...given.context, head: event.head } }, (c) => work.gather(c, event.at));
      if (gathered.context.held) return hold(gathered, event.at);
      return gathered.context.planned.length > 0 ? prd(does(gathered, noted(event.at, "no plan was asked for: the tasks were given")), event.at) : leaderGone(does({ ...gathered, path: "alive.plan.asking" }, (c) => work.dutyPut(c, "plan"), carryOn(event.at)));
    }
    case "effect.failed": return drain({ ...given, context: { ...given.context, merging: null, checking: false } }, "failed", trouble(event));
    case "pause": return { ...given, context: { ...given.context, held: true } };
    case "resume": return { ...given, context: { ...given.context, held: false } };
    case "cancel": return { ...given, path: "stopping", context: { ...given.context, reason: "cancelled", failure: null, force: true, ...none } };
    case "team.shutdown": return { ...given, path: "stopping", context: { ...given.context, reason: "shut down", force: event.force, ...none } };
    default: return given;
  }
};
const stopping = (given: Told, event: TeamEvent): Told => {
  if (!["workspace.ready", "workspace.committed", "effect.failed"].includes(event.type)) return given;
  const taken: TeamContext = event.type === "workspace.ready" ? { ...given.context, workspace } : given.context;
  // Nobody was called yet: the end is at once.
  return over({ ...given, path: "draining", context: work.boardClosed(taken), asked: [{ type: "alarm", params: { name: "lease", at: null } }] });
};

const oracle = (e: Pick<Edge, "from" | "event">): Told => {
  const given: Told = { path: pathOf(e.from.value), context: contextOf(e.from), asked: [] };
  if (e.from.status !== "active" || !isEvent(e.event)) return given;
  const [top] = given.path.split(".");
  return top === "preparing" ? begin(given, e.event) : top === "stopping" ? stopping(given, e.event) : top === "draining" ? draining(given, e.event) : alive(given, e.event);
};

let last: { readonly edge: Edge; readonly must: Told } | undefined;
const mustOf = (edge: Edge): Told => {
  if (!last || last.edge.from !== edge.from || last.edge.event !== edge.event) last = { edge, must: oracle(edge) };
  return last.must;
};

const commits = (e: Edge) => asked(e, "workspace.merge");

/** A member of that name lives; a name that is nobody's counts as the first one's. */
const lives = (context: TeamContext, name: string): boolean => {
  const member = memberOf(context, name) ?? context.members[0];
  return member !== undefined && isLiving(member);
};

export const exploration: Exploration = {
  inputs: [
    { name: "two tasks in a row, one worker", input: input([planned("a"), planned("b", 1)], 1) },
    { name: "the leader plans", input: input([], 1, {}, true) },
    { name: "one task, two workers, two attempts", input: input([planned("a")], 2, { taskAttempts: 2 }) },
    { name: "one task, a run of ralph mends, twice", input: input([planned("a")], 1, { maxFixes: 2, mending: "ralph" }) },
    { name: "one task, two fixes", input: input([planned("a")], 1, { maxFixes: 2 }) },
  ],
  events: [...alphabet],
  unattended: [...results],
  abstraction: (snapshot) => {
    const c = contextOf(snapshot);
    if (snapshot.status !== "active") return { failure: c.failure };
    // Who has not asked yet, or not again, waits to be asked for: it makes no difference why.
    const living = c.members.map(({ state, task }) => [state === "down" ? "gone" : state === "waiting" ? "starting" : state, task]);
    if (snapshot.matches("preparing")) return { held: c.held === true };
    if (snapshot.matches("draining")) return { living: Math.min(3, c.members.filter(isLiving).length), busy: c.merging !== null || c.checking, ending: c.ending, force: c.force, run: c.run ?? null };
    // What a member does next was explored where it began to.
    if (c.held) return { living: Math.min(3, c.members.filter(isLiving).length), leader: lives(c, leader), busy: c.members.some(({ state }) => ["working", "asking", "merging", "draining"].includes(state)), planned: c.planned.length > 0, over: [c.board.tasks.length, givenUp(c.board).length > 0], open: unfinished(c.board).length, queue: c.queue.length, merging: c.merging !== null, checking: c.checking, fixes: c.fixes, run: c.run ?? null };
    const board = c.board.tasks.flatMap((task) => (isOver(task) ? [] : [[task.id, task.state, task.attempts, task.doubted, ownerOf(c, task.id)]]));
    // Comings, goings and questions are explored where they happen, not in every combination with all that may happen afterwards.
    if (c.members.length > c.spec.workers + 1 || c.asking.length > 0 || c.members.some(({ state }) => state === "draining")) return { living: Math.min(3, c.members.filter(isLiving).length), asking: c.asking, open: board.length > 0, duty: c.duty?.kind, merging: c.merging !== null, run: c.run ?? null };
    return {
      living, board, over: [c.board.tasks.length, givenUp(c.board).length > 0], moved: c.head !== workspace.base, queue: c.queue.length, merging: c.merging, checking: c.checking, run: c.run ?? null, duty: c.duty && [c.duty.kind, c.duty.asked, c.duty.given], fixes: c.fixes,
      mail: c.members[0]?.state === "starting" && c.board.tasks.length === 1 && c.spec.workers === 1 ? c.mailbox.letters.filter((letter) => letter.id === "m1").map(({ state }) => state) : null,
    };
  },
  restStates: ["alive.paused", "done", "failed", "cancelled", "exhausted"],
  states: [
    { name: "I1 at most one merge is under way, of a task whose evidence was taken, with a worker that brought it", holds: (s) => { const c = contextOf(s), task = c.board.tasks.find((each) => each.id === c.merging); return c.merging === null || (task !== undefined && task.evidence !== null && (task.state === "merging" || at(s, "draining"))); } },
    { name: "nobody has two tasks, and who has none holds none", holds: (s) => { const c = contextOf(s), owners = c.board.tasks.filter(({ state }) => state === "claimed").map((task) => task.owner); return new Set(owners).size === owners.length && owners.every((name) => { const known = memberOf(c, name ?? ""); return known !== undefined && isLiving(known) && known.role === "worker"; }); } },
    { name: "I2 fixes keep to their cap; in `fix` there was one", holds: (s) => contextOf(s).fixes <= contextOf(s).limits.maxFixes && (!s.matches({ alive: "fix" }) || contextOf(s).fixes > 0) },
    { name: "I3 done means that every task is done and the checks have no new failures", holds: (s) => !at(s, "done") || (contextOf(s).board.tasks.length > 0 && unfinished(contextOf(s).board).length === 0 && givenUp(contextOf(s).board).length === 0 && contextOf(s).newFailures.length === 0 && contextOf(s).head !== workspace.base) },
    { name: "I4 nothing ends while a member lives or something is under way", holds: (s) => s.status === "active" || (!contextOf(s).members.some(isLiving) && contextOf(s).merging === null && !contextOf(s).checking && contextOf(s).run === null) },
    { name: "a run that mends is there exactly in its phase, and where it is awaited or paused", holds: (s) => { const { run } = contextOf(s); return s.matches({ alive: "mending" }) ? run !== null && run !== undefined && !run.paused : !at(s, "alive") || run === null || s.matches({ alive: "pausing" }) || (s.matches({ alive: "paused" }) && run?.paused === true); } },
    { name: "every end but done says why, and failed and exhausted what kind of trouble", holds: (s) => s.status === "active" || (at(s, "done") ? contextOf(s).reason === "" && contextOf(s).failure === null : contextOf(s).reason !== "" && at(s, "failed", "exhausted") === (contextOf(s).failure !== null)) },
    { name: "I9 in a pause nobody holds anything, and nothing is under way", holds: (s) => !s.matches({ alive: "paused" }) || (contextOf(s).board.tasks.every(({ state }) => state !== "claimed") && contextOf(s).duty === null && contextOf(s).merging === null && !contextOf(s).checking && contextOf(s).asking.length === 0 && contextOf(s).lapse === null) },
    { name: "I8 a team at work has a leader", holds: (s) => !at(s, "alive") || lives(contextOf(s), leader) },
    { name: "verifying and its verdict come after the work only", holds: (s) => !s.matches({ alive: "verify" }) || (unfinished(contextOf(s).board).length === 0 && givenUp(contextOf(s).board).length === 0 && contextOf(s).head !== workspace.base) },
    { name: "a lease is watched exactly while there is one, and no pause", holds: (s) => !at(s, "alive") || (contextOf(s).lapse !== null) === (contextOf(s).held !== true && contextOf(s).board.tasks.some(({ state, leaseUntil }) => state === "claimed" && leaseUntil !== null)) },
  ],
  first: [{ name: "the first step asks for the team's worktree, and nothing else", holds: (first) => first.to.matches({ preparing: "worktree" }) && first.actions.length === 1 && same(asked(first, "workspace.prepare"), [{ kind: "workspace.prepare", item: id, attempt: lineage, repository: item.repository, baseRef: policy.baseRef }]) }],
  edges: [
    { name: "each event leads where it must", holds: (e) => pathOf(e.to.value) === mustOf(e).path },
    { name: "each event changes what it must, and nothing else", holds: (e) => sameContext(contextOf(e.to), mustOf(e).context) },
    { name: "each event asks for what it must, in that order, and nothing else", holds: (e) => same(e.actions.map(({ type, params }) => [type, params]), mustOf(e).asked.map(({ type, params }) => [type, params])) },
    { name: "members are called once: a leader and as many workers as asked for, then one at a time", holds: (e) => { const made = spawned(e, "member"), c = contextOf(e.to); return made.length === c.members.length - contextOf(e.from).members.length && (made.length === 0 || contextOf(e.from).members.length > 0 ? made.length <= 1 : made.length === c.spec.workers + 1) && made.every(({ address, input: i }) => address === memberAddress(id, attempt, String(i["name"])) && i["base"] === workspace.base); } },
    { name: "I1 work reaches the branch only by evidence under a valid claim", holds: (e) => commits(e).every((merge) => contextOf(e.to).board.tasks.some((task) => task.state === "merging" && task.evidence?.commit === merge["commit"] && contextOf(e.to).merging === task.id)) && implies(contextOf(e.to).head !== contextOf(e.from).head, () => e.event.type === "workspace.merged" || e.event.type === "workspace.committed" || e.event.type === "pipeline.ended") },
    { name: "a claim that is of the past changes no task", holds: (e) => {
      const event = isEvent(e.event) ? e.event : undefined, { board } = contextOf(e.from);
      if (event?.type !== "member.evidence" && event?.type !== "member.failed" && event?.type !== "member.declined") return true;
      const task = board.tasks.find((each) => each.id === event.task);
      const valid = task?.state === "claimed" && task.fence === event.token && task.owner === event.member;
      return valid || event.task === 0 || same(contextOf(e.to).board, board);
    } },
    { name: "a grant is a claim of that member, or the leader's one duty", holds: (e) => told(e, "member.granted").every(({ to, event }) => {
      const grant = event["grant"] as { readonly task: number; readonly token: number; readonly head: string }, c = contextOf(e.to), task = c.board.tasks.find((each) => each.id === grant.task);
      return grant.head === c.head && (grant.task === 0 ? to === memberAddress(id, attempt, leader) && c.duty?.token === grant.token && c.duty.given : task?.fence === grant.token && task.state === "claimed" && to === memberAddress(id, attempt, task.owner ?? ""));
    }) },
    { name: "I5 the leader hears of every death", holds: (e) => { const event = isEvent(e.event) ? e.event : undefined; return event?.type !== "member.died" || event.member === leader || !at(e.from, "alive") || !lives(contextOf(e.from), event.member) || told(e, "member.mail").some(({ to, event: mail }) => to === memberAddress(id, attempt, leader) && JSON.stringify(mail).includes(`${event.member} died`)); } },
    { name: "I6 open tasks are not shut down without force", holds: (e) => { const event = isEvent(e.event) ? e.event : undefined; return event?.type !== "team.shutdown" || event.force || !at(e.from, "alive") || unfinished(contextOf(e.from).board).length === 0 || at(e.to, "alive"); } },
    { name: "I2 a fix counts exactly on entering `fix` or `mending`", holds: (e) => contextOf(e.to).fixes >= contextOf(e.from).fixes && implies(contextOf(e.to).fixes > contextOf(e.from).fixes, () => e.to.matches({ alive: "fix" }) || e.to.matches({ alive: "mending" }) || at(e.to, "draining", "exhausted", "failed")) },
    { name: "the owner hears the end once, and nothing after it", holds: (e) => told(e, "pipeline.ended").length === (e.from.status === "active" && e.to.status !== "active" ? 1 : 0) && (e.from.status === "active" || ignored(e)) },
  ],
};
