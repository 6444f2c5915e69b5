import type { Adapter } from "../../ports/adapter.ts";
import { hermesPlan } from "./plan.ts";
import { hermesProbe } from "./probe.ts";
import { hermesReader } from "./reader.ts";

/** Hermes Agent, the CLI, with its own login. Built to its documentation: docs/adapters/hermes.md. */
export const hermes: Adapter = {
  name: "hermes",
  verified: false,
  capabilities: { readOnly: false, resume: true, mcp: false, cost: false, effort: [] },
  agentsFiles: "told",
  plan: hermesPlan,
  reader: hermesReader,
  probe: hermesProbe,
};
