import { Effect } from "effect";
import { type Charts, chartsOf, type Change, type Resident } from "../../actors/durable-actor.ts";
import { Inspection, type InspectionParts } from "../../actors/inspection.ts";
import { actorAt, changeOf } from "../../actors/replay.ts";
import { catalog } from "../../machines/index.ts";
import type { LiveFactory } from "../client/contract.ts";
import type { Address } from "../domain/ids.ts";
import type { JournalRow, StoreReaderShape } from "../ports/store.ts";
import { followJournal } from "./journal-follow.ts";
import { systemClock } from "./system-clock.ts";

/** The inspector's part of the live half of the contract. */
export const inspecting = (inspection: Inspection): Pick<LiveFactory, "actors" | "actor" | "inspect"> => ({
  actors: () => inspection.actors(),
  actor: (address) => inspection.actor(address),
  inspect: (options, onEvent) => inspection.inspect(options, onEvent),
});

/** The owner's own: its host tells of durable steps, its supervisors of who lives. */
export const ownerInspection = (parts: Pick<InspectionParts, "store" | "redact" | "living">): Inspection => new Inspection({ ...parts, charts: chartsOf(catalog), clock: systemClock });

/** Beside an owner, or with none: durable charts alone, replayed from the store, which is followed while somebody listens. */
export const readerInspection = (reader: StoreReaderShape, redact: (json: string) => string): Inspection => {
  const charts = chartsOf(catalog);
  return new Inspection({ store: reader, charts, redact, clock: systemClock, follow: (onChange) => followChanges(reader, charts, onChange) });
};

/** Actors whose state is kept between two of their steps; further ones are replayed anew. */
const replicaLimit = 500;

/** Steps as the journal gets them, replayed here. Resolves, once the journal is followed, to how that is ended. */
const followChanges = (reader: StoreReaderShape, charts: Charts, onChange: (change: Change) => void): Promise<() => void> => {
  const replicas = new Map<Address, Resident>();
  const step = async (row: JournalRow): Promise<void> => {
    const known = replicas.get(row.actor);
    const before = known?.seq === row.seq - 1 ? known : await Effect.runPromise(actorAt(reader, charts, row.actor, row.seq - 1));
    // A step whose beginning cannot be told; the next one can, once there is a snapshot behind it.
    if (before === undefined && row.seq > 1) return;
    const { actor, change } = changeOf(charts, before, row);
    replicas.delete(row.actor);
    if (!change.final) replicas.set(row.actor, actor);
    const [oldest] = replicas.size > replicaLimit ? replicas.keys() : [];
    if (oldest !== undefined) replicas.delete(oldest);
    onChange(change);
  };
  return new Promise((resolve) => {
    const stop = followJournal(reader, {
      began: () => resolve(stop),
      rows: async (rows) => {
        // A chart that cannot be replayed is skipped, not the others.
        for (const row of rows) await step(row).catch(() => { replicas.delete(row.actor); });
      },
    });
  });
};
