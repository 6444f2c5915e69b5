/** What comes of published work on real repositories: its receipt, its diff, and how it is taken back. */
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { createLocalTools } from "../../src/daemon/tools.ts";
import { Envelope, Statement } from "../../src/domain/receipt.ts";
import type { WorkItemId } from "../../src/domain/ids.ts";
import { bin } from "../cli/room.ts";
import { type Factory, guardMs, makeFactory, makePlace, type Place, quick, turn } from "./fixture.ts";

const checks = '[[verify.checks]]\nname = "has a"\nargv = ["test", "-f", "a.txt"]\n';
const base = quick.replace("[limits]", `${checks}[limits]`);
const findings = 'findings = [ { severity = "minor", message = "A name." }, { severity = "info", message = "Fine." } ]';
const work = `${turn("coder", '{ write = "a.txt", text = "a\\n" }, { usage = { input = 1000, output = 200, cached = 400 } }, { cost = 0.5 }, { result = "Wrote it." }')}${turn("critic", `{ verdict = "approve", ${findings} }`)}`;

const cli = (place: Place, ...argv: readonly string[]) => {
  const done = spawnSync(process.execPath, [bin, "--config", place.configFile, ...argv], { cwd: place.directory, encoding: "utf8", env: { PATH: process.env["PATH"] ?? "", HOME: place.directory, NO_COLOR: "1", GIT_CONFIG_GLOBAL: "/dev/null", GIT_CONFIG_NOSYSTEM: "1" } });
  return { code: done.status, out: done.stdout, err: done.stderr };
};

const published = async (config: string, playbook = work): Promise<Factory & { readonly repo: string; readonly id: WorkItemId }> => {
  const place = makePlace(config), repo = place.repository("repo");
  const factory = await makeFactory(place);
  const id = await factory.submit("Write a", { repository: repo, playbook: place.put("work.toml", playbook) });
  const [state] = await factory.ended(id);
  expect(state?.item.status, state?.item.reason).toBe("done");
  return { ...factory, repo, id };
};

describe("receipts", { timeout: guardMs }, () => {
  test("a receipt tells how the published commit came about, is the same whenever it is asked for, and is verified with nothing but the public key", async () => {
    await using factory = await published(`${base}`);
    const { client, id, repo, git, directory } = factory;
    const envelope = await client.receipt(id), again = await client.receipt(id);
    expect(again).toEqual(envelope);
    const statement = Statement.parse(JSON.parse(Buffer.from(envelope.payload, "base64").toString("utf8")));
    const head = git(repo, "rev-parse", `enact/${id}`), before = git(repo, "rev-parse", "main");
    expect(statement.subject).toEqual([{ name: "repo", digest: { gitCommit: head } }]);
    const { predicate } = statement;
    expect(predicate.change).toEqual({ base: before, head, branch: `enact/${id}`, diffSha256: expect.stringMatching(/^[0-9a-f]{64}$/) });
    expect(predicate.checks).toMatchObject({ sandbox: "off", base: [{ name: "has a", status: "failed" }], head: [{ name: "has a", status: "passed", exitCode: 0, failures: 0 }], newFailures: [] });
    expect(predicate.verdicts).toMatchObject([{ by: "critic", decision: "approve", findings: { minor: 1, info: 1, major: 0, critical: 0 } }]);
    expect(predicate.turns).toMatchObject([
      { stage: "coder", iteration: 1, adapter: "scripted", cliVersion: null, prompt: expect.stringMatching(/^coder\/en\/[0-9a-f]{12}$/), ended: "completed", used: { tokens: { inputTokens: 1000, outputTokens: 200, cachedTokens: 400 }, cost: { usd: 0.5 } } },
      { stage: "critic", ended: "completed" },
    ]);
    expect(predicate.total).toMatchObject({ turns: 2, withoutProcess: 0, cost: { usd: 0.5, unpricedTokens: 0 } });
    expect(predicate.approvals).toMatchObject([{ what: "begin", by: "person" }, { what: "publish", by: "automation" }]);
    expect(predicate.gates.reviewPassed).toMatchObject({ state: "met" });
    expect(predicate.warnings.join()).toContain("the sandbox is off");

    // Somewhere else, with the public key and a clone alone.
    const key = await createLocalTools().receipts.publicKey({ configFile: factory.configFile, directory });
    expect(envelope.signatures).toMatchObject([{ keyid: key.keyid }]);
    const there = join(directory, "elsewhere");
    mkdirSync(there);
    writeFileSync(join(there, "key.pem"), key.pem);
    writeFileSync(join(there, "receipt.json"), `${JSON.stringify(envelope)}\n`);
    git(directory, "clone", "-q", "--branch", `enact/${id}`, repo, join(there, "clone"));
    const home = { ...factory, configFile: factory.put("elsewhere/config.toml", ""), directory: there };
    const verified = cli(home, "receipt", "verify", "receipt.json", "--key", "key.pem", "--repository", "clone");
    expect(verified, verified.err).toMatchObject({ code: 0 });
    expect(verified.out).toContain("verified");
    expect(verified.out).toContain("critic: approve, 1 minor, 1 info");
    expect(cli(home, "receipt", "verify", "receipt.json", "--keyid", key.keyid).code).toBe(0);
    expect(existsSync(join(there, ".enact"))).toBe(false);
    // No key of its own to look with: that is no answer.
    expect(cli(home, "receipt", "verify", "receipt.json")).toMatchObject({ code: 2 });
    expect(cli(home, "receipt", "verify", "receipt.json", "--key", "receipt.json")).toMatchObject({ code: 2 });
    expect(cli(home, "receipt", "verify", "receipt.json", "--key", "key.pem", "--repository", there)).toMatchObject({ code: 2 });
    // Another repository does not have the commit; another key did not sign it.
    factory.repository("elsewhere/other");
    const missing = cli(home, "receipt", "verify", "receipt.json", "--key", "key.pem", "--repository", "other", "--json");
    expect([missing.code, JSON.parse(missing.out)]).toMatchObject([1, { verified: false, why: "commitMissing" }]);
    const unknown = cli(home, "receipt", "verify", "receipt.json", "--keyid", "0".repeat(64), "--json");
    expect([unknown.code, JSON.parse(unknown.out)]).toMatchObject([1, { verified: false, why: "unknownKey" }]);
    const forged = Envelope.parse({ ...envelope, payload: Buffer.from(Buffer.from(envelope.payload, "base64").toString("utf8").replace('"approve"', '"revise"')).toString("base64") });
    writeFileSync(join(there, "forged.json"), JSON.stringify(forged));
    const broken = cli(home, "receipt", "verify", "forged.json", "--key", "key.pem", "--json");
    expect([broken.code, JSON.parse(broken.out)]).toMatchObject([1, { verified: false, why: "signature" }]);
  });

  test("a person's approval is in the receipt, and of what has published nothing there is none; the command writes it once and refuses to write over a file", async () => {
    const place = makePlace(`review = "human"\n${quick}`), repository = place.repository("repo");
    await using factory = await makeFactory(place);
    const id = await factory.submit("Write a", { repository, playbook: place.put("work.toml", work) });
    await expect.poll(async () => (await factory.client.item(id))?.item.status, { timeout: guardMs }).toBe("review");
    await expect(factory.client.receipt(id)).rejects.toThrow(`${id} has published nothing yet; it is review`);
    await expect(factory.client.undo(id, { onto: null })).rejects.toThrow("published nothing that could be undone");
    await factory.client.command(id, { type: "approve" });
    await factory.ended(id);
    const done = cli(place, "receipt", id, "--output", "r.json");
    expect(done, done.err).toMatchObject({ code: 0 });
    expect(done.out).toContain("to publish by a person");
    expect(cli(place, "receipt", id, "--output", "r.json")).toMatchObject({ code: 1, out: "" });
    // The same bytes from the owner here and from the command there.
    expect(JSON.parse(readFileSync(join(place.directory, "r.json"), "utf8"))).toEqual(await factory.client.receipt(id));
    expect(cli(place, "receipt", "verify", "r.json", "--repository", repository)).toMatchObject({ code: 0 });
    const key = cli(place, "receipt", "key");
    expect(key.out).toContain("BEGIN PUBLIC KEY");
    expect(cli(place, "receipt", "RUN-9").code).toBe(1);
  });
});

describe("diff", { timeout: guardMs }, () => {
  test("the diff of an item is its worktree as it stands while it runs, uncommitted files included, and its branch afterwards; it can be applied", async () => {
    const place = makePlace(quick), repository = place.repository("repo");
    await using factory = await makeFactory(place);
    const playbook = place.put("p.toml", `${turn("coder", '{ write = "new dir/a.txt", text = "one\\n" }, { question = "Which?" }', "try = 1")}${turn("coder", '{ write = "b.txt", text = "two\\n" }, { result = "Wrote it." }', "try = 2")}${turn("critic", '{ verdict = "approve" }')}`);
    const id = await factory.submit("Write a", { repository, playbook });
    await expect.poll(async () => (await factory.client.item(id))?.item.status, { timeout: guardMs }).toBe("blocked");
    const live = await factory.client.diff(id);
    expect(live).toMatchObject({ branch: `enact/${id}`, head: null, cut: false, files: [{ path: "new dir/a.txt", added: 1, removed: 0 }] });
    expect(existsSync(join(live.worktree ?? "", "new dir/a.txt"))).toBe(true);
    expect(cli(place, "diff", id).out).toContain("+one");
    await factory.client.command(id, { type: "answer", text: "Go on." });
    await factory.ended(id);
    const done = await factory.client.diff(id);
    expect(done).toMatchObject({ head: factory.git(repository, "rev-parse", `enact/${id}`), base: factory.git(repository, "rev-parse", "main"), worktree: null });
    expect(done.files.map(({ path }) => path)).toEqual(["b.txt", "new dir/a.txt"]);
    const shown = cli(place, "diff", id);
    expect(shown).toMatchObject({ code: 0, out: done.patch });
    execFileSync("git", ["apply", "--check", "-"], { cwd: repository, input: shown.out });
    expect(cli(place, "diff", id, "--stat").out).toContain("2 files changed, 2 lines added, 0 removed");
    expect(JSON.parse(cli(place, "diff", id, "--stat", "--json").out)).toMatchObject({ added: 2, removed: 0, files: [{ path: "b.txt" }, { path: "new dir/a.txt" }] });
    expect(cli(place, "diff", "RUN-9").code).toBe(1);
  });
});

describe("undo", { timeout: guardMs }, () => {
  const checkpointOf = (factory: Factory, repo: string, ref: string): string => factory.git(repo, "rev-parse", ref);

  test("what was published here alone, and nothing came after, goes back to where it began; a checkpoint keeps it, and a second undo changes nothing", async () => {
    await using factory = await published(quick);
    const { client, id, repo, git } = factory, head = git(repo, "rev-parse", `enact/${id}`), main = git(repo, "rev-parse", "main");
    const undone = await client.undo(id, { onto: null });
    expect(undone).toMatchObject({ how: "moved", already: false, branch: `enact/${id}`, commit: main });
    expect(git(repo, "rev-parse", `enact/${id}`)).toBe(main);
    expect(checkpointOf(factory, repo, undone.checkpoint.ref)).toBe(head);
    const refs = git(repo, "for-each-ref");
    expect(await client.undo(id, { onto: null })).toMatchObject({ how: "moved", already: true, checkpoint: undone.checkpoint });
    expect(git(repo, "for-each-ref")).toBe(refs);
    // Its commits are still there for whoever looks, and its receipt still holds.
    expect((await client.diff(id)).head).toBe(head);
    expect(cli(factory, "undo", id)).toMatchObject({ code: 0, out: expect.stringContaining("already back at") });
  });

  test("what was merged and built upon is reverted by a commit on a new branch; checkout, index and main stay as they are", async () => {
    await using factory = await published(quick);
    const { client, id, repo, git } = factory, head = git(repo, "rev-parse", `enact/${id}`);
    git(repo, "merge", "-q", "--no-ff", "-m", "take it", `enact/${id}`);
    factory.put("repo/later.txt", "later\n");
    git(repo, "add", "-A");
    git(repo, "commit", "-q", "-m", "later");
    const main = git(repo, "rev-parse", "main");
    const undone = await client.undo(id, { onto: null });
    expect(undone).toMatchObject({ how: "reverted", already: false, branch: `enact/${id}-undo`, from: "main" });
    expect(git(repo, "ls-tree", "--name-only", undone.branch).split("\n")).toEqual(["README.md", "later.txt"]);
    expect(git(repo, "rev-parse", `${undone.branch}^`)).toBe(main);
    expect(git(repo, "log", "-1", "--format=%B", undone.branch)).toContain(`This reverts commit ${head}.`);
    expect([git(repo, "rev-parse", "main"), git(repo, "rev-parse", `enact/${id}`), git(repo, "status", "--porcelain")]).toEqual([main, head, ""]);
    expect(checkpointOf(factory, repo, undone.checkpoint.ref)).toBe(head);
    expect(await client.undo(id, { onto: null })).toMatchObject({ already: true, branch: undone.branch, commit: undone.commit });
    git(repo, "merge", "-q", "--ff-only", undone.branch);
    expect(existsSync(join(repo, "a.txt"))).toBe(false);
    await expect(client.undo(id, { onto: null })).rejects.toThrow("main has nothing of it any more");
  });

  test("a squashed copy is taken back from the branch that is named; what was changed since then is refused with its files", async () => {
    await using factory = await published(quick);
    const { client, id, repo, git } = factory;
    git(repo, "merge", "-q", "--squash", `enact/${id}`);
    git(repo, "commit", "-q", "-m", "squashed");
    const undone = await client.undo(id, { onto: "main" });
    expect(undone).toMatchObject({ how: "reverted", from: "main" });
    expect(git(repo, "ls-tree", "--name-only", undone.branch)).toBe("README.md");
    factory.put("repo/a.txt", "changed\n");
    git(repo, "commit", "-q", "-a", "-m", "changed");
    await expect(client.undo(id, { onto: "main" })).rejects.toThrow("what came after it on main changed the same places: a.txt");
    await expect(client.undo(id, { onto: "gone" })).rejects.toThrow("there is no branch gone");
  });

  test("a dirty checkout that stands on it, a branch that was moved away and a branch that is gone are refused, each with what to do, and nothing changes", async () => {
    await using factory = await published(quick);
    const { client, id, repo, git } = factory, head = git(repo, "rev-parse", `enact/${id}`);
    git(repo, "switch", "-q", `enact/${id}`);
    factory.put("repo/a.txt", "mine\n");
    const before = git(repo, "for-each-ref");
    const dirty = cli(factory, "undo", id);
    expect(dirty).toMatchObject({ code: 1, out: "" });
    expect(dirty.err).toContain("has changes that are not committed; nothing was changed");
    expect(dirty.err).toContain(`commit or stash them there, then: enact-factory undo ${id}`);
    expect(git(repo, "for-each-ref")).toBe(before);
    expect(readFileSync(join(repo, "a.txt"), "utf8")).toBe("mine\n");
    // Clean, it is not moved under the person's feet either.
    git(repo, "checkout", "-q", "a.txt");
    expect(await client.undo(id, { onto: null })).toMatchObject({ how: "reverted", from: `enact/${id}` });
    expect(git(repo, "rev-parse", "HEAD")).toBe(head);
    git(repo, "switch", "-q", "main");
    factory.put("repo/other.txt", "x\n");
    git(repo, "add", "-A");
    git(repo, "commit", "-q", "-m", "other");
    git(repo, "branch", "-f", `enact/${id}`, "main");
    await expect(client.undo(id, { onto: null })).rejects.toThrow(`the branch enact/${id} was moved to`);
    git(repo, "branch", "-D", `enact/${id}`);
    await expect(client.undo(id, { onto: null })).rejects.toThrow(`the branch enact/${id} is gone`);
  });

  test("what went to a remote is never moved back: it gets a revert to be pushed", async () => {
    const place = makePlace(`${quick}[publish]\nremote = "origin"\n`), repository = place.repository("repo");
    place.git(place.directory, "init", "-q", "--bare", "far.git");
    place.git(repository, "remote", "add", "origin", join(place.directory, "far.git"));
    await using factory = await makeFactory(place);
    const id = await factory.submit("Write a", { repository, playbook: place.put("work.toml", work) });
    const [state] = await factory.ended(id);
    expect(state?.item.published).toBe(`origin/enact/${id}`);
    const head = place.git(repository, "rev-parse", `enact/${id}`);
    expect(await factory.client.undo(id, { onto: null })).toMatchObject({ how: "reverted", from: `enact/${id}`, branch: `enact/${id}-undo` });
    expect(place.git(repository, "rev-parse", `enact/${id}`)).toBe(head);
    expect(place.git(repository, "ls-tree", "--name-only", `enact/${id}-undo`)).toBe("README.md");
  });
});
