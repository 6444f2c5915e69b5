import type { FactoryClient, ItemState } from "../client/contract.ts";
import type { Connection, LocalTools } from "../client/local-tools.ts";
import { compareIds } from "../client/item-state.ts";
import { WorkItemId } from "../domain/ids.ts";
import type { GlobalOptions, Place } from "./place.ts";
import { CliProblem } from "./problem.ts";
import type { Terminal } from "./screen.ts";

/** What every command gets. */
export interface CommandContext {
  readonly terminal: Terminal;
  readonly tools: LocalTools;
  readonly place: Place;
  readonly json: boolean;
}

export type Command<Options> = (context: CommandContext, options: Options & GlobalOptions) => Promise<number>;

/** Reads what the store holds; never becomes the owner. */
export const reading = async <T>(context: CommandContext, use: (client: FactoryClient) => Promise<T>): Promise<T> => {
  const connection: Connection = await context.tools.connect({ ...context.place, as: "read" });
  try {
    return await use(connection.client);
  } finally {
    await connection.close("abandon");
  }
};

/** `loc-3` is meant as LOC-3. */
export const itemId = (text: string): WorkItemId => {
  const parsed = WorkItemId.safeParse(text.toUpperCase());
  if (!parsed.success) throw new CliProblem(`${JSON.stringify(text.slice(0, 80))} is no work item id.`, "An id looks like LOC-12; `enact-factory task list` shows them.");
  return parsed.data;
};

export const itemState = async (client: FactoryClient, id: WorkItemId): Promise<ItemState> => {
  const state = await client.item(id);
  if (state !== undefined) return state;
  const [{ stateDirectory }, items] = await Promise.all([client.describe(), client.items()]);
  const known = items.map((other) => other.item.id).toSorted(compareIds);
  const some = known.length <= 8 ? known.join(", ") : `${known.slice(0, 8).join(", ")}, …`;
  throw new CliProblem(`There is no work item ${id} in ${stateDirectory}.`, known.length === 0 ? "There is none at all here; -C DIR or --config FILE name another factory." : `There are ${some}. -C DIR or --config FILE name another factory.`);
};

export const printJson = (context: CommandContext, value: unknown): void => context.terminal.out.write(`${JSON.stringify(value)}\n`);
