const patterns: readonly RegExp[] = [
  /-----BEGIN [A-Z ]*PRIVATE KEY-----[^]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)/g,
  /\b(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,}|glpat-[A-Za-z0-9_-]{15,}|sk-[A-Za-z0-9_-]{20,}|xox[abprs]-[A-Za-z0-9-]{10,}|AKIA[0-9A-Z]{16}|AIza[A-Za-z0-9_-]{30,}|npm_[A-Za-z0-9]{30,})\b/g,
  /\beyJ[A-Za-z0-9_-]{6,}\.[A-Za-z0-9_-]{6,}\.[A-Za-z0-9_-]{8,}/g,
  /(?<=:\/\/[^\s:@/]{0,100}:)[^\s@/]{1,200}(?=@)/g,
  /(?<=\b(?:authorization|proxy-authorization)["']?\s*[:=]\s*["']?(?:bearer |basic |token )?)[A-Za-z0-9._~+/=-]{8,}/gi,
  /(?<=\b[A-Za-z0-9_]{0,40}(?:api_?key|secret|token|passw(?:or)?d)["']?\s*[:=]\s*["']?)[^\s"',;]{8,}/gi,
];

/** Takes what looks like a secret out of a check's output. By pattern, so a help, not a proof. */
export const redact = (text: string): string => patterns.reduce((kept, pattern) => kept.replace(pattern, "[redacted]"), text);
