/** What the scripted agent and its adapter say to each other: one request on standard input, JSON lines on standard output, messages on standard input after that. */
import { z } from "zod";
import { TurnRequest } from "../../domain/agent.ts";
import { Usage } from "../../domain/spend.ts";
import { TeamCriteria, TeamMessage, TeamPlan } from "../../domain/team-answers.ts";
import { Audit, Verdict } from "../../domain/verdict.ts";

/** First line of standard input. */
export const AgentRequest = TurnRequest.pick({ runId: true, item: true, attempt: true, stage: true, iteration: true, tryNumber: true, cwd: true, prompt: true, sessionId: true, readOnly: true, model: true, seat: true, duty: true, task: true }).extend({
  /** Path of a playbook, or its text when it holds a newline. */
  playbook: z.string(),
  /** Directory in which the agent remembers its sessions. */
  sessions: z.string(),
});
export type AgentRequest = z.infer<typeof AgentRequest>;

/** Later lines of standard input. */
export const AgentMessage = z.discriminatedUnion("type", [
  z.object({ type: z.literal("message"), id: z.string().default(""), text: z.string() }),
  z.object({ type: z.literal("interrupt") }),
]);

const counts = z.enum(["run", "session"]);

/** Lines of standard output. */
export const AgentLine = z.discriminatedUnion("type", [
  /** `carried`: what this session had used before the run; zero for a new one. */
  z.object({ type: z.literal("session"), sessionId: z.string(), model: z.string().optional(), carried: Usage }),
  /** On its own screen: the prompt was typed. */
  z.object({ type: z.literal("prompted") }),
  z.object({ type: z.literal("text"), text: z.string() }),
  z.object({ type: z.literal("thinking"), text: z.string() }),
  /** A message was taken up. */
  z.object({ type: z.literal("heard"), id: z.string(), text: z.string() }),
  z.object({ type: z.literal("tool"), phase: z.enum(["start", "end"]), id: z.string(), name: z.enum(["read", "write", "patch", "run"]), summary: z.string(), ok: z.boolean().optional(), output: z.string().optional(), diff: z.object({ path: z.string(), removed: z.array(z.string()), added: z.array(z.string()), cut: z.number() }).optional() }),
  /** Totals, of the run or of the whole session. */
  z.object({ type: z.literal("usage"), usage: Usage, of: counts }),
  z.object({ type: z.literal("cost"), usd: z.number(), of: counts }),
  z.object({ type: z.literal("rateLimit"), until: z.number().nullable(), message: z.string() }),
  z.object({ type: z.literal("denied"), tool: z.string(), detail: z.string() }),
  z.object({ type: z.literal("question"), text: z.string() }),
  z.object({ type: z.literal("verdict"), verdict: Verdict }),
  z.object({ type: z.literal("audit"), audit: Audit }),
  z.object({ type: z.literal("plan"), plan: TeamPlan }),
  z.object({ type: z.literal("criteria"), criteria: TeamCriteria }),
  z.object({ type: z.literal("message"), message: TeamMessage }),
  z.object({ type: z.literal("result"), text: z.string() }),
  z.object({ type: z.literal("interrupted") }),
  z.object({ type: z.literal("error"), kind: z.enum(["rateLimited", "overloaded", "network", "auth", "model", "badSession", "contextFull", "overlong"]), message: z.string(), until: z.number().nullable() }),
]);
export type AgentLine = z.infer<typeof AgentLine>;
