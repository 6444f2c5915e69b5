/** The ledger and the gate in front of it, as the owner puts them together from the configuration. */
import { z } from "zod";
import type { Change } from "../../actors/durable-actor.ts";
import type { DurableHost } from "../../actors/durable-host.ts";
import { type Calendar, SpendGate, type SpendGateOptions } from "../../actors/spend-gate.ts";
import { type SpendContext, spendAddress } from "../../machines/spend.ts";
import { dayEnd, dayOf, localZone, zonedText } from "../domain/calendar.ts";
import { capsOf, type Config, settingsOfRepository } from "../domain/config.ts";
import { RunId, WorkItemId } from "../domain/ids.ts";
import { newWarnings } from "../domain/ledger.ts";
import { wallClock } from "./system-clock.ts";

/** Days as `[spend]` means them. */
export const calendarOf = ({ spend: { timeZone = localZone() } }: Config): Calendar => ({ today: () => dayOf(wallClock(), timeZone), endText: () => zonedText(dayEnd(wallClock(), timeZone), timeZone) });

export const spendGate = (config: Config, laneOf: SpendGateOptions["laneOf"]): SpendGate =>
  new SpendGate({ prices: config.spend.prices, calendar: calendarOf(config), projectOf: (repository) => settingsOfRepository(config, repository).name, laneOf });

/** Once, when the ledger is there: what it holds, and the caps that are in force from now on. */
export const learnLedger = async (spend: SpendGate, host: DurableHost, config: Config): Promise<void> => {
  const ledger: SpendContext | undefined = (await host.state(spendAddress))?.state.context, caps = capsOf(config);
  if (ledger) spend.learn(ledger);
  if (JSON.stringify(ledger?.caps) !== JSON.stringify(caps)) await host.send(spendAddress, { type: "caps", caps });
};

const Charged = z.object({ type: z.literal("spent"), charge: z.object({ run: RunId, item: WorkItemId }) });

/** What the ledger has come to know counts at once, and of what has come near its cap everybody hears. */
export const hearLedger = (spend: SpendGate, { event, before, state }: Change, say: (text: string) => void): void => {
  const after: SpendContext = state.context, earlier: SpendContext | undefined = before?.context;
  const charge = Charged.safeParse(event).data?.charge;
  spend.learn(after, charge?.run);
  if (charge && earlier) for (const text of newWarnings(earlier, after, charge.item)) say(`${charge.item}: ${text}`);
};
