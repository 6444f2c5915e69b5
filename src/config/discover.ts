/** Which configuration file is in use: `--config`, else config.toml walking up from the working directory, else ~/.enact/config.toml. */
import { readFileSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { isSlip, nearest } from "../domain/nearest.ts";
import { schemaTree } from "./schema-tree.ts";
import { readSyntax } from "./syntax.ts";
import { readYaml } from "./yaml.ts";

export interface Place { readonly cwd: string; readonly home: string }
export interface Skipped { readonly file: string; readonly why: string }
/** `file: null`: the built-in defaults. `skipped`: files that were passed over on the way, to be said. */
export interface Found { readonly file: string | null; readonly skipped: readonly Skipped[] }

export const homeConfig = (home: string): string => join(home, ".enact", "config.toml");

export const discover = (place: Place, explicit?: string): Found => {
  if (explicit !== undefined) return { file: resolve(place.cwd, expandHome(explicit, place.home)), skipped: [] };
  const skipped: Skipped[] = [];
  for (let directory = resolve(place.cwd); ; directory = dirname(directory)) {
    const file = join(directory, "config.toml");
    const why = reasonToSkip(file);
    if (why === undefined) return { file, skipped };
    if (why !== "absent") skipped.push({ file, why });
    if (dirname(directory) === directory) break;
  }
  const file = homeConfig(place.home);
  const why = reasonToSkip(file, true);
  if (why === undefined) return { file, skipped };
  if (why !== "absent") skipped.push({ file, why });
  return { file: null, skipped };
};

/** `~` and `~/x` only; another user's home is not ours to guess. */
export const expandHome = (path: string, home: string): string => (path === "~" ? home : path.startsWith("~/") ? join(home, path.slice(2)) : path);

/**
 * A configuration names commands to run, so a file that somebody else could have put there is not taken,
 * nor is another tool's config.toml.
 */
const reasonToSkip = (file: string, certainlyOurs = false): string | undefined => {
  let text: string;
  try {
    const found = statSync(file);
    if (!found.isFile()) return "not a file";
    const uid = process.getuid?.();
    if (uid !== undefined && found.uid !== uid && found.uid !== 0) return "it belongs to another user; name it with --config to use it all the same";
    text = readFileSync(file, "utf8");
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code === "ENOENT" || code === "ENOTDIR") return "absent";
    return `it cannot be read (${String(code)})`;
  }
  return certainlyOurs || isOurs(text, file) ? undefined : "it has none of the sections of an Enact Factory configuration";
};

/** Sections that no other tool is likely to have; the others also occur in foreign files. */
const telling = new Set(["autonomous", "azdo", "discord", "limits", "progress", "scheduler", "sources", "verify", "workspace"]);

const isOurs = (text: string, file: string): boolean => {
  const syntax = readSyntax(text, file);
  let keys = Object.keys(syntax.value);
  if (syntax.problems.length > 0) {
    const yaml = readYaml(text);
    const inYaml = yaml.ok && typeof yaml.value === "object" && yaml.value !== null ? Object.keys(yaml.value) : [];
    const headers = [...text.matchAll(/^\s*\[{1,2}\s*([A-Za-z0-9_-]+)/gm)].map((match) => match[1] ?? "");
    keys = [...keys, ...inYaml, ...headers];
  }
  if (keys.length === 0) return true;
  const known = [...schemaTree.keys.keys()];
  const ours = keys.filter((key) => {
    const near = nearest(key, known);
    return near !== undefined && (near.edits === 0 || (near.edits <= 2 && isSlip(key, near.edits)));
  });
  return ours.some((key) => telling.has(key)) || ours.length * 2 >= keys.length;
};
