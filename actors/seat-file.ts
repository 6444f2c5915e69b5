import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { seatOf, type TurnEffect } from "../src/domain/effects.ts";
import { RunId, WorkItemId } from "../src/domain/ids.ts";

/**
 * A seat's directory and its `seat.json`: whose terminal it is, and where in its log the present run begins.
 * The log beside it is the terminal fabric's (tmux/); `typed` is written by the viewer pane.
 */
export const SeatFile = z.object({
  /** `LOC-3/coder`, `alpha/worker-1`. */
  address: z.string(),
  item: WorkItemId,
  team: z.string().nullable(),
  seat: z.string(),
  adapter: z.string(),
  state: z.enum(["running", "idle", "ended"]),
  columns: z.number(),
  rows: z.number(),
  /** Its agents have screens of their own: the log is written by the seat's pane, and no viewer is shown. */
  screen: z.boolean().default(false),
  /** The run whose text is written last, and what its text begins at. */
  run: z.object({
    id: RunId,
    /** Offset in the log of the first byte of the run's text. */
    begin: z.number(),
    /** Remarks of the factory, by the number of output lines that came before them. */
    notes: z.array(z.object({ at: z.number(), text: z.string() })),
  }),
  /** Bytes of `typed` that were taken. */
  typed: z.number(),
  updatedAt: z.number(),
});
export type SeatFile = z.infer<typeof SeatFile>;

export interface SeatPlace { readonly item: WorkItemId; readonly team: string | null; readonly seat: string }

/** Where the agent of a turn is watched. */
export const placeOf = (request: TurnEffect): SeatPlace & { readonly address: string } => ({ address: seatOf(request), item: request.item.id, team: request.team ?? null, seat: request.seat ?? request.stage });

/** Parts of names of directories, sessions and panes: nothing but a-z, 0-9 and dashes. */
const word = (text: string): string => text.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-").replaceAll(/^-+|-+$/g, "").slice(0, 40) || "x";

/** One tmux session an item or team. A team may be called as an item is, so it is told apart. */
export const sessionOf = ({ item, team }: Pick<SeatPlace, "item" | "team">): string =>
  team === null ? word(item) : /^[a-z]{2,8}-\d+$/.test(team) ? `team-${word(team)}` : word(team);
export const paneOf = ({ seat }: Pick<SeatPlace, "seat">): string => word(seat);
/** Neither part holds a dot. */
export const directoryOf = (root: string, place: SeatPlace): string => join(root, `${sessionOf(place)}.${paneOf(place)}`);

const fileName = "seat.json";

/** `undefined`: there is no seat, or none that can be read. */
export const readSeat = (directory: string): SeatFile | undefined => {
  try {
    return SeatFile.safeParse(JSON.parse(readFileSync(join(directory, fileName), "utf8"))).data;
  } catch {
    return undefined;
  }
};

/** Whole or not at all; throws what the disk says. */
export const writeSeat = (directory: string, seat: SeatFile): void => {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const temporary = join(directory, `.${fileName}.${process.pid}`);
  writeFileSync(temporary, `${JSON.stringify(seat)}\n`, { mode: 0o600 });
  renameSync(temporary, join(directory, fileName));
};

export interface SeatRow { readonly directory: string; readonly file: SeatFile }

/** Every seat of a state directory, in order of their addresses. */
export const readSeats = (root: string): readonly SeatRow[] => {
  if (!existsSync(root)) return [];
  return readdirSync(root, { withFileTypes: true })
    .flatMap((entry): SeatRow[] => {
      const directory = join(root, entry.name), file = entry.isDirectory() ? readSeat(directory) : undefined;
      return file ? [{ directory, file }] : [];
    })
    .sort((a, b) => a.file.address.localeCompare(b.file.address, "en", { numeric: true }));
};
