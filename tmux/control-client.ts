/**
 * One `tmux -C` client over plain pipes: commands in, answers and notifications out. It follows no pane's output.
 *
 * Owns: one child process. Talks to: its tmux server.
 *
 * I1 An answer belongs to a line by order: one command of a line is one block, a failed command is the last block of its line, a line that cannot be parsed is one failed block.
 * I2 Lines are cut from bytes, never from decoded text; what a command prints is between %begin and its own %end, so it may look like a notification.
 * I3 When the client ends, every command that waits is told. When none was answered for the patience, all are told; the client of such a silent server stays, for its answers still come in
 *    order, and nothing more is asked until they do. It is not killed: tmux 3.3a, let go on after a stop, crashes with every pane when three clients that were attaching have died.
 */
import { spawn } from "node:child_process";
import { TerminalError } from "./contract.ts";

const patienceMs = 10_000;
/** How long a client that has ended may still be read. */
const lastWordsMs = 200;
const newline = 0x0a;

/** A failed command of a line, with the answers of those before it. */
export class CommandFailed extends TerminalError {
  readonly before: readonly (readonly string[])[];
  constructor(message: string, before: readonly (readonly string[])[]) {
    super(/^can't find |^no such /.test(message) ? "gone" : "failed", `tmux: ${message}`);
    this.before = before;
  }
}

/** The client ended while a command waited: whether the server did it is not known. */
export class ClientEnded extends TerminalError {
  constructor(words: string) {
    super("failed", `the tmux client ended${words ? `: ${words}` : ""}`);
  }
}

/** The server lives and says nothing: stopped, or far too busy. What was asked may still happen. */
export class ServerSilent extends TerminalError {
  constructor(detail = `has not answered for ${patienceMs / 1000} s`) {
    super("failed", `the tmux server ${detail}`);
  }
}

/** Rejects with `ServerSilent` when there is no answer in time. */
export const inTime = <A>(answer: Promise<A>): Promise<A> => new Promise((resolve, reject) => {
  const late = setTimeout(() => reject(new ServerSilent()), patienceMs);
  answer.finally(() => clearTimeout(late)).then(resolve, reject);
});

interface Waiting {
  readonly commands: number;
  readonly blocks: (readonly string[])[];
  readonly resolve: (blocks: readonly (readonly string[])[]) => void;
  readonly reject: (error: Error) => void;
  silent: boolean;
}

export interface ControlClient {
  /** Runs commands, already quoted, as one line: nothing else happens in the server between them. */
  readonly run: (...commands: readonly string[]) => Promise<readonly (readonly string[])[]>;
  /** Resolves when it is attached, rejects with what tmux said instead; neither while the server is silent. */
  readonly attached: Promise<void>;
  /** Resolves with tmux's last words. */
  readonly ended: Promise<string>;
  readonly pid: number | undefined;
  /** Leaves; the server stays. */
  readonly leave: () => void;
  readonly destroy: () => void;
}

export interface ControlClientOptions {
  readonly file: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** A notification with its words, `%window-close @3`. */
  readonly onNotice: (line: string) => void;
}

export const controlClient = ({ file, args, env, onNotice }: ControlClientOptions): ControlClient => {
  // The server gives new panes the directory of the client that asks for them.
  const child = spawn(file, args, { env, cwd: "/", stdio: ["pipe", "pipe", "pipe"] });
  const waiting: Waiting[] = [];
  let block: { readonly number: string; readonly ours: boolean; readonly lines: string[] } | undefined;
  let lastWords = "";
  let over = false;

  const attached = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<string>();
  attached.promise.catch(() => undefined); // Whoever waits for it hears of it; nobody has to.

  /** Runs while commands wait, from the last sign of life: many commands are no silence. */
  let silence: NodeJS.Timeout | undefined;
  const listen = (): void => {
    clearTimeout(silence);
    silence = waiting.length === 0 ? undefined : setTimeout(() => {
      for (const each of waiting) {
        each.silent = true;
        each.reject(new ServerSilent());
      }
    }, patienceMs);
  };

  const settle = (failed: boolean, lines: readonly string[]): void => {
    const first = waiting[0];
    if (!first) return;
    listen();
    if (!failed) first.blocks.push(lines);
    if (!failed && first.blocks.length < first.commands) return;
    waiting.shift();
    if (waiting.length === 0) listen();
    if (failed) first.reject(new CommandFailed(lines.join(" "), first.blocks));
    else first.resolve(first.blocks);
  };

  const take = (line: string): void => {
    if (block) {
      const end = /^%(end|error) \d+ (\d+) \d+$/.exec(line);
      if (end?.[2] !== block.number) return void block.lines.push(line);
      const { ours, lines } = block;
      block = undefined;
      if (ours) settle(end[1] === "error", lines);
      else if (end[1] === "error") attached.reject(new CommandFailed(lines.join(" "), []));
      else attached.resolve();
      return;
    }
    const begin = /^%begin \d+ (\d+) (\d+)$/.exec(line);
    // The block of `attach-session` itself has no flag: this client did not write it.
    if (begin) block = { number: begin[1] ?? "", ours: begin[2] === "1", lines: [] };
    else if (line.startsWith("%exit")) lastWords = line.slice("%exit ".length);
    else if (line.startsWith("%")) onNotice(line);
  };

  let rest: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => {
    let from = 0;
    for (let at = chunk.indexOf(newline); at >= 0; at = chunk.indexOf(newline, from)) {
      const part = chunk.subarray(from, at);
      take((rest.length === 0 ? part : Buffer.concat([...rest, part])).toString());
      rest = [];
      from = at + 1;
    }
    if (from < chunk.length) rest.push(chunk.subarray(from));
  });
  child.stderr.on("data", (chunk: Buffer) => { lastWords ||= chunk.toString().trim(); });
  child.stdin.on("error", () => undefined); // Its end is told by `close`.

  const end = (words: string): void => {
    if (over) return;
    over = true;
    const error = new ClientEnded(words);
    attached.reject(error);
    for (const { reject } of waiting.splice(0)) reject(error);
    listen();
    ended.resolve(words);
  };
  child.once("error", (error) => end(error.message));
  child.once("exit", (code, signal) => {
    const said = (): void => end(lastWords || (signal ? `killed by ${signal}` : code === 0 ? "" : `exit ${code}`));
    // The server holds the pipes too: one that is stopped never closes them.
    const late = setTimeout(said, lastWordsMs);
    child.once("close", () => {
      clearTimeout(late);
      said();
    });
  });

  const run: ControlClient["run"] = (...commands) => {
    if (over) return Promise.reject(new ClientEnded(""));
    if (waiting[0]?.silent) return Promise.reject(new ServerSilent());
    const { promise, resolve, reject } = Promise.withResolvers<readonly (readonly string[])[]>();
    waiting.push({ commands: commands.length, blocks: [], resolve, reject, silent: false });
    if (waiting.length === 1) listen();
    child.stdin.write(`${commands.join(" ; ")}\n`);
    return promise;
  };

  return {
    run, attached: attached.promise, ended: ended.promise, pid: child.pid,
    leave: () => {
      child.stdin.end();
      child.unref();
    },
    destroy: () => void child.kill("SIGKILL"),
  };
};
