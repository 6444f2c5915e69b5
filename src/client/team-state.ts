import { parseAddress, type WorkItemId } from "../domain/ids.ts";
import { TeamView } from "../domain/team.ts";
import type { ViewRow } from "../ports/store.ts";
import type { ItemState, TeamState } from "./contract.ts";

const over: ReadonlySet<TeamView["phase"]> = new Set(["done", "failed", "cancelled", "exhausted"]);

/** The newest attempt of every team, running ones first, then by name. */
export const teamStates = (rows: readonly ViewRow[], items: readonly ItemState[]): readonly TeamState[] => {
  const newest = new Map<WorkItemId, { readonly team: TeamView; readonly updatedAt: number }>();
  for (const row of rows) {
    if (parseAddress(row.actor)?.chart !== "team") continue;
    const parsed = TeamView.safeParse(JSON.parse(row.view));
    if (!parsed.success) continue;
    const known = newest.get(parsed.data.item);
    if (!known || known.team.attempt < parsed.data.attempt) newest.set(parsed.data.item, { team: parsed.data, updatedAt: row.updatedAt });
  }
  return [...newest.values()]
    .map(({ team, updatedAt }): TeamState => ({ team, item: items.find(({ item }) => item.id === team.item)?.item ?? null, updatedAt }))
    .sort((a, b) => Number(over.has(a.team.phase)) - Number(over.has(b.team.phase)) || a.team.name.localeCompare(b.team.name, "en", { numeric: true }));
};

/** True while the team may still do something. */
export const isRunning = ({ team }: TeamState): boolean => !over.has(team.phase);
