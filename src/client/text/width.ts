/** Columns a text takes in a terminal: CJK and emoji two, combining marks none. */

const segmenter = new Intl.Segmenter("en", { granularity: "grapheme" });
const zero = /^[\p{Mn}\p{Me}\p{Cf}\p{Cc}]+$/u;
// East Asian Wide and Fullwidth blocks (UAX 11), in rough ranges: what terminals draw in two columns.
const wide = /^[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97c\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{16fe0}-\u{18cff}\u{1aff0}-\u{1b2ff}\u{1f200}-\u{1f2ff}\u{20000}-\u{3fffd}]/u;
const emoji = /^\p{Emoji_Presentation}|^\p{Emoji}\ufe0f|^\p{Regional_Indicator}/u;
const ascii = /^[\u0020-\u007e]*$/u;

const graphemeWidth = (grapheme: string): number => (zero.test(grapheme) ? 0 : wide.test(grapheme) || emoji.test(grapheme) ? 2 : 1);

export const widthOf = (text: string): number => {
  if (ascii.test(text)) return text.length;
  let width = 0;
  for (const { segment } of segmenter.segment(text)) width += graphemeWidth(segment);
  return width;
};

/** At most `columns` wide; what is missing is an ellipsis. */
export const cut = (text: string, columns: number): string => {
  if (columns <= 0) return "";
  if (widthOf(text) <= columns) return text;
  let kept = "";
  let width = 0;
  for (const { segment } of segmenter.segment(text)) {
    const next = width + graphemeWidth(segment);
    if (next > columns - 1) break;
    kept += segment;
    width = next;
  }
  return `${kept}…`;
};

export const pad = (text: string, columns: number): string => text + " ".repeat(Math.max(0, columns - widthOf(text)));
