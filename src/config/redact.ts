/** The configuration as it may be shown. Which keys are secret, the schema says. */
import type { Config } from "../domain/config.ts";
import { schemaTree, type SchemaNode } from "./schema-tree.ts";

const hidden = "•••";

/** Keeps user, host and database of a URL; hides its password and its query. */
const hide = (value: unknown): unknown => {
  if (typeof value !== "string" || value === "") return value;
  if (!/^postgres(ql)?:/.test(value) || !URL.canParse(value)) return hidden;
  const url = new URL(value);
  return `${url.protocol}//${url.username === "" ? "" : `${url.username}${url.password === "" ? "" : `:${hidden}`}@`}${url.host}${url.pathname}${url.search === "" ? "" : `?${hidden}`}`;
};

const walk = (value: unknown, node: SchemaNode | undefined, onSecret: (value: unknown) => unknown): unknown => {
  if (value === undefined || node === undefined) return value;
  if (node.kind === "tables") return Array.isArray(value) ? value.map((item) => walk(item, node.item, onSecret)) : value;
  if (node.kind === "table") return typeof value === "object" && value !== null ? Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, walk(inner, node.keys.get(key), onSecret)])) : value;
  return node.secret ? onSecret(value) : value;
};

/** A copy for people to see; JSON. */
export const redact = (config: Config): unknown => walk(config, schemaTree, hide);

/** The secret texts themselves, passwords of URLs included, for those who scrub them from output. */
export const secretValues = (config: Config): readonly string[] => {
  const found: string[] = [];
  walk(config, schemaTree, (value) => {
    if (typeof value !== "string" || value === "") return value;
    found.push(value);
    // A short password such as the conventional "enact" would blot out half of every output.
    const password = URL.canParse(value) ? new URL(value).password : "";
    if (password.length >= 8) found.push(password, decoded(password));
    return value;
  });
  return [...new Set(found)];
};

const decoded = (text: string): string => {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
};
