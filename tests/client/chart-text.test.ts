/** Charts drawn with characters. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { catalog } from "../../machines/index.ts";
import { definitionOf } from "../../machines/definition.ts";
import { chartText, lineText, possibleEvents } from "../../src/client/chart-text.ts";
import { widthOf } from "../../src/client/text/width.ts";

const named = (id: string): unknown => {
  const entry = catalog.find((each) => each.id === id);
  if (!entry) throw new Error(`there is no chart ${id}`);
  return JSON.parse(JSON.stringify(definitionOf(entry.machine)));
};
const drawn = (definition: unknown, value: unknown, columns = Infinity): readonly string[] => chartText(definition, value, { columns }).map(lineText);

describe("the drawing", () => {
  test("a chart with a box in it, in a state of the inner one", () => {
    expect(drawn(named("agent-process"), { alive: "streaming" })).toEqual([
      "┌─ agent-process ────────────────────────────────────────────────────────────────┐",
      "│ ▸○ spawning      → interrupting, alive.initialising, alive.adopted, ended      │",
      "│ ┌─ alive  → interrupting, alive.rateLimited, alive.awaitingInput, finishing ─┐ │",
      "│ │ ▸○ initialising   → streaming                                              │ │",
      "│ │  ○ adopted        → streaming                                              │ │",
      "│ │  ● streaming                                                               │ │",
      "│ │  ○ rateLimited    → streaming                                              │ │",
      "│ │  ○ awaitingInput  → streaming                                              │ │",
      "│ └────────────────────────────────────────────────────────────────────────────┘ │",
      "│  ○ interrupting  → finishing                                                   │",
      "│  ○ finishing     → ended                                                       │",
      "│  ◎ ended                                                                       │",
      "└────────────────────────────────────────────────────────────────────────────────┘",
    ]);
  });

  test("active states, what is around them and finals can be told by tone", () => {
    const tones = chartText(named("agent-process"), { alive: "streaming" }, { columns: 100 }).filter(({ tone }) => tone !== "plain").map(({ text, tone }) => [text.trim().split(/ +/)[text.includes("●") || text.includes("◎") ? 1 : 0], tone]);
    expect(tones).toEqual([["alive", "around"], ["streaming", "active"], ["ended", "ended"]]);
  });

  test("regions side by side are all active; a final state that is reached is active", () => {
    const parallel = { id: "p", type: "parallel", states: { left: { initial: "a", states: { a: {}, b: {} } }, right: { initial: "c", states: { c: { on: { X: [{ target: ["#p.right.d"] }] } }, d: { type: "final" } } } } };
    const lines = drawn(parallel, { left: "b", right: "d" });
    expect(lines.filter((line) => line.includes("●")).map((line) => line.replaceAll(/[│ ]/g, ""))).toEqual(["●b", "●d"]);
    expect(lines[0]).toContain("p (parallel)");
    expect(lines.join("\n")).toContain("▸○ c  → d");
  });

  test("wide characters keep the frame straight", () => {
    const wide = { id: "予約", initial: "待機", states: { 待機: { on: { 開始: [{ target: ["#予約.実行中"] }] } }, 実行中: { on: { "🎉": [{ target: ["#予約.実行中"] }] } }, "e\u0301tat": { type: "final" } } };
    for (const columns of [20, 24, 31, 80]) {
      const widths = new Set(drawn(wide, "実行中", columns).map(widthOf));
      expect([...widths]).toHaveLength(1);
    }
    expect(drawn(wide, "実行中").join("\n")).toContain("● 実行中  → ↺");
  });

  test("no line is wider than the screen, and every frame closes, in every state of every chart", () => {
    const states = catalog.flatMap(({ id, machine }) => Object.keys(machine.states).map((value) => ({ id, value })));
    fc.assert(fc.property(fc.constantFrom(...states), fc.integer({ min: 20, max: 140 }), ({ id, value }, columns) => {
      const lines = drawn(named(id), value, columns);
      expect(Math.max(...lines.map(widthOf))).toBeLessThanOrEqual(columns);
      expect(new Set(lines.map(widthOf)).size).toBe(1);
      expect(lines.filter((line) => line.includes("┌")).length).toBe(lines.filter((line) => line.includes("└")).length);
    }), { numRuns: 150 });
  });

  test("something else than a chart is drawn as nothing", () => {
    for (const other of [undefined, null, 5, "x", [], {}, { id: 5 }, { id: "x", states: { a: "b" } }]) expect(chartText(other, "a", { columns: 80 })).toEqual([]);
    expect(possibleEvents({}, "a")).toEqual([]);
  });
});

describe("what can happen", () => {
  test("inner states are asked before outer ones, in the order of the chart, guards by name", () => {
    const ways = possibleEvents(named("agent-process"), { alive: "awaitingInput" });
    expect(ways.slice(0, 4)).toEqual([
      { trigger: "output", from: "alive.awaitingInput", guard: null, targets: ["alive.streaming"] },
      { trigger: "tick", from: "alive", guard: "overTime", targets: ["interrupting"] },
      { trigger: "tick", from: "alive", guard: "stalled", targets: ["interrupting"] },
      { trigger: "tick", from: "alive", guard: null, targets: [] },
    ]);
  });
  test("nothing happens after the end, though the chart itself has handlers", () => {
    expect(possibleEvents(named("work-item"), "ready").some(({ from }) => from === "")).toBe(true);
    expect(possibleEvents(named("work-item"), "done")).toEqual([]);
  });
});
