/** A commented config.toml made from the schema, so that neither can say what the other does not. */
import { everyKey, type Leaf, type SchemaNode, schemaTree, type Table } from "./schema-tree.ts";
import { tomlHeader, tomlPair } from "./toml-text.ts";

/** What `init --postgres` writes. */
export const conventionalPostgresUrl = "postgres://enact:enact@localhost:45432/enact_factory_dev";

export interface TemplateOptions {
  /**
   * `init`: defaults and examples stand commented out (`#key = value`), only what is named below is live.
   * `example`: every key is live.
   */
  readonly kind: "init" | "example";
  /** Live as the first project; relative to the file is best. */
  readonly project?: { readonly name: string; readonly projectPath: string };
  /** Live as store.url. */
  readonly storeUrl?: string;
}

export const renderTemplate = (options: TemplateOptions): string => {
  const lines = [
    "# Enact Factory configuration.",
    ...(options.kind === "init"
      ? ["# Every key may be absent: a commented one shows its default, or an example where there is none.", "# Take the # away to set it; `enact-factory validate` says what is wrong and what to write."]
      : ["# Every key there is, each with its default or an example. Copy what you need: every key may be absent."]),
    "# In texts, ${VAR} and ${VAR:-default} come from the environment or from a .env file beside this one; $${ is a plain ${.",
  ];
  const live = new Map<string, unknown>();
  if (options.storeUrl !== undefined) live.set("store.url", options.storeUrl);
  if (options.project !== undefined) for (const [key, value] of Object.entries(options.project)) live.set(`projects.${key}`, value);
  lines.push("");
  section(schemaTree, [], lines, { all: options.kind === "example", live, said: new Set() });
  return `${lines.join("\n")}\n`;
};

interface Liveness {
  readonly all: boolean;
  readonly live: ReadonlyMap<string, unknown>;
  /** Comments that stand in the text already: the stages need theirs once. */
  readonly said: Set<string>;
}

/** Pairs first, then tables: in TOML a pair after a table's header would belong to that table. */
const section = (table: Table, path: readonly string[], lines: string[], liveness: Liveness): void => {
  for (const [key, node] of table.keys) if (node.kind === "leaf") leaf(key, node, [...path, key].join("."), lines, liveness);
  for (const [key, node] of table.keys) if (node.kind !== "leaf") subsection(node, [...path, key], lines, liveness);
};

const subsection = (node: Exclude<SchemaNode, Leaf>, path: readonly string[], lines: string[], liveness: Liveness): void => {
  const inner = node.kind === "tables" ? node.item : node;
  // A table that only holds tables needs no header of its own; one of an array exists only when it is written.
  const pairs = [...inner.keys.values()].some((child) => child.kind === "leaf");
  if (pairs) lines.push("", `# ${node.description}`);
  const optional = node.kind === "tables" || path[0] === "projects";
  const mark = liveness.all || !optional || [...liveness.live.keys()].some((key) => key.startsWith(`${path.join(".")}.`)) ? "" : "#";
  if (pairs) lines.push(`${mark}${tomlHeader(path, node.kind === "tables")}`);
  section(inner, path, lines, liveness);
};

const leaf = (key: string, node: Leaf, name: string, lines: string[], liveness: Liveness): void => {
  const given = liveness.live.get(name);
  const empty = Array.isArray(node.fallback) && node.fallback.length === 0;
  // In the example file an empty list would show nothing.
  const shown = node.fallback === undefined || (liveness.all && empty) ? node.examples[0] : node.fallback;
  const others = node.examples.filter((example) => example !== shown).map((example) => tomlPair(key, example));
  const comment = [`# ${node.description}`, ...(others.length === 0 ? [] : [`# For example ${others.join(", ")}`])].join("\n");
  if (!liveness.said.has(`${key} ${comment}`)) lines.push(comment);
  liveness.said.add(`${key} ${comment}`);
  lines.push(`${liveness.all || given !== undefined ? "" : "#"}${tomlPair(key, given ?? shown)}`);
};

/** A `.env` to put beside the configuration: every variable that the examples refer to, empty. Older aliases are left out. */
export const renderEnvTemplate = (): string => {
  const names = everyKey().flatMap(({ node }) => node.examples.flatMap((example) => (typeof example === "string" ? [...example.matchAll(/^\$\{([A-Z_]+)/g)].map((match) => match[1] ?? "") : [])));
  return ["# Secrets of the configuration beside this file. Keep it out of git. A variable of the real environment wins.", ...[...new Set(names)].map((name) => `${name}=`)].join("\n") + "\n";
};
