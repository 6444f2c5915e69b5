import type { Commit } from "../../src/ports/store.ts";

/** Two commits that belong together: with the number `n` in the journal twice, in the mail, the outbox, an alarm and a view. */
export const twin = (n: number): readonly [Commit, Commit] => [
  { actor: "item/LOC-1/1", seq: n, at: n, event: `{"n":${n}}`, view: `{"n":${n}}`, alarms: [{ name: "a", at: n }] },
  { actor: "pipeline/LOC-1/1", seq: n, at: n, event: `{"n":${n}}`, mail: [{ to: "item/LOC-1/1", event: `{"n":${n}}` }], effects: [{ kind: "run", payload: `{"n":${n}}` }], ...(n % 7 === 0 ? { snapshot: { machine: "m", version: 1, state: `{"n":${n}}` } } : {}) },
];
