/** The real `hud` in a real terminal: what tmux shows is the pure frame, cell by cell. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execaSync } from "execa";
import { describe, expect, test } from "vitest";
import type { TerminalFrame } from "../../src/client/contract.ts";
import { frame } from "../../src/hud/frame.ts";
import type { HudModel } from "../../src/hud/state.ts";
import { doubleOf, recorded } from "./double.ts";
import { click, down, drawnLines, enter, escape, modelOf, play, tab, wheelDown } from "./play.ts";
import { openPane, type Pane } from "./tmux.ts";

const driver = join(import.meta.dirname, "driver.ts");
const asks = recorded.items.find(({ item }) => item.status === "blocked")?.item.id ?? "";
const review = recorded.items.find(({ item }) => item.status === "review")?.item.id ?? "";

interface Room { readonly pane: Pane; /** What was asked of the factory. */ readonly asked: () => readonly unknown[]; readonly [Symbol.dispose]: () => void }

const openHud = (size: { readonly columns: number; readonly rows: number }, spec: { readonly panes?: number; readonly title?: string; readonly offline?: boolean; readonly frames?: readonly TerminalFrame[]; readonly attach?: readonly string[] } = {}, env: Readonly<Record<string, string>> = {}): Room => {
  const directory = mkdtempSync(join(tmpdir(), "enact-hud-"));
  const file = join(directory, "spec.json"), log = join(directory, "log");
  writeFileSync(log, "");
  writeFileSync(file, JSON.stringify({ ...spec, log, frames: (spec.frames ?? []).map((each) => ("data" in each ? { ...each, data: Buffer.from(each.data).toString("base64") } : each)) }));
  const pane = openPane([process.execPath, driver, file, "hud"], size, { PATH: process.env["PATH"] ?? "", HOME: directory, ...(process.env["TZ"] === undefined ? {} : { TZ: process.env["TZ"] }), ...env });
  return {
    pane, asked: () => readFileSync(log, "utf8").split("\n").filter((line) => line !== "").map((line): unknown => JSON.parse(line)),
    [Symbol.dispose]: () => {
      pane[Symbol.dispose]();
      rmSync(directory, { recursive: true, force: true });
    },
  };
};

const left = (code: number) => (lines: readonly string[]): boolean => lines.includes(`left with ${code}`) && lines.includes("icanon") && lines.includes("echo");
/** Main screen, cursor visible, no mouse reports. */
const restored = "#{alternate_on} #{cursor_flag} #{mouse_any_flag} #{mouse_sgr_flag} #{keypad_flag}";

describe("the HUD in a real terminal", { timeout: 240_000 }, () => {
  for (const size of [{ columns: 80, rows: 24 }, { columns: 120, rows: 40 }, { columns: 200, rows: 60 }]) {
    test(`CARD-11 CARD-29 SURF-05 at ${size.columns}×${size.rows} it shows the pure frame: keys, mouse, an item opened and left`, async () => {
      using room = openHud(size);
      const { pane } = room;
      let model = await modelOf(doubleOf().client);
      const shows = (why: string): Promise<void> => pane.shows(drawnLines(model, size), why);
      const press = async (...chunks: readonly string[]): Promise<void> => {
        model = play(model, size, ...chunks).model;
        for (const chunk of chunks) {
          pane.send(chunk);
          // A lone escape is told from the beginning of a sequence by what follows it: here, that something was drawn.
          await shows(JSON.stringify(chunk));
        }
      };
      await shows("the first frame");
      await press(down);
      await press("2");
      await press(tab);
      await press(down);
      await press(enter);
      await press(escape);
      await press("?");
      await press(" ");
      const work = frame(model, size, { interactive: true }).hits.find(({ target }) => target.type === "row" && target.panel === "work" && target.key === review);
      if (work !== undefined) {
        await press(click(work.x + 2, work.y));
        await press(wheelDown(work.x + 2, work.y));
      }
      await press("1");
      await press("/");
      await press("형");
      await press(enter);
      await press(escape);
      pane.send("q");
      await pane.shows(left(0), "quit");
      expect(pane.format(restored)).toBe("0 1 0 0 0");
    });
  }

  test("a window that changes its size shows the frame of that size; too small says so, and larger goes on", async () => {
    const size = { columns: 120, rows: 40 };
    using room = openHud(size);
    const model = await modelOf(doubleOf().client);
    await room.pane.shows(drawnLines(model, size));
    for (const next of [{ columns: 80, rows: 24 }, { columns: 60, rows: 12 }, { columns: 200, rows: 60 }, { columns: 81, rows: 25 }]) {
      room.pane.resize(next);
      await room.pane.shows(drawnLines(model, next), `${next.columns}×${next.rows}`);
    }
  });

  test("characters that terminals measure differently displace nothing: hearts, skin tones, flags, families, Hangul in parts", async () => {
    const title = "❤️⚠️👍🏽🇰🇷👨‍👩‍👧e\u0301\u1112\u1161\u11ab✅☎끝";
    // tmux 3.3a draws a heart with a variation selector in one column, and a skin tone as a second character: the blank that the HUD
    // puts there stays, and the skin tone is overwritten by what follows. Without the HUD's care all to the right of them would move.
    const inTmux = (line: string): string => line.replaceAll(/([❤⚠])\ufe0f/gu, "$1\ufe0f ").replaceAll("👍🏽", "👍").trimEnd();
    for (const size of [{ columns: 200, rows: 60 }, { columns: 260, rows: 50 }]) {
      using room = openHud(size, { title });
      const model = await modelOf(doubleOf({ title }).client);
      const expected = (shown: HudModel): readonly string[] => drawnLines(shown, size).map(inTmux);
      expect(expected(model).filter((line) => line.includes("끝") && line.includes("│")).length).toBeGreaterThan(0);
      await room.pane.shows(expected(model));
      // Only some rows are drawn anew, by moves relative to where the terminal's cursor is.
      for (const key of ["2", down, down, tab]) {
        room.pane.send(key);
      }
      await room.pane.shows(expected(play(model, size, "2", down, down, tab).model));
      // blessed would fill the second half of what it takes for narrow.
      expect(room.pane.raw()).not.toContain("\u0000");
    }
  });

  test("a question is answered in Hangul, with the cursor in the middle of it, and is gone from the inbox", async () => {
    const size = { columns: 80, rows: 24 };
    using room = openHud(size);
    const { pane } = room;
    await pane.shows((lines) => lines.some((line) => line.startsWith("▸")));
    pane.send(down);
    await pane.shows((lines) => lines.some((line) => line.startsWith(`▸${asks}`)));
    pane.send("e");
    await pane.shows((lines) => lines.at(-1) === ">");
    pane.send("짝수로 할요");
    await pane.shows((lines) => lines.at(-1) === "> 짝수로 할요");
    pane.send("\u001b[D");
    // Between 할 and 요: two columns for each syllable.
    await expect.poll(() => pane.format("#{cursor_x} #{cursor_y} #{cursor_flag}")).toBe("11 23 1");
    pane.send("게😀");
    await pane.shows((lines) => lines.at(-1) === "> 짝수로 할게😀요");
    await expect.poll(() => pane.format("#{cursor_x}")).toBe("15");
    pane.send("\u007f");
    await pane.shows((lines) => lines.at(-1) === "> 짝수로 할게요");
    pane.send(enter);
    await pane.shows((lines) => lines.some((line) => line.startsWith(`${asks}: answer, done`)) && lines.some((line) => line.includes("1 INBOX 6")));
    expect(room.asked()).toContainEqual({ command: { type: "answer", text: "짝수로 할게요" }, id: asks });
    expect(pane.format("#{cursor_flag}")).toBe("0");
  });

  test("cancel asks y/n; a paste of many lines is one answer and no command", async () => {
    using room = openHud({ columns: 80, rows: 24 });
    const { pane } = room;
    await pane.shows((lines) => lines.some((line) => line.startsWith("▸")));
    pane.send("\u001b[200~cyaq\ry\u001b[201~");
    pane.send(down);
    await pane.shows((lines) => lines.some((line) => line.startsWith(`▸${asks}`)));
    expect(room.asked()).toEqual([]);
    pane.send("e");
    await pane.shows((lines) => lines.at(-1) === ">");
    pane.send("\u001b[200~one\ntwo\u001b[201~");
    await pane.shows((lines) => lines.at(-1) === "> one⏎two");
    pane.send(escape);
    await pane.shows((lines) => lines.at(-1) !== "> one⏎two");
    pane.send("c");
    await pane.shows((lines) => lines.at(-1)?.startsWith(`Cancel ${asks}?`) === true);
    pane.send("y");
    await pane.shows((lines) => lines.some((line) => line.startsWith(`${asks}: cancel, done`)));
    expect(room.asked()).toEqual([{ command: { type: "cancel" }, id: asks }]);
  });

  // The HUD's half of CARD-27, from the contract's frames on. The row is shown when the frames come from a real pane over the gateway.
  test("bytes printed in a pane appear in the HUD in order, with their colours, across a gap; none of its escapes reaches the terminal", async () => {
    const text = (data: string): Uint8Array => Buffer.from(data);
    const korean = text("한글 ✅ 👩‍👩‍👧|\r\n");
    const numbered = Array.from({ length: 300 }, (_, index) => `line ${index + 1}\r\n`).join("");
    const frames: readonly TerminalFrame[] = [
      { type: "keyframe", offset: 0, columns: 60, rows: 10, data: text("\u001b[31mred\u001b[0m first\r\n") },
      // Half a character, then the rest of it.
      { type: "bytes", offset: 20, data: korean.subarray(0, 4) }, { type: "bytes", offset: 24, data: korean.subarray(4) },
      { type: "bytes", offset: 40, data: text("\u001b]0;owned\u0007\u001b[?1049h\u001b[?1000l\u001b[6n\u001b[?1049l") },
      { type: "bytes", offset: 60, data: text(numbered) }, { type: "gap", from: 4_000, to: 9_000 }, { type: "bytes", offset: 9_000, data: text("after the gap\r\n\u202eevil\u202c last") }, { type: "ended" },
    ];
    using room = openHud({ columns: 100, rows: 30 }, { frames });
    const { pane } = room;
    await pane.shows((lines) => lines.some((line) => line.startsWith("▸")));
    pane.send("3");
    await pane.shows((lines) => lines.some((line) => line.startsWith("▸alpha")));
    pane.send(down);
    pane.send(down);
    pane.send(enter);
    await pane.shows((lines) => lines.some((line) => line === " evil last") && lines.some((line) => line === " [it has ended]"));
    const shown = pane.screen();
    const numbers = shown.flatMap((line) => /^ line (\d+)$/.exec(line)?.[1] ?? []).map(Number);
    expect(numbers.length).toBeGreaterThan(10);
    expect(numbers).toEqual(numbers.map((_, index) => 300 - numbers.length + 1 + index));
    expect(shown.indexOf(" line 300")).toBeLessThan(shown.findIndex((line) => line.includes("5000 bytes are no longer kept")));
    // To its beginning.
    pane.send("g");
    await pane.shows((lines) => lines.includes(" red first") && lines.includes(" 한글 ✅ 👩‍👩‍👧|") && lines.includes(" line 1"));
    expect(pane.styled()).toMatch(/\u001b\[[\d;]*31mred\u001b/); // oxlint-disable-line no-control-regex
    expect(pane.format("#{pane_title} #{mouse_any_flag} #{alternate_on}")).not.toContain("owned");
    expect(pane.format("#{mouse_any_flag} #{alternate_on}")).toBe("1 1");
    for (const sent of ["\u202e", "owned", "\u001b[6n", "\u001b[?1000l", "\u0000"]) expect(pane.raw(), JSON.stringify(sent)).not.toContain(sent);
    expect(room.asked()).toEqual([{ watch: "alpha/worker-1" }]);
    pane.send(escape);
    await expect.poll(() => room.asked()).toEqual([{ watch: "alpha/worker-1" }, { unwatch: "alpha/worker-1" }]);
  });

  test("attach leaves the screen to the real terminal and comes back; what is typed there is not the HUD's", async () => {
    const size = { columns: 80, rows: 24 };
    using room = openHud(size, { attach: ["/bin/sh", "-c", 'echo "in $ENACT_ATTACHED"; stty -a | grep -o -w -e "-icanon" || true; read line; echo "got $line"; read line'] });
    const { pane } = room;
    await pane.shows((lines) => lines.some((line) => line.startsWith("▸")));
    pane.send("3");
    await pane.shows((lines) => lines.some((line) => line.startsWith("▸alpha")));
    pane.send(down);
    pane.send("W");
    await pane.shows((lines) => lines.includes("in alpha/leader"));
    expect(pane.format(restored)).toBe("0 1 0 0 0");
    expect(pane.screen()).not.toContain("-icanon");
    pane.send(`caq${enter}`);
    await pane.shows((lines) => lines.includes("got caq"));
    pane.send(enter);
    await pane.shows((lines) => lines.includes("back from alpha/leader") && lines.some((line) => line.startsWith("▸  leader")));
    expect(room.asked()).toEqual([{ attach: "alpha/leader", write: true }]);
    pane.send("q");
    await pane.shows(left(0));
  });

  test("Ctrl-C and SIGTERM leave the terminal as it was", async () => {
    for (const [how, code] of [["\u0003", 0], ["SIGTERM", 143]] as const) {
      using room = openHud({ columns: 80, rows: 24 });
      const { pane } = room;
      await pane.shows((lines) => lines.some((line) => line.startsWith("▸")));
      expect(pane.format(restored)).toBe("1 0 1 1 1");
      if (how === "SIGTERM") process.kill(childOf(Number(pane.format("#{pane_pid}"))), "SIGTERM");
      else pane.send(how);
      await pane.shows(left(code), how);
      expect(pane.format(restored)).toBe("0 1 0 0 0");
    }
  });

  test("NO_COLOR: no colour is sent, what is chosen is still seen", async () => {
    for (const [env, coloured] of [[{}, true], [{ NO_COLOR: "1" }, false]] as const) {
      using room = openHud({ columns: 80, rows: 24 }, {}, env);
      await room.pane.shows((lines) => lines.some((line) => line.startsWith("▸")));
      const escapes = room.pane.styled();
      expect(/\u001b\[[\d;]*3[0-8][;m]/.test(escapes)).toBe(coloured); // oxlint-disable-line no-control-regex
      expect(escapes).toMatch(/\u001b\[[\d;]*7m/); // oxlint-disable-line no-control-regex
    }
  });

  test("200 panes: the list is scrolled to its end and the frame is whole", async () => {
    const size = { columns: 120, rows: 40 };
    using room = openHud(size, { panes: 200 });
    const begun = await modelOf(doubleOf({ panes: 200 }).client);
    await room.pane.shows(drawnLines(begun, size));
    const end: HudModel = play(begun, size, "3", "G").model;
    room.pane.send("3");
    room.pane.send("G");
    await room.pane.shows(drawnLines(end, size));
    expect(drawnLines(end, size).some((line) => line.includes("▸BIG-200/coder") || line.includes("▸RUN"))).toBe(true);
  });
});

/** The program that the pane's shell started. */
const childOf = (shell: number): number => {
  const processes = execaSync("ps", ["-A", "-o", "pid=,ppid="], { stdin: "ignore" }).stdout.split("\n").map((line) => line.trim().split(/ +/).map(Number));
  return processes.find(([, parent]) => parent === shell)?.[0] ?? Number.NaN;
};
