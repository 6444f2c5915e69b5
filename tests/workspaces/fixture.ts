import { Cause, Effect, Exit, Option } from "effect";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync, readdirSync, lstatSync, readFileSync, readlinkSync } from "node:fs";
import { createHash } from "node:crypto";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { WorkItemId } from "../../src/domain/ids.ts";
import type { ProjectWorkspace, WorkspacesOptions } from "../../src/workspaces/options.ts";
import { defaultScopes } from "../../src/workspaces/scope.ts";

export const item = WorkItemId.parse("LOC-1");

/** git as a user runs it. */
export const git = (cwd: string, ...args: string[]): string =>
  execFileSync("git", args, { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, GIT_CONFIG_GLOBAL: "/dev/null", GIT_CONFIG_NOSYSTEM: "1" } }).replace(/\n$/, "");

export const temporary = (name = "enact ws"): { readonly path: string; readonly [Symbol.dispose]: () => void } => {
  const path = realpathSync(mkdtempSync(join(tmpdir(), `${name}-`)));
  return { path, [Symbol.dispose]: () => { execFileSync("chmod", ["-R", "u+rwX", path], { stdio: "ignore" }); rmSync(path, { recursive: true, force: true }); } };
};

export const write = (top: string, files: Readonly<Record<string, string>>): void => {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(top, name)), { recursive: true });
    writeFileSync(join(top, name), text);
  }
};

export const repositoryAt = (path: string, files: Readonly<Record<string, string>>): string => {
  mkdirSync(path, { recursive: true });
  git(path, "init", "-q", "-b", "main");
  git(path, "config", "user.name", "A User");
  git(path, "config", "user.email", "user@example.test");
  write(path, files);
  git(path, "add", "-A");
  git(path, "commit", "-q", "-m", "start");
  return path;
};

export const project: ProjectWorkspace = { hooks: {}, hookTimeoutMs: 20_000, copy: [], env: [], scopes: defaultScopes };
export const optionsFor = (root: string, change: Partial<ProjectWorkspace> = {}): WorkspacesOptions => ({ root, project: () => ({ ...project, ...change }) });

export const run = <A, E>(effect: Effect.Effect<A, E>): Promise<A> => Effect.runPromise(effect);
/** The typed failure of an effect; throws when it succeeds or dies. */
export const failure = async <A, E>(effect: Effect.Effect<A, E>): Promise<E> => {
  const exit = await Effect.runPromiseExit(effect);
  if (Exit.isSuccess(exit)) throw new Error("expected a failure");
  const error = Cause.findErrorOption(exit.cause);
  if (Option.isNone(error)) throw new Error(`died: ${Cause.pretty(exit.cause)}`);
  return error.value;
};

/** Every path below `top` with kind, mode and content: equal when and only when nothing was changed. `skip` names relative paths left out. */
export const photograph = (top: string, skip: (path: string) => boolean = () => false): Readonly<Record<string, string>> => {
  const found: Record<string, string> = {};
  const walk = (relative: string): void => {
    for (const name of readdirSync(join(top, relative)).sort()) {
      const path = relative === "" ? name : `${relative}/${name}`;
      if (skip(path)) continue;
      const stat = lstatSync(join(top, path));
      if (stat.isDirectory()) { found[path] = "directory"; walk(path); }
      else if (stat.isSymbolicLink()) found[path] = `link ${readlinkSync(join(top, path))}`;
      else found[path] = `${stat.mode.toString(8)} ${stat.mtimeMs} ${createHash("sha256").update(readFileSync(join(top, path))).digest("hex")}`;
    }
  };
  walk("");
  return found;
};
