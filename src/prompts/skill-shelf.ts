/**
 * The packaged skills, and a project's own versions of them.
 *
 * Owns nothing: files are read when they are asked for. Talks to: the file system only.
 * I1 Only names of the package are ever part of a path. I2 A project's version is a regular file inside its repository once all links are
 * resolved, at most 64 KiB of UTF-8; one that is not is refused, never passed over in silence.
 */
import { constants } from "node:fs";
import { open, readdir, readFile, realpath } from "node:fs/promises";
import { isAbsolute, join, relative, sep } from "node:path";
import { z } from "zod";
import { ClientProblem } from "../client/contract.ts";
import type { Skill, SkillShelf } from "../client/skills.ts";
import { Stage } from "../domain/stage.ts";

/** The bundle puts them beside the bin under the same name. */
const packagedFolder = join(import.meta.dirname, "skills");
/** Below the root of a repository. */
const ownFolder = join(".enact", "skills");
const mostBytes = 65_536;

export const skillShelf = (folder: string = packagedFolder): SkillShelf => {
  const names = async (): Promise<readonly string[]> => {
    const found = await readdir(folder).catch(() => []);
    if (found.length === 0) throw new ClientProblem("the packaged skills are missing: this build is not complete", "build it again with npm run build, or install the package again");
    return found.filter((name) => name.endsWith(".md")).map((name) => name.slice(0, -3)).toSorted();
  };
  const readSkill = async (name: string, repository: string | null): Promise<Skill> => {
    const packaged = parts(await readFile(join(folder, `${name}.md`), "utf8"));
    const own = repository === null ? undefined : await ownVersion(repository, name);
    const front = Front.parse(packaged.front);
    if (own === undefined) return { name, description: front.description, stage: front.stage, from: "packaged", text: packaged.text };
    const { description } = Front.partial().catch({}).parse(own.front);
    return { name, description: description ?? front.description, stage: front.stage, from: "project", text: own.text };
  };
  return {
    list: async (repository) => (await Promise.all((await names()).map((name) => readSkill(name, repository)))).map(({ text: _, ...summary }) => summary),
    read: async (name, repository) => {
      const known = await names();
      if (!known.includes(name)) throw new ClientProblem(`there is no skill ${JSON.stringify(name.slice(0, 80))}`, `the packaged skills are ${known.join(", ")}`);
      return readSkill(name, repository);
    },
  };
};

const Front = z.object({ description: z.string().min(1), stage: Stage.nullable().default(null) });

/** Front matter of single lines, `key: value`, between two `---`; it may be absent. */
const parts = (whole: string): { readonly front: Readonly<Record<string, string>>; readonly text: string } => {
  const source = whole.replace(/^\uFEFF/, "").replaceAll("\r\n", "\n");
  const found = /^---\n([\s\S]*?)\n---\n/.exec(source);
  if (found === null) return { front: {}, text: `${source.trim()}\n` };
  const front = Object.fromEntries((found[1] ?? "").split("\n").flatMap((line) => { const [, key, value] = /^(\w+):\s*(.+?)\s*$/.exec(line) ?? []; return key === undefined || value === undefined ? [] : [[key, value]]; }));
  return { front, text: `${source.slice(found[0].length).trim()}\n` };
};

/** `undefined`: the project has none. */
const ownVersion = async (repository: string, name: string): Promise<ReturnType<typeof parts> | undefined> => {
  const written = join(ownFolder, `${name}.md`);
  const refuse = (why: string): never => { throw new ClientProblem(`the project's own skill ${written} cannot be used: ${why}`, "mend or remove that file"); };
  let path: string, root: string;
  try {
    root = await realpath(repository);
    path = await realpath(join(root, written));
  } catch (error) {
    if (error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ENOTDIR")) return undefined;
    return refuse("it cannot be looked at");
  }
  const way = relative(root, path);
  if (way === "" || way === ".." || way.startsWith(`..${sep}`) || isAbsolute(way)) refuse("it is a link that leads out of the repository");
  const content = await readSome(path).catch(() => refuse("it cannot be read"));
  if (typeof content === "string") return refuse(content);
  try {
    return parts(new TextDecoder("utf-8", { fatal: true }).decode(content));
  } catch {
    return refuse("it is not UTF-8 text");
  }
};

/** The file may be exchanged between looking and opening: no link is followed here, and a FIFO does not block. */
const readSome = async (path: string): Promise<Buffer | string> => {
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const about = await file.stat();
    if (!about.isFile()) return "it is no regular file";
    const buffer = Buffer.alloc(mostBytes + 1);
    let length = 0;
    for (;;) {
      const { bytesRead } = await file.read(buffer, length, buffer.length - length, length);
      length += bytesRead;
      if (bytesRead === 0 || length === buffer.length) break;
    }
    return length > mostBytes ? `it has more than ${mostBytes / 1_024} KiB` : buffer.subarray(0, length);
  } finally {
    await file.close();
  }
};
