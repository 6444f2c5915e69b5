import { assign, setup } from "xstate";
import { chartOptions, type Stamp } from "./durable.ts";

/**
 * One agent process, from spawn to the last byte read. A live chart: it holds nothing that a restart must not lose; the run's
 * directory does. Its driver executes `interrupt` (the ladder SIGINT, SIGTERM, SIGKILL, sweep) and reports phases, never tokens.
 *
 * I1 Once `interrupting`, the only way on is the exit. I2 Silence alone never stalls: processes that burn CPU are at work.
 * I3 A provider's rate limit suspends the stall clock, never the wall clock. I4 The first reason to interrupt is the one that counts.
 */
export interface AgentProcessInput { readonly at: number; readonly timeoutMs: number; readonly stallMs: number }

export type InterruptReason = "timeout" | "stalled" | "cancelled" | "suspended";

export interface AgentProcessContext extends AgentProcessInput {
  readonly startedAt: number;
  readonly activeAt: number;
  readonly cpuMs: number;
  readonly tickAt: number;
  readonly until: number | null;
  readonly reason: InterruptReason | null;
}

export type AgentProcessEvent = (
  | { readonly type: "spawned"; readonly startedAt: number }
  | { readonly type: "adopted"; readonly startedAt: number }
  | { readonly type: "spawnFailed" }
  | { readonly type: "session" }
  | { readonly type: "output" }
  | { readonly type: "rateLimited"; readonly until: number | null }
  | { readonly type: "asked" }
  | { readonly type: "tick"; readonly cpuMs: number }
  | { readonly type: "cancel" }
  | { readonly type: "suspend" }
  | { readonly type: "exited" }
  | { readonly type: "drained" }
) & Stamp;

/** Less CPU than this share of the time since the last look is idling (a sleeping event loop), not work. */
const busyShare = 0.02;

/** I4. */
const interruptAsNoted = { type: "interrupt" as const, params: ({ context }: { readonly context: AgentProcessContext }) => ({ reason: context.reason ?? ("cancelled" as const) }) };

export const agentProcessMachine = setup({
  types: {} as { context: AgentProcessContext; events: AgentProcessEvent; input: AgentProcessInput },
  actions: {
    /** The driver's: start the interrupt ladder. */
    interrupt: (_: unknown, _params: { readonly reason: InterruptReason }) => {},
    noteStart: assign(({ event }) => (event.type === "spawned" || event.type === "adopted" ? { startedAt: event.startedAt, activeAt: event.at, tickAt: event.at } : {})),
    noteOutput: assign(({ event }) => ({ activeAt: event.at, until: null })),
    noteLimit: assign(({ event }) => (event.type === "rateLimited" ? { until: event.until, activeAt: Math.max(event.at, event.until ?? 0) } : {})),
    noteTick: assign(({ context, event }) => {
      if (event.type !== "tick") return {};
      const burnt = event.cpuMs - context.cpuMs;
      const busy = burnt > 0 && burnt >= busyShare * (event.at - context.tickAt);
      return { cpuMs: event.cpuMs, tickAt: event.at, activeAt: busy ? Math.max(context.activeAt, event.at) : context.activeAt };
    }),
    because: assign(({ context }, params: { readonly reason: InterruptReason }) => ({ reason: context.reason ?? params.reason })),
  },
  guards: {
    unwanted: ({ context }) => context.reason !== null,
    overTime: ({ context, event }) => event.at - context.startedAt >= context.timeoutMs,
    stalled: ({ context, event }) => {
      if (event.type !== "tick") return false;
      const burnt = event.cpuMs - context.cpuMs;
      const busy = burnt > 0 && burnt >= busyShare * (event.at - context.tickAt);
      return !busy && event.at - context.activeAt >= context.stallMs;
    },
  },
}).createMachine({
  id: "agent-process",
  options: chartOptions,
  context: ({ input }) => ({ ...input, startedAt: input.at, activeAt: input.at, cpuMs: 0, tickAt: input.at, until: null, reason: null }),
  initial: "spawning",
  states: {
    spawning: {
      on: {
        spawned: [
          { guard: "unwanted", target: "interrupting", actions: ["noteStart", interruptAsNoted] },
          { target: "alive.initialising", actions: "noteStart" },
        ],
        adopted: [
          { guard: "unwanted", target: "interrupting", actions: ["noteStart", interruptAsNoted] },
          { target: "alive.adopted", actions: "noteStart" },
        ],
        spawnFailed: "ended",
        // There is no process to signal yet; it is interrupted as soon as there is.
        cancel: { actions: { type: "because", params: { reason: "cancelled" } } },
        suspend: { actions: { type: "because", params: { reason: "suspended" } } },
      },
    },
    alive: {
      initial: "initialising",
      on: {
        tick: [
          { guard: "overTime", target: "interrupting", actions: interruptFor("timeout") },
          { guard: "stalled", target: "interrupting", actions: interruptFor("stalled") },
          { actions: "noteTick" },
        ],
        rateLimited: { target: ".rateLimited", actions: "noteLimit" },
        asked: { target: ".awaitingInput", actions: "noteOutput" },
        cancel: { target: "interrupting", actions: interruptFor("cancelled") },
        suspend: { target: "interrupting", actions: interruptFor("suspended") },
        exited: "finishing",
      },
      states: {
        initialising: { on: { session: { target: "streaming", actions: "noteOutput" }, output: { target: "streaming", actions: "noteOutput" } } },
        adopted: { on: { session: { target: "streaming", actions: "noteOutput" }, output: { target: "streaming", actions: "noteOutput" } } },
        streaming: { on: { session: { actions: "noteOutput" }, output: { actions: "noteOutput" } } },
        rateLimited: { on: { output: { target: "streaming", actions: "noteOutput" }, session: { target: "streaming", actions: "noteOutput" } } },
        awaitingInput: { on: { output: { target: "streaming", actions: "noteOutput" } } },
      },
    },
    interrupting: {
      on: { exited: "finishing" },
    },
    /** Gone; the rest of its output is read and survivors are swept. */
    finishing: {
      on: { drained: "ended" },
    },
    ended: { type: "final" },
  },
});

function interruptFor(reason: InterruptReason) {
  return [{ type: "because" as const, params: { reason } }, { type: "interrupt" as const, params: { reason } }];
}
