import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { graphemes } from "../../src/client/text/width.ts";
import { frame } from "../../src/hud/frame.ts";
import { type Input, inputReader } from "../../src/hud/input.ts";
import { step } from "../../src/hud/model.ts";
import { readKnown } from "../../src/hud/reading.ts";
import type { HudModel } from "../../src/hud/state.ts";
import { editText, emptyText, type TextField, textOf } from "../../src/hud/text-field.ts";
import { doubleOf, recorded, recordedNow } from "./double.ts";
import { click, down, drawnLines, enter, escape, modelOf, play, tab, wheelDown } from "./play.ts";

const size = { columns: 80, rows: 40 };
const asks = recorded.items.find(({ item }) => item.status === "blocked")?.item.id;
const review = recorded.items.find(({ item }) => item.status === "review")?.item.id;
const capped = recorded.items.find(({ item }) => item.status === "exhausted")?.item.id;

const choose = async (ref: string | undefined): Promise<HudModel> => {
  const model = await modelOf(doubleOf().client);
  return { ...model, panel: "inbox", selected: { ...model.selected, inbox: { key: ref ?? "", index: 0 } } };
};

describe("keys and what they ask for", () => {
  test("one key settles what waits: approve, try again; reject and answer take a text first", async () => {
    expect(play(await choose(review), size, "a").effects).toEqual([{ type: "command", id: review, command: { type: "approve" } }]);
    expect(play(await choose(capped), size, "t").effects).toEqual([{ type: "command", id: capped, command: { type: "retry" } }]);
    expect(play(await choose(review), size, "r", "아직 아니에요", enter).effects).toMatchObject([{ id: review, command: { type: "reject", reason: "아직 아니에요" } }]);
    expect(play(await choose(asks), size, "e", "짝수", "로", enter).effects).toMatchObject([{ id: asks, command: { type: "answer", text: "짝수로" } }]);
    expect(play(await choose("alpha/worker-2"), size, "e", "JSON", enter).effects).toMatchObject([{ type: "team", name: "alpha", command: { type: "message", to: "worker-2", text: "JSON" } }]);
    expect(play(await choose("alpha/message-m1"), size, "t").effects).toMatchObject([{ type: "team", command: { to: "worker-3" } }]);
  });

  test("I2 cancelling and removing ask y/n; anything but y leaves it", async () => {
    const asked = play(await choose(asks), size, "c");
    expect(asked.effects).toEqual([]);
    expect(drawnLines(asked.model, size).at(-1)).toBe(`Cancel ${asks}? Its work is kept in a checkpoint. y/n`);
    expect(play(asked.model, size, "y").effects).toEqual([{ type: "command", id: asks, command: { type: "cancel" } }]);
    for (const other of ["n", escape, "x", "a", "q", enter]) expect(play(asked.model, size, other).effects, JSON.stringify(other)).toEqual([]);
    expect(play(await choose("alpha/worker-3"), size, "c", "y").effects).toMatchObject([{ type: "team", command: { type: "remove", member: "worker-3" } }]);
  });

  test("I2 a paste is text where one is typed, and nothing at all elsewhere: it never approves, cancels or sends", async () => {
    const pasted = "\u001b[200~a\rq\u0003cy\n\u001b[201~";
    const before = step(await choose(review), { type: "tick" }, recordedNow).model;
    const after = play(before, size, pasted);
    expect([after.effects, { ...after.model, tops: before.tops }]).toEqual([[], before]);
    const typing = play(await choose(asks), size, "e", "\u001b[200~line one\nline two \u001b[31m\u001b[201~");
    expect(typing.effects).toEqual([]);
    expect(play(typing.model, size, enter).effects).toMatchObject([{ command: { type: "answer", text: "line one\nline two ␛[31m" } }]);
  });

  test("pause, resume, message, interrupt and attach go where the choice is", async () => {
    const model = await choose(asks);
    expect(play(model, size, "p", "u").effects.map((effect) => effect.type === "command" && effect.command.type)).toEqual(["pause", "resume"]);
    const seat = await choose("alpha/worker-2");
    expect(play(seat, size, "m", "hello", enter).effects).toMatchObject([{ type: "message", address: "alpha/worker-2", text: "hello", interrupt: false }]);
    expect(play(seat, size, "i", "stop", enter).effects).toMatchObject([{ type: "message", interrupt: true }]);
    expect(play(seat, size, "A", "W").effects).toEqual([{ type: "attach", address: "alpha/worker-2", write: false }, { type: "attach", address: "alpha/worker-2", write: true }]);
    expect(play(await choose("alpha/worker-3"), size, "m", "hello", enter).effects).toMatchObject([{ type: "team", command: { to: "worker-3" } }]);
  });

  test("what makes no sense is said, not sent", async () => {
    const told = play(await choose(review), size, "e");
    expect([told.effects, told.model.notice?.text]).toEqual([[], `${review} asks nothing.`]);
    expect(play(await choose(asks), size, "r").model.notice?.text).toBe(`${asks} waits for no approval.`);
    expect(play(await choose(asks), size, "A").model.notice?.text).toBe(`${asks} has no terminal.`);
    const empty = play(await choose(asks), size, "e", "  ", enter);
    expect([empty.effects, empty.model.mode.type]).toEqual([[], "write"]);
  });

  test("I3 a text that was refused comes back into the box", async () => {
    const sent = play(await choose(asks), size, "e", "짝수로", enter);
    const [effect] = sent.effects;
    const back = step(sent.model, { type: "refused", text: "it asks nothing any more", ...(effect !== undefined && "restore" in effect && effect.restore !== undefined ? { restore: effect.restore } : {}) }, recordedNow).model;
    expect(drawnLines(back, size).slice(-1)).toEqual(["> 짝수로"]);
    expect(back.notice?.text).toBe("it asks nothing any more");
  });

  test("panels by Tab, number and mouse; rows by arrows, mouse and wheel; a second click opens; Esc goes back", async () => {
    const model = await modelOf(doubleOf().client);
    expect(play(model, size, tab, tab).model.panel).toBe("seats");
    expect(play(model, size, "\u001b[Z").model.panel).toBe("events");
    expect(play(model, size, "5").model.panel).toBe("tree");
    expect(play(model, size, down, down).model.selected.inbox.index).toBe(2);
    expect(play(model, size, "G").model.selected.inbox.index).toBe(6);
    const { hits } = frame(model, size, { interactive: true });
    const row = hits.find(({ target }) => target.type === "row" && target.panel === "work" && target.key === review);
    expect(row).toBeDefined();
    if (row === undefined) return;
    const clicked = play(model, size, click(row.x + 3, row.y));
    expect([clicked.model.panel, clicked.model.selected.work.key, clicked.model.detail]).toEqual(["work", review, null]);
    // The panel that was clicked grows: its row may have moved.
    const moved = frame(clicked.model, size, { interactive: true }).hits.find(({ target }) => target.type === "row" && target.panel === "work" && target.key === review);
    const opened = play(clicked.model, size, click((moved?.x ?? 0) + 3, moved?.y ?? 0));
    expect(opened.model.detail?.subject.item).toBe(review);
    expect(play(opened.model, size, escape).model.detail).toBeNull();
    expect(play(model, size, wheelDown(row.x, row.y)).model.selected.work.index).toBe(1);
  });

  test("search shows only what contains the text, in Hangul too, whole or half typed; Enter keeps it, Esc shows all", async () => {
    const model = await modelOf(doubleOf().client);
    const found = play(model, size, "2", "/", "목록");
    expect(drawnLines(found.model, size).filter((line) => /^.RUN-\d/.test(line) && line.includes("done")).length).toBe(1);
    expect(drawnLines(found.model, size).some((line) => line.includes("WORK 1 /목록"))).toBe(true);
    // Decomposed, as some input methods and file systems have it.
    expect(play(model, size, "/", "목록".normalize("NFD")).model.filter.normalize("NFC")).toBe("목록");
    const kept = play(found.model, size, enter, down).model;
    expect([kept.mode.type, kept.filter]).toEqual(["browse", "목록"]);
    expect(play(kept, size, escape).model.filter).toBe("");
    expect(play(found.model, size, escape).model.filter).toBe("");
  });

  test("a scrolled view stops at its end, and comes back by as many keys as it is away from it", async () => {
    const model = play(await choose(asks), { columns: 80, rows: 20 }, enter, "G", down).model;
    const { reach } = frame(model, { columns: 80, rows: 20 }, { interactive: true });
    expect(reach).toBeGreaterThan(0);
    expect(play(model, { columns: 80, rows: 20 }, "k").model.detail?.scroll).toBe(reach - 1);
  });

  test("what is chosen stays chosen when others come and go; when it goes, its place does not", async () => {
    const { client, setItems } = doubleOf();
    const model = play(await choose(review), size, down).model;
    const { key } = model.selected.inbox;
    setItems(recorded.items.filter(({ item }) => item.id !== review));
    const later = step(model, { type: "known", known: await readKnown(client) }, recordedNow).model;
    expect(drawnLines(later, size).find((line) => line.startsWith("▸"))).toContain(key.slice(0, 12));
    // The choice itself goes: what stands in its place is chosen.
    setItems(recorded.items);
    const last = play(await choose(asks), size, "\u001b[A", down).model;
    setItems(recorded.items.filter(({ item }) => item.id !== asks));
    const gone = step(last, { type: "known", known: await readKnown(client) }, recordedNow).model;
    const rowOf = (shown: HudModel): number => drawnLines(shown, size).findIndex((line) => line.startsWith("▸"));
    expect([rowOf(gone), play(gone, size, down).model.selected.inbox.index]).toEqual([rowOf(last), last.selected.inbox.index + 1]);
  });

  test("I4 what comes above does not move an untouched choice; what goes by itself leaves its keys to nobody for a moment", async () => {
    const { client, setItems } = doubleOf({ offline: true });
    setItems(recorded.items.filter(({ item }) => item.id === review));
    const begun = await modelOf(client);
    setItems(recorded.items);
    const later = step(begun, { type: "known", known: await readKnown(client) }, recordedNow).model;
    expect(drawnLines(later, size).find((line) => line.startsWith("▸"))).toContain(review);
    expect(play(later, size, "a").effects).toEqual([{ type: "command", id: review, command: { type: "approve" } }]);
    setItems(recorded.items.filter(({ item }) => item.id !== review));
    const gone = step(later, { type: "known", known: await readKnown(client) }, recordedNow).model;
    const early = step(gone, { type: "action", action: { type: "do", what: "retry" } }, recordedNow + 799);
    expect([early.effects, early.model.notice?.text]).toEqual([[], expect.stringContaining("Nothing was sent")]);
    expect(step(gone, { type: "action", action: { type: "do", what: "retry" } }, recordedNow + 800).effects).toHaveLength(1);
  });

  test("I5 when the question changes while one types, the new one is shown before the answer is sent", async () => {
    const { client, setItems } = doubleOf();
    const typing = play(await choose(asks), size, "e", "짝수로").model;
    setItems(recorded.items.map((state) => (state.item.id === asks ? { ...state, item: { ...state.item, question: "Delete the table?" } } : state)));
    const changed = step(typing, { type: "known", known: await readKnown(client) }, recordedNow).model;
    const told = play(changed, size, enter);
    expect(told.effects).toEqual([]);
    expect(drawnLines(told.model, size).slice(-2)).toEqual([expect.stringContaining("Delete the table?"), "> 짝수로"]);
    expect(play(told.model, size, enter).effects).toMatchObject([{ command: { type: "answer", text: "짝수로" } }]);
  });

  test("two messages at the same instant are two", async () => {
    const first = play(await choose("alpha/worker-3"), size, "m", "one", enter);
    const second = play(first.model, size, "m", "one", enter);
    const ids = [...first.effects, ...second.effects].map((effect) => effect.type === "team" && effect.command.type === "message" && effect.command.id);
    expect(new Set(ids).size).toBe(2);
  });

  test("quit by q and Ctrl-C, also while typing; q while typing is a letter", async () => {
    const model = await choose(asks);
    expect(play(model, size, "q").effects).toEqual([{ type: "quit" }]);
    expect(play(model, size, "e", "\u0003").effects).toEqual([{ type: "quit" }]);
    expect(play(model, size, "e", "q").effects).toEqual([]);
  });

  test("no sequence of keys throws, or sends a cancel without its y", async () => {
    const model = await choose(asks);
    const keys = fc.constantFrom(down, "\u001b[A", enter, escape, tab, "a", "r", "e", "t", "c", "n", "p", "u", "o", "m", "A", "/", "?", "1", "3", "6", "G", "g", "한", "\u007f", "\u001b[C", click(5, 5), wheelDown(9, 9));
    fc.assert(fc.property(fc.array(keys, { maxLength: 25 }), (typed) => {
      const { model: after, effects } = play(model, { columns: 80, rows: 24 }, ...typed);
      expect(effects.some((effect) => effect.type === "command" && effect.command.type === "cancel")).toBe(false);
      expect(drawnLines(after, { columns: 80, rows: 24 })).toHaveLength(24);
    }), { numRuns: 150 });
  });
});

describe("what a terminal sends", () => {
  const read = (...chunks: readonly string[]): readonly Input[] => {
    const reader = inputReader();
    return [...chunks.flatMap((chunk) => reader.read(chunk)), ...reader.flush()];
  };

  test("I1 I2 I3 keys, mouse, pastes and characters, however they are torn into chunks", () => {
    const part = fc.constantFrom("\u001b[A", "\u001b[1;5C", "\u001bOH", "\u001b[3~", "\u001b[<0;12;7M", "\u001b[<0;12;7m", "\u001b[<64;3;4M", "\u001b[200~rm -rf\r한글\u001b[201~", "\u001b[?1;2c", "\u001bx", "한", "a", "\r", "\t", "\u007f", "😀", "\u0003");
    fc.assert(fc.property(fc.array(part, { maxLength: 10 }), fc.array(fc.nat(200), { maxLength: 6 }), (parts, cuts) => {
      const text = parts.join("");
      // Characters are whole: a decoder stands before the reader.
      const places = [...new Set(cuts.map((cut) => cut % (text.length + 1)))].toSorted((a, b) => a - b).filter((at) => !/[\udc00-\udfff]/.test(text[at] ?? ""));
      const chunks = [0, ...places].map((from, index) => text.slice(from, places[index] ?? text.length));
      expect(read(...chunks)).toEqual(read(text));
      expect(read(text).filter(({ type }) => type === "paste")).toHaveLength(parts.filter((each) => each.startsWith("\u001b[200~")).length);
    }));
  });

  test("a lone escape is a key once nothing follows; a report of the terminal is nothing", () => {
    expect(read("\u001b")).toMatchObject([{ type: "key", name: "escape" }]);
    expect(read("\u001b[?62;c")).toEqual([]);
    expect(read("\u001b\u001b[A")).toMatchObject([{ name: "escape" }, { name: "up" }]);
    expect(read("\u001b[200~never ended")).toEqual([]);
  });
});

describe("typing", () => {
  test("the cursor moves by what a person counts as a character: a syllable, a family, a letter with its accent", () => {
    const typed = ["한", "글", "👩‍👩‍👧", "e\u0301", "a"].reduce<TextField>((field, text) => editText(field, { type: "insert", text }), emptyText);
    const left = editText(editText(typed, { type: "cursor", to: "left" }), { type: "cursor", to: "left" });
    expect(left).toEqual({ before: "한글👩‍👩‍👧", after: "e\u0301a" });
    expect(textOf(editText(left, { type: "erase", what: "before" }))).toBe("한글e\u0301a");
    expect(textOf(editText(left, { type: "erase", what: "after" }))).toBe("한글👩‍👩‍👧a");
    expect(textOf(editText(left, { type: "erase", what: "word" }))).toBe("e\u0301a");
  });

  test("no edit loses or invents text; moving changes none", () => {
    const edits = fc.oneof(fc.record({ type: fc.constant("insert" as const), text: fc.constantFrom("한", "a", " ", "😀", "e\u0301") }), fc.record({ type: fc.constant("cursor" as const), to: fc.constantFrom("left" as const, "right" as const, "home" as const, "end" as const) }));
    fc.assert(fc.property(fc.array(edits), (all) => {
      let field = emptyText, inserted = 0;
      for (const edit of all) {
        field = editText(field, edit);
        if (edit.type === "insert") inserted++;
      }
      expect(graphemes(textOf(field))).toHaveLength(inserted);
    }));
  });
});
