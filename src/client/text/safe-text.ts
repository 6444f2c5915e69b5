/**
 * Titles, questions and agents' words are written by strangers. Before they reach a terminal, whatever could move the cursor, change
 * colours, set the window title or turn the reading direction becomes visible or goes.
 *
 * I1 The result of `oneLine` has no control character at all; that of `block` has none but line feeds.
 */

// Bidirectional controls can make a text read differently from what it is; the zero-width ones but the joiner (emoji) hide parts of it.
const deceptive = /[\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff]/gu;
const control = /[\p{Cc}\u2028\u2029]/gu;
// Half a surrogate pair is no character; some terminals choke on it.
const visible = (character: string): string => {
  const code = character.codePointAt(0) ?? 0;
  if (code < 0x20) return String.fromCodePoint(0x2400 + code);
  return code === 0x7f ? "\u2421" : "\ufffd";
};

/** Untrusted text on one line: white space of any kind becomes one space. */
export const oneLine = (text: string): string => text.toWellFormed().replaceAll(/\s+/gu, " ").replaceAll(deceptive, "").replaceAll(control, visible).trim();

/** Untrusted text that may keep its lines; tabs become spaces. */
export const block = (text: string): string =>
  text.toWellFormed().split(/\r\n|\n|\r|\u2028|\u2029/u).map((line) => line.replaceAll("\t", "  ").replaceAll(deceptive, "").replaceAll(control, visible).trimEnd()).join("\n");

/** One character of a screen that a stranger drew: blanks stay, everything else that would move or hide is made visible or goes. */
export const harmless = (character: string): string => character.toWellFormed().replaceAll(deceptive, "").replaceAll(control, visible);

/** Every line of it moved right. */
export const indented = (text: string, by: string): string => text.split("\n").map((line) => (line === "" ? "" : by + line)).join("\n");

/** A word for a POSIX shell, for commands that a person copies. */
export const shellWord = (word: string): string => (/^[A-Za-z0-9_./:@%+=,-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`);
