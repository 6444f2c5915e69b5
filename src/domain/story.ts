import { z } from "zod";

/** One part of an item's work that is done and judged by itself. */
export const Story = z.object({
  /** 1-based, in the order of the text. */
  id: z.number().int().positive(),
  title: z.string(),
  /** What an approval bound to its own request has said of it. */
  passes: z.boolean(),
  /** The request and the commit that passed; empty until then. */
  evidence: z.string(),
});
export type Story = z.infer<typeof Story>;

/** More parts than this are one part: nobody judges so many apart. */
const most = 20;
const titleCap = 300;

/**
 * The stories of an item: its open check boxes (`- [ ] text`, outside of code fences), one each; without any, the whole item. Boxes that
 * are ticked are done and no stories.
 */
export const storiesOf = ({ title, body }: { readonly title: string; readonly body: string }): readonly Story[] => {
  const found: string[] = [];
  let fence = "";
  for (const line of body.split(/\r?\n/)) {
    const mark = /^ {0,3}(`{3,}|~{3,})/.exec(line)?.[1];
    if (mark !== undefined) fence = fence === "" ? mark : mark.startsWith(fence) ? "" : fence;
    const text = fence === "" ? /^\s*[-*+] \[ \] +(\S.*)$/.exec(line)?.[1] : undefined;
    if (text !== undefined) found.push(text.trim().slice(0, titleCap));
  }
  const parts = found.length === 0 || found.length > most ? [title.slice(0, titleCap)] : found;
  return parts.map((each, n) => ({ id: n + 1, title: each, passes: false, evidence: "" }));
};
