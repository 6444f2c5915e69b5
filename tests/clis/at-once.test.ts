/** Eight runs of three CLIs through one owner and one model server, a different fault for each: every one ends as it would alone. */
import { expect, test } from "vitest";
import { openOwner } from "../adapters/owner.ts";
import { marker, startModelServer } from "../support/model-server.ts";
import { faults } from "./faults.ts";
import { type CliName, cliUnderTest } from "./under-test.ts";
import { openWorld } from "./world.ts";

const runs: readonly { readonly cli: CliName; readonly fault: string; readonly ends: string }[] = [
  { cli: "claude", fault: "cut", ends: "network" }, { cli: "claude", fault: "expired", ends: "auth" }, { cli: "claude", fault: "529", ends: "overloaded" }, { cli: "claude", fault: "contradicts", ends: "completed" },
  { cli: "codex", fault: "malformed", ends: "network" }, { cli: "codex", fault: "child-left", ends: "completed" }, { cli: "opencode", fault: "400", ends: "model" }, { cli: "opencode", fault: "hang-before-headers", ends: "stalled" },
];

test("all faults at once: each run ends with its own, and none is touched by another", { timeout: 300_000 }, async () => {
  await using world = await openWorld();
  await using model = await startModelServer(Object.fromEntries(faults.map(({ id, scenario }) => [id, scenario])));
  const names: readonly CliName[] = ["claude", "codex", "opencode"], clis = names.map((name) => cliUnderTest[name]());
  const env: Record<string, string> = { PATH: [...clis.map(({ bin }) => bin), process.env["PATH"] ?? "/usr/bin:/bin"].join(":"), LANG: "C.UTF-8", TMPDIR: world.temporary };
  for (const { pointedAt } of clis) Object.assign(env, await pointedAt(model.url, world.home));
  await using owner = await openOwner({ ...world, env, adapters: clis.map(({ adapter }) => adapter) });
  // It makes its database when it first starts in a home, and of two that do so at once one gives up (`spawn`, tried again): not what is asked here.
  expect((await owner.turn({ adapter: "opencode", model: cliUnderTest.opencode().model, body: marker("contradicts") })).outcome.ended.how).toBe("completed");
  const taken = await Promise.all(runs.map(({ cli, fault }) => owner.turn({ adapter: cli, model: cliUnderTest[cli]().model, body: marker(fault), timeoutMs: 200_000, stallMs: fault.startsWith("hang") ? 20_000 : 100_000 })));
  expect(taken.map(({ outcome: { ended } }, n) => ({ ...runs[n], ends: ended.how === "failed" ? ended.failure.kind : ended.how }))).toEqual(runs);
  expect(owner.left()).toEqual([]);
  expect(new Set(taken.map(({ outcome: { sessionId } }) => sessionId)).size).toBe(runs.length);
  // Each has what it wrote itself, and nothing else: the coder's file comes before the fault.
  expect(taken.map(({ changed }) => changed)).toEqual(runs.map(({ fault }) => !["contradicts", "child-left"].includes(fault)));
});
