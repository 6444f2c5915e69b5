/** What agents used, by what is asked for, and what the caps leave. */
import { type SpendReport, spendKinds, type SpendKind, type SpendRow } from "../../client/contract.ts";
import { oneLine } from "../../client/text/safe-text.ts";
import { isoTime } from "../../client/text/time-text.ts";
import { type CapState, capText, durationText, leftText } from "../../domain/ledger.ts";
import { type Amount, costText, shortCostText, tokensOf, tokenText } from "../../domain/spend.ts";
import { type Command, itemId, itemState, printJson, reading } from "../context.ts";
import { CliProblem, exitCode } from "../problem.ts";
import { paint, type Screen } from "../screen.ts";
import { table } from "../table.ts";

export interface SpendOptions { readonly by?: string; readonly since?: string; readonly item?: string }

const isKind = (text: string): text is SpendKind => spendKinds.some((kind) => kind === text);

export const spend: Command<SpendOptions> = (context, options) => {
  const by = options.by ?? "day";
  if (!isKind(by)) throw new CliProblem(`${JSON.stringify(by.slice(0, 40))} is nothing that can be added up.`, `Write one of ${spendKinds.join(", ")}.`);
  const item = options.item === undefined ? undefined : itemId(options.item);
  return reading(context, async (client) => {
    if (item !== undefined) await itemState(client, item);
    const report = await client.spend({ by, since: options.since, item });
    if (context.json) {
      printJson(context, { ...report, by, item: item ?? null, rows: report.rows.map((row) => ({ ...row, at: isoTime(row.at) })) });
      return exitCode.ok;
    }
    const { out } = context.terminal;
    const { rows, more, total, since, today, day } = report;
    const of = item === undefined ? "" : ` of ${item}`;
    if (rows.length === 0) out.write(`Nothing was used${of} since ${since ?? today}.\n`);
    else {
      out.write(rowsText(out, by, report));
      if (more > 0) out.write(`${paint(out, "dim", `and ${more} more, which the total counts too; --since narrows it, --json does not tell more`)}\n`);
      out.write(`\n${paint(out, "bold", "Total")}${of} since ${since}: ${costText(total.cost)}; ${usageText(total)}\n`);
    }
    out.write(`${paint(out, "bold", "Today")} (${today}): ${costText(day.cost)}; ${usageText(day)}\n`);
    out.write(capsText(out, report.caps));
    return exitCode.ok;
  });
};

const usageText = ({ usage, turns, wallMs }: Amount): string => `${tokenText(usage.inputTokens)} tokens in (${tokenText(usage.cachedTokens)} cached), ${tokenText(usage.outputTokens)} out; ${turns} turn${turns === 1 ? "" : "s"}, ${durationText(wallMs)}`;

/** Below this the tokens share a column and costs are short. */
const roomy = 80;

const rowsText = (screen: Screen, by: SpendKind, { rows, caps }: SpendReport): string => {
  const wide = screen.columns() >= roomy;
  const name = ({ key, says }: SpendRow): string => (by === "run" ? says : key);
  // The run is named where there is room for its name.
  const last = by === "run" ? "RUN" : by === "item" ? "LEFT" : "";
  const lastOf = ({ key }: SpendRow): string => (by === "run" ? key : by === "item" ? caps.filter(({ of, day }) => day === null && of === key).map(leftText).join(", ") : "");
  const cells = (row: SpendRow): readonly string[] => {
    const { usage, turns, wallMs, cost } = row.amount;
    return wide
      ? [name(row), String(turns), tokenText(usage.inputTokens), tokenText(usage.cachedTokens), tokenText(usage.outputTokens), durationText(wallMs), costText(cost), ...(last === "" ? [] : [lastOf(row)])]
      : [name(row), tokenText(tokensOf(usage)), shortCostText(cost), ...(by === "item" ? [lastOf(row)] : [])];
  };
  const title = by === "run" ? "TURN" : by.toUpperCase();
  const header = wide ? [title, "TURNS", "INPUT", "CACHED", "OUTPUT", "TIME", "COST", ...(last === "" ? [] : [last])] : [title, "TOKENS", "COST", ...(by === "item" ? ["LEFT"] : [])];
  return table(screen, header, rows.map(cells));
};

/** Every cap that is set, and what it leaves; colours for those that are near. */
export const capsText = (screen: Screen, caps: readonly CapState[]): string => {
  const line = (cap: CapState): string => {
    const text = oneLine(`${capText(cap)}; ${cap.state === "reached" ? "nothing is left: no new turn begins" : `${leftText(cap)} left`}`);
    return cap.state === "reached" ? paint(screen, "red", text) : cap.state === "near" ? paint(screen, "yellow", text) : text;
  };
  return caps.length === 0 ? "" : `${paint(screen, "bold", "Caps")}\n${caps.map((cap) => `  ${line(cap)}\n`).join("")}`;
};
