import type { AnyMachineSnapshot } from "xstate";
import type { AgentProcessContext, AgentProcessEvent, AgentProcessInput } from "../agent-process.ts";
import type { Edge, Exploration } from "../catalog.ts";
import { asksNothing, at, ignored, implies, same } from "./reading.ts";

/** Times are small numbers here, and may go back: a clock can be set. */
const quiet: AgentProcessInput = { at: 0, timeoutMs: 5, stallMs: 2 };
const short: AgentProcessInput = { at: 0, timeoutMs: 2, stallMs: 4 };

const results: readonly AgentProcessEvent[] = [
  { type: "spawned", startedAt: 1, at: 1 },
  { type: "adopted", startedAt: 0, at: 3 },
  { type: "spawnFailed", at: 1 },
  { type: "session", at: 1 },
  { type: "output", at: 1 }, { type: "output", at: 3 },
  { type: "rateLimited", until: null, at: 3 }, { type: "rateLimited", until: 4, at: 3 },
  { type: "asked", at: 3 },
  // None burnt, too little to be work, work.
  ...[1, 3, 4, 6].flatMap((time) => [0, 0.01, 1].map((cpuMs): AgentProcessEvent => ({ type: "tick", cpuMs, at: time }))),
  { type: "exited", at: 3 },
  { type: "drained", at: 3 },
];
const alphabet: readonly AgentProcessEvent[] = [...results, { type: "cancel", at: 1 }, { type: "suspend", at: 1 }];

const contextOf = (snapshot: AnyMachineSnapshot): AgentProcessContext => snapshot.context;
const eventOf = (edge: Edge): AgentProcessEvent | undefined => alphabet.find((event) => event === edge.event);
const alive = (snapshot: AnyMachineSnapshot): boolean => at(snapshot, "alive");
/** The state within `alive`, or the state itself. */
const where = (snapshot: AnyMachineSnapshot): string => ["initialising", "adopted", "streaming", "rateLimited", "awaitingInput"].find((state) => snapshot.matches({ alive: state })) ?? String(snapshot.value);

const burns = (from: AgentProcessContext, tick: { readonly cpuMs: number; readonly at: number }): boolean => tick.cpuMs > from.cpuMs && tick.cpuMs - from.cpuMs >= 0.02 * (tick.at - from.tickAt);
const speaks: Readonly<Record<string, readonly string[]>> = { initialising: ["session", "output"], adopted: ["session", "output"], streaming: ["session", "output"], rateLimited: ["session", "output"], awaitingInput: ["output"] };

export const exploration: Exploration = {
  inputs: [{ name: "stalls soon", input: quiet }, { name: "short of time", input: short }],
  events: [...alphabet],
  unattended: [...results],
  abstraction: (snapshot) => {
    const { startedAt, activeAt, cpuMs, tickAt, until, reason } = contextOf(snapshot);
    // Nothing is timed any more on the way out.
    return alive(snapshot) ? { startedAt, activeAt, cpuMs, tickAt, limited: until !== null } : { reason };
  },
  restStates: ["ended"],
  states: [
    { name: "I4 interrupting has its reason, and a process that is left alone has none", holds: (s) => implies(at(s, "interrupting"), () => contextOf(s).reason !== null) && implies(alive(s), () => contextOf(s).reason === null) },
  ],
  first: [asksNothing],
  edges: [
    { name: "a process starts or is adopted with its own start time, unless it is unwanted by now: then it is interrupted", holds: (e) => {
      const event = eventOf(e), from = contextOf(e.from), to = contextOf(e.to);
      if (!at(e.from, "spawning") || (event?.type !== "spawned" && event?.type !== "adopted")) return true;
      return to.startedAt === event.startedAt && to.activeAt === event.at && to.tickAt === event.at && where(e.to) === (from.reason !== null ? "interrupting" : event.type === "adopted" ? "adopted" : "initialising");
    } },
    { name: "a process that cannot start is over", holds: (e) => implies(at(e.from, "spawning") && e.event.type === "spawnFailed", () => at(e.to, "ended")) },
    { name: "I4 the ladder starts exactly on entering interrupting, with the first reason", holds: (e) => {
      const ladder = e.actions.filter(({ type }) => type === "interrupt");
      return ladder.length === (at(e.to, "interrupting") && !at(e.from, "interrupting") ? 1 : 0) && ladder.every(({ params }) => same(params, { reason: contextOf(e.to).reason })) && implies(contextOf(e.from).reason !== null, () => contextOf(e.to).reason === contextOf(e.from).reason);
    } },
    { name: "a cancel or a suspension interrupts what lives and is remembered while it starts", holds: (e) => {
      const reason = e.event.type === "cancel" ? "cancelled" : e.event.type === "suspend" ? "suspended" : undefined;
      if (reason === undefined) return true;
      if (alive(e.from)) return at(e.to, "interrupting") && contextOf(e.to).reason === reason;
      return at(e.from, "spawning") ? at(e.to, "spawning") && contextOf(e.to).reason === (contextOf(e.from).reason ?? reason) && e.actions.length === 0 : ignored(e);
    } },
    { name: "I2 I3 a look at the process: too long is a timeout, idle and silent too long is stalled, anything else is noted", holds: (e) => {
      const event = eventOf(e), from = contextOf(e.from), to = contextOf(e.to);
      if (event?.type !== "tick" || !alive(e.from)) return true;
      if (event.at - from.startedAt >= from.timeoutMs) return at(e.to, "interrupting") && to.reason === "timeout";
      if (!burns(from, event) && event.at - from.activeAt >= from.stallMs) return at(e.to, "interrupting") && to.reason === "stalled";
      return same(e.from.value, e.to.value) && to.cpuMs === event.cpuMs && to.tickAt === event.at && to.activeAt === (burns(from, event) ? Math.max(from.activeAt, event.at) : from.activeAt);
    } },
    { name: "I2 only a look interrupts by itself", holds: (e) => implies(at(e.to, "interrupting") && !at(e.from, "interrupting", "spawning"), () => ["tick", "cancel", "suspend"].includes(e.event.type)) },
    { name: "I3 a rate limit suspends the stall clock until its end, and is over with the next sign of life", holds: (e) => {
      const event = eventOf(e), to = contextOf(e.to);
      return event?.type !== "rateLimited" || !alive(e.from) || (where(e.to) === "rateLimited" && to.until === event.until && to.activeAt === Math.max(event.at, event.until ?? 0));
    } },
    { name: "every sign of life counts, and output means streaming", holds: (e) => {
      const event = eventOf(e);
      if (!event || !alive(e.from) || !(speaks[where(e.from)] ?? []).includes(event.type)) return true;
      return where(e.to) === "streaming" && contextOf(e.to).activeAt === event.at && contextOf(e.to).until === null;
    } },
    { name: "a question waits for input", holds: (e) => implies(alive(e.from) && e.event.type === "asked", () => where(e.to) === "awaitingInput" && contextOf(e.to).activeAt === eventOf(e)?.at) },
    { name: "I1 the exit is the only way on from interrupting; then the rest is read", holds: (e) => implies(alive(e.from) || at(e.from, "interrupting"), () => e.event.type === "exited" ? at(e.to, "finishing") : !at(e.to, "finishing", "ended")) && implies(at(e.from, "interrupting") && e.event.type !== "exited", () => ignored(e)) },
    { name: "read to the last byte, it is over", holds: (e) => implies(at(e.from, "finishing"), () => (e.event.type === "drained" ? at(e.to, "ended") : ignored(e))) },
    { name: "misplaced events change nothing", holds: (e) => {
      const { type } = e.event, hears = alive(e.from) ? ["tick", "rateLimited", "asked", "cancel", "suspend", "exited", ...(speaks[where(e.from)] ?? [])] : { spawning: ["spawned", "adopted", "spawnFailed", "cancel", "suspend"], interrupting: ["exited"], finishing: ["drained"] }[String(e.from.value)];
      return hears === undefined || hears.includes(type) || ignored(e);
    } },
  ],
};
