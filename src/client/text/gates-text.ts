import type { Gate } from "../../domain/gate.ts";
import type { WorkItemView } from "../../domain/view.ts";

const names: Readonly<Record<Gate, string>> = { implementationComplete: "implementation", reviewPassed: "review", testsPassed: "tests", docsUpdated: "docs", closureEvidence: "closure" };

export interface GateLine { readonly gate: Gate; readonly name: string; readonly state: "open" | "met" | "waived"; /** Untrusted; empty while it is open. */ readonly evidence: string }

/** Each gate that the item needs, in order. */
export const gateLines = ({ needs, gates }: Pick<WorkItemView, "needs" | "gates">): readonly GateLine[] =>
  needs.map((gate) => ({ gate, name: names[gate], state: gates[gate]?.state ?? "open", evidence: gates[gate]?.evidence ?? "" }));

/** `implementation met, review open, tests met`; empty where nothing is needed. */
export const gatesText = (item: Pick<WorkItemView, "needs" | "gates">): string => gateLines(item).map(({ name, state }) => `${name} ${state}`).join(", ");
