import type { Adapter } from "../../ports/adapter.ts";
import { responsesPlan } from "./plan.ts";
import { responsesProbe } from "./probe.ts";
import { responsesReader } from "./reader.ts";

/** Our own agent (src/agent/) over `/v1/responses`. What it does: docs/adapters/responses.md. */
export const responses: Adapter = {
  name: "responses",
  verified: true,
  capabilities: { readOnly: true, resume: true, mcp: true, cost: false, effort: ["minimal", "low", "medium", "high", "xhigh", "max"] },
  plan: responsesPlan,
  reader: responsesReader,
  interrupt: `${JSON.stringify({ type: "interrupt" })}\n`,
  message: ({ id, text }) => `${JSON.stringify({ type: "message", id, text })}\n`,
  probe: responsesProbe,
};
