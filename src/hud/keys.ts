/** From what was typed to what is meant, by what is on the screen. Pure. */
import type { Input, KeyInput } from "./input.ts";
import { type Action, type Deed, type HudModel, panels, type Target } from "./state.ts";
import type { Edit } from "./text-field.ts";

/** What `?` shows; the footer takes from it. */
export const deeds: Readonly<Record<string, readonly [Deed, string]>> = {
  a: ["approve", "approve"], r: ["reject", "reject, with a reason"], e: ["answer", "answer its question"], t: ["retry", "try again"], c: ["cancel", "cancel (asks y/n); its work is kept"],
  p: ["pause", "pause: keep it from being started"], u: ["resume", "resume a paused one"], o: ["show", "open what it has done: branch, checks, diff command"],
  m: ["message", "say something to its agent, for its next turn"], i: ["interrupt", "end its agent's turn with a message"], A: ["attach", "look at its real terminal"], W: ["attachToWrite", "be in its real terminal, and type there"],
};

const wheelLines = 3;
const page = 10;

export const actionOf = (input: Input, model: Pick<HudModel, "mode" | "detail">, targetAt: (x: number, y: number) => Target | undefined): Action | undefined => {
  const { mode } = model;
  if (input.type === "mouse") {
    if (mode.type !== "browse") return undefined;
    const at = targetAt(input.x, input.y);
    if (at === undefined) return undefined;
    return input.action === "press" ? { type: "point", at } : { type: "wheel", at, by: input.action === "up" ? -wheelLines : wheelLines };
  }
  if (input.type === "paste") return mode.type === "write" || mode.type === "search" ? { type: "edit", edit: { type: "insert", text: input.text } } : undefined;
  if (input.ctrl && input.name === "c") return { type: "quit" };
  switch (mode.type) {
    case "help": return { type: "leave" };
    case "confirm": return input.name === "y" || input.name === "Y" ? { type: "yes" } : input.name === "n" || input.name === "N" || input.name === "escape" ? { type: "no" } : undefined;
    case "search":
    case "write": return writing(input);
    case "browse": return browsing(input, model.detail !== null);
  }
};

const writing = ({ name, ctrl, alt }: KeyInput): Action | undefined => {
  const edit = (what: Edit): Action => ({ type: "edit", edit: what });
  if (name === "enter") return alt ? edit({ type: "insert", text: "\n" }) : { type: "submit" };
  if (name === "escape") return { type: "leave" };
  if (name === "linefeed") return edit({ type: "insert", text: "\n" });
  if (name === "backspace") return edit({ type: "erase", what: alt ? "word" : "before" });
  if (name === "delete" || (ctrl && name === "d")) return edit({ type: "erase", what: "after" });
  if (ctrl && name === "w") return edit({ type: "erase", what: "word" });
  if (ctrl && name === "u") return edit({ type: "erase", what: "line" });
  if (name === "left" || (ctrl && name === "b")) return edit({ type: "cursor", to: "left" });
  if (name === "right" || (ctrl && name === "f")) return edit({ type: "cursor", to: "right" });
  if (name === "home" || (ctrl && name === "a")) return edit({ type: "cursor", to: "home" });
  if (name === "end" || (ctrl && name === "e")) return edit({ type: "cursor", to: "end" });
  return ctrl || alt || isNamed(name) ? undefined : edit({ type: "insert", text: name });
};

/** Keys that are no characters have names of several ASCII letters; a character of several code points has others. */
const isNamed = (name: string): boolean => /^[a-z]{2,}$/.test(name);

const browsing = ({ name, ctrl, alt, shift }: KeyInput, detail: boolean): Action | undefined => {
  if (ctrl || alt) return undefined;
  const panel = /^[1-6]$/.test(name) ? panels[Number(name) - 1] : undefined;
  if (panel !== undefined) return { type: "panel", to: panel };
  switch (name) {
    case "q": return { type: "quit" };
    case "?": return { type: "help" };
    case "/": return { type: "search" };
    case "escape": return { type: "leave" };
    case "up": case "k": return { type: "move", by: -1 };
    case "down": case "j": return { type: "move", by: 1 };
    case "pageup": return { type: "move", by: -page };
    case "pagedown": return { type: "move", by: page };
    case "home": case "g": return { type: "edge", to: "first" };
    case "end": case "G": return { type: "edge", to: "last" };
    case "tab": return detail ? { type: "tab", by: shift ? -1 : 1 } : { type: "panel", to: shift ? "previous" : "next" };
    case "left": return detail ? { type: "pan", by: -8 } : { type: "panel", to: "previous" };
    case "right": return detail ? { type: "pan", by: 8 } : { type: "panel", to: "next" };
    case "enter": return { type: "open" };
    default: {
      const deed = Object.hasOwn(deeds, name) ? deeds[name] : undefined;
      return deed === undefined ? undefined : { type: "do", what: deed[0] };
    }
  }
};
