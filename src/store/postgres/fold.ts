import type { Address } from "../../domain/ids.ts";
import type { Commit } from "../../ports/store.ts";

/** What a batch changes in the end, ready for one statement: no row is touched twice. Rows are in the order of the columns named. */
export interface Changes {
  /** Actor, its first seq in the batch. */
  readonly heads: readonly [string, number][];
  /** Actor, its last seq in the batch. */
  readonly reached: ReadonlyMap<string, number>;
  /** Actor, seq, event, at. */
  readonly journal: readonly [string, number, string, number][];
  readonly takenMail: readonly number[];
  readonly takenOutbox: readonly string[];
  /** Recipient, event, at. */
  readonly mail: readonly [string, string, number][];
  /** Key, actor, kind, payload, at. */
  readonly outbox: readonly [string, string, string, string, number][];
  /** Actors that reached their end: their alarms are dropped, apart from those set afterwards. */
  readonly finals: readonly string[];
  /** Actor, name. */
  readonly clearedAlarms: readonly [string, string][];
  /** Actor, name, at. */
  readonly alarms: readonly [string, string, number][];
  /** Actor, machine, version, seq, state. */
  readonly snapshots: readonly [string, string, number, number, string][];
  /** Actor, seq, view, at. */
  readonly views: readonly [string, number, string, number][];
}

/**
 * The net effect of commits done one after another: an effect answered within the batch was never there; the last alarm, snapshot and view win.
 * A commit whose sequence leaves a gap or repeats one within the batch is returned instead.
 */
export const fold = (commits: readonly Commit[]): Changes | { readonly wrong: Commit } => {
  const heads: [string, number][] = [];
  const journal: [string, number, string, number][] = [];
  const takenMail: number[] = [];
  const takenOutbox: string[] = [];
  const mail: [string, string, number][] = [];
  const outbox = new Map<string, [string, string, string, string, number]>();
  const finals = new Set<string>();
  const alarms = new Map<Address, Map<string, number | null>>();
  const snapshots = new Map<string, [string, string, number, number, string]>();
  const views = new Map<string, [string, number, string, number]>();
  const reached = new Map<string, number>();
  const setAlarm = (actor: Address, name: string, at: number | null): void => {
    const named = alarms.get(actor);
    if (named === undefined) alarms.set(actor, new Map([[name, at]]));
    else named.set(name, at);
  };

  for (const c of commits) {
    const before = reached.get(c.actor);
    if (before === undefined) heads.push([c.actor, c.seq]);
    else if (c.seq !== before + 1) return { wrong: c };
    reached.set(c.actor, c.seq);
    journal.push([c.actor, c.seq, c.event, c.at]);
    switch (c.cause?.row) {
      case "mail":
        takenMail.push(c.cause.id);
        break;
      case "outbox":
        if (!outbox.delete(c.cause.key)) takenOutbox.push(c.cause.key);
        break;
      case "alarm":
        setAlarm(c.actor, c.cause.name, null);
        break;
      case undefined:
    }
    for (const m of c.mail ?? []) mail.push([m.to, m.event, c.at]);
    c.effects?.forEach((effect, n) => {
      const key = `${c.actor}:${c.seq}:effect:${n}`;
      outbox.set(key, [key, c.actor, effect.kind, effect.payload, c.at]);
    });
    for (const { name, at } of c.alarms ?? []) setAlarm(c.actor, name, at);
    if (c.snapshot !== undefined) snapshots.set(c.actor, [c.actor, c.snapshot.machine, c.snapshot.version, c.seq, c.snapshot.state]);
    if (c.view !== undefined) views.set(c.actor, [c.actor, c.seq, c.view, c.at]);
    if (c.final === true) {
      finals.add(c.actor);
      alarms.delete(c.actor);
    }
  }
  const set: [string, string, number][] = [];
  const cleared: [string, string][] = [];
  for (const [actor, named] of alarms) {
    for (const [name, at] of named) {
      if (at === null) cleared.push([actor, name]);
      else set.push([actor, name, at]);
    }
  }
  return { heads, reached, journal, takenMail, takenOutbox, mail, outbox: [...outbox.values()], finals: [...finals], clearedAlarms: cleared, alarms: set, snapshots: [...snapshots.values()], views: [...views.values()] };
};
