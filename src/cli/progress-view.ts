/**
 * Live progress of some items: on a terminal one line each, redrawn in place; elsewhere a line whenever something changed.
 *
 * Owns the last lines of the screen while it lives. I1 Other output goes through `say`, so that it lands above them.
 * I2 After `end` the screen is left with whole lines and a visible cursor.
 */
import type { ItemState } from "../client/contract.ts";
import { stageText, waitText } from "../client/text/item-text.ts";
import { oneLine } from "../client/text/safe-text.ts";
import { clockTime, stopwatch } from "../client/text/time-text.ts";
import { cut, pad, widthOf } from "../client/text/width.ts";
import { waitingFor } from "../client/waiting.ts";
import { isTerminal } from "../domain/work-item.ts";
import { statusText } from "./item-text.ts";
import { paint, type Screen } from "./screen.ts";

export interface ProgressView {
  readonly show: (states: readonly ItemState[]) => void;
  /** A whole line above the progress; made harmless by the caller. */
  readonly say: (line: string) => void;
  /** Nothing is drawn between these, so that a question can be asked. */
  readonly hold: () => void;
  readonly release: () => void;
  readonly end: () => void;
}

const redrawMs = 100;
const tickMs = 1_000;

export const progressView = (screen: Screen, now: () => number): ProgressView => (screen.isTty ? liveLines(screen, now) : plainLines(screen, now));

const plainLines = (screen: Screen, now: () => number): ProgressView => {
  const last = new Map<string, string>();
  return {
    show: (states) => {
      for (const state of states) {
        const { item } = state;
        const stage = stageText(state);
        // The relative time would make every look a change.
        // Steps of the factory itself are over before they are read.
        if (waitingFor(state).on === "factory" && last.has(item.id)) continue;
        const text = `${item.id} ${item.status}${stage === "" ? "" : ` ${stage}`}: ${waitText(state, now()).replace(/ (in|now)( [\d.]+ \w+)? \(/, " (")}`;
        if (last.get(item.id) === text) continue;
        last.set(item.id, text);
        screen.write(`${clockTime(now())} ${text}\n`);
      }
    },
    say: (line) => screen.write(`${line}\n`),
    hold: () => {},
    release: () => {},
    end: () => {},
  };
};

const liveLines = (screen: Screen, now: () => number): ProgressView => {
  const startedAt = new Map<string, number>();
  const endedAt = new Map<string, number>();
  let states: readonly ItemState[] = [];
  let drawn = 0;
  let held = false;
  let soon: NodeJS.Timeout | undefined;
  const erase = (): string => (drawn === 0 ? "" : `\u001b[${drawn}A\u001b[0J`);
  const lineOf = (state: ItemState): string => {
    const { item } = state;
    const columns = screen.columns() - 1;
    const elapsed = stopwatch((endedAt.get(item.id) ?? now()) - (startedAt.get(item.id) ?? now()));
    const stage = stageText(state);
    const title = oneLine(item.title);
    const titleColumns = columns >= 100 ? 28 : columns >= 76 ? 16 : 0;
    const left = `${pad(item.id, 7)} ${elapsed.padStart(5)} ${titleColumns === 0 ? "" : `${pad(cut(title, titleColumns), titleColumns)} `}`;
    const status = isTerminal(item.status) || stage === "" ? item.status : stage;
    const rest = cut(`${pad(status, 17)} ${waitText(state, now())}`, Math.max(10, columns - widthOf(left)));
    return left + (rest.startsWith(item.status) ? statusText(screen, item.status) + rest.slice(item.status.length) : paint(screen, "cyan", rest.slice(0, status.length)) + rest.slice(status.length));
  };
  const draw = (): void => {
    soon = undefined;
    if (held || states.length === 0) return;
    screen.write(`${erase()}${states.map((state) => `${lineOf(state)}\n`).join("")}`);
    drawn = states.length;
  };
  const later = (): void => {
    soon ??= setTimeout(draw, redrawMs);
  };
  const tick = setInterval(draw, tickMs);
  screen.write("\u001b[?25l");
  return {
    show: (next) => {
      states = next;
      for (const { item } of next) {
        if (!startedAt.has(item.id)) startedAt.set(item.id, now());
        if (isTerminal(item.status)) endedAt.set(item.id, endedAt.get(item.id) ?? now());
        else endedAt.delete(item.id);
      }
      later();
    },
    say: (line) => {
      screen.write(`${erase()}${line}\n`);
      drawn = 0;
      draw();
    },
    hold: () => {
      draw();
      held = true;
      drawn = 0;
      screen.write("\u001b[?25h");
    },
    release: () => {
      held = false;
      screen.write("\u001b[?25l");
      draw();
    },
    end: () => {
      clearInterval(tick);
      clearTimeout(soon);
      draw();
      drawn = 0;
      states = [];
      screen.write("\u001b[?25h");
    },
  };
};
