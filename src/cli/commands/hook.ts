/**
 * `hook …`: what agent CLIs call when a session begins, waits, or wants to stop.
 *
 * I1 It never breaks the CLI: whatever goes wrong here, the stop is allowed, one line says why on standard error, and the exit code is 0 (2 would be
 * a denial). I2 It answers or is silent within its patience. I3 The turns that the factory runs have an entry of their own (`--run`); entries in a
 * person's settings are silent there, so that nothing is asked twice.
 */
import type { Readable } from "node:stream";
import { ClientProblem, type StopVerdict } from "../../client/contract.ts";
import type { FactoryPlace, HookTools } from "../../client/local-tools.ts";
import { oneLine } from "../../client/text/safe-text.ts";
import { hookNames, hookRunIn } from "../../domain/hook-environment.ts";
import { SessionCli } from "../../domain/session.ts";
import type { Command } from "../context.ts";
import { exitCode } from "../problem.ts";
import { asksHuman, causeOf, type HookInput, readHookInput } from "../hook-input.ts";

export const hookEvents = ["stop", "session-start", "session-end", "notification"] as const;
export type HookEvent = (typeof hookEvents)[number];

export interface HookHost {
  readonly input: Readable;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  readonly tools: HookTools;
  /** `--config`, `-C`; without them the factory is the one of the CLI's own directory. */
  readonly place?: FactoryPlace;
}

export interface HookOptions { readonly event: HookEvent; readonly cli: string; /** Of a turn that the factory runs. */ readonly run: boolean }

/** Milliseconds from the start of the hook. It takes a tenth of that; a machine on which many agents work is slower, and must not lose its guard by that. */
const patienceMs = 1_000;

/** Resolves when there is nothing more to say; the process may go then, whatever is still under way (I2). */
export const runHook = async (options: HookOptions, host: HookHost): Promise<void> => {
  let late: NodeJS.Timeout | undefined;
  const patience = patienceIn(host.env);
  const tooLate = new Promise<"late">((resolve) => { late = setTimeout(() => resolve("late"), patience); });
  try {
    const said = await Promise.race([answer(options, host), tooLate]);
    if (said === "late") host.err(`enact-factory hook ${options.event}: no answer within ${patience} ms; the CLI goes on without it\n`);
    else if (said !== undefined) host.out(`${JSON.stringify(said)}\n`);
  } catch (error) {
    host.err(`enact-factory hook ${options.event}: ${oneLine(error instanceof Error ? error.message : String(error)).slice(0, 500)}; the CLI goes on without it\n`);
  } finally {
    clearTimeout(late);
  }
};

const patienceIn = (env: HookHost["env"]): number => {
  const asked = Number(env[hookNames.patience]);
  return Number.isInteger(asked) && asked > 0 && asked <= 60_000 ? asked : patienceMs;
};

type Said = Readonly<Record<string, unknown>> | undefined;

const answer = async (options: HookOptions, host: HookHost): Promise<Said> => {
  const run = hookRunIn(host.env);
  if (options.run !== (host.env[hookNames.run] !== undefined)) return undefined;
  if (options.run && run === undefined) throw new Error("the environment of this turn is damaged");
  const input = await readHookInput(host.input);
  const directory = input.cwd ?? host.cwd;
  const opened = await host.tools.open(run === undefined ? host.place ?? { directory } : { directory: run.repository, repository: run.repository, ...(run.config === undefined ? {} : { configFile: run.config }) });
  if (opened === undefined) return undefined;
  try {
    const { client } = opened, sessionId = input.session_id, cli = SessionCli.parse(options.cli);
    switch (options.event) {
      case "stop": {
        const changed = run === undefined ? false : await host.tools.changedSince(directory, run.since);
        return denial(await client.stopCheck({ sessionId, cli, cwd: directory, cause: causeOf(input), asksHuman: asksHuman(input), run: run === undefined ? null : { item: run.item, stage: run.stage, changed } }));
      }
      case "session-start": return warning(input, (await client.session({ type: "start", sessionId, cli, cwd: directory })).warning);
      case "session-end": return await quietly(() => client.session({ type: "end", sessionId }));
      case "notification": return await quietly(() => client.session({ type: "waits", sessionId }));
    }
  } finally {
    await opened.close();
  }
};

/** Of a session that is not known there is nothing to note. */
const quietly = async (note: () => Promise<unknown>): Promise<undefined> => {
  await note().catch((error: unknown) => { if (!(error instanceof ClientProblem)) throw error; });
  return undefined;
};

const denial = ({ decision, reason, pendingGates }: StopVerdict): Said => (decision === "allow" ? undefined : { decision: "block", reason: `Enact Factory: not yet. ${reason}${pendingGates.length === 0 ? "" : ` Pending gates: ${pendingGates.join(", ")}.`}` });

const warning = (input: HookInput, verdict: StopVerdict | null): Said => (verdict === null ? undefined : {
  hookSpecificOutput: {
    hookEventName: input.hook_event_name ?? "SessionStart",
    additionalContext: `Enact Factory: an earlier session here${verdict.item === null ? "" : ` on ${verdict.item}`} tried to stop and was denied. ${verdict.reason}${verdict.pendingGates.length === 0 ? "" : ` Pending gates: ${verdict.pendingGates.join(", ")}.`}`,
  },
});

/** With `-C` or `--config`, by the whole command line. Always 0 (I1). */
export const hook: Command<{ readonly event: string; readonly cli: string; readonly run?: boolean }> = async ({ terminal, tools, place }, { event, cli, run, directory, config }) => {
  const known = hookEvents.find((each) => each === event);
  if (known === undefined) return exitCode.ok;
  await runHook({ event: known, cli, run: run === true }, {
    input: terminal.input, env: terminal.env, cwd: terminal.cwd, out: terminal.out.write, err: terminal.err.write, tools: tools.hook,
    ...(directory === undefined && config === undefined ? {} : { place }),
  });
  return exitCode.ok;
};
