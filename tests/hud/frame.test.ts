import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { ItemState, TerminalState } from "../../src/client/contract.ts";
import { widthOf } from "../../src/client/text/width.ts";
import { type Caps, dayCaps } from "../../src/domain/ledger.ts";
import { noAmount } from "../../src/domain/spend.ts";
import { frame, frameText } from "../../src/hud/frame.ts";
import { columnsOf, firstShown, shareRows } from "../../src/hud/layout.ts";
import { fit, line, lineText, lineWidth, span, wrap } from "../../src/hud/line.ts";
import { begin } from "../../src/hud/model.ts";
import { readKnown } from "../../src/hud/reading.ts";
import { type HudModel, panels, tabs } from "../../src/hud/state.ts";
import { doubleOf, recorded, recordedNow, team } from "./double.ts";
import { drawnLines, enter, modelOf, play, tab } from "./play.ts";

const usual = { columns: 80, rows: 24 };
const sizes = [usual, { columns: 100, rows: 30 }, { columns: 120, rows: 40 }, { columns: 200, rows: 60 }, { columns: 400, rows: 100 }];
/** Hostile and wide: escape sequences, bidirectional overrides, half surrogates, Hangul composed and not, joined emoji, flags. */
const hostile = fc.array(fc.oneof(fc.string({ unit: "binary", maxLength: 6 }), fc.constantFrom("\u001b[2J", "\u001b]0;t\u0007", "\u009b31m", "\u202e", "\u200b", "\ud800", "한글", "한", "👩‍👩‍👧", "🇰🇷", "e\u0301", "❤️", "👍🏽", "\r\n", "\t")), { maxLength: 14 }).map((parts) => parts.join(""));
const controls = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/u; // oxlint-disable-line no-control-regex

describe("the frame", () => {
  test("SURF-05 lane, phase, stage and items of a factory's state, what each waits for and why, and what it costs", async () => {
    const text = drawnLines(await modelOf(doubleOf({ offline: true }).client), { columns: 118, rows: Infinity }, false).join("\n");
    for (const { item, pipeline } of recorded.items) expect(text).toMatch(new RegExp(`${item.id} +${item.status} +${item.status === "blocked" ? `${pipeline?.stage} ${pipeline?.iteration}/${pipeline?.maxIterations} +` : ""}.*${item.operatorLane}`));
    expect(text).toContain("waits for your answer");
    expect(text).toContain("5 of 5 iterations used");
    expect(text).toContain("빈 목록의 합계를 고쳐 주세요");
    expect(text).toContain("no factory runs here: read from the store");
    expect(text).toContain("$0.40");
  });

  test("the header tells today's spend against the cap that is nearest, in the colour of how near it is, and what of it is unknown", async () => {
    const { client } = doubleOf(), known = await readKnown(client);
    const header = (spend: typeof known.spend): string => drawnLines(begin("0.1.0", { ...known, spend }, recordedNow), usual)[0] ?? "";
    const amount = { ...noAmount, cost: { usd: 9.5, unpricedTokens: 0, unmeasured: 0 }, usage: { inputTokens: 40_000, cachedTokens: 0, outputTokens: 0 } };
    const of = (caps: Caps, cost = amount.cost): typeof known.spend => ({ ...known.spend, day: { ...amount, cost }, caps: dayCaps({ caps, items: [], days: [{ day: known.spend.today, amount: { ...amount, cost }, projects: [] }] }, known.spend.today) });
    expect(header(of({}))).toContain(" · today $9.50 ");
    expect(header(of({ dayUsd: 10 }))).toContain(" · today $9.50/$10 ");
    expect(header(of({ dayUsd: 10 }, { usd: 9.5, unpricedTokens: 7, unmeasured: 0 }))).toContain(" · today $9.50+?/$10 ");
    expect(header(of({ dayUsd: 1_000, dayTokens: 50_000 }))).toContain(" · today 40k/50k tokens");
    const toned = (spend: typeof known.spend): string => frameText(frame(begin("0.1.0", { ...known, spend }, recordedNow), usual, { interactive: false }), "full");
    expect(toned(of({ dayUsd: 9 }))).not.toBe(toned(of({ dayUsd: 10 })));
  });

  test("I1 exactly as wide and as high as asked for, whatever strangers wrote, whatever is open, at any size; nothing that moves a cursor is in it", async () => {
    const { client } = doubleOf({ panes: 3 });
    const known = await readKnown(client);
    fc.assert(fc.property(hostile, fc.integer({ min: 20, max: 260 }), fc.integer({ min: 3, max: 70 }), fc.constantFrom(...panels), fc.constantFrom(null, ...tabs), (text, columns, rows, panel, opened) => {
      const items = known.items.map((state): ItemState => ({ ...state, item: { ...state.item, title: text, summary: text, reason: text, question: state.item.question === null ? null : text, warnings: [text] }, pipeline: state.pipeline && { ...state.pipeline, feedback: text, changeSummary: text, newFailures: [text] } }));
      const teams = [{ ...team, team: { ...team.team, members: team.team.members.map((member) => ({ ...member, reason: text, question: text })), messages: team.team.messages.map((message) => ({ ...message, text })) } }];
      const terminals = known.terminals.map((terminal): TerminalState => ({ ...terminal, lastLine: text }));
      const model: HudModel = { ...begin("0.1.0", { ...known, items, teams, terminals }, recordedNow), panel };
      const shown = opened === null ? model : { ...model, detail: { subject: { item: items[0]?.item.id ?? null, terminal: null, team: "alpha", member: "worker-2", entry: null }, tab: opened, scroll: 0, pan: 0 } };
      const { lines } = frame(shown, { columns, rows }, { interactive: true });
      expect(lines.length).toBe(rows);
      for (const each of lines) {
        expect(lineWidth(each)).toBe(columns);
        for (const { text: part } of each) expect(part).not.toMatch(controls);
      }
    }), { numRuns: 150 });
  });

  test("what needs you stands first, the most urgent at the top, with the keys that settle it in the footer", async () => {
    const model = await modelOf(doubleOf().client);
    const lines = drawnLines(model, usual);
    expect(lines[2]).toMatch(/^▌ 1 INBOX 7/);
    expect(lines[3]).toMatch(/^▸alpha\/task-3 +conflict/);
    expect(lines.at(-1)).toMatch(/^ e {2}tell the leader {3}o {2}open/);
  });

  test("the owner: pid, gateway, slots, terminals, why it is idle; and that there is none", async () => {
    const text = async (offline: boolean): Promise<string> => drawnLines(await modelOf(doubleOf({ offline }).client), { columns: 200, rows: 60 })[1] ?? "";
    expect(await text(false)).toBe(" factory pid 4242 · gateway 127.0.0.1:3847 · slots 1/2 · terminals tmux enact-0123abcd, 4 panes · idle: nothing is ready");
    expect(await text(true)).toBe(" no factory runs here: read from the store");
  });

  test("every panel has its place at every size, the detail view beside the lists when there is room", async () => {
    const model = await modelOf(doubleOf().client);
    for (const size of sizes) {
      const text = drawnLines(model, size).join("\n");
      for (const name of ["1 INBOX", "2 WORK", "3 TEAMS AND TERMINALS", "4 SPEND AND CAPS", "5 PROCESSES", "6 EVENTS"]) expect(text).toContain(name);
      expect(text.includes(" summary  terminal  chart  journal  diff")).toBe(size.columns >= 180);
    }
    expect(columnsOf(80, true)).toEqual([{ x: 0, width: 80, panels: null }]);
    for (const width of [120, 150, 179, 180, 300]) for (const open of [true, false]) {
      const columns = columnsOf(width, open);
      expect(columns.reduce((sum, column) => sum + column.width, columns.length - 1)).toBe(width);
    }
  });

  test("teams with their members, tasks and terminals; restarts in the tree; counters against caps", async () => {
    const model = await modelOf(doubleOf().client);
    // One more review like the last one would be a rule's.
    const items = model.known.items.map((state) => (state.item.status === "blocked" && state.progress ? { ...state, progress: { ...state.progress, facts: { ...state.progress.facts, feedbackStreak: 1 } } } : state));
    const text = drawnLines({ ...model, known: { ...model.known, items } }, { columns: 200, rows: 60 }, false).join("\n");
    expect(text).toMatch(/alpha +exec +1\/3 tasks, fixes 1\/3, \$1\.50/);
    expect(text).toMatch(/worker-1 +working +claude +#2/);
    expect(text).toMatch(/worker-3 +down .*restarted 3/);
    expect(text).toMatch(/poller.*2 restarts ECONNRESET/);
    expect(text).toContain("█░░░░ 1/5");
    expect(text).toContain("sameFeedback 1/2");
  });

  test("narrower or lower than it can be read: says so kindly, and what needs you", async () => {
    const model = await modelOf(doubleOf().client);
    const lines = drawnLines(model, { columns: 60, rows: 12 });
    expect(lines.slice(0, 5)).toEqual(["60×12 is too small", "The HUD needs 80×16.", "Make the window larger,", "or leave with q.", "7 need you:"]);
    expect(lines[5]).toMatch(/^alpha\/task-3 conflict/);
    expect(drawnLines(model, { columns: 79, rows: 24 })[0]).toBe("79×24 is too small");
    expect(drawnLines(model, { columns: 3, rows: 1 })).toEqual(["3×…"]);
  });

  test("detail views: evidence and caps, chart, journal, branch and the command that shows the difference", async () => {
    const { client } = doubleOf();
    const review = recorded.items.find(({ item }) => item.status === "review");
    const begun = await modelOf(client);
    const at = { ...begun, panel: "work" as const, selected: { ...begun.selected, work: { key: review?.item.id ?? "", index: 0 } } };
    const size = { columns: 118, rows: 50 };
    const open = (...keys: readonly string[]): string => drawnLines(play(at, size, enter, ...keys).model, size).join("\n");
    expect(open()).toContain("The work is verified. Publish it?");
    expect(open()).toMatch(/maxIterations +iteration 1 of 5 → exhausted/);
    // The item of a team: whoever of it runs.
    expect(open(tab)).toContain("waiting for alpha/leader");
    expect(open(tab, tab)).toMatch(/item +review/);
    expect(open(tab, tab, tab, tab)).toContain(`diff ${review?.item.base?.slice(0, 12)}...enact/${review?.item.id}`);
  });

  test("colour only where it is wanted: a file gets none, a terminal without colours still sees what is chosen", async () => {
    const drawn = frame(await modelOf(doubleOf().client), usual, { interactive: true });
    const escapes = (text: string): readonly string[] => [...new Set(Array.from(text.matchAll(/\u001b\[([\d;]*)m/g), ([, code = ""]) => code.split(";")).flat())]; // oxlint-disable-line no-control-regex
    expect(escapes(frameText(drawn, "none"))).toEqual([]);
    expect(escapes(frameText(drawn, "mono")).toSorted()).toEqual(["0", "1", "7"]);
    expect(escapes(frameText(drawn, "full")).some((code) => code.startsWith("3"))).toBe(true);
    for (const colour of ["mono", "full"] as const) expect(frameText(drawn, colour).replaceAll(/\u001b\[[\d;]*m/g, "").split("\n").map((each) => each.trimEnd())).toEqual(frameText(drawn, "none").split("\n")); // oxlint-disable-line no-control-regex
  });
});

describe("lines and rows", () => {
  test("fit is exact, and marks what it cuts", () => {
    fc.assert(fc.property(fc.array(hostile.map((text) => text.replaceAll(/[\p{Cc}\u2028\u2029]/gu, "").toWellFormed()), { maxLength: 4 }), fc.integer({ min: 1, max: 40 }), (parts, columns) => {
      const spans = line(...parts.map((part) => span(part)));
      const fitted = fit(spans, columns);
      expect(lineWidth(fitted)).toBe(columns);
      if (lineWidth(spans) <= columns) expect(lineText(fitted, "none")).toBe(lineText(spans, "none"));
    }), { examples: [[["한한", "\u202e"], 4]] });
  });

  test("wrap loses nothing but blanks, and keeps to its width", () => {
    fc.assert(fc.property(fc.string({ unit: fc.constantFrom("a", "b", " ", "한", "글", "👩‍👩‍👧", "\n") }), fc.integer({ min: 4, max: 30 }), (text, columns) => {
      const lines = wrap(text, columns);
      expect(lines.join("").replaceAll(/\s/g, "")).toBe(text.replaceAll(/\s/g, ""));
      for (const each of lines) expect(widthOf(each)).toBeLessThanOrEqual(columns);
    }));
  });

  test("rows are shared out without one too many, the focused panel first; the chosen row is always in view", () => {
    fc.assert(fc.property(fc.integer({ min: 6, max: 80 }), fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 6, maxLength: 6 }), fc.constantFrom(...panels), (rows, wanted, focused) => {
      const wants = Object.fromEntries(panels.map((panel, index) => [panel, wanted[index] ?? 1]));
      const shares = shareRows(rows, wants, focused);
      const given = panels.map((panel) => shares[panel] ?? 0);
      expect(given.reduce((sum, each) => sum + each, 0)).toBe(Math.min(rows - 6, wanted.reduce((sum, each) => sum + each, 0)));
      for (const panel of panels) expect(shares[panel] ?? 0).toBeLessThanOrEqual(wants[panel] ?? 0);
      expect(shares[focused] ?? 0).toBeGreaterThanOrEqual(Math.min(wants[focused] ?? 0, Math.floor((rows - 6) / 2)));
    }));
    fc.assert(fc.property(fc.integer({ min: 1, max: 500 }), fc.nat(499), fc.integer({ min: 1, max: 60 }), fc.nat(500), (length, chosen, rows, before) => {
      const index = Math.min(chosen, length - 1);
      const start = firstShown(length, index, rows, before);
      expect(start <= index && index < start + rows && start >= 0 && (start + rows <= length || start === 0)).toBe(true);
      // Where the chosen row was in view already, nothing moves.
      if (before <= index && index < before + rows && before + rows <= length) expect(start).toBe(before);
    }));
  });
});
