import { z } from "zod";

export const Finding = z.object({
  severity: z.enum(["info", "minor", "major", "critical"]),
  message: z.string().min(1),
  file: z.string().optional(),
  line: z.number().int().positive().optional(),
});
export type Finding = z.infer<typeof Finding>;

/** A critic's typed answer. No verdict is an error, never a `revise`. */
export const Verdict = z.object({
  decision: z.enum(["approve", "revise", "reject"]),
  feedback: z.string().default(""),
  findings: z.array(Finding).default([]),
}).refine((v) => v.decision === "approve" || v.feedback.trim() !== "" || v.findings.length > 0, "a verdict other than approve says why: give feedback or findings");
export type Verdict = z.infer<typeof Verdict>;

/** An auditor's typed answer. */
export const Audit = z.object({ findings: z.array(Finding).default([]) });
export type Audit = z.infer<typeof Audit>;
