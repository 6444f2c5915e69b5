import type { AgentEvent } from "../domain/agent.ts";

/** Characters of an unreadable line that are shown: a line may be megabytes, and people see them all. */
const shown = 500;

/** A line that is no event of its CLI. */
export const garbage = (line: string): AgentEvent => ({ type: "garbage", line: line.slice(0, shown) });
