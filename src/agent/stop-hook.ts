/**
 * Asks the factory whether this turn may end, as a CLI's Stop hook does: by the program that the environment names, with the same words.
 * I1 It never keeps a turn from ending by its own trouble: no answer, a late one and one that cannot be read allow the stop.
 */
import { execa } from "execa";
import { z } from "zod";
import { hookNames } from "../domain/hook-environment.ts";

/** Why it may not end yet; undefined: it may. */
export type StopHook = (said: string, signal: AbortSignal) => Promise<string | undefined>;

const Denial = z.object({ decision: z.literal("block"), reason: z.string().min(1) });

/** Milliseconds; the program itself is patient for a third of that. */
const longestMs = 30_000;

/** Undefined: nobody asks. */
export const stopHookIn = (env: Readonly<Record<string, string | undefined>>, { sessionId, cwd }: { readonly sessionId: string; readonly cwd: string }): StopHook | undefined => {
  const node = env[hookNames.node], bin = env[hookNames.bin];
  if (node === undefined || bin === undefined) return undefined;
  const passed = ["PATH", "HOME", "TMPDIR", "XDG_STATE_HOME", "XDG_CONFIG_HOME", "ENACT_RUN_ID", ...Object.values(hookNames)];
  const given = Object.fromEntries(passed.flatMap((name) => { const value = env[name]; return value === undefined ? [] : [[name, value]]; }));
  return async (said, signal) => {
    const input = JSON.stringify({ session_id: sessionId, cwd, hook_event_name: "Stop", last_assistant_message: said });
    const { failed, stdout } = await execa(node, [bin, "hook", "stop", "--cli", "responses", "--run"], { cwd, env: given, extendEnv: false, input, reject: false, timeout: longestMs, cancelSignal: signal, forceKillAfterDelay: 1_000 });
    if (failed) return undefined;
    try { return Denial.safeParse(JSON.parse(stdout)).data?.reason; } catch { return undefined; }
  };
};
