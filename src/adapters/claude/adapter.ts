import type { Adapter } from "../../ports/adapter.ts";
import { claudePlan } from "./plan.ts";
import { claudeProbe } from "./probe.ts";
import { claudeReader } from "./reader.ts";
import { claudeScreen } from "./screen.ts";

/** Claude Code, the CLI, with its own login. What it was measured to do: docs/adapters/claude.md. */
export const claude: Adapter = {
  name: "claude",
  verified: true,
  capabilities: { readOnly: true, resume: true, mcp: true, cost: true, effort: ["low", "medium", "high", "xhigh", "max"] },
  plan: claudePlan,
  reader: claudeReader,
  screen: claudeScreen,
  probe: claudeProbe,
};
