import { z } from "zod";
import { RunId, WorkItemId } from "./ids.ts";
import { Stage } from "./stage.ts";

/**
 * What the factory tells the hooks of a CLI that it runs itself, by environment: the text of a hook command is constant, so that nothing of it is
 * ever part of a shell's words. The commands of entries in people's own settings need none of it.
 */
export const hookNames = { node: "ENACT_HOOK_NODE", bin: "ENACT_HOOK_BIN", config: "ENACT_HOOK_CONFIG", repository: "ENACT_HOOK_REPOSITORY", run: "ENACT_HOOK_RUN", item: "ENACT_HOOK_ITEM", stage: "ENACT_HOOK_STAGE", since: "ENACT_HOOK_SINCE", patience: "ENACT_HOOK_PATIENCE_MS" } as const;

/** How this factory is found and called by a hook. */
export interface HookProgram { readonly node: string; readonly bin: string; /** null: there is no configuration file; `repository` names the factory. */ readonly config: string | null; readonly repository: string }

/** The turn that asks, as its hook reads it back. */
export const HookRun = z.object({ config: z.string().optional(), repository: z.string().min(1), run: RunId, item: WorkItemId, stage: Stage, since: z.string().regex(/^[0-9a-f]{7,64}$/) });
export type HookRun = z.infer<typeof HookRun>;

export const hookRunIn = (env: Readonly<Record<string, string | undefined>>): HookRun | undefined =>
  HookRun.safeParse(Object.fromEntries(Object.entries(hookNames).map(([key, name]) => [key, env[name]]))).data;

/** The patience of a hook in a turn of the factory's own: nobody waits for it, and a machine under load is slow. Milliseconds. */
const runPatienceMs = 10_000;

export const hookEnvironment = (program: HookProgram, run: Pick<HookRun, "run" | "item" | "stage" | "since">): Readonly<Record<string, string>> => ({
  [hookNames.node]: program.node, [hookNames.bin]: program.bin, ...(program.config === null ? {} : { [hookNames.config]: program.config }), [hookNames.repository]: program.repository,
  [hookNames.run]: run.run, [hookNames.item]: run.item, [hookNames.stage]: run.stage, [hookNames.since]: run.since, [hookNames.patience]: String(runPatienceMs),
});
