import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { parse } from "smol-toml";
import { describe, expect, test } from "vitest";
import { WorkItemId } from "../../src/domain/ids.ts";
import { type Factory, guardMs, makeFactory, makePlace, quick, turn } from "./fixture.ts";

const id = (n: number): WorkItemId => WorkItemId.parse(`LOC-${n}`);
const local = `review = "human"\n${quick}[sources.local]\ndirectory = "items"\nproject = "repo"\npollMs = 50\n[[projects]]\nname = "repo"\nprojectPath = "repo"\n`;
const work = `${turn("coder", '{ write = "a.txt", text = "a" }, { result = "Wrote it." }')}${turn("critic", '{ verdict = "approve" }')}`;
const statusOf = async (factory: Factory, item: WorkItemId): Promise<string | undefined> => (await factory.client.item(item))?.item.status;
const comesTo = (factory: Factory, item: WorkItemId, status: string): Promise<void> => expect.poll(() => statusOf(factory, item), { timeout: guardMs }).toBe(status);
/** What the item's source was told last. */
const told = (factory: Factory, item: WorkItemId): unknown => parse(readFileSync(join(factory.stateDirectory, "reports", `${item}.status.toml`), "utf8"));
/** Everything that was put on the push queue for an item, in order. */
const queued = async (factory: Factory, item: WorkItemId): Promise<number> => (await factory.journal(item)).filter(({ type }) => type === "source.pushed").length;

describe("gates and closing", { timeout: guardMs }, () => {
  test("E2E-09 E2E-10 approval of an item in one repository completes it, and its source is told of each gate and of the end", async () => {
    const place = makePlace(local);
    place.repository("repo");
    place.put("items/playbooks/work.toml", work);
    place.put("items/one.md", '+++\nplaybook = "playbooks/work.toml"\n+++\n# Write it\n');
    await using factory = await makeFactory(place, { automation: true });
    await comesTo(factory, id(1), "review");
    const waiting = await factory.client.item(id(1));
    expect(waiting?.item.needs).toEqual(["implementationComplete", "reviewPassed", "testsPassed"]);
    expect(waiting?.item.gates).toMatchObject({ implementationComplete: { state: "met", evidence: expect.stringContaining(waiting?.item.head?.slice(0, 12) ?? "?") }, reviewPassed: { state: "met" }, testsPassed: { state: "met" } });
    expect(waiting?.item.gates.closureEvidence).toBeUndefined();
    await factory.client.command(id(1), { type: "approve" });
    await comesTo(factory, id(1), "done");
    await expect.poll(() => told(factory, id(1)), { timeout: guardMs }).toEqual({ id: "LOC-1", sourceId: "one.md", status: "done", gates: { implementationComplete: true, testsPassed: true, reviewPassed: true, closureEvidence: true } });
    expect((await factory.client.item(id(1)))?.item.gates.reviewPassed).toEqual({ state: "met", evidence: "approved by a person" });
  });

  test("E2E-11 E2E-12 FAIL-04 an epic over two repositories stays in review after its approval, and is closed by a person with a reason alone", async () => {
    const place = makePlace(local);
    place.repository("repo");
    place.put("items/playbooks/work.toml", work);
    place.put("items/epic.md", '+++\nplaybook = "playbooks/work.toml"\nspans = ["repo", "other"]\n+++\n# All of it\n');
    await using factory = await makeFactory(place, { automation: true });
    await comesTo(factory, id(1), "review");
    const found = async () => (await factory.client.item(id(1)))?.item;
    expect((await found())?.ledger).toEqual([{ at: expect.any(Number), what: "deferred", reason: "it spans repo, other" }]);
    expect((await found())?.reason).toContain("§I4 closure-evidence-missing");
    // Its critic has approved; a person's word closes nothing without a reason.
    await expect(factory.client.command(id(1), { type: "approve" })).rejects.toThrow("approved already");
    await expect(factory.client.command(id(1), { type: "acknowledgeClose", reason: "  " })).rejects.toThrow("only with a reason");
    expect(await statusOf(factory, id(1))).toBe("review");
    expect(existsSync(join(factory.stateDirectory, "reports", "LOC-1.status.toml")) && JSON.stringify(told(factory, id(1)))).not.toContain("closureEvidence");
    await factory.client.command(id(1), { type: "acknowledgeClose", reason: "both parts are released" });
    await comesTo(factory, id(1), "done");
    expect((await found())?.ledger.at(-1)).toEqual({ at: expect.any(Number), what: "acknowledged", reason: "both parts are released" });
    expect((await found())?.gates.closureEvidence).toEqual({ state: "met", evidence: "closed by a person: both parts are released" });
    await expect.poll(() => told(factory, id(1)), { timeout: guardMs }).toMatchObject({ status: "done", gates: { closureEvidence: true } });
  });

  test("FAIL-02 E2E-15 what a source does not take stays queued and says why; a drain by hand tries it at once, and recovery tells all of it once", async () => {
    const place = makePlace(local);
    place.repository("repo");
    place.put("items/playbooks/work.toml", work);
    place.put("items/one.md", '+++\nplaybook = "playbooks/work.toml"\n+++\n# Write it\n');
    // Nothing can be written there.
    const obstacle = join(place.stateDirectory, "reports", "LOC-1.status.toml.new");
    mkdirSync(obstacle, { recursive: true });
    place.put(".enact/factory/reports/LOC-1.status.toml.new/x", "");
    await using factory = await makeFactory(place, { automation: true });
    await comesTo(factory, id(1), "review");
    const report = await factory.client.drain();
    expect(report.drained).toBe(0);
    expect(report.errors.length).toBeGreaterThan(0);
    expect(report.errors[0]).toContain("LOC-1 (local one.md)");
    const waiting = report.errors.length;
    expect(await queued(factory, id(1))).toBe(0);
    expect((await factory.client.evidence(id(1))).effects.filter(({ kind }) => kind === "source.push")).toHaveLength(waiting);
    rmSync(obstacle, { recursive: true });
    expect(await factory.client.drain()).toEqual({ drained: waiting, errors: [] });
    await expect.poll(() => queued(factory, id(1)), { timeout: guardMs }).toBe(waiting);
    expect(told(factory, id(1))).toMatchObject({ gates: { implementationComplete: true, testsPassed: true, reviewPassed: true } });
    expect(await factory.client.drain()).toEqual({ drained: 0, errors: [] });
  });
});
