/**
 * The messages within a team. Pure.
 *
 * I1 A message is counted each time a turn carries it, and acknowledged when that turn ended well; a turn that ended otherwise puts it back.
 * I2 The same id counts once. I3 To a member that left, or that never was: undelivered, for good. I4 Acknowledged and undelivered absorb.
 * I5 It never grows past its cap: what is settled goes first, oldest first, then the oldest.
 */
export type LetterState = "queued" | "delivered" | "acknowledged" | "undelivered";

export interface Letter {
  readonly id: string;
  readonly from: string;
  readonly to: string;
  readonly text: string;
  readonly state: LetterState;
  readonly deliveries: number;
}

export interface Mailbox { readonly letters: readonly Letter[] }

export const emptyMailbox: Mailbox = { letters: [] };
export const longestLetter = 10_000;
export const mostLetters = 500;

export interface Posting { readonly id: string; readonly from: string; /** A member, or `all`: everybody but the sender. */ readonly to: string; readonly text: string }

const isSettled = ({ state }: Letter): boolean => state === "acknowledged" || state === "undelivered";

/** Puts a message in. `living`: who can still read. The letters that are new and wait for their reader come back. */
export const post = (box: Mailbox, { id, from, to, text }: Posting, living: readonly string[]): { readonly box: Mailbox; readonly fresh: readonly Letter[] } => {
  const cut = text.length > longestLetter ? `${text.slice(0, longestLetter - 1)}…` : text;
  const readers = to === "all" ? living.filter((name) => name !== from).map((name) => ({ id: `${id}/${name}`, to: name })) : [{ id, to }];
  const fresh = readers.filter((reader) => !box.letters.some((letter) => letter.id === reader.id)).map((reader): Letter => ({ ...reader, from, text: cut, state: living.includes(reader.to) ? "queued" : "undelivered", deliveries: 0 }));
  return { box: capped({ letters: [...box.letters, ...fresh] }), fresh: fresh.filter(({ state }) => state === "queued") };
};

const capped = (box: Mailbox): Mailbox => {
  const over = box.letters.length - mostLetters;
  if (over <= 0) return box;
  const drop = new Set([...box.letters.filter(isSettled), ...box.letters.filter((letter) => !isSettled(letter))].slice(0, over));
  return { letters: box.letters.filter((letter) => !drop.has(letter)) };
};

const change = (box: Mailbox, ids: readonly string[], to: string, how: (letter: Letter) => Letter): Mailbox =>
  ids.length === 0 ? box : { letters: box.letters.map((letter) => (letter.to === to && !isSettled(letter) && ids.includes(letter.id) ? how(letter) : letter)) };

/** A turn of `reader` has begun that carries them. */
export const deliver = (box: Mailbox, reader: string, ids: readonly string[]): Mailbox => change(box, ids, reader, (letter) => ({ ...letter, state: "delivered", deliveries: letter.deliveries + 1 }));

/** The turn that carried them has ended. */
export const settleMail = (box: Mailbox, reader: string, ids: readonly string[], well: boolean): Mailbox =>
  change(box, ids, reader, (letter) => (letter.state === "delivered" ? { ...letter, state: well ? "acknowledged" : "queued" } : letter));

/** The reader left: nobody will read what waits for it. */
export const bounce = (box: Mailbox, reader: string): Mailbox => ({ letters: box.letters.map((letter) => (letter.to === reader && !isSettled(letter) ? { ...letter, state: "undelivered" } : letter)) });
