import { z } from "zod";
import { failed, type Tool, tool } from "./tool.ts";

const state = z.enum(["pending", "in_progress", "done"]);

const marks = { pending: "[ ]", in_progress: "[>]", done: "[x]" } as const;

/** The model's own list of what is to do. It stands in the conversation; nothing else keeps it. */
export const planTool: Tool = tool({
  name: "plan", kind: "other",
  description: "Sets the plan: every step with its state. Call it first, and again whenever a step is done or the plan changes.",
  input: z.strictObject({ steps: z.array(z.strictObject({ step: z.string().min(1), state })).min(1).max(30) }),
  summary: ({ steps }) => `${steps.filter((each) => each.state === "done").length} of ${steps.length} done${steps.flatMap((each) => (each.state === "in_progress" ? [`; now: ${each.step}`] : []))[0] ?? ""}`,
  run: ({ steps }) => {
    if (steps.filter((each) => each.state === "in_progress").length > 1) return failed("Not set: one step at a time is in progress.");
    return { ok: true, output: steps.map((each) => `${marks[each.state]} ${each.step}`).join("\n") };
  },
});
