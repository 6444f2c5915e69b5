/** Reads the factory through the contract for the HUD: everything once, then only what may have changed. */
import { ClientProblem, type FactoryClient, type JournalLine } from "../client/contract.ts";
import type { Known } from "./state.ts";

/** Events kept in view. */
const mostEvents = 500;

/** What only an owner can say; none in reach is an ordinary answer. */
const orNone = async <T, N>(asked: Promise<T>, none: N): Promise<T | N> => {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof ClientProblem) return none;
    throw error;
  }
};

/** What no change of the store announces; a new day is none. */
const readLive = async (client: FactoryClient): Promise<Pick<Known, "description" | "status" | "spend" | "terminals" | "tree">> => {
  const [description, status, spend, terminals, tree] = await Promise.all([client.describe(), orNone(client.status(), null), client.spend({}), orNone(client.terminals(), []), orNone(client.tree(), [])]);
  return { description, status, spend, terminals, tree };
};

export const readKnown = async (client: FactoryClient): Promise<Known> => {
  const [live, items, teams, journal] = await Promise.all([readLive(client), client.items(), client.teams(), journalTail(client, mostEvents / 5)]);
  return { ...live, items, teams, journal };
};

/** After a change of the store. */
export const readAgain = async (client: FactoryClient, before: Known): Promise<Known> => {
  const [live, items, teams, news] = await Promise.all([readLive(client), client.items(), client.teams(), client.journal({ after: before.journal.at(-1)?.position ?? 0, limit: 10_000 })]);
  return { ...live, items, teams, journal: news.length === 0 ? before.journal : [...before.journal, ...news].slice(-mostEvents) };
};

/** Only what is not in the store; the same object when nothing of it changed. */
export const readLiveAgain = async (client: FactoryClient, before: Known): Promise<Known> => {
  const live = await readLive(client);
  const { description, status, spend, terminals, tree } = before;
  return JSON.stringify(live) === JSON.stringify({ description, status, spend, terminals, tree }) ? before : { ...before, ...live };
};

/** The last events. The contract reads forward only: where the journal ends is found by halving, not by reading all of it. */
const journalTail = async (client: FactoryClient, count: number): Promise<readonly JournalLine[]> => {
  const anyAfter = async (position: number): Promise<boolean> => (await client.journal({ after: position, limit: 1 })).length > 0;
  let low = 0, high = count;
  while (await anyAfter(high)) {
    low = high;
    high *= 2;
  }
  while (high - low > count) {
    const middle = Math.floor((low + high) / 2);
    if (await anyAfter(middle)) low = middle;
    else high = middle;
  }
  return (await client.journal({ after: Math.max(0, low - count), limit: 3 * count })).slice(-count);
};
