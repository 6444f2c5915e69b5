/**
 * Claude Code in its own screen. Settings of ours add hooks, each of which writes its payload as one line; the reader makes events of them.
 * What was measured of the screen: docs/adapters/claude.md.
 *
 * I1 The same lines give the same events. I2 Nothing throws. I3 A turn that ends without `Stop` or `StopFailure` has no result: a person who
 * interrupts it with Esc triggers no hook, and the factory's own clocks end the turn.
 */
import { join } from "node:path";
import { z } from "zod";
import type { AgentEvent, AgentFailure, TurnRequest } from "../../domain/agent.ts";
import { describeCrash } from "../../domain/turn-outcome.ts";
import type { ScreenMode, StreamReader } from "../../ports/adapter.ts";
import { closingEvents } from "../answer-block.ts";
import { hookCommand, hookVariable } from "../hook-line.ts";
import { toolOutput } from "../tool-text.ts";
import { claudeEnvironment } from "./environment.ts";
import { aboutContext, aboutLogin, apiFailure } from "./failure.ts";
import { claudeArguments, claudeFiles } from "./plan.ts";
import { toolKind, toolSummary } from "./tool.ts";

const events = ["SessionStart", "UserPromptSubmit", "PreToolUse", "PostToolUse", "PermissionRequest", "Stop", "StopFailure"] as const;

const settings = JSON.stringify({ hooks: Object.fromEntries(events.map((event) => [event, [{ hooks: [{ type: "command", command: hookCommand }] }]])) });

const input = z.record(z.string(), z.unknown()).catch({});
const Hook = z.discriminatedUnion("hook_event_name", [
  z.object({ hook_event_name: z.literal("SessionStart"), session_id: z.string(), model: z.string().optional() }),
  z.object({ hook_event_name: z.literal("UserPromptSubmit") }),
  z.object({ hook_event_name: z.literal("PreToolUse"), tool_name: z.string(), tool_use_id: z.string(), tool_input: input }),
  z.object({ hook_event_name: z.literal("PostToolUse"), tool_name: z.string(), tool_use_id: z.string(), tool_response: z.unknown() }),
  z.object({ hook_event_name: z.literal("PermissionRequest"), tool_name: z.string(), tool_input: input }),
  z.object({ hook_event_name: z.literal("Stop"), last_assistant_message: z.string().catch("") }),
  z.object({ hook_event_name: z.literal("StopFailure"), error: z.string().catch("unknown"), last_assistant_message: z.string().catch("") }),
]);
type Hook = z.infer<typeof Hook>;
const Named = z.looseObject({ hook_event_name: z.string() });

const parse = (text: string): Hook | "ignored" | "garbage" => {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return "garbage";
  }
  const hook = Hook.safeParse(json);
  if (hook.success) return hook.data;
  const named = Named.safeParse(json);
  return named.success && !events.some((event) => event === named.data.hook_event_name) ? "ignored" : "garbage";
};

/** A tool's answer as its hook gives it: of a command what it printed, else its JSON. */
const outputOf = (response: unknown): string => {
  const printed = z.looseObject({ stdout: z.string(), stderr: z.string() }).safeParse(response);
  return toolOutput(printed.success ? [printed.data.stdout, printed.data.stderr].filter((part) => part !== "").join("\n") : typeof response === "string" ? response : "");
};

const statusIn = (message: string): number | null => {
  const status = /^API Error: (\d{3})\b/.exec(message)?.[1];
  return status === undefined ? null : Number(status);
};

const reader = (turn: TurnRequest): StreamReader => {
  let closed = false;
  let conversed = turn.sessionId !== null;
  const failureOf = (message: string, error: string): AgentFailure => {
    if (aboutLogin(message)) return { kind: "auth", message };
    if (aboutContext(message)) return conversed ? { kind: "contextFull", message } : { kind: "model", message };
    return apiFailure({ message, status: statusIn(message), class: error === "unknown" ? null : error, until: null });
  };
  const read = (hook: Hook): readonly AgentEvent[] => {
    switch (hook.hook_event_name) {
      case "SessionStart": return [{ type: "session", sessionId: hook.session_id, ...(hook.model === undefined ? {} : { model: hook.model }) }];
      case "UserPromptSubmit": return [{ type: "prompted" }];
      case "PreToolUse":
        conversed = true;
        return [{ type: "tool", phase: "start", id: hook.tool_use_id, name: hook.tool_name, kind: toolKind(hook.tool_name), summary: toolSummary(hook.tool_input) }];
      case "PostToolUse": return [{ type: "tool", phase: "end", id: hook.tool_use_id, name: hook.tool_name, kind: toolKind(hook.tool_name), summary: "", ok: true, output: outputOf(hook.tool_response) }];
      case "PermissionRequest": return [{ type: "text", text: `asks in its terminal for permission: ${hook.tool_name} ${toolSummary(hook.tool_input)}` }];
      case "Stop":
        closed = true;
        return [{ type: "text", text: hook.last_assistant_message }, ...closingEvents(hook.last_assistant_message)];
      case "StopFailure": {
        closed = true;
        const message = hook.last_assistant_message === "" ? hook.error : hook.last_assistant_message;
        return [{ type: "failure", failure: failureOf(message, hook.error) }];
      }
    }
  };
  return {
    line: (text) => {
      if (text.trim() === "" || closed) return [];
      const hook = parse(text);
      if (hook === "ignored") return [];
      return hook === "garbage" ? [{ type: "garbage", line: text.slice(0, 500) }] : read(hook);
    },
    end: ({ exit, errorTail }) => {
      if (closed) return [];
      closed = true;
      const crash = describeCrash(exit);
      const said = errorTail.trim();
      if (crash !== undefined) return [{ type: "failure", failure: { kind: "crashed", exitCode: exit.code, signal: exit.signal, message: said === "" ? crash : `${crash}; on its screen: ${said}` } }];
      return [{ type: "failure", failure: { kind: "noResult", message: "the session in the terminal was left without a result" } }];
    },
  };
};

export const claudeScreen: ScreenMode = {
  plan: (turn, host) => {
    const chosen = claudeArguments(turn, host);
    if ("kind" in chosen) return chosen;
    return {
      argv: ["claude", ...chosen, "--settings", join(host.runDirectory, "settings.json")],
      env: { ...claudeEnvironment(host, turn), [hookVariable]: join(host.runDirectory, "out") },
      files: { ...claudeFiles(host), "settings.json": settings },
    };
  },
  reader,
  dialogs: [
    // The worktree is ours and new to the CLI; whoever starts a team in terminals has named the repository. "No, exit" is preselected; keys that come
    // while the question is being drawn are lost, or undone.
    { shows: /❯ No, exit[\s\S]*Yes, I trust this folder/, key: "Down" },
    { shows: /❯ Yes, (I trust|proceed)/, key: "Enter" },
  ],
};
