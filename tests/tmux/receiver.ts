/**
 * An interactive program as agent CLIs are: raw mode, bracketed paste, an input box, a transcript. What it read and what was submitted goes to files beside it.
 * usage: receiver DIRECTORY [park] [never] [slow] [late] [swallow=N] [newline=N] [fold]
 *   park: the cursor stands below the box, hidden, as libraries that redraw everything leave it
 *   never: no bracketed paste; late: only after a second; slow: pauses 20 ms after each read
 *   swallow: the first N Enters do nothing; newline: the first N Enters break the line; fold: a long paste shows as a placeholder
 */
import { appendFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const [directory = "", ...flags] = process.argv.slice(2);
const has = (flag: string): boolean => flags.includes(flag);
const count = (flag: string): number => Number(flags.find((each) => each.startsWith(`${flag}=`))?.slice(flag.length + 1) ?? 0);
let swallow = count("swallow"), newline = count("newline");

let input = "", shown = "", pasting: string | undefined;
const transcript: string[] = ["welcome"];
const width = (): number => (process.stdout.columns || 80) - 6;
const wrapped = (text: string): readonly string[] => text.split("\n").flatMap((line) => line.match(new RegExp(`.{1,${width() >> 1}}`, "gu")) ?? [""]);
const draw = (): void => {
  const box = wrapped(shown).slice(-6);
  const frame = "─".repeat(width() + 2);
  const rows = [...transcript.slice(-4), `╭${frame}╮`, ...box.map((line, n) => `│ ${n === 0 ? ">" : " "} ${line}`), `╰${frame}╯`, "  ? for help"];
  const up = has("park") ? "\x1b[?25l" : `\x1b[${box.length + transcript.slice(-4).length + 1};1H│ ${box.length === 1 ? ">" : " "} ${box.at(-1) ?? ""}`;
  process.stdout.write(`\x1b[H\x1b[2J${rows.join("\r\n")}${up}`);
};
const enter = (): void => {
  if (swallow > 0) return void swallow--;
  if (newline > 0) {
    newline--;
    input += "\n";
    shown += "\n";
    return draw();
  }
  appendFileSync(join(directory, "submitted"), `${JSON.stringify(input)}\n`);
  transcript.push(`> ${shown.split("\n")[0]?.slice(0, 60)}`, "● working on it");
  input = shown = "";
  draw();
};
const typed = (text: string): void => {
  for (const key of text) {
    if (key === "\r") enter();
    else if (key === "\x03") process.exit(130);
    else if (key === "\x7f") { input = input.slice(0, -1); shown = shown.slice(0, -1); draw(); }
    else { input += key; shown += key; draw(); }
  }
};
const open = "\x1b[200~", close = "\x1b[201~";
let waiting = "";
const take = (): void => {
  for (;;) {
    if (pasting === undefined) {
      const at = waiting.indexOf(open);
      if (at < 0) { const text = waiting; waiting = ""; return typed(text); }
      typed(waiting.slice(0, at));
      waiting = waiting.slice(at + open.length);
      pasting = "";
    }
    const end = waiting.indexOf(close);
    if (end < 0) { pasting += waiting.slice(0, -close.length); waiting = waiting.slice(-close.length); return; }
    const text = pasting + waiting.slice(0, end);
    waiting = waiting.slice(end + close.length);
    pasting = undefined;
    input += text;
    shown += has("fold") && text.length > 800 ? `[Pasted text #1 +${text.split("\n").length} lines]` : text;
    draw();
  }
};

process.stdin.setRawMode(true);
const decoder = new TextDecoder();
process.stdin.on("data", (bytes: Buffer) => {
  appendFileSync(join(directory, "received"), bytes);
  waiting += decoder.decode(bytes, { stream: true });
  take();
  if (!has("slow")) return;
  process.stdin.pause();
  setTimeout(() => process.stdin.resume(), 20);
});
process.stdout.on("resize", draw);
draw();
const ready = (): void => {
  process.stdout.write("\x1b[?2004h");
  writeFileSync(join(directory, "ready"), "");
};
if (has("late")) setTimeout(ready, 1_000);
else if (!has("never")) ready();
