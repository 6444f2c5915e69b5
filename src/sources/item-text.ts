/** Texts of an item within the domain's caps. Pure; the texts are hostile. */

/** In UTF-16 units. What is longer is cut with a marker that says where the rest is. */
const titleCap = 4_000;
const bodyCap = 1_000_000;

/** Control characters, line ends and direction overrides would let a title write over a screen or a log. */
const oneLine = (text: string): string => text.replace(/[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]+/gu, " ").replace(/\p{Surrogate}/gu, "\ufffd").trim();

/** At most `cap` units, marker included, never half of a surrogate pair. */
const cut = (text: string, cap: number, marker: (left: number) => string): string => {
  let kept = cap - marker(text.length).length;
  if (/[\ud800-\udbff]/.test(text[kept - 1] ?? "")) kept -= 1;
  return text.slice(0, kept) + marker(text.length - kept);
};

export const cutTitle = (text: string): string => {
  const title = oneLine(text);
  return title.length > titleCap ? cut(title, titleCap, (left) => ` … [cut: ${left} more characters; the whole title is in the description]`) : title;
};
/** `more`: what else of it is missing already. */
export const cutBody = (text: string, where: string, more: { readonly beside: string; readonly inside: string } = { beside: "", inside: "" }): string => {
  const whole = text.replaceAll("\0", "\ufffd");
  return whole.length + more.beside.length > bodyCap ? cut(whole, bodyCap, (left) => `\n… [cut: ${left} more characters${more.inside} are in ${where}]`) : `${whole}${more.beside}`;
};
