/**
 * Texts of others within a prompt, between two lines that nobody but us can write.
 *
 * I1 The mark is made from the texts themselves and a secret-free seed, and stands in none of them: no text can close its fence or open another. The same
 * texts give the same mark. I2 No answer block survives in a fenced text: an agent that repeats it repeats a quotation.
 */
import { createHash } from "node:crypto";

/** Digits: short enough to be copied by a model, long enough that nobody tries a text until it holds its own mark. */
const markDigits = 12;

/** A mark that stands in none of these texts. */
export const markFor = (seed: string, fenced: readonly string[]): string => {
  const hash = createHash("sha256").update(JSON.stringify([seed, ...fenced])).digest("hex");
  for (let n = 0; ; n++) {
    const mark = createHash("sha256").update(`${hash} ${n}`).digest("hex").slice(0, markDigits);
    if (!fenced.some((text) => text.toLowerCase().includes(mark))) return mark;
  }
};

/** I2. Wherever it stands in a line: a block of a diff or of a quotation is one once its first characters are gone. */
export const disarmed = (text: string): string => text.replaceAll(/([`~]{3,}[^\S\r\n]*)(?=enact-)/gi, "$1quoted-");

/** Between its lines. `text` must be disarmed. */
export const fenced = (name: string, mark: string, text: string): string => `<${name}-${mark}>\n${text}\n</${name}-${mark}>`;
