/**
 * What strangers wrote, without whatever could move a cursor, change colours, set a title or turn the reading direction.
 *
 * I1 No control character is left but line feeds. I2 A whole escape sequence goes, not only its first byte. I3 The result is well formed.
 */

/** Bidirectional controls can make a text read differently from what it is; the zero-width ones but the joiner (emoji) hide parts of it. */
const deceptive = /[\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff]/gu;

const [esc, bell] = [String.fromCodePoint(0x1b), String.fromCodePoint(0x07)];
/**
 * In this order: strings (OSC, DCS, SOS, PM, APC), which reach to their terminator or, where that is missing, to the end of the line; control
 * sequences with their final byte; what is left are escapes of two or three characters.
 */
const sequences = new RegExp([
  `(?:${esc}[\\]PX^_]|[\\u0090\\u0098\\u009d-\\u009f])[^${bell}\\u009c${esc}\\n]*(?:${bell}|\\u009c|${esc}\\\\)?`,
  `(?:${esc}\\[|\\u009b)[0-?]*[ -/]*[@-~]?`,
  `${esc}[ -/]*[0-~]?`,
].join("|"), "gu");
const lineBreaks = /\r\n|[\r\u2028\u2029\u0085\v\f]/gu;
const controls = /(?!\n)\p{Cc}/gu;

/** Untrusted text that may keep its lines; tabs become two spaces. */
export const plainText = (text: string): string =>
  text.toWellFormed().replaceAll(sequences, "").replaceAll(lineBreaks, "\n").replaceAll("\t", "  ").replaceAll(controls, "").replaceAll(deceptive, "");

/** Untrusted text on one line: white space of any kind becomes one space. */
export const plainLine = (text: string): string => plainText(text).replaceAll(/\s+/gu, " ").trim();
