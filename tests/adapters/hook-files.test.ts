import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { hookHash, hookKey } from "../../src/adapters/codex/hook-trust.ts";
import { entriesIn } from "../../src/adapters/hook-entries.ts";
import { hookFile, type HookPlace, inspectHooks, installHooks } from "../../src/adapters/hook-files.ts";

let base: string, place: HookPlace;
const put = (path: string, text: string): string => {
  const file = join(base, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
  return file;
};
beforeEach(() => {
  base = realpathSync(mkdtempSync(join(tmpdir(), "enact-hooks-")));
  put("repo/.git/HEAD", "");
  place = { home: join(base, "home"), env: {}, directory: join(base, "repo") };
});
afterEach(() => { rmSync(base, { recursive: true, force: true }); });

const caller = { node: process.execPath, bin: process.execPath };
/** What codex writes when a person has looked at the hooks of a file, under the name that it has for the file. */
const trusting = (file: string, name = file): string => entriesIn(readFileSync(file, "utf8")).map(({ event, group, handler, settings }) => `[hooks.state."${hookKey(name, event, group, handler)}"]\ntrusted_hash = "${hookHash(event, settings)}"\n`).join("");

describe("hooks of codex in a project", () => {
  test("are those of the main checkout, in a linked worktree too, where the CLI reads them; claude's are the worktree's own", () => {
    put("tree/.git", `gitdir: ${join(base, "repo", ".git", "worktrees", "tree")}\n`);
    put("module/.git", "gitdir: ../repo/.git/modules/module\n");
    const at = (directory: string): HookPlace => ({ ...place, directory: join(base, directory) });
    expect(hookFile("codex", "project", at("repo"))).toBe(join(base, "repo", ".codex", "hooks.json"));
    expect(hookFile("codex", "project", at("tree"))).toBe(join(base, "repo", ".codex", "hooks.json"));
    expect(hookFile("codex", "project", at("module"))).toBe(join(base, "module", ".codex", "hooks.json"));
    expect(hookFile("claude", "project", at("tree"))).toBe(join(base, "tree", ".claude", "settings.local.json"));
  });

  test("run only when the project is trusted, and they are", () => {
    installHooks("codex", "project", place, caller);
    const file = hookFile("codex", "project", place), state = () => inspectHooks("codex", "project", place);
    expect(state()).toMatchObject({ state: "untrusted", detail: expect.stringContaining("trusted projects only") });
    put("home/.codex/config.toml", `[projects."${join(base, "repo")}"]\ntrust_level = "trusted"\n`);
    expect(state()).toMatchObject({ state: "untrusted", detail: "codex passes over hooks that nobody has trusted: SessionStart, Stop, SessionEnd" });
    put("home/.codex/config.toml", `[projects."${join(base, "repo")}"]\ntrust_level = "trusted"\n${trusting(file)}`);
    expect(state()).toMatchObject({ state: "installed" });
  });
});

describe("hooks of codex of the user", () => {
  const state = () => inspectHooks("codex", "user", place);
  test("are trusted under either name of a home that is a link", () => {
    mkdirSync(join(base, "real"), { recursive: true });
    mkdirSync(join(base, "home"));
    symlinkSync(join(base, "real"), join(base, "home", ".codex"));
    installHooks("codex", "user", place, caller);
    const file = hookFile("codex", "user", place);
    put("real/config.toml", trusting(file, join(base, "real", "hooks.json")));
    expect(state()).toMatchObject({ state: "installed" });
    put("real/config.toml", trusting(file));
    expect(state()).toMatchObject({ state: "installed" });
  });

  test.each([["", "nobody has trusted"], ["= no TOML", "nobody has trusted"], ["hooks = 1\nprojects = 2\nfeatures = 3", "nobody has trusted"], ["[hooks.state]\nx = 1", "nobody has trusted"], ["[features]\nhooks = false", "features.hooks is false"]])("with the configuration %j are silent", (text, why) => {
    installHooks("codex", "user", place, caller);
    put("home/.codex/config.toml", text);
    expect(state()).toMatchObject({ state: "untrusted", detail: expect.stringContaining(why) });
  });
});
