/** Columns a text takes in a terminal: CJK and emoji two, combining marks none. */

// Made when a text needs it: most commands print none, and it costs 20 ms.
let segmenter: Intl.Segmenter | undefined;
const segments = (text: string): Intl.Segments => (segmenter ??= new Intl.Segmenter("en", { granularity: "grapheme" })).segment(text);
const zero = /^[\p{Mn}\p{Me}\p{Cf}\p{Cc}]+$/u;
// East Asian Wide and Fullwidth blocks (UAX 11), in rough ranges: what terminals draw in two columns.
const wide = /^[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97c\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{16fe0}-\u{18cff}\u{1aff0}-\u{1b2ff}\u{1f200}-\u{1f2ff}\u{20000}-\u{3fffd}]/u;
const emoji = /^\p{Emoji_Presentation}|^\p{Emoji}\ufe0f|^\p{Regional_Indicator}/u;
// Texts of these alone need no segmenter, which is slow: every code unit is one character, of one or of two columns.
const narrowOnly = /^[\u0020-\u007e\u00a1-\u00ac\u00ae-\u02ff\u2010-\u2027\u2190-\u21ff\u2500-\u259f]*$/u;
const plainOnly = /^[\u0020-\u007e\u00a1-\u00ac\u00ae-\u02ff\u2010-\u2027\u2190-\u21ff\u2500-\u259f\u4e00-\u9fff\uac00-\ud7a3]*$/u;
const isWideUnit = (unit: number): boolean => unit >= 0x4e00;

/** 0: not known without looking closer. What most texts are made of. */
const widthOfUnit = (unit: number): 0 | 1 | 2 => ((unit >= 0x20 && unit <= 0x7e) || (unit >= 0x2500 && unit <= 0x259f) ? 1 : (unit >= 0xac00 && unit <= 0xd7a3) || (unit >= 0x4e00 && unit <= 0x9fff) ? 2 : 0);

export const graphemeWidth = (grapheme: string): number => (grapheme.length === 1 && widthOfUnit(grapheme.charCodeAt(0))) || widthOfAny(grapheme);
const widthOfAny = (grapheme: string): number => (zero.test(grapheme) ? 0 : wide.test(grapheme) || emoji.test(grapheme) ? 2 : 1);

/** The characters as a person counts them. */
export const graphemes = (text: string): readonly string[] => (plainOnly.test(text) ? text.split("") : Array.from(segments(text), ({ segment }) => segment));

export const widthOf = (text: string): number => {
  if (narrowOnly.test(text)) return text.length;
  let width = 0;
  if (plainOnly.test(text)) for (let index = 0; index < text.length; index++) width += isWideUnit(text.charCodeAt(index)) ? 2 : 1;
  else for (const { segment } of segments(text)) width += graphemeWidth(segment);
  return width;
};

/** At most `columns` wide; what is missing is an ellipsis. */
export const cut = (text: string, columns: number): string => {
  if (columns <= 0) return "";
  if (widthOf(text) <= columns) return text;
  if (narrowOnly.test(text)) return `${text.slice(0, columns - 1)}…`;
  let kept = "";
  let width = 0;
  for (const segment of graphemes(text)) {
    const next = width + graphemeWidth(segment);
    if (next > columns - 1) break;
    kept += segment;
    width = next;
  }
  return `${kept}…`;
};

export const pad = (text: string, columns: number): string => text + " ".repeat(Math.max(0, columns - widthOf(text)));
