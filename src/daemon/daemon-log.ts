/**
 * The daemon's log: `logs/daemon.log` of the state directory, 0600, a line an event.
 *
 * Owns: the file, and one older one beside it. I1 The two never hold more than twice `capBytes`. I2 A log that cannot be written stops nothing: what cannot be said
 * is counted, and said when there is room again. I3 The file is cut, never replaced: whoever has it open for appending (the standard error of the
 * process itself) goes on writing into the one that people read.
 */
import { appendFileSync, chmodSync, copyFileSync, mkdirSync, statSync, truncateSync } from "node:fs";
import { dirname, join } from "node:path";

export const logFile = (stateDirectory: string): string => join(stateDirectory, "logs", "daemon.log");

export type Level = "info" | "warning" | "error";

export interface DaemonLog { readonly file: string; readonly write: (level: Level, text: string) => void }

export interface DaemonLogOptions {
  readonly file: string;
  readonly now: () => number;
  /** Keeps secrets out. */
  readonly redact: (text: string) => string;
  readonly echo?: (line: string) => void;
  readonly capBytes?: number;
}

/** Makes the log's folder and file; throws where that is impossible. */
export const prepareLog = (file: string): void => {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  appendFileSync(file, "", { mode: 0o600 });
  chmodSync(file, 0o600);
};

export const openLog = ({ file, now, redact, echo, capBytes = 5_242_880 }: DaemonLogOptions): DaemonLog => {
  let lost = 0;
  const cut = (): void => {
    if (statSync(file).size < capBytes) return;
    copyFileSync(file, `${file}.1`);
    chmodSync(`${file}.1`, 0o600);
    truncateSync(file);
  };
  return {
    file,
    write: (level, text) => {
      const line = `${new Date(now()).toISOString()} ${level.padEnd(7)} ${redact(oneLine(text))}\n`;
      echo?.(line);
      try {
        cut();
      } catch {
        // No room for the copy, or no file yet: the line itself may still be written.
      }
      try {
        appendFileSync(file, lost === 0 ? line : `${line.slice(0, 25)}warning ${lost} line(s) before this could not be written\n${line}`, { mode: 0o600 });
        lost = 0;
      } catch {
        lost++;
      }
    },
  };
};

/** A line is a line, whatever an item's title or an agent's error holds. */
const oneLine = (text: string): string => text.replaceAll(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, " ").slice(0, 4_000);
