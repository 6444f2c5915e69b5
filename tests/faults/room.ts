/** What every trial of a stranger needs: a room of its own, the agent's pid, what is left behind. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { z } from "zod";
import { coder, mend, type Room } from "../cli/room.ts";
import { commandsIn } from "../support/processes.ts";

/** A playbook's step that runs a program; the arguments are data, never part of a shell text. */
export const program = (...argv: readonly string[]): string => `{ run = ${JSON.stringify(argv)} }`;
export const shell = (text: string, ...args: readonly string[]): string => program("sh", "-c", text, "sh", ...args);
export const critic = (steps: string, more = ""): string => coder(steps, more).replace('"coder"', '"critic"');

export const config = (more: { readonly limits?: string; readonly rest?: string } = {}): string => `
adapter = "scripted"
[verify]
sandbox = "off"
[[verify.checks]]
name = "test"
argv = ["node", "--test-reporter=tap", "test/sum.test.js"]
[limits]
retryBaseMs = 50
interruptGraceMs = 300
${more.limits ?? ""}
${more.rest ?? ""}
`;

/** A first try that says its session and pid and hangs, and a second that does the work. */
export const hangsFirst = (room: Room, ...before: readonly string[]): string => room.playbook("hangs", [
  coder([`{ session = "s1" }`, ...before, `{ write = "half.txt", text = "half done" }`, writesPid(room), "{ hang = true }"].join(", "), "try = 1"),
  coder(mend, "try = 2"),
].join(""));

export const writesPid = (room: Room): string => shell('echo $PPID > "$1"', join(room.directory, "pid"));

export const agentPid = async (room: Room): Promise<number> => {
  const file = join(room.directory, "pid");
  await expect.poll(() => existsSync(file) && readFileSync(file, "utf8").endsWith("\n"), { timeout: 60_000 }).toBe(true);
  return Number(readFileSync(file, "utf8"));
};

/** Agents, launchers, checks, hooks. */
export const leftIn = (room: Room): readonly string[] => commandsIn(room.directory);

/** The one JSON document on standard output; anything else there fails. */
export const only = (stdout: string): z.infer<typeof Result> => Result.parse(JSON.parse(stdout));
const Result = z.looseObject({ id: z.string().default(""), status: z.string().default(""), reason: z.string().default(""), iterations: z.number().default(0), branch: z.string().nullable().default(null), warnings: z.array(z.string()).default([]), title: z.string().default(""), next: z.array(z.string()).default([]) });
