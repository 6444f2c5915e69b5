/** How the room of a screen is shared out. Pure. */
import { type Panel, panels } from "./state.ts";

export interface Size { readonly columns: number; /** Infinity: as many as there is something to say. */ readonly rows: number }

/** Narrower or lower than this nothing can be read; the frame says so. */
export const least: Size = { columns: 80, rows: 16 };

export interface Column { readonly x: number; readonly width: number; /** The panels under each other; null: the detail view. */ readonly panels: readonly Panel[] | null }

/** `detail`: one is open. A wide screen always shows one, beside the lists. */
export const columnsOf = (width: number, detail: boolean): readonly Column[] => {
  if (width < 120) return [{ x: 0, width, panels: detail ? null : panels }];
  if (width < 180 && !detail) {
    const left = Math.floor(width * 0.56);
    return [{ x: 0, width: left, panels: ["inbox", "work", "events"] }, { x: left + 1, width: width - left - 1, panels: ["seats", "spend", "tree"] }];
  }
  if (width < 180) {
    const left = Math.max(50, Math.floor(width * 0.4));
    return [{ x: 0, width: left, panels }, { x: left + 1, width: width - left - 1, panels: null }];
  }
  const left = Math.floor(width * 0.4), middle = Math.floor(width * 0.3);
  return [
    { x: 0, width: left, panels: ["inbox", "work", "events"] },
    { x: left + 1, width: middle, panels: ["seats", "spend", "tree"] },
    { x: left + middle + 2, width: width - left - middle - 2, panels: null },
  ];
};

/** Rows that a panel gets before others may have more than theirs. */
const first: Readonly<Record<Panel, number>> = { inbox: 5, work: 6, seats: 4, events: 3, spend: 2, tree: 2 };
const order: readonly Panel[] = ["inbox", "work", "seats", "events", "spend", "tree"];

/** A text without end still has no use for all that ever happened. */
const eventsInText = 10;

/**
 * Rows for each panel below its title: what it wants where there is room; else the focused one up to half of what there is, then each
 * its first rows, then what is left in order.
 */
export const shareRows = (rows: number, wants: Readonly<Partial<Record<Panel, number>>>, focused: Panel): Readonly<Partial<Record<Panel, number>>> => {
  const mine = order.filter((panel) => wants[panel] !== undefined);
  if (rows === Infinity) return { ...wants, ...(wants.events === undefined ? {} : { events: Math.min(wants.events, eventsInText) }) };
  const given = new Map(mine.map((panel) => [panel, 0]));
  let left = Math.max(0, rows - mine.length);
  const give = (panel: Panel, upTo: number): void => {
    const has = given.get(panel) ?? 0;
    const more = Math.max(0, Math.min(left, Math.min(wants[panel] ?? 0, upTo) - has));
    given.set(panel, has + more);
    left -= more;
  };
  if (mine.includes(focused)) give(focused, Math.ceil(left / 2));
  for (const panel of mine) give(panel, first[panel]);
  if (mine.includes(focused)) give(focused, Infinity);
  for (const panel of mine) give(panel, Infinity);
  return Object.fromEntries(given);
};

/** The first row to show so that the chosen one is in view: the one that was first before, moved no further than it must. */
export const firstShown = (length: number, chosen: number, rows: number, before: number): number => {
  const near = chosen < 0 ? before : Math.max(chosen - rows + 1, Math.min(before, chosen));
  return Math.max(0, Math.min(length - rows, near));
};
