import { laneAddress, parseAddress, pipelineAddress, teamAddress, type WorkItemId } from "../domain/ids.ts";
import { TeamView } from "../domain/team.ts";
import { LaneRunView, PipelineView, ProgressView, StageView, WorkItemView } from "../domain/view.ts";
import type { ViewRow } from "../ports/store.ts";
import type { ItemState } from "./contract.ts";
import { itemCost, ledgerIn } from "./item-cost.ts";

/** Lanes whose runs have a view. An attempt has a run of one of them at most. */
const runLanes = LaneRunView.shape.lane.options;
const isRun = (address: string): boolean => runLanes.some((name) => address.startsWith(`${name}/`));

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
      const lane = runLanes.map((name) => read(LaneRunView, laneAddress(name, item.id, item.attempt))).find((run) => run !== null) ?? null;
      // A lane may have begun the run of another one, a team, or a stage without a pipeline; and a team a run that mends.
      const team = item.operatorLane === "team" || lane?.leg.startsWith("team/") === true ? read(TeamView, teamAddress(item.id, item.attempt)) : null;
      const runAt = [lane?.leg, team?.leg].find((leg) => leg !== undefined && isRun(leg));
      const nested = runAt === undefined ? null : read(LaneRunView, runAt);
      const at = nested?.leg ?? lane?.leg ?? pipelineAddress(item.id, item.attempt);
      const pipeline = at.startsWith("pipeline/") ? read(PipelineView, at) : null;
      const stageAt = pipeline?.stageAddress ?? (at.startsWith("stage/") ? at : "");
      const touched = [teamAddress(item.id, item.attempt), at, lane?.address, nested?.address, stageAt].map((address) => (address === undefined || (address.startsWith("team/") && team === null) ? 0 : (byAddress.get(address)?.updatedAt ?? 0)));
      const state = {
        item, pipeline, stage: stageAt === "" ? null : read(StageView, stageAt), progress: read(ProgressView, `progress/${own}`),
        team: team && { phase: team.phase, done: team.tasks.filter(({ state: each }) => each === "done").length, tasks: team.tasks.length }, lane, nested, updatedAt: Math.max(row.updatedAt, ...touched),
      };
      return [{ ...state, cost: itemCost(state, ledger) }];
    })
    .sort((a, b) => compareIds(a.item.id, b.item.id));
};

/** LOC-2 before LOC-10. */
export const compareIds = (a: string, b: string): number => a.localeCompare(b, "en", { numeric: true });
