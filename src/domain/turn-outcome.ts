/**
 * Folds what an adapter read, and how the process ended, into the outcome of the turn. Pure and incremental: `begin`, `push` for each event, `finish`.
 *
 * Precedence, first match wins:
 * 1. the owner cancelled the turn: `cancelled`, whatever the agent said;
 * 2. a `failure` event: the first one, since later ones are its consequences. It beats a `result`;
 * 3. the owner ended the turn for a reason of its own (timeout, stalled, interrupted): that failure, unless the agent had finished cleanly by itself meanwhile;
 * 4. the process died: non-zero exit, signal or lost: `crashed`;
 * 5. a `question`: the last one. It beats a `result`, and needs none;
 * 6. a `result`: `completed` with the last text;
 * 7. exit 0 and none of these: `noResult`.
 *
 * Of verdicts, audits, plans and criteria the last one counts; of messages the first few. `usage` and `cost` state the run's total so far, so the last one counts too and nothing is added up twice.
 */
import { type AgentEvent, type AgentFailure, type CliSession, type RunExit, sessionEnds, type TurnOutcome, type TurnRequest } from "./agent.ts";
import { noUsage, type Usage } from "./spend.ts";
import type { TeamCriteria, TeamMessage, TeamPlan } from "./team-answers.ts";

export interface Tally {
  readonly turn: Pick<TurnRequest, "runId" | "sessionId" | "sessionCostUsd">;
  readonly sessionId: string | null;
  /** null: the CLI has not said. */
  readonly usage: Usage | null;
  /** Of the whole session; null: the CLI does not count so. */
  readonly sessionUsage: Usage | null;
  /** null: the CLI has not said. */
  readonly costUsd: number | null;
  /** As the CLI names it. */
  readonly model: string | null;
  /** The CLI's own. */
  readonly version: string | null;
  readonly verdict: TurnOutcome["verdict"];
  readonly audit: TurnOutcome["audit"];
  readonly plan: TeamPlan | null;
  readonly criteria: TeamCriteria | null;
  readonly messages: readonly TeamMessage[];
  readonly permissionDenials: readonly string[];
  readonly failure: AgentFailure | null;
  readonly question: string | null;
  readonly result: string | null;
  readonly heard: readonly string[];
}

/** What the owner knows when the stream is over. `stopped`: the owner ended the turn, and why. */
export interface TurnEnd {
  readonly exit: RunExit;
  readonly swept: number;
  readonly stopped?: "cancelled" | AgentFailure;
}

export const begin = (turn: Tally["turn"]): Tally => ({
  turn, sessionId: turn.sessionId, usage: null, sessionUsage: null, costUsd: null, model: null, version: null, verdict: null, audit: null, plan: null, criteria: null, messages: [],
  permissionDenials: [], failure: null, question: null, result: null, heard: [],
});

export const push = (tally: Tally, event: AgentEvent): Tally => {
  switch (event.type) {
    case "session": return { ...tally, sessionId: event.sessionId, model: event.model ?? tally.model, version: event.version?.slice(0, 100) ?? tally.version };
    case "usage": return { ...tally, usage: event.usage, sessionUsage: event.session ?? tally.sessionUsage };
    case "cost": return { ...tally, costUsd: Math.max(0, event.usd) };
    case "verdict": return { ...tally, verdict: event.verdict };
    case "audit": return { ...tally, audit: event.audit };
    case "plan": return { ...tally, plan: event.plan };
    case "criteria": return { ...tally, criteria: event.criteria };
    case "message": return tally.messages.length < mostMessages ? { ...tally, messages: [...tally.messages, event.message] } : tally;
    case "permissionDenied": return { ...tally, permissionDenials: [...tally.permissionDenials, event.detail === "" ? event.tool : `${event.tool}: ${event.detail}`] };
    case "failure": return { ...tally, failure: tally.failure ?? event.failure };
    case "question": return { ...tally, question: clipped(event.text) };
    case "result": return { ...tally, result: clipped(event.text) };
    case "heard": return tally.heard.includes(event.id) ? tally : { ...tally, heard: [...tally.heard, event.id] };
    case "prompted": case "text": case "thinking": case "tool": case "rateLimit": case "garbage": return tally;
  }
};

/** One sentence on a process that did not end well; `undefined` for exit 0. */
export const describeCrash = (exit: RunExit): string | undefined => {
  if (exit.lost) return "the agent process vanished without an exit status";
  if (exit.signal !== null) return `the agent process was ended by ${exit.signal}`;
  return exit.code === 0 ? undefined : `the agent process exited with ${exit.code}`;
};

/** Of an agent's last words, in characters: charts and the journal carry them, and some agents never stop. */
export const longestAnswer = 20_000;
const clipped = (text: string): string => (text.length > longestAnswer ? `${text.slice(0, longestAnswer)}\n… (${text.length - longestAnswer} more characters; all of it is in the run's log)` : text);

/** Of one turn; more than a few is chatter. */
export const mostMessages = 10;

const ending = (tally: Tally, { exit, stopped }: TurnEnd): TurnOutcome["ended"] => {
  const failed = (failure: AgentFailure): TurnOutcome["ended"] => ({ how: "failed", failure });
  const crash = describeCrash(exit);
  const answered = tally.question !== null || tally.result !== null;
  if (stopped === "cancelled") return { how: "cancelled" };
  if (tally.failure) return failed(tally.failure);
  if (stopped && !(answered && crash === undefined)) return failed(stopped);
  if (crash !== undefined) return failed({ kind: "crashed", exitCode: exit.code, signal: exit.signal, message: crash });
  if (tally.question !== null) return { how: "question", text: tally.question };
  if (tally.result !== null) return { how: "completed", text: tally.result };
  return failed({ kind: "noResult", message: "the agent ended without a result" });
};

export const finish = (tally: Tally, end: TurnEnd): TurnOutcome => {
  const { turn, sessionId, verdict, audit } = tally, costUsd = tally.costUsd ?? 0;
  // A new session starts from nothing; only the one that was resumed carries what it had cost.
  const before = turn.sessionId !== null && sessionId === turn.sessionId ? turn.sessionCostUsd : 0;
  return {
    runId: turn.runId, ended: ending(tally, end), ...(tally.version === null ? {} : { cliVersion: tally.version }), sessionId, sessionCostUsd: before + costUsd, costUsd, usage: tally.usage ?? noUsage, ...(tally.sessionUsage === null ? {} : { sessionUsage: tally.sessionUsage }), verdict, audit,
    permissionDenials: [...tally.permissionDenials], swept: end.swept, ...(tally.heard.length === 0 ? {} : { heard: [...tally.heard] }),
    ...(tally.plan === null ? {} : { plan: tally.plan }), ...(tally.criteria === null ? {} : { criteria: tally.criteria }), ...(tally.messages.length === 0 ? {} : { messages: [...tally.messages] }),
  };
};

/** What the next turn goes on with. A run that was killed has not said what it used; the session's next total holds it. */
export const sessionOnwards = (session: CliSession, { ended, sessionId, sessionCostUsd, sessionUsage, adapter }: TurnOutcome): CliSession => {
  if (ended.how === "failed" && sessionEnds.has(ended.failure.kind)) return { id: null, costUsd: 0 };
  // Another CLI's session begins from nothing; without one, the session that there was can still be gone on with.
  if (adapter !== session.adapter) return sessionId === null ? session : { id: sessionId, ...(adapter === undefined ? {} : { adapter }), costUsd: sessionCostUsd, ...(sessionUsage === undefined ? {} : { usage: sessionUsage }) };
  const id = sessionId ?? session.id, usage = sessionUsage ?? (id === session.id ? session.usage : undefined);
  return { id, ...(adapter === undefined ? {} : { adapter }), costUsd: Math.max(session.costUsd, sessionCostUsd), ...(usage === undefined ? {} : { usage }) };
};
