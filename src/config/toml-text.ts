/** TOML as a person would write it, for hints and templates. */
import { stringify } from "smol-toml";
import type { KeyPath } from "./toml-positions.ts";

export const tomlKey = (key: string): string => (/^[A-Za-z0-9_-]+$/.test(key) ? key : JSON.stringify(key));

/** A value on one line; tables become inline tables. */
export const tomlValue = (value: unknown): string => {
  if (Array.isArray(value)) return `[${value.map(tomlValue).join(", ")}]`;
  if (typeof value === "object" && value !== null && !(value instanceof Date)) {
    const pairs = Object.entries(value).filter(([, inner]) => inner !== undefined && inner !== null);
    return pairs.length === 0 ? "{}" : `{ ${pairs.map(([key, inner]) => `${tomlKey(key)} = ${tomlValue(inner)}`).join(", ")} }`;
  }
  return stringify({ v: value }).trimEnd().replace(/^v = /, "");
};

export const tomlPair = (key: string, value: unknown): string => `${tomlKey(key)} = ${tomlValue(value)}`;

/** `[a.b]`, or `[[a]]` for the table of an array. The path ends with the table itself. */
export const tomlHeader = (path: readonly string[], array: boolean): string => {
  const name = path.map(tomlKey).join(".");
  return array ? `[[${name}]]` : `[${name}]`;
};

/** A key path as people say it: `projects[1].name`, counting from 1. */
export const keyName = (path: KeyPath): string =>
  path.reduce<string>((name, step) => (typeof step === "number" ? `${name}[${step + 1}]` : name === "" ? tomlKey(step) : `${name}.${tomlKey(step)}`), "");
