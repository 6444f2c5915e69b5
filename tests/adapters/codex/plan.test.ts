import * as fc from "fast-check";
import { parse as parseToml } from "smol-toml";
import { describe, expect, test } from "vitest";
import { codex } from "../../../src/adapters/codex/adapter.ts";
import { hookHash, hookKey } from "../../../src/adapters/codex/hook-trust.ts";
import { stopHookCommand } from "../../../src/adapters/hook-line.ts";
import { type HookProgram, hookRunIn } from "../../../src/domain/hook-environment.ts";
import type { TurnRequest } from "../../../src/domain/agent.ts";
import type { HostEnvironment, LaunchPlan } from "../../../src/ports/adapter.ts";
import { turnRequest } from "./streams.ts";

const host = (env: Readonly<Record<string, string>> = {}): HostEnvironment => ({ home: "/home/user", runDirectory: "/runs/1", env: { PATH: "/bin", ...env } });
const planned = (more: Partial<TurnRequest> = {}, env: Readonly<Record<string, string>> = {}): LaunchPlan => {
  const plan = codex.plan(turnRequest(more), host(env));
  if ("kind" in plan) throw new Error(plan.kind);
  return plan;
};
/** The CLI reads each `--config` as TOML. */
const settings = ({ argv }: LaunchPlan): readonly unknown[] => argv.flatMap((word, n) => argv[n - 1] === "--config" ? [parseToml(word)] : []);
const session = "01a22e74-4f12-7f00-a3c8-c674e4696d58";

describe("the argv", () => {
  const withoutSettings = (plan: LaunchPlan): readonly string[] => plan.argv.filter((word, n) => word !== "--config" && plan.argv[n - 1] !== "--config");
  test("of a working turn, of one that may only read, of one that goes on in a session", () => {
    expect(withoutSettings(planned({ model: "gpt-5.5" }))).toEqual(["codex", "exec", "--json", "--skip-git-repo-check", "--model", "gpt-5.5", "--sandbox", "workspace-write", "-"]);
    expect(withoutSettings(planned({ readOnly: true }))).toEqual(["codex", "exec", "--json", "--skip-git-repo-check", "--sandbox", "read-only", "-"]);
    expect(withoutSettings(planned({ readOnly: true, sessionId: session }))).toEqual(["codex", "exec", "--json", "--skip-git-repo-check", "--sandbox", "read-only", "resume", session, "-"]);
  });
  test("never asks, trusts nothing in the worktree, and keeps others' programs out, in every kind of turn", () => {
    for (const turn of [planned(), planned({ readOnly: true }), planned({ sessionId: session })]) {
      expect(settings(turn)).toEqual(expect.arrayContaining([
        { approval_policy: "never" }, { projects: { "/repo": { trust_level: "untrusted" } } }, { project_root_markers: [] }, { skills: { include_instructions: false } },
        { features: { plugins: false } }, { features: { apps: false } }, { features: { goals: false } }, { web_search: "disabled" },
        { shell_environment_policy: { ignore_default_excludes: false } }, { allow_login_shell: false },
      ]));
      expect(turn.argv.join(" ")).not.toMatch(/dangerously|bypass/);
    }
  });
  test("only a working turn has a network; only a critic is kept from the project's instructions", () => {
    expect(settings(planned())).toContainEqual({ sandbox_workspace_write: { network_access: true } });
    expect(settings(planned())).not.toContainEqual({ project_doc_max_bytes: 0 });
    expect(settings(planned({ readOnly: true }))).toContainEqual({ project_doc_max_bytes: 0 });
    expect(planned({ readOnly: true }).argv.join(" ")).not.toContain("network");
  });
  test("names the worktree in TOML, whatever its name is", () => {
    fc.assert(fc.property(fc.string({ unit: "grapheme" }), (name) => {
      const cwd = `/w/${name}`;
      expect(settings(planned({ cwd }))).toContainEqual({ projects: { [cwd]: { trust_level: "untrusted" } } });
    }), { examples: [['a"]={}\nx="'], ["\u007f\t\\"], ["ü.d"]] });
  });
  test.each([{ sessionId: "--last" }, { sessionId: "" }, { sessionId: `${session}\n` }])("a session id that is none is refused: %o", (more) => {
    expect(codex.plan(turnRequest(more), host())).toMatchObject({ kind: "badSession" });
  });
  test.each([{ model: "--dangerously-bypass-approvals-and-sandbox" }, { model: "" }, { model: "a b" }])("a model that is none is refused: %o", (more) => {
    expect(codex.plan(turnRequest(more), host())).toMatchObject({ kind: "model" });
  });
  test.each(["o3", "o4-mini", "gpt-5.5", "openai/gpt-oss-20b"])("ADAPT-02 model %s is handed on as it is written", (model) => {
    const { argv } = planned({ model });
    expect(argv[argv.indexOf("--model") + 1]).toBe(model);
  });
});

describe("the prompt", () => {
  test("is on standard input only, whatever it is", () => {
    fc.assert(fc.property(fc.string({ minLength: 8 }), fc.boolean(), (text, readOnly) => {
      const plan = planned({ prompt: text, readOnly });
      expect(plan.stdin.startsWith(text)).toBe(true);
      expect(plan.stdinMode).toBe("close");
      expect(plan.argv).toEqual(planned({ readOnly }).argv);
      expect(plan.env).toEqual(planned({ readOnly }).env);
    }), { examples: [["/clear everything", false], ["--help me", true]] });
  });
  test("is given as it is; that there may be files AGENTS.md it has to be told by the prompt", () => {
    for (const more of [{}, { sessionId: session }, { readOnly: true }]) expect(planned(more).stdin).toBe("Fix the bug.");
    expect(codex.agentsFiles).toBe("told");
  });
});

describe("the environment", () => {
  test("holds nothing of the owner's but what is named", () => {
    const secrets = { ENACT_TOKEN: "s", GITHUB_TOKEN: "s", DATABASE_URL: "s", AWS_SECRET_ACCESS_KEY: "s", ANTHROPIC_API_KEY: "s", NODE_OPTIONS: "--require x", SSH_AUTH_SOCK: "/s", LD_PRELOAD: "x", OPENAI_BASE_URL: "http://x" };
    expect(planned({}, { ...secrets, CODEX_HOME: "/c", CODEX_API_KEY: "key", OPENAI_API_KEY: "key", HTTPS_PROXY: "http://proxy", CODEX_CA_CERTIFICATE: "/ca", TMPDIR: "/t", LANG: "" }).env).toEqual({
      PATH: "/bin", HOME: "/home/user", TMPDIR: "/t", CODEX_HOME: "/c", CODEX_API_KEY: "key", OPENAI_API_KEY: "key", HTTPS_PROXY: "http://proxy", CODEX_CA_CERTIFICATE: "/ca",
    });
  });
  test.each<Readonly<Record<string, string>>>([{ CODEX_HOME: "/tmp/x" }, { CODEX_HOME: "/tmp" }, { TMPDIR: "/home/user" }, { TMPDIR: "/" }, { TMPDIR: "/home/user/.codex/" }])("a home below the directory for temporary files is refused: the sandbox would not work (%o)", (env) => {
    expect(codex.plan(turnRequest(), host(env))).toMatchObject({ kind: "spawn", message: expect.stringContaining("temporary files") });
  });
  test("one that only looks so is not", () => { expect(codex.plan(turnRequest(), host({ CODEX_HOME: "/tmpx/y" }))).not.toHaveProperty("kind"); });
});

describe("the Stop hook", () => {
  const hooks: HookProgram = { node: "/opt/no de/bin/node", bin: "/opt/$(id)/cli.js", config: "/etc/'x'/config.toml", repository: "/repo" };
  test("is asked by a turn that has to change something; its command is constant text, trusted by its hash alone, and what it needs comes by environment", () => {
    const plan = codex.plan(turnRequest({ since: "0123abc" }), { ...host(), hooks });
    if ("kind" in plan) throw new Error(plan.kind);
    const definition = { type: "command", command: stopHookCommand, timeout: 30 };
    expect(settings(plan)).toEqual(expect.arrayContaining([
      { features: { hooks: true } }, { hooks: { Stop: [{ hooks: [definition] }] } }, { hooks: { state: { "/<session-flags>/config.toml:stop:0:0": { trusted_hash: hookHash("Stop", definition) } } } },
    ]));
    expect(plan.argv.join(" ")).not.toMatch(/opt|etc|LOC/);
    expect(plan.env).toMatchObject({ ENACT_HOOK_NODE: hooks.node, ENACT_HOOK_BIN: hooks.bin, ENACT_HOOK_CONFIG: hooks.config, ENACT_HOOK_REPOSITORY: "/repo", ENACT_HOOK_ITEM: "LOC-1", ENACT_HOOK_STAGE: "coder", ENACT_HOOK_SINCE: "0123abc" });
    expect(hookRunIn(plan.env)).toMatchObject({ item: "LOC-1", stage: "coder", since: "0123abc" });
  });
  test.each([
    { what: "a critic", more: { stage: "critic", readOnly: true } }, { what: "a documenter", more: { stage: "documenter" } }, { what: "a team's leader that plans", more: { duty: "plan" } }, { what: "a turn of an older version", more: { since: undefined } },
  ] as const)("is not asked by $what", ({ more }) => {
    expect(JSON.stringify(codex.plan({ ...turnRequest({ since: "0123abc" }), ...more }, { ...host(), hooks }))).not.toMatch(/ENACT_HOOK|hooks/);
  });
  test("is not asked where no program can be called", () => { expect(JSON.stringify(planned({ since: "0123abc" }))).not.toMatch(/ENACT_HOOK|hooks/); });

  // What the program said of these (tests/clis/codex-hooks.test.ts compares more).
  test("keys and hashes are those of codex 0.169.0", () => {
    expect(hookKey("/h/hooks.json", "UserPromptSubmit", 2, 1)).toBe("/h/hooks.json:user_prompt_submit:2:1");
    expect(hookHash("Stop", { command: "true", timeout: 30 })).toBe("sha256:4e5beff43739d7a9608ce6244a0344b28c0e8530edf28ff1e021f4507e51f5fc");
    expect(hookHash("PreToolUse", { command: "true", timeout: 0, async: true, statusMessage: "x", matcher: "^Bash$" })).toBe("sha256:975c9d1b47802cb8adcf5acd18d3f5230c8a32cacbe839d3cd0607e8405fc8ed");
    expect(hookHash("SessionEnd", { command: "d", timeout: 100 })).toBe("sha256:e3574459fa54e8910ff6c6605ca45c4be5ac9126d78176728952a9bf4bfb5ba2");
  });
});
