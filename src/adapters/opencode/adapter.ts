import type { Adapter } from "../../ports/adapter.ts";
import { opencodePlan } from "./plan.ts";
import { opencodeProbe } from "./probe.ts";
import { opencodeReader } from "./reader.ts";

/** opencode, the CLI, with its own login. What it was measured to do: docs/adapters/opencode.md. */
export const opencode: Adapter = {
  name: "opencode",
  verified: true,
  capabilities: { readOnly: true, resume: true, mcp: true, cost: true, effort: ["minimal", "low", "medium", "high", "xhigh", "max"] },
  agentsFiles: "told",
  plan: opencodePlan,
  reader: opencodeReader,
  probe: opencodeProbe,
};
