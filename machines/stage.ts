import { assign, setup } from "xstate";
import type { AdapterName, CliSession, TurnOutcome, AgentFailure } from "../src/domain/agent.ts";
import { infraKinds, refusedKinds } from "../src/domain/agent.ts";
import { emptyBrief, type TurnBrief, type WorkspaceRef } from "../src/domain/effects.ts";
import type { Address } from "../src/domain/ids.ts";
import type { TurnPlace } from "../src/domain/routing.ts";
import type { WorkItem } from "../src/domain/work-item.ts";
import { backoffMs, defaultRefusedRetries, type Policy } from "../src/domain/policy.ts";
import { writeScope, type Stage } from "../src/domain/stage.ts";
import type { PlannerDuty, TeamCriteria, TeamPlan } from "../src/domain/team-answers.ts";
import { sessionOnwards } from "../src/domain/turn-outcome.ts";
import type { Audit, Verdict } from "../src/domain/verdict.ts";
import { chartOptions, hostActions, type EffectFailed, type Stamp } from "./durable.ts";
import { tellSpent } from "./spend.ts";

/**
 * One stage of one iteration: asks for a turn until the stage has what it owes (a commit-worthy turn, a verdict, an audit, criteria, a plan),
 * waits for a human when the agent asks, and enforces what the stage may write.
 *
 * I1 Infrastructure failures never count as crashes, crashes never as work failures; each has its own cap, and so have a provider's refusals among the first.
 * I2 A critic without a verdict, or a planner without what its duty asks for, is asked once more, then the stage fails; it never becomes a `revise`.
 * I3 A turn or an enforcement that was started is always awaited: no final state while one may still run, except after the host gave up on it.
 * I4 What the stage may not write is undone before it ends, however it ends: the next stage works in the same worktree.
 * I5 A message is given to no turn after one that has it, and is in the brief of every turn until then; a stage that ends without it says so by silence,
 * and the pipeline keeps it. I6 A person who interrupts costs the stage no try of its caps.
 * I7 The ledger is told what each turn used in the step that takes in its end. I8 A turn that a cap of the spending kept from beginning ends the
 * stage as exhausted: nothing is tried again and nothing is counted.
 */
export interface StageInput {
  readonly pipeline: Address;
  readonly stage: Stage;
  readonly item: Pick<WorkItem, "id" | "title" | "body" | "kind">;
  readonly attempt: number;
  readonly iteration: number;
  readonly adapter: AdapterName;
  readonly model: string | null;
  readonly timeoutMs: number;
  readonly workspace: WorkspaceRef;
  readonly repository: string;
  /** Head before the stage; what it changes is measured from here. */
  readonly since: string;
  readonly playbook: string | null;
  readonly brief: TurnBrief;
  readonly session: CliSession;
  /** Of a planner: what it owes. */
  readonly duty?: PlannerDuty;
  readonly policy: Pick<Policy, "infraRetries" | "refusedRetries" | "crashRetries" | "retryBaseMs" | "retryMaxMs" | "stallMs">;
  /** Of a leg with a progress watcher of its own. */
  readonly leg?: string;
}

export interface StageContext extends StageInput {
  readonly tryNumber: number;
  /** Of the turn of this try, where that is not with the adapter that was asked for or not begun yet. */
  readonly place?: TurnPlace | null;
  readonly infraFailures: number;
  /** Of these, refusals of the provider: for its limit, or for being overloaded. */
  readonly refused?: number;
  /** Crashes, and sessions that were full. */
  readonly crashes: number;
  readonly reasks: number;
  readonly question: string | null;
  readonly retryAt: number | null;
  readonly costUsd: number;
  readonly verdict: Verdict | null;
  readonly audit: Audit | null;
  readonly plan?: TeamPlan | null;
  readonly criteria?: TeamCriteria | null;
  readonly text: string;
  readonly undone: readonly string[];
  readonly denials: readonly string[];
  /** Git's own files that changed while an agent of this stage worked. */
  readonly touched?: readonly string[];
  /** Why the stage did not do its work; empty while it may. */
  readonly reason: string;
  readonly failure: StageFailure | null;
  /** How it ends, once that is decided. */
  readonly ending: StageEnded["outcome"] | null;
  readonly enforced: boolean;
  /** Messages that an agent of this stage has. Those it does not have yet are in `brief.messages`. */
  readonly heard: readonly string[];
}

/** What kind of trouble ended a stage: the pipeline decides by it. */
export type StageFailure = "infra" | "crash" | "context" | "overlong" | "timeout" | "stalled" | "auth" | "model" | "noAnswer" | "environment" | "cap";

/** What a pipeline hears from its stage when it is over. */
export interface StageEnded {
  readonly type: "stage.ended";
  readonly stage: Stage;
  readonly iteration: number;
  readonly outcome: "done" | "failed" | "cancelled" | "exhausted";
  readonly failure: StageFailure | null;
  readonly reason: string;
  readonly verdict: Verdict | null;
  readonly audit: Audit | null;
  /** A planner's. */
  readonly plan?: TeamPlan | null;
  readonly criteria?: TeamCriteria | null;
  readonly text: string;
  readonly undone: readonly string[];
  /** What the agent wanted to do and was not let. */
  readonly denials: readonly string[];
  /** Git's own files of the repository that changed meanwhile. */
  readonly touched?: readonly string[];
  readonly session: CliSession;
  readonly costUsd: number;
  /** Ids of the messages that an agent of this stage has. */
  readonly heard?: readonly string[];
}

export type StageEvent = (
  | { readonly type: "turn.ended"; readonly outcome: TurnOutcome }
  | { readonly type: "workspace.enforced"; readonly undone: readonly string[] }
  | { readonly type: "answer"; readonly text: string }
  | { readonly type: "cancel" }
  /** The answer to `turn.cancel`: no turn of this stage runs any more, and what ended was told before. */
  | { readonly type: "turn.cancel.sent"; readonly tryNumber?: number }
  | { readonly type: "message"; readonly id: string; readonly text: string; readonly interrupt: boolean }
  | { readonly type: "turn.placed"; readonly tryNumber: number; readonly place: TurnPlace }
  /** The running turn has these messages. */
  | { readonly type: "turn.heard"; readonly ids: readonly string[] }
  /** The answer to `turn.message`. */
  | { readonly type: "turn.message.sent"; readonly id: string; readonly delivered: boolean }
  | { readonly type: "alarm.retry" }
  | EffectFailed
) & Stamp;

const failureOf = (event: StageEvent): AgentFailure | undefined =>
  event.type === "turn.ended" && event.outcome.ended.how === "failed" ? event.outcome.ended.failure : undefined;

const reasonOf = (failure: AgentFailure): string => {
  switch (failure.kind) {
    case "timeout": return `the turn took longer than ${Math.round(failure.afterMs / 1000)} s`;
    case "stalled": return `no output and no CPU use for ${Math.round(failure.afterMs / 1000)} s`;
    case "interrupted": return "the factory was stopped";
    // What the CLI says of it differs each time; the trouble does not.
    case "contextFull": return "its context was full, again in a new session";
    case "overlong": return "its answer was longer than one may be, and did not come to an end";
    default: return failure.message;
  }
};

/** What the next turn is told, which has a session of its own and finds the work of the one before. */
const afterFullContext = (stage: Stage): string => `Your session so far ended because its context was full.${writeScope[stage] === "nothing" ? "" : " What it did is in the worktree: look at that first (git status, git diff), and go on from there."} Read no more than you need.`;

const stageFailure: Readonly<Record<AgentFailure["kind"], StageFailure>> = {
  rateLimited: "infra", overloaded: "infra", movedOn: "infra", network: "infra", spawn: "infra", interrupted: "infra",
  crashed: "crash", noResult: "crash", badSession: "crash", contextFull: "context", overlong: "overlong",
  auth: "auth", model: "model", timeout: "timeout", stalled: "stalled", capReached: "cap",
};

const crashKinds: ReadonlySet<AgentFailure["kind"]> = new Set(["crashed", "noResult", "badSession"]);
const isContextFull = (event: StageEvent): boolean => failureOf(event)?.kind === "contextFull";

const completed = (event: StageEvent): boolean => event.type === "turn.ended" && event.outcome.ended.how === "completed";

const isNewMessage = (context: StageContext, event: StageEvent): boolean =>
  event.type === "message" && !context.heard.includes(event.id) && context.brief.messages.every(({ id }) => id !== event.id);

/** Critics owe a verdict, auditors an audit, planners what their duty says; the others owe only their work. */
const owed = ({ stage, duty }: StageContext): "verdict" | "audit" | PlannerDuty | undefined => (stage === "critic" ? "verdict" : stage === "auditor" ? "audit" : stage === "planner" ? duty : undefined);

const lacksAnswer = (context: StageContext, event: StageEvent): boolean => {
  const what = owed(context);
  return event.type === "turn.ended" && what !== undefined && (event.outcome[what] ?? null) === null;
};

const isInfra = (event: StageEvent): boolean => {
  const failure = failureOf(event);
  return failure !== undefined && infraKinds.has(failure.kind);
};

const isRefused = (event: StageEvent): boolean => {
  const failure = failureOf(event);
  return failure !== undefined && refusedKinds.has(failure.kind);
};

const isCrash = (event: StageEvent): boolean => {
  const failure = failureOf(event);
  return failure !== undefined && crashKinds.has(failure.kind);
};

/** Messages that an agent has, by this event. */
const heardIn = (event: StageEvent): readonly string[] => {
  switch (event.type) {
    case "turn.heard": return event.ids;
    case "turn.message.sent": return event.delivered ? [event.id] : [];
    case "turn.ended": return event.outcome.heard ?? [];
    default: return [];
  }
};

/** Of these, the ones that were still waiting. */
const newlyHeard = (context: StageContext, event: StageEvent): readonly string[] => {
  const ids = heardIn(event);
  return context.brief.messages.map(({ id }) => id).filter((id) => ids.includes(id));
};

const tellEnded = (outcome: StageEnded["outcome"]) => ({
  type: "tell" as const,
  params: ({ context: c }: { readonly context: StageContext }) => {
    const event: StageEnded = {
      type: "stage.ended", stage: c.stage, iteration: c.iteration, outcome, failure: c.failure, reason: c.reason,
      verdict: c.verdict, audit: c.audit, ...(c.duty === undefined ? {} : { plan: c.plan ?? null, criteria: c.criteria ?? null }), text: c.text, undone: c.undone, denials: c.denials, ...(c.touched === undefined ? {} : { touched: c.touched }), session: c.session, costUsd: c.costUsd, heard: c.heard,
    };
    return { to: c.pipeline, event: { ...event } };
  },
});

const endAs = (outcome: StageEnded["outcome"]) => ({ type: "endAs" as const, params: { outcome } });

const tellHeard = {
  type: "tell" as const,
  params: ({ context, event }: { readonly context: StageContext; readonly event: StageEvent }) => ({ to: context.pipeline, event: { type: "stage.heard", ids: newlyHeard(context, event) } }),
};

/** The end of a turn is taken in. */
const takeTurn = ["adoptTurn", tellSpent] as const;

/** A turn that ended by trouble: what that leads to does not depend on who else wanted it ended. */
const afterTrouble = [
  { guard: "isCapped", target: "leaving", actions: [...takeTurn, "noteFailure", endAs("exhausted")] },
  { guard: "refusedWithinCap", target: "waiting", actions: [...takeTurn, "countInfra", "countRefused", "setRetry", "noteFailure", "nextTry"] },
  { guard: "infraWithinCap", target: "waiting", actions: [...takeTurn, "countInfra", "setRetry", "noteFailure", "nextTry"] },
  { guard: "isInfra", target: "leaving", actions: [...takeTurn, "noteFailure", endAs("exhausted")] },
  { guard: "crashWithinCap", target: "working", reenter: true, actions: [...takeTurn, "countCrash", "nextTry"] },
  { guard: "isCrash", target: "leaving", actions: [...takeTurn, "noteFailure", endAs("exhausted")] },
  // A context that is full again and again is trouble with the work: too much for one turn.
  { target: "leaving", actions: [...takeTurn, "noteFailure", endAs("failed")] },
] as const;

/** The turn of the present try, and no other: a late effect must not end the next one. */
const cancelTurn = { type: "effect" as const, params: ({ context }: { readonly context: StageContext }) => ({ kind: "turn.cancel" as const, tryNumber: context.tryNumber }) };

export const stageMachine = setup({
  types: {} as { context: StageContext; events: StageEvent; input: StageInput },
  actions: {
    ...hostActions,
    adoptTurn: assign(({ context, event }) => {
      if (event.type !== "turn.ended") return {};
      const { outcome } = event;
      return {
        costUsd: context.costUsd + outcome.costUsd,
        session: sessionOnwards(context.session, outcome),
        verdict: outcome.verdict ?? context.verdict,
        audit: outcome.audit ?? context.audit,
        ...(context.duty === undefined ? {} : { plan: outcome.plan ?? null, criteria: outcome.criteria ?? null }),
        denials: outcome.permissionDenials,
        ...(outcome.touched === undefined ? {} : { touched: [...new Set([...context.touched ?? [], ...outcome.touched])].slice(0, 20) }),
        text: outcome.ended.how === "completed" ? outcome.ended.text : context.text,
        question: outcome.ended.how === "question" ? outcome.ended.text : null,
        brief: { ...context.brief, again: isContextFull(event) ? afterFullContext(context.stage) : "", messages: context.brief.messages.filter(({ id }) => !heardIn(event).includes(id)) },
        heard: [...context.heard, ...newlyHeard(context, event)],
        reason: "",
        failure: null,
      };
    }),
    addMessage: assign(({ context, event }) => (event.type === "message" ? { brief: { ...context.brief, messages: [...context.brief.messages, { id: event.id, text: event.text }] } } : {})),
    takeHeard: assign(({ context, event }) => ({
      brief: { ...context.brief, messages: context.brief.messages.filter(({ id }) => !heardIn(event).includes(id)) },
      heard: [...context.heard, ...newlyHeard(context, event)],
    })),
    /** The person who interrupted the turn knows better than to be asked. */
    dropQuestion: assign({ question: null }),
    nextTry: assign(({ context }) => ({ tryNumber: context.tryNumber + 1, place: null })),
    takePlace: assign(({ event }) => (event.type === "turn.placed" ? { place: event.place } : {})),
    countInfra: assign(({ context }) => ({ infraFailures: context.infraFailures + 1 })),
    countRefused: assign(({ context }) => ({ refused: (context.refused ?? 0) + 1 })),
    countCrash: assign(({ context }) => ({ crashes: context.crashes + 1 })),
    countReask: assign(({ context }) => ({
      reasks: context.reasks + 1,
      brief: { ...context.brief, again: `Your last answer carried no valid ${owed(context) ?? ""}. Give it now, in the form asked for.` },
    })),
    setRetry: assign(({ context, event }) => {
      const failure = failureOf(event);
      const named = failure?.kind === "rateLimited" ? failure.until : null;
      return { retryAt: Math.max(event.at + backoffMs(context.policy, context.infraFailures), named ?? 0) };
    }),
    clearRetry: assign({ retryAt: null }),
    takeAnswer: assign(({ context, event }) =>
      event.type === "answer" && context.question !== null ? { question: null, brief: { ...context.brief, answer: { question: context.question, answer: event.text } } } : {}),
    noteFailure: assign(({ event }) => {
      const failure = failureOf(event);
      if (failure) return { failure: stageFailure[failure.kind], reason: reasonOf(failure) };
      if (event.type === "effect.failed") return { failure: event.class === "environment" ? "environment" as const : "infra" as const, reason: event.mend ? `${event.message} (${event.mend})` : event.message };
      return {};
    }),
    noteNoAnswer: assign(({ context }) => ({ failure: "noAnswer" as const, reason: `the ${context.stage} gave no valid ${owed(context) ?? ""}, twice` })),
    noteEnforced: assign(({ event }) => (event.type === "workspace.enforced" ? { undone: event.undone, enforced: true } : {})),
    endAs: assign((_, params: { readonly outcome: StageEnded["outcome"] }) => ({ ending: params.outcome })),
    noteCancelled: assign({ reason: "cancelled" }),
  },
  guards: {
    completed: ({ event }) => completed(event),
    owesAnswer: ({ context, event }) => completed(event) && lacksAnswer(context, event),
    mayReask: ({ context, event }) => completed(event) && lacksAnswer(context, event) && context.reasks < 1,
    asks: ({ event }) => event.type === "turn.ended" && event.outcome.ended.how === "question",
    wasCancelled: ({ event }) => event.type === "turn.ended" && event.outcome.ended.how === "cancelled",
    isNewMessage: ({ context, event }) => isNewMessage(context, event),
    interrupts: ({ context, event }) => isNewMessage(context, event) && event.type === "message" && event.interrupt,
    newlyHeard: ({ context, event }) => newlyHeard(context, event).length > 0,
    /** An older cancel may be answered late. */
    thisTryIsOver: ({ context, event }) => event.type === "turn.cancel.sent" && (event.tryNumber ?? context.tryNumber) === context.tryNumber,
    /** It ended, by itself or because it was told to, and could go on. */
    mayGoOn: ({ event }) => event.type === "turn.ended" && (event.outcome.ended.how !== "failed" || event.outcome.ended.failure.kind === "interrupted"),
    ofThisTry: ({ context, event }) => event.type === "turn.placed" && event.tryNumber === context.tryNumber,
    enforcementGaveUp: ({ event }) => event.type === "effect.failed" && event.kind === "workspace.enforce",
    turnGaveUp: ({ event }) => event.type === "effect.failed" && event.kind === "turn",
    wasInterrupted: ({ event }) => failureOf(event)?.kind === "interrupted",
    refusedWithinCap: ({ context, event }) => isRefused(event) && (context.refused ?? 0) < (context.policy.refusedRetries ?? defaultRefusedRetries),
    infraWithinCap: ({ context, event }) => isInfra(event) && !isRefused(event) && context.infraFailures - (context.refused ?? 0) < context.policy.infraRetries,
    isInfra: ({ event }) => isInfra(event),
    crashWithinCap: ({ context, event }) => (isCrash(event) || isContextFull(event)) && context.crashes < context.policy.crashRetries,
    isCrash: ({ event }) => isCrash(event),
    /** I8. */
    isCapped: ({ event }) => failureOf(event)?.kind === "capReached",
    /** I4. */
    mustEnforce: ({ context }) => writeScope[context.stage] !== "all" && !context.enforced,
    ends: ({ context }, params: { readonly as: StageEnded["outcome"] }) => context.ending === params.as,
  },
}).createMachine({
  id: "stage",
  options: chartOptions,
  context: ({ input }) => ({
    ...input, brief: { ...emptyBrief, ...input.brief }, heard: [], tryNumber: 1, infraFailures: 0, crashes: 0, reasks: 0, question: null, retryAt: null, costUsd: 0,
    verdict: null, audit: null, text: "", undone: [], denials: [], reason: "", failure: null, ending: null, enforced: false,
  }),
  initial: "working",
  on: {
    "turn.heard": { guard: "newlyHeard", actions: [tellHeard, "takeHeard"] },
    "turn.message.sent": { guard: "newlyHeard", actions: [tellHeard, "takeHeard"] },
    // For the next turn, if there is one; the pipeline keeps it too.
    message: { guard: "isNewMessage", actions: "addMessage" },
  },
  states: {
    working: {
      entry: {
        type: "effect",
        params: ({ context: c }) => ({
          kind: "turn", item: c.item, attempt: c.attempt, stage: c.stage, iteration: c.iteration, tryNumber: c.tryNumber,
          adapter: c.adapter, model: c.model, workspace: c.workspace, repository: c.repository,
          sessionId: c.session.id, sessionCostUsd: c.session.costUsd, ...(c.session.usage === undefined ? {} : { sessionUsage: c.session.usage }), ...(c.session.adapter === undefined ? {} : { sessionAdapter: c.session.adapter }), timeoutMs: c.timeoutMs, stallMs: c.policy.stallMs,
          playbook: c.playbook, brief: c.brief, since: c.since, ...(c.duty === undefined ? {} : { duty: c.duty }), ...(c.leg === undefined ? {} : { leg: c.leg }),
        }),
      },
      on: {
        "turn.ended": [
          { guard: "mayReask", target: "working", reenter: true, actions: [...takeTurn, "countReask", "nextTry"] },
          { guard: "owesAnswer", target: "leaving", actions: [...takeTurn, "noteNoAnswer", endAs("failed")] },
          { guard: "completed", target: "leaving", actions: [...takeTurn, endAs("done")] },
          { guard: "asks", target: "asking", actions: [...takeTurn] },
          { guard: "wasCancelled", target: "leaving", actions: [...takeTurn, "noteCancelled", endAs("cancelled")] },
          { guard: "wasInterrupted", target: "working", reenter: true, actions: [...takeTurn, "nextTry"] },
          ...afterTrouble,
        ],
        "turn.placed": { guard: "ofThisTry", actions: "takePlace" },
        "effect.failed": { guard: "turnGaveUp", target: "leaving", actions: ["noteFailure", endAs("failed")] },
        message: [
          { guard: "interrupts", target: "interrupting", actions: "addMessage" },
          { guard: "isNewMessage", actions: ["addMessage", { type: "effect", params: ({ context, event }) => ({ kind: "turn.message", id: event.type === "message" ? event.id : "", text: event.type === "message" ? event.text : "", tryNumber: context.tryNumber }) }] },
        ],
        cancel: "cancelling",
      },
    },
    /** A person ended the turn to say something: the next one begins with it, in the same session (I6). */
    interrupting: {
      entry: cancelTurn,
      on: {
        "turn.ended": [
          { guard: "mayGoOn", target: "working", actions: [...takeTurn, "dropQuestion", "nextTry"] },
          ...afterTrouble,
        ],
        "turn.cancel.sent": { guard: "thisTryIsOver", target: "working", actions: "nextTry" },
        "effect.failed": { guard: "turnGaveUp", target: "leaving", actions: ["noteFailure", endAs("failed")] },
        cancel: "cancelling",
      },
    },
    waiting: {
      entry: { type: "alarm", params: ({ context }) => ({ name: "retry", at: context.retryAt }) },
      exit: ["clearRetry", { type: "alarm", params: { name: "retry", at: null } }],
      on: {
        "alarm.retry": "working",
        cancel: { target: "leaving", actions: ["noteCancelled", endAs("cancelled")] },
      },
    },
    asking: {
      entry: { type: "tell", params: ({ context }) => ({ to: context.pipeline, event: { type: "stage.asks", stage: context.stage, question: context.question, heard: context.heard } }) },
      on: {
        answer: { target: "working", actions: ["takeAnswer", "nextTry"] },
        cancel: { target: "leaving", actions: ["noteCancelled", endAs("cancelled")] },
      },
    },
    leaving: {
      always: [
        { guard: "mustEnforce", target: "enforcing" },
        { guard: { type: "ends", params: { as: "done" } }, target: "done" },
        { guard: { type: "ends", params: { as: "cancelled" } }, target: "cancelled" },
        { guard: { type: "ends", params: { as: "exhausted" } }, target: "exhausted" },
        { target: "failed" },
      ],
    },
    /** A cancel changes nothing here: the enforcement always answers, and must not undo what the next stage writes. */
    enforcing: {
      entry: { type: "effect", params: ({ context }) => ({ kind: "workspace.enforce", item: context.item.id, workspace: context.workspace, since: context.since, stage: context.stage }) },
      on: {
        "workspace.enforced": { target: "leaving", actions: "noteEnforced" },
        "effect.failed": { guard: "enforcementGaveUp", target: "failed", actions: "noteFailure" },
      },
    },
    cancelling: {
      entry: cancelTurn,
      on: {
        "turn.ended": { target: "leaving", actions: [...takeTurn, "noteCancelled", endAs("cancelled")] },
        "turn.cancel.sent": { guard: "thisTryIsOver", target: "leaving", actions: ["noteCancelled", endAs("cancelled")] },
        "effect.failed": { guard: "turnGaveUp", target: "leaving", actions: ["noteCancelled", endAs("cancelled")] },
      },
    },
    done: { type: "final", entry: tellEnded("done") },
    failed: { type: "final", entry: tellEnded("failed") },
    cancelled: { type: "final", entry: tellEnded("cancelled") },
    exhausted: { type: "final", entry: tellEnded("exhausted") },
  },
});
