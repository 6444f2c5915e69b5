/** How a restore ended. */
export interface Restored {
  /** Where what was there before is kept (a file, or a schema of the database); undefined when nothing was. */
  readonly kept: string | undefined;
}

/** What a dialect's restore answers or throws as a `Refusal`. */
export type RestoreOutcome = Restored | { readonly refused: string };
