import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { headerText, noteText, type TurnHeader, turnText } from "../../src/domain/agent-text.ts";
import type { AgentEvent } from "../../src/domain/agent.ts";
import { plainText } from "../../src/domain/plain-text.ts";
import { joinDiffs, toolDiff } from "../../src/domain/tool-diff.ts";

const header: TurnHeader = { seat: "LOC-3/coder", item: "LOC-3", title: "Mend it", stage: "coder", iteration: 2, tryNumber: 3, adapter: "claude", model: "sonnet-4", resumed: true, messages: [{ id: "m", text: "use tabs" }] };

const hostile = fc.array(fc.oneof(
  fc.string({ unit: "binary" }), fc.string({ unit: "grapheme" }),
  fc.constantFrom("\u001b[2J", "\u001b]0;title\u0007", "\u001b]8;;http://x\u001b\\link", "\u009b31m", "\u001bP1;2q\u001b\\", "\u001b(0", "\u202e", "\u2066", "\u200b", "\ud800", "漢字", "\r\n", "\r", "\n", "\t", "\u0000", "\u0085", "\u2028"),
), { maxLength: 12 }).map((parts) => parts.join(""));
const events: fc.Arbitrary<AgentEvent> = fc.oneof(
  hostile.map((text): AgentEvent => ({ type: "text", text })), hostile.map((text): AgentEvent => ({ type: "thinking", text })), hostile.map((text): AgentEvent => ({ type: "result", text })),
  fc.record({ phase: fc.constantFrom("start" as const, "end" as const), kind: fc.constantFrom("read" as const, "edit" as const, "run" as const, "other" as const), name: hostile, summary: hostile, output: hostile, ok: fc.boolean(), id: fc.constantFrom("1", "2") })
    .map((tool): AgentEvent => ({ type: "tool", ...tool, diff: toolDiff(tool.name, tool.output, tool.summary) })),
  hostile.map((message): AgentEvent => ({ type: "failure", failure: { kind: "network", message } })), hostile.map((text): AgentEvent => ({ type: "question", text })), hostile.map((line): AgentEvent => ({ type: "garbage", line })),
  hostile.map((text): AgentEvent => ({ type: "heard", id: "m", text })), hostile.map((message): AgentEvent => ({ type: "rateLimit", until: 5, message })), hostile.map((detail): AgentEvent => ({ type: "permissionDenied", tool: detail, detail })),
  hostile.map((message): AgentEvent => ({ type: "verdict", verdict: { decision: "revise", feedback: message, findings: [{ severity: "major", message, file: message }] } })),
  hostile.map((model): AgentEvent => ({ type: "session", sessionId: model, model })), fc.constant<AgentEvent>({ type: "usage", usage: { inputTokens: 1, outputTokens: 2, cachedTokens: 0 } }), fc.constant<AgentEvent>({ type: "cost", usd: 0.5 }),
);

const render = (list: readonly AgentEvent[]): string => {
  const text = turnText();
  return `${headerText(header)}${list.map(text.event).join("")}${text.end()}`;
};

const colours = new RegExp(`${String.fromCodePoint(0x1b)}\\[[0-9;]*m`, "gu");

describe("an agent's stream as text", () => {
  test("I1, I2, I3 whatever it says: no sequence of its own survives, every line is whole and leaves no colour on, and the text is the same every time", () => {
    fc.assert(fc.property(fc.array(events, { maxLength: 8 }), (list) => {
      const text = render(list);
      expect(render(list)).toBe(text);
      expect(text.isWellFormed()).toBe(true);
      expect(text.endsWith("\r\n")).toBe(true);
      const bare = text.replaceAll(colours, "").replaceAll("\r\n", "\n");
      expect(bare).not.toMatch(/(?!\n)\p{Cc}|[\u2028\u2029\u202a-\u202e\u2066-\u2069]/u);
      for (const line of text.split("\r\n")) expect((line.match(colours) ?? []).filter((code) => code !== "\u001b[0m").length).toBe((line.match(colours) ?? []).filter((code) => code === "\u001b[0m").length);
    }), { numRuns: 500 });
  });

  test("I4 what is long is cut, and says by how much", () => {
    const text = turnText();
    const lines = (event: AgentEvent): number => text.event(event).split("\r\n").length - 1;
    const many = "a line\n".repeat(100_000);
    expect(lines({ type: "text", text: many })).toBe(400);
    expect(text.event({ type: "text", text: many })).toContain("… 99601 more lines");
    expect(lines({ type: "thinking", text: many })).toBeLessThan(50);
    expect(lines({ type: "tool", phase: "end", id: "1", name: "Bash", kind: "run", summary: "", ok: false, output: many })).toBeLessThan(20);
    expect(text.event({ type: "tool", phase: "end", id: "1", name: "Bash", kind: "run", summary: "", ok: true, output: many })).toContain("lines before");
    expect(lines({ type: "tool", phase: "start", id: "1", name: "Write", kind: "edit", summary: "a.txt", diff: toolDiff("a.txt", many, "") })).toBeLessThan(30);
    expect(text.event({ type: "text", text: "x".repeat(1_000_000) }).length).toBeLessThan(3_000);
  });

  test("what a person sees of a turn", () => {
    const seen = render([
      { type: "session", sessionId: "s1", model: "sonnet-4" }, { type: "thinking", text: "Let me look." }, { type: "text", text: "I mend the sum." },
      { type: "tool", phase: "start", id: "1", name: "Edit", kind: "edit", summary: "src/sum.js", diff: toolDiff("src/sum.js", "const a = 1;\nconst b = 2;\n", "const a = 1;\nconst b = 3;\n") },
      { type: "tool", phase: "end", id: "1", name: "Edit", kind: "edit", summary: "", ok: true, output: "The file has been updated" },
      { type: "tool", phase: "start", id: "2", name: "Bash", kind: "run", summary: "npm test" }, { type: "tool", phase: "end", id: "2", name: "Bash", kind: "run", summary: "", ok: false, output: "1 failing" },
      { type: "heard", id: "m", text: "stop after this" }, { type: "result", text: "I mend the sum." },
      { type: "usage", usage: { inputTokens: 10, outputTokens: 5, cachedTokens: 2 } }, { type: "cost", usd: 0.0125 },
    ]).replaceAll(colours, "").replaceAll("\r\n", "\n");
    expect(seen).toBe([
      "", "── LOC-3/coder · iteration 2 · try 3 · claude sonnet-4 · session resumed ──", "Mend it", "you ▸ use tabs", "session s1 · sonnet-4", "Let me look.", "I mend the sum.",
      "✎ Edit src/sum.js", "  - const b = 2;", "  + const b = 3;", "$ Bash npm test", "  ✗ failed", "  1 failing", "you ▸ stop after this",
      "── end of turn · 10 tokens in (2 cached), 5 out · $0.0125 ──", "",
    ].join("\n"));
    expect(headerText({ ...header, seat: "alpha/worker-1" }).replaceAll(colours, "")).toContain("── alpha/worker-1 · LOC-3 · coder · iteration 2");
    expect(noteText("the turn was ended").replaceAll(colours, "")).toBe("·· the turn was ended\r\n");
  });

  test("a whole sequence goes, what it stood between stays", () => {
    expect(plainText("a\u001b[31mred\u001b[0m b\u001b]0;title\u0007c\u001bP1q~~\u001b\\d\u009b1me\u001b(0f")).toBe("ared bcdef");
    expect(plainText("half\u001b]0;never ended\nnext")).toBe("half\nnext");
  });

  test("a diff leaves out what both sides share, and cuts long sides", () => {
    expect(toolDiff("a", "1\n2\n3\n", "1\nx\n3\n")).toEqual({ path: "a", removed: ["2"], added: ["x"], cut: 0 });
    expect(toolDiff("a", "", "new\n")).toEqual({ path: "a", removed: [], added: ["new"], cut: 0 });
    expect(toolDiff("a", "same\n", "same\n")).toEqual({ path: "a", removed: [], added: [], cut: 0 });
    expect(toolDiff("a", "x\n".repeat(100), "").cut).toBe(60);
    expect(joinDiffs([toolDiff("a", "1", "2"), toolDiff("a", "3", "4")])).toEqual({ path: "a", removed: ["1", "3"], added: ["2", "4"], cut: 0 });
    expect(joinDiffs([])).toBeUndefined();
  });
});
