/**
 * What a terminal sends, read into keys, pastes and mouse reports. Pure but for what is pending between two chunks.
 *
 * blessed's own reader takes only the first mouse report of a chunk, drops keys that arrive beside one, and knows no paste: a pasted
 * text would be read as commands.
 *
 * I1 A paste is one input, whatever it holds, and never a key. I2 A sequence torn between two chunks is read as one.
 * I3 A sequence that is not known is dropped whole.
 */
import { graphemes } from "../client/text/width.ts";

/** `name`: `up`, `enter`, or the character itself. */
export interface KeyInput { readonly type: "key"; readonly name: string; readonly ctrl: boolean; readonly alt: boolean; readonly shift: boolean }
export type Input =
  | KeyInput
  | { readonly type: "paste"; readonly text: string }
  | { readonly type: "mouse"; readonly action: "press" | "up" | "down"; /** From 0. */ readonly x: number; readonly y: number };

export interface InputReader {
  readonly read: (chunk: string) => readonly Input[];
  /** Nothing more came: what looked like the beginning of a sequence was a key of its own. */
  readonly flush: () => readonly Input[];
  readonly pending: () => boolean;
}

const pasteBegin = "\u001b[200~", pasteEnd = "\u001b[201~";
const escape = "\u001b";
/** What follows ESC. */
const csi = /^\[([0-?]*)([ -/]*)([@-~])/;
const unfinished = /^(?:\[[0-?]*[ -/]*|O)?$/;
/** Anything but C0 and DEL. */
const printed = /^[ -~\u0080-\u{10ffff}]+/u;
const finals: Readonly<Record<string, string>> = { A: "up", B: "down", C: "right", D: "left", H: "home", F: "end", Z: "tab" };
const tildes: Readonly<Record<string, string>> = { 1: "home", 2: "insert", 3: "delete", 4: "end", 5: "pageup", 6: "pagedown", 7: "home", 8: "end" };

const key = (name: string, modifiers: number = 0): KeyInput => ({ type: "key", name, shift: (modifiers & 1) !== 0, alt: (modifiers & 2) !== 0, ctrl: (modifiers & 4) !== 0 });

const control = (code: number): KeyInput => {
  if (code === 0x0d) return key("enter");
  // Ctrl-J, which terminals also send for a line feed in unmarked pastes.
  if (code === 0x0a) return key("linefeed");
  if (code === 0x09) return key("tab");
  if (code === 0x7f || code === 0x08) return key("backspace");
  if (code === 0x1b) return key("escape");
  return key(code === 0 ? "space" : String.fromCharCode(code + 0x60), 4);
};

const sequence = (parameters: string, final: string): readonly Input[] => {
  const mouse = /^<(\d+);(\d+);(\d+)$/.exec(parameters);
  if (mouse !== null && (final === "M" || final === "m")) {
    const [button, x, y] = mouse.slice(1).map(Number);
    if (button === undefined || x === undefined || y === undefined) return [];
    const at = { type: "mouse" as const, x: x - 1, y: y - 1 };
    if ((button & 64) !== 0) return (button & 3) < 2 ? [{ ...at, action: (button & 1) === 0 ? "up" : "down" }] : [];
    return final === "M" && (button & 35) === 0 ? [{ ...at, action: "press" }] : [];
  }
  const [first = "", second = ""] = parameters.split(";");
  const name = final === "~" ? tildes[first] : finals[final];
  const modifiers = Math.max(0, Number(second || "1") - 1);
  return name === undefined ? [] : [key(name, final === "Z" ? 1 : Number.isNaN(modifiers) ? 0 : modifiers)];
};

export const inputReader = (): InputReader => {
  let rest = "";
  const take = (ended: boolean): readonly Input[] => {
    const inputs: Input[] = [];
    while (rest !== "") {
      if (rest.startsWith(pasteBegin)) {
        const end = rest.indexOf(pasteEnd);
        if (end < 0) {
          if (!ended) return inputs;
          rest = "";
          return inputs;
        }
        inputs.push({ type: "paste", text: rest.slice(pasteBegin.length, end) });
        rest = rest.slice(end + pasteEnd.length);
        continue;
      }
      if (rest.startsWith(escape)) {
        const after = rest.slice(escape.length);
        if (unfinished.test(after)) {
          if (!ended) return inputs;
          if (after === "") inputs.push(key("escape"));
          rest = "";
          return inputs;
        }
        const found = csi.exec(after);
        if (found !== null) {
          inputs.push(...sequence(found[1] ?? "", found[3] ?? ""));
          rest = after.slice(found[0].length);
          continue;
        }
        if (after.startsWith("O")) {
          const name = finals[after[1] ?? ""];
          if (name !== undefined) inputs.push(key(name));
          rest = rest.slice(3);
          continue;
        }
        if (after.startsWith(escape)) {
          inputs.push(key("escape"));
          rest = after;
          continue;
        }
        const [next = ""] = graphemes(after);
        const code = next.codePointAt(0) ?? 0;
        inputs.push(code < 0x20 || code === 0x7f ? { ...control(code), alt: true } : key(next, 2));
        rest = rest.slice(1 + next.length);
        continue;
      }
      const code = rest.charCodeAt(0);
      if (code < 0x20 || code === 0x7f) {
        inputs.push(control(code));
        rest = rest.slice(1);
        continue;
      }
      const text = printed.exec(rest)?.[0] ?? rest;
      inputs.push(...graphemes(text).map((grapheme) => key(grapheme)));
      rest = rest.slice(text.length);
    }
    return inputs;
  };
  return {
    read: (chunk) => {
      rest += chunk;
      return take(false);
    },
    flush: () => take(true),
    pending: () => rest !== "",
  };
};
