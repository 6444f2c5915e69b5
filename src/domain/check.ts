import { z } from "zod";

/** One of a project's own checks, found or configured. */
export const Check = z.object({
  name: z.string(),
  /** Exact argv; never a shell string. */
  argv: z.array(z.string()).min(1),
  timeoutMs: z.number().int().positive(),
});
export type Check = z.infer<typeof Check>;

/** What one check did on one commit. `failures` are stable names or fingerprints of single failures. */
export const CheckResult = z.object({
  name: z.string(),
  status: z.enum(["passed", "failed", "timeout", "missing"]),
  exitCode: z.number().int().nullable(),
  failures: z.array(z.string()),
  /** The last 8 KiB of output, secrets redacted. */
  tail: z.string(),
  durationMs: z.number(),
  /** Passed on a second try of the same commit. */
  flaky: z.boolean(),
});
export type CheckResult = z.infer<typeof CheckResult>;

/** Base against head: only what is new on head counts against the work. */
export const CheckReport = z.object({
  base: z.object({ commit: z.string(), results: z.array(CheckResult) }),
  head: z.object({ commit: z.string(), results: z.array(CheckResult) }),
  /** `check: failure` names that are on head and were not on base. */
  newFailures: z.array(z.string()),
  /** Failures of base that head mended. */
  fixed: z.array(z.string()),
  /** Said, never counted against the work: flaky checks, tests that the diff removed, checks that could not run. */
  warnings: z.array(z.string()),
  sandbox: z.string(),
});
export type CheckReport = z.infer<typeof CheckReport>;

/** `3/4` style summary of one side. */
export const passed = (results: readonly CheckResult[]): string => `${results.filter((r) => r.status === "passed").length}/${results.length}`;
