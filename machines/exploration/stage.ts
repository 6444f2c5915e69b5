import type { AnyMachineSnapshot } from "xstate";
import type { AgentFailure, TurnOutcome } from "../../src/domain/agent.ts";
import { RunId } from "../../src/domain/ids.ts";
import { emptyBrief } from "../../src/domain/effects.ts";
import { backoffMs } from "../../src/domain/policy.ts";
import { type Stage, writeScope } from "../../src/domain/stage.ts";
import type { TurnPlace } from "../../src/domain/routing.ts";
import type { PlannerDuty, TeamCriteria, TeamPlan } from "../../src/domain/team-answers.ts";
import type { Audit, Verdict } from "../../src/domain/verdict.ts";
import type { Edge, Exploration } from "../catalog.ts";
import { spendAddress } from "../spend.ts";
import type { StageContext, StageEnded, StageEvent, StageInput } from "../stage.ts";
import { charge, id, item, policy, workspace } from "./fixtures.ts";
import { alarm, asked, at, ignored, implies, now, same, stamped, told, when } from "./reading.ts";

const input = (stage: Stage, duty?: PlannerDuty): StageInput => ({
  pipeline: `pipeline/${id}/1`, stage, item: { id, title: item.title, body: item.body, kind: item.kind }, attempt: 1, iteration: 1, adapter: "scripted", model: "small", timeoutMs: 60_000,
  workspace, repository: item.repository, since: "head0", playbook: null, brief: { ...emptyBrief, feedback: "try harder", failingChecks: ["test: a"], messages: stage === "tester" ? [said] : [] }, session: { id: "session-0", costUsd: 0.5 },
  policy: { infraRetries: 2, refusedRetries: 1, crashRetries: 2, retryBaseMs: 1_000, retryMaxMs: 60_000, stallMs: 600_000 }, ...(duty === undefined ? {} : { duty }), ...(stage === "critic" ? { leg: "4" } : {}),
});

const verdict: Verdict = { decision: "revise", feedback: "not yet", findings: [] };
const audit: Audit = { findings: [] };
const plan: TeamPlan = { tasks: [{ title: "the parser", description: "", acceptance: [], dependsOn: [] }] };
const criteria: TeamCriteria = { criteria: [{ task: 1, acceptance: ["it parses"] }] };
/** Much later than any backoff. */
const named = now + 10 * policy.retryMaxMs;

const turn = (ended: TurnOutcome["ended"], more: Partial<TurnOutcome> = {}) => {
  const outcome: TurnOutcome = { runId: RunId.parse("run-1"), ended, sessionId: null, sessionCostUsd: 0.75, costUsd: 0.25, usage: { inputTokens: 1, outputTokens: 1, cachedTokens: 0 }, verdict: null, audit: null, permissionDenials: ["Bash"], swept: 0, ...more };
  return stamped({ type: "turn.ended", outcome });
};
const failed = (failure: AgentFailure) => turn({ how: "failed", failure });

const message = "it said so";
const infra: readonly AgentFailure[] = [{ kind: "rateLimited", until: null, message }, { kind: "rateLimited", until: named, message }, { kind: "overloaded", message }, { kind: "network", message }, { kind: "spawn", message }];
const isRefusal = (failure: AgentFailure | undefined): boolean => failure?.kind === "rateLimited" || failure?.kind === "overloaded";
/** Waited for within the cap of its kind. */
const isWaitedFor = (from: StageContext, failure: AgentFailure | undefined): boolean => oneOf(infra, failure) && (isRefusal(failure) ? (from.refused ?? 0) < (from.policy.refusedRetries ?? 0) : from.infraFailures - (from.refused ?? 0) < from.policy.infraRetries);
const crash: readonly AgentFailure[] = [{ kind: "crashed", exitCode: 1, signal: null, message }, { kind: "noResult", message }, { kind: "badSession", message }];
const full: AgentFailure = { kind: "contextFull", message };
const fatal: readonly AgentFailure[] = [{ kind: "auth", message }, { kind: "model", message }, { kind: "timeout", afterMs: 60_000 }, { kind: "stalled", afterMs: 600_000 }, { kind: "overlong", message }];

/** It was never begun. */
const capped: readonly AgentFailure[] = [{ kind: "capReached", cap: "itemTurns", spent: 2, limit: 2, message }];

/** Comes plainly or as one that interrupts; the tester has it from the start, so there it comes again. */
const said = { id: "m0", text: "use tabs" };

/** Another took over, where there is no place yet. */
const place: TurnPlace = { adapter: "claude", model: null, waits: true };

const results = [
  ...[...infra, ...crash, full, ...fatal, ...capped, { kind: "interrupted" as const }].map(failed),
  turn({ how: "completed", text: "finished" }, { sessionId: "session-1", spend: charge }),
  turn({ how: "completed", text: "judged" }, { verdict }),
  turn({ how: "completed", text: "audited" }, { audit }),
  turn({ how: "completed", text: "planned" }, { plan }),
  turn({ how: "completed", text: "expanded" }, { criteria }),
  turn({ how: "question", text: "which one?" }, { sessionId: "session-1" }),
  turn({ how: "cancelled" }),
  turn({ how: "completed", text: "finished" }, { heard: ["m0", "other"] }),
  turn({ how: "cancelled" }, { heard: ["m0"] }),
  turn({ how: "failed", failure: { kind: "noResult", message } }, { heard: ["m0"] }),
  stamped({ type: "turn.placed", tryNumber: 1, place }),
  stamped({ type: "turn.heard", ids: ["m0", "other"] }),
  stamped({ type: "turn.message.sent", id: "m0", delivered: true }),
  stamped({ type: "turn.message.sent", id: "m0", delivered: false }),
  stamped({ type: "turn.cancel.sent", tryNumber: 0 }),
  stamped({ type: "workspace.enforced", undone: [] }),
  stamped({ type: "workspace.enforced", undone: ["src/a.ts"] }),
  stamped({ type: "turn.cancel.sent" }),
  stamped({ type: "alarm.retry" }),
  stamped({ type: "effect.failed", kind: "turn", class: "io", message }),
  stamped({ type: "effect.failed", kind: "turn.message", class: "defect", message }),
  stamped({ type: "effect.failed", kind: "workspace.enforce", class: "environment", message, mend: "mend it" }),
  stamped({ type: "effect.failed", kind: "turn.cancel", class: "defect", message }),
] satisfies readonly StageEvent[];

const endsSession = (failure: AgentFailure | undefined): boolean => failure?.kind === "badSession" || failure?.kind === "contextFull" || failure?.kind === "overlong";

const contextOf = (snapshot: AnyMachineSnapshot): StageContext => snapshot.context;

interface Reading { readonly from: StageContext; readonly to: StageContext; readonly event: StageEvent | undefined; readonly outcome: TurnOutcome | undefined; readonly failure: AgentFailure | undefined }

const isEvent = (event: { readonly type: string }): event is StageEvent => alphabet.some((each) => each === event);
const read = (edge: Edge): Reading => {
  const event = isEvent(edge.event) ? edge.event : undefined;
  const outcome = event?.type === "turn.ended" ? event.outcome : undefined;
  return { from: contextOf(edge.from), to: contextOf(edge.to), event, outcome, failure: outcome?.ended.how === "failed" ? outcome.ended.failure : undefined };
};

const alphabet: readonly StageEvent[] = [
  ...results, stamped({ type: "answer", text: "the first" }), stamped({ type: "cancel" }), stamped({ type: "message", ...said, interrupt: false }), stamped({ type: "message", ...said, interrupt: true }),
];

const restricted = (context: StageContext): boolean => writeScope[context.stage] !== "all";
const oneOf = (list: readonly AgentFailure[], failure: AgentFailure | undefined): boolean => failure !== undefined && list.some(({ kind }) => kind === failure.kind);
const owes = ({ stage, duty }: StageContext, outcome: TurnOutcome): boolean => (stage === "critic" && outcome.verdict === null) || (stage === "auditor" && outcome.audit === null) || (duty === "plan" && outcome.plan === undefined) || (duty === "criteria" && outcome.criteria === undefined);

/** The stage is over as `outcome`: at once, or after what it may not write is undone. */
const leaves = ({ to }: Edge, outcome: StageEnded["outcome"]): boolean =>
  restricted(contextOf(to)) ? at(to, "enforcing") && contextOf(to).ending === outcome : at(to, outcome);

/** In this state only these events mean anything, besides those of messages. */
const hears: Readonly<Record<string, readonly StageEvent["type"][]>> = {
  working: ["turn.ended", "turn.placed", "effect.failed", "cancel", "message"], interrupting: ["turn.ended", "turn.cancel.sent", "effect.failed", "cancel"], waiting: ["alarm.retry", "cancel"], asking: ["answer", "cancel"],
  enforcing: ["workspace.enforced", "effect.failed"], cancelling: ["turn.ended", "turn.cancel.sent", "effect.failed"],
};
/** States that take a turn's end. */
const takesTurn = ["working", "interrupting", "cancelling"] as const;

const idsOf = (list: readonly { readonly id: string }[]): readonly string[] => list.map(({ id }) => id);
/** Which messages this event says an agent has. */
const heardBy = (event: StageEvent | undefined): readonly string[] =>
  event?.type === "turn.heard" ? event.ids : event?.type === "turn.message.sent" && event.delivered ? [event.id] : event?.type === "turn.ended" ? (event.outcome.heard ?? []) : [];
const isKnown = (context: StageContext, id: string): boolean => [...idsOf(context.brief.messages), ...context.heard].includes(id);
/** The present try is over, says this answer to a cancel. */
const isAnswerToCancel = ({ event, from }: Reading): boolean => event?.type === "turn.cancel.sent" && (event.tryNumber ?? from.tryNumber) === from.tryNumber;

/** What must become of a turn that ended while the stage was working. */
const afterTurn = (edge: Edge, { from, outcome, failure }: Reading): boolean => {
  if (!outcome) return true;
  if (outcome.ended.how === "completed" && owes(from, outcome)) return from.reasks < 1 ? at(edge.to, "working") : leaves(edge, "failed") && contextOf(edge.to).failure === "noAnswer";
  if (outcome.ended.how === "completed") return leaves(edge, "done");
  if (outcome.ended.how === "question") return at(edge.to, "asking");
  if (outcome.ended.how === "cancelled") return leaves(edge, "cancelled");
  if (oneOf(capped, failure)) return leaves(edge, "exhausted") && same([contextOf(edge.to).infraFailures, contextOf(edge.to).crashes], [from.infraFailures, from.crashes]);
  if (oneOf(infra, failure)) return isWaitedFor(from, failure) ? at(edge.to, "waiting") : leaves(edge, "exhausted");
  if (oneOf(crash, failure)) return from.crashes < from.policy.crashRetries ? at(edge.to, "working") : leaves(edge, "exhausted");
  if (failure?.kind === "contextFull" && from.crashes < from.policy.crashRetries) return at(edge.to, "working");
  return failure?.kind === "interrupted" ? at(edge.to, "working") : leaves(edge, "failed");
};

export const exploration: Exploration = {
  inputs: [
    ...(["coder", "critic", "auditor", "tester"] as const).map((stage) => ({ name: stage, input: input(stage) })),
    ...(["criteria", "plan"] as const).map((duty) => ({ name: `planner, ${duty}`, input: input("planner", duty) })),
  ],
  events: [...alphabet],
  unattended: [...results],
  abstraction: (snapshot) => {
    const c = contextOf(snapshot);
    const messages = [idsOf(c.brief.messages).toSorted(), c.heard.toSorted()];
    // On the way out no counter is looked at any more.
    if (snapshot.matches("cancelling")) return { session: c.session.id, messages };
    if (c.ending !== null) return { ending: c.ending, failure: c.failure, enforced: c.enforced, messages };
    return {
      messages,
      infraFailures: c.infraFailures, refused: c.refused ?? 0, crashes: c.crashes, reasks: c.reasks, asks: c.question !== null, retryAt: when(c.retryAt), session: c.session.id,
      again: c.brief.again !== "", answered: c.brief.answer !== null,
    };
  },
  restStates: ["asking", "done", "failed", "cancelled", "exhausted"],
  states: [
    { name: "I1 infrastructure, refusals and crashes keep to caps of their own", holds: (s) => contextOf(s).infraFailures - (contextOf(s).refused ?? 0) <= contextOf(s).policy.infraRetries && (contextOf(s).refused ?? 0) <= (contextOf(s).policy.refusedRetries ?? 0) && contextOf(s).crashes <= contextOf(s).policy.crashRetries },
    { name: "I2 asked once more at most", holds: (s) => contextOf(s).reasks <= 1 },
    { name: "I2 nothing is done that owes an answer", holds: (s) => !at(s, "done") || ((contextOf(s).stage !== "critic" || contextOf(s).verdict !== null) && (contextOf(s).stage !== "auditor" || contextOf(s).audit !== null) && (contextOf(s).duty !== "plan" || same(contextOf(s).plan, plan)) && (contextOf(s).duty !== "criteria" || same(contextOf(s).criteria, criteria))) },
    { name: "I4 nothing ends unenforced, unless enforcement itself failed", holds: (s) => s.status === "active" || !restricted(contextOf(s)) || contextOf(s).enforced || (at(s, "failed") && contextOf(s).failure !== null) },
    { name: "a time to retry is set exactly while waiting", holds: (s) => at(s, "waiting") === (contextOf(s).retryAt !== null) },
    { name: "asking has its question", holds: (s) => !at(s, "asking") || contextOf(s).question !== null },
    { name: "failed and exhausted carry a reason and what kind of trouble; done carries none", holds: (s) => (!at(s, "failed", "exhausted") || (contextOf(s).reason !== "" && contextOf(s).failure !== null)) && (!at(s, "done") || (contextOf(s).reason === "" && contextOf(s).failure === null)) },
    { name: "cancelled says so", holds: (s) => !at(s, "cancelled") || contextOf(s).reason === "cancelled" },
  ],
  first: [
    { name: "the first step asks for one turn, and nothing else", holds: (first) => at(first.to, "working") && first.actions.length === 1 && asked(first, "turn").length === 1 && asked(first, "turn").every((turn) => turn["tryNumber"] === 1 && turn["stage"] === contextOf(first.to).stage && turn["duty"] === contextOf(first.to).duty && same(turn["brief"], contextOf(first.to).brief)) },
  ],
  edges: [
    { name: "I1 infrastructure counts as infrastructure, up to its cap, and nothing else does", holds: (e) => { const { from, to, failure } = read(e); return to.infraFailures === from.infraFailures + (at(e.from, "working", "interrupting") && isWaitedFor(from, failure) ? 1 : 0); } },
    { name: "I1 a provider's refusals are counted among the infrastructure, and apart", holds: (e) => { const { from, to, failure } = read(e); return (to.refused ?? 0) === (from.refused ?? 0) + (at(e.from, "working", "interrupting") && isRefusal(failure) && isWaitedFor(from, failure) ? 1 : 0); } },
    { name: "I1 crashes and full contexts count as crashes, up to their cap, and nothing else does", holds: (e) => { const { from, to, failure } = read(e); return to.crashes === from.crashes + (at(e.from, "working", "interrupting") && oneOf([...crash, full], failure) && from.crashes < from.policy.crashRetries ? 1 : 0); } },
    { name: "I2 a missing answer is asked for again, once, and said in the brief of that turn only; so is a full context", holds: (e) => {
      const { from, to, outcome, failure } = read(e), again = at(e.from, "working") && outcome?.ended.how === "completed" && owes(from, outcome) && from.reasks < 1;
      return to.reasks === from.reasks + (again ? 1 : 0) && implies(outcome !== undefined && at(e.from, "working"), () => (to.brief.again !== "") === (again || failure?.kind === "contextFull"));
    } },
    { name: "each end of a turn leads where it must", holds: (e) => implies(at(e.from, "working"), () => afterTurn(e, read(e))) },
    { name: "I6 a turn that a person interrupted is followed by another, unless it had trouble of its own", holds: (e) => {
      const r = read(e), { event, outcome, failure, to } = r;
      if (!at(e.from, "interrupting")) return true;
      if (outcome) return outcome.ended.how !== "failed" || failure?.kind === "interrupted" ? at(e.to, "working") && to.question === null : afterTurn(e, r);
      return event?.type !== "turn.cancel.sent" || (isAnswerToCancel(r) ? at(e.to, "working") : ignored(e));
    } },
    { name: "I6 a message that interrupts ends the turn that runs; where none runs, or after it was said, it ends nothing", holds: (e) => {
      const { event, from } = read(e), interrupts = at(e.from, "working") && event?.type === "message" && event.interrupt && !isKnown(from, event.id);
      return (at(e.to, "interrupting") && !at(e.from, "interrupting")) === interrupts && (at(e.from, "working") || event?.type !== "message" || same(e.from.value, e.to.value));
    } },
    { name: "I5 a message is known once: waiting or heard, never both; heard ones stay heard", holds: (e) => {
      const { from, to } = read(e), waiting = idsOf(to.brief.messages);
      return new Set([...waiting, ...to.heard]).size === waiting.length + to.heard.length && from.heard.every((id) => to.heard.includes(id));
    } },
    { name: "I5 what is new waits with its text; what an agent has waits no more; nothing else changes what waits", holds: (e) => {
      const { from, to, event } = read(e);
      if (e.from.status !== "active") return true;
      const takes = event?.type === "message" && !isKnown(from, event.id);
      const heard = event?.type === "turn.ended" && !at(e.from, ...takesTurn) ? [] : heardBy(event);
      const waits = [...from.brief.messages.filter(({ id }) => !heard.includes(id)), ...(takes ? [{ id: event.id, text: event.text }] : [])];
      return same(to.brief.messages, waits) && same(to.heard, [...from.heard, ...idsOf(from.brief.messages).filter((id) => heard.includes(id))]);
    } },
    { name: "I5 a message for the turn that runs is given to that turn, once; none is without one", holds: (e) => {
      const { event, from, to } = read(e), says = asked(e, "turn.message");
      const must = at(e.from, "working") && event?.type === "message" && !event.interrupt && !isKnown(from, event.id);
      return says.length === (must ? 1 : 0) && says.every((effect) => event?.type === "message" && effect["id"] === event.id && effect["text"] === event.text && effect["tryNumber"] === to.tryNumber);
    } },
    { name: "the pipeline hears at once of what a running turn took", holds: (e) => {
      const { event, from } = read(e), news = told(e, "stage.heard"), ids = idsOf(from.brief.messages).filter((id) => heardBy(event).includes(id));
      const must = e.from.status === "active" && event?.type !== "turn.ended" && ids.length > 0;
      return news.length === (must ? 1 : 0) && news.every(({ to: whom, event: told }) => whom === from.pipeline && same(told["ids"], ids));
    } },
    { name: "a turn that could not be run fails the stage; a message that could not be said does not", holds: (e) => implies(at(e.from, "working", "interrupting") && e.event.type === "effect.failed", () => { const { event } = read(e); return event?.type === "effect.failed" && event.kind === "turn" ? leaves(e, "failed") : ignored(e); }) },
    { name: "every entry into work asks for exactly one turn, with the session, try and brief as they are now; nothing else asks", holds: (e) => {
      const turns = asked(e, "turn"), { to, outcome } = read(e), enters = at(e.to, "working") && (!at(e.from, "working") || outcome !== undefined);
      return turns.length === (enters ? 1 : 0) && turns.every((t) => t["tryNumber"] === to.tryNumber && t["sessionId"] === to.session.id && t["sessionCostUsd"] === to.session.costUsd && same(t["brief"], to.brief) && t["stage"] === to.stage && t["duty"] === to.duty && t["leg"] === (to.stage === "critic" ? "4" : undefined));
    } },
    { name: "every further turn has a number of its own", holds: (e) => {
      const r = read(e), { from, to, outcome } = r, over = at(e.from, "working", "interrupting") && (outcome !== undefined || (at(e.from, "interrupting") && isAnswerToCancel(r)));
      return to.tryNumber === from.tryNumber + ((over && at(e.to, "waiting", "working")) || (at(e.from, "asking") && at(e.to, "working")) ? 1 : 0);
    } },
    { name: "where the turn of this try is counts, until the next try; an earlier try's is nothing", holds: (e) => {
      const { from, to, event } = read(e), taken = at(e.from, "working") && event?.type === "turn.placed" && event.tryNumber === from.tryNumber;
      return same(to.place ?? null, taken ? place : to.tryNumber === from.tryNumber ? (from.place ?? null) : null) && implies(event?.type === "turn.placed" && !taken, () => ignored(e)) && implies(taken, () => e.actions.length === 0);
    } },
    { name: "a turn's cost, text, verdict, audit and denials are taken once", holds: (e) => {
      const { from, to, outcome, failure } = read(e);
      return outcome && at(e.from, ...takesTurn)
        ? to.costUsd === from.costUsd + 0.25 && to.session.costUsd === (endsSession(failure) ? 0 : Math.max(from.session.costUsd, 0.75)) && same(to.denials, outcome.permissionDenials) && same(to.verdict, outcome.verdict ?? from.verdict) && same(to.audit, outcome.audit ?? from.audit) && (to.duty === undefined || same([to.plan, to.criteria], [outcome.plan ?? null, outcome.criteria ?? null])) && (outcome.ended.how !== "completed" || to.text === outcome.ended.text)
        : to.costUsd === from.costUsd && same([to.denials, to.verdict, to.audit, to.text], [from.denials, from.verdict, from.audit, from.text]);
    } },
    { name: "I7 the ledger is told once of each turn that ended, in the same step, and of nothing else", holds: (e) => {
      const { outcome } = read(e), news = told(e, "spent"), takes = outcome !== undefined && at(e.from, ...takesTurn);
      return news.length === (takes ? 1 : 0) && news.every(({ to, event }) => to === spendAddress && same(event["charge"], outcome?.spend ?? null));
    } },
    { name: "the session is kept over crashes and waits, and dropped when it is bad", holds: (e) => {
      const { from, to, outcome, failure } = read(e);
      if (!outcome || !at(e.from, ...takesTurn)) return same(to.session, from.session);
      return to.session.id === (endsSession(failure) ? null : (outcome.sessionId ?? from.session.id));
    } },
    { name: "trouble is named by its kind", holds: (e) => {
      const { to, failure, event } = read(e);
      if (at(e.from, "working", "interrupting") && failure && failure.kind !== "interrupted" && !(oneOf([...crash, full], failure) && at(e.to, "working"))) return to.failure === (oneOf(infra, failure) ? "infra" : oneOf(crash, failure) ? "crash" : oneOf(capped, failure) ? "cap" : failure.kind === "contextFull" ? "context" : failure.kind) && to.reason !== "";
      return implies(event?.type === "effect.failed" && ((at(e.from, "working", "interrupting") && event.kind === "turn") || (at(e.from, "enforcing") && event.kind === "workspace.enforce")), () => to.failure === (event?.type === "effect.failed" && event.class === "environment" ? "environment" : "infra") && to.reason.includes(message));
    } },
    { name: "the alarm is set on entering the wait, at the backoff or the later time that the provider named, and cleared on leaving it", holds: (e) => {
      const { from, to, failure } = read(e);
      if (at(e.to, "waiting") && !at(e.from, "waiting")) return alarm(e, "retry") === to.retryAt && to.retryAt === Math.max(now + backoffMs(from.policy, from.infraFailures + 1), (failure?.kind === "rateLimited" ? failure.until : null) ?? 0);
      return alarm(e, "retry") === (at(e.from, "waiting") && !at(e.to, "waiting") ? null : undefined);
    } },
    { name: "the alarm leads back to work", holds: (e) => implies(at(e.from, "waiting") && e.event.type === "alarm.retry", () => at(e.to, "working")) },
    { name: "a question reaches the pipeline once, and only then", holds: (e) => { const asks = told(e, "stage.asks"), { to } = read(e); return asks.length === (at(e.to, "asking") && !at(e.from, "asking") ? 1 : 0) && asks.every((t) => t.to === to.pipeline && t.event["question"] === to.question && t.event["stage"] === to.stage && same(t.event["heard"], to.heard)); } },
    { name: "an answer reaches the next turn with its question", holds: (e) => implies(at(e.from, "asking") && e.event.type === "answer", () => at(e.to, "working") && same(contextOf(e.to).brief.answer, { question: contextOf(e.from).question, answer: "the first" }) && contextOf(e.to).question === null) },
    { name: "I3 a cancel while a turn runs ends the turn first", holds: (e) => implies(at(e.from, "working", "interrupting") && e.event.type === "cancel", () => at(e.to, "cancelling"))
      && asked(e, "turn.cancel").length === ((at(e.to, "cancelling") && !at(e.from, "cancelling")) || (at(e.to, "interrupting") && !at(e.from, "interrupting")) ? 1 : 0) && asked(e, "turn.cancel").every((cancel) => cancel["tryNumber"] === contextOf(e.from).tryNumber) },
    { name: "I3 cancelling ends with the turn, or when there is none any more", holds: (e) => implies(at(e.from, "cancelling"), () => {
      const r = read(e), { event } = r, over = event?.type === "turn.ended" || isAnswerToCancel(r) || (event?.type === "effect.failed" && event.kind === "turn");
      return over ? leaves(e, "cancelled") : ignored(e) || ((event?.type === "message" || heardBy(event).length > 0) && at(e.to, "cancelling"));
    }) },
    { name: "a cancelled stage says so", holds: (e) => implies(contextOf(e.from).ending === null && contextOf(e.to).ending === "cancelled", () => contextOf(e.to).reason === "cancelled") },
    { name: "a cancel is heard wherever no turn runs", holds: (e) => implies(at(e.from, "waiting", "asking") && e.event.type === "cancel", () => leaves(e, "cancelled")) },
    { name: "I4 what may not be written is undone, measured from the head before the stage, before the end", holds: (e) => {
      const enforce = asked(e, "workspace.enforce"), { from, to, event } = read(e);
      return enforce.length === (at(e.to, "enforcing") && !at(e.from, "enforcing") ? 1 : 0) && enforce.every((f) => f["since"] === to.since && f["stage"] === to.stage)
        && implies(at(e.from, "enforcing") && event?.type === "workspace.enforced", () => at(e.to, from.ending ?? "?") && to.enforced && event?.type === "workspace.enforced" && same(to.undone, event.undone))
        && implies(at(e.from, "enforcing") && event?.type === "effect.failed", () => event?.type === "effect.failed" && event.kind === "workspace.enforce" ? at(e.to, "failed") : ignored(e));
    } },
    { name: "the pipeline hears the end once, as it was, and nothing before it", holds: (e) => {
      const ends = told(e, "stage.ended"), { to } = read(e), over = e.from.status === "active" && e.to.status !== "active";
      return ends.length === (over ? 1 : 0) && ends.every(({ to: whom, event }) => whom === to.pipeline && e.to.value === event["outcome"] && event["stage"] === to.stage && event["iteration"] === to.iteration && event["reason"] === to.reason && event["failure"] === to.failure
        && same(event["verdict"], to.verdict) && same([event["plan"], event["criteria"]], to.duty === undefined ? [undefined, undefined] : [to.plan ?? null, to.criteria ?? null]) && same(event["audit"], to.audit) && same(event["session"], to.session) && event["costUsd"] === to.costUsd && same(event["undone"], to.undone) && same(event["denials"], to.denials) && event["text"] === to.text && same(event["heard"], to.heard));
    } },
    { name: "stale and misplaced events change nothing", holds: (e) => implies(e.from.status === "active" && !(hears[String(e.from.value)] ?? []).some((type) => type === e.event.type), () => ignored(e) || (e.event.type !== "turn.ended" && (e.event.type === "message" || heardBy(read(e).event).length > 0) && same(e.from.value, e.to.value))) },
  ],
};
