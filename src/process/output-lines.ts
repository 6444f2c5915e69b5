/** Cuts a growing byte file into lines with exact offsets. Memory: one line of at most `cap` bytes, whatever the file holds. */
import type { OutputLine } from "../ports/agent-process.ts";

/** Longest line handed on, in bytes; the rest of a longer one is skipped. A real event with a whole file in it stays well below. */
export const lineCap = 10 * 1024 * 1024;

const newline = 0x0a;
const carriageReturn = 0x0d;

export interface LineCutter {
  /** Lines completed by the next bytes of the file. `bytes` is not kept: what must wait is copied. */
  readonly push: (bytes: Buffer) => readonly OutputLine[];
  /** The last line, when the file does not end with a newline. */
  readonly flush: () => readonly OutputLine[];
}

export const lineCutter = (from: number, cap: number = lineCap): LineCutter => {
  let offset = from;
  let waiting: Buffer[] = [];
  let length = 0;
  let truncated = false;

  const keep = (bytes: Buffer): void => {
    const room = cap - length;
    if (bytes.length > room) truncated = true;
    if (room <= 0 || bytes.length === 0) return;
    const part = bytes.subarray(0, room);
    waiting.push(part);
    length += part.length;
  };

  const take = (): OutputLine => {
    const whole = waiting.length === 1 && waiting[0] !== undefined ? waiting[0] : Buffer.concat(waiting, length);
    const bytes = !truncated && whole.at(-1) === carriageReturn ? whole.subarray(0, -1) : whole;
    // A cut may split a character; streaming decode leaves its first half out instead of inventing a replacement.
    const text = truncated ? new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes, { stream: true }) : bytes.toString("utf8");
    const line: OutputLine = { text, end: offset, truncated };
    waiting = [];
    length = 0;
    truncated = false;
    return line;
  };

  return {
    push: (bytes) => {
      const lines: OutputLine[] = [];
      let at = 0;
      for (let end = bytes.indexOf(newline); end >= 0; end = bytes.indexOf(newline, at)) {
        keep(bytes.subarray(at, end));
        offset += end + 1 - at;
        at = end + 1;
        lines.push(take());
      }
      if (at < bytes.length) {
        const rest = bytes.subarray(at);
        keep(length < cap ? Buffer.from(rest) : rest);
        offset += rest.length;
      }
      return lines;
    },
    flush: () => (length > 0 || truncated ? [take()] : []),
  };
};
