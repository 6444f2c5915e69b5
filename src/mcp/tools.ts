/** Every tool there is. A tool is here only when the contract can do what it says. */
import { itemTools } from "./item-tools.ts";
import { laneTools } from "./lane-tools.ts";
import { sessionTools } from "./session-tools.ts";
import { skillTools } from "./skill-tools.ts";
import { stateTools } from "./state-tools.ts";
import { teamTools } from "./team-tools.ts";
import { type Scope, scopes, type Tool } from "./tool.ts";

export const tools: readonly Tool[] = [...itemTools, ...skillTools, ...laneTools, ...teamTools, ...sessionTools, ...stateTools];

export const offers = (scope: Scope, { scope: needed }: Pick<Tool, "scope">): boolean => scopes.indexOf(needed) <= scopes.indexOf(scope);

/** Names count whatever their case: `factory_workitem_get` is meant as `factory_workItem_get`. */
export const toolNamed = (name: string): Tool | undefined => tools.find((tool) => tool.name.toLowerCase() === name.toLowerCase());
