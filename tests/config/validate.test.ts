import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse } from "smol-toml";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Config } from "../../src/domain/config.ts";
import { formatProblem, type Problem } from "../../src/config/problem.ts";
import { validateConfig } from "../../src/config/load.ts";

let directory = "";
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "enact-config-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const problems = (text: string, env: Readonly<Record<string, string>> = {}, name = "config.toml"): readonly Problem[] => {
  const file = join(directory, name);
  writeFileSync(file, text);
  return validateConfig(file, { cwd: directory, home: directory, env });
};
const brief = (found: readonly Problem[]) => found.map(({ line, column, key, message, write }) => [line, column, key, message, write]);

test("every problem at once: place, key, and what to write instead", () => {
  mkdirSync(join(directory, "app"));
  const found = problems(`adapter = "cluade"
bogus = 1
autonomus = { claimUnassigned = false }

[limits]
maxIteratoins = 3
slots = 4
stallMs = "600000"
crashRetries = -1

[gateway]
port = 70000

[[projects]]
name = "a b"
projectPath = "app"

[[projects]]
projectPath = "\${NOWHERE}"
copy = ["../secrets"]
sandbox = "maybe"

[discord]
token = 1
`);
  expect(brief(found)).toEqual([
    [1, 1, "adapter", 'must be one of claude, codex, responses, cursor, hermes, opencode, scripted, not "cluade"', 'adapter = "claude"'],
    [2, 1, "bogus", expect.stringContaining("unknown key at the top; the nearest known key is"), null],
    [3, 1, "autonomus", "unknown key; did you mean autonomous?", "[autonomous]\nclaimUnassigned = false"],
    [6, 1, "limits.maxIteratoins", "unknown key; did you mean maxIterations?", "maxIterations = 3"],
    [7, 1, "limits.slots", "unknown key in limits; slots belongs in [scheduler]", "[scheduler]\nslots = 4"],
    [8, 1, "limits.stallMs", "must be a number, not a text", "stallMs = 600000"],
    [9, 1, "limits.crashRetries", "must be at least 0", "crashRetries = 2"],
    [12, 1, "gateway.port", "must be at most 65535", "port = 3847"],
    [15, 1, "projects[1].name", expect.stringContaining("letters, digits"), 'name = "app"'],
    [18, 1, "projects[2].name", "is missing", 'name = "app"'],
    [19, 1, "projects[2].projectPath", "the environment variable NOWHERE is not set", null],
    [20, 9, "projects[2].copy[1]", "a path inside the repository, without ..", 'copy = [".env.test"]'],
    [21, 1, "projects[2].sandbox", 'write "auto", "off" or { container = "IMAGE" }', 'sandbox = "auto"'],
    [24, 1, "discord.token", "must be a text, not a whole number", 'token = "${DISCORD_TOKEN:-}"'],
  ]);
  expect(formatProblem(found[7] ?? found[0] as Problem)).toBe(`${join(directory, "config.toml")}:12:1: error: gateway.port: must be at most 65535\n  write:\n    port = 3847`);
});

test("each section with one wrong type is named at its line", () => {
  for (const section of Object.keys(Config.shape)) {
    const found = problems(`# first\n${section} = 2026-11-22\n`);
    expect(found.map(({ key, line, severity }) => [key, line, severity])).toEqual([[section, 2, "error"]]);
  }
});

describe("old names get the exact TOML", () => {
  test.each([["executor", "coder"], ["reviewer", "critic"], ["skill-documenter", "stage-documenter"]])("stage key %s is now %s", (old, name) => {
    const [found, ...rest] = problems(`[autonomous.defaultStages.${old}]\nmodel = "m"\ntimeoutMs = 5\n`);
    expect(rest).toEqual([]);
    expect(found).toMatchObject({ line: 1, key: `autonomous.defaultStages.${old}`, message: `${old} is now called ${name}`, write: `[autonomous.defaultStages.${name}]\nmodel = "m"\ntimeoutMs = 5` });
    expect(problems(found?.write ?? "")).toEqual([]);
  });

  test("a mistake inside of an old table is told with it, at its own line", () => {
    const found = problems("[autonomous.defaultStages]\nexecutor.timeoutMs = 0\n");
    expect(found.map(({ line, key }) => [line, key])).toEqual([[2, "autonomous.defaultStages.executor"], [2, "autonomous.defaultStages.executor.timeoutMs"]]);
  });

  test.each([["pipeline", "none"], ["swarm", "team"], ["ultrapilot", "team"], ["executor", "none"], ["reviewer", "none"]])("lane %s is refused in the configuration", (old, lane) => {
    mkdirSync(join(directory, "app"));
    expect(brief(problems(`[[projects]]\nname = "app"\nprojectPath = "app"\noperatorLane = "${old}"\n`))).toEqual([
      [4, 1, "projects[1].operatorLane", "operatorLane is now called lane", `lane = "${lane}"`],
      [4, 1, "projects[1].operatorLane", `"${old}" is no operator lane`, `lane = "${lane}"`],
    ]);
  });
});

test.each([
  ['executor = "codex"', '[autonomous.defaultStages.coder]\nadapter = "codex"'],
  ['reviewer = "some-model"', '[autonomous.defaultStages.critic]\nmodel = "some-model"'],
  ['[agents.executor]\nmodel = "x"\n[agents.tester]\nenabled = true', '[autonomous.defaultStages.coder]\nmodel = "x"\n\n[autonomous.defaultStages.tester]\nenabled = true'],
  ['[defaultStages.skill-documenter]\nenabled = true', '[autonomous.defaultStages.stage-documenter]\nenabled = true'],
  ['[workspace.hooks]\nafter_create = "npm ci"', 'after_create = ["npm", "ci"]'],
  ['[verify]\nchecks = ["npm test"]', '[[verify.checks]]\nname = "test"\nargv = ["npm", "test"]'],
  ['[[projects]]', 'name = "app"'],
  ['[verify]\nshareDependencies = "false"', "shareDependencies = false"],
  ['[discord]\ntokn = "literal-secret"', 'token = "…"'],
  ['[discrod]\ntoken = "literal-secret"', '[discord]\ntoken = "…"'],
  ["[discord]\nwebhookUrl = https://discord.com/api/webhooks/1/literal-secret", 'webhookUrl = "…"'],
  ["[store]\nurl = postgres://app:literal-secret@db/app", 'url = "postgres://app:[secret]@db/app"'],
  ["[azdo]\napiKey = ${AZDO_PAT}", 'apiKey = "${AZDO_PAT}"'],
  ["discord:\n  token: literal-secret\n  channelId: ${CHANNEL}\nazdo:\n  apiKey: ${AZDO_PAT}\n", '[discord]\ntoken = "…"\nchannelId = "${CHANNEL}"\n\n[azdo]\napiKey = "${AZDO_PAT}"\n'],
])("%j gets what it meant", (text, write) => {
  expect(problems(text)[0]?.write).toBe(write);
});

describe("what is no TOML", () => {
  test("several syntax errors and a wrong key are told together; nothing is called missing because of them", () => {
    const found = problems('model = claude-haiku\n[limits]\nmaxIterations = = 3\nbogus = 1\n[[projects]]\nname = app\nprojectPath = "."\n');
    expect(brief(found)).toEqual([
      [1, expect.any(Number), "", expect.stringMatching(/^no TOML: /), 'model = "claude-haiku"'],
      [3, expect.any(Number), "", expect.stringMatching(/^no TOML: /), null],
      [4, 1, "limits.bogus", expect.stringContaining("unknown key in limits"), null],
      [6, expect.any(Number), "", expect.stringMatching(/^no TOML: /), 'name = "app"'],
    ]);
  });

  const yaml = `# from the old days
adapter: codex
autonomous:
  defaultStages:
    executor:
      adapter: codex
      model: o4-mini
    critic: { adapter: claude, model: claude-sonnet-4-20250514 }
    tester:
      enabled: false
projects:
  - name: app
    projectPath: .
    operatorLane: swarm
    baseRef: ~
`;

  test("CONF-02 CARD-05 pasted YAML, whole or as a .yaml file, gets TOML that validates and loads to the same values", () => {
    for (const name of ["config.toml", "config.yaml"]) {
      const found = problems(yaml, {}, name);
      expect(found).toHaveLength(1);
      expect(found[0]?.message).toMatch(/TOML/);
      const write = found[0]?.write ?? "";
      expect(problems(write)).toEqual([]);
      expect(parse(write)).toEqual({
        adapter: "codex",
        autonomous: { defaultStages: { coder: { adapter: "codex", model: "o4-mini" }, critic: { adapter: "claude", model: "claude-sonnet-4-20250514" }, tester: { enabled: false } } },
        projects: [{ name: "app", projectPath: ".", lane: "team" }],
      });
    }
  });

  test("YAML pasted below TOML gets the TOML of that part, and the rest is still checked", () => {
    const found = problems('[limits]\nbogus = 1\n\ngateway:\n  port: 4000\n\n[store]\nurl = "mysql://x"\n');
    expect(brief(found)).toEqual([
      [2, 1, "limits.bogus", expect.stringContaining("unknown key"), null],
      [4, 1, "", "this is YAML; a configuration is TOML", "[gateway]\nport = 4000\n"],
      [8, 1, "store.url", expect.stringContaining("a PostgreSQL URL"), 'url = "postgres://enact:enact@localhost:45432/enact_factory_dev"'],
    ]);
  });

  test("YAML that cannot be converted is said to be so, with its line", () => {
    expect(problems("limits:\n  maxIterations: &five 5\n")).toMatchObject([{ line: 2, write: null, message: expect.stringContaining("cannot be converted") }]);
  });
});

test("two projects of one name or one repository, and a source without its project", () => {
  mkdirSync(join(directory, "app"));
  expect(brief(problems('[sources.local]\nproject = "web"\n[[projects]]\nname = "app"\nprojectPath = "app"\n[[projects]]\nname = "app"\nprojectPath = "./app/../app"\n'))).toEqual([
    [2, 1, "sources.local.project", 'no project is called "web"; write one of app', null],
    [7, 1, "projects[2].name", "project 1 has this name already; give each project its own", null],
  ]);
  expect(brief(problems('[[projects]]\nname = "a"\nprojectPath = "app"\n[[projects]]\nname = "b"\nprojectPath = "./app/../app"\n'))).toEqual([
    [6, 1, "projects[2].projectPath", "project a has this repository already", null],
  ]);
});

test("a missing directory is a warning with its line; a file that is no text or not there is one problem", () => {
  expect(problems('[[projects]]\nname = "app"\nprojectPath = "gone"\n')).toMatchObject([{ severity: "warning", line: 3, message: expect.stringContaining("is no directory") }]);
  expect(validateConfig("absent.toml", { cwd: directory, home: directory, env: {} })).toMatchObject([{ line: null, message: "there is no such file" }]);
  writeFileSync(join(directory, "binary.toml"), Buffer.from([0xff, 0xfe, 0x00]));
  expect(validateConfig("binary.toml", { cwd: directory, home: directory, env: {} })).toMatchObject([{ message: "the file is not UTF-8 text" }]);
});

test("keys that JavaScript objects have by nature are unknown like any other", () => {
  for (const key of ["__proto__", "constructor", "toString"]) expect(problems(`${key} = 1\n[projects_]\n`).map((problem) => problem.key)).toContain(key);
});
