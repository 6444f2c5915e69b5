/** Where a command writes and reads: the process's own streams, or a test's. */
import type { Readable, Writable } from "node:stream";

export interface Screen {
  readonly write: (text: string) => void;
  readonly isTty: boolean;
  readonly colour: boolean;
  /** Columns of the terminal now; Infinity where lines need no cutting. */
  readonly columns: () => number;
  /** Rows of the terminal now; Infinity where nothing is redrawn. */
  readonly rows: () => number;
}

export interface Terminal {
  /** Results. */
  readonly out: Screen;
  /** Progress, questions, problems. */
  readonly err: Screen;
  /** Somebody can be asked. */
  readonly canAsk: boolean;
  readonly input: Readable;
  readonly prompt: Writable;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly home: string;
}

/** NO_COLOR (https://no-color.org) wins; a dumb terminal or a file gets none. */
const mayColour = (isTty: boolean, env: NodeJS.ProcessEnv): boolean => isTty && !env["NO_COLOR"] && env["TERM"] !== "dumb";

const screenOf = (stream: NodeJS.WriteStream, env: NodeJS.ProcessEnv): Screen => ({
  write: (text) => void stream.write(text),
  isTty: stream.isTTY === true,
  colour: mayColour(stream.isTTY === true, env),
  columns: () => (stream.isTTY ? Math.max(20, stream.columns || 80) : Infinity),
  rows: () => (stream.isTTY ? Math.max(5, stream.rows || 24) : Infinity),
});

export const processTerminal = (home: string): Terminal => ({
  out: screenOf(process.stdout, process.env),
  err: screenOf(process.stderr, process.env),
  canAsk: process.stdin.isTTY === true && process.stderr.isTTY === true,
  input: process.stdin,
  prompt: process.stderr,
  env: process.env,
  cwd: process.cwd(),
  home,
});

export type Tone = "bold" | "dim" | "green" | "red" | "yellow" | "cyan";
const codes: Readonly<Record<Tone, readonly [number, number]>> = { bold: [1, 22], dim: [2, 22], green: [32, 39], red: [31, 39], yellow: [33, 39], cyan: [36, 39] };

export const paint = (screen: Screen, tone: Tone, text: string): string => (screen.colour ? `\u001b[${codes[tone][0]}m${text}\u001b[${codes[tone][1]}m` : text);
