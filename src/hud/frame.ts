/**
 * One frame: model and size to lines of styled text, and what stands where. The only rendering there is: `--once` and `--watch` print it,
 * the interactive screen shows it, tests compare it. Pure.
 *
 * I1 Every line is exactly as wide as asked for; there are exactly as many as asked for, unless that was "as many as needed".
 * I2 Nothing untrusted gets here but through `safe-text`. I3 Only rows in view are made.
 */
import { shortCostText, tokenText, usdText } from "../domain/spend.ts";
import { isTerminal } from "../domain/work-item.ts";
import { oneLine } from "../client/text/safe-text.ts";
import { clockTime } from "../client/text/time-text.ts";
import { cut, graphemes, widthOf } from "../client/text/width.ts";
import { chosenIn, previewOf, subjectOf } from "./chosen.ts";
import { detailView } from "./detail.ts";
import { deeds } from "./keys.ts";
import { columnsOf, firstShown, least, shareRows, type Size } from "./layout.ts";
import { type Colour, fit, type Line, line, lineText, lineWidth, over, type Span, span, tones } from "./line.ts";
import type { PanelRow } from "./rows.ts";
import { entryOf, type HudModel, inboxOf, type Panel, stateOf, tabs, type Target, terminalOf } from "./state.ts";

export type { Size } from "./layout.ts";

export interface Hit { readonly x: number; readonly y: number; readonly width: number; readonly height: number; readonly target: Target }

export interface Frame {
  readonly lines: readonly Line[];
  /** Where the user types; null: nowhere. */
  readonly cursor: { readonly x: number; readonly y: number } | null;
  readonly hits: readonly Hit[];
  /** How far the open detail view can be scrolled. */
  readonly reach: number;
  /** The first row in view of each panel. */
  readonly tops: HudModel["tops"];
}

export interface FrameOptions { /** Somebody can press keys: the footer tells which. */ readonly interactive: boolean }

export const frame = (model: HudModel, size: Size, { interactive }: FrameOptions): Frame => {
  if (size.columns < least.columns || size.rows < least.rows) return narrow(model, size);
  const top = header(model, size.columns);
  const bottom = interactive ? footer(model, size.columns) : { lines: [], cursor: null };
  const room = size.rows - top.length - bottom.lines.length;
  const body = model.mode.type === "help" ? help(model, size.columns, room) : main(model, size.columns, room, top.length);
  const below = top.length + body.lines.length;
  return {
    lines: [...top, ...body.lines, ...bottom.lines].map((spans) => fit(spans, size.columns)),
    cursor: bottom.cursor === null ? null : { x: bottom.cursor.x, y: below + bottom.cursor.y },
    hits: body.hits, reach: body.reach, tops: body.tops,
  };
};

export const frameText = ({ lines }: Pick<Frame, "lines">, colour: Colour): string => lines.map((spans) => `${lineText(spans, colour)}\n`).join("");

export const hitAt = ({ hits }: Frame, x: number, y: number): Target | undefined => hits.findLast((hit) => x >= hit.x && x < hit.x + hit.width && y >= hit.y && y < hit.y + hit.height)?.target;

/** Says kindly that there is too little room, and what could not wait. */
const narrow = (model: HudModel, { columns, rows }: Size): Frame => {
  const entries = inboxOf(model);
  const all: readonly Line[] = [
    line(span(`${columns}×${rows} is too small`, "warn")),
    ...[`The HUD needs ${least.columns}×${least.rows}.`, "Make the window larger,", "or leave with q."].map((text) => line(text)),
    line(span(entries.length === 0 ? "Nothing needs you." : `${entries.length} need${entries.length === 1 ? "s" : ""} you:`, entries.length === 0 ? "plain" : "warn")),
    ...entries.map((entry) => line(span(`${entry.ref} `, "bold"), `${entry.kind} ${oneLine(entry.text)}`)),
  ];
  const shown = rows === Infinity ? all.length : rows;
  return { lines: Array.from({ length: shown }, (_, index) => fit(all[index] ?? [], columns)), cursor: null, hits: [], reach: 0, tops: model.tops };
};

/** Who owns the factory, in words. */
const ownerSpans = ({ known: { status, description } }: HudModel): readonly Span[] => {
  if (status === null) return [span(description.role === "offline" ? "no factory runs here: read from the store" : "a factory runs here, but nothing live can be reached: read from the store", "warn")];
  const { terminals, slots, gateway } = status;
  return [
    span(description.role === "owner" ? "factory in this process" : `factory pid ${status.pid}`, "good"), span(gateway === null ? " · no gateway" : ` · gateway ${gateway.host}:${gateway.port}`),
    span(` · slots ${slots.used}/${slots.of}`, slots.used >= slots.of ? "warn" : "plain"), span(` · terminals ${terminals.backend === "none" ? `none (${oneLine(terminals.detail)})` : `${terminals.backend} ${oneLine(terminals.detail)}, ${terminals.panes} panes`}`),
    span(status.automation ? "" : " · automation off", "warn"), ...(status.idle === "" ? [] : [span(` · idle: ${oneLine(status.idle)}`, "dim")]),
  ].filter(({ text }) => text !== "");
};

const header = (model: HudModel, columns: number): readonly Line[] => {
  const { items, description } = model.known;
  const needs = inboxOf(model).filter(({ waits }) => waits).length;
  const open = items.filter(({ item }) => !isTerminal(item.status)).length;
  const left = [span(` Enact Factory ${model.version} `, "mark"), span(` ${needs === 0 ? "nothing needs you" : `${needs} need${needs === 1 ? "s" : ""} you`}`, needs === 0 ? "good" : "warn"), span(` · ${open} open, ${items.length - open} ended`), ...todaySpans(model)];
  const clock = clockTime(model.now).slice(0, 5);
  const store = cut(oneLine(description.store), Math.max(0, columns - lineWidth(left) - widthOf(clock) - 6));
  return [
    line(...fit(line(...left, span(`   ${store}`, "dim")), columns - widthOf(clock) - 1), span(` ${clock}`, "dim")),
    line(" ", ...ownerSpans(model)),
  ];
};

/** What was used today, against the cap that is nearest. */
const todaySpans = ({ known: { spend } }: HudModel): readonly Span[] => {
  const [nearest] = spend.caps.filter(({ of }) => of === "").toSorted((a, b) => b.spent / b.limit - a.spent / a.limit);
  const spent = shortCostText(spend.day.cost);
  if (nearest === undefined) return [span(` · today ${spent}`)];
  // Short, as 80 columns hold the rest of the line too.
  return [span(` · today ${nearest.cap === "dayUsd" ? `${spent}/${usdText(nearest.limit).replace(/\.00$/, "")}` : `${tokenText(nearest.spent)}/${tokenText(nearest.limit)} tokens`}`, nearest.state === "reached" ? "bad" : nearest.state === "near" ? "warn" : "plain")];
};

const names: Readonly<Record<Panel, string>> = { inbox: "1 INBOX", work: "2 WORK", seats: "3 TEAMS AND TERMINALS", spend: "4 SPEND AND CAPS", tree: "5 PROCESSES", events: "6 EVENTS" };
const empty: Readonly<Record<Panel, string>> = { inbox: "Nothing needs you.", work: 'No work items. Start one: enact-factory run "Fix the failing test" -p .', seats: "No teams, no terminals.", spend: "Nothing is open.", tree: "No supervisor tree in reach.", events: "Nothing has happened yet." };

interface Part { readonly lines: readonly Line[]; readonly hits: readonly Hit[]; readonly reach: number; readonly tops: HudModel["tops"] }

const main = (model: HudModel, width: number, rows: number, y: number): Part => {
  const parts = columnsOf(width, model.detail !== null).map((column) => ({ column, part: column.panels === null ? detailPart(model, column.x, y, column.width, rows) : listPart(model, column.panels, column.x, y, column.width, rows) }));
  const height = rows === Infinity ? Math.max(...parts.map(({ part }) => part.lines.length)) : rows;
  const lines = Array.from({ length: height }, (_, index) => parts.flatMap(({ column, part }, n) => [...(n === 0 ? [] : [span("│", "dim")]), ...fit(part.lines[index] ?? [], column.width)]));
  return { lines, hits: parts.flatMap(({ part }) => part.hits), reach: Math.max(...parts.map(({ part }) => part.reach)), tops: Object.assign({}, model.tops, ...parts.map(({ part }) => part.tops)) };
};

const rule = (text: string, columns: number, focused: boolean, right = ""): Line => {
  const label = span(` ${text} `, focused ? "mark" : "title");
  return line(span(focused ? "▌" : "─", focused ? "title" : "dim"), label, span("─".repeat(Math.max(0, columns - 2 - widthOf(label.text) - widthOf(right))), "dim"), span(right, "dim"), span("─", "dim"));
};

const listPart = (model: HudModel, panels: readonly Panel[], x: number, y: number, columns: number, room: number): Part => {
  const found = panels.map((panel) => ({ panel, ...chosenIn(model, panel) }));
  const share = shareRows(room, Object.fromEntries(found.map(({ panel, rows }) => [panel, Math.max(1, rows.length)])), model.panel);
  const lines: Line[] = [];
  const hits: Hit[] = [];
  const tops: Partial<Record<Panel, number>> = {};
  for (const { panel, rows, index } of found) {
    const height = share[panel] ?? 0;
    const focused = panel === model.panel && model.detail === null;
    const start = firstShown(rows.length, index, height, model.tops[panel] ?? 0);
    tops[panel] = start;
    const outside = rows.length > height && height > 0 ? ` ${start + 1}–${start + height} of ${rows.length} ` : "";
    hits.push({ x, y: y + lines.length, width: columns, height: height + 1, target: { type: "panel", panel } });
    lines.push(rule(`${names[panel]}${rows.length > 0 ? ` ${rows.length}` : ""}${model.filter === "" ? "" : ` /${oneLine(model.filter)}`}`, columns, focused, outside));
    if (rows.length === 0 && height > 0) lines.push(line(span(` ${model.filter === "" ? empty[panel] : "nothing that contains it"}`, "dim")));
    for (const [offset, row] of rows.slice(start, start + height).entries()) {
      hits.push({ x, y: y + lines.length, width: columns, height: 1, target: { type: "row", panel, key: row.key } });
      lines.push(rowLine(row, columns, start + offset === index, focused));
    }
    for (let blank = Math.max(1, rows.length); blank < height; blank++) lines.push([]);
  }
  return { lines, hits, reach: 0, tops };
};

const rowLine = (row: PanelRow, columns: number, chosen: boolean, focused: boolean): Line => {
  const spans = line(span(chosen && focused ? "▸" : " ", "title"), ...row.line(columns - 1));
  return chosen && focused ? over(fit(spans, columns), tones.mark) : spans;
};

const detailPart = (model: HudModel, x: number, y: number, columns: number, rows: number): Part => {
  const detail = previewOf(model);
  const { subject } = detail;
  const name = subject.entry ?? (subject.member === null ? (subject.terminal ?? subject.item ?? subject.team) : `${subject.team}/${subject.member}`) ?? "";
  const hits: Hit[] = [{ x, y, width: columns, height: rows, target: { type: "detail" } }];
  const tabSpans: Span[] = [];
  let at = x + 1;
  for (const tab of tabs) {
    const text = ` ${tab} `;
    hits.push({ x: at, y: y + 1, width: text.length, height: 1, target: { type: "tab", tab } });
    tabSpans.push(span(text, tab === detail.tab ? "mark" : "dim"));
    at += text.length;
  }
  const view = detailView(model, detail, columns - 2);
  const height = Math.max(0, Math.min(rows, rows === Infinity ? view.length + 2 : rows) - 2);
  const reach = Math.max(0, view.length - height);
  const scroll = Math.min(detail.scroll, reach);
  const start = view.fromEnd && detail.tab === "terminal" ? reach - scroll : view.fromEnd && detail.scroll === 0 ? reach : scroll;
  const place = reach === 0 ? "" : ` ${start + 1}–${start + height} of ${view.length} `;
  const lines = Array.from({ length: height }, (_, index) => line(" ", ...panned(view.line(start + index), detail.pan)));
  return { lines: [rule(oneLine(name), columns, model.detail !== null, place), line(" ", ...tabSpans), ...lines], hits, reach, tops: {} };
};

/** Without its first columns; a wide character that is cut in two leaves a blank. */
const panned = (spans: Line, by: number): Line => {
  if (by === 0) return spans;
  let skip = by;
  return spans.flatMap(({ text, style }) => {
    if (skip <= 0) return [{ text, style }];
    const width = widthOf(text);
    if (width <= skip) {
      skip -= width;
      return [];
    }
    let rest = text;
    for (const grapheme of graphemes(text)) {
      if (skip <= 0) break;
      skip -= widthOf(grapheme);
      rest = rest.slice(grapheme.length);
    }
    const blanks = " ".repeat(Math.max(0, -skip));
    skip = 0;
    return [{ text: blanks + rest, style }];
  });
};

const hint = (key: string, text: string): readonly Span[] => [span(` ${key} `, "mark"), span(` ${text}  `)];

const footer = (model: HudModel, columns: number): { readonly lines: readonly Line[]; readonly cursor: Frame["cursor"] } => {
  const { mode, notice } = model;
  switch (mode.type) {
    case "write": return typing(`${mode.label}   (Enter sends, Alt+Enter new line, Esc leaves)`, mode.field, columns);
    case "search": return typing("Show only what contains   (Enter keeps it, Esc shows all)", mode.field, columns);
    case "confirm": return { lines: [line(span(oneLine(mode.question), "alarm"))], cursor: null };
    case "help": return { lines: [line(...hint("any key", "back"))], cursor: null };
    case "browse": break;
  }
  const told = notice === null ? [] : [line(span(oneLine(notice.text), notice.level === "info" ? "good" : notice.level === "warning" ? "warn" : "bad"))];
  return { lines: [...told, line(...hints(model))], cursor: null };
};

/** Keys that do something for what is chosen, then where to go. */
const hints = (model: HudModel): readonly Span[] => {
  const subject = subjectOf(model);
  const entry = entryOf(model, subject);
  const state = stateOf(model, subject.item);
  const open = state !== undefined && !isTerminal(state.item.status);
  const deed = entry?.keys.map(({ key, label }) => hint(key, label)) ?? (state === undefined ? [] : open ? [hint("c", "cancel"), ...(state.item.status === "paused" ? [hint("u", "resume")] : []), ...(state.item.status === "retryAt" ? [hint("t", "retry now")] : []), ...(["ready", "retryAt"].includes(state.item.status) ? [hint("p", "pause")] : []), hint("o", "open")] : [hint("t", "try again"), hint("o", "open")]);
  const terminal = terminalOf(model, subject);
  return [...deed.flat(), ...(terminal === undefined ? [] : [...hint("A", "attach"), ...(terminal.state === "running" ? hint("m", "say") : [])]), ...(model.detail === null ? [...hint("Enter", "look"), ...hint("Tab", "panel")] : [...hint("Esc", "back"), ...hint("Tab", "view")]), ...hint("/", "search"), ...hint("?", "help"), ...hint("q", "quit")];
};

/** A label and a line of text with its cursor in view. */
const typing = (label: string, field: { readonly before: string; readonly after: string }, columns: number): { readonly lines: readonly Line[]; readonly cursor: Frame["cursor"] } => {
  const visible = (text: string): string => text.replaceAll("\n", "⏎");
  let before = visible(field.before);
  const room = columns - 4;
  if (widthOf(before) > room) {
    const kept: string[] = [];
    let width = 1;
    for (const grapheme of graphemes(before).toReversed()) {
      width += widthOf(grapheme);
      if (width > room) break;
      kept.push(grapheme);
    }
    before = `…${kept.toReversed().join("")}`;
  }
  return { lines: [line(span(cut(label, columns), "bold")), line(span("> ", "title"), before, visible(field.after))], cursor: { x: 2 + widthOf(before), y: 1 } };
};

const help = (model: HudModel, columns: number, rows: number): Part => {
  const text: readonly (readonly [string, string])[] = [
    ["↑ ↓ PgUp PgDn g G", "choose, or scroll what is open; also k and j, the wheel, a click"], ["Tab, 1 to 6, ← →", "go to a panel; with something open: the next view of it, and sideways"],
    ["Enter, second click", "look at it: summary, terminal, chart, journal, diff"], ["Esc", "back"], ["/", "show only rows that contain a text"],
    ...Object.entries(deeds).map(([key, [, says]]) => [key, says] as const), ["?", "this"], ["q, Ctrl-C", "quit; the factory goes on"],
  ];
  const lines = [rule("KEYS", columns, true), ...text.map(([key, says]) => line(span(`  ${key.padEnd(20)}`, "bold"), says))];
  return { lines: rows === Infinity ? lines : Array.from({ length: rows }, (_, index) => lines[index] ?? []), hits: [], reach: 0, tops: model.tops };
};
