/**
 * The one directory that the agent's own tools may touch.
 *
 * I1 A path is followed to its end, every symbolic link resolved, before anything is opened; what ends outside of the worktree, or in git's own files,
 * is refused. I2 Only regular files are read and written: a device or a FIFO could hold or flood the agent. I3 A file is replaced whole, by a rename in
 * its own directory, and keeps its mode; so it is never half written, and a second name of it elsewhere (a hard link) keeps what it had.
 */
import { closeSync, constants, fstatSync, lstatSync, mkdirSync, openSync, readSync, realpathSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { randomBytes } from "node:crypto";
import { dirname, isAbsolute, join, relative, resolve, sep } from "node:path";
import { codeOf, realTarget } from "../sandbox/real-target.ts";

/** A path that the agent may not touch, or that is not what the tool needs. `denied`: the first of these. */
export class PathRefused extends Error {
  readonly denied: boolean;
  constructor(message: string, denied: boolean) {
    super(message);
    this.denied = denied;
  }
}

/** Bytes of a file that tools work on. */
const fileCap = 8 * 1024 * 1024;

/** Some file systems take `.GIT` for `.git`. */
const isGits = (inner: string): boolean => inner.split(sep).some((part) => part.toLowerCase() === ".git");

export interface Place { /** With every link resolved. */ readonly real: string; /** As people and the model name it. */ readonly shown: string }

export interface Worktree {
  readonly root: string;
  /** Throws PathRefused. The path need not exist. */
  readonly place: (path: string) => Place;
  /** The whole text of a regular file. */
  readonly read: (path: string) => string;
  /** Undefined: there is none. */
  readonly readIfThere: (path: string) => string | undefined;
  readonly write: (path: string, text: string) => void;
  readonly remove: (path: string) => void;
}

/** `inside`: what commands call the worktree; the agent may call it that too. */
export const openWorktree = (directory: string, inside: string | undefined): Worktree => {
  const root = realpathSync(directory);

  const place = (path: string): Place => {
    if (path === "" || path.includes("\0")) throw new PathRefused("a path is needed", false);
    const local = inside !== undefined && (path === inside || path.startsWith(`${inside}/`)) ? `.${path.slice(inside.length)}` : path;
    let real: string;
    try {
      real = realTarget(resolve(root, local));
    } catch (cause) {
      throw new PathRefused(`${path} cannot be followed to its end (${String(codeOf(cause))})`, false);
    }
    const inner = relative(root, real);
    if (inner === ".." || inner.startsWith(`..${sep}`) || isAbsolute(inner)) throw new PathRefused(`${path} is outside of the worktree`, true);
    if (isGits(inner)) throw new PathRefused(`${path} is one of git's own files`, true);
    return { real, shown: inner === "" ? "." : inner };
  };

  const regular = (path: string, shown: string): number => {
    const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    const stat = fstatSync(fd);
    if (stat.isFile() && stat.size <= fileCap) return fd;
    closeSync(fd);
    throw new PathRefused(stat.isDirectory() ? `${shown} is a directory` : stat.isFile() ? `${shown} is too large (${stat.size} bytes)` : `${shown} is no regular file`, !stat.isDirectory() && !stat.isFile());
  };

  const readIfThere = (path: string): string | undefined => {
    const { real, shown } = place(path);
    // A look first: to open a device may do something.
    const stat = lstatSync(real, { throwIfNoEntry: false });
    if (stat === undefined) return undefined;
    if (!stat.isFile() && !stat.isDirectory()) throw new PathRefused(`${shown} is no regular file`, true);
    const fd = regular(real, shown);
    try {
      const bytes = Buffer.alloc(fstatSync(fd).size);
      let got = 0;
      for (let n = -1; n !== 0 && got < bytes.length; got += n) n = readSync(fd, bytes, got, bytes.length - got, null);
      const read = bytes.subarray(0, got);
      if (read.includes(0)) throw new PathRefused(`${shown} is not a text file`, false);
      return read.toString("utf8");
    } finally {
      closeSync(fd);
    }
  };

  return {
    root, place, readIfThere,
    read: (path) => {
      const text = readIfThere(path);
      if (text === undefined) throw new PathRefused(`there is no file ${place(path).shown}`, false);
      return text;
    },
    write: (path, text) => {
      const { real, shown } = place(path);
      const stat = lstatSync(real, { throwIfNoEntry: false });
      if (stat !== undefined && !stat.isFile()) throw new PathRefused(stat.isDirectory() ? `${shown} is a directory` : `${shown} is no regular file`, !stat.isDirectory());
      mkdirSync(dirname(real), { recursive: true });
      const fresh = join(dirname(real), `.enact-${randomBytes(6).toString("hex")}`);
      try {
        writeFileSync(fresh, text, { flag: "wx", mode: stat === undefined ? 0o666 : stat.mode & 0o777 });
        renameSync(fresh, real);
      } catch (cause) {
        rmSync(fresh, { force: true });
        throw cause;
      }
    },
    remove: (path) => {
      const { real, shown } = place(path);
      const stat = lstatSync(real, { throwIfNoEntry: false });
      if (stat?.isFile() !== true) throw new PathRefused(stat === undefined ? `there is no file ${shown}` : `${shown} is no regular file`, false);
      rmSync(real);
    },
  };
};
