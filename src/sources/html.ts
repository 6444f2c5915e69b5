/** What a tracker's HTML says, as plain text. Pure; the text is hostile, and what comes out is only ever data. */
const breaks = /<(?:br|hr)\s*\/?>|<\/(?:p|div|h[1-6]|li|tr|pre|blockquote|ul|ol|table)\s*>/gi;
const entities: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'", nbsp: " " };
const entity = (whole: string, name: string): string => {
  if (!name.startsWith("#")) return entities[name.toLowerCase()] ?? whole;
  const code = /^#x/i.test(name) ? Number.parseInt(name.slice(2), 16) : Number.parseInt(name.slice(1), 10);
  return Number.isInteger(code) && code > 0 && code <= 0x10_ff_ff && !(code >= 0xd8_00 && code <= 0xdf_ff) ? String.fromCodePoint(code) : whole;
};

export const plainOf = (html: string): string => html
  .replace(/<(script|style)\b[^>]*>[^]*?<\/\1\s*>/gi, "")
  .replace(/<li\b[^>]*>/gi, "- ")
  .replace(breaks, "\n")
  .replace(/<!--[^]*?-->/g, "")
  .replace(/<\/?[a-z][^<>]*>/gi, "")
  .replace(/&(#x?[0-9a-f]{1,6}|[a-z]{2,6});/gi, entity)
  .replace(/[ \t]+\n/g, "\n").replace(/\n{3,}/g, "\n\n").trim();

/** Some fields are HTML, some Markdown, by how they were written. */
export const looksLikeHtml = (text: string): boolean => /<(?:p|div|br|span|ul|ol|li|h[1-6]|table|b|i|a|strong|em|pre|img)\b[^<>]*>/i.test(text);
