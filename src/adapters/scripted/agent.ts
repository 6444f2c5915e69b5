/**
 * The scripted agent: a program of its own that plays a playbook as a coding-agent CLI would do its work, started and read like any other.
 * Standard input: one AgentRequest line, then messages. Standard output: AgentLine JSON lines. See protocol.ts and docs/adapters/scripted.md.
 *
 * With the path of a request as its argument it has a screen of its own instead: the prompt and messages are typed, and its lines go to the
 * file that ENACT_HOOK_OUT names, as the hooks of other CLIs write theirs.
 */
import { openSync, readFileSync, writeSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { createInterface } from "node:readline";
import { PassThrough } from "node:stream";
import { parsePlaybook, showProblem, stepsFor } from "./playbook.ts";
import { play, type PlayEnd } from "./player.ts";
import { AgentMessage, type AgentLine, AgentRequest } from "./protocol.ts";
import { hookVariable } from "../hook-line.ts";
import { loadSession, newSession, saveSession } from "./session-file.ts";
import { openTerminal } from "./terminal.ts";

const requestFile = process.argv[2];
const interruption = new AbortController();
const terminal = requestFile === undefined ? undefined : openTerminal(() => interruption.abort());
const output = terminal ? openSync(process.env[hookVariable] ?? "/dev/null", "a") : 1;

const raw = (text: string): void => {
  const bytes = Buffer.from(text, "utf8");
  for (let sent = 0; sent < bytes.length;) sent += writeSync(output, bytes, sent);
};
const emit = (line: AgentLine): void => {
  terminal?.show(line);
  raw(`${JSON.stringify(line)}\n`);
};
const refuse = (kind: "model" | "badSession", message: string): never => {
  emit({ type: "error", kind, message, until: null });
  process.exit(1);
};

const readPlaybook = (request: AgentRequest): { readonly text: string; readonly beside: string } => {
  if (request.playbook.includes("\n")) return { text: request.playbook, beside: request.cwd };
  const file = resolve(request.cwd, request.playbook);
  try {
    return { text: readFileSync(file, "utf8"), beside: dirname(file) };
  } catch {
    return refuse("model", `the playbook ${file} cannot be read`);
  }
};

const input = createInterface({ input: terminal ? new PassThrough() : process.stdin });
interface Heard { readonly id: string; readonly text: string }
const messages: Heard[] = [];
let wanted: ((message: Heard) => void) | undefined;
const heard = (message: Heard): void => {
  if (wanted) wanted(message);
  else messages.push(message);
  wanted = undefined;
};
const hear = (line: string): void => {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return; // Only a person's stray keystrokes arrive like this.
  }
  const message = AgentMessage.safeParse(value).data;
  if (message?.type === "interrupt") interruption.abort();
  if (message?.type === "message") heard(message);
};
const nextMessage = (): Promise<Heard> => new Promise((resolve, refused) => {
  const waiting = messages.shift();
  if (waiting !== undefined) return resolve(waiting);
  wanted = resolve;
  interruption.signal.addEventListener("abort", () => refused(new Error("interrupted")), { once: true });
});

const firstLine = Promise.withResolvers<string>();
let request: ((line: string) => void) | undefined = requestFile === undefined ? firstLine.resolve : undefined;
// One listener from the start: a message may come in one piece with the request.
input.on("line", (line) => {
  (request ?? hear)(line);
  request = undefined;
});
input.once("close", () => firstLine.resolve(""));
const first = requestFile === undefined ? await firstLine.promise : readFileSync(requestFile, "utf8");

/** The prompt is typed; what is typed after it are messages. */
const prompted = async (open: NonNullable<typeof terminal>): Promise<void> => {
  await open.entered();
  emit({ type: "prompted" });
  const listen = async (): Promise<never> => {
    for (;;) heard({ id: "", text: await open.entered() });
  };
  void listen();
};

const main = async (line: string): Promise<PlayEnd> => {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    value = undefined;
  }
  const parsed = AgentRequest.safeParse(value);
  if (!parsed.success) return refuse("model", "the first line of standard input is no request");
  const request = parsed.data;
  const { text, beside } = readPlaybook(request);
  const book = parsePlaybook(text);
  if (!book.ok) return refuse("model", `the playbook is not valid: ${book.problems.map(showProblem).join("; ")}`);
  const { pace, cumulative } = book.playbook;
  const steps = stepsFor(book.playbook, { stage: request.stage, attempt: request.attempt, iteration: request.iteration, try: request.tryNumber, seat: request.seat, duty: request.duty, task: request.task });

  const [opening] = steps;
  if (request.sessionId !== null && !loadSession(request.sessions, request.sessionId)) return refuse("badSession", `there is no session ${request.sessionId}`);
  const sessionId = opening?.verb === "session" ? opening.session : (request.sessionId ?? `scripted-${request.runId}`);
  const before = loadSession(request.sessions, sessionId) ?? newSession;
  const carried = { ...before, turns: before.turns + 1 };
  saveSession(request.sessions, sessionId, carried);
  emit({ type: "session", sessionId, carried: carried.usage, ...(request.model === null ? {} : { model: request.model }) });

  if (terminal) await prompted(terminal);
  return play(steps, {
    cwd: request.cwd, readOnly: request.readOnly, beside, pace, cumulative, carried, emit, raw, nextMessage,
    remember: (session) => saveSession(request.sessions, sessionId, session),
    interrupted: interruption.signal,
    deafen: () => void input.close(),
  });
};

try {
  const end = await main(first);
  if (end.how === "result") emit({ type: "result", text: end.text });
  // A screen stays until it is told to go.
  if (end.how === "result" && terminal) await new Promise<never>(() => setInterval(() => undefined, 1 << 30));
  if (end.how === "signal") process.kill(process.pid, end.signal);
  else process.exit(end.how === "exit" ? end.code : 0);
} catch (cause) {
  if (!interruption.signal.aborted) throw cause;
  emit({ type: "interrupted" });
  process.exit(130);
}
