import { isTerminal } from "../domain/work-item.ts";
import type { ItemState } from "./contract.ts";

const stageGoesOn: ReadonlySet<string> = new Set(["working", "waiting", "asking", "enforcing", "cancelling"]);

/** US dollars of an item so far. A pipeline hands its cost to the item, or to its lane, when it ends, a stage to its pipeline: what goes on is added. */
export const spentUsd = ({ item, lane, pipeline, stage }: ItemState): number => {
  if (lane !== null && !isTerminal(item.status) && item.status !== "verifying" && item.status !== "review" && item.status !== "publishing" && item.status !== "tidying" && item.attempt >= item.lineage) {
    return item.costUsd + lane.costUsd + (lane.running && pipeline !== null ? pipeline.costUsd + (stage !== null && stageGoesOn.has(stage.state) ? stage.costUsd : 0) : 0);
  }
  const alive = pipeline !== null && item.attempt >= item.lineage && (item.status === "operating" || item.status === "cancelling" || (item.status === "blocked" && item.running));
  if (!alive) return item.costUsd;
  return item.costUsd + pipeline.costUsd + (stage !== null && stageGoesOn.has(stage.state) ? stage.costUsd : 0);
};
