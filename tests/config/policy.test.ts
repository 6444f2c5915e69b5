import { expect, test } from "vitest";
import { policyFor } from "../../src/daemon/policy.ts";
import { Config } from "../../src/domain/config.ts";

const config = Config.parse({ adapter: "claude", autonomous: { defaultStages: { coder: { model: "small", escalateModel: "large", escalateAdapter: "codex" } } } });
const coder = (request: Omit<Parameters<typeof policyFor>[2], "stages">, from = config) => policyFor(from, "/repository", { stages: "configured", ...request }).stages.coder;

test("the coder escalates to the adapter and model that are configured", () => {
  expect(coder({})).toMatchObject({ adapter: "claude", model: "small", escalateAdapter: "codex", escalateModel: "large" });
});

test("an adapter named for one item is meant for all of it: it does not change later, nor take the other one's model", () => {
  expect(coder({ adapter: "scripted" })).toMatchObject({ adapter: "scripted", escalateAdapter: null, escalateModel: null });
  // Where only the model changes, it still does.
  const modelOnly = Config.parse({ autonomous: { defaultStages: { coder: { escalateModel: "large" } } } });
  expect(coder({ adapter: "claude" }, modelOnly)).toMatchObject({ adapter: "claude", escalateAdapter: null, escalateModel: "large" });
});

test("worktrees of published work go, unless all are to be kept", () => {
  const keeps = (from: Config): boolean => policyFor(from, "/repository", { stages: "coder" }).keepWorktree;
  expect([keeps(config), keeps(Config.parse({ workspace: { keep: "always" } }))]).toEqual([false, true]);
});
