/**
 * The one comment by which a tracker is told of an item: readable for people, with a line that this factory reads again after it has lost its state. Pure.
 *
 * I1 What is written is read as it was, also when the tracker made HTML of it. I2 A text without the whole line says nothing.
 */
import { z } from "zod";
import type { SourceUpdate } from "../domain/effects.ts";
import { Gate, gates } from "../domain/gate.ts";
import { type Remembered, Remembered as RememberedSchema } from "../domain/work-item.ts";
import { plainOf } from "./html.ts";

export const Mark = RememberedSchema.extend({
  /** The revision of the tracker's record that our last word left. */
  revision: z.number().int().nonnegative().optional(),
  /** A state that was left as others had set it. */
  left: z.string().max(200).optional(),
});
export type Mark = z.infer<typeof Mark>;

const word = "enact-factory-state";
/** Nothing in it is markup to anybody, and braces end it. */
const escaped = (text: string): string => text.replace(/[{}<>&`\\]/g, (sign) => (sign === "\\" ? sign : `\\u${sign.charCodeAt(0).toString(16).padStart(4, "0")}`));

export const renderMark = (mark: Mark): string => {
  const { id, status, published, left, revision } = mark;
  const kept = { id, status, gates: mark.gates, published, left, revision };
  return [
    `**Enact Factory** ${id}${status === undefined ? "" : `: ${status}`}`,
    "",
    ...gates.map((gate) => `- [${mark.gates.includes(gate) ? "x" : " "}] ${gate}`),
    "",
    ...(published === undefined ? [] : [`Published: ${published.replace(/[`<>]/g, "'").replace(/\s+/g, " ").slice(0, 500)}`, ""]),
    ...(left === undefined ? [] : [`The state was left at ${left.replace(/[`<>]/g, "'")}, as somebody had set it.`, ""]),
    `\`${word} {${escaped(JSON.stringify(kept).slice(1, -1))}}\``,
  ].join("\n");
};

/** I2. */
export const readMark = (text: string): Mark | undefined => {
  const found = new RegExp(`${word}\\s+(\\{[^{}]*\\})`).exec(/&quot;|<[a-z]/i.test(text) ? plainOf(text) : text)?.[1];
  if (found === undefined) return undefined;
  try {
    const parsed = Mark.safeParse(JSON.parse(found));
    return parsed.success ? parsed.data : undefined;
  } catch {
    return undefined;
  }
};

/** What the comment says once this was told, too. */
export const markWith = (known: Mark | undefined, id: Remembered["id"], set: SourceUpdate): Mark => {
  const met = new Set<Gate>(known?.gates);
  for (const gate of gates) {
    const told = set.gates?.[gate];
    if (told === true) met.add(gate);
    if (told === false) met.delete(gate);
  }
  const status = set.status ?? known?.status, published = set.published ?? known?.published;
  return { id, gates: gates.filter((gate) => met.has(gate)), ...(status === undefined ? {} : { status }), ...(published === undefined ? {} : { published }), ...(known?.revision === undefined ? {} : { revision: known.revision }) };
};
