/** Caps of the spending in a factory that picks up work by itself. */
import { describe, expect, test } from "vitest";
import { WorkItemId } from "../../src/domain/ids.ts";
import { guardMs, makeFactory, makePlace, quick, turn } from "../rows/fixture.ts";

const id = (n: number): WorkItemId => WorkItemId.parse(`LOC-${n}`);
const local = (spend: string): string => `${quick}[sources.local]\ndirectory = "items"\nproject = "repo"\npollMs = 50\n[scheduler]\nslots = 1\n[[projects]]\nname = "repo"\nprojectPath = "repo"\n[spend]\n${spend}\n`;
const write = turn("coder", '{ write = "a.txt", text = "a" }, { cost = 0.6 }, { result = "Wrote it." }');

describe("caps and automation", { timeout: guardMs }, () => {
  test("while the day is used up nothing more is claimed: ready items wait unharmed, and the factory says why", async () => {
    const place = makePlace(local("dayUsd = 0.5"));
    place.repository("repo");
    place.put("items/playbooks/one.toml", write + turn("critic", '{ verdict = "approve" }'));
    for (const n of [1, 2]) place.put(`items/${n}.md`, `+++\nplaybook = "playbooks/one.toml"\n+++\n# Write it ${n}\n`);
    await using factory = await makeFactory(place, { automation: true });
    const statuses = async (): Promise<readonly string[]> => (await factory.client.items()).map(({ item }) => item.status);
    await expect.poll(statuses, { timeout: guardMs }).toEqual(["exhausted", "ready"]);
    expect((await factory.client.item(id(1)))?.item.reason).toContain("critic: the cap spend.dayUsd: $0.60 of $0.50");
    await expect.poll(async () => (await factory.client.status()).idle, { timeout: guardMs }).toMatch(/^the cap spend\.dayUsd: \$0\.60 of \$0\.50 on \S+ is reached; the day ends .+; 1 waits \(LOC-2\)$/);
    // A command is answered by the cap itself.
    await factory.client.command(id(2), { type: "claim" });
    await expect.poll(statuses, { timeout: guardMs }).toEqual(["exhausted", "exhausted"]);
    expect((await factory.client.spend({ by: "item" })).rows.map(({ key }) => key)).toEqual(["LOC-1"]);
  });

  test("a lane takes a cap that is reached for no round that went wrong: it ends as exhausted, and its turns are its own in the report", async () => {
    const place = makePlace(local("itemTurns = 1"));
    place.repository("repo");
    place.put("items/playbooks/one.toml", write + turn("critic", '{ verdict = "revise", feedback = "again" }'));
    place.put("items/1.md", '+++\nplaybook = "playbooks/one.toml"\nlane = "ralph"\n+++\n# Write it\n');
    await using factory = await makeFactory(place, { automation: true });
    await expect.poll(async () => (await factory.client.item(id(1)))?.item.status, { timeout: guardMs }).toBe("exhausted");
    expect((await factory.client.item(id(1)))?.item).toMatchObject({ iterations: 1, reason: expect.stringContaining("spend.itemTurns: 1 of 1 turns for LOC-1") });
    expect((await factory.client.spend({ by: "lane" })).rows).toMatchObject([{ key: "ralph", amount: { turns: 1 } }]);
  });
});
