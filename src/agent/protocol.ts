/** What the agent and its adapter say to each other: one request on standard input, JSON lines on standard output, messages on standard input after that. */
import { z } from "zod";
import { AgentFailure, TurnRequest } from "../domain/agent.ts";
import { Check } from "../domain/check.ts";
import { SandboxSetting } from "../domain/config.ts";
import { McpServer } from "../domain/mcp.ts";
import { Usage } from "../domain/spend.ts";

/** What the owner has set up for the commands of a repository. */
const Project = z.object({
  sandbox: SandboxSetting,
  /** Empty: found by the files of the project. */
  checks: z.array(Check),
  checkTimeoutMs: z.number().int().positive(),
  /** Names of environment variables that commands get. */
  env: z.array(z.string()),
});

/** First line of standard input. */
export const AgentRequest = TurnRequest.pick({ runId: true, stage: true, cwd: true, prompt: true, sessionId: true, readOnly: true, model: true, effort: true, stallMs: true, language: true }).extend({
  /** Directory in which the agent keeps its sessions: outside of the worktree. */
  sessions: z.string(),
  /** For what commands need while they run; emptied after each. */
  scratch: z.string(),
  project: Project,
  /** Servers of tools for this turn. */
  servers: z.array(McpServer).optional(),
});
export type AgentRequest = z.infer<typeof AgentRequest>;

/** Later lines of standard input. */
export const AgentMessage = z.discriminatedUnion("type", [
  z.object({ type: z.literal("message"), id: z.string(), text: z.string() }),
  z.object({ type: z.literal("interrupt") }),
]);

const Diff = z.object({ path: z.string(), removed: z.array(z.string()), added: z.array(z.string()), cut: z.number() });

/** Lines of standard output. */
export const AgentLine = z.discriminatedUnion("type", [
  z.object({ type: z.literal("session"), sessionId: z.string(), model: z.string() }),
  z.object({ type: z.literal("text"), text: z.string() }),
  z.object({ type: z.literal("thinking"), text: z.string() }),
  /** A message is in the conversation. */
  z.object({ type: z.literal("heard"), id: z.string(), text: z.string() }),
  z.discriminatedUnion("phase", [
    z.object({ type: z.literal("tool"), phase: z.literal("start"), id: z.string(), name: z.string(), kind: z.enum(["read", "edit", "run", "other"]), summary: z.string(), diff: Diff.optional() }),
    z.object({ type: z.literal("tool"), phase: z.literal("end"), id: z.string(), name: z.string(), kind: z.enum(["read", "edit", "run", "other"]), ok: z.boolean(), output: z.string() }),
  ]),
  z.object({ type: z.literal("denied"), tool: z.string(), detail: z.string() }),
  /** Tokens of this run so far. */
  z.object({ type: z.literal("usage"), usage: Usage }),
  /** It waits for its provider. */
  z.object({ type: z.literal("waits"), limited: z.boolean(), until: z.number(), message: z.string() }),
  /** The conversation was summed up. */
  z.object({ type: z.literal("compacted"), from: z.number(), to: z.number() }),
  /** An answer is coming in: the stream lives. */
  z.object({ type: z.literal("alive") }),
  /** What people should know, and no more. */
  z.object({ type: z.literal("note"), text: z.string() }),
  z.object({ type: z.literal("result"), text: z.string() }),
  z.object({ type: z.literal("interrupted") }),
  z.object({ type: z.literal("failure"), failure: AgentFailure }),
]);
export type AgentLine = z.infer<typeof AgentLine>;
