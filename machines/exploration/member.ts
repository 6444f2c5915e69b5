import type { AnyMachineSnapshot } from "xstate";
import { type AgentFailure, infraKinds, type TurnOutcome } from "../../src/domain/agent.ts";
import { emptyBrief } from "../../src/domain/effects.ts";
import { RunId, teamAddress } from "../../src/domain/ids.ts";
import { backoffMs } from "../../src/domain/policy.ts";
import { addCost, noCost } from "../../src/domain/spend.ts";
import type { TurnPlace } from "../../src/domain/routing.ts";
import type { Verdict } from "../../src/domain/verdict.ts";
import type { Edge, Exploration } from "../catalog.ts";
import type { Grant, MemberContext, MemberEvent, MemberInput } from "../member-context.ts";
import { spendAddress } from "../spend.ts";
import { charge, id, item, policy, report, workspace } from "./fixtures.ts";
import { alarm, asked, at, ignored, implies, now, same, stamped, told, when } from "./reading.ts";

const team = teamAddress(id, 1), leaseMs = 90_000, withinMs = 600_000;
const input = (role: MemberInput["role"], caps: { readonly iterations: number; readonly infra: number; readonly refused: number; readonly deaths: number }): MemberInput => ({
  team, teamName: "alpha", name: role === "leader" ? "leader" : "worker-1", role, item: { id, title: item.title, body: item.body, kind: item.kind }, attempt: 1, lineage: 1, repository: item.repository, adapter: "scripted", model: "small", timeoutMs: 60_000, playbook: null,
  base: "base0", leaseMs, screen: false, restarts: { max: caps.deaths, withinMs }, policy: { maxIterations: caps.iterations, infraRetries: caps.infra, refusedRetries: caps.refused, retryBaseMs: 1_000, retryMaxMs: 60_000, stallMs: 600_000 },
});

const task = (n: number, kind: "work" | "conflict") => ({ id: n, kind, title: `task ${n}`, description: "do it", acceptance: ["it is done"] });
const base = { head: "team1", attempt: 1, conflict: null, checks: "before 0/1, now 1/1", again: "" };
const work = (n: number, token: number, more: Partial<Grant> = {}): Grant => ({ ...base, task: n, token, duty: "work", brief: { task: task(n, "work"), board: [], others: ["leader"] }, ...more });
const grants = {
  first: work(1, 1), again: work(1, 5, { attempt: 4, head: "team3" }), conflict: work(3, 1, { conflict: { task: 1, commit: "work1" }, brief: { task: task(3, "conflict"), board: [], others: ["leader"] } }),
  duty: { ...base, task: 0, token: 1, duty: "verdict", brief: { task: null, board: [], others: ["worker-1"] } } satisfies Grant,
};
const granted = Object.values(grants).map((grant) => stamped({ type: "member.granted" as const, grant }));
const about = (type: "member.revoked" | "member.settled" | "member.life") => Object.values(grants).map(({ task: n, token }) => stamped({ type, task: n, token }));

const message = "it said so", named = now + 10 * policy.retryMaxMs;
const verdict: Verdict = { decision: "approve", feedback: "", findings: [] };
const turn = (ended: TurnOutcome["ended"], more: Partial<TurnOutcome> = {}) => {
  const outcome: TurnOutcome = { runId: RunId.parse("run-1"), ended, sessionId: null, sessionCostUsd: 0.75, costUsd: 0.25, usage: { inputTokens: 1, outputTokens: 1, cachedTokens: 0 }, verdict: null, audit: null, permissionDenials: [], swept: 0, ...more };
  return stamped({ type: "turn.ended", outcome });
};
const failed = (failure: AgentFailure) => turn({ how: "failed", failure });
const trouble = (kind: "turn" | "verify" | "workspace.commit" | "turn.cancel", klass: "io" | "environment" | "refused") => stamped({ type: "effect.failed" as const, kind, class: klass, message: "it broke", ...(klass === "environment" ? { mend: "mend it" } : {}) });

/** Another took over, where there is no place yet. */
const place: TurnPlace = { adapter: "claude", model: null, waits: true };

const results = [
  stamped({ type: "workspace.ready", workspace }),
  stamped({ type: "workspace.synced", head: "team1", conflicts: [] }), stamped({ type: "workspace.synced", head: "team1", conflicts: ["a.ts"] }),
  stamped({ type: "workspace.committed", head: "work1" }), stamped({ type: "workspace.committed", head: "team1" }), stamped({ type: "workspace.committed", head: "work3", unresolved: ["a.ts"] }), stamped({ type: "workspace.committed", head: "work3", dropped: ["b.ts"] }),
  stamped({ type: "workspace.checkpointed", ref: "refs/enact/checkpoints/LOC-7/1" }), stamped({ type: "workspace.removed" }),
  stamped({ type: "verify.done", report: report([]) }), stamped({ type: "verify.done", report: report(["test: a"]) }),
  turn({ how: "completed", text: "finished" }, { sessionId: "session-1", spend: charge, messages: [{ to: "leader", text: "look" }], verdict, plan: { tasks: [{ title: "a", description: "", acceptance: [], dependsOn: [] }] } }), turn({ how: "question", text: "which one?" }), turn({ how: "cancelled" }),
  failed({ kind: "rateLimited", until: named, message }), failed({ kind: "network", message }), failed({ kind: "crashed", exitCode: 1, signal: null, message }), failed({ kind: "badSession", message }), failed({ kind: "contextFull", message }), failed({ kind: "stalled", afterMs: 1_000 }),
  failed({ kind: "capReached", cap: "dayUsd", spent: 10, limit: 10, message }), failed({ kind: "auth", message }), failed({ kind: "model", message }), failed({ kind: "interrupted" }),
  // Long after what happened before: that no longer counts.
  { ...failed({ kind: "noResult", message }), at: now + 10 * withinMs },
  stamped({ type: "turn.cancel.sent" }), stamped({ type: "turn.placed", tryNumber: 1, place }), stamped({ type: "turn.alive" }), stamped({ type: "alarm.renew" }), stamped({ type: "alarm.retry" }),
  trouble("turn", "io"), trouble("verify", "environment"), trouble("workspace.commit", "refused"), trouble("turn.cancel", "io"),
  ...granted, ...about("member.revoked"), ...about("member.settled"), ...about("member.life"),
] satisfies readonly MemberEvent[];

const alphabet: readonly MemberEvent[] = [
  ...results, stamped({ type: "member.mail", mail: { id: "m1", from: "you", text: "use tabs" } }), stamped({ type: "answer", text: "the first" }),
  stamped({ type: "member.stop", force: false, tidy: true }), stamped({ type: "member.stop", force: false, tidy: false }), stamped({ type: "member.stop", force: true, tidy: false }),
];

/** Waited for within the cap of its kind. */
const isWaitedFor = (from: MemberContext, failure: AgentFailure): boolean =>
  failure.kind === "rateLimited" ? (from.refused ?? 0) < (from.policy.refusedRetries ?? 0) : from.infraFailures - (from.refused ?? 0) < from.policy.infraRetries;

const contextOf = (snapshot: AnyMachineSnapshot): MemberContext => snapshot.context;
const isEvent = (event: { readonly type: string }): event is MemberEvent => alphabet.some((each) => each === event);

interface Reading { readonly state: string; readonly from: MemberContext; readonly to: MemberContext; readonly event: MemberEvent | undefined; readonly outcome: TurnOutcome | undefined; readonly failure: AgentFailure | undefined }
/** Every invariant looks at the same step. */
let lastRead: { readonly edge: Pick<Edge, "from" | "event" | "to">; readonly reading: Reading } | undefined;
const read = (edge: Edge): Reading => {
  if (lastRead && lastRead.edge.from === edge.from && lastRead.edge.event === edge.event && lastRead.edge.to === edge.to) return lastRead.reading;
  const reading = readAnew(edge);
  lastRead = { edge, reading };
  return reading;
};
const readAnew = (edge: Edge): Reading => {
  const event = isEvent(edge.event) ? edge.event : undefined, outcome = event?.type === "turn.ended" ? event.outcome : undefined;
  return { state: String(edge.from.value), from: contextOf(edge.from), to: contextOf(edge.to), event, outcome, failure: outcome?.ended.how === "failed" ? outcome.ended.failure : undefined };
};

const isNew = (from: MemberContext, { task: n, token }: Grant): boolean => token > (from.seen[n] ?? 0);
const takes = (from: MemberContext, grant: Grant): boolean => isNew(from, grant) && (grant.duty === "work") === (from.role === "worker");

type Next = { readonly to: string; readonly says?: "failed" | "answered" };
/** Leaving is two looks: is there anything to keep, and may it go? */
const leaving = (c: MemberContext, ending: MemberContext["ending"], tidy = c.tidy): string => (c.workspace === null ? (ending ?? "done") : tidy && ending === "done" ? "tidying" : "saving");

let lastSpec: { readonly reading: Reading; readonly next: Next | undefined } | undefined;
const spec = (e: Edge): Next | undefined => {
  const reading = read(e);
  if (lastSpec?.reading !== reading) lastSpec = { reading, next: specAnew(e) };
  return lastSpec.next;
};
const specAnew = (e: Edge): Next | undefined => {
  const { state, from, to, event, outcome, failure } = read(e);
  if (!event || e.from.status !== "active") return undefined;
  /** Nothing under way any more, possibly for good. */
  const rest = (ending: MemberContext["ending"] = null, stopping = from.stopping): Next => {
    if (ending !== null) return { to: leaving(from, ending) };
    return stopping === "no" ? { to: "idle" } : { to: leaving(from, stopping === "force" ? "cancelled" : "done", to.tidy) };
  };
  const death = (): Next => (from.deaths.filter((time) => event.at - time < from.restarts.withinMs).length + 1 > from.restarts.max ? rest("exhausted") : { to: "restarting" });
  const moot = from.revoked || from.stopping === "force", mayIterate = from.iteration < from.policy.maxIterations && from.stopping === "no";
  const isCurrent = "task" in event && from.grant !== null && event.task === from.grant.task && event.token === from.grant.token;
  const stopped = event.type === "member.stop" ? (event.force || from.stopping === "force" ? "force" as const : "drain" as const) : from.stopping;
  if (event.type === "member.stop") {
    if (["idle", "waiting", "asking", "merging", "restarting"].includes(state)) return rest(null, stopped);
    return state === "working" && event.force ? { to: "cancelling" } : undefined;
  }
  if (event.type === "member.revoked" && isCurrent) return state === "working" ? { to: "cancelling" } : ["waiting", "asking", "merging"].includes(state) ? rest() : undefined;
  const broke = event.type === "effect.failed" ? event.class : undefined;
  switch (state) {
    case "preparing": return event.type === "workspace.ready" ? (from.stopping === "no" ? { to: "idle" } : { to: to.tidy && from.stopping === "drain" ? "tidying" : "saving" }) : broke ? rest("failed") : undefined;
    case "idle": return event.type === "member.granted" && takes(from, event.grant) ? { to: "syncing" } : undefined;
    case "syncing":
      if (event.type === "workspace.synced") return moot || from.stopping !== "no" ? rest() : { to: "working" };
      return broke ? (moot ? rest() : broke === "environment" ? rest("failed") : broke === "refused" ? { ...rest(), says: "failed" } : death()) : undefined;
    case "working":
      if (broke) return broke === "environment" ? rest("failed") : death();
      if (!outcome) return undefined;
      if (outcome.ended.how === "completed") return from.role === "leader" ? { ...rest(), says: "answered" } : { to: "committing" };
      if (outcome.ended.how === "question") return from.stopping === "no" ? { to: "asking" } : rest();
      if (from.stopping !== "no") return rest();
      if (failure?.kind === "interrupted") return { to: "working" };
      if (failure?.kind === "capReached") return rest("exhausted");
      if (failure && infraKinds.has(failure.kind)) return isWaitedFor(from, failure) ? { to: "waiting" } : rest("exhausted");
      return failure?.kind === "auth" || failure?.kind === "model" ? rest("failed") : death();
    case "cancelling": return outcome || event.type === "turn.cancel.sent" || (event.type === "effect.failed" && event.kind === "turn") ? rest() : undefined;
    case "waiting": return event.type === "alarm.retry" ? { to: "working" } : undefined;
    case "asking": return event.type === "answer" ? { to: "working" } : undefined;
    case "committing": {
      if (broke) return moot ? rest() : broke === "environment" ? rest("failed") : broke === "refused" ? { ...rest(), says: "failed" } : death();
      if (event.type !== "workspace.committed") return undefined;
      if (moot) return rest();
      if (event.unresolved || event.dropped) return mayIterate ? { to: "working" } : { ...rest(), says: "failed" };
      return event.head === from.grant?.head && from.iteration === 1 && mayIterate ? { to: "working" } : { to: "checking" };
    }
    case "checking":
      if (broke) return moot ? rest() : broke === "environment" ? rest("failed") : death();
      if (event.type !== "verify.done") return undefined;
      return moot ? rest() : event.report.newFailures.length === 0 ? { to: "merging" } : mayIterate ? { to: "working" } : { ...rest(), says: "failed" };
    case "merging": return event.type === "member.settled" && isCurrent ? rest() : undefined;
    case "restarting": return event.type === "alarm.retry" ? rest() : undefined;
    case "saving": return event.type === "workspace.checkpointed" || broke ? { to: from.ending ?? "?" } : undefined;
    case "tidying": return event.type === "workspace.removed" || broke ? { to: from.ending ?? "?" } : undefined;
    default: return undefined;
  }
};

/** What changes nothing but what it says: mail, life, renewals, stops and revocations while busy, grants that are declined. */
const staysBy = (e: Edge): boolean => { const { event } = read(e); return event !== undefined && ["member.mail", "turn.alive", "turn.placed", "alarm.renew", "member.life", "member.stop", "member.revoked", "member.granted"].includes(event.type); };
const busy = ["preparing", "syncing", "working", "cancelling", "committing", "checking"];
const moved = (e: Edge): boolean => spec(e) !== undefined;
const enters = (e: Edge, state: string): boolean => moved(e) && at(e.to, state);
const dies = (e: Edge): boolean => { const { from, to } = read(e); return to.died > from.died; };
const isTurnEnd = ({ state, outcome }: Reading): boolean => outcome !== undefined && (state === "working" || state === "cancelling");
const claimOf = (c: MemberContext) => ({ member: c.name, task: c.grant?.task, token: c.grant?.token });
const about1 = (list: readonly { readonly to: unknown; readonly event: Readonly<Record<string, unknown>> }[], count: number, fields: Readonly<Record<string, unknown>>): boolean =>
  list.length === count && list.every(({ to, event }) => to === team && Object.entries(fields).every(([key, value]) => same(event[key], value)));

export const exploration: Exploration = {
  inputs: [
    { name: "worker, two iterations", input: input("worker", { iterations: 2, infra: 0, refused: 0, deaths: 0 }) },
    { name: "worker, two deaths", input: input("worker", { iterations: 1, infra: 0, refused: 0, deaths: 2 }) },
    { name: "worker, two waits", input: input("worker", { iterations: 1, infra: 2, refused: 1, deaths: 0 }) },
    { name: "leader", input: input("leader", { iterations: 1, infra: 1, refused: 1, deaths: 1 }) },
  ],
  events: [...alphabet],
  unattended: [...results],
  abstraction: (snapshot) => {
    const c = contextOf(snapshot), out = ["saving", "tidying"].some((state) => snapshot.matches(state));
    if (snapshot.status !== "active" || out) return { ending: c.ending, failure: c.failure, unsaved: c.reason.includes("checkpoint") };
    return {
      grant: c.grant && [c.grant.task, c.grant.token], iteration: c.iteration, infra: c.infraFailures, refused: c.refused ?? 0, deaths: c.deaths.length, stopping: c.stopping, revoked: c.revoked, alive: snapshot.matches("working") && c.alive, last: c.grant ? null : c.lastTask,
      seen: c.grant ? null : c.seen, retryAt: when(c.retryAt), mail: ["working", "waiting"].some((state) => snapshot.matches(state)) ? [c.inbox.length, snapshot.matches("working") ? c.carried.length : 0] : null, asked: c.question !== null, answered: c.answer !== null, tidy: c.stopping === "drain" && c.tidy,
    };
  },
  restStates: ["idle", "asking", "done", "failed", "cancelled", "exhausted"],
  states: [
    { name: "I1 it holds a grant exactly while it does something", holds: (s) => s.status !== "active" || at(s, "saving", "tidying") || (contextOf(s).grant === null) === at(s, "preparing", "idle", "restarting") },
    { name: "caps hold: iterations, waits, and deaths within their time", holds: (s) => contextOf(s).iteration <= contextOf(s).policy.maxIterations && contextOf(s).infraFailures - (contextOf(s).refused ?? 0) <= contextOf(s).policy.infraRetries && (contextOf(s).refused ?? 0) <= (contextOf(s).policy.refusedRetries ?? 0) && contextOf(s).deaths.length <= contextOf(s).restarts.max + (contextOf(s).ending === "exhausted" ? 1 : 0) },
    { name: "I5 evidence has a commit and checks without new failures", holds: (s) => !at(s, "merging") || (contextOf(s).head !== "" && contextOf(s).failing.length === 0 && contextOf(s).checks === "0/1 → 1/1" && contextOf(s).summary !== "") },
    { name: "a time to go on is set exactly while it waits", holds: (s) => s.status !== "active" || at(s, "waiting", "restarting") === (contextOf(s).retryAt !== null) },
    { name: "asking has its question", holds: (s) => !at(s, "asking") || contextOf(s).question === "which one?" },
    { name: "who ends says as what, and why when it is not of its own will", holds: (s) => s.status === "active" ? !at(s, "idle", "working") || contextOf(s).ending === null : contextOf(s).ending === s.value && (at(s, "failed", "exhausted") === (contextOf(s).failure !== null)) && (at(s, "done") || contextOf(s).reason !== "") },
  ],
  first: [{ name: "the first step asks for its own worktree, and nothing else", holds: (first) => at(first.to, "preparing") && first.actions.length === 1 && same(asked(first, "workspace.prepare"), [{ kind: "workspace.prepare", item: id, attempt: 1, repository: item.repository, baseRef: "base0", member: contextOf(first.to).name }]) }],
  edges: [
    { name: "each event leads where it must", holds: (e) => { const must = spec(e); return must === undefined ? same(e.from.value, e.to.value) : at(e.to, must.to); } },
    { name: "misplaced events change nothing", holds: (e) => e.from.status !== "active" || moved(e) || staysBy(e) || ignored(e) },
    { name: "I1 a grant is taken once, by who has nothing to do; who is busy declines a new one; an echo is nothing", holds: (e) => {
      const { state, event, from, to } = read(e), declined = told(e, "member.declined");
      if (event?.type !== "member.granted" || e.from.status !== "active") return declined.length === 0;
      const fresh = isNew(from, event.grant);
      if (takes(from, event.grant) && state === "idle") return declined.length === 0 && same(to.grant, event.grant) && to.seen[event.grant.task] === event.grant.token && to.iteration === 1 && to.tryNumber === event.grant.attempt && to.infraFailures === 0 && to.refused === 0 && to.feedback === "" && to.failing.length === 0
        && same(to.session, event.grant.task === from.lastTask && event.grant.task !== 0 ? from.session : { id: null, costUsd: 0 }) && to.answer === null && to.reason === "" && alarm(e, "renew") === (from.role === "worker" ? now + leaseMs / 3 : null);
      return fresh ? about1(declined, 1, { member: from.name, task: event.grant.task, token: event.grant.token }) && same(from, to) && e.actions.length === 1 : ignored(e);
    } },
    { name: "it asks for something to do exactly when it comes to rest", holds: (e) => about1(told(e, "member.ready"), enters(e, "idle") ? 1 : 0, { member: read(e).to.name }) && implies(enters(e, "idle"), () => read(e).to.grant === null && alarm(e, "renew") === null && !read(e).to.revoked) },
    { name: "the worktree is brought to the team's head first: as it stands for the same task, at the commit that did not merge, else anew", holds: (e) => {
      const { from, to } = read(e), syncs = asked(e, "workspace.sync"), { grant } = to, last = from.lastTask;
      const here = grant?.duty === "work" && (grant.task === last || grant.conflict?.task === last);
      return syncs.length === (enters(e, "syncing") ? 1 : 0) && syncs.every((s) => s["onto"] === grant?.head && same(s["workspace"], workspace) && same(s["from"], here ? "here" : grant?.conflict ? { commit: grant.conflict.commit } : "team"));
    } },
    { name: "what it stands on is what was synchronised", holds: (e) => { const { state, event, to, from } = read(e); return state === "syncing" && event?.type === "workspace.synced" ? to.head === event.head && same(to.conflicts, event.conflicts) && to.lastTask === from.grant?.task : (same(to.conflicts, from.conflicts) || event?.type === "member.granted") && (to.lastTask === from.lastTask || (to.lastTask === 0 && spec(e)?.says === "failed")); } },
    { name: "every entry into work asks for one turn, as things are now, and says which letters it carries", holds: (e) => {
      const { to } = read(e), turns = asked(e, "turn"), enter = enters(e, "working"), { grant } = to;
      return turns.length === (enter ? 1 : 0) && about1(told(e, "member.began"), enter ? 1 : 0, { member: to.name, mail: to.inbox.map((mail) => mail.id) }) && (!enter || (to.alive && same(to.carried, to.inbox.map((mail) => mail.id)))) && turns.every((t) => t["tryNumber"] === to.tryNumber && t["iteration"] === to.iteration && t["sessionId"] === to.session.id && t["sessionCostUsd"] === to.session.costUsd && t["seat"] === to.name && t["team"] === "alpha" && t["duty"] === grant?.duty && t["task"] === grant?.task
        && t["stage"] === (grant?.duty === "work" ? "coder" : "critic") && t["aliveEveryMs"] === leaseMs / 4
        && same(t["brief"], { ...emptyBrief, feedback: to.feedback, failingChecks: to.failing, checks: grant?.checks, answer: to.answer, again: grant?.again, team: { duty: grant?.duty, member: to.name, ...grant?.brief, conflicts: to.conflicts, messages: to.inbox } }));
    } },
    { name: "I2 I3 a turn that is of no use is ended, once", holds: (e) => asked(e, "turn.cancel").length === (enters(e, "cancelling") ? 1 : 0) },
    { name: "the work is committed with its task's name, then checked against the team's head it began from", holds: (e) => {
      const { to, from } = read(e), commits = asked(e, "workspace.commit"), checks = asked(e, "verify");
      return commits.length === (enters(e, "committing") ? 1 : 0) && commits.every((c) => String(c["message"]).startsWith(`${id}: task ${from.grant?.task}\n`) && same(c["workspace"], workspace)) && checks.length === (enters(e, "checking") ? 1 : 0) && checks.every((c) => c["base"] === from.grant?.head && c["head"] === to.head && c["repository"] === item.repository);
    } },
    { name: "the head is what was committed", holds: (e) => { const { state, event, from, to } = read(e); return to.head === (event?.type === "workspace.committed" && state === "committing" ? event.head : event?.type === "workspace.synced" && state === "syncing" ? event.head : event?.type === "workspace.ready" && state === "preparing" ? workspace.base : from.head); } },
    { name: "check results are taken as they are", holds: (e) => { const { state, event, to } = read(e); return state !== "checking" || event?.type !== "verify.done" || (to.checks === (event.report.newFailures.length > 0 ? "0/1 → 0/1" : "0/1 → 1/1") && same(to.failing, event.report.newFailures)); } },
    { name: "feedback says what sent the work back", holds: (e) => {
      const { state, event, to, from } = read(e);
      if (!(to.iteration > from.iteration)) return to.feedback === from.feedback || to.feedback === "";
      if (event?.type === "verify.done") return to.feedback.includes("checks have failures");
      if (event?.type !== "workspace.committed") return false;
      return state === "committing" && to.failing.length === 0 && (event.unresolved ? to.feedback.includes("a.ts") : event.dropped ? to.feedback.includes("takes back") && to.feedback.includes("b.ts") : to.feedback.includes("nothing in the worktree changed"));
    } },
    { name: "an iteration counts when the work is sent back, and every further turn has a number of its own", holds: (e) => {
      const { state, from, to, event, failure } = read(e), back = (state === "committing" || state === "checking") && at(e.to, "working"), takes = event?.type === "member.granted" && state === "idle";
      const further = back || (state === "working" && moved(e) && (at(e.to, "waiting") || (failure?.kind === "interrupted" && at(e.to, "working")))) || (state === "asking" && at(e.to, "working"));
      return takes || (to.iteration === from.iteration + (back ? 1 : 0) && to.tryNumber === from.tryNumber + (further ? 1 : 0));
    } },
    { name: "I5 evidence goes to the team exactly on entering merging", holds: (e) => { const { to, from } = read(e); return about1(told(e, "member.evidence"), enters(e, "merging") ? 1 : 0, { ...claimOf(from), commit: to.head, checks: to.checks, summary: to.summary }) && implies(enters(e, "merging"), () => alarm(e, "renew") === null); } },
    { name: "a task that was not done is told as such, with the reason", holds: (e) => { const { from, event, to } = read(e); return about1(told(e, "member.failed"), spec(e)?.says === "failed" ? 1 : 0, claimOf(from)) && told(e, "member.failed").every(({ event: said }) => typeof said["reason"] === "string" && said["reason"] !== "" && (event?.type !== "effect.failed" || said["reason"] === "it broke") && (event?.type !== "verify.done" || String(said["reason"]).includes("test: a"))) && implies(event?.type === "effect.failed" && spec(e)?.says === "failed", () => to.lastTask === 0); } },
    { name: "a leader's answer goes to the team as it was given", holds: (e) => { const { from, outcome } = read(e); return about1(told(e, "member.answered"), spec(e)?.says === "answered" ? 1 : 0, { member: from.name, token: from.grant?.token, verdict: outcome?.verdict, plan: outcome?.plan ?? null, criteria: null, text: "finished" }); } },
    { name: "every end of a turn is told with its totals, its letters, and what it says to others", holds: (e) => {
      const r = read(e), { from, to, outcome, state, event } = r, gaveUp = state === "working" && event?.type === "effect.failed";
      const well = outcome?.ended.how === "completed" || outcome?.ended.how === "question";
      return about1(told(e, "member.turn"), isTurnEnd(r) || gaveUp ? 1 : 0, { member: from.name, turns: to.turns, costUsd: to.costUsd, well, mail: from.carried, messages: outcome?.messages ?? [] });
    } },
    { name: "I9 the ledger is told once of each turn that ended, in the same step", holds: (e) => {
      const r = read(e), news = told(e, "spent");
      return news.length === (isTurnEnd(r) ? 1 : 0) && news.every(({ to, event }) => to === spendAddress && same(event["charge"], r.outcome?.spend ?? null));
    } },
    { name: "a turn's cost and session are taken once; letters stay until a turn that carried them ended well", holds: (e) => {
      const r = read(e), { from, to, outcome, failure, event } = r, well = outcome?.ended.how === "completed" || outcome?.ended.how === "question";
      if (!isTurnEnd(r) || !outcome) return to.turns === from.turns && to.costUsd === from.costUsd && (same(to.session, from.session) || event?.type === "member.granted") && (event?.type === "member.mail" || same(to.inbox, from.inbox)) && (to.summary === from.summary || to.summary === "");
      const cost = addCost(from.cost ?? { ...noCost, usd: from.costUsd }, outcome.spend?.amount.cost ?? { ...noCost, usd: 0.25 });
      return to.turns === from.turns + 1 && to.costUsd === from.costUsd + 0.25 && same(to.cost, cost) && same(to.session, failure?.kind === "badSession" || failure?.kind === "contextFull" ? { id: null, costUsd: 0 } : { id: outcome.sessionId ?? from.session.id, costUsd: Math.max(from.session.costUsd, 0.75) })
        && same(to.inbox, well ? from.inbox.filter((mail) => !from.carried.includes(mail.id)) : from.inbox) && (outcome.ended.how === "completed" ? to.summary === "finished" : to.summary === from.summary);
    } },
    { name: "a letter is kept once, wherever it comes", holds: (e) => { const { event, from, to } = read(e); return event?.type !== "member.mail" || e.from.status !== "active" || (to.inbox.filter(({ id: each }) => each === event.mail.id).length === 1 && to.inbox.length === from.inbox.length + (from.inbox.some(({ id: each }) => each === event.mail.id) ? 0 : 1) && e.actions.length === 0); } },
    { name: "where the turn under way is counts, until another begins; an earlier try's is nothing", holds: (e) => {
      const { state, from, to, event } = read(e), taken = state === "working" && event?.type === "turn.placed" && event.tryNumber === from.tryNumber;
      return same(to.place ?? null, taken ? place : asked(e, "turn").length > 0 ? null : (from.place ?? null)) && implies(event?.type === "turn.placed", () => taken ? e.actions.length === 0 : ignored(e));
    } },
    { name: "I4 the lease is renewed by what is no turn, and by a turn only when it showed life since the last time", holds: (e) => {
      const { state, event, from, to } = read(e), renews = told(e, "member.renew"), holds = from.grant !== null && from.role === "worker" && e.from.status === "active" && !at(e.from, "saving", "tidying"), current = event?.type === "member.life" && event.task === from.grant?.task && event.token === from.grant.token;
      const resumes = state === "asking" && event?.type === "answer" && holds;
      if (resumes && alarm(e, "renew") !== now + leaseMs / 3) return false;
      const must = resumes ? true : event?.type === "alarm.renew" ? holds && (state !== "working" || from.alive) : current && e.from.status === "active" && (state !== "working" || from.alive);
      if (!about1(renews, must ? 1 : 0, claimOf(from))) return false;
      if (event?.type === "alarm.renew") return alarm(e, "renew") === (holds ? now + leaseMs / 3 : state === "working" ? null : undefined) && (state !== "working" || from.role !== "worker" || !to.alive);
      return event?.type !== "turn.alive" || (state === "working" ? to.alive && e.actions.length === 0 : ignored(e));
    } },
    { name: "I3 I8 a stop and a lost claim are remembered while something is under way", holds: (e) => {
      const { state, event, from, to } = read(e);
      if (event?.type === "member.stop") return e.from.status !== "active" || at(e.from, "saving", "tidying") ? ignored(e) : to.stopping === (event.force || from.stopping === "force" ? "force" : "drain") && to.tidy === event.tidy;
      if (to.stopping !== from.stopping || to.tidy !== from.tidy) return false;
      if (event?.type !== "member.revoked") return to.revoked === from.revoked || !to.revoked;
      return event.task === from.grant?.task && event.token === from.grant.token && ["syncing", "committing", "checking"].includes(state) ? to.revoked && e.actions.length === 0 : moved(e) || ignored(e);
    } },
    { name: "a lost claim counts for what it was lost for only", holds: (e) => implies(at(e.to, "idle", "syncing", "restarting"), () => !read(e).to.revoked || at(e.to, "syncing")) },
    { name: "a question reaches the team once, its answer the next turn", holds: (e) => {
      const { state, event, from, to } = read(e);
      if (!about1(told(e, "member.asks"), enters(e, "asking") ? 1 : 0, { member: from.name, question: "which one?" }) || (enters(e, "asking") && alarm(e, "renew") !== null)) return false;
      return state !== "asking" || event?.type !== "answer" || (same(to.answer, { question: from.question, answer: "the first" }) && to.question === null);
    } },
    { name: "an answer is forgotten with its grant or the turn that used it", holds: (e) => { const { state, event, from, to, outcome } = read(e); return to.answer === null ? from.answer === null || outcome?.ended.how === "completed" || to.grant === null || event?.type === "member.granted" : same(to.answer, from.answer) || (state === "asking" && event?.type === "answer"); } },
    { name: "I6 a death counts, within its time, and is told with its number; beyond the intensity it is the end", holds: (e) => {
      const { from, to, event } = read(e), recent = event ? from.deaths.filter((time) => event.at - time < withinMs) : [];
      if (!about1(told(e, "member.died"), enters(e, "restarting") ? 1 : 0, { member: from.name, died: to.died, reason: to.reason })) return false;
      if (!dies(e)) return same(from.deaths, to.deaths) && !enters(e, "restarting");
      return to.died === from.died + 1 && same(to.deaths, [...recent, event?.at]) && to.reason !== "" && (enters(e, "restarting") ? to.grant === null && alarm(e, "renew") === null : to.ending === "exhausted" && to.failure === "crash");
    } },
    { name: "only what should is a death", holds: (e) => { const { state, from, event, failure } = read(e); return dies(e) === (moved(e) && from.stopping === "no" && (event?.type === "effect.failed" ? ["syncing", "working", "committing", "checking"].includes(state) && event.class !== "environment" && !from.revoked && !(event.class === "refused" && (state === "syncing" || state === "committing")) : event?.type === "turn.ended" && state === "working" && (event.outcome.ended.how === "cancelled" || (failure !== undefined && !infraKinds.has(failure.kind) && !["auth", "model", "interrupted", "capReached"].includes(failure.kind))))) || (dies(e) && from.stopping === "drain" && event?.type === "effect.failed"); } },
    { name: "trouble has its kind and its reason", holds: (e) => {
      const { state, from, to, event, failure } = read(e);
      if (to.ending === from.ending || (to.ending !== "failed" && to.ending !== "exhausted")) return to.failure === from.failure;
      const kind = dies(e) ? "crash" : event?.type === "effect.failed" ? (event.class === "environment" ? "environment" : "infra") : failure && infraKinds.has(failure.kind) ? "infra" : failure?.kind === "capReached" ? "cap" : "auth";
      return to.failure === kind && to.reason === (event?.type === "effect.failed" ? (event.class === "environment" ? "it broke (mend it)" : "it broke") : failure?.kind === "stalled" ? "no output and no CPU use for 1 s" : failure?.kind === "interrupted" ? "?" : failure ? message : "its turn was ended") && state !== "idle";
    } },
    { name: "waits are counted apart from deaths, and end at the backoff or the later time that the provider named", holds: (e) => {
      const { state, from, to, failure, event } = read(e), waits = enters(e, "waiting"), restarts = enters(e, "restarting");
      if (to.infraFailures !== from.infraFailures + (waits ? 1 : 0) && event?.type !== "member.granted") return false;
      if ((to.refused ?? 0) !== (from.refused ?? 0) + (waits && failure?.kind === "rateLimited" ? 1 : 0) && event?.type !== "member.granted") return false;
      if (waits) return alarm(e, "retry") === to.retryAt && to.retryAt === Math.max(now + backoffMs(from.policy, from.infraFailures + 1), failure?.kind === "rateLimited" ? (failure.until ?? 0) : 0) && to.reason === message;
      if (restarts) return alarm(e, "retry") === to.retryAt && to.retryAt === (event?.at ?? 0) + backoffMs(from.policy, to.deaths.length);
      return alarm(e, "retry") === (moved(e) && (state === "waiting" || state === "restarting") ? null : undefined);
    } },
    { name: "I7 its work is kept before it ends: in a checkpoint, or removed with one when everything is merged", holds: (e) => {
      const { to } = read(e), saves = asked(e, "workspace.checkpoint"), removals = asked(e, "workspace.remove");
      return saves.length === (enters(e, "saving") ? 1 : 0) && removals.length === (enters(e, "tidying") ? 1 : 0) && [...saves, ...removals].every((f) => same(f["workspace"], workspace) && f["item"] === id) && saves.every((f) => String(f["why"]).includes(to.name));
    } },
    { name: "a checkpoint that failed is said", holds: (e) => { const { state, event, to } = read(e); return !["saving", "tidying"].includes(state) || event?.type !== "effect.failed" || to.reason.includes("no checkpoint of its work: it broke"); } },
    { name: "who leaves of its own will is done or cancelled, and nothing overrides trouble", holds: (e) => { const { from, to } = read(e); return to.ending === from.ending || from.ending !== null ? to.ending === from.ending : to.ending === "failed" || to.ending === "exhausted" || (to.ending === (to.stopping === "force" ? "cancelled" : "done") && to.stopping !== "no" && to.reason === (to.stopping === "force" ? "cancelled" : "")); } },
    { name: "the team hears the end once, as it was", holds: (e) => { const { to } = read(e), over = e.from.status === "active" && e.to.status !== "active"; return about1(told(e, "member.ended"), over ? 1 : 0, { member: to.name, outcome: e.to.value, failure: to.failure, reason: to.reason, costUsd: to.costUsd }); } },
    { name: "since when it rests or works is known", holds: (e) => implies(enters(e, "idle") || enters(e, "syncing"), () => read(e).to.since === read(e).event?.at) },
    { name: "nothing is under way twice", holds: (e) => !busy.includes(read(e).state) || e.actions.filter(({ type }) => type === "effect").length <= 1 },
  ],
};
