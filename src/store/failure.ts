import type { CommitError, OpenError } from "../ports/store.ts";

type Plain<E> = E extends { readonly _tag: infer Tag } ? { readonly [K in keyof E as K extends "_tag" | "message" | "path" | "found" | "known" | "generation" ? K : never]: E[K] } & { readonly _tag: Tag } : never;

/** An error of the Store port as plain data: it crosses from the writer thread, which does not load Effect. */
export type OpenFailure = Plain<OpenError>;
export type CommitFailure = Plain<CommitError>;
export type Failure = OpenFailure | CommitFailure;

/** Carries a failure through code that throws. */
export class Refusal<F extends Failure = Failure> extends Error {
  readonly failure: F;
  constructor(failure: F) {
    super(failure.message);
    this.failure = failure;
  }
}

/** The `code` of a Node, SQLite or PostgreSQL error; empty when there is none. */
export const codeOf = (error: unknown): string => (typeof error === "object" && error !== null && "code" in error && typeof error.code === "string" ? error.code : "");
export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
