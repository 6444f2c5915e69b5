import { daySince, daysBefore } from "../domain/calendar.ts";
import { type CapState, dayAmount, dayCaps, itemCaps, type Ledger, projectCaps } from "../domain/ledger.ts";
import { WorkItemId } from "../domain/ids.ts";
import { addAmount, type Amount, type Charge, Charge as ChargeSchema, type Day, noAmount, tokensOf } from "../domain/spend.ts";
import { stages } from "../domain/stage.ts";
import { ClientProblem, type JournalLine, type SpendKind, type SpendQuery, type SpendReport, type SpendRow } from "./contract.ts";

/**
 * What was used, from the ledger and its journal. Pure, and the same for every client.
 *
 * I1 Each run that was charged is in exactly one row, in no more than the ledger took: a run that was told twice counts once.
 */
export interface Charged { readonly charge: Charge; readonly at: number }

/** Rows that are told at most; of runs there may be many. */
const mostRows = 500;
/** Days of a report that names none. */
const usualDays = 30;

export const chargedIn = (line: Pick<JournalLine, "type" | "event" | "at">): Charged | undefined => {
  if (line.type !== "spent") return undefined;
  const charge = ChargeSchema.safeParse(line.event["charge"]).data;
  return charge && { charge, at: line.at };
};

/** The first day that a query means; undefined: it asks for no rows. */
export const firstDay = ({ by, since }: SpendQuery, today: Day): Day | undefined => {
  if (since === undefined) return by === undefined ? undefined : daysBefore(today, usualDays - 1);
  const day = daySince(since, today);
  if (day === undefined) throw new ClientProblem(`${JSON.stringify(since.slice(0, 40))} is no day`, "write it like 2026-11-30, today, or 7d for the last seven days");
  return by === undefined ? undefined : day;
};

const agentOf = ({ member, stage }: Charge): string => (member === null ? stage : member === "leader" ? "team leader" : "team worker");

const keyOf = (by: SpendKind, charge: Charge): string => {
  switch (by) {
    case "run": return charge.run;
    case "stage": return agentOf(charge);
    case "item": return charge.item;
    case "lane": return charge.lane;
    case "project": return charge.project;
    case "day": return charge.day;
  }
};

const saysOf = (by: SpendKind, { item, member, stage, adapter, model, day, project }: Charge): string => (by === "run" ? `${day} ${item} ${member ?? stage}, ${model ?? adapter}` : by === "item" ? project : "");

const order = (by: SpendKind): ((a: SpendRow, b: SpendRow) => number) => {
  switch (by) {
    case "run": return (a, b) => a.at - b.at;
    case "day": return (a, b) => (a.key < b.key ? -1 : 1);
    case "stage": return (a, b) => rank(a.key) - rank(b.key) || (a.key < b.key ? -1 : 1);
    default: return (a, b) => b.amount.cost.usd - a.amount.cost.usd || tokensOf(b.amount.usage) - tokensOf(a.amount.usage) || (a.key < b.key ? -1 : 1);
  }
};
const rank = (stage: string): number => { const at = stages.findIndex((each) => each === stage); return at < 0 ? stages.length : at; };

/** Adds up charges as they are read, so that a long journal need not be held. */
export class SpendRows {
  readonly #query: SpendQuery;
  readonly #since: Day | undefined;
  readonly #rows = new Map<string, SpendRow>();
  readonly #seen = new Set<string>();
  #total: Amount = noAmount;

  constructor(query: SpendQuery, today: Day) {
    this.#query = query;
    this.#since = firstDay(query, today);
  }

  /** Nothing has to be read. */
  get isIdle(): boolean { return this.#since === undefined; }

  add({ charge, at }: Charged): void {
    const { by, item } = this.#query;
    if (by === undefined || this.#since === undefined || charge.day < this.#since || (item !== undefined && charge.item !== item) || this.#seen.has(charge.run)) return;
    this.#seen.add(charge.run);
    const key = keyOf(by, charge), before = this.#rows.get(key);
    this.#total = addAmount(this.#total, charge.amount);
    this.#rows.set(key, { key, says: saysOf(by, charge), amount: addAmount(before?.amount ?? noAmount, charge.amount), at: Math.max(before?.at ?? 0, at) });
  }

  report(ledger: Ledger, today: Day): SpendReport {
    const { by, item } = this.#query;
    const all = by === undefined ? [] : [...this.#rows.values()].sort(order(by));
    const rows = by === "run" || by === "day" ? all.slice(-mostRows) : all.slice(0, mostRows);
    const items = new Set<string>([...(item === undefined ? [] : [item]), ...(by === "item" ? rows.map(({ key }) => key) : [])]);
    const caps: CapState[] = [
      ...[...items].flatMap((id) => itemCaps(ledger, WorkItemId.parse(id))),
      ...(ledger.days.find(({ day }) => day === today)?.projects ?? []).flatMap(({ name }) => projectCaps(ledger, name, today)),
      ...dayCaps(ledger, today),
    ];
    return { today, day: dayAmount(ledger, today), caps, since: this.#since ?? null, rows, more: all.length - rows.length, total: this.#total };
  }
}
