// Starts `child.ts` and reads what it says.
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { StoreLocation } from "../../src/store/open.ts";

export interface Child {
  readonly process: ChildProcess;
  readonly lines: string[];
  /** The next line not yet taken; rejects with what was said when the process ends first. */
  readonly next: () => Promise<string>;
  readonly say: (line: string) => void;
  readonly exited: Promise<number | null>;
}

const program = fileURLToPath(new URL("./child.ts", import.meta.url));
export const command = (mode: string, location: StoreLocation): readonly [string, ...string[]] => [process.execPath, program, mode, JSON.stringify(location)];

const running = new Set<ChildProcess>();

/** For `afterEach`: ends what a failed test left running. */
export const endChildren = (): void => {
  for (const child of running) child.kill("SIGKILL");
};

export const start = ([file, ...args]: readonly [string, ...string[]]): Child => {
  const child = spawn(file, args, { stdio: ["pipe", "pipe", "pipe"] });
  running.add(child);
  const lines: string[] = [];
  const errors: string[] = [];
  let taken = 0;
  let wake: (() => void) | undefined;
  let ended = false;
  child.stderr.on("data", (data) => errors.push(String(data)));
  createInterface({ input: child.stdout }).on("line", (line) => {
    lines.push(line);
    wake?.();
  });
  const exited = new Promise<number | null>((resolve) => child.once("close", (code) => {
    running.delete(child);
    ended = true;
    wake?.();
    resolve(code);
  }));
  const next = async (): Promise<string> => {
    for (;;) {
      const line = lines[taken];
      if (line !== undefined) {
        taken++;
        return line;
      }
      if (ended) throw new Error(`the child ended: ${lines.slice(-3).join(" | ")} ${errors.join("")}`);
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  };
  return { process: child, lines, next, say: (line) => void child.stdin.write(`${line}\n`), exited };
};
