/**
 * A prompt as a page of sections, made to fit.
 *
 * I1 The page is never longer than it may be. I2 Our own sentences (duty, introductions, form of the answer) are never cut. I3 What is cut says so right below
 * its fence: how much, and where the rest is. I4 Every text of others is fenced.
 */
import type { PromptCut } from "../ports/prompts.ts";
import { allotted, bytesOf, headOf } from "./cut.ts";
import { disarmed, fenced, markFor } from "./fence.ts";
import type { Say } from "./words.ts";

/** What can be cut, in that order, and the share of the room that each keeps at least: first what is cheap to read again, last what people said. */
const shares = { change: 0.28, board: 0.04, "work-item": 0.24, conflicts: 0.02, "failing-checks": 0.04, findings: 0.06, feedback: 0.08, reason: 0.02, task: 0.1, message: 0.08, question: 0.02, answer: 0.02 } as const;
type PartName = keyof typeof shares;
const cutOrder = Object.keys(shares);

/** A text of others. `intro`: what it is. */
export interface Part {
  readonly name: PartName;
  readonly intro: string;
  readonly text: string;
  /** Where the rest of it can be read. */
  readonly rest: string;
  /** The text itself may have been cut before it came here. */
  readonly open?: true;
}
/** A sentence of ours, or a text of others. */
export type Section = string | Part;

export interface Page { readonly text: string; readonly cuts: readonly PromptCut[] }

const separator = "\n\n";

/** `head`: first, before what is said of the fences. */
export const pageOf = (say: Say, seed: string, most: number, head: string, sections: readonly Section[]): Page => {
  const parts = sections.flatMap((section) => (typeof section === "string" ? [] : [{ ...section, text: disarmed(section.text.toWellFormed()) }]));
  const mark = markFor(seed, parts.map(({ text }) => text));
  const alike = (name: PartName): number => parts.filter((part) => part.name === name).length;
  const notice = (part: Part, kept: number): string => {
    const bytes = bytesOf(part.text), left = bytes - kept;
    return part.open === true ? say("material", "cutMore", { name: part.name, left, kept, most, where: part.rest }) : say("material", "cut", { name: part.name, left, bytes, most, where: part.rest });
  };
  const build = (kept: ReadonlyMap<Part, string>): string => {
    let next = 0;
    const shown = sections.map((section) => {
      if (typeof section === "string") return section;
      const part = parts[next++] ?? section, text = kept.get(part) ?? part.text;
      const whole = `${part.intro}\n${fenced(part.name, mark, text)}`;
      return text.length === part.text.length ? whole : `${whole}\n${notice(part, bytesOf(text))}`;
    });
    return [head, say("material", "data", { mark }), ...shown].join(separator);
  };

  const whole = build(new Map());
  if (bytesOf(whole) <= most) return { text: whole, cuts: [] };
  // The longest that a notice can be: with the most digits.
  const reserved = parts.reduce((sum, part) => sum + 1 + Math.max(bytesOf(notice(part, 0)), bytesOf(notice(part, bytesOf(part.text)))) + String(bytesOf(part.text)).length, 0);
  const ordered = parts.toSorted((a, b) => cutOrder.indexOf(a.name) - cutOrder.indexOf(b.name));
  const inParts = parts.reduce((sum, { text }) => sum + bytesOf(text), 0);
  const given = allotted(ordered.map((part) => ({ bytes: bytesOf(part.text), share: shares[part.name] / alike(part.name) })), most - (bytesOf(whole) - inParts) - reserved);
  const kept = new Map(ordered.map((part, n) => [part, headOf(part.text, given[n] ?? 0)]));
  const cuts = parts.flatMap((part): readonly PromptCut[] => {
    const of = bytesOf(part.text), left = of - bytesOf(kept.get(part) ?? part.text);
    return left === 0 ? [] : [{ name: part.name, left, of }];
  });
  return { text: build(kept), cuts };
};
