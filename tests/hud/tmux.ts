/** A private tmux server with one pane that runs a program, to drive a screen as a person would and to see what a person sees. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execaSync } from "execa";
import { expect } from "vitest";
import type { Size } from "../../src/hud/frame.ts";

export interface Pane {
  /** Bytes as a terminal would send them. */
  readonly send: (bytes: string) => void;
  /** The screen, blanks at the end of lines away. */
  readonly screen: () => readonly string[];
  /** The screen with its colours, as escape sequences. */
  readonly styled: () => string;
  /** Every byte that was sent to the terminal so far. */
  readonly raw: () => string;
  readonly format: (format: string) => string;
  readonly resize: (size: Size) => void;
  /** Waits until the screen is just this, or satisfies it. */
  readonly shows: (what: readonly string[] | ((lines: readonly string[]) => boolean), why?: string) => Promise<void>;
  readonly [Symbol.dispose]: () => void;
}

/** A guard against hanging: the machine may be busy. */
const patienceMs = 60_000;

export const openPane = (argv: readonly string[], size: Size, env: Readonly<Record<string, string>>): Pane => {
  const directory = mkdtempSync(join(tmpdir(), "enact-pane-"));
  const socket = join(directory, "socket");
  const tmux = (...words: readonly string[]): string => execaSync("tmux", ["-S", socket, "-f", "/dev/null", "-u", ...words], { env: { PATH: process.env["PATH"] ?? "", HOME: directory, TERM: "xterm-256color", LC_ALL: "C.UTF-8" }, extendEnv: false, stdin: "ignore" }).stdout;
  // The program, and then a shell's last words: what the terminal is like when it has ended.
  const words = ["env", "-i", ...Object.entries({ LC_ALL: "C.UTF-8", TERM: "tmux-256color", ...env }).map(([name, value]) => `${name}=${value}`), "/bin/sh", "-c", '"$@"; echo "left with $?"; stty -a | tr ";" "\\n" | grep -w -o -e "-\\?icanon" -e "-\\?echo"; exec cat', "sh", ...argv];
  const log = join(directory, "raw");
  writeFileSync(log, "");
  tmux("new-session", "-d", "-x", String(size.columns), "-y", String(size.rows), "--", ...words.map((word) => word.replace(/;$/, "\\;")), ";", "pipe-pane", "-O", `exec cat >> ${log}`);
  const screen = (): readonly string[] => {
    const lines = tmux("capture-pane", "-p").split("\n").map((line) => line.trimEnd());
    return lines.length > Number(tmux("display-message", "-p", "#{pane_height}")) ? lines.slice(0, -1) : lines;
  };
  return {
    screen,
    raw: () => readFileSync(log, "utf8"),
    styled: () => tmux("capture-pane", "-p", "-e"),
    send: (bytes) => void tmux("send-keys", "-l", "--", bytes),
    format: (format) => tmux("display-message", "-p", format),
    resize: ({ columns, rows }) => void tmux("resize-window", "-x", String(columns), "-y", String(rows)),
    shows: async (what, why) => {
      if (typeof what === "function") await expect.poll(() => (what(screen()) ? "as it should be" : screen().join("\n")), { timeout: patienceMs, message: why ?? "" }).toBe("as it should be");
      else await expect.poll(() => screen().join("\n"), { timeout: patienceMs, message: why ?? "" }).toBe(what.join("\n"));
    },
    [Symbol.dispose]: () => {
      tmux("kill-server");
      rmSync(directory, { recursive: true, force: true });
    },
  };
};
