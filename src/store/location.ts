import type { MemoryState } from "./memory.ts";

/** Where a store lives. */
export type StoreLocation =
  /** `factory.db` in this directory, which belongs to us alone (0700). */
  | { readonly kind: "sqlite"; readonly directory: string }
  /** `postgres://user:password@host:port/database`. The URL is a secret: it is never printed. */
  | { readonly kind: "postgres"; readonly url: string }
  /** Lost with the process. Stores on the same `state` share their contents. */
  | { readonly kind: "memory"; readonly state?: MemoryState };

export interface OpenOptions {
  /**
   * Take the store from an owner that hangs (a stopped process still holds its lock). Its writes are refused from then on.
   * False: a living owner keeps the store.
   */
  readonly takeOver?: boolean;
}
