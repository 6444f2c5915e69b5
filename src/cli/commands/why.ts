import { explain, relativeTime, type RuleState, stuckThen } from "../../client/explain.ts";
import { gateLines } from "../../client/text/gates-text.ts";
import { journalLine } from "../../client/text/journal-text.ts";
import { block, indented, oneLine } from "../../client/text/safe-text.ts";
import { clockTime, isoTime, localTime } from "../../client/text/time-text.ts";
import { costText } from "../../domain/spend.ts";
import { type Command, itemId, itemState, printJson, reading } from "../context.ts";
import { statusText } from "../item-text.ts";
import { again } from "../place.ts";
import { exitCode } from "../problem.ts";
import { paint, type Screen } from "../screen.ts";

/** What an item waits for, the last evidence, and which rule fires when. */
export const why: Command<{ readonly id: string }> = (context, { id: given }) => {
  const id = itemId(given);
  return reading(context, async (client) => {
    const state = await itemState(client, id);
    const [evidence, spent] = await Promise.all([client.evidence(state.item.id), client.spend({ item: state.item.id })]);
    const found = explain(state, evidence, spent.caps.filter(({ of, day }) => day === null || of === "" || of === state.item.project));
    const now = context.tools.now();
    if (context.json) {
      printJson(context, {
        ...found,
        needs: state.item.needs, gates: state.item.gates, ledger: state.item.ledger.map((entry) => ({ ...entry, at: isoTime(entry.at) })),
        waiting: { ...found.waiting, until: iso(found.waiting.until) },
        pending: found.pending.map((effect) => ({ ...effect, since: isoTime(effect.since) })),
        alarms: found.alarms.map((alarm) => ({ ...alarm, at: isoTime(alarm.at) })),
        deadLetters: found.deadLetters.map((letter) => ({ ...letter, at: isoTime(letter.at) })),
        last: found.last.map((line) => ({ ...line, at: isoTime(line.at) })),
      });
      return exitCode.ok;
    }
    const { out } = context.terminal;
    const { waiting } = found;
    const section = (title: string, lines: readonly string[]): void => {
      if (lines.length > 0) out.write(`\n${paint(out, "bold", title)}\n${lines.map((line) => `  ${line}\n`).join("")}`);
    };
    const until = waiting.until === null ? "" : `, ${localTime(waiting.until)} (${relativeTime(waiting.until, now)})`;
    out.write(`${paint(out, "bold", found.id)} ${statusText(out, state.item.status)}: ${oneLine(state.item.title)}\n  waits for ${oneLine(waiting.text)}${until}\n`);
    if (found.question !== null) out.write(`  question:\n${indented(block(found.question), "    ")}\n`);
    if (found.reason !== "" && found.reason !== found.question) out.write(`  because: ${oneLine(found.reason)}\n`);
    out.write(`  it cost ${costText(state.cost)}; today all agents cost ${costText(spent.day.cost)}\n`);
    for (const warning of state.item.warnings) out.write(`  ${paint(out, "yellow", `warning: ${oneLine(warning)}`)}\n`);
    section("Move it on", await Promise.all(waiting.commands.map((words) => again(context.place, context.terminal, context.tools, words))));
    section("Gates", gateLines(state.item).map(({ name, state: settled, evidence }) => paint(out, settled === "open" ? "yellow" : "green", `${name} ${settled}`) + (evidence === "" ? "" : `: ${oneLine(evidence)}`)));
    section("Which rule fires when", found.rules.filter(({ scope }) => scope !== "progress").map((rule) => ruleText(out, rule)));
    section(`No progress means ${stuckThen}`, found.rules.filter(({ scope }) => scope === "progress").map((rule) => ruleText(out, rule)));
    section("Asked for and not yet answered", found.pending.map(({ kind, attempts, since }) => `${oneLine(kind)} since ${clockTime(since)} (${relativeTime(since, now)})${attempts > 1 ? `, attempt ${attempts}` : ""}`));
    section("Alarms", found.alarms.map(({ actor, name, at }) => `${oneLine(name)} of ${oneLine(actor)} ${localTime(at)} (${relativeTime(at, now)})`));
    section("Events that could not be processed", found.deadLetters.map(({ actor, error, at }) => `${clockTime(at)} ${oneLine(actor)}: ${oneLine(error)}`));
    section("Last evidence", found.last.map((line) => journalLine(line)));
    return exitCode.ok;
  });
};

const iso = (at: number | null): string | null => (at === null ? null : isoTime(at));

const ruleText = (screen: Screen, rule: RuleState): string => {
  const text = oneLine(rule.scope === "progress" ? `${rule.id}: ${rule.says}` : rule.scope === "spend" ? `spend.${rule.id}: ${rule.says} → ${rule.then}` : `${rule.scope}.${rule.id}: ${rule.says}; after ${rule.limit} → ${rule.then}`);
  return rule.state === "fired" ? paint(screen, "red", `${text} [fired]`) : rule.state === "atLimit" ? paint(screen, "yellow", `${text} [${rule.scope === "spend" ? "over 80 %" : "at its limit"}]`) : text;
};
