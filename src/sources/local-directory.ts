/**
 * Work items from a directory: one `.md` or `.toml` file each. Owns nothing: every poll reads the directory as it is.
 * Talks to the file system only; intake decides what is new. Format: docs/sources.md.
 *
 * I1 sourceId is the file's `id`, else its name: editing a file or reading it again never makes a second item.
 * I2 no file outside of the directory is opened, whatever links stand in it.
 * I3 one bad file never hides another: it is listed as malformed.
 * I4 what was taken in stays as it was: a file that is edited, closed or taken away later says nothing.
 */
import { constants, watch } from "node:fs";
import { open, readdir, realpath } from "node:fs/promises";
import { isAbsolute, join, relative, resolve, sep } from "node:path";
import { Effect } from "effect";
import { type Absent, type Found, type Listed, type Malformed, type Offered, SourceMisread, type SourceShape, SourceUnavailable } from "../ports/source.ts";
import { readItem } from "./item-file.ts";
import { projectOf, type SourceProject } from "./project-of.ts";

export interface LocalDirectoryOptions {
  /** Absolute. */
  readonly directory: string;
  readonly projects: readonly SourceProject[];
  /** Project of items that name none; the only project when there is one. */
  readonly project: string | undefined;
}

/** Bytes read of one file: enough for every body that fits the cap, however it is encoded. */
const mostBytes = 4_194_304;
const defaultPriority = 3;

export const localDirectory = (options: LocalDirectoryOptions, push: SourceShape["push"]): SourceShape => {
  const read = Effect.tryPromise({
    try: () => readDirectory(options),
    catch: (error) => new SourceUnavailable({ source: "local", message: `${options.directory} cannot be read: ${error instanceof Error ? error.message : String(error)}` }),
  });
  return {
    name: `local directory ${options.directory}`, kind: "local", followed: false, push,
    byStates: (wanted) => (wanted.includes("open") ? Effect.map(read, ({ items, malformed }): Listed => ({ found: items.map(asFound), malformed })) : Effect.succeed({ found: [], malformed: [] })),
    byIds: (ids) => (ids.length === 0 ? Effect.succeed(new Map()) : Effect.flatMap(read, ({ items, malformed }) => {
      const found = new Map<string, Found | Absent>(items.filter(({ sourceId }) => ids.includes(sourceId)).map((item) => [item.sourceId, asFound(item)]));
      const missing = ids.filter((id) => !found.has(id)), [first] = malformed;
      // The id of a file that cannot be read stands in that file.
      if (first !== undefined && missing.length > 0) return Effect.fail(new SourceMisread({ source: "local", message: `${first.sourceId} may be ${missing[0]}, but ${first.problem}` }));
      return Effect.succeed(new Map([...found, ...missing.map((id): [string, Absent] => [id, { absent: "no file has it" }])]));
    })),
    watch: (hint) => {
      try {
        const watcher = watch(options.directory, { persistent: false }, hint);
        // It is only a hint: the next poll says what is wrong with the directory.
        watcher.on("error", () => watcher.close());
        return () => watcher.close();
      } catch {
        return () => {};
      }
    },
    // A file of ours beside the directory is no memory: whoever lost the state has lost it too.
    recall: () => Effect.succeed(undefined),
  };
};

const asFound = (item: Offered): Found => ({ item, standing: "open", says: "there", laneNamed: true, spoken: false });

type Read = { readonly item: Offered; readonly file: string } | Malformed;

const readDirectory = async (options: LocalDirectoryOptions): Promise<{ readonly items: readonly Offered[]; readonly malformed: readonly Malformed[] }> => {
  const root = await realpath(options.directory);
  const names = (await readdir(root, { withFileTypes: true })).filter((entry) => !entry.isDirectory() && isItemName(entry.name)).map((entry) => entry.name).toSorted();
  const items: Offered[] = [];
  const malformed: Malformed[] = [];
  const files = new Map<string, string>();
  const ids = new Map<string, string>();
  for (const name of names) {
    const read = await readFile(root, name, options);
    if (!("item" in read)) {
      malformed.push(read);
      continue;
    }
    const twin = files.get(read.file);
    const namesake = ids.get(read.item.sourceId);
    if (twin !== undefined) malformed.push({ sourceId: name, problem: `it is the same file as ${twin}` });
    else if (namesake !== undefined) malformed.push({ sourceId: name, problem: `${namesake} has the id ${JSON.stringify(read.item.sourceId)} already` });
    else {
      files.set(read.file, name);
      ids.set(read.item.sourceId, name);
      items.push(read.item);
    }
  }
  return { items: items.toSorted((a, b) => a.createdAt - b.createdAt || (a.sourceId < b.sourceId ? -1 : 1)), malformed };
};

/** Hidden files and editors' leftovers are no items, nor is the directory's own README. */
const isItemName = (name: string): boolean => /^[^._~].*\.(md|toml)$/is.test(name) && !/^readme\.md$/i.test(name);

const isInside = (root: string, path: string): boolean => {
  const way = relative(root, path);
  return way !== "" && way !== ".." && !way.startsWith(`..${sep}`) && !isAbsolute(way);
};

const readFile = async (root: string, name: string, options: LocalDirectoryOptions): Promise<Read> => {
  const malformed = (problem: string): Malformed => ({ sourceId: name, problem });
  let content: Content;
  try {
    const path = await realpath(join(root, name));
    if (!isInside(root, path)) return malformed("it is a link that leads out of the directory");
    content = await readSome(path);
  } catch (error) {
    if (error instanceof TypeError) return malformed("the file is not UTF-8 text");
    return malformed(`it cannot be read (${error instanceof Error && "code" in error ? String(error.code) : String(error)})`);
  }
  if ("problem" in content) return malformed(content.problem);
  const read = readItem({ format: /\.md$/i.test(name) ? "md" : "toml", text: content.text, fileName: name, unread: content.unread });
  if (!read.ok) return malformed(read.problem);
  const { item } = read;
  const project = projectOf(item.project ?? options.project, options.projects, 'write project = "…"');
  if (typeof project === "string") return malformed(project);
  const playbook = item.playbook === undefined ? undefined : await playbookOf(root, item.playbook);
  if (playbook !== undefined && "problem" in playbook) return malformed(playbook.problem);
  return {
    file: content.identity,
    item: {
      source: "local",
      sourceId: item.id ?? name,
      title: item.title,
      body: item.body,
      kind: item.kind ?? "feature",
      priority: item.priority ?? defaultPriority,
      createdAt: Math.max(0, item.createdAt ?? content.modifiedAt),
      project: project.name,
      repository: project.repository,
      operatorLane: item.lane ?? project.lane,
      ...(playbook === undefined ? {} : { playbook: playbook.path }),
      ...(item.spans === undefined ? {} : { spans: [...item.spans] }),
      ...(item.approval ? { requireApproval: true } : {}),
    },
  };
};

type Content = { readonly text: string; readonly unread: number; readonly modifiedAt: number; readonly identity: string } | { readonly problem: string };

/** The file may be exchanged between looking and opening: no link is followed here, and a FIFO does not block. */
const readSome = async (path: string): Promise<Content> => {
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const about = await file.stat();
    if (!about.isFile()) return { problem: "it is no regular file" };
    const buffer = Buffer.alloc(Math.min(about.size, mostBytes));
    let length = 0;
    while (length < buffer.length) {
      const { bytesRead } = await file.read(buffer, length, buffer.length - length, length);
      if (bytesRead === 0) break;
      length += bytesRead;
    }
    const unread = Math.max(0, about.size - length);
    // A character cut in two at the end is left out; a broken one anywhere else is an error.
    const text = new TextDecoder("utf-8", { fatal: true }).decode(buffer.subarray(0, length), { stream: unread > 0 });
    return { text, unread, modifiedAt: Math.floor(about.mtimeMs), identity: `${about.dev}:${about.ino}` };
  } finally {
    await file.close();
  }
};

/** A playbook stands beside the items, also when a link says otherwise. */
const playbookOf = async (root: string, written: string): Promise<{ readonly path: string } | { readonly problem: string }> => {
  try {
    const path = await realpath(resolve(root, written));
    return isInside(root, path) ? { path } : { problem: `playbook ${JSON.stringify(written)} is outside of the directory` };
  } catch {
    return { problem: `there is no playbook ${JSON.stringify(written)} in the directory` };
  }
};
