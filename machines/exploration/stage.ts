import type { AnyMachineSnapshot } from "xstate";
import type { AgentFailure, TurnOutcome } from "../../src/domain/agent.ts";
import { RunId } from "../../src/domain/ids.ts";
import { emptyBrief } from "../../src/domain/effects.ts";
import { backoffMs } from "../../src/domain/policy.ts";
import { type Stage, writeScope } from "../../src/domain/stage.ts";
import type { Audit, Verdict } from "../../src/domain/verdict.ts";
import type { Edge, Exploration } from "../catalog.ts";
import type { StageContext, StageEnded, StageEvent, StageInput } from "../stage.ts";
import { id, item, policy, workspace } from "./fixtures.ts";
import { alarm, asked, at, ignored, implies, now, same, stamped, told, when } from "./reading.ts";

const input = (stage: Stage): StageInput => ({
  pipeline: `pipeline/${id}/1`, stage, item: { id, title: item.title, body: item.body, kind: item.kind }, attempt: 1, iteration: 1, adapter: "scripted", model: "small", timeoutMs: 60_000,
  workspace, repository: item.repository, since: "head0", playbook: null, brief: { ...emptyBrief, feedback: "try harder", failingChecks: ["test: a"] }, session: { id: "session-0", costUsd: 0.5 },
  policy: { infraRetries: 2, crashRetries: 2, retryBaseMs: 1_000, retryMaxMs: 60_000, stallMs: 600_000 },
});

const verdict: Verdict = { decision: "revise", feedback: "not yet", findings: [] };
const audit: Audit = { findings: [] };
/** Much later than any backoff. */
const named = now + 10 * policy.retryMaxMs;

const turn = (ended: TurnOutcome["ended"], more: Partial<TurnOutcome> = {}) => {
  const outcome: TurnOutcome = { runId: RunId.parse("run-1"), ended, sessionId: null, sessionCostUsd: 0.75, costUsd: 0.25, usage: { inputTokens: 1, outputTokens: 1, cachedTokens: 0 }, verdict: null, audit: null, permissionDenials: ["Bash"], swept: 0, ...more };
  return stamped({ type: "turn.ended", outcome });
};
const failed = (failure: AgentFailure) => turn({ how: "failed", failure });

const message = "it said so";
const infra: readonly AgentFailure[] = [{ kind: "rateLimited", until: null, message }, { kind: "rateLimited", until: named, message }, { kind: "overloaded", message }, { kind: "network", message }, { kind: "spawn", message }];
const crash: readonly AgentFailure[] = [{ kind: "crashed", exitCode: 1, signal: null, message }, { kind: "noResult", message }, { kind: "badSession", message }];
const fatal: readonly AgentFailure[] = [{ kind: "auth", message }, { kind: "model", message }, { kind: "timeout", afterMs: 60_000 }, { kind: "stalled", afterMs: 600_000 }];

const results = [
  ...[...infra, ...crash, ...fatal, { kind: "interrupted" as const }].map(failed),
  turn({ how: "completed", text: "finished" }, { sessionId: "session-1" }),
  turn({ how: "completed", text: "judged" }, { verdict }),
  turn({ how: "completed", text: "audited" }, { audit }),
  turn({ how: "question", text: "which one?" }, { sessionId: "session-1" }),
  turn({ how: "cancelled" }),
  stamped({ type: "workspace.enforced", undone: [] }),
  stamped({ type: "workspace.enforced", undone: ["src/a.ts"] }),
  stamped({ type: "turn.cancel.sent" }),
  stamped({ type: "alarm.retry" }),
  stamped({ type: "effect.failed", kind: "turn", class: "io", message }),
  stamped({ type: "effect.failed", kind: "workspace.enforce", class: "environment", message, mend: "mend it" }),
  stamped({ type: "effect.failed", kind: "turn.cancel", class: "defect", message }),
] satisfies readonly StageEvent[];

const contextOf = (snapshot: AnyMachineSnapshot): StageContext => snapshot.context;

interface Reading { readonly from: StageContext; readonly to: StageContext; readonly event: StageEvent | undefined; readonly outcome: TurnOutcome | undefined; readonly failure: AgentFailure | undefined }

const isEvent = (event: { readonly type: string }): event is StageEvent => alphabet.some((each) => each === event);
const read = (edge: Edge): Reading => {
  const event = isEvent(edge.event) ? edge.event : undefined;
  const outcome = event?.type === "turn.ended" ? event.outcome : undefined;
  return { from: contextOf(edge.from), to: contextOf(edge.to), event, outcome, failure: outcome?.ended.how === "failed" ? outcome.ended.failure : undefined };
};

const alphabet: readonly StageEvent[] = [...results, stamped({ type: "answer", text: "the first" }), stamped({ type: "cancel" })];

const restricted = (context: StageContext): boolean => writeScope[context.stage] !== "all";
const oneOf = (list: readonly AgentFailure[], failure: AgentFailure | undefined): boolean => failure !== undefined && list.some(({ kind }) => kind === failure.kind);
const owes = (context: StageContext, outcome: TurnOutcome): boolean => (context.stage === "critic" && outcome.verdict === null) || (context.stage === "auditor" && outcome.audit === null);

/** The stage is over as `outcome`: at once, or after what it may not write is undone. */
const leaves = ({ to }: Edge, outcome: StageEnded["outcome"]): boolean =>
  restricted(contextOf(to)) ? at(to, "enforcing") && contextOf(to).ending === outcome : at(to, outcome);

/** In this state only these events mean anything. */
const hears: Readonly<Record<string, readonly StageEvent["type"][]>> = {
  working: ["turn.ended", "effect.failed", "cancel"], waiting: ["alarm.retry", "cancel"], asking: ["answer", "cancel"],
  enforcing: ["workspace.enforced", "effect.failed"], cancelling: ["turn.ended", "turn.cancel.sent", "effect.failed"],
};

/** What must become of a turn that ended while the stage was working. */
const afterTurn = (edge: Edge, { from, outcome, failure }: Reading): boolean => {
  if (!outcome) return true;
  if (outcome.ended.how === "completed" && owes(from, outcome)) return from.reasks < 1 ? at(edge.to, "working") : leaves(edge, "failed") && contextOf(edge.to).failure === "noAnswer";
  if (outcome.ended.how === "completed") return leaves(edge, "done");
  if (outcome.ended.how === "question") return at(edge.to, "asking");
  if (outcome.ended.how === "cancelled") return leaves(edge, "cancelled");
  if (oneOf(infra, failure)) return from.infraFailures < from.policy.infraRetries ? at(edge.to, "waiting") : leaves(edge, "exhausted");
  if (oneOf(crash, failure)) return from.crashes < from.policy.crashRetries ? at(edge.to, "working") : leaves(edge, "exhausted");
  return failure?.kind === "interrupted" ? at(edge.to, "working") : leaves(edge, "failed");
};

export const exploration: Exploration = {
  inputs: (["coder", "critic", "auditor", "tester"] as const).map((stage) => ({ name: stage, input: input(stage) })),
  events: [...alphabet],
  unattended: [...results],
  abstraction: (snapshot) => {
    const c = contextOf(snapshot);
    // On the way out no counter is looked at any more.
    if (snapshot.matches("cancelling")) return { session: c.session.id };
    if (c.ending !== null) return { ending: c.ending, failure: c.failure, enforced: c.enforced };
    return {
      infraFailures: c.infraFailures, crashes: c.crashes, reasks: c.reasks, asks: c.question !== null, retryAt: when(c.retryAt), session: c.session.id,
      again: c.brief.again !== "", answered: c.brief.answer !== null,
    };
  },
  restStates: ["asking", "done", "failed", "cancelled", "exhausted"],
  states: [
    { name: "I1 infrastructure and crashes keep to caps of their own", holds: (s) => contextOf(s).infraFailures <= contextOf(s).policy.infraRetries && contextOf(s).crashes <= contextOf(s).policy.crashRetries },
    { name: "I2 asked once more at most", holds: (s) => contextOf(s).reasks <= 1 },
    { name: "I2 nothing is done that owes an answer", holds: (s) => !at(s, "done") || ((contextOf(s).stage !== "critic" || contextOf(s).verdict !== null) && (contextOf(s).stage !== "auditor" || contextOf(s).audit !== null)) },
    { name: "I4 nothing ends unenforced, unless enforcement itself failed", holds: (s) => s.status === "active" || !restricted(contextOf(s)) || contextOf(s).enforced || (at(s, "failed") && contextOf(s).failure !== null) },
    { name: "a time to retry is set exactly while waiting", holds: (s) => at(s, "waiting") === (contextOf(s).retryAt !== null) },
    { name: "asking has its question", holds: (s) => !at(s, "asking") || contextOf(s).question !== null },
    { name: "failed and exhausted carry a reason and what kind of trouble; done carries none", holds: (s) => (!at(s, "failed", "exhausted") || (contextOf(s).reason !== "" && contextOf(s).failure !== null)) && (!at(s, "done") || (contextOf(s).reason === "" && contextOf(s).failure === null)) },
    { name: "cancelled says so", holds: (s) => !at(s, "cancelled") || contextOf(s).reason === "cancelled" },
  ],
  first: [
    { name: "the first step asks for one turn, and nothing else", holds: (first) => at(first.to, "working") && first.actions.length === 1 && asked(first, "turn").length === 1 && asked(first, "turn").every((turn) => turn["tryNumber"] === 1 && turn["stage"] === contextOf(first.to).stage && same(turn["brief"], contextOf(first.to).brief)) },
  ],
  edges: [
    { name: "I1 infrastructure counts as infrastructure, up to its cap, and nothing else does", holds: (e) => { const { from, to, failure } = read(e); return to.infraFailures === from.infraFailures + (at(e.from, "working") && oneOf(infra, failure) && from.infraFailures < from.policy.infraRetries ? 1 : 0); } },
    { name: "I1 crashes count as crashes, up to their cap, and nothing else does", holds: (e) => { const { from, to, failure } = read(e); return to.crashes === from.crashes + (at(e.from, "working") && oneOf(crash, failure) && from.crashes < from.policy.crashRetries ? 1 : 0); } },
    { name: "I2 a missing answer is asked for again, once, and said in the brief of that turn only", holds: (e) => {
      const { from, to, outcome } = read(e), again = at(e.from, "working") && outcome?.ended.how === "completed" && owes(from, outcome) && from.reasks < 1;
      return to.reasks === from.reasks + (again ? 1 : 0) && implies(outcome !== undefined && at(e.from, "working"), () => (to.brief.again !== "") === again);
    } },
    { name: "each end of a turn leads where it must", holds: (e) => implies(at(e.from, "working"), () => afterTurn(e, read(e))) },
    { name: "a turn that could not be run fails the stage", holds: (e) => implies(at(e.from, "working") && e.event.type === "effect.failed", () => leaves(e, "failed")) },
    { name: "every entry into work asks for exactly one turn, with the session, try and brief as they are now; nothing else asks", holds: (e) => {
      const turns = asked(e, "turn"), { to } = read(e), enters = at(e.to, "working") && !ignored(e);
      return turns.length === (enters ? 1 : 0) && turns.every((t) => t["tryNumber"] === to.tryNumber && t["sessionId"] === to.session.id && t["sessionCostUsd"] === to.session.costUsd && same(t["brief"], to.brief) && t["stage"] === to.stage);
    } },
    { name: "every further turn has a number of its own", holds: (e) => { const { from, to } = read(e); return to.tryNumber === from.tryNumber + ((at(e.from, "working") && (at(e.to, "waiting") || (at(e.to, "working") && !ignored(e)))) || (at(e.from, "asking") && at(e.to, "working")) ? 1 : 0); } },
    { name: "a turn's cost, text, verdict, audit and denials are taken once", holds: (e) => {
      const { from, to, outcome, failure } = read(e);
      return outcome && at(e.from, "working", "cancelling")
        ? to.costUsd === from.costUsd + 0.25 && to.session.costUsd === (failure?.kind === "badSession" ? 0 : Math.max(from.session.costUsd, 0.75)) && same(to.denials, outcome.permissionDenials) && same(to.verdict, outcome.verdict ?? from.verdict) && same(to.audit, outcome.audit ?? from.audit) && (outcome.ended.how !== "completed" || to.text === outcome.ended.text)
        : to.costUsd === from.costUsd && same([to.denials, to.verdict, to.audit, to.text], [from.denials, from.verdict, from.audit, from.text]);
    } },
    { name: "the session is kept over crashes and waits, and dropped when it is bad", holds: (e) => {
      const { from, to, outcome, failure } = read(e);
      if (!outcome || !at(e.from, "working", "cancelling")) return same(to.session, from.session);
      return to.session.id === (failure?.kind === "badSession" ? null : (outcome.sessionId ?? from.session.id));
    } },
    { name: "trouble is named by its kind", holds: (e) => {
      const { to, failure, event } = read(e);
      if (at(e.from, "working") && failure && failure.kind !== "interrupted" && !(oneOf(crash, failure) && at(e.to, "working"))) return to.failure === (oneOf(infra, failure) ? "infra" : oneOf(crash, failure) ? "crash" : failure.kind) && to.reason !== "";
      return implies(event?.type === "effect.failed" && at(e.from, "working", "enforcing"), () => to.failure === (event?.type === "effect.failed" && event.class === "environment" ? "environment" : "infra") && to.reason.includes(message));
    } },
    { name: "the alarm is set on entering the wait, at the backoff or the later time that the provider named, and cleared on leaving it", holds: (e) => {
      const { from, to, failure } = read(e);
      if (at(e.to, "waiting") && !at(e.from, "waiting")) return alarm(e, "retry") === to.retryAt && to.retryAt === Math.max(now + backoffMs(from.policy, from.infraFailures + 1), (failure?.kind === "rateLimited" ? failure.until : null) ?? 0);
      return alarm(e, "retry") === (at(e.from, "waiting") && !at(e.to, "waiting") ? null : undefined);
    } },
    { name: "the alarm leads back to work", holds: (e) => implies(at(e.from, "waiting") && e.event.type === "alarm.retry", () => at(e.to, "working")) },
    { name: "a question reaches the pipeline once, and only then", holds: (e) => { const asks = told(e, "stage.asks"), { to } = read(e); return asks.length === (at(e.to, "asking") && !at(e.from, "asking") ? 1 : 0) && asks.every((t) => t.to === to.pipeline && t.event["question"] === to.question && t.event["stage"] === to.stage); } },
    { name: "an answer reaches the next turn with its question", holds: (e) => implies(at(e.from, "asking") && e.event.type === "answer", () => at(e.to, "working") && same(contextOf(e.to).brief.answer, { question: contextOf(e.from).question, answer: "the first" }) && contextOf(e.to).question === null) },
    { name: "I3 a cancel while a turn runs ends the turn first", holds: (e) => implies(at(e.from, "working") && e.event.type === "cancel", () => at(e.to, "cancelling")) && asked(e, "turn.cancel").length === (at(e.to, "cancelling") && !at(e.from, "cancelling") ? 1 : 0) },
    { name: "I3 cancelling ends with the turn, or when there is none any more", holds: (e) => implies(at(e.from, "cancelling"), () => {
      const { event } = read(e), over = event?.type === "turn.ended" || event?.type === "turn.cancel.sent" || (event?.type === "effect.failed" && event.kind === "turn");
      return over ? leaves(e, "cancelled") : ignored(e);
    }) },
    { name: "a cancelled stage says so", holds: (e) => implies(contextOf(e.from).ending === null && contextOf(e.to).ending === "cancelled", () => contextOf(e.to).reason === "cancelled") },
    { name: "a cancel is heard wherever no turn runs", holds: (e) => implies(at(e.from, "waiting", "asking") && e.event.type === "cancel", () => leaves(e, "cancelled")) },
    { name: "I4 what may not be written is undone, measured from the head before the stage, before the end", holds: (e) => {
      const enforce = asked(e, "workspace.enforce"), { from, to, event } = read(e);
      return enforce.length === (at(e.to, "enforcing") && !at(e.from, "enforcing") ? 1 : 0) && enforce.every((f) => f["since"] === to.since && f["stage"] === to.stage)
        && implies(at(e.from, "enforcing") && event?.type === "workspace.enforced", () => at(e.to, from.ending ?? "?") && to.enforced && event?.type === "workspace.enforced" && same(to.undone, event.undone))
        && implies(at(e.from, "enforcing") && event?.type === "effect.failed", () => at(e.to, "failed"));
    } },
    { name: "the pipeline hears the end once, as it was, and nothing before it", holds: (e) => {
      const ends = told(e, "stage.ended"), { to } = read(e), over = e.from.status === "active" && e.to.status !== "active";
      return ends.length === (over ? 1 : 0) && ends.every(({ to: whom, event }) => whom === to.pipeline && e.to.value === event["outcome"] && event["stage"] === to.stage && event["iteration"] === to.iteration && event["reason"] === to.reason && event["failure"] === to.failure
        && same(event["verdict"], to.verdict) && same(event["audit"], to.audit) && same(event["session"], to.session) && event["costUsd"] === to.costUsd && same(event["undone"], to.undone) && same(event["denials"], to.denials) && event["text"] === to.text);
    } },
    { name: "stale and misplaced events change nothing", holds: (e) => implies(e.from.status === "active" && !(hears[String(e.from.value)] ?? []).some((type) => type === e.event.type), () => ignored(e)) },
  ],
};
