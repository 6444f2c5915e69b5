import { z } from "zod";

/** The evidence a work item needs before it may close. */
export const gates = ["implementationComplete", "reviewPassed", "testsPassed", "docsUpdated", "closureEvidence"] as const;
export const Gate = z.enum(gates);
export type Gate = z.infer<typeof Gate>;

/** `waived`: it was asked for and could not be had, and the work goes on without it; `evidence` says why. */
export const GateEvidence = z.object({ state: z.enum(["met", "waived"]), evidence: z.string() });
export type GateEvidence = z.infer<typeof GateEvidence>;

/** A gate that is not in here is open. */
export const Gates = z.partialRecord(Gate, GateEvidence);
export type Gates = z.infer<typeof Gates>;

/** What is still missing, in the order of the gates. */
export const pendingGates = (needed: readonly Gate[], known: Gates): readonly Gate[] => gates.filter((gate) => needed.includes(gate) && known[gate] === undefined);
