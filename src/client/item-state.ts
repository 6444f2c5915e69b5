import { laneAddress, parseAddress, pipelineAddress, teamAddress, type WorkItemId } from "../domain/ids.ts";
import { TeamView } from "../domain/team.ts";
import { LaneRunView, PipelineView, ProgressView, StageView, WorkItemView } from "../domain/view.ts";
import type { ViewRow } from "../ports/store.ts";
import type { ItemState } from "./contract.ts";
import { itemCost, ledgerIn } from "./item-cost.ts";

/** Puts the views of single actors together into what a client calls an item: its newest lineage, and who works on it now. */
export const itemStates = (rows: readonly ViewRow[]): readonly ItemState[] => {
  const byAddress = new Map(rows.map((row) => [String(row.actor), row]));
  const ledger = ledgerIn(rows);
  const newest = new Map<WorkItemId, { readonly row: ViewRow; readonly lineage: number }>();
  for (const row of rows) {
    const address = parseAddress(row.actor);
    if (address?.chart !== "item") continue;
    const known = newest.get(address.item);
    if (!known || known.lineage < address.attempt) newest.set(address.item, { row, lineage: address.attempt });
  }
  const read = <T>(schema: { safeParse: (value: unknown) => { readonly success: true; readonly data: T } | { readonly success: false } }, address: string): T | null => {
    const row = byAddress.get(address);
    if (!row) return null;
    const parsed = schema.safeParse(JSON.parse(row.view));
    return parsed.success ? parsed.data : null;
  };
  return [...newest.values()]
    .flatMap(({ row }): ItemState[] => {
      const shown = read(WorkItemView, row.actor);
      if (!shown) return [];
      const warned = ledger.items.find(({ id }) => id === shown.id)?.warnings ?? [];
      const item = warned.length === 0 ? shown : { ...shown, warnings: [...shown.warnings, ...warned] };
      const own = `${item.id}/${item.attempt}`;
      const lane = read(LaneRunView, laneAddress("ralph", item.id, item.attempt)) ?? read(LaneRunView, laneAddress("ultrawork", item.id, item.attempt));
      const at = lane === null ? pipelineAddress(item.id, item.attempt) : lane.leg;
      const pipeline = at === "" ? null : read(PipelineView, at);
      const team = item.operatorLane === "team" ? read(TeamView, teamAddress(item.id, item.attempt)) : null;
      const updatedAt = Math.max(row.updatedAt, (team && byAddress.get(teamAddress(item.id, item.attempt))?.updatedAt) ?? 0, byAddress.get(at)?.updatedAt ?? 0, lane ? (byAddress.get(lane.address)?.updatedAt ?? 0) : 0, pipeline ? (byAddress.get(pipeline.stageAddress)?.updatedAt ?? 0) : 0);
      const state = { item, pipeline, stage: pipeline ? read(StageView, pipeline.stageAddress) : null, progress: read(ProgressView, `progress/${own}`), team: team && { phase: team.phase, done: team.tasks.filter(({ state }) => state === "done").length, tasks: team.tasks.length }, lane, updatedAt };
      return [{ ...state, cost: itemCost(state, ledger) }];
    })
    .sort((a, b) => compareIds(a.item.id, b.item.id));
};

/** LOC-2 before LOC-10. */
export const compareIds = (a: string, b: string): number => a.localeCompare(b, "en", { numeric: true });
