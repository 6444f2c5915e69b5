import { z } from "zod";
import { AdapterName } from "./agent.ts";

/** What an owner knows of an adapter just now. */
export const AdapterLoad = z.object({
  name: AdapterName,
  running: z.number(),
  /** Turns that wait for a place. */
  waiting: z.number(),
  /** Its provider refuses until then, milliseconds since the epoch; null: it does not, as far as is known. */
  refusedUntil: z.number().nullable(),
  why: z.string(),
});
export type AdapterLoad = z.infer<typeof AdapterLoad>;

/** Who a turn is with, told where that is another than was asked for, or where the turn waits for a place there. */
export interface TurnPlace { readonly adapter: AdapterName; readonly model: string | null; /** As many turns run there, or began within the hour, as may. */ readonly waits: boolean }

/** Which adapter stands in for the configured one. */
export const ProviderView = z.object({ adapter: AdapterName.nullable(), since: z.number() });
export type ProviderView = z.infer<typeof ProviderView>;
