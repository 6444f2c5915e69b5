import type { Adapter } from "../../ports/adapter.ts";
import { codexPlan } from "./plan.ts";
import { codexProbe } from "./probe.ts";
import { codexReader } from "./reader.ts";

/** OpenAI Codex, the CLI, with its own login. What it was measured to do: docs/adapters/codex.md. */
export const codex: Adapter = {
  name: "codex",
  verified: true,
  capabilities: { readOnly: true, resume: true, mcp: true, cost: false, effort: ["minimal", "low", "medium", "high", "xhigh"] },
  agentsFiles: "told",
  plan: codexPlan,
  reader: codexReader,
  probe: codexProbe,
};
