import { concealed, withoutShapes } from "../domain/secret.ts";

/** What a program that prints its settings shows; too wide for texts that people write. */
const settings: readonly RegExp[] = [
  /(?<=\b(?:authorization|proxy-authorization)["']?\s*[:=]\s*["']?(?:bearer |basic |token )?)[A-Za-z0-9._~+/=-]{8,}/gi,
  /(?<=\b[A-Za-z0-9_]{0,40}(?:api_?key|secret|token|passw(?:or)?d)["']?\s*[:=]\s*["']?)[^\s"',;]{8,}/gi,
];

/** Takes what looks like a secret out of a check's output. By pattern, so a help, not a proof. */
export const redact = (text: string): string => settings.reduce((kept, pattern) => kept.replace(pattern, concealed), withoutShapes(text));
