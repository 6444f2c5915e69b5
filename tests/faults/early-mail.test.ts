/** Work handed in to a store that was only just made, before its first owner has looked: it is taken in, not buried. */
import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Effect } from "effect";
import { afterEach, beforeEach, expect, test } from "vitest";
import { policyFor } from "../../src/daemon/policy.ts";
import { createLocalTools } from "../../src/daemon/tools.ts";
import { Config } from "../../src/domain/config.ts";
import { intakeAddress } from "../../machines/intake.ts";
import { openOwner, openReader } from "../../src/store/open.ts";

let directory = "";
beforeEach(() => { directory = realpathSync(mkdtempSync(join(tmpdir(), "enact-early-"))); });
afterEach(() => { rmSync(directory, { recursive: true, force: true }); });

test("an offer that waits for the very first owner becomes a work item", async () => {
  const location = { kind: "sqlite", directory: join(directory, ".enact", "factory", "state") } as const;
  await Effect.runPromise(Effect.scoped(openOwner(location)));
  const offer = {
    type: "offer", claim: false, policy: policyFor(Config.parse({}), directory, { stages: "configured" }),
    item: { source: "command", sourceId: "early", title: "Early", body: "", kind: "chore", priority: 2, createdAt: 0, project: "p", repository: directory, operatorLane: "manual" },
  };
  await Effect.runPromise(Effect.scoped(Effect.flatMap(openReader(location), (reader) => reader.enqueue(intakeAddress, JSON.stringify(offer), 1))));
  const { client, close } = await createLocalTools().connect({ directory, as: "own" });
  try {
    const items = await client.items();
    expect(items.map(({ item }) => [item.sourceId, item.status])).toEqual([["early", "ready"]]);
  } finally {
    await close("suspend");
  }
});
