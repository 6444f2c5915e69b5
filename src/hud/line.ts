/** Lines of styled text: what a frame is made of, whoever shows it. Pure. */
import { cut, graphemes, graphemeWidth, widthOf } from "../client/text/width.ts";

/** Colours are numbers of the 256-colour palette; absent: the terminal's own. */
export interface Style { readonly fg?: number; readonly bg?: number; readonly bold?: boolean; readonly underline?: boolean; readonly inverse?: boolean }
/** Text is harmless already: no control or bidirectional character. */
export interface Span { readonly text: string; readonly style: Style }
export type Line = readonly Span[];

export const tones = {
  plain: {}, bold: { bold: true }, dim: { fg: 244 }, good: { fg: 2 }, bad: { fg: 1 }, warn: { fg: 3 }, accent: { fg: 6 }, title: { fg: 6, bold: true }, mark: { inverse: true }, alarm: { fg: 1, bold: true },
} as const satisfies Record<string, Style>;
export type Tone = keyof typeof tones;

export const span = (text: string, tone: Tone = "plain"): Span => ({ text, style: tones[tone] });
export const line = (...spans: readonly (Span | string)[]): Line => spans.map((each) => (typeof each === "string" ? span(each) : each)).filter(({ text }) => text !== "");

export const lineWidth = (spans: Line): number => spans.reduce((sum, { text }) => sum + widthOf(text), 0);

/** Exactly this wide: cut with an ellipsis, or filled with blanks. */
export const fit = (spans: Line, columns: number): Line => {
  const out: Span[] = [];
  let left = columns;
  for (const [index, { text, style }] of spans.entries()) {
    const width = widthOf(text);
    // Signs without a width may follow what fills the line.
    if (width < left || (width === left && lineWidth(spans.slice(index + 1)) === 0)) {
      out.push({ text, style });
      left -= width;
      continue;
    }
    // The rest may be nothing but blanks, or there may be no rest: then nothing is lost, and no ellipsis is due.
    const lost = width > left || spans.slice(index + 1).some((rest) => rest.text.trim() !== "");
    const kept = lost ? (width > left ? cut(text, left) : cut(`${text} `, left)) : text;
    out.push({ text: kept, style });
    left -= widthOf(kept);
    break;
  }
  if (left > 0) out.push({ text: " ".repeat(left), style: out.at(-1)?.style.inverse === true ? tones.mark : tones.plain });
  return out;
};

/** Every span in this style as well. */
export const over = (spans: Line, style: Style): Line => spans.map((each) => ({ text: each.text, style: { ...each.style, ...style } }));

/** Text of this width, blanks added behind it. */
export const column = (text: string, columns: number, tone: Tone = "plain"): Span => {
  const kept = cut(text, columns);
  return span(kept + " ".repeat(Math.max(0, columns - widthOf(kept))), tone);
};

/** A long text in lines of at most this width, broken at blanks where there are any. */
export const wrap = (text: string, columns: number): readonly string[] => {
  const width = Math.max(4, columns);
  return text.split("\n").flatMap((paragraph) => {
    const lines: string[] = [];
    let current = "";
    let used = 0;
    for (const word of paragraph.split(/(?<= )/)) {
      const wide = widthOf(word.trimEnd());
      if (used > 0 && used + wide > width) {
        lines.push(current.trimEnd());
        current = "";
        used = 0;
      }
      if (wide <= width) {
        current += word;
        used += widthOf(word);
        continue;
      }
      for (const grapheme of graphemes(word)) {
        const next = graphemeWidth(grapheme);
        if (used + next > width) {
          lines.push(current);
          current = "";
          used = 0;
        }
        current += grapheme;
        used += next;
      }
    }
    return [...lines, current.trimEnd()];
  });
};

/** `none`: a file. `mono`: a terminal without colours; what is chosen must still be seen. */
export type Colour = "none" | "mono" | "full";

/** As text for a terminal or a file; blanks at the end go unless they carry a style. */
export const lineText = (spans: Line, colour: Colour): string => {
  if (colour === "none") return spans.map(({ text }) => text).join("").trimEnd();
  const last = spans.findLastIndex(({ text, style }) => text.trim() !== "" || style.inverse === true || style.bg !== undefined);
  return spans.slice(0, last + 1).map(({ text, style }) => {
    const codes = sgr(style, colour);
    return codes === "" ? text : `\u001b[${codes}m${text}\u001b[0m`;
  }).join("").replace(/ +$/, "");
};

const sgr = ({ fg, bg, bold, underline, inverse }: Style, colour: Colour): string => [
  ...(bold === true ? ["1"] : []), ...(underline === true ? ["4"] : []), ...(inverse === true ? ["7"] : []),
  ...(colour === "full" && fg !== undefined ? [fg < 8 ? String(30 + fg) : `38;5;${fg}`] : []), ...(colour === "full" && bg !== undefined ? [bg < 8 ? String(40 + bg) : `48;5;${bg}`] : []),
].join(";");
