import { chmodSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { Effect, Result } from "effect";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Config, projectSettings, settingsOfRepository, stageSettings, unservedSections } from "../../src/domain/config.ts";
import { loadConfig, type LoadOptions } from "../../src/config/load.ts";
import { redact, secretValues } from "../../src/config/redact.ts";

let root = "";
beforeEach(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), "enact-load-")));
  mkdirSync(join(root, "home"));
  mkdirSync(join(root, "workspace", "repo", "deep"), { recursive: true });
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const put = (path: string, text: string): string => {
  const file = join(root, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
  return file;
};
const load = (options: LoadOptions = {}) => Effect.runPromise(loadConfig({ cwd: join(root, "workspace", "repo", "deep"), home: join(root, "home"), env: {}, ...options }));
const failure = async (options: LoadOptions = {}) => {
  const result = await Effect.runPromise(Effect.result(loadConfig({ cwd: join(root, "workspace", "repo"), home: join(root, "home"), env: {}, ...options })));
  if (Result.isSuccess(result)) throw new Error("loaded, but should not have");
  return result.failure;
};

test("CONF-01 STATE-05 the nearest config.toml above wins, then home, then defaults; --config beats all", async () => {
  expect(await load()).toMatchObject({ file: null, config: { limits: { maxIterations: 5 } } });
  const home = put("home/.enact/config.toml", "[limits]\nmaxIterations = 1\n");
  expect((await load()).file).toBe(home);
  const workspace = put("workspace/config.toml", "[limits]\nmaxIterations = 2\n");
  expect((await load()).file).toBe(workspace);
  const repo = put("workspace/repo/config.toml", "[limits]\nmaxIterations = 3\n");
  expect((await load()).file).toBe(repo);
  expect((await load({ explicit: "../../config.toml" })).config.limits.maxIterations).toBe(2);
  expect((await load({ explicit: "~/.enact/config.toml" })).config.limits.maxIterations).toBe(1);
  expect(await failure({ explicit: "nope.toml" })).toMatchObject({ _tag: "ConfigMissing", file: join(root, "workspace/repo/nope.toml") });
});

test("another tool's config.toml is passed over and said", async () => {
  const foreign = put("workspace/repo/config.toml", 'baseURL = "https://example.org"\ntitle = "Blog"\nlanguage = "en"\n[params]\nx = 1\n');
  const ours = put("workspace/config.toml", "[autonomus]\n");
  expect(await failure()).toMatchObject({ _tag: "ConfigInvalid", file: ours, problems: [{ line: 1 }] });
  put("workspace/config.toml", "[limits]\n");
  expect(await load()).toMatchObject({ file: ours, skipped: [{ file: foreign, why: expect.stringContaining("none of the sections") }] });
  // Pasted YAML and broken TOML of ours are found and reported, not passed over.
  put("workspace/repo/config.toml", "autonomous:\n  claimUnassigned: true\n");
  expect(await failure()).toMatchObject({ file: foreign });
  put("workspace/repo/config.toml", "[scheduler]\nslots = = 2\n");
  expect(await failure()).toMatchObject({ file: foreign });
});

test.runIf(process.getuid?.() !== 0)("a config.toml that cannot be read is passed over and said", async () => {
  const file = put("workspace/config.toml", "[limits]\n");
  chmodSync(file, 0);
  expect((await load()).skipped).toEqual([{ file, why: "it cannot be read (EACCES)" }]);
});

test("CONF-03 CONF-04 references: set, unset, empty, default, nested default, literal", async () => {
  put("workspace/config.toml", '[publish]\nremote = "${REMOTE:-origin}"\n[discord]\ntoken = "a-${T}-b"\nchannelId = "${A:-${B:-deep}}"\nwebhookUrl = "$${T} costs $5"\n');
  const { config } = await load({ env: { T: "x", REMOTE: "" } });
  expect(config.publish.remote).toBe("origin");
  expect(config.discord).toEqual({ token: "a-x-b", channelId: "deep", webhookUrl: "${T} costs $5" });
  expect((await load({ env: { T: "x", REMOTE: "up", B: "b" } })).config).toMatchObject({ publish: { remote: "up" }, discord: { channelId: "b" } });
  expect(await failure()).toMatchObject({ problems: [{ line: 4, key: "discord.token", message: "the environment variable T is not set" }] });
  put("workspace/config.toml", '[discord]\ntoken = "${T"\nchannelId = "${not a name}"\n');
  expect(await failure()).toMatchObject({ problems: [{ line: 2, message: expect.stringContaining("no closing brace") }, { line: 3, message: expect.stringContaining("is no reference") }] });
});

test("CONF-06 .env beside the configuration, with references; the real environment wins", async () => {
  put("workspace/config.toml", '[azdo]\napiKey = "${AZDO_API_KEY}"\norg = "${AZDO_ORG:-}"\n[discord]\ntoken = "${QUOTED}"\n');
  put("workspace/.env", '# secrets\nAZDO_API_KEY=${AZDO_PAT}\nexport AZDO_PAT=from-file # comment\nQUOTED="a # \\"b\\"\\n"\nLITERAL=\'${AZDO_PAT}\'\nAZDO_ORG=\nLOOP=${LOOP}\nnonsense\n');
  const loaded = await load();
  expect(loaded.config.azdo).toMatchObject({ apiKey: "from-file", org: undefined });
  expect(loaded.config.discord.token).toBe('a # "b"\n');
  expect(loaded.env).toEqual({ AZDO_API_KEY: "from-file", AZDO_PAT: "from-file", QUOTED: 'a # "b"\n', LITERAL: "${AZDO_PAT}", AZDO_ORG: "" });
  expect(loaded.warnings).toMatchObject([{ severity: "warning", line: 8, message: expect.stringContaining("NAME=value") }]);
  expect((await load({ env: { AZDO_PAT: "real" } })).config.azdo.apiKey).toBe("real");
  put("workspace/.env", "AZDO_API_KEY=${AZDO_PAT}\nQUOTED=x\n");
  expect(await failure()).toMatchObject({ problems: [{ line: 2, key: "azdo.apiKey", message: "AZDO_API_KEY (line 1 of .env): the environment variable AZDO_PAT is not set" }] });
  put("workspace/.env", "AZDO_API_KEY=${AZDO_API_KEY}\nQUOTED=x\n");
  expect(await failure()).toMatchObject({ problems: [{ message: expect.stringContaining("refers to itself") }] });
});

test("projects: paths are relative to the file, ~ is home, one directory has one name", async () => {
  mkdirSync(join(root, "home", "b"));
  symlinkSync(join(root, "home", "b"), join(root, "workspace", "link"));
  put("workspace/config.toml", '[workspace]\nenv = ["A"]\n[workspace.hooks]\nafter_create = ["npm", "ci"]\nbefore_run = ["x"]\n[[projects]]\nname = "a"\nprojectPath = "repo"\nhooks.before_run = ["y"]\ncopy = [".env.test"]\n[[projects]]\nname = "b"\nprojectPath = "link"\n[[projects]]\nname = "c"\nprojectPath = "~"\nsandbox = { container = "node:24" }\nchecks = [{ name = "t", argv = ["t"] }]\n');
  const { config } = await load();
  expect(config.projects.map((project) => project.projectPath)).toEqual([join(root, "workspace/repo"), join(root, "home/b"), join(root, "home")]);
  const settings = config.projects.map((project) => projectSettings(config, project));
  expect(settings[0]).toMatchObject({ hooks: { after_create: ["npm", "ci"], before_run: ["y"] }, env: ["A"], copy: [".env.test"], sandbox: "auto", lane: "none" });
  expect(settings[2]).toMatchObject({ sandbox: { container: "node:24" }, checks: [{ name: "t", argv: ["t"], timeoutMs: 600_000 }] });
  expect(settingsOfRepository(config, join(root, "home/b")).name).toBe("b");
  expect(settingsOfRepository(config, join(root, "elsewhere/.my repo"))).toMatchObject({ name: "my-repo", hooks: { after_create: ["npm", "ci"] } });
});

test("CONF-12 adapter and model: global, per stage, default claude", () => {
  const parsed = Config.parse({ autonomous: { defaultStages: { coder: { adapter: "codex", model: "o4-mini" }, critic: { adapter: "claude", model: "claude-sonnet-4-20250514" } } } });
  expect(stageSettings(parsed, "coder")).toMatchObject({ adapter: "codex", model: "o4-mini", timeoutMs: 1_800_000, enabled: true });
  expect(stageSettings(parsed, "critic")).toMatchObject({ adapter: "claude", model: "claude-sonnet-4-20250514", timeoutMs: 600_000, enabled: true });
  expect(stageSettings(parsed, "tester")).toMatchObject({ adapter: "claude", model: null, enabled: false });
  for (const adapter of ["claude", "codex", "responses", "cursor", "hermes", "opencode"]) expect(stageSettings(Config.parse({ adapter }), "auditor").adapter).toBe(adapter);
  for (const adapter of ["claude", "codex", "opencode"]) expect(Config.safeParse({ adapter: "gemini" }).error?.message).toContain(adapter);
});

test("sections that are not served yet validate", () => {
  for (const section of unservedSections) {
    const value = section.split(".").reduceRight<unknown>((inner, key) => ({ [key]: inner }), section === "language" ? "ko" : section === "autonomous.schedule" ? "* * * * *" : section === "autonomous.pairMode" ? false : section.startsWith("discord.") ? "4711" : {});
    expect(Config.safeParse(value)).toMatchObject({ success: true });
  }
});

test("secrets are hidden for display and listed for scrubbing", () => {
  const config = Config.parse({ store: { url: "postgres://me:s3cret-password@db:5432/f?sslkey=k" }, discord: { token: "tok", channelId: "1", webhookUrl: "https://d/x" }, azdo: { apiKey: "pat", org: "o" } });
  const shown = JSON.stringify(redact(config));
  expect(shown).toContain('"url":"postgres://me:•••@db:5432/f?•••"');
  expect(shown).toContain('"channelId":"1"');
  for (const secret of ["s3cret-password", "tok\"", "https://d/x", "pat\"", "sslkey"]) expect(shown).not.toContain(secret);
  expect(secretValues(config)).toEqual(expect.arrayContaining(["s3cret-password", "tok", "pat", "https://d/x"]));
});
