/** A line that is being typed, as characters a person counts: a cursor between two texts. Pure. */
import { block } from "../client/text/safe-text.ts";
import { graphemes } from "../client/text/width.ts";

export interface TextField { readonly before: string; readonly after: string }

export type Edit =
  | { readonly type: "insert"; readonly text: string }
  | { readonly type: "erase"; readonly what: "before" | "after" | "word" | "line" }
  | { readonly type: "cursor"; readonly to: "left" | "right" | "home" | "end" };

export const emptyText: TextField = { before: "", after: "" };
export const textOf = ({ before, after }: TextField): string => before + after;

const last = (text: string): string => graphemes(text).at(-1) ?? "";
const first = (text: string): string => graphemes(text)[0] ?? "";
const without = (text: string, end: string): string => text.slice(0, text.length - end.length);

export const editText = ({ before, after }: TextField, edit: Edit): TextField => {
  switch (edit.type) {
    // What is typed goes to agents and logs: it may have lines, but nothing that moves a cursor.
    case "insert": return { before: before + block(`|${edit.text}|`).slice(1, -1), after };
    case "erase":
      switch (edit.what) {
        case "before": return { before: without(before, last(before)), after };
        case "after": return { before, after: after.slice(first(after).length) };
        case "word": return { before: before.replace(/\S*\s*$/u, ""), after };
        case "line": return { before: "", after };
      }
      break;
    case "cursor":
      switch (edit.to) {
        case "left": return { before: without(before, last(before)), after: last(before) + after };
        case "right": return { before: before + first(after), after: after.slice(first(after).length) };
        case "home": return { before: "", after: before + after };
        case "end": return { before: before + after, after: "" };
      }
  }
};
