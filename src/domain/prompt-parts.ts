import type { Finding } from "./verdict.ts";

/** What prompts are made of. Texts of strangers stand between markers and are introduced as material. */

export const quoted = (label: string, text: string): string => `<${label}>\n${text.replaceAll(`</${label}>`, `< /${label}>`)}\n</${label}>`;

export const question = [
  "If you cannot go on without a person's decision, stop and end your answer with:",
  "```enact-question",
  "your question",
  "```",
].join("\n");

export const verdictForm = [
  "End your answer with exactly one block like this, and nothing after it:",
  "```enact-verdict",
  '{"decision": "approve" | "revise" | "reject", "feedback": "what to do differently", "findings": [{"severity": "info" | "minor" | "major" | "critical", "message": "…", "file": "path", "line": 1}]}',
  "```",
].join("\n");

export const planForm = [
  "End your answer with exactly one block like this, and nothing after it. `dependsOn` names tasks by their place in the list, from 1; at most 50 tasks:",
  "```enact-plan",
  '{"tasks": [{"title": "one line", "description": "what to do, where, and what not to touch", "dependsOn": [1], "acceptance": ["a criterion"]}]}',
  "```",
  "`dependsOn` and `acceptance` may be left out.",
].join("\n");

export const criteriaForm = ["End your answer with exactly one block like this, and nothing after it:", "```enact-criteria", '{"criteria": [{"task": 1, "acceptance": ["a criterion", "another"]}]}', "```"].join("\n");

export const findingLine = (f: Finding): string => `- ${f.severity}: ${f.message}${f.file === undefined ? "" : ` (${f.file}${f.line === undefined ? "" : `:${f.line}`})`}`;
