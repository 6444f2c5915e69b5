/**
 * `${VAR}` and `${VAR:-default}` in texts. The default may itself hold references; `$${` is a literal `${`.
 * An empty variable counts as unset where a default is given.
 */

/** What a reference resolves to: a value, or the reason why there is none. */
export type Lookup = (name: string) => { readonly value: string } | { readonly missing: string };
export type Expansion = { readonly ok: true; readonly text: string } | { readonly ok: false; readonly problems: readonly string[] };

export const expand = (text: string, lookup: Lookup): Expansion => {
  const problems: string[] = [];
  let out = "";
  let at = 0;
  while (at < text.length) {
    if (text.startsWith("$${", at)) {
      out += "${";
      at += 3;
    } else if (text.startsWith("${", at)) {
      const end = closing(text, at + 2);
      if (end === -1) {
        problems.push("${ has no closing brace; write $${ for the two characters themselves");
        break;
      }
      out += reference(text.slice(at + 2, end), lookup, problems);
      at = end + 1;
    } else {
      const next = text.indexOf("$", at + 1);
      const stop = next === -1 ? text.length : next;
      out += text.slice(at, stop);
      at = stop;
    }
  }
  return problems.length === 0 ? { ok: true, text: out } : { ok: false, problems };
};

/** The brace that closes a reference whose inside starts at `from`; references in defaults nest. */
const closing = (text: string, from: number): number => {
  let depth = 0;
  for (let at = from; at < text.length; at += 1) {
    if (text.startsWith("${", at)) {
      depth += 1;
      at += 1;
    } else if (text[at] === "}") {
      if (depth === 0) return at;
      depth -= 1;
    }
  }
  return -1;
};

const reference = (inside: string, lookup: Lookup, problems: string[]): string => {
  const match = /^([A-Za-z_][A-Za-z0-9_]*)(?::-([\s\S]*))?$/.exec(inside);
  const name = match?.[1];
  if (name === undefined) {
    problems.push(`\${${inside}} is no reference; write \${VAR} or \${VAR:-default}`);
    return "";
  }
  const found = lookup(name);
  const fallback = match?.[2];
  if ("value" in found && (found.value !== "" || fallback === undefined)) return found.value;
  if (fallback !== undefined) {
    const expanded = expand(fallback, lookup);
    if (expanded.ok) return expanded.text;
    problems.push(...expanded.problems);
    return "";
  }
  if ("missing" in found) problems.push(found.missing);
  return "";
};
