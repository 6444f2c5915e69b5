/** The public face of the room: everything a user of the terminal fabric needs, and nothing else. */
export { segmentBytes, TerminalError } from "./contract.ts";
export type {
  Appended, Attachment, BackendName, Delivery, DeliveryPhase, DeliverOptions, Key, KeyName, KillOptions, LogWindow, Pane, PaneExit, PaneSpec, PaneState, ProgramSpec, Screen, ScreenModes,
  SeatLog, SeatLogOptions, SeatLogReader, ServerState, TerminalErrorReason, TerminalEvent, Terminals, TerminalsOptions, ViewerSpec,
} from "./contract.ts";
/** How a program ended, read from its directory; undefined while no `exit` file is there. */
export { readPaneExit } from "./launcher-script.ts";
/** Reads a log, also one that is not there yet or that `split` writes. */
export { readSeatLog } from "./log-reader.ts";
/** Removes all but the newest segments of a log that nobody of ours writes; the programs of open `Terminals` need no help. */
export { trimSegments as trimSeatLog } from "./log-segments.ts";
/** A headless terminal; the first call loads it. */
export { openScreen } from "./screen.ts";
/** Opens a seat's log for writing; goes on at its end, whatever a crash left. Makes the directory (0700) when missing. */
export { openSeatLog } from "./seat-log.ts";
/** Opens the fabric: finds a living server and its panes, or starts one. Rejects with `TerminalError` `unavailable` when neither tmux nor node-pty works. */
export { openTerminals } from "./terminals.ts";
/** The whole lines that were typed into viewers of that directory since byte `from`, and the byte after the last of them; call again with it until no line comes. */
export { readTyped } from "./typed-lines.ts";
