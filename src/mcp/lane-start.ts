/** Gives a work item to a lane and starts it; where it runs in that lane already, nothing is done. */
import { ClientProblem, type CommandReceipt, type FactoryClient } from "../client/contract.ts";
import type { WorkItemId } from "../domain/ids.ts";
import type { OperatorLane } from "../domain/lane.ts";
import type { WorkItemView } from "../domain/view.ts";
import { isTerminal } from "../domain/work-item.ts";
import { itemNamed } from "./item-answer.ts";

/** `null`: it ran in that lane already. `session`: it does the rounds of work itself, where the lane can be driven so. */
export const startLane = async (client: FactoryClient, lane: OperatorLane, id: WorkItemId, session?: string): Promise<CommandReceipt["delivered"] | null> => {
  const { item } = await itemNamed(client, id);
  if (item.status !== "ready") {
    if (runsIn(lane, item)) return null;
    throw new ClientProblem(`${id} cannot be started: it is ${item.status}${item.operatorLane === lane ? "" : ` in lane ${item.operatorLane}`}`, isTerminal(item.status) ? "try it again with factory_workItem_update, action retry" : "see what it waits for with factory_workItem_get");
  }
  // In one step: automation might claim it in between.
  try {
    return (await client.command(id, { type: "claim", lane, ...(session === undefined ? {} : { session }) })).delivered;
  } catch (error) {
    // The same was asked twice at once.
    if (error instanceof ClientProblem && runsIn(lane, (await itemNamed(client, id)).item)) return null;
    throw error;
  }
};

const runsIn = (lane: OperatorLane, { operatorLane, status }: WorkItemView): boolean => operatorLane === lane && !isTerminal(status) && status !== "discovered" && status !== "awaitingApproval" && status !== "ready";
