import type { AnyMachineSnapshot, AnyTransitionDefinition, EventObject, InspectionEvent as XStateEvent, Snapshot } from "xstate";
import { definitionOf } from "../machines/definition.ts";
import type { InspectionEvent } from "../src/domain/inspection.ts";
import type { Charts, Change } from "./durable-actor.ts";
import { isMachine } from "./live-actor.ts";

/**
 * Steps of charts in the messages of `@statelyai/inspect`. Pure; made only when somebody reads them.
 *
 * I1 Every event and context passes the redactor as whole JSON text, and only then is anything cut: half a secret is one.
 * I2 A message has an upper size, whatever a chart holds.
 */
export type Redact = (json: string) => string;

/** The release of `@statelyai/inspect` whose messages these are. */
const version = "0.7.2";

/** Of one event or context: characters of a text, entries of a list or object, levels, characters in all. */
const limits = { text: 2_000, entries: 100, levels: 12, all: 64_000 };

/** JSON for people: secrets replaced, long parts cut with a note of what is missing. */
export const shown = (value: unknown, redact: Redact): unknown => bounded(JSON.parse(redact(jsonText(value))));

const jsonText = (value: unknown): string => {
  const within: object[] = [];
  try {
    return JSON.stringify(value, function (this: unknown, _key, each: unknown) {
      if (typeof each === "function") return { type: each.name };
      if (typeof each === "bigint" || typeof each === "symbol") return String(each);
      if (each instanceof Error) return { name: each.name, message: each.message };
      if (typeof each !== "object" || each === null) return each;
      while (within.length > 0 && within.at(-1) !== this) within.pop();
      if (within.includes(each)) return "(itself)";
      within.push(each);
      return each;
    }) ?? "null";
  } catch (error) {
    return JSON.stringify(`(cannot be shown: ${error instanceof Error ? error.message : String(error)})`);
  }
};

const bounded = (value: unknown): unknown => {
  let left = limits.all;
  const walk = (each: unknown, levels: number): unknown => {
    if (left <= 0) return "…";
    if (typeof each === "string") {
      const text = each.length > limits.text ? `${each.slice(0, limits.text).toWellFormed()}… (${each.length} characters)` : each;
      left -= text.length + 3;
      return text;
    }
    left -= 8;
    if (typeof each !== "object" || each === null) return each;
    if (levels === 0) return "…";
    if (Array.isArray(each)) {
      const kept = take(each, (item: unknown) => walk(item, levels - 1));
      return each.length > kept.length ? [...kept, `… ${each.length - kept.length} more`] : kept;
    }
    const entries = Object.entries(each);
    const kept = take(entries, ([key, item]: readonly [string, unknown]) => {
      left -= key.length;
      return [key, walk(item, levels - 1)] as const;
    });
    return Object.fromEntries(entries.length > kept.length ? [...kept, ["…", `${entries.length - kept.length} more`]] : kept);
  };
  /** As many as may be and as there is room for. */
  const take = <T, R>(list: readonly T[], use: (each: T) => R): readonly R[] => {
    const kept: R[] = [];
    for (const each of list) {
      if (kept.length >= limits.entries || left <= 0) break;
      kept.push(use(each));
    }
    return kept;
  };
  return walk(value, limits.levels);
};

/** The part of a message that says of whom it is. */
interface Of { readonly sessionId: string; readonly rootId: string; readonly at: number; readonly id: string }

const base = ({ sessionId, rootId, at, id }: Of) => ({ sessionId, rootId, createdAt: String(at), id, _version: version });

const snapshotOf = (snapshot: Snapshot<unknown> | undefined, redact: Redact): Readonly<Record<string, unknown>> => {
  if (snapshot === undefined) return { status: "active" };
  const { status, error, output } = snapshot;
  return {
    status,
    ...("value" in snapshot ? { value: snapshot.value } : {}),
    ...("context" in snapshot ? { context: shown(snapshot.context, redact) } : {}),
    ...(output === undefined ? {} : { output: shown(output, redact) }),
    ...(error === undefined ? {} : { error: shown(error, redact) }),
  };
};

const transitionOf = ({ eventType, source, target, guard }: AnyTransitionDefinition) => ({
  eventType, source: `#${source.id}`, target: (target ?? []).map(({ id }) => `#${id}`), ...(typeof guard === "string" ? { guard } : {}),
});

const microstep = (of: Of, event: EventObject, snapshot: Snapshot<unknown>, transitions: readonly AnyTransitionDefinition[], redact: Redact): InspectionEvent => ({
  ...base(of), type: "@xstate.microstep", event: shown(event, redact), snapshot: { status: snapshot.status, ...("value" in snapshot ? { value: snapshot.value } : {}) }, _transitions: transitions.map(transitionOf),
});

/** A durable actor, introduced in a state that it has or had. */
export const durableActor = (charts: Charts, address: string, chart: string, state: AnyMachineSnapshot, seq: number, at: number, redact: Redact): InspectionEvent => {
  const machine = charts.get(chart)?.chart.machine;
  return {
    ...base({ sessionId: address, rootId: address, at, id: `${address}:${seq}:actor` }), type: "@xstate.actor", name: address,
    definition: machine && JSON.stringify(definitionOf(machine)), snapshot: snapshotOf(state, redact),
  };
};

/** Where a durable actor stands after a step. */
export const durableSnapshot = ({ actor, seq, at, event, state }: Change, redact: Redact): InspectionEvent => ({
  ...base({ sessionId: actor, rootId: actor, at, id: `${actor}:${seq}:snapshot` }), type: "@xstate.snapshot", event: shown(event, redact), snapshot: snapshotOf(state, redact),
});

/** One journaled step: the event, the microsteps (made again by the chart, which is pure), the snapshot. */
export const durableStep = (charts: Charts, change: Change, redact: Redact): readonly InspectionEvent[] => {
  const { actor, seq, at, event, before } = change;
  const of = (what: string): Of => ({ sessionId: actor, rootId: actor, at, id: `${actor}:${seq}:${what}` });
  const chart = charts.get(change.chart)?.chart;
  // How an actor begins is one step of its own to XState too; a step that moved nothing has no inside.
  const inside = before === undefined || before === change.state ? [] : (chart?.within(() => { chart.step(before, event); }) ?? []);
  return [
    { ...base(of("event")), type: "@xstate.event", event: shown(event, redact) },
    ...inside.map((step, n) => microstep(of(`microstep:${n}`), step.event, step.state, step.transitions, redact)),
    durableSnapshot(change, redact),
  ];
};

/** What XState tells of a live actor, kept until somebody reads it. Snapshots are values, so that they may be kept. */
export interface LiveStep { readonly told: XStateEvent; readonly snapshot: Snapshot<unknown> | undefined; readonly at: number; readonly n: number }

export const liveActorMessage = (name: string, { told, snapshot, at, n }: LiveStep, redact: Redact): InspectionEvent => {
  const { actorRef } = told;
  const logic: unknown = "logic" in actorRef ? actorRef.logic : undefined;
  const parent: unknown = "_parent" in actorRef ? actorRef._parent : undefined;
  return {
    ...base({ sessionId: actorRef.sessionId, rootId: told.rootId, at, id: `${actorRef.sessionId}:${n}:actor` }), type: "@xstate.actor", name,
    ...(typeof parent === "object" && parent !== null && "sessionId" in parent ? { parentId: parent.sessionId } : {}),
    definition: JSON.stringify(isMachine(logic) ? definitionOf(logic) : { id: name }), snapshot: snapshotOf(snapshot, redact),
  };
};

export const liveSnapshot = (event: EventObject, { told, snapshot, at, n }: LiveStep, redact: Redact): InspectionEvent => ({
  ...base({ sessionId: told.actorRef.sessionId, rootId: told.rootId, at, id: `${told.actorRef.sessionId}:${n}:snapshot` }), type: "@xstate.snapshot", event: shown(event, redact), snapshot: snapshotOf(snapshot, redact),
});

/** None for what a receiver has no message for: it is told of the actor all the same. */
export const liveStep = (step: LiveStep, redact: Redact): readonly InspectionEvent[] => {
  const { told, at, n } = step;
  const of: Of = { sessionId: told.actorRef.sessionId, rootId: told.rootId, at, id: `${told.actorRef.sessionId}:${n}` };
  switch (told.type) {
    case "@xstate.event": return [{ ...base(of), type: "@xstate.event", event: shown(told.event, redact), ...(told.sourceRef ? { sourceId: told.sourceRef.sessionId } : {}) }];
    case "@xstate.microstep": return [microstep(of, told.event, told.snapshot, told._transitions, redact)];
    case "@xstate.snapshot": return [liveSnapshot(told.event, step, redact)];
    case "@xstate.actor":
    case "@xstate.transition":
    case "@xstate.action": return [];
  }
};
