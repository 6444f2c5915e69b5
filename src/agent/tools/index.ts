import type { Commands } from "../commands.ts";
import { planTool } from "./planning.ts";
import { readingTools } from "./reading.ts";
import { runningTools } from "./running.ts";
import type { Tool } from "./tool.ts";
import { writingTools } from "./writing.ts";

export type { Bench, Done, Tool } from "./tool.ts";

/** The tools of a turn. What a reading turn must not do it has no tool for. */
export const toolsFor = (readOnly: boolean, commands: Commands): readonly Tool[] =>
  readOnly ? [...readingTools, ...runningTools(commands)] : [planTool, ...readingTools, ...writingTools, ...runningTools(commands)];

/** Of all turns: who calls one that this turn does not have wants what it may not. */
export const toolNames: ReadonlySet<string> = new Set([planTool, ...readingTools, ...writingTools, { name: "test" }, { name: "run" }].map(({ name }) => name));

export const planToolName = planTool.name;
