/**
 * A message for an interactive program as a transaction: ready → sanitise → paste → seen → Enter → accepted.
 * What the program thinks is read from the screen that its log makes, on both backends alike.
 *
 * I1 Enter is pressed only after the text was seen on the screen: a dialog that opened meanwhile is not answered by accident.
 * I2 The text is pasted once. Enter is pressed again only while the text demonstrably still stands where it was pasted.
 * I3 Nothing of the text acts as a key (sanitise.ts).
 */
import { randomBytes } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Delivery, DeliverOptions, DeliveryPhase, LogWindow, Screen, SeatLogReader } from "./contract.ts";
import { checkedPath } from "./quoting.ts";
import { pasteable } from "./sanitise.ts";
import { openScreen } from "./screen.ts";

export interface Receiver {
  readonly log: SeatLogReader;
  readonly directory: string;
  /** Undefined once the program has ended. */
  readonly size: () => Promise<{ readonly columns: number; readonly rows: number } | undefined>;
  readonly paste: (text: string, bracketed: boolean) => Promise<void>;
  readonly enter: () => Promise<void>;
}

const defaults = { readyMs: 30_000, quietMs: 300, seenMs: 2_000, pointerBytes: 8 * 1024 };
/** A longer text may take longer until it is on the screen. */
const bytesPerMs = 100;
/** How long each Enter may take to be obeyed. */
const enterMs = [1_000, 1_500, 2_000];
/** So much of the log makes a screen; what came before only matters for whether bracketed paste is on. */
const replayBytes = 1024 * 1024;
const replayMs = 10_000;
const lookMs = 50;
const markerLength = 20;

/** What two renderings of one text have in common: no blanks, no frames, no marks without width. */
const squashed = (text: string): string => text.replace(/[\s|\u2500-\u259f\p{Mn}\p{Cf}]/gu, "");
const placeholder = /\[pasted(?:text|content)[^\]]*\]/gi;

class Undelivered extends Error {
  readonly phase: DeliveryPhase;
  constructor(phase: DeliveryPhase, detail: string) {
    super(detail);
    this.phase = phase;
  }
}

/** Whether bracketed paste was on at byte `to`; false when the log no longer tells. */
const bracketedAt = async (log: SeatLogReader, { from, to }: LogWindow): Promise<boolean> => {
  const overlap = 32;
  for (let end = to; end > from;) {
    const start = Math.max(from, end - 64 * 1024);
    const { data, from: found } = await log.read(start, end - start + overlap);
    const last = [...data.toString("latin1").matchAll(/\p{Cc}\[\?(?:\d+;)*2004(?:;\d+)*([hl])/gu)].findLast((mode) => mode[0].startsWith("\u001b") && found + mode.index < to);
    if (last) return last[1] === "h";
    end = start;
  }
  return false;
};

/** The program's screen, kept up to date from its log while it is open. */
const watchScreen = async (log: SeatLogReader, size: { readonly columns: number; readonly rows: number }) => {
  const screen = await openScreen({ ...size, scrollback: 0 });
  const { from, to } = await log.window();
  const start = Math.max(from, to - replayBytes);
  if (start > from && await bracketedAt(log, { from, to: start })) await screen.write("\x1b[?2004h");
  let at = start, changedAt = performance.now(), changes = 0;
  let wake = (): void => undefined;
  const stop = log.follow(start, async (data, offset) => {
    await screen.write(data);
    at = offset + data.length;
    changedAt = performance.now();
    changes++;
    wake();
  }, () => undefined);
  /** Resolves at the next output, or soon. */
  const next = (): Promise<void> => new Promise((resolve) => {
    const timer = setTimeout(resolve, lookMs);
    wake = () => {
      clearTimeout(timer);
      resolve();
    };
  });
  for (const since = performance.now(); at < to && performance.now() - since < replayMs;) await next();
  return {
    screen, next,
    quietMs: () => performance.now() - changedAt,
    changes: () => changes,
    close: () => {
      stop();
      screen.dispose();
    },
  };
};

/** Where a text stands on the screen. */
const locate = (screen: Screen, marker: string) => {
  const rows = screen.visible().map(squashed);
  const all = rows.join("");
  const last = all.lastIndexOf(marker);
  let below: number | undefined;
  if (last >= 0) {
    let length = 0;
    const row = rows.findIndex((text) => (length += text.length) >= last + marker.length);
    below = rows.findLastIndex((text) => text !== "") - row;
  }
  return {
    times: marker === "" ? 0 : all.split(marker).length - 1,
    /** Right before the cursor, as in an input line. */
    atCursor: squashed(screen.visible("cursor").join("")).endsWith(marker),
    /** Rows with text below it; undefined: it is not there. */
    below,
  };
};

const placeholders = (screen: Screen): readonly string[] => squashed(screen.visible().join("")).match(placeholder) ?? [];

const transact = async (receiver: Receiver, text: string, options: DeliverOptions): Promise<number> => {
  const { readyMs, quietMs, seenMs } = { ...defaults, ...options };
  const size = await receiver.size();
  if (!size) throw new Undelivered("ready", "the program has ended");
  const view = await watchScreen(receiver.log, size);
  let confirmed = false;
  options.accepted?.then(() => { confirmed = true; }, () => undefined); // No evidence then; the screen decides.

  /** False when the time is up. */
  const until = async (phase: DeliveryPhase, ms: number, reached: () => boolean): Promise<boolean> => {
    const deadline = performance.now() + ms;
    let askAt = performance.now() + 10 * lookMs;
    for (;;) {
      if (reached()) return true;
      if (options.signal?.aborted) throw new Undelivered(phase, "it was cancelled");
      const now = performance.now();
      if (now >= deadline) return false;
      if (now >= askAt) {
        if (!await receiver.size()) throw new Undelivered(phase, "the program has ended");
        askAt = now + 10 * lookMs;
      }
      await view.next();
    }
  };

  try {
    const { screen } = view;
    if (!await until("ready", readyMs, () => screen.modes().bracketedPaste && view.quietMs() >= quietMs)) {
      throw new Undelivered("ready", screen.modes().bracketedPaste ? "its output does not come to rest" : "it does not accept pastes (bracketed paste is off)");
    }

    let marker = [...squashed(text)].slice(-markerLength).join("");
    const before = { ...locate(screen, marker), changes: view.changes(), placeholders: placeholders(screen).length };
    await receiver.paste(text, true).catch((error: unknown) => { throw new Undelivered("paste", error instanceof Error ? error.message : String(error)); });

    const seen = await until("seen", seenMs + Buffer.byteLength(text) / bytesPerMs, () => {
      if (view.changes() === before.changes) return false;
      const now = locate(screen, marker), stands = placeholders(screen);
      if (stands.length > before.placeholders) marker = stands.at(-1) ?? marker;
      else if (!(now.times > before.times || (now.atCursor && !before.atCursor) || marker === "")) return false;
      return true;
    });
    if (!seen) throw new Undelivered("seen", "the pasted text did not appear on its screen");

    const stood = locate(screen, marker);
    for (const [tries, ms] of enterMs.entries()) {
      const changes = view.changes();
      const left = (): boolean => {
        if (confirmed) return true;
        if (view.changes() === changes) return false;
        const now = locate(screen, marker);
        // A cursor that is parked elsewhere tells nothing; then the text must be gone, or have moved up by more than a line break would move it.
        return stood.atCursor ? !now.atCursor : now.below === undefined || now.below >= (stood.below ?? 0) + 2;
      };
      await receiver.enter();
      if (await until("accepted", ms, left)) return tries + 1;
    }
    throw new Undelivered("accepted", `Enter was pressed ${enterMs.length} times and the text still stands in its input`);
  } finally {
    view.close();
  }
};

export const deliver = async (receiver: Receiver, message: string, options: DeliverOptions = {}): Promise<Delivery> => {
  const text = pasteable(message);
  if (text.trim() === "") return { state: "undelivered", phase: "sanitise", detail: "nothing is left of the text without control characters" };
  let file: string | undefined;
  try {
    if (Buffer.byteLength(text) > (options.pointerBytes ?? defaults.pointerBytes)) {
      file = join(checkedPath("the directory for long texts", options.pointerDirectory ?? receiver.directory), `message-${Date.now().toString(36)}-${randomBytes(4).toString("hex")}.md`);
      await writeFile(file, `${text}\n`, { mode: 0o600, flag: "wx" });
    }
  } catch (error) {
    return { state: "undelivered", phase: "paste", detail: `the file for the text could not be written: ${error instanceof Error ? error.message : String(error)}` };
  }
  try {
    const enters = await transact(receiver, file === undefined ? text : `Read this file whole and follow it: ${file}`, options);
    return { state: "accepted", enters, ...(file === undefined ? {} : { file }) };
  } catch (error) {
    if (error instanceof Undelivered) return { state: "undelivered", phase: error.phase, detail: error.message };
    throw error;
  }
};
