/** The configuration schema as a plain tree: what the template prints, `validate` suggests and `redact` hides. */
import { z } from "zod";
import { Config } from "../domain/config.ts";
import type { KeyPath } from "./toml-positions.ts";

interface About { readonly description: string; readonly secret: boolean; readonly examples: readonly unknown[] }
export interface Leaf extends About { readonly kind: "leaf"; readonly fallback: unknown; readonly required: boolean; readonly options: readonly string[] }
export interface Table extends About { readonly kind: "table"; readonly keys: ReadonlyMap<string, SchemaNode> }
/** An array of tables: `[[projects]]`. */
export interface Tables extends About { readonly kind: "tables"; readonly item: Table }
export type SchemaNode = Leaf | Table | Tables;

const about = (schema: z.core.$ZodType, inner: About | undefined): About => {
  const meta = z.globalRegistry.get(schema);
  return {
    description: meta?.description ?? inner?.description ?? "",
    secret: meta?.["secret"] === true || inner?.secret === true,
    examples: Array.isArray(meta?.examples) ? meta.examples : inner?.examples ?? [],
  };
};

const build = (schema: z.core.$ZodType): SchemaNode => {
  if (schema instanceof z.ZodOptional) {
    const inner = build(schema.unwrap());
    return inner.kind === "leaf" ? { ...inner, ...about(schema, inner), required: false } : { ...inner, ...about(schema, inner) };
  }
  if (schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault) {
    const inner = build(schema.unwrap());
    return inner.kind === "leaf" ? { ...inner, ...about(schema, inner), required: false, fallback: schema.def.defaultValue } : { ...inner, ...about(schema, inner) };
  }
  if (schema instanceof z.ZodPipe) {
    const inner = build(schema.in);
    return { ...inner, ...about(schema, inner) };
  }
  if (schema instanceof z.ZodObject) {
    const shape: Readonly<Record<string, z.core.$ZodType>> = schema.shape;
    return { kind: "table", ...about(schema, undefined), keys: new Map(Object.entries(shape).map(([key, value]) => [key, build(value)])) };
  }
  if (schema instanceof z.ZodArray) {
    const item = build(schema.element);
    if (item.kind === "table") return { kind: "tables", ...about(schema, undefined), item };
  }
  const options = schema instanceof z.ZodEnum ? schema.options.map(String) : [];
  return { kind: "leaf", ...about(schema, undefined), fallback: undefined, required: true, options };
};

const asTable = (node: SchemaNode): Table => {
  if (node.kind !== "table") throw new TypeError("the configuration schema is no table");
  return node;
};

/** The whole configuration. */
export const schemaTree: Table = asTable(build(Config));

/** What the schema knows at a path; array positions are stepped over. */
export const nodeAt = (path: KeyPath): SchemaNode | undefined => {
  let current: SchemaNode | undefined = schemaTree;
  for (const step of path) {
    if (current === undefined) return undefined;
    if (typeof step === "number") current = current.kind === "tables" ? current.item : undefined;
    else current = current.kind === "table" ? current.keys.get(step) : undefined;
  }
  return current;
};

/** Every key of the schema: dotted table names, without array positions. */
export const everyKey = (table: Table = schemaTree, prefix: readonly string[] = []): readonly { readonly path: readonly string[]; readonly node: SchemaNode }[] =>
  [...table.keys].flatMap(([key, node]) => {
    const path = [...prefix, key];
    const below = node.kind === "table" ? everyKey(node, path) : node.kind === "tables" ? everyKey(node.item, path) : [];
    return [{ path, node }, ...below];
  });
