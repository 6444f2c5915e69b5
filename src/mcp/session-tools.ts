/** `factory_session_…` and `factory_stop_…`: sessions of agent CLIs, and whether one may stop; for CLIs without hooks, and for people's agents. */
import { randomUUID } from "node:crypto";
import { z } from "zod";
import { ClientProblem, type ItemState, type SessionView, type StopVerdict } from "../client/contract.ts";
import { isoTime } from "../client/text/time-text.ts";
import { OperatorLane } from "../domain/lane.ts";
import { CliSessionId, LaneAddress, SessionCli, SessionView as Session } from "../domain/session.ts";
import { StopCause, StopVerdict as Verdict } from "../domain/stop-policy.ts";
import { delivered, instant, InvalidInput, strangers, tool, type ToolContext, workItemId } from "./tool.ts";

const VerdictAnswer = Verdict.omit({ item: true, at: true }).extend({ workItemId: z.string().nullable(), at: instant });
const verdictAnswer = ({ item, at, ...verdict }: StopVerdict): z.input<typeof VerdictAnswer> => ({ ...verdict, workItemId: item, at: isoTime(at) });

export const SessionAnswer = Session.pick({ sessionId: true, cli: true, cwd: true, state: true, waiting: true }).extend({
  startedAt: instant, endedAt: instant.nullable(),
  workItemId: z.string().nullable(), laneRun: z.string().nullable(),
  operatorLane: OperatorLane.nullable(), status: z.string().nullable().describe("State of the work item."),
  verdict: VerdictAnswer.nullable().describe("What was last decided about a stop."),
  acknowledged: z.object({ reason: z.string(), at: instant }).nullable().describe("The stop policy is silent for this session."),
});

export const sessionAnswer = (session: SessionView, item: ItemState | undefined): z.input<typeof SessionAnswer> => {
  const { sessionId, cli, cwd, state, waiting, startedAt, endedAt, verdict, acknowledged, lane } = session;
  return {
    sessionId, cli, cwd, state, waiting, startedAt: isoTime(startedAt), endedAt: endedAt === null ? null : isoTime(endedAt), workItemId: session.item, laneRun: lane,
    operatorLane: item?.item.operatorLane ?? null, status: item?.item.status ?? null,
    verdict: verdict && verdictAnswer(verdict), acknowledged: acknowledged && { reason: acknowledged.reason, at: isoTime(acknowledged.at) },
  };
};

const itemOf = async ({ client }: ToolContext, { item }: SessionView): Promise<ItemState | undefined> => (item === null ? undefined : client.item(item));

export const ofHere = CliSessionId.optional().describe("The id that the CLI gave its session; the one that is open in the server's directory when absent.");

/** Two agents may work in one directory: then whose session is meant is not guessed. */
export const sessionHere = async (given: string | undefined, { client, repository }: ToolContext): Promise<string> => {
  if (given !== undefined) return given;
  const here = repository === null ? [] : (await client.sessions()).filter(({ state, cwd }) => state === "open" && cwd === repository);
  const [only, ...others] = here;
  if (only === undefined) throw new InvalidInput("sessionId", repository === null ? "name the session: this server stands in no directory" : "name the session: none is open in the server's directory");
  if (others.length > 0) throw new InvalidInput("sessionId", `name the session: ${here.length} are open in the server's directory (${here.slice(0, 5).map(({ sessionId }) => sessionId).join(", ")})`);
  return only.sessionId;
};

const start = tool({
  name: "factory_session_start", title: "Begin a session", scope: "session", readOnly: false, destructive: false, idempotent: true,
  description: `Notes a session of an agent CLI, or that one goes on, and what it works on; its stops are then asked for that work item. The warning is the denied stop of an earlier session in this directory or of this item, told once: see to what it names. Not needed where the CLI's hooks do it. ${strangers}`,
  input: z.strictObject({
    sessionId: CliSessionId.optional().describe("The id that the CLI gave its session; a new one when absent."),
    cli: SessionCli.default("other").describe("claude, codex, or what else it is called."),
    cwd: z.string().max(4_096).optional().describe("Its directory; the server's when absent."),
    workItemId: workItemId.optional().describe("What it works on; one item at a time."),
    laneRun: LaneAddress.optional().describe("The lane run that it drives, e.g. team/LOC-3/1."),
  }),
  output: z.object({ session: SessionAnswer, warning: VerdictAnswer.nullable(), delivered }),
  answer: async ({ sessionId = randomUUID(), cli, cwd, workItemId: item, laneRun }, context) => {
    const receipt = await context.client.session({ type: "start", sessionId, cli, cwd: cwd ?? context.repository ?? "", ...(item === undefined ? {} : { item }), ...(laneRun === undefined ? {} : { lane: laneRun }) });
    const { session, warning } = receipt;
    return {
      structured: { session: sessionAnswer(session, await itemOf(context, session)), warning: warning && verdictAnswer(warning), delivered: receipt.delivered },
      text: warning === null ? `session ${sessionId} is noted` : `session ${sessionId} is noted; an earlier one was not allowed to stop: ${warning.reason}`,
    };
  },
});

const mostSessions = 20;

const status = tool({
  name: "factory_session_status", title: "Sessions", scope: "read", readOnly: true, destructive: false, idempotent: true,
  description: `Sessions of agent CLIs: what each works on, and what was last decided about a stop. The open ones, newest first; one with \`sessionId\`, also when it has ended. ${strangers}`,
  input: z.strictObject({ sessionId: CliSessionId.optional() }),
  output: z.object({ sessions: z.array(SessionAnswer), total: z.number() }),
  answer: async ({ sessionId }, { client }) => {
    const all = await client.sessions();
    const found = all.filter((session) => (sessionId === undefined ? session.state === "open" : session.sessionId === sessionId));
    if (sessionId !== undefined && found.length === 0) throw unknown(sessionId);
    const items = new Map((await client.items()).map((state) => [state.item.id, state]));
    return {
      structured: { sessions: found.slice(0, mostSessions).map((session) => sessionAnswer(session, session.item === null ? undefined : items.get(session.item))), total: found.length },
      text: sessionId === undefined ? `${found.length} sessions are open` : `session ${sessionId} is ${found[0]?.state ?? "unknown"}`,
    };
  },
});

const unknown = (sessionId: string): ClientProblem => new ClientProblem(`there is no session ${JSON.stringify(sessionId)}`, "factory_session_status lists the open ones; factory_session_start begins one");

const check = tool({
  name: "factory_stop_check", title: "May I stop?", scope: "session", readOnly: false, destructive: false, idempotent: false,
  description: "Asks whether a session may stop now. deny: do what `reason` and `pendingGates` name, then ask again; after a few denials it is let go. Ask before you end your work where the CLI has no stop hook of the factory's.",
  input: z.strictObject({ sessionId: ofHere, cause: StopCause.default("normal").describe("Why it stops."), asksHuman: z.boolean().default(false).describe("Your last words are a question to a person.") }),
  output: VerdictAnswer,
  answer: async ({ sessionId: given, cause, asksHuman }, context) => {
    const sessionId = await sessionHere(given, context);
    const verdict = await context.client.stopCheck({ sessionId, cli: "other", cwd: context.repository ?? "", cause, asksHuman, run: null });
    return { structured: verdictAnswer(verdict), text: `${verdict.decision}: ${verdict.reason}` };
  },
});

const acknowledge = tool({
  name: "factory_stop_acknowledge", title: "Let a session stop", scope: "all", readOnly: false, destructive: true, idempotent: true,
  description: "Silences the stop policy for one session, with a reason that is kept: from then on it may stop with gates open. A person's decision: do it only when one told you to.",
  input: z.strictObject({ sessionId: ofHere, reason: z.string().min(1).max(2_000).describe("Why it may stop although something is missing.") }),
  output: z.object({ session: SessionAnswer, delivered }),
  answer: async ({ sessionId: given, reason }, context) => {
    if (reason.trim() === "") throw new InvalidInput("reason", "it is empty");
    const sessionId = await sessionHere(given, context);
    if (!(await context.client.sessions()).some((session) => session.sessionId === sessionId)) throw unknown(sessionId);
    const receipt = await context.client.session({ type: "acknowledge", sessionId, reason: reason.trim() });
    return { structured: { session: sessionAnswer(receipt.session, await itemOf(context, receipt.session)), delivered: receipt.delivered }, text: `session ${sessionId} may stop` };
  },
});

export const sessionTools = [start, status, check, acknowledge];
