/** What somebody who watches a terminal gets. */
export type TerminalFrame =
  /** The whole screen as escape sequences, with some scrollback; `offset` is the byte that follows it. */
  | { readonly type: "keyframe"; readonly offset: number; readonly columns: number; readonly rows: number; readonly data: Uint8Array }
  | { readonly type: "bytes"; readonly offset: number; readonly data: Uint8Array }
  /** Bytes that are no longer kept. */
  | { readonly type: "gap"; readonly from: number; readonly to: number }
  | { readonly type: "resize"; readonly columns: number; readonly rows: number }
  | { readonly type: "ended" };
