/**
 * `start`, `stop` and `restart`.
 *
 * I1 A daemon in the foreground ends politely at SIGINT and SIGTERM, at once at a second one, and not at SIGHUP: the terminal may close.
 * I2 `stop` has ended when the process has, and its lock with it.
 */
import type { RunningDaemon, ServedFactory } from "../../client/local-tools.ts";
import { type Command, type CommandContext, printJson } from "../context.ts";
import { codeOf, listenForInterrupts } from "../interrupts.ts";
import { again } from "../place.ts";
import { CliProblem, exitCode } from "../problem.ts";
import { oneLine } from "../../client/text/safe-text.ts";
import { paint } from "../screen.ts";
import { localTime } from "../../client/text/time-text.ts";

export interface StartOptions { readonly foreground?: boolean; readonly background?: boolean; readonly port?: string }

/** A start on a busy machine, with a store to migrate. */
const launchMs = 60_000;
const progressMs = 2_000;

export const start: Command<StartOptions> = async (context, options) => {
  const port = options.port === undefined ? undefined : portOf(options.port);
  if (options.foreground === true) return foreground(context, port, options.background === true);
  using interrupts = listenForInterrupts();
  const daemon = await launched(context, port, interrupts.first);
  if (daemon.started) tell(context, daemon, "started", "Started");
  else tell(context, daemon, "running", "Runs already");
  return exitCode.ok;
};

/** Starts one unless there is one; says what it says on its way up. */
export const launched = (context: CommandContext, port: number | undefined, signal: AbortSignal): Promise<RunningDaemon & { readonly started: boolean }> => {
  const { err } = context.terminal;
  return context.tools.daemon.launch({ ...context.place, ...(port === undefined ? {} : { port }), patienceMs: launchMs, signal, say: (text) => err.write(`${oneLine(text)}\n`) })
    .catch(async (error: unknown) => { throw signal.aborted ? new CliProblem("The start was interrupted; nothing runs.", await again(context.place, context.terminal, context.tools, ["start"]), codeOf(signal.reason)) : error; });
};

const tell = (context: CommandContext, daemon: RunningDaemon, state: string, said: string): void => {
  const { pid, host, port, log, stateDirectory, startedAt } = daemon;
  if (context.json) return printJson(context, { state, pid, address: `http://${host}:${port}`, log, stateDirectory, startedAt: new Date(startedAt).toISOString() });
  const { out } = context.terminal;
  const rows = [["address", `http://${host}:${port}`], ["log", log], ["state", stateDirectory]] as const;
  out.write(`${said}: process ${pid}, since ${localTime(startedAt)}\n${rows.map(([name, value]) => `  ${paint(out, "dim", name.padEnd(8))} ${oneLine(value)}\n`).join("")}`);
};

const foreground = async (context: CommandContext, port: number | undefined, background: boolean): Promise<number> => {
  const { err } = context.terminal;
  const report = (message: object): void => { if (background && process.connected) process.send?.(message, undefined, undefined, () => {}); };
  using interrupts = listenForInterrupts({ hangUp: "ignore" });
  // Whoever read this output may be gone, or its disk full; the work is not worth less for it.
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {});
  let served: ServedFactory;
  try {
    served = await context.tools.daemon.serve({
      ...context.place, ...(port === undefined ? {} : { port }),
      echo: (line) => {
        if (!background) err.write(line);
        else if (line.startsWith(" warning", 24)) report({ says: line.slice(25).trim() });
      },
    });
  } catch (error) {
    if (background && error instanceof Error) {
      report({ failed: { message: error.message, next: "next" in error ? String(error.next) : "see what is wrong with: enact-factory doctor" } });
      return exitCode.notRun;
    }
    throw error;
  }
  if (background) {
    report({ ready: true });
    if (process.connected) process.disconnect();
  } else if (context.json) tell(context, served.daemon, "started", "");
  const stopped = new Promise<{ readonly how: "suspend"; readonly lost?: string; readonly signal: unknown }>((resolve) => {
    const onSignal = (): void => resolve({ how: "suspend", signal: interrupts.first.reason });
    if (interrupts.first.aborted) onSignal();
    interrupts.first.addEventListener("abort", onSignal);
  });
  const ending = await Promise.race([served.ended, stopped]);
  if ("signal" in ending) served.say("info", `${String(ending.signal)}: agents are asked to end, their work is kept; once more leaves at once`);
  const atOnce = new Promise<"atOnce">((resolve) => {
    if (interrupts.second.aborted) resolve("atOnce");
    interrupts.second.addEventListener("abort", () => resolve("atOnce"));
  });
  const closing = served.close(ending.how).then(() => "closed" as const);
  if (await Promise.race([closing, atOnce]) === "atOnce") {
    // Said next; a close that fails must not keep who asked twice.
    closing.catch(() => {});
    served.say("warning", "left at once: agents may go on by themselves; the next start takes them over");
    return "signal" in ending ? codeOf(ending.signal) : exitCode.interrupted;
  }
  return ending.lost === undefined ? exitCode.ok : exitCode.notRun;
};

export interface StopOptions { readonly keepAgents?: boolean; readonly timeout?: string }

export const stop: Command<StopOptions> = async (context, options) => {
  const daemon = await runningOrComing(context);
  if (daemon === undefined) {
    if (context.json) printJson(context, { state: "stopped", was: null });
    else context.terminal.out.write("No daemon runs here.\n");
    return exitCode.ok;
  }
  await end(context, daemon, { keepAgents: options.keepAgents === true, seconds: secondsOf(options.timeout ?? "60") });
  if (context.json) printJson(context, { state: "stopped", was: daemon.pid, keptAgents: options.keepAgents === true });
  else context.terminal.out.write(options.keepAgents === true ? `Stopped (process ${daemon.pid}). Its agents go on; the next start takes them over.\n` : `Stopped (process ${daemon.pid}).\n`);
  return exitCode.ok;
};

export interface RestartOptions { readonly port?: string; readonly timeout?: string }

export const restart: Command<RestartOptions> = async (context, options) => {
  const given = options.port === undefined ? undefined : portOf(options.port);
  using interrupts = listenForInterrupts();
  const old = await runningOrComing(context);
  if (old !== undefined) await end(context, old, { keepAgents: true, seconds: secondsOf(options.timeout ?? "60") });
  const daemon = await launched(context, given ?? old?.asked ?? undefined, interrupts.first);
  tell(context, daemon, "started", old === undefined ? "None ran; started" : `Restarted (it was process ${old.pid})`);
  return exitCode.ok;
};

/** The daemon that runs; one that is on its way up or down is waited for. */
const runningOrComing = async (context: CommandContext): Promise<RunningDaemon | undefined> => {
  const { daemon } = context.tools;
  const until = context.tools.now() + launchMs;
  for (let told = false; ; told = true) {
    const found = await daemon.find(context.place);
    if (found) return found;
    const owner = await daemon.owner(context.place);
    if (owner === undefined) return undefined;
    if (!owner.daemon) throw new CliProblem(`No daemon runs here; a command (process ${owner.pid}) works with this state directory.`, "It ends with its items; stop it with Ctrl-C where it was started.");
    if (context.tools.now() > until) throw new CliProblem(`The daemon (process ${owner.pid}) does not answer: it is frozen or hangs.`, `If it does not come back, end it: kill -9 ${owner.pid}. Nothing is lost; its agents go on, and the next start takes them over.`, exitCode.notRun);
    if (!told) context.terminal.err.write(`The daemon (process ${owner.pid}) is on its way up or down; waiting for it.\n`);
    await new Promise((resolve) => { setTimeout(resolve, 250); });
  }
};

const end = async (context: CommandContext, daemon: RunningDaemon, { keepAgents, seconds }: { readonly keepAgents: boolean; readonly seconds: number }): Promise<void> => {
  const { err } = context.terminal;
  const connection = await context.tools.connect({ ...context.place, as: "read" });
  try {
    await connection.client.stop({ keepAgents });
  } catch (error) {
    // Another stop was faster: then it is only waited for.
    if (await context.tools.daemon.find(context.place) !== undefined) throw error;
  } finally {
    await connection.close("abandon");
  }
  const from = context.tools.now();
  for (let said = false; !await context.tools.daemon.gone(daemon, progressMs); said = true) {
    const waited = Math.round((context.tools.now() - from) / 1_000);
    if (waited >= seconds) throw new CliProblem(`The daemon (process ${daemon.pid}) has not ended after ${waited} s.`, `It goes on ending its agents; look with: ${await again(context.place, context.terminal, context.tools, ["logs"])}`, exitCode.notRun);
    if (!said) err.write(keepAgents ? "Waiting for it to end.\n" : "Waiting for its agents to end.\n");
  }
};

const portOf = (text: string): number => {
  const port = Number(text);
  if (!/^\d{1,5}$/.test(text) || port > 65_535) throw new CliProblem(`--port ${JSON.stringify(text.slice(0, 40))} is no port.`, "Write a number from 1 to 65535, or 0 for a free one.");
  return port;
};

const secondsOf = (text: string): number => {
  const seconds = Number(text);
  if (!Number.isFinite(seconds) || seconds <= 0 || seconds > 86_400) throw new CliProblem(`--timeout ${JSON.stringify(text.slice(0, 40))} is no number of seconds.`, "Write a number from 1 to 86400, e.g. --timeout 60.");
  return seconds;
};
