/** `provider`: which adapter new turns of the usual one are given to, also while the factory runs. */
import { AdapterName } from "../../domain/agent.ts";
import { relativeTime } from "../../client/explain.ts";
import { oneLine } from "../../client/text/safe-text.ts";
import { isoTime } from "../../client/text/time-text.ts";
import type { FactoryClient, ProviderState } from "../../client/contract.ts";
import type { AdapterLoad } from "../../domain/routing.ts";
import { type Command, printJson, reading } from "../context.ts";
import { CliProblem, exitCode } from "../problem.ts";

export interface ProviderOptions { readonly name?: string; readonly reset?: boolean }

/** What a running factory knows; without one nothing is known. */
export const loadsOf = async (client: FactoryClient): Promise<readonly AdapterLoad[]> => (await client.status().catch(() => undefined))?.adapters ?? [];

export const loadText = ({ running, waiting, refusedUntil, why }: AdapterLoad, now: number): string =>
  [`${running} running`, ...(waiting > 0 ? [`${waiting} waiting for a place`] : []), ...(refusedUntil === null ? [] : [`refused until ${isoTime(refusedUntil)} (${relativeTime(refusedUntil, now)}): ${oneLine(why)}`])].join(", ");

const says = ({ usual, chosen, since }: ProviderState, now: number): string =>
  chosen === null ? `${usual} (as configured)` : `${chosen}, chosen ${relativeTime(since, now)} in place of ${usual}`;

export const nameOf = (text: string): AdapterName => {
  const parsed = AdapterName.safeParse(text);
  if (!parsed.success) throw new CliProblem(`${JSON.stringify(text.slice(0, 80))} is no adapter.`, `Choose one of ${AdapterName.options.join(", ")}.`);
  return parsed.data;
};

/** Shows the provider, or chooses it. */
export const provider: Command<ProviderOptions> = (context, { name, reset }) => reading(context, async (client) => {
  if (name !== undefined && reset === true) throw new CliProblem("Give a name or --reset, not both.", "enact-factory provider --reset");
  const now = context.tools.now(), { out } = context.terminal;
  const delivered = name === undefined && reset !== true ? undefined : (await client.chooseProvider(name === undefined ? null : nameOf(name))).delivered;
  const state = await client.provider(), adapters = await loadsOf(client);
  if (context.json) printJson(context, { ...state, ...(delivered === undefined ? {} : { delivered }), adapters });
  else if (delivered === "queued") out.write("Noted. A running factory takes it up at once; without one the next one does.\n");
  else {
    out.write(`Provider: ${says(state, now)}\n`);
    for (const load of adapters) out.write(`  ${load.name}: ${loadText(load, now)}\n`);
    if (delivered !== undefined) out.write("Turns under way finish as they are; new ones are given to it.\n");
  }
  return exitCode.ok;
});
