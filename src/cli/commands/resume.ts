import type { FactoryClient, ItemState } from "../../client/contract.ts";
import type { WorkItemId } from "../../domain/ids.ts";
import { isTerminal } from "../../domain/work-item.ts";
import { type Command, itemId, itemState } from "../context.ts";
import { type Begun, drive } from "../drive.ts";
import { follow } from "../follow.ts";
import { CliProblem } from "../problem.ts";

export interface ResumeOptions { readonly id?: string; readonly verbose?: boolean; readonly takeOver?: boolean }

/** Goes on with one item, or with all that were begun and have not ended. */
export const resume: Command<ResumeOptions> = (context, options) => {
  const id = options.id === undefined ? undefined : itemId(options.id);
  return drive(context, {
    verbose: options.verbose === true,
    takeOver: options.takeOver === true,
    begin: async (client) => (id === undefined ? resumeAll(client) : resumeOne(client, id)),
    json: (items) => ({ workItems: items }),
  });
};

/** Somebody or something began it; what only waits in the queue is left to automation. */
const wasBegun = ({ item }: ItemState): boolean => item.source === "command" || item.attempt >= item.lineage;

/**
 * What was left in the store for an item (a retry, say) is taken up by its owner within moments of the start; until then it looks as it
 * was left. Milliseconds; only who finds nothing to do waits so long.
 */
const mailMs = 1_500;

/** The items that `pick` finds, as soon as it finds any. */
const soon = (client: FactoryClient, pick: (items: readonly ItemState[]) => readonly ItemState[]): Promise<readonly ItemState[]> => {
  const stop = AbortSignal.timeout(mailMs);
  return follow<readonly ItemState[]>({ client, pick, stop, decide: (items) => (items.length > 0 ? items : undefined) }).catch((error: unknown) => {
    if (stop.aborted) return [];
    throw error;
  });
};

const resumeAll = async (client: FactoryClient): Promise<readonly Begun[]> =>
  (await soon(client, (items) => items.filter((state) => !isTerminal(state.item.status) && wasBegun(state)))).map(({ item }) => ({ id: item.id }));

/** Asking for one item by name means now: pauses, waits and mended surroundings included. */
const resumeOne = async (client: FactoryClient, id: WorkItemId): Promise<readonly Begun[]> => {
  const { item: { status: found } } = await itemState(client, id);
  const [state] = await soon(client, (items) => items.filter(({ item }) => item.id === id && !isTerminal(item.status)));
  if (state === undefined) throw new CliProblem(`${id} has ended: ${found}.`, `To start it again: enact-factory task retry ${id}`);
  const { item, updatedAt } = state;
  const wake = item.status === "paused" ? "resume" : item.status === "retryAt" || (item.status === "blocked" && item.blocked !== "needsHuman") ? "retry" : undefined;
  if (wake === undefined) return [{ id }];
  const { delivered } = await client.command(id, { type: wake });
  return [delivered === "queued" ? { id, mailedAt: updatedAt } : { id }];
};
