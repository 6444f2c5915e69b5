import { Effect } from "effect";
import type { JournalRow, StoreReaderShape } from "../ports/store.ts";
import { systemClock } from "./system-clock.ts";

/** A client beside a living owner looks this often; DESIGN §4. */
export const readEveryMs = 200;

/** A page of the journal; longer ones would hold up the process that reads. */
const page = 10_000;

export interface JournalListener {
  /** Rows that came after the start, in commit order. The next look begins when it is over. */
  readonly rows: (rows: readonly JournalRow[]) => void | Promise<void>;
  /** Called once: the journal ended here (`undefined`: it is empty) when the following began. */
  readonly began?: (end: JournalRow | undefined) => void;
  readonly trouble?: (error: unknown) => void;
}

/** Follows the journal of a store that another process writes. Returns how to stop. */
export const followJournal = (reader: Pick<StoreReaderShape, "journal">, listener: JournalListener): (() => void) => {
  let stopped = false;
  let after: number | undefined;
  const round = async (): Promise<void> => {
    // The first look only finds where the journal ends.
    const first = after === undefined;
    for (let from = after; ; ) {
      const rows = await Effect.runPromise(reader.journal({ ...(from === undefined ? {} : { after: from }), limit: page }));
      if (stopped) return;
      if (!first && rows.length > 0) await listener.rows(rows);
      const end = rows.at(-1);
      from = end?.position ?? from ?? 0;
      if (!first) after = from;
      if (rows.length >= page) continue;
      if (first) listener.began?.(end);
      after = from;
      return;
    }
  };
  const loop = async (): Promise<void> => {
    while (!stopped) {
      await round().catch((error: unknown) => listener.trouble?.(error));
      await wait(readEveryMs);
    }
  };
  void loop();
  return () => { stopped = true; };
};

export const wait = (ms: number): Promise<void> => new Promise((resolve) => { systemClock.at(systemClock.now() + ms, resolve); });
