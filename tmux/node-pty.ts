/** node-pty, loaded when it is first needed: an optional dependency, and a native one. */
import { createRequire } from "node:module";
import { TerminalError } from "./contract.ts";

/** What is used of it. The installed package is a prebuilt twin whose declarations bear the twin's name, so they cannot be imported under this one. */
export interface NodePty {
  readonly spawn: (file: string, args: readonly string[], options: {
    readonly name: string; readonly cols: number; readonly rows: number; readonly cwd: string; readonly env: Readonly<Record<string, string>>; readonly encoding: null;
  }) => Pty;
}
export interface Pty {
  readonly pid: number;
  /** Bytes, with `encoding: null`. */
  readonly onData: (listener: (data: Buffer) => void) => unknown;
  readonly onExit: (listener: (end: { readonly exitCode: number; readonly signal?: number }) => void) => unknown;
  readonly resize: (columns: number, rows: number) => void;
  readonly write: (data: string) => void;
  readonly pause: () => void;
  readonly resume: () => void;
}

export const loadNodePty = (): NodePty => {
  try {
    return createRequire(import.meta.url)("node-pty") as NodePty;
  } catch (cause) {
    throw new TerminalError("unavailable", `node-pty cannot be loaded: ${cause instanceof Error ? cause.message.split("\n")[0] : String(cause)}`, { cause });
  }
};
