/** The public face of the room: everything a user of the terminal fabric needs, and nothing else. */
export { segmentBytes, TerminalError } from "./contract.ts";
export type {
  Appended, Attachment, BackendName, Delivery, DeliveryPhase, DeliverOptions, Key, KeyName, KillOptions, LogWindow, Pane, PaneExit, PaneSpec, PaneState, ProgramSpec, Screen, ScreenModes,
  SeatLog, SeatLogOptions, SeatLogReader, ServerState, TerminalErrorReason, TerminalEvent, Terminals, TerminalsOptions, ViewerSpec,
} from "./contract.ts";
import type { PaneExit, Screen, SeatLog, SeatLogOptions, SeatLogReader, Terminals, TerminalsOptions } from "./contract.ts";

/** Opens the fabric: finds a living server and its panes, or starts one. Rejects with `TerminalError` `unavailable` when neither tmux nor node-pty works. */
export declare const openTerminals: (options: TerminalsOptions) => Promise<Terminals>;
/** Opens a seat's log for writing; goes on at its end, whatever a crash left. Makes the directory (0700) when missing. */
export declare const openSeatLog: (directory: string, options?: SeatLogOptions) => Promise<SeatLog>;
/** Reads a log, also one that is not there yet or that `split` writes. */
export declare const readSeatLog: (directory: string) => SeatLogReader;
/** Removes all but the newest `keep` segments of a log that nobody of ours writes; returns how many went. The programs of open `Terminals` need no help. */
export declare const trimSeatLog: (directory: string, keep?: number) => Promise<number>;
/** The whole lines that were typed into viewers of that directory since byte `from`, and the byte after the last of them. */
export declare const readTyped: (directory: string, from: number) => Promise<{ readonly lines: readonly string[]; readonly to: number }>;
/** How a program ended, read from its directory; undefined while no `exit` file is there. */
export declare const readPaneExit: (directory: string) => PaneExit | undefined;
/** A headless terminal; the first call loads it. */
export declare const openScreen: (size: { readonly columns: number; readonly rows: number; /** Lines kept above the screen; default 1000. */ readonly scrollback?: number }) => Promise<Screen>;
