/** What tmux and node-pty have in common below `Terminals`: panes are made, listed, typed into and taken away. Everything else is built on that (panes.ts). */
import type { Attachment, BackendName, Key, PaneSpec, PaneState, ServerState } from "./contract.ts";

export interface PaneRow extends PaneState {
  readonly mark: string;
  readonly directory: string;
  /** Its output goes to a log now; always false for viewers. */
  readonly logged: boolean;
}

export interface Backend {
  readonly name: BackendName;
  readonly server: () => ServerState | null;
  /** Never starts anything. */
  readonly list: () => Promise<readonly PaneRow[]>;
  /** The launch of a program was prepared. */
  readonly create: (spec: PaneSpec, mark: string) => Promise<PaneRow>;
  readonly resize: (row: PaneRow, columns: number, rows: number) => Promise<void>;
  readonly keys: (row: PaneRow, keys: readonly Key[]) => Promise<void>;
  /** Pastes text that was made harmless, framed as a bracketed paste when the program asked for that (`bracketed` for who cannot know). */
  readonly paste: (row: PaneRow, text: string, bracketed: boolean) => Promise<void>;
  /** Takes the pane away; its processes were ended. */
  readonly drop: (row: PaneRow) => Promise<void>;
  /** Takes away what a session still holds beside panes of ours. */
  readonly dropSession: (session: string) => Promise<void>;
  /** Goes on with the log of a living program that is not logged any more. */
  readonly relog: (row: PaneRow) => Promise<void>;
  readonly attach: (row: PaneRow, write: boolean) => Attachment | undefined;
  readonly close: (how: "leave" | "end") => Promise<void>;
}

/** How a backend says what it saw. */
export interface BackendEvents {
  readonly onGone: (detail: string) => void;
  readonly onStarted: (pid: number) => void;
  /** Panes may have changed: list them. */
  readonly onChange: () => void;
  /** Somebody came or went. */
  readonly onAttached: () => void;
  readonly onProblem: (detail: string) => void;
}
