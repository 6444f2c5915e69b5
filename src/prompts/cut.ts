/** Cutting a prompt's parts to size. Pure. */

export const bytesOf = (text: string): number => Buffer.byteLength(text, "utf8");

/** The beginning of a text in at most so many bytes: whole lines, unless that would give away more than half; whole characters always. */
export const headOf = (text: string, most: number): string => {
  const bytes = Buffer.from(text, "utf8");
  if (bytes.length <= most) return text;
  let end = Math.max(0, most);
  while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end--;
  const head = bytes.toString("utf8", 0, end), line = head.lastIndexOf("\n");
  const whole = head.slice(0, Math.max(0, line));
  return bytesOf(whole) * 2 >= end ? whole : head;
};

/** A part that can be cut, in the order in which it comes to it. */
export interface Cuttable { readonly bytes: number; readonly share: number }

/**
 * How many bytes each part gets of `room`. What is first in the list is cut first, down to its share of the room; then the next. Shares add up to one at
 * most, so that all of it fits once everything is down to its share.
 */
export const allotted = (parts: readonly Cuttable[], room: number): readonly number[] => {
  let over = parts.reduce((sum, { bytes }) => sum + bytes, 0) - room;
  return parts.map(({ bytes, share }) => {
    const cut = Math.min(Math.max(0, over), Math.max(0, bytes - Math.floor(Math.max(0, room) * share)));
    over -= cut;
    return bytes - cut;
  });
};
