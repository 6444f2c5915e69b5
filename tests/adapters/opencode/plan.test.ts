import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { opencode } from "../../../src/adapters/opencode/adapter.ts";
import { listener } from "../../../src/adapters/opencode/listener.ts";
import type { TurnRequest } from "../../../src/domain/agent.ts";
import type { HostEnvironment, LaunchPlan } from "../../../src/ports/adapter.ts";
import { turnRequest } from "./streams.ts";

const host = (env: Readonly<Record<string, string>> = {}): HostEnvironment => ({ home: "/home/user", runDirectory: "/runs/{file:x}/1", env: { PATH: "/bin", ...env } });
const planned = (more: Partial<TurnRequest> = {}, env: Readonly<Record<string, string>> = {}): LaunchPlan => {
  const plan = opencode.plan(turnRequest(more), host(env));
  if ("kind" in plan) throw new Error(plan.kind);
  return plan;
};
const Configuration = z.looseObject({ plugin: z.array(z.string()), default_agent: z.string(), agent: z.record(z.string(), z.looseObject({ mode: z.string(), permission: z.record(z.string(), z.unknown()) })) });
const configuration = ({ env }: LaunchPlan): z.infer<typeof Configuration> => Configuration.parse(JSON.parse(env["OPENCODE_CONFIG_CONTENT"] ?? ""));
const session = "ses_dd12f3ffeffeVmAQExnvuZcO4v";
const always = ["opencode", "run", "--format", "json", "--thinking", "--title", "enact-factory"];
const log = ["--print-logs", "--log-level", "ERROR"];

describe("the argv", () => {
  test("of a working turn, of one that may only read, of one that goes on in a session", () => {
    expect(planned({ model: "loop/scripted-1" }).argv).toEqual([...always, "--agent", "enact-working", ...log, "--model", "loop/scripted-1"]);
    expect(planned({ readOnly: true }).argv).toEqual([...always, "--agent", "enact-reading", ...log]);
    expect(planned({ readOnly: true, sessionId: session }).argv).toEqual([...always, "--agent", "enact-reading", ...log, "--session", session]);
  });
  test("never approves by itself", () => {
    for (const turn of [planned(), planned({ readOnly: true }), planned({ sessionId: session })]) expect(turn.argv.join(" ")).not.toMatch(/--auto|yolo|dangerously/);
  });
  test.each([{ sessionId: "--last" }, { sessionId: "" }, { sessionId: `${session}\n` }, { sessionId: "34e69eb2-7f36-4878-8a1a-00cbbfb7ec77" }])("a session id that is none is refused: %o", (more) => {
    expect(opencode.plan(turnRequest(more), host())).toMatchObject({ kind: "badSession" });
  });
  test.each([{ model: "--auto" }, { model: "" }, { model: "gpt-5.5" }, { model: "a b/c" }, { model: "loop/" }])("a model without its provider, or none at all, is refused: %o", (more) => {
    expect(opencode.plan(turnRequest(more), host())).toMatchObject({ kind: "model" });
  });
  test.each(["openai/gpt-5.5", "openrouter/anthropic/claude-sonnet-4.6", "loop/a:b"])("ADAPT-06 model %s is handed on as it is written", (model) => {
    const { argv } = planned({ model });
    expect(argv[argv.indexOf("--model") + 1]).toBe(model);
  });
});

describe("the configuration", () => {
  test("forbids first and allows by name; only a working turn edits and runs commands", () => {
    const allowed = (plan: LaunchPlan): readonly string[] => {
      const { agent, default_agent: name } = configuration(plan);
      const permission = agent[name]?.permission ?? {};
      expect(plan.argv).toContain(name);
      expect(Object.entries(permission)[0]).toEqual(["*", "deny"]);
      return Object.entries(permission).flatMap(([tool, rule]) => rule === "allow" ? [tool] : []);
    };
    expect(allowed(planned({ readOnly: true }))).toEqual(["glob", "grep", "list"]);
    expect(allowed(planned())).toEqual(["glob", "grep", "list", "edit", "bash", "todowrite"]);
    for (const plan of [planned(), planned({ readOnly: true })]) {
      expect(Object.values(configuration(plan).agent)).toEqual([expect.objectContaining({ mode: "primary", permission: expect.objectContaining({ external_directory: "deny", doom_loop: "deny", read: { "*": "allow", "*.env": "deny", "*.env.*": "deny", "*.env.example": "allow" } }) })]);
      expect(configuration(plan)).toMatchObject({ share: "disabled", autoupdate: false, snapshot: false, lsp: false, formatter: false });
    }
  });
  test("names the listener in the run's directory, with nothing in it that the CLI would replace", () => {
    const plan = planned();
    expect(plan.files).toEqual({ "listener.js": listener });
    expect(configuration(plan).plugin).toEqual(["file:///runs/%7Bfile:x%7D/1/listener.js"]);
    expect(plan.env["OPENCODE_CONFIG_CONTENT"]).not.toMatch(/\{(env|file):/);
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
    }), { examples: [["/init everything", false], ["--help me", true]] });
  });
  test("is given as it is; that there may be files AGENTS.md it has to be told by the prompt", () => {
    for (const more of [{}, { sessionId: session }, { readOnly: true }]) expect(planned(more).stdin).toBe("Fix the bug.");
    expect(opencode.agentsFiles).toBe("told");
  });
});

describe("the environment", () => {
  test("holds nothing of the owner's but what is named, and the switches, whatever the owner set them to", () => {
    const secrets = { ENACT_TOKEN: "s", GITHUB_TOKEN: "s", DATABASE_URL: "s", AWS_SECRET_ACCESS_KEY: "s", NODE_OPTIONS: "--require x", SSH_AUTH_SOCK: "/s", LD_PRELOAD: "x", OPENCODE_PERMISSION: '{"*":"allow"}', OPENCODE_CONFIG_CONTENT: "{}", OPENCODE_DISABLE_PROJECT_CONFIG: "", OPENCODE_SERVER_PASSWORD: "s" };
    const { OPENCODE_CONFIG_CONTENT: content, ...env } = planned({}, { ...secrets, OPENAI_API_KEY: "key", XDG_DATA_HOME: "/d", HTTPS_PROXY: "http://proxy", LANG: "" }).env;
    expect(content).toContain("enact-working");
    expect(env).toEqual({
      PATH: "/bin", HOME: "/home/user", OPENAI_API_KEY: "key", XDG_DATA_HOME: "/d", HTTPS_PROXY: "http://proxy",
      OPENCODE_DISABLE_PROJECT_CONFIG: "1", OPENCODE_DISABLE_EXTERNAL_SKILLS: "1", OPENCODE_DISABLE_CLAUDE_CODE: "1", OPENCODE_DISABLE_AUTOUPDATE: "1", OPENCODE_DISABLE_MODELS_FETCH: "1",
      OPENCODE_DISABLE_LSP_DOWNLOAD: "1", OPENCODE_DISABLE_SHARE: "1", OPENCODE_EXPERIMENTAL_DISABLE_FILEWATCHER: "1", npm_config_offline: "true",
    });
  });
});
