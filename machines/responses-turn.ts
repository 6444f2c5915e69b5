import { assign, setup } from "xstate";
import type { AgentFailure } from "../src/domain/agent.ts";
import { backoffMs } from "../src/domain/policy.ts";
import { chartOptions } from "./durable.ts";

/**
 * One turn of our own agent over `/v1/responses`: ask the model, do what it calls for, ask again, until it is done. A live chart: the program that
 * steps it (src/agent/) keeps a log of the session, and a turn that was killed is begun anew over that log.
 *
 * I1 Each call that the model makes gets exactly one output, and nothing is asked of the model while one is owed.
 * I2 No answer ends the turn that has not seen every output and every message that was there when it was asked for.
 * I3 A turn that works is done only after it was asked to verify, and again after a change since then as often as the cap allows; one that asks a
 * person a question need not. I4 Every cap holds: requests, retries in a row, compactions, verifications. I5 A context is compacted once between two
 * answers; one that is too long all the same ends the turn. I6 An interrupt ends it from every state, and stops what runs.
 */
export interface ResponsesTurnInput {
  readonly caps: { readonly requests: number; readonly retries: number; readonly compactions: number; readonly verifications: number };
  /** Tokens of context beyond which it is compacted before the next request. */
  readonly budget: number;
  /** Longer than `patienceMs` a turn does not wait for its provider: whoever asked for it can wait without holding anything. */
  readonly backoff: { readonly retryBaseMs: number; readonly retryMaxMs: number; readonly patienceMs: number };
  /** It may change files: it plans first and verifies at the end. */
  readonly works: boolean;
}

/** What a request is for: `plan` must begin with the plan, `verify` answers the question whether all is done. */
export type RequestPhase = "plan" | "work" | "verify";

export interface ResponsesTurnContext extends ResponsesTurnInput {
  readonly phase: RequestPhase;
  readonly requests: number;
  /** In a row. */
  readonly retries: number;
  readonly compactions: number;
  readonly verifications: number;
  /** Calls whose output is owed. */
  readonly open: readonly string[];
  /** There are outputs that no answer has seen. */
  readonly unseen: boolean;
  /** Something may have changed since it was last asked to verify. */
  readonly changed: boolean;
  /** Somebody said something that is not in the conversation yet. */
  readonly told: boolean;
  /** Of the conversation, as last reported, and what was added since. */
  readonly tokens: number;
  /** Compacted since the last answer. */
  readonly compacted: boolean;
  /** What a wait interrupts. */
  readonly resuming: "asking" | "compacting";
  readonly failure: AgentFailure | null;
}

export type ResponsesTurnEvent =
  /** The model's whole answer; without calls it is meant to be the last. */
  | { readonly type: "answered"; readonly calls: readonly string[]; /** It asks a person. */ readonly asks: boolean; readonly tokens: number }
  /** A request, or a compaction, failed. `again`: another try may help, after `afterMs` where the provider named a time. */
  | { readonly type: "troubled"; readonly trouble: "again" | "tooLong" | "final"; readonly afterMs: number | null; readonly failure: AgentFailure }
  | { readonly type: "output"; readonly id: string; readonly changed: boolean; readonly tokens: number }
  | { readonly type: "compacted"; readonly tokens: number }
  | { readonly type: "due" }
  | { readonly type: "message" }
  | { readonly type: "interrupt" };

const ask = { type: "ask" as const, params: ({ context }: { readonly context: ResponsesTurnContext }) => ({ phase: context.phase }) };
const act = { type: "act" as const, params: ({ context }: { readonly context: ResponsesTurnContext }) => ({ calls: context.open }) };
const wait = { type: "wait" as const, params: ({ context, event }: { readonly context: ResponsesTurnContext; readonly event: ResponsesTurnEvent }) => ({ ms: waitMs(context, event), failure: event.type === "troubled" ? event.failure : null }) };
const keep = { type: "keep" as const, params: ({ event }: { readonly event: ResponsesTurnEvent }) => ({ id: event.type === "output" ? event.id : "" }) };

/** Called once the try is counted. */
const waitMs = ({ backoff, retries }: ResponsesTurnContext, event: ResponsesTurnEvent): number => Math.max(backoffMs(backoff, retries), event.type === "troubled" ? (event.afterMs ?? 0) : 0);

export const responsesTurnMachine = setup({
  types: {} as { context: ResponsesTurnContext; events: ResponsesTurnEvent; input: ResponsesTurnInput },
  actions: {
    /** The program's: puts in what was said meanwhile and sends the conversation. */
    ask: (_: unknown, _params: { readonly phase: RequestPhase }) => {},
    /** The program's: runs these calls; of each comes an `output`. */
    act: (_: unknown, _params: { readonly calls: readonly string[] }) => {},
    /** The program's: the output of a call becomes part of the conversation. */
    keep: (_: unknown, _params: { readonly id: string }) => {},
    /** The program's: a summary takes the place of the conversation. */
    compact: () => {},
    /** The program's: asks the model, in the conversation, whether all is done. */
    urge: () => {},
    /** The program's: `due` after so long. */
    wait: (_: unknown, _params: { readonly ms: number; readonly failure: AgentFailure | null }) => {},
    /** The program's: ends the request and the tools that run. */
    abort: () => {},
    countRequest: assign(({ context }) => ({ requests: context.requests + 1 })),
    /** Everything that was said is in the request that follows. */
    takeIn: assign({ told: false, resuming: "asking" }),
    noteTold: assign({ told: true }),
    takeAnswer: assign(({ context, event }) => (event.type === "answered" ? { open: event.calls, tokens: event.tokens, unseen: false, compacted: false, retries: 0, phase: context.phase === "plan" || event.calls.length > 0 ? "work" as const : context.phase } : {})),
    takeOutput: assign(({ context, event }) => (event.type === "output" ? { open: context.open.filter((id) => id !== event.id), unseen: true, changed: context.changed || event.changed, tokens: context.tokens + event.tokens } : {})),
    turnToVerify: assign(({ context }) => ({ phase: "verify" as const, verifications: context.verifications + 1, changed: false })),
    beginCompaction: assign(({ context }) => ({ compactions: context.compactions + 1, compacted: true, resuming: "compacting" as const })),
    takeCompaction: assign(({ event }) => (event.type === "compacted" ? { tokens: event.tokens, retries: 0 } : {})),
    countRetry: assign(({ context }) => ({ retries: context.retries + 1 })),
    noteFailure: assign(({ event }) => (event.type === "troubled" ? { failure: event.failure } : {})),
    noteSpent: assign(({ context }) => ({ failure: { kind: "noResult" as const, message: `the agent asked its model ${context.requests} times, as often as one turn may, and was not done` } })),
  },
  guards: {
    isSpent: ({ context }) => context.requests >= context.caps.requests,
    isFull: ({ context }) => context.tokens > context.budget && !context.compacted && context.compactions < context.caps.compactions,
    calls: ({ event }) => event.type === "answered" && event.calls.length > 0,
    isTold: ({ context }) => context.told,
    asksPerson: ({ event }) => event.type === "answered" && event.asks,
    owesVerification: ({ context }) => context.works && (context.verifications === 0 || (context.changed && context.verifications < context.caps.verifications)),
    mayRetry: ({ context, event }) => event.type === "troubled" && event.trouble === "again" && context.retries < context.caps.retries && (event.afterMs ?? 0) <= context.backoff.patienceMs,
    mayCompact: ({ context, event }) => event.type === "troubled" && event.trouble === "tooLong" && !context.compacted && context.compactions < context.caps.compactions,
    isLastOutput: ({ context, event }) => event.type === "output" && context.open.length === 1 && context.open[0] === event.id,
    isOwed: ({ context, event }) => event.type === "output" && context.open.includes(event.id),
    wasCompacting: ({ context }) => context.resuming === "compacting",
  },
}).createMachine({
  id: "responses-turn",
  options: chartOptions,
  context: ({ input }) => ({
    ...input, phase: input.works ? "plan" : "work", requests: 0, retries: 0, compactions: 0, verifications: 0, open: [], unseen: false, changed: false, told: false, tokens: 0,
    compacted: false, resuming: "asking", failure: null,
  }),
  initial: "next",
  on: {
    message: { actions: "noteTold" },
    interrupt: { target: ".cancelled", actions: "abort" },
  },
  states: {
    next: {
      always: [
        { guard: "isSpent", target: "exhausted", actions: "noteSpent" },
        { guard: "isFull", target: "compacting", actions: ["beginCompaction", "compact"] },
        { target: "asking", actions: ["countRequest", "takeIn", ask] },
      ],
    },
    asking: {
      on: {
        answered: [
          { guard: "calls", target: "acting", actions: ["takeAnswer", act] },
          { guard: "isTold", target: "next", actions: "takeAnswer" },
          { guard: "asksPerson", target: "done", actions: "takeAnswer" },
          { guard: "owesVerification", target: "next", actions: ["takeAnswer", "turnToVerify", "urge"] },
          { target: "done", actions: "takeAnswer" },
        ],
        troubled: [
          { guard: "mayRetry", target: "waiting", actions: ["countRetry", wait] },
          { guard: "mayCompact", target: "compacting", actions: ["beginCompaction", "compact"] },
          { target: "failed", actions: "noteFailure" },
        ],
      },
    },
    acting: {
      on: {
        output: [
          { guard: "isLastOutput", target: "next", actions: ["takeOutput", keep] },
          { guard: "isOwed", actions: ["takeOutput", keep] },
        ],
      },
    },
    compacting: {
      on: {
        compacted: { target: "next", actions: "takeCompaction" },
        troubled: [
          { guard: "mayRetry", target: "waiting", actions: ["countRetry", wait] },
          { target: "failed", actions: "noteFailure" },
        ],
      },
    },
    /** For a provider that asked for patience, or to try again. */
    waiting: {
      on: {
        due: [
          { guard: "wasCompacting", target: "compacting", actions: "compact" },
          { target: "asking", actions: ["takeIn", ask] },
        ],
      },
    },
    done: { type: "final" },
    failed: { type: "final" },
    cancelled: { type: "final" },
    exhausted: { type: "final" },
  },
});
