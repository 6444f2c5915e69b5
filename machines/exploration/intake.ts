import type { AnyMachineSnapshot } from "xstate";
import { itemAddress, WorkItemId } from "../../src/domain/ids.ts";
import type { WorkItem } from "../../src/domain/work-item.ts";
import type { Edge, Exploration } from "../catalog.ts";
import type { IntakeContext, IntakeEvent } from "../intake.ts";
import { id, item, policy } from "./fixtures.ts";
import { asksNothing, at, ignored, implies, same, spawned, stamped, told } from "./reading.ts";

const { id: _, ...unnumbered } = item;
const offered = (source: WorkItem["source"], sourceId: string): Omit<WorkItem, "id"> => ({ ...unnumbered, source, sourceId });

const offers: readonly Extract<IntakeEvent, { type: "offer" }>[] = [
  stamped({ type: "offer" as const, item: offered("local", "a.md"), policy, claim: false }),
  stamped({ type: "offer" as const, item: offered("local", "a.md"), policy, claim: true }),
  stamped({ type: "offer" as const, item: offered("local", "b.md"), policy, claim: true }),
  stamped({ type: "offer" as const, item: offered("github", "a.md"), policy, claim: false }),
  stamped({ type: "offer" as const, item: offered("azdo", "toString"), policy, claim: false }),
  stamped({ type: "offer" as const, item: offered("command", "__proto__"), policy, claim: true }),
  stamped({ type: "offer" as const, item: offered("azdo", "11"), policy, claim: false, remembered: { id: WorkItemId.parse("AZ-2"), status: "done" as const, gates: [] } }),
  // A number of another source's is none of this one's.
  stamped({ type: "offer" as const, item: offered("github", "a.md"), policy, claim: false, remembered: { id: WorkItemId.parse("AZ-9"), gates: [] } }),
];
const agains = [true, false].map((claim) => stamped({ type: "again" as const, item, policy, attempt: 4, claim }));
const alphabet: readonly IntakeEvent[] = [...offers, ...agains];

const contextOf = (snapshot: AnyMachineSnapshot): IntakeContext => snapshot.context;
const keyOf = (given: Pick<WorkItem, "source" | "sourceId">): string => `${given.source}:${given.sourceId}`;
const offerIn = (edge: Edge) => offers.find((event) => event === edge.event);
const againIn = (edge: Edge) => agains.find((event) => event === edge.event);

/** The actions of a step in their order, shortened to what they are. */
const order = (edge: Edge): string => edge.actions.map(({ type }) => type).join(" ");
const claims = (edge: Edge, of: WorkItemId, attempt: number): boolean => told(edge, "claim").every(({ to, event }) => to === itemAddress(of, attempt) && event["explicit"] === true);

export const exploration: Exploration = {
  inputs: [{ name: "empty", input: {} }],
  events: [...alphabet],
  unattended: [...alphabet],
  abstraction: (snapshot) => contextOf(snapshot),
  restStates: ["open"],
  states: [
    { name: "I2 a number is never given twice", holds: (s) => { const ids = Object.values(contextOf(s).known); return new Set(ids).size === ids.length && ids.every((each) => WorkItemId.safeParse(each).success); } },
  ],
  first: [asksNothing],
  edges: [
    { name: "I1 what is known already is ignored, whoever asks", holds: (e) => { const offer = offerIn(e); return !offer || !Object.hasOwn(contextOf(e.from).known, keyOf(offer.item)) || ignored(e); } },
    { name: "I1 I3 what is new gets the number that its source remembers, else the next one, is remembered by it and started once, and claimed only when asked", holds: (e) => {
      const offer = offerIn(e), from = contextOf(e.from), to = contextOf(e.to);
      if (!offer || Object.hasOwn(from.known, keyOf(offer.item))) return true;
      const given = to.known[keyOf(offer.item)], items = spawned(e, "work-item");
      if (given === undefined) return false;
      const number = Number(given.split("-")[1]), prefix = given.split("-")[0] ?? "";
      const { remembered } = offer, once = remembered?.id, keeps = once !== undefined && once.startsWith(`${prefix}-`) && !Object.values(from.known).includes(once);
      return (keeps ? given === once : number === (from.last[prefix] ?? 0) + 1) && to.last[prefix] === Math.max(number, from.last[prefix] ?? 0) && Object.keys(to.known).length === Object.keys(from.known).length + 1 && order(e) === (offer.claim ? "spawn tell" : "spawn") && claims(e, given, 1)
        && items.every(({ address, input }) => address === itemAddress(given, 1) && input["attempt"] === 1 && same(input["policy"], policy) && same(input["item"], { ...offer.item, id: given }) && same(input["remembered"], remembered));
    } },
    { name: "a new lineage of a known item takes no number, and is claimed only when asked", holds: (e) => {
      const again = againIn(e);
      return !again || (same(contextOf(e.from), contextOf(e.to)) && order(e) === (again.claim ? "spawn tell" : "spawn") && claims(e, id, 4)
        && spawned(e, "work-item").every(({ address, input }) => address === itemAddress(id, 4) && input["attempt"] === 4 && same(input["item"], item) && same(input["policy"], policy)));
    } },
    { name: "intake never closes", holds: (e) => implies(at(e.from, "open"), () => at(e.to, "open")) },
  ],
};
