import { emptyLedger, Ledger } from "../domain/ledger.ts";
import { type Cost, noCost } from "../domain/spend.ts";
import type { TeamView } from "../domain/team.ts";
import { isTerminal } from "../domain/work-item.ts";
import type { ViewRow } from "../ports/store.ts";
import type { ItemState } from "./contract.ts";

/** The ledger as it was shown last; empty where no factory has run. */
export const ledgerIn = (rows: readonly ViewRow[]): Ledger => {
  const row = rows.find(({ actor }) => actor === "spend/factory");
  return (row && Ledger.safeParse(JSON.parse(row.view)).data) ?? emptyLedger;
};

const stageGoesOn: ReadonlySet<string> = new Set(["working", "waiting", "asking", "enforcing", "cancelling"]);

/**
 * US dollars that the charts of an item know of, this lineage's. A pipeline hands its cost to the item, or to its lane, when it ends, a stage to its pipeline: what goes
 * on is added. For what the ledger does not know: items from before there was one, and those it has forgotten.
 */
const chartsUsd = ({ item, lane, nested, pipeline, stage }: Omit<ItemState, "cost">): number => {
  if (lane !== null && !isTerminal(item.status) && item.status !== "verifying" && item.status !== "review" && item.status !== "publishing" && item.status !== "tidying" && item.attempt >= item.lineage) {
    const ofStage = stage !== null && stageGoesOn.has(stage.state) ? stage.costUsd : 0, ofStep = pipeline === null ? ofStage : pipeline.costUsd + ofStage;
    const running = nested === null ? ofStep : nested.costUsd + (nested.running ? ofStep : 0);
    return item.costUsd + lane.costUsd + (lane.running ? running : 0);
  }
  const alive = pipeline !== null && item.attempt >= item.lineage && (item.status === "operating" || item.status === "cancelling" || (item.status === "blocked" && item.running));
  if (!alive) return item.costUsd;
  return item.costUsd + pipeline.costUsd + (stage !== null && stageGoesOn.has(stage.state) ? stage.costUsd : 0);
};

/** What an item has cost, all its tries together. */
export const itemCost = (state: Omit<ItemState, "cost">, ledger: Ledger): Cost => {
  const cost = ledger.items.find(({ id }) => id === state.item.id)?.amount.cost ?? noCost;
  return { ...cost, usd: Math.max(cost.usd, chartsUsd(state)) };
};

/** Members of an older version knew dollars only. */
export const memberCost = ({ cost, costUsd }: Pick<TeamView["members"][number], "cost" | "costUsd">): Cost => cost ?? { ...noCost, usd: costUsd };
