import type { Adapter } from "../../ports/adapter.ts";
import { cursorPlan } from "./plan.ts";
import { cursorProbe } from "./probe.ts";
import { cursorReader } from "./reader.ts";

/** Cursor's agent, the CLI, with its own login. Built to its documentation: docs/adapters/cursor.md. */
export const cursor: Adapter = {
  name: "cursor",
  verified: false,
  capabilities: { readOnly: false, resume: true, mcp: false, cost: false, effort: [] },
  plan: cursorPlan,
  reader: cursorReader,
  probe: cursorProbe,
};
