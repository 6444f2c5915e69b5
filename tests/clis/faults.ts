/** What can go wrong around an agent CLI, each once: what happens, what a turn must come to, and when at the latest. */
import type { AgentFailure } from "../../src/domain/agent.ts";
import type { Scenario, ScriptedFault, ScriptedStep } from "../support/model/script.ts";

/** How a turn ended: the kind of its failure, or what it is instead. */
export type Ending = AgentFailure["kind"] | "completed" | "question" | "cancelled";

export interface Fault {
  readonly id: string;
  readonly what: string;
  readonly ends: Ending;
  /** The turn's own limit: whatever has not ended by then is ended by the factory, as `timeout`. */
  readonly deadlineMs: number;
  readonly stallMs?: number;
  /** What the model says and does. */
  readonly scenario: Scenario;
  /** What is wrong outside of the model's answers: nobody listens; no such program; a program that lacks an option; nobody is signed in; nothing after its first line is heard. */
  readonly around?: "port" | "binary" | "version" | "login" | "firstLine";
  /** Who is killed while the command runs. */
  readonly kills?: "command" | "cli";
  /** Its worktree is as it was. */
  readonly unchanged?: true;
}

/** Tokens of each answer that was served whole. */
export const served = { input: 1_000, output: 50 } as const;
/** So long that it never ends by itself. */
export const longScript = "setTimeout(() => {}, 600000)";

const usage = served;
const does = (call: NonNullable<ScriptedStep["calls"]>[number]): ScriptedStep => ({ say: "I begin.", calls: [call], usage });
const writes = does({ do: "write", path: "made.txt", content: "made\n" });
const says = (say: string): ScriptedStep => ({ say, usage });
/** Whatever goes wrong with the model goes wrong after an answer that was served: its tokens are used. */
const later = (fault: ScriptedFault): Scenario => [writes, { say: "partial text", fault }];
/** For good within seconds, where a CLI obeys a server that says when to come again. */
const soon = { "retry-after-ms": "10" };
const status = (code: number, more: Omit<Extract<ScriptedFault, { fault: "status" }>, "fault" | "status"> = {}): ScriptedFault => ({ fault: "status", status: code, ...more });
const runs = (command: string, then: string): Scenario => [does({ do: "run", command }), says(then)];
const long = runs(`node -e "${longScript}"`, "Its command was killed.");

/** Longer than any CLI waits between its tries. */
const patient = 240_000;

export const faults: readonly Fault[] = [
  { id: "400", what: "400", ends: "model", deadlineMs: patient, scenario: later(status(400)) },
  { id: "401", what: "401 at the first request", ends: "auth", deadlineMs: patient, scenario: [{ fault: status(401) }] },
  { id: "expired", what: "401 in mid-run: the login expired", ends: "auth", deadlineMs: patient, scenario: later(status(401)) },
  { id: "429", what: "429", ends: "rateLimited", deadlineMs: patient, scenario: later(status(429)) },
  { id: "429-retry-after", what: "429 with Retry-After", ends: "rateLimited", deadlineMs: patient, scenario: later(status(429, { headers: { "retry-after": "2" } })) },
  { id: "500", what: "500", ends: "network", deadlineMs: patient, scenario: later(status(500, { headers: soon })) },
  { id: "529", what: "529", ends: "overloaded", deadlineMs: patient, scenario: later(status(529, { headers: soon })) },
  { id: "reset", what: "connection reset", ends: "network", deadlineMs: patient, scenario: later({ fault: "reset" }) },
  { id: "malformed", what: "malformed stream", ends: "network", deadlineMs: patient, scenario: later({ fault: "malformed" }) },
  { id: "cut", what: "truncated stream", ends: "network", deadlineMs: patient, scenario: later({ fault: "cutMidStream" }) },
  { id: "error-event", what: "error in the stream", ends: "overloaded", deadlineMs: patient, scenario: later({ fault: "errorEvent" }) },
  { id: "hang-before-headers", what: "hang before headers", ends: "stalled", deadlineMs: patient, stallMs: 8_000, scenario: later({ fault: "hangBeforeHeaders" }) },
  { id: "hang-mid-stream", what: "hang in mid-stream", ends: "stalled", deadlineMs: patient, stallMs: 8_000, scenario: later({ fault: "hangMidStream" }) },
  { id: "over-time", what: "still silent when its time is over", ends: "timeout", deadlineMs: 15_000, scenario: later({ fault: "hangMidStream" }) },
  { id: "refused", what: "port closed", ends: "network", deadlineMs: patient, around: "port", scenario: [writes] },
  { id: "binary", what: "binary missing", ends: "spawn", deadlineMs: patient, around: "binary", scenario: [writes] },
  { id: "version", what: "wrong version: it lacks an option", ends: "spawn", deadlineMs: patient, around: "version", scenario: [writes] },
  { id: "not-signed-in", what: "not logged in", ends: "auth", deadlineMs: patient, around: "login", scenario: [{ fault: status(401) }] },
  { id: "no-result", what: "exits 0 without a result", ends: "noResult", deadlineMs: patient, around: "firstLine", scenario: [writes, says("It is written.")] },
  { id: "contradicts", what: "result that contradicts the diff", ends: "completed", deadlineMs: patient, unchanged: true, scenario: [says("I fixed add() and all tests pass.")] },
  { id: "child-left", what: "child left behind", ends: "completed", deadlineMs: patient, scenario: runs("setsid -f sleep 600 > /dev/null 2>&1 < /dev/null; echo left", "Done.") },
  { id: "asks", what: "asks a question", ends: "question", deadlineMs: patient, scenario: [says("I looked.\n\n```enact-question\nWhich of the two ports?\n```")] },
  { id: "kill-command", what: "SIGKILL of its command", ends: "completed", deadlineMs: patient, stallMs: 25_000, kills: "command", scenario: long },
  { id: "kill-cli", what: "SIGKILL of the CLI itself, under its wrapper", ends: "crashed", deadlineMs: patient, kills: "cli", scenario: long },
];

const passing = (id: string, what: string, fault: ScriptedFault): Fault => ({ id: `${id}-once`, what, ends: "completed", deadlineMs: patient, scenario: [writes, { ...says("Said in the end."), fault: { ...fault, times: 1 } }] });

/** What passes, and a turn must survive. */
export const passingFaults: readonly Fault[] = [
  passing("429", "429 with Retry-After", status(429, { headers: { "retry-after": "1" } })),
  passing("500", "500", status(500, { headers: soon })),
  passing("529", "529", status(529, { headers: soon })),
  passing("reset", "connection reset", { fault: "reset" }),
  passing("malformed", "malformed stream", { fault: "malformed" }),
  passing("cut", "truncated stream", { fault: "cutMidStream" }),
  passing("error-event", "error in the stream", { fault: "errorEvent" }),
  { ...passing("hang-mid-stream", "hang in mid-stream", { fault: "hangMidStream" }), stallMs: 18_000 },
];
