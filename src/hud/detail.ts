/** What is shown of one thing: summary, terminal, chart, journal, diff. Lines are made only where they are seen. Pure. */
import { explain, type RuleState, stuckThen } from "../client/explain.ts";
import { checksText, diffCommand } from "../client/inbox.ts";
import { memberCost } from "../client/item-cost.ts";
import type { ItemState } from "../client/contract.ts";
import { gateLines } from "../client/text/gates-text.ts";
import { stageText, waitText } from "../client/text/item-text.ts";
import { journalLine } from "../client/text/journal-text.ts";
import { block, oneLine } from "../client/text/safe-text.ts";
import { clockTime, localTime } from "../client/text/time-text.ts";
import { costText, isNothing } from "../domain/spend.ts";
import { column, type Line, line, span, type Tone, wrap } from "./line.ts";
import { type Detail, entryOf, type HudModel, stateOf, terminalOf } from "./state.ts";
import { ageText, kindTones, statusTone } from "./rows.ts";

/** `length` lines, any of them on demand. `fromEnd`: begins with its end in view. */
export interface DetailView { readonly length: number; readonly line: (index: number) => Line; readonly fromEnd: boolean }

const of = (lines: readonly Line[]): DetailView => ({ length: lines.length, line: (index) => lines[index] ?? [], fromEnd: false });

export const detailView = (model: HudModel, detail: Detail, columns: number): DetailView => {
  switch (detail.tab) {
    case "summary": return of(summary(model, detail, columns));
    case "terminal": return terminal(model, detail);
    case "chart": return of(chart(model, detail, columns));
    case "journal": return journal(model, columns);
    case "diff": return of(diff(model, detail, columns));
  }
};

/** `name   value`, the value wrapped beside its name. */
const fact = (name: string, value: string, columns: number, tone: Tone = "plain"): readonly Line[] =>
  value === "" ? [] : wrap(block(value), columns - 14).map((text, index) => line(column(index === 0 ? name : "", 13, "dim"), " ", span(text, tone)));

const title = (text: string): Line => line(span(text, "title"));
const gap: Line = [];

const summary = (model: HudModel, { subject }: Detail, columns: number): readonly Line[] => {
  const state = stateOf(model, subject.item);
  const entry = entryOf(model, subject);
  const lines: Line[] = [];
  if (entry !== undefined) {
    lines.push(line(span(`${entry.kind} `, kindTones[entry.kind]), `for ${ageText(model.now - entry.since)}, `, span(`${costText(entry.cost)} spent`, "dim")), ...wrap(block(entry.text), columns).map((text) => line(text)));
    lines.push(line(...entry.keys.flatMap(({ key, label }) => [span(` ${key} `, "mark"), ` ${label}  `])));
    if (entry.evidence.newFailures.length > 0) lines.push(...fact("new failures", entry.evidence.newFailures.join("\n"), columns, "bad"));
    lines.push(...fact("last review", entry.evidence.feedback, columns), ...fact("rule", entry.evidence.rule, columns, "bad"), gap);
  }
  if (state !== undefined) lines.push(...itemLines(model, state, columns));
  const team = model.known.teams.find((each) => each.team.name === subject.team || (subject.team === null && each.team.item === subject.item));
  if (team !== undefined) lines.push(gap, ...teamLines(model, team, columns));
  const seen = terminalOf(model, subject);
  if (seen !== undefined) lines.push(gap, title("Terminal"), ...fact("address", seen.address, columns), ...fact("state", `${seen.state}, ${seen.adapter}, ${seen.columns}×${seen.rows}, ${seen.size} bytes${seen.from > 0 ? ` (the first ${seen.from} are no longer kept)` : ""}`, columns), ...fact("shown in", seen.pane === null ? "" : `${seen.pane}${seen.attached > 0 ? `, ${seen.attached} looking at it` : ""}`, columns), ...fact("last line", oneLine(seen.lastLine), columns));
  return lines.length === 0 ? [line(span("Nothing is chosen.", "dim"))] : lines;
};

const itemLines = (model: HudModel, state: ItemState, columns: number): readonly Line[] => {
  const { item, pipeline } = state;
  const { rules } = explain(state, { effects: [], alarms: [], deadLetters: [], last: [] });
  return [
    line(span(`${item.id} `, "bold"), span(item.status, statusTone(item.status)), stageText(state) === "" ? "" : ` ${stageText(state)}`),
    ...wrap(oneLine(item.title), columns).map((text) => line(span(text, "bold"))),
    ...fact("now", oneLine(waitText(state, model.now)), columns),
    ...fact("because", item.reason === item.question ? "" : oneLine(item.reason), columns),
    ...fact("lane", `${item.operatorLane}; ${item.kind}, priority ${item.priority}, attempt ${item.attempt}`, columns),
    ...fact("project", `${item.project} (${item.repository})`, columns), ...fact("from", `${item.source} ${item.sourceId}, ${localTime(item.createdAt)}`, columns),
    ...gateLines(item).flatMap(({ name, state: settled, evidence }, index) => fact(index === 0 ? "gates" : "", `${name} ${settled}${evidence === "" ? "" : `: ${oneLine(evidence)}`}`, columns, settled === "open" ? "warn" : "good")),
    ...item.ledger.flatMap(({ at, what, reason }) => fact("closing", `${localTime(at)} ${what}: ${oneLine(reason)}`, columns)),
    ...fact("checks", checksText(item.checks ?? pipeline?.checks ?? null), columns), ...fact("cost", isNothing(state.cost) ? "" : costText(state.cost), columns),
    ...fact("branch", item.branch ?? "", columns), ...fact("published", item.published, columns), ...fact("warnings", item.warnings.join("\n"), columns, "warn"),
    ...(item.summary === "" ? [] : [gap, ...wrap(block(item.summary), columns).map((text) => line(text))]),
    gap, title("Counters and their caps"), ...rules.filter(({ scope }) => scope !== "progress").flatMap((rule) => fact(rule.id, `${oneLine(rule.says)} → ${rule.then}`, columns, ruleTone(rule))),
    ...(rules.some(({ scope }) => scope === "progress") ? [gap, ...wrap(`No progress means ${stuckThen}`, columns).map((text) => line(span(text, "title")))] : []), ...rules.filter(({ scope }) => scope === "progress").flatMap((rule) => fact(rule.id, oneLine(rule.says), columns, ruleTone(rule))),
  ];
};

const ruleTone = ({ state }: RuleState): Tone => (state === "fired" ? "bad" : state === "atLimit" ? "warn" : "plain");

const teamLines = (model: HudModel, { team, cost }: HudModel["known"]["teams"][number], columns: number): readonly Line[] => [
  title(`Team ${team.name}`),
  ...fact("phase", `${team.phase}, fixes ${team.fixes} of ${team.maxFixes}, ${costText(cost)}${team.reason === "" ? "" : `: ${oneLine(team.reason)}`}`, columns),
  ...team.members.flatMap((member) => fact(member.name, `${member.state} ${ageText(model.now - member.since)}, ${member.adapter}, ${member.turns} turns, ${member.restarts} restarts, ${costText(memberCost(member))}${member.task === null ? "" : `, task ${member.task}`}${member.reason === "" ? "" : `: ${oneLine(member.reason)}`}`, columns, member.state === "down" ? "bad" : member.state === "asking" ? "warn" : "plain")),
  ...team.tasks.flatMap((task) => fact(`task ${task.id}`, `${task.state}${task.owner === null ? "" : ` by ${task.owner}`}: ${oneLine(task.title)}${task.kind === "work" ? "" : ` (${task.kind})`}${task.reason === "" ? "" : `: ${oneLine(task.reason)}`}`, columns, task.state === "failed" ? "bad" : task.state === "done" ? "good" : "plain")),
  ...team.messages.slice(-10).flatMap((message) => fact("message", `${message.state} ${message.from} → ${message.to}: ${oneLine(message.text)}`, columns, message.state === "undelivered" ? "bad" : "plain")),
  ...team.events.slice(-10).flatMap((event) => fact(clockTime(event.at), oneLine(event.text), columns)),
];

const terminal = (model: HudModel, { subject }: Detail): DetailView => {
  const { pane } = model.detailKnown;
  const seen = terminalOf(model, subject);
  if (seen === undefined) return of([line(span(model.known.status === null ? "No factory runs here, so nothing live can be watched; the journal tells what was done." : "It has no terminal.", "dim"))]);
  if (pane === null) return of([line(span(`waiting for ${seen.address} …`, "dim"))]);
  return { length: pane.length + (pane.ended ? 1 : 0), line: (index) => (index < pane.length ? pane.line(index) : line(span(pane.ended && index === pane.length ? "[it has ended]" : "", "dim"))), fromEnd: true };
};

/** A state's value as XState has it, on one line: `a`, or `a.b, c.d` for parallel states. */
const valueText = (value: unknown): string => (typeof value === "string" ? value : typeof value === "object" && value !== null ? Object.entries(value).map(([key, inner]) => { const text = valueText(inner); return text === "" ? key : `${key}.${text}`; }).join(", ") : "");

const chart = (model: HudModel, { subject }: Detail, columns: number): readonly Line[] => {
  const state = stateOf(model, subject.item);
  const { actor } = model.detailKnown;
  const lines: Line[] = [];
  if (state !== undefined) {
    const { item, pipeline, stage, progress } = state;
    lines.push(title("Where its charts stand"), ...fact("item", item.status, columns), ...fact("pipeline", pipeline === null ? "" : `${pipeline.state}, ${pipeline.stage} ${pipeline.iteration} of ${pipeline.maxIterations}`, columns), ...fact("stage", stage === null ? "" : `${stage.stage} ${stage.state}, try ${stage.tryNumber}`, columns), ...fact("progress", progress === null ? "" : `${progress.state}${progress.rule === "" ? "" : `, rule ${progress.rule}: ${oneLine(progress.says)}`}`, columns), gap);
  }
  if (actor === undefined) lines.push(line(span("reading its chart …", "dim")));
  else if (actor === null) lines.push(line(span("Its chart cannot be inspected from here.", "dim")));
  else {
    lines.push(title(oneLine(actor.address)), ...fact("chart", `${actor.chart}, ${actor.kind}, step ${actor.seq}`, columns), ...fact("state", valueText(actor.value), columns, "accent"), gap, title("Last steps, newest first"));
    for (const each of actor.transitions.toReversed().slice(0, 100)) lines.push(...fact(clockTime(each.at), `${oneLine(each.event)}: ${valueText(each.from)} → ${valueText(each.to)}`, columns));
    lines.push(gap, title("Context"), ...wrap(block(JSON.stringify(actor.context, undefined, 2)), columns).map((text) => line(text)));
  }
  return lines;
};

const journal = ({ detailKnown }: HudModel, columns: number): DetailView => {
  const events = detailKnown.journal;
  if (events.length === 0) return of([line(span("reading its journal …", "dim"))]);
  return { length: events.length, fromEnd: true, line: (index) => {
    const event = events[index];
    const text = event === undefined ? "" : journalLine(event);
    return columns < 100 ? line(span(text.slice(0, 8), "dim"), text.slice(8).replace(/ {2,}/, " ")) : line(span(text.slice(0, 8), "dim"), text.slice(8));
  } };
};

const diff = (model: HudModel, { subject }: Detail, columns: number): readonly Line[] => {
  const state = stateOf(model, subject.item);
  if (state === undefined) return [line(span("There is no work item to compare.", "dim"))];
  const { item, pipeline } = state;
  const branch = item.branch ?? pipeline?.branch ?? null;
  const head = item.head ?? pipeline?.head ?? null;
  const member = model.known.teams.find(({ team }) => team.name === subject.team)?.team.members.find(({ name }) => name === subject.member);
  return [
    ...fact("branch", member?.branch ?? branch ?? "none yet", columns), ...fact("base", item.base ?? "", columns), ...fact("head", head ?? "", columns), ...fact("worktree", member?.worktree ?? item.worktree ?? pipeline?.worktree ?? "", columns),
    ...fact("checks", checksText(item.checks ?? pipeline?.checks ?? null), columns), ...fact("new failures", (pipeline?.newFailures ?? []).join("\n"), columns, "bad"), gap,
    ...(pipeline === null || pipeline.changeSummary === "" ? [] : [title("Changed"), ...wrap(block(pipeline.changeSummary), columns).map((text) => line(text)), gap]),
    ...(branch === null ? [] : [title("See it with"), ...wrap(oneLine(diffCommand(item.repository, item.base, member?.branch ?? branch)), columns).map((text) => line(text))]),
  ];
};
