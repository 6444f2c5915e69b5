import type { Position } from "./toml-positions.ts";

/** One thing wrong with a configuration. Warnings do not keep the factory from starting. */
export interface Problem {
  readonly severity: "error" | "warning";
  readonly file: string;
  /** 1-based; null when the problem is the file as a whole. */
  readonly line: number | null;
  readonly column: number | null;
  /** Dotted, array positions from 1 (`projects[1].name`); empty when the problem is no key. */
  readonly key: string;
  readonly message: string;
  /** Exact TOML to write instead, when it is known. */
  readonly write: string | null;
}

export const problemAt = (file: string, position: Position | undefined, key: string, message: string, write: string | null = null, severity: Problem["severity"] = "error"): Problem =>
  ({ severity, file, line: position?.line ?? null, column: position?.column ?? null, key, message, write });

/** As editors and terminals link it, the TOML to write indented below. */
export const formatProblem = (problem: Problem): string => {
  const place = problem.line === null ? problem.file : `${problem.file}:${problem.line}${problem.column === null ? "" : `:${problem.column}`}`;
  const subject = problem.key === "" ? "" : `${problem.key}: `;
  const write = problem.write === null ? "" : `\n  write:\n${problem.write.trimEnd().split("\n").map((line) => (line === "" ? "" : `    ${line}`)).join("\n")}`;
  return `${place}: ${problem.severity}: ${subject}${problem.message}${write}`;
};

export const byPlace = (a: Problem, b: Problem): number => (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0);
