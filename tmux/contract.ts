/**
 * What the terminal fabric offers: panes that people can look at and type into, on a private tmux server or, without tmux, under node-pty.
 * Both backends keep this contract; where they cannot be equal, the member says so.
 */

export type BackendName = "tmux" | "pty";

export interface TerminalsOptions {
  /** Name of the private tmux server (`tmux -L server`). Letters, digits, `-` and `_`, at most 64. No other server is ever touched. */
  readonly server: string;
  /** `auto`: tmux when it works here, else node-pty; `Terminals.reason` says why. */
  readonly backend: "auto" | BackendName;
  /** Where the fabric keeps its own few files. Absolute; made (0700) when missing; may be shared by processes that follow each other. */
  readonly directory: string;
  /** What the tmux server and the viewers inherit: these variables and nothing else. Default: PATH, HOME, LANG, LC_ALL, LC_CTYPE, TMPDIR and TMUX_TMPDIR of this process. */
  readonly env?: Readonly<Record<string, string>>;
  /** Segments that are kept of every program's log, the one being written included; default 8, of 4 MiB each. */
  readonly keepSegments?: number;
  readonly onEvent?: (event: TerminalEvent) => void;
}

export type TerminalEvent =
  /** The tmux server ended, and every pane with it. The next `show` starts a new one. */
  | { readonly type: "server-gone"; readonly detail: string }
  /** A tmux server was started by this process. */
  | { readonly type: "server-started"; readonly pid: number }
  /** A pane's process ended (the pane may still show its last screen) or the pane was removed. */
  | { readonly type: "pane-ended"; readonly session: string; readonly name: string; readonly id: string }
  /** Somebody began or ceased to look: ask `panes()` for the numbers. tmux only. */
  | { readonly type: "attached" }
  /** Something is wrong that no call is there to report, in one sentence: a log that is no longer written, a full disk. */
  | { readonly type: "problem"; readonly detail: string };

export interface Terminals {
  readonly backend: BackendName;
  /** Why this backend and no other; empty when it is the one that was asked for. */
  readonly reason: string;
  /** The tmux server as it is now; null while none lives and on the pty backend. */
  readonly server: () => ServerState | null;
  /**
   * The pane of that session and name: a living one is adopted whoever made it, none is made twice. A pane whose process has ended is replaced, and
   * what survived of its processes is ended first. Rejects with `TerminalError`.
   */
  readonly show: (spec: PaneSpec) => Promise<Pane>;
  /** Every pane that was made by `show`, of any process, dead ones included until they are removed. Never starts a server. */
  readonly panes: () => Promise<readonly PaneState[]>;
  /** The pane that is there, dead or alive; undefined when there is none. Nothing is made. */
  readonly find: (session: string, name: string) => Promise<Pane | undefined>;
  /**
   * What a person executes in a terminal of their own to be in that pane. Two people do not disturb each other, nothing is resized, nothing is left when they
   * go. Read-only unless `write`. Undefined on the pty backend and for a pane that is not there.
   */
  readonly attachCommand: (session: string, name: string, options?: { readonly write?: boolean }) => Promise<Attachment | undefined>;
  /** Ends every pane of the session, then the session. */
  readonly removeSession: (session: string) => Promise<void>;
  /**
   * `leave`: panes go on for the next process (a server without panes is ended). The pty backend cannot leave anything: it ends its panes.
   * `end`: every pane's processes are ended, then the server, and its pid has vanished when this resolves.
   */
  readonly close: (how: "leave" | "end") => Promise<void>;
}

export interface ServerState { readonly socket: string; readonly version: string; readonly pid: number }

/** Names become parts of tmux commands: 1 to 64 letters, digits, `-` and `_`, beginning with a letter or digit. Anything else is refused. */
interface PaneBase {
  readonly session: string;
  readonly name: string;
  readonly columns: number;
  readonly rows: number;
  /** Absolute path of an existing directory: the seat (viewer), or where log, exit and launch files go (program; one directory a pane). Any characters but control ones. */
  readonly directory: string;
}

/**
 * Shows a seat's log (`openSeatLog`) and takes typed lines: each is appended whole to `typed` in the same directory, control characters removed.
 * What is rendered is the seat's affair; this pane reads `current` and writes `typed`, nothing else.
 */
export interface ViewerSpec extends PaneBase { readonly kind: "viewer" }

/**
 * An interactive program in a terminal of its own. Its output goes to a log of the same format (`readSeatLog`), its end to the file `exit`.
 * On tmux it outlives this process; under node-pty it is ended with it.
 */
export interface ProgramSpec extends PaneBase {
  readonly kind: "program";
  /** Handed on exactly. The first is a path, or a name looked up on `env.PATH`. */
  readonly argv: readonly [string, ...string[]];
  /** The whole environment, but for TERM, TMUX, TMUX_PANE and ENACT_RUN_ID, which are added. Passed through a 0600 file that is removed at the start. */
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  /** Value of ENACT_RUN_ID by which all of its processes are found. Default: made of server, session and name. */
  readonly mark?: string;
}

export type PaneSpec = ViewerSpec | ProgramSpec;

export interface PaneState {
  readonly session: string;
  readonly name: string;
  readonly kind: PaneSpec["kind"];
  readonly directory: string;
  /** `%5` of the tmux server, `pty-5` otherwise. */
  readonly id: string;
  /** The pane's first process, leader of its process group. */
  readonly pid: number;
  /** The first process has ended; the last screen is still there. */
  readonly dead: boolean;
  readonly columns: number;
  readonly rows: number;
  /** People who look at it now. Always 0 on the pty backend. */
  readonly attached: number;
}

/** `lost`: the process is gone and nobody wrote down how (killed with its launcher, or the machine went down). */
export interface PaneExit { readonly code: number | null; readonly signal: string | null; readonly lost: boolean }

/** A key by name, or text that is typed as it is (control characters removed). */
export type Key = KeyName | { readonly text: string };
export type KeyName = "Enter" | "Escape" | "Tab" | "BSpace" | "Space" | "Up" | "Down" | "Left" | "Right" | "Home" | "End" | "PageUp" | "PageDown" | `C-${Letter}`;
type Letter = "a" | "b" | "c" | "d" | "e" | "f" | "g" | "h" | "i" | "j" | "k" | "l" | "m" | "n" | "o" | "p" | "q" | "r" | "s" | "t" | "u" | "v" | "w" | "x" | "y" | "z";

/** A pane stays what it is when its process ends; operations on one that is gone reject with `TerminalError` `gone`, `kill` and `remove` do nothing then. */
export interface Pane {
  readonly session: string;
  readonly name: string;
  readonly kind: PaneSpec["kind"];
  readonly id: string;
  readonly pid: number;
  readonly directory: string;
  /** It was there already, instead of being made by this `show`. */
  readonly adopted: boolean;
  /** Undefined: it is there no more. */
  readonly state: () => Promise<PaneState | undefined>;
  /** The program hears SIGWINCH. People who are attached neither cause nor prevent it. */
  readonly resize: (columns: number, rows: number) => Promise<void>;
  readonly keys: (...keys: readonly Key[]) => Promise<void>;
  /** Gives a program one message as a transaction, see `Delivery`. One at a time per pane; others wait their turn. */
  readonly deliver: (text: string, options?: DeliverOptions) => Promise<Delivery>;
  /** How a program ended, once it has. A viewer never resolves before it is removed. */
  readonly exit: () => Promise<PaneExit>;
  /** Ends everything that runs in the pane: the process group by signals in turn, then whatever carries the pane's mark. The last screen stays. */
  readonly kill: (options?: KillOptions) => Promise<{ /** Processes outside the group that had to be killed. */ readonly swept: number }>;
  /** `kill`, and the pane is gone. */
  readonly remove: (options?: KillOptions) => Promise<void>;
}

export interface KillOptions {
  /** Signals to the process group and how long each may take; SIGKILL follows. Default: SIGTERM, 5 s. */
  readonly steps?: readonly { readonly signal: "SIGINT" | "SIGTERM" | "SIGHUP"; readonly graceMs: number }[];
}

export interface DeliverOptions {
  /** How long the application may take until it accepts a paste (bracketed paste on, output quiet); default 30 s. */
  readonly readyMs?: number;
  /** How long no output counts as quiet; default 300 ms. 0 also types into a program that is busy drawing. */
  readonly quietMs?: number;
  /** How long until the pasted text must be on the screen; default 2 s, longer for long texts. */
  readonly seenMs?: number;
  /** Texts of more bytes are written to a file, and a line that points at it is pasted instead; default 8192. Infinity: never. */
  readonly pointerBytes?: number;
  /** Where that file goes (0600), a place the program may read; default the pane's directory. Any characters but control ones. */
  readonly pointerDirectory?: string;
  /** Resolves when the application itself says that it has the message (a hook); believed before what the screen shows. */
  readonly accepted?: Promise<unknown>;
  readonly signal?: AbortSignal;
}

/**
 * Ready → sanitise → paste → seen → Enter → accepted. Enter is pressed only once the text was seen, again at most twice when it was swallowed; the text is never pasted
 * twice. `undelivered` names the phase that did not come about; from `seen` on the text may still stand in the application's input line.
 */
export type Delivery =
  | { readonly state: "accepted"; /** Where the text is when only a pointer to it was pasted. */ readonly file?: string; /** How often Enter was pressed. */ readonly enters: number }
  | { readonly state: "undelivered"; readonly phase: DeliveryPhase; readonly detail: string };
export type DeliveryPhase = "sanitise" | "ready" | "paste" | "seen" | "accepted";

export interface Attachment { readonly argv: readonly [string, ...string[]]; readonly env: Readonly<Record<string, string>> }

/** `unavailable`: no backend works here. `refused`: the request itself is wrong. `gone`: the pane or its server is there no more. `failed`: tmux or the system said no. */
export type TerminalErrorReason = "unavailable" | "refused" | "gone" | "failed";

export class TerminalError extends Error {
  override readonly name = "TerminalError";
  readonly reason: TerminalErrorReason;
  constructor(reason: TerminalErrorReason, message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}

/** Bytes of one segment of a log. Segment n is `out.` and n in six digits, and begins at byte n × segmentBytes of the log. */
export const segmentBytes = 4 * 1024 * 1024;

/** The writer of a seat's log. One writer a directory. */
export interface SeatLog {
  readonly directory: string;
  /** Bytes ever appended, which is the offset of the next one. */
  readonly size: () => number;
  /** Appends in order of calls; never rejects. */
  readonly append: (data: Uint8Array | string) => Promise<Appended>;
  /** Waits for what was appended. */
  readonly close: () => Promise<void>;
}

/** `written` bytes of the data are in the log, also when `error` says why the rest is not; try again with the rest. `to`: offset after them. */
export interface Appended { readonly written: number; readonly to: number; readonly error?: NodeJS.ErrnoException }

export interface SeatLogOptions {
  /** Segments kept, the one being written included; at least 2, default 8. */
  readonly keep?: number;
}

/** Readers need no writer, and there may be any number. */
export interface SeatLogReader {
  readonly directory: string;
  /** The bytes that can be read now: from the oldest kept one up to, not including, `to`. */
  readonly window: () => Promise<LogWindow>;
  /** At most `max` bytes from the first kept byte at or after `from`; no data: nothing is there yet. `from` of the answer tells whether some were skipped. */
  readonly read: (from: number, max: number) => Promise<{ readonly from: number; readonly data: Buffer }>;
  /**
   * Bytes from `from` on, in order, as they are written. The next chunk is read when `onBytes` has resolved, so a slow consumer holds one chunk; what is rotated away
   * meanwhile is told to `onGap` once. Returns how to stop; after that nothing is called.
   */
  readonly follow: (from: number, onBytes: (data: Buffer, offset: number) => void | Promise<void>, onGap: (from: number, to: number) => void) => () => void;
}

export interface LogWindow { readonly from: number; readonly to: number }

/** A terminal in memory that shows what a log's bytes made of it. */
export interface Screen {
  readonly columns: number;
  readonly rows: number;
  /** Resolves when the bytes are on the screen; they may end in the middle of a character or sequence. */
  readonly write: (data: Uint8Array | string) => Promise<void>;
  readonly resize: (columns: number, rows: number) => void;
  /** Escape sequences that draw the same screen, with so many lines before it, and set the same modes, in an empty terminal of the same size. */
  readonly keyframe: (scrollbackLines: number) => string;
  /** The last lines as plain text, without blanks at their ends; empty lines below the last written one are not counted. */
  readonly text: (lines: number) => readonly string[];
  /** The rows of the screen itself, top to bottom; only what stands before the cursor when asked for. */
  readonly visible: (upTo?: "cursor") => readonly string[];
  readonly modes: () => ScreenModes;
  readonly cursor: () => { readonly column: number; readonly row: number };
  readonly dispose: () => void;
}

export interface ScreenModes { readonly bracketedPaste: boolean; readonly alternate: boolean; readonly mouse: boolean; readonly applicationCursor: boolean }
