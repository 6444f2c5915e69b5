import type { Cause, Commit, DeadLetter, EventJson } from "../../ports/store.ts";
import type { CommitFailure, OpenFailure } from "../failure.ts";

/** What the writer thread is started with. */
export interface WriterData { readonly directory: string; readonly takeOver: boolean }

export type WriterOperation =
  | { readonly op: "commit"; readonly commits: readonly Commit[] }
  | { readonly op: "enqueue"; readonly to: string; readonly event: EventJson; readonly at: number }
  | { readonly op: "attempt"; readonly key: string }
  | { readonly op: "deadLetter"; readonly letter: Omit<DeadLetter, "id">; readonly cause: Cause | undefined }
  | { readonly op: "stillOwner" }
  | { readonly op: "backup"; readonly file: string }
  | { readonly op: "close" };

export interface WriterRequest { readonly id: number; readonly operation: WriterOperation }

/** The first message is `opened` or `refused`; after that one `done` for each request. */
export type WriterMessage =
  | { readonly type: "opened"; readonly generation: number }
  | { readonly type: "refused"; readonly failure: OpenFailure }
  | { readonly type: "done"; readonly id: number; readonly failure?: CommitFailure };
