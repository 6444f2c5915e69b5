// Owns: the last committed sequence of the actors this owner wrote lately, so that a commit need not look for it.
// I1 Only what the database confirmed is remembered. The owner is the only writer, and the fence is checked in each transaction,
//    so what is remembered is true for as long as a commit can succeed.

/** Actors remembered, at most; beyond it all are forgotten and looked up again (about 100 bytes each). */
const most = 20_000;

export interface Heads {
  /** Undefined: not known here, ask the database. */
  readonly get: (actor: string) => number | undefined;
  /** After the transaction is durable. */
  readonly confirm: (heads: Iterable<readonly [actor: string, seq: number]>) => void;
}

export const makeHeads = (): Heads => {
  const known = new Map<string, number>();
  return {
    get: (actor) => known.get(actor),
    confirm: (heads) => {
      for (const [actor, seq] of heads) known.set(actor, seq);
      if (known.size > most) known.clear();
    },
  };
};
