/** The table of docs/stop-policy.md, made of the rules. */
import { stopRules } from "../../src/domain/stop-policy.ts";

const begin = "<!-- Written by `npm run policy`; do not edit. -->", end = "<!-- end -->";

const rows = stopRules.map(({ id, decides, says }, n) => `| ${n + 1} | \`${id}\` | ${decides} | ${says} |`);
const table = `| | Rule | Decides | Holds when |\n|---|---|---|---|\n${rows.join("\n")}`;

/** The page with the table in its place; throws where it has none. */
export const withTable = (page: string): string => {
  const from = page.indexOf(begin), to = page.indexOf(end);
  if (from < 0 || to < from) throw new Error("docs/stop-policy.md has no place for the table of rules");
  return `${page.slice(0, from)}${begin}\n\n${table}\n\n${page.slice(to)}`;
};
