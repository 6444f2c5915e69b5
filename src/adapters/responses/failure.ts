import type { AgentFailure } from "../../domain/agent.ts";
import { describeCrash } from "../../domain/turn-outcome.ts";
import type { StreamEnd } from "../../ports/adapter.ts";

/** Why a run is over that did not say so itself. What it said of its provider it has classed already (src/agent/trouble.ts). */
export const endFailure = ({ exit, errorTail }: StreamEnd): AgentFailure => {
  const crash = describeCrash(exit), said = errorTail.trim().split("\n").at(-1) ?? "";
  if (crash === undefined) return { kind: "noResult", message: "the agent ended without a result" };
  return { kind: "crashed", exitCode: exit.code, signal: exit.signal, message: said === "" ? crash : `${crash}: ${said}` };
};
