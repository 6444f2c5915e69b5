// The real command line over the contract double, for tests that drive it in a terminal.
// usage: node driver.ts SPEC.json ARGV…; the spec: offline, title, panes, frames (data as base64), attach, log (a file that gets what was asked, a JSON object a line).
import { appendFileSync, readFileSync } from "node:fs";
import { z } from "zod";
import { runCli } from "../../src/cli/program.ts";
import { processTerminal } from "../../src/cli/screen.ts";
import type { TerminalFrame } from "../../src/client/contract.ts";
import type { LocalTools } from "../../src/client/local-tools.ts";
import { createLocalTools } from "../../src/daemon/tools.ts";
import { doubleOf, recordedNow } from "./double.ts";

const data = z.base64().transform((text) => Uint8Array.from(Buffer.from(text, "base64")));
const Frame = z.discriminatedUnion("type", [
  z.object({ type: z.literal("keyframe"), offset: z.number(), columns: z.number(), rows: z.number(), data }), z.object({ type: z.literal("bytes"), offset: z.number(), data }),
  z.object({ type: z.literal("gap"), from: z.number(), to: z.number() }), z.object({ type: z.literal("resize"), columns: z.number(), rows: z.number() }), z.object({ type: z.literal("ended") }),
]);
const Spec = z.object({ offline: z.boolean().default(false), title: z.string().optional(), panes: z.number().default(0), frames: z.array(Frame).default([]), attach: z.tuple([z.string()], z.string()).optional(), log: z.string() });

const [file = "", ...argv] = process.argv.slice(2);
const spec = Spec.parse(JSON.parse(readFileSync(file, "utf8")));
const frames: readonly TerminalFrame[] = spec.frames;
const { client } = doubleOf({ offline: spec.offline, panes: spec.panes, ...(spec.title === undefined ? {} : { title: spec.title }), frames, ...(spec.attach === undefined ? {} : { attach: spec.attach }), asked: (what) => appendFileSync(spec.log, `${JSON.stringify(what)}\n`) });
const tools = async (): Promise<LocalTools> => ({ ...createLocalTools(), version: "0.1.0", now: () => recordedNow, connect: async () => ({ client, close: async () => {} }) });
const code = await runCli(argv, processTerminal(process.env["HOME"] ?? "/"), tools);
process.exit(code);
