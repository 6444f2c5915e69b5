import { z } from "zod";

/** Who drives a work item. Exactly one, durable. */
export const lanes = ["manual", "none", "autopilot", "ralph", "ultrawork", "team"] as const;
export const OperatorLane = z.enum(lanes, { error: (issue) => `${JSON.stringify(issue.input)} is no operator lane; write one of ${lanes.join(", ")}` });
export type OperatorLane = z.infer<typeof OperatorLane>;
