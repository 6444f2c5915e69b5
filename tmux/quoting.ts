/**
 * How text of ours becomes part of a tmux command without meaning anything there. Three languages lie on the way: tmux's command line (quotes, `;`, `$`, `~`), its formats
 * (`#{}`, `#()` runs a shell, `%H` is a time) wherever a command expands its argument, and the shell. Names are checked instead of quoted, because `-n` and `-s` expand
 * formats and `new-window -n '#(touch x)'` was measured to run the command.
 */
import { isAbsolute } from "node:path";
import { TerminalError } from "./contract.ts";

/** The ASCII ones: what is above is raw in UTF-8. */
const octal = (control: string): string => (control > "\u007f" ? control : `\\${(control.codePointAt(0) ?? 0).toString(8).padStart(3, "0")}`);

/** One argument of a command line that goes through the control client. Exact for everything but NUL; a raw line break would end the line and start another command. */
export const quoted = (text: string): string => {
  if (text.includes("\0")) throw new TerminalError("refused", "a NUL byte cannot be part of a tmux command");
  if (!/[\n\r]/.test(text)) return `'${text.replaceAll("'", String.raw`'\''`)}'`;
  return `"${text.replaceAll(/[\\"$~]/g, String.raw`\$&`).replaceAll(/\p{Cc}/gu, octal)}"`;
};

/** The shell word that means `path`, in characters that neither tmux's formats nor strftime look at: for commands that tmux expands before a shell gets them. */
export const shellPath = (path: string): string =>
  `"$(printf '${[...Buffer.from(path)].map((byte) => (/[A-Za-z0-9/_.-]/.test(String.fromCodePoint(byte)) ? String.fromCodePoint(byte) : `\\${byte.toString(8).padStart(3, "0")}`)).join("")}')"`;

/** A word of a shell program, exact for everything but NUL. */
export const shellWord = (text: string): string => `'${text.replaceAll("'", String.raw`'\''`)}'`;

const nameForm = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/;

export const checkedName = (what: string, name: string): string => {
  if (nameForm.test(name)) return name;
  throw new TerminalError("refused", `${what} ${JSON.stringify(name.slice(0, 80))} is no name: 1 to 64 letters, digits, - and _, beginning with a letter or digit`);
};

/** An absolute path without control characters, which no shell construct and no line of tmux's answers could carry. */
export const checkedPath = (what: string, path: string): string => {
  if (isAbsolute(path) && !/\p{Cc}/u.test(path)) return path;
  throw new TerminalError("refused", `${what} ${JSON.stringify(path)} is no absolute path without control characters`);
};

export const checkedSize = (columns: number, rows: number): { readonly columns: number; readonly rows: number } => {
  const fits = (n: number): boolean => Number.isInteger(n) && n >= 2 && n <= 1000;
  if (fits(columns) && fits(rows)) return { columns, rows };
  throw new TerminalError("refused", `${columns}x${rows} is no size of a terminal: each from 2 to 1000`);
};
