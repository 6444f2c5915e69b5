/** Text of people and agents on its way into a terminal: nothing of it may act as a key or a control sequence. */

const controls = /\p{Cc}/gu;

/** One line as typed: no control character at all. */
export const printable = (text: string): string => text.replace(/[\t\n\r]+/g, " ").replace(controls, "");

/**
 * A message as pasted: line breaks and tabs stay, every other control character goes (ESC would end the paste, CR press Enter, ^C interrupt, C1 are sequences of one
 * character), and so do line breaks at the end, which some programs take for Enter.
 */
export const pasteable = (text: string): string => text.replace(/\r\n?|[\u0085\u2028\u2029]/g, "\n").replace(controls, (it) => (it === "\n" || it === "\t" ? it : "")).toWellFormed().trimEnd();
