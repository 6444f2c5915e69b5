import type { AnyMachineSnapshot } from "xstate";
import { mostDenials, type SessionView } from "../../src/domain/session.ts";
import { teamAddress, WorkItemId } from "../../src/domain/ids.ts";
import type { StopVerdict } from "../../src/domain/stop-policy.ts";
import type { Edge, Exploration } from "../catalog.ts";
import type { SessionContext, SessionEvent, SessionInput } from "../session.ts";
import { id } from "./fixtures.ts";
import { asksNothing, at, implies, now, same, stamped } from "./reading.ts";

const contextOf = (snapshot: AnyMachineSnapshot): SessionContext => snapshot.context;
const other = WorkItemId.parse("LOC-8"), lane = teamAddress(id, 1), otherLane = teamAddress(other, 1);
const input: SessionInput = { key: "0".repeat(32), sessionId: "s-1", cli: "claude", cwd: "/work", at: 1 };
const verdict = (decision: StopVerdict["decision"]): StopVerdict => ({ decision, ruleId: decision === "deny" ? "gatesPending" : "open", reason: "it says so", pendingGates: decision === "deny" ? ["reviewPassed"] : [], item: id, at: now });

const events = [
  stamped({ type: "started", cli: "claude", cwd: "/elsewhere" }),
  stamped({ type: "link", item: id }), stamped({ type: "link", item: other }), stamped({ type: "link", lane }), stamped({ type: "link", lane: otherLane }),
  stamped({ type: "unlink", item: true }), stamped({ type: "unlink", lane: true }),
  stamped({ type: "stop.denied", id: "d1", verdict: verdict("deny") }), stamped({ type: "stop.denied", id: "d2", verdict: verdict("deny") }), stamped({ type: "stop.allowed", verdict: verdict("allow") }),
  stamped({ type: "acknowledge", reason: "I know" }), stamped({ type: "warned" }), stamped({ type: "waits" }), stamped({ type: "end" }),
] satisfies readonly SessionEvent[];

const eventOf = ({ event }: Edge): SessionEvent | undefined => events.find((each) => each === event);
/** Fields that this step changed. */
const changed = (e: Edge): readonly string[] => {
  const from = contextOf(e.from), to = contextOf(e.to);
  return Object.entries(to).filter(([name, value]) => !same(value, Reflect.get(from, name))).map(([name]) => name);
};
const mayChange: Readonly<Record<SessionEvent["type"], readonly (keyof SessionView)[]>> = {
  started: ["cli", "cwd", "state", "endedAt", "waiting"], link: ["item", "lane"], unlink: ["item", "lane", "acknowledged"], "stop.denied": ["verdict", "denied", "warned", "denials", "waiting"],
  "stop.allowed": ["verdict", "waiting"], acknowledge: ["acknowledged"], warned: ["warned"], waits: ["waiting"], end: ["state", "endedAt", "waiting"],
};

export const exploration: Exploration = {
  inputs: [{ name: "a session", input }],
  events,
  unattended: [stamped({ type: "end" })],
  abstraction: (snapshot) => {
    const c = contextOf(snapshot);
    return [c.item, c.lane, c.denials.map((denial) => denial.id).toSorted(), c.acknowledged !== null, c.warned, c.waiting, c.verdict?.decision ?? null];
  },
  restStates: ["open", "ended"],
  states: [
    { name: "the record says where it is", holds: (s) => at(s, contextOf(s).state) && (contextOf(s).endedAt === null) === at(s, "open") },
    { name: "denials are few", holds: (s) => contextOf(s).denials.length <= mostDenials },
    { name: "who was denied has the verdict", holds: (s) => (contextOf(s).denials.length > 0) === (contextOf(s).denied?.decision === "deny") },
  ],
  first: [asksNothing, { name: "it begins open, with nothing linked", holds: ({ to }) => at(to, "open") && contextOf(to).item === null && contextOf(to).lane === null && contextOf(to).startedAt === 1 }],
  edges: [
    { name: "each event changes its own fields only, in every state", holds: (e) => { const event = eventOf(e); return event !== undefined && changed(e).every((name) => mayChange[event.type].some((each) => each === name)); } },
    { name: "I1 a link is taken where there is none, and never replaced", holds: (e) => {
      const event = eventOf(e), from = contextOf(e.from), to = contextOf(e.to);
      return event?.type !== "link" || (to.item === (from.item ?? event.item ?? null) && to.lane === (from.lane ?? event.lane ?? null));
    } },
    { name: "I1 an unlink takes away what it names", holds: (e) => { const event = eventOf(e), to = contextOf(e.to); return event?.type !== "unlink" || ((event.item !== true || to.item === null) && (event.lane !== true || to.lane === null)); } },
    { name: "I2 a denial counts once", holds: (e) => {
      const event = eventOf(e), from = contextOf(e.from), to = contextOf(e.to);
      if (event?.type !== "stop.denied") return true;
      return from.denials.some((denial) => denial.id === event.id) ? same(from, to) : to.denials.length === from.denials.length + 1 && to.denials.at(-1)?.id === event.id && same(to.denied, event.verdict) && !to.warned;
    } },
    { name: "the last verdict is kept, a denial until the next one", holds: (e) => { const event = eventOf(e); return event?.type !== "stop.allowed" || (same(contextOf(e.to).verdict, event.verdict) && same(contextOf(e.to).denied, contextOf(e.from).denied)); } },
    { name: "I3 an acknowledgement holds until what it was about is unlinked", holds: (e) => {
      const event = eventOf(e), from = contextOf(e.from), to = contextOf(e.to);
      if (event?.type === "acknowledge") return to.acknowledged !== null;
      if (event?.type === "unlink") return same(to.acknowledged, from.item === to.item && from.lane === to.lane ? from.acknowledged : null);
      return same(to.acknowledged, from.acknowledged);
    } },
    { name: "I4 an end ends it, a start opens it again, nothing else moves it", holds: (e) => { const type = eventOf(e)?.type; return at(e.to, type === "end" ? "ended" : type === "started" ? "open" : String(e.from.value)); } },
    { name: "a session that is resumed is where it is resumed, and waits no more", holds: (e) => { const event = eventOf(e), to = contextOf(e.to); return event?.type !== "started" || (to.cwd === event.cwd && to.cli === event.cli && !to.waiting); } },
    { name: "that a later session was told is kept, and that it waits", holds: (e) => { const type = eventOf(e)?.type; return implies(type === "warned", () => contextOf(e.to).warned) && implies(type === "waits", () => contextOf(e.to).waiting); } },
    { name: "nothing is asked of anybody", holds: ({ actions }) => actions.length === 0 },
  ],
};
