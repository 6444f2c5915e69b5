import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse } from "smol-toml";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Config } from "../../src/domain/config.ts";
import { environment } from "../../src/config/environment.ts";
import { checkText } from "../../src/config/check.ts";
import { validateConfig } from "../../src/config/load.ts";
import { everyKey } from "../../src/config/schema-tree.ts";
import { conventionalPostgresUrl, renderEnvTemplate, renderTemplate } from "../../src/config/template.ts";

let directory = "";
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "enact-template-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const nothing = environment({}, undefined);
const has = (value: unknown, path: readonly string[]): boolean => {
  const [key, ...rest] = path;
  if (key === undefined) return true;
  if (Array.isArray(value)) return value.some((item) => has(item, path));
  return typeof value === "object" && value !== null && Object.entries(value).some(([name, inner]) => name === key && has(inner, rest));
};
const exampleFile = new URL("../../config.toml.example", import.meta.url);

test("CARD-35 config.toml.example is what the schema says, has every key and validates", () => {
  const text = readFileSync(exampleFile, "utf8");
  expect(text).toBe(renderTemplate({ kind: "example" }));
  const value = parse(text);
  for (const { path } of everyKey()) expect({ path, there: has(value, path) }).toEqual({ path, there: true });
  mkdirSync(join(directory, "work-items"));
  writeFileSync(join(directory, "config.toml"), text);
  expect(validateConfig(join(directory, "config.toml"), { cwd: directory, home: directory, env: {} })).toEqual([]);
});

test("every key has a description, and a default or an example", () => {
  for (const { path, node } of everyKey()) {
    expect({ path, description: node.description }).toEqual({ path, description: expect.stringMatching(/^[^\n]{5,}[.]$/) });
    if (node.kind === "leaf") expect({ path, value: node.fallback ?? node.examples[0] }).toEqual({ path, value: expect.anything() });
  }
});

test("CONF-02 the example's stages load to the documented values", () => {
  const { config } = checkText(readFileSync(exampleFile, "utf8"), "config.toml", nothing);
  expect(config?.autonomous.defaultStages).toMatchObject({
    coder: { model: "claude-haiku-4-5-20251001", escalateModel: "claude-sonnet-4-20250514", escalateAfterIteration: 3, timeoutMs: 1_800_000 },
    critic: { model: "claude-haiku-4-5-20251001", timeoutMs: 600_000 },
    tester: { enabled: false }, documenter: { enabled: false }, auditor: { enabled: false }, "stage-documenter": { enabled: false },
  });
});

test("the template of init validates, is the defaults, and validates with every line uncommented", () => {
  const plain = renderTemplate({ kind: "init" });
  expect(checkText(plain, "config.toml", nothing)).toMatchObject({ problems: [], config: Config.parse({}) });
  const started = renderTemplate({ kind: "init", project: { name: "app", projectPath: "." }, storeUrl: conventionalPostgresUrl });
  expect(checkText(started, "config.toml", nothing).config).toEqual(Config.parse({ projects: [{ name: "app", projectPath: "." }], store: { url: "postgres://enact:enact@localhost:45432/enact_factory_dev" } }));
  const uncommented = plain.replace(/^#(?=\S)/gm, "");
  expect(checkText(uncommented, "config.toml", nothing).problems).toEqual([]);
  for (const { path } of everyKey()) expect({ path, there: has(parse(uncommented), path) }).toEqual({ path, there: true });
});

test("FLIGHT-05 the .env template has the four AZDO variables once each", () => {
  expect(renderEnvTemplate().split("\n").filter((line) => /^(AZDO_ORG|AZDO_PROJECT|AZDO_PAT|AZDO_TEAM_ID)=/.test(line))).toHaveLength(4);
  expect(renderEnvTemplate().match(/^AZDO_/gm)).toHaveLength(4);
});
