/**
 * Our own agent: a program of its own that works on a worktree through `/v1/responses`, started and read like any agent CLI.
 * Standard input: one AgentRequest line, then messages. Standard output: AgentLine JSON lines (protocol.ts). How it works: docs/adapters/responses-loop.md.
 *
 * Owns: standard input and output, the environment, the signals. I1 The key is in no line, no log and no command's environment.
 */
import { writeSync } from "node:fs";
import { createInterface } from "node:readline";
import { agentWords, notesKept } from "../prompts/agent-words.ts";
import { openCommands, sandboxFor } from "./commands.ts";
import { type Loop, type LoopEnd, startLoop } from "./loop.ts";
import { AgentMessage, type AgentLine, AgentRequest } from "./protocol.ts";
import { openProvider } from "./provider.ts";
import { openSession } from "./session-log.ts";
import { settingsIn } from "./settings.ts";
import { openShelf } from "./shelf.ts";
import { stopHookIn } from "./stop-hook.ts";
import { openToolServers } from "./tool-servers.ts";
import { toolsFor } from "./tools/index.ts";
import { openWorktree, type Worktree } from "./worktree.ts";

const settings = settingsIn(process.env);
const key = "key" in settings ? settings.key : "";
delete process.env["ENACT_RESPONSES_API_KEY"];

/** Shorter than this it is no secret, and its letters stand everywhere. */
const shortestKey = 6;
const hide = (text: string): string => (key.length < shortestKey ? text : text.replaceAll(key, "[key]"));

const emit = (line: AgentLine): void => {
  const bytes = Buffer.from(`${hide(JSON.stringify(line))}\n`, "utf8");
  for (let sent = 0; sent < bytes.length;) sent += writeSync(1, bytes, sent);
};
const refuse = (kind: "model" | "badSession" | "auth" | "spawn", message: string): LoopEnd => ({ how: "failed", failure: { kind, message } });

/** What the project itself tells agents, for a turn that works: a judge takes no instructions from the work it judges. */
const notesIn = (worktree: Worktree): string => {
  for (const name of ["AGENTS.md", "CLAUDE.md"]) {
    try {
      const text = worktree.readIfThere(name);
      if (text !== undefined) return text.slice(0, notesKept).toWellFormed();
    } catch {
      // A file that cannot be read tells nothing.
    }
  }
  return "";
};

let loop: Loop | undefined;
const early: { readonly id: string; readonly text: string }[] = [];
const stopped = Promise.withResolvers<LoopEnd>();
const interrupt = (): void => {
  if (loop) loop.interrupt();
  else stopped.resolve({ how: "cancelled" });
};
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, interrupt);

const hear = (line: string): void => {
  let value: unknown;
  try { value = JSON.parse(line); } catch { return; }
  const said = AgentMessage.safeParse(value).data;
  if (said?.type === "interrupt") interrupt();
  if (said?.type === "message" && loop) loop.message(said.id, said.text);
  else if (said?.type === "message") early.push(said);
};

const firstLine = Promise.withResolvers<string>();
let asked = false;
const input = createInterface({ input: process.stdin });
// One listener from the start: a message may come in one piece with the request.
input.on("line", (line) => {
  if (asked) return hear(line);
  asked = true;
  firstLine.resolve(line);
});
input.once("close", () => firstLine.resolve(""));

const requestIn = (line: string): AgentRequest | undefined => {
  try { return AgentRequest.safeParse(JSON.parse(line)).data; } catch { return undefined; }
};

const work = async (line: string): Promise<LoopEnd> => {
  const request = requestIn(line);
  if (request === undefined) return refuse("model", "the first line of standard input is no request");
  if ("problem" in settings) return refuse("auth", `the provider is not set up: ${settings.problem}`);
  const sessionId = request.sessionId ?? `responses-${request.runId}`, model = request.model ?? settings.model;
  const opened = openSession(request.sessions, sessionId, request.sessionId === null, hide);
  if (!opened.ok) return refuse("badSession", opened.why);
  emit({ type: "session", sessionId, model });

  const found = await sandboxFor(request), worktree = openWorktree(request.cwd, found.sandbox?.inside);
  const commands = await openCommands(request, worktree, found, settings.commandMs, process.env);
  if (commands.note !== undefined) emit({ type: "note", text: commands.note });
  // Nobody can hold a server to reading.
  const servers = await openToolServers(request.readOnly ? [] : (request.servers ?? []), { cwd: request.cwd, longestMs: settings.commandMs, env: process.env });
  for (const text of servers.notes) emit({ type: "note", text });
  const { readOnly } = request, words = agentWords(request.language ?? "en");
  loop = startLoop({
    settings, model, sessionId, run: request.runId, prompt: request.prompt, notes: readOnly ? "" : notesIn(worktree), works: !readOnly,
    words, instructions: words.instructions({ readOnly, runs: commands.available }), tools: [...toolsFor(readOnly, commands), ...servers.tools], bench: { worktree, commands, shelf: openShelf(opened.log.outputs, hide) },
    log: opened.log, provider: openProvider({ ...settings, effort: request.effort ?? settings.effort }, () => Date.now()), emit, now: () => Date.now(),
    mayStop: stopHookIn(process.env, { sessionId, cwd: request.cwd }),
  });
  for (const { id, text } of early) loop.message(id, text);
  return loop.ended.finally(() => servers.close());
};

const end = await Promise.race([stopped.promise, firstLine.promise.then(work).catch((error: unknown): LoopEnd => ({ how: "failed", failure: { kind: "crashed", exitCode: null, signal: null, message: error instanceof Error ? error.message : String(error) } }))]);
if (end.how === "done") emit({ type: "result", text: end.text });
else if (end.how === "cancelled") emit({ type: "interrupted" });
else emit({ type: "failure", failure: end.failure });
// Its input stays open, and a request or a search may still be dying.
process.exit(end.how === "done" ? 0 : end.how === "cancelled" ? 130 : 1);
