import { Effect } from "effect";
import { z } from "zod";
import type { Check } from "../domain/check.ts";
import { type GitFailed, type GitPlace, git, gitBytes, nulFields } from "../git/git.ts";

/** The files of a commit, by path, read from git and never from a checkout. */
export interface CommitFiles { readonly paths: ReadonlySet<string>; readonly read: (path: string) => Effect.Effect<string, GitFailed> }

export const filesOf = (place: GitPlace, commit: string): Effect.Effect<CommitFiles, GitFailed> =>
  gitBytes(place, ["ls-tree", "-r", "-z", "--name-only", "--full-tree", commit]).pipe(Effect.map((bytes) => {
    const paths = new Set(nulFields(bytes).map((path) => Buffer.from(path, "latin1").toString("utf8")));
    return { paths, read: (path) => paths.has(path) ? git(place, ["cat-file", "blob", `${commit}:${path}`], { maxBytes: 16_777_216 }) : Effect.succeed("") };
  }));

const Manifest = z.looseObject({ scripts: z.record(z.string(), z.string()).default({}) });
export type Scripts = Readonly<Record<string, string>>;

/** Scripts of a package.json; none when it is no valid one. */
export const scriptsOf = (text: string): Scripts => {
  try { const found = Manifest.safeParse(JSON.parse(text)); return found.success ? found.data.scripts : {}; } catch { return {}; }
};

const typechecks = ["typecheck", "type-check", "check-types", "tsc"];
/** What `npm init` writes: no test at all. */
const placeholder = /no test specified/;

const nodeManager = (paths: ReadonlySet<string>): string =>
  paths.has("pnpm-lock.yaml") ? "pnpm" : paths.has("yarn.lock") ? "yarn" : paths.has("bun.lock") || paths.has("bun.lockb") ? "bun" : "npm";

/** The checks that a project brings, found by the files of its top directory. */
export const discover = Effect.fnUntraced(function* (files: CommitFiles, timeoutMs: number): Effect.fn.Return<readonly Check[], GitFailed> {
  const checks: Check[] = [];
  const add = (name: string, ...argv: string[]) => { checks.push({ name, argv, timeoutMs }); };
  const has = (...names: string[]) => names.some((name) => files.paths.has(name));
  const scripts = scriptsOf(yield* files.read("package.json"));
  const manager = nodeManager(files.paths);
  const typecheck = typechecks.find((name) => scripts[name] !== undefined);
  if (scripts.test !== undefined && !placeholder.test(scripts.test)) add("test", manager, "run", "test");
  if (typecheck !== undefined) add("typecheck", manager, "run", typecheck);
  if (scripts.lint !== undefined) add("lint", manager, "run", "lint");
  if (has("Cargo.toml")) {
    add("cargo test", "cargo", "test");
    if (has("clippy.toml", ".clippy.toml") || /^\[(?:workspace\.)?lints(?:\.clippy)?\]/m.test(yield* files.read("Cargo.toml"))) add("cargo clippy", "cargo", "clippy", "--all-targets");
  }
  if (has("go.mod")) { add("go test", "go", "test", "-v", "./..."); add("go vet", "go", "vet", "./..."); }
  const pyproject = yield* files.read("pyproject.toml");
  const pytest = has("pytest.ini", "conftest.py", "tests/conftest.py") || /^\[tool\.pytest/m.test(pyproject) || /^\[tool:pytest\]/m.test(yield* files.read("setup.cfg")) || /^\[pytest\]/m.test(yield* files.read("tox.ini"))
    || (has("pyproject.toml", "setup.py", "setup.cfg", "requirements.txt") && [...files.paths].some((path) => /^(?:tests?\/)?(?:.*\/)?test_[^/]*\.py$/.test(path)));
  if (pytest) add("pytest", "python3", "-m", "pytest", "-q", "-rA", "-p", "no:cacheprovider");
  if (has("ruff.toml", ".ruff.toml") || /^\[tool\.ruff/m.test(pyproject)) add("ruff", "ruff", "check", "--no-cache", "--output-format", "concise", ".");
  return checks;
});
