/** The envelope, the key and the words of a receipt, without a factory. */
import { createPublicKey, generateKeyPairSync, verify as verifySignature } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { spawnSync } from "node:child_process";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { execa } from "execa";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { WorkItemId } from "../../src/domain/ids.ts";
import { canonical, Envelope, type ReceiptLine, receiptOf, Statement, statementType } from "../../src/domain/receipt.ts";
import { WorkItemView } from "../../src/domain/view.ts";
import { pae, seal } from "../../src/receipts/envelope.ts";
import { keyFile, KeyUnusable, readKey, signingKey } from "../../src/receipts/key.ts";
import { keyFromPem, verifyReceipt, verifyAgainst } from "../../src/receipts/verify.ts";
import { git, repositoryAt, temporary, write } from "../workspaces/fixture.ts";

const directory = (): { readonly path: string; readonly [Symbol.dispose]: () => void } => {
  const path = mkdtempSync(join(tmpdir(), "enact-receipts-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
};

const commit = (digit: string): string => digit.repeat(40);
const id = WorkItemId.parse("LOC-1");
const view = WorkItemView.parse({
  id, source: "command", sourceId: "x", title: "t", kind: "chore", priority: 2, createdAt: 1, project: "repo", repository: "/r/repo", operatorLane: "none", status: "done", lineage: 2, attempt: 2, iterations: 1, failures: 0, itemFailures: 0,
  infraFailures: 0, infraRetries: 5, retryAt: null, blocked: null, question: null, reason: "", branch: "enact/LOC-1-2", worktree: null, base: commit("a"), head: commit("b"), checks: null, summary: "", warnings: ["w"], costUsd: 0, published: "branch enact/LOC-1-2",
  needs: ["testsPassed"], gates: { testsPassed: { state: "met", evidence: "0/0" } }, ledger: [],
});
const report = { base: { commit: commit("a"), results: [] }, head: { commit: commit("b"), results: [] }, newFailures: [], fixed: [], warnings: [], sandbox: "off" };
const item = { id, source: "command", sourceId: "x", title: "A title", body: "", kind: "chore", priority: 2, createdAt: 1, project: "repo", repository: "/r/repo", operatorLane: "none" };
const amount = (usd: number, unmeasured: number) => ({ usage: { inputTokens: 10, outputTokens: 1, cachedTokens: 0 }, cost: { usd, unpricedTokens: 0, unmeasured }, turns: 1, wallMs: 5 });
const turn = (run: string, more: object = {}) => ({ outcome: { runId: run, ended: { how: "completed", text: "x" }, sessionId: null, sessionCostUsd: 0, costUsd: 0, usage: { inputTokens: 0, outputTokens: 0, cachedTokens: 0 }, verdict: null, audit: null, permissionDenials: [], swept: 0, ...more } });
const spend = (run: string, usd: number, unmeasured = 0) => ({ run, item: id, attempt: 2, project: "repo", lane: "none", stage: "coder", member: null, adapter: "claude", model: "m-1", day: "2026-11-30", amount: amount(usd, unmeasured) });
const events: readonly (readonly [actor: string, type: string, event: object])[] = [
  ["item/LOC-1/1", "actor.start", { input: { item, attempt: 1 } }],
  ["stage/LOC-1/1/coder.1", "turn.ended", turn("old", { spend: spend("old", 9) })],
  ["item/LOC-1/2", "actor.start", { input: { item, attempt: 2 } }],
  ["item/LOC-1/2", "claim", { explicit: false }],
  ["stage/LOC-1/2/coder.1", "actor.start", { input: { stage: "coder", iteration: 1, adapter: "codex", model: null } }],
  ["stage/LOC-1/2/coder.1", "turn.ended", turn("one", { adapter: "claude", cliVersion: "2.1.330", promptVersion: "coder/en/3f2a9c01b7de", spend: spend("one", 0.25) })],
  ["stage/LOC-1/2/coder.1", "turn.ended", turn("two", { ended: { how: "failed", failure: { kind: "crashed", exitCode: 1, signal: null, message: "x" } }, spend: spend("two", 0, 1) })],
  ["stage/LOC-1/2/coder.1", "turn.ended", turn("three", { ended: { how: "failed", failure: { kind: "capReached", cap: "itemUsd", spent: 1, limit: 1, message: "used up" } } })],
  ["pipeline/LOC-1/2", "stuck", { rule: "sameDiff", says: "the change did not change" }],
  ["pipeline/LOC-1/2", "workspace.committed", { head: commit("b"), diffHash: "d".repeat(64) }],
  ["session/0", "stop.denied", { id: "1", verdict: { decision: "deny", ruleId: "gatesPending", reason: "needs testsPassed", pendingGates: ["testsPassed"], item: id, at: 1 } }],
  ["session/1", "stop.denied", { id: "2", verdict: { decision: "deny", ruleId: "gatesPending", reason: "another's", pendingGates: [], item: "LOC-2", at: 1 } }],
  ["stage/LOC-1/2/auditor.2", "turn.ended", turn("audit", { audit: { findings: [{ severity: "major", message: "m" }] } })],
  ["item/LOC-1/2", "pipeline.ended", { attempt: 2, outcome: "done", failure: null, reason: "", iterations: 1, head: commit("b"), workspace: { branch: "enact/LOC-1-2", base: commit("a"), path: "/w" } }],
  ["item/LOC-1/2", "verify.done", { report }],
  ["item/LOC-1/2", "approve", {}],
  ["item/LOC-1/2", "published", { where: "branch enact/LOC-1-2" }],
];
const lines: readonly ReceiptLine[] = events.map(([actor, type, event], n) => ({ position: n + 1, actor, at: 1_700_000_000_000 + n, type, event: { type, ...event } }));
const statementOf = (given: readonly ReceiptLine[] = lines): Statement => {
  const statement = receiptOf(view, given);
  if (statement === undefined) throw new Error("no receipt");
  return statement;
};

describe("what a receipt says", () => {
  test("facts of the journal, of this lineage alone; what is unknown is null or counted apart", () => {
    const { predicate } = statementOf();
    expect(predicate.turns).toMatchObject([
      { run: "one", stage: "coder", iteration: 1, adapter: "claude", model: "m-1", cliVersion: "2.1.330", prompt: "coder/en/3f2a9c01b7de" },
      { run: "two", cliVersion: null, prompt: null, ended: "failed", failure: "crashed" },
      { run: "three", adapter: "codex", failure: "capReached", used: null },
      { run: "audit", used: null },
    ]);
    expect(predicate.total).toEqual({ turns: 2, withoutProcess: 2, tokens: { inputTokens: 20, outputTokens: 2, cachedTokens: 0 }, cost: { usd: 0.25, unpricedTokens: 0, unmeasured: 1 }, wallMs: 10 });
    expect(predicate.rules.map(({ kind, rule }) => `${kind} ${rule}`)).toEqual(["cap spend.itemUsd", "progress sameDiff", "stop gatesPending"]);
    expect(predicate.verdicts).toMatchObject([{ decision: "audited", findings: { major: 1, minor: 0 } }]);
    expect(predicate.approvals.map(({ what, by }) => `${what} ${by}`)).toEqual(["begin automation", "publish person"]);
    expect(predicate.change.diffSha256).toBe("d".repeat(64));
  });

  test("it is the same whatever came after the publication, and in whichever order an event's members were written", () => {
    const later: readonly ReceiptLine[] = [...lines, { position: 99, actor: "item/LOC-1/2", at: 9, type: "source.refused", event: { message: "x" } }, { position: 100, actor: "stage/LOC-1/3/coder.1", at: 9, type: "turn.ended", event: turn("late") }];
    const turned = lines.map((line) => ({ ...line, event: Object.fromEntries(Object.entries(line.event).toReversed()) }));
    expect(canonical(statementOf(later))).toBe(canonical(statementOf()));
    expect(canonical(statementOf(turned))).toBe(canonical(statementOf()));
  });

  test("there is none of what was not published, or whose journal does not tell how", () => {
    expect(receiptOf(view, lines.filter(({ type }) => type !== "published"))).toBeUndefined();
    expect(receiptOf(view, lines.filter(({ type }) => type !== "verify.done"))).toBeUndefined();
    expect(receiptOf(view, [])).toBeUndefined();
  });

  test("canonical JSON: equal values are equal texts, and it is JSON", () => {
    fc.assert(fc.property(fc.jsonValue(), (value) => { expect(JSON.parse(canonical(value))).toEqual(JSON.parse(JSON.stringify(value))); }));
    fc.assert(fc.property(fc.dictionary(fc.string(), fc.integer()), (record) => canonical(record) === canonical(Object.fromEntries(Object.entries(record).toReversed()))));
  });
});

describe("the envelope", () => {
  test("any byte of a receipt that is changed keeps it from being verified", async () => {
    using state = directory();
    const key = await signingKey(state.path), envelope = seal(statementOf(), key), text = Buffer.from(JSON.stringify(envelope));
    expect(verifyReceipt(text.toString("utf8"), { key: key.public })).toMatchObject({ verified: true, keyid: key.keyid });
    const payload = Buffer.from(envelope.payload, "base64"), signature = Buffer.from(envelope.signatures[0]?.sig ?? "", "base64");
    const changed = (bytes: Buffer, at: number, by: number): Buffer => {
      const copy = Buffer.from(bytes);
      copy[at % copy.length] = (copy[at % copy.length] ?? 0) ^ by;
      return copy;
    };
    const wanted = [{ key: key.public }, { keyid: key.keyid }];
    fc.assert(fc.property(fc.nat(), fc.integer({ min: 1, max: 255 }), fc.constantFrom("payload", "signature", "file"), fc.constantFrom(...wanted), (at, by, what, whose) => {
      const broken = what === "file" ? changed(text, at, by).toString("utf8") : JSON.stringify(what === "payload" ? { ...envelope, payload: changed(payload, at, by).toString("base64") } : { ...envelope, signatures: [{ ...envelope.signatures[0], sig: changed(signature, at, by).toString("base64") }] });
      return !verifyReceipt(broken, whose).verified;
    }), { numRuns: 2_000 });
  });

  test("a second implementation agrees: openssl where it is installed, else the raw encoding by node's own crypto", async () => {
    using state = directory();
    const key = await signingKey(state.path), envelope = seal(statementOf(), key), payload = Buffer.from(envelope.payload, "base64"), signature = Buffer.from(envelope.signatures[0]?.sig ?? "", "base64");
    // Written out by the specification, not by ours.
    const type = "application/vnd.in-toto+json";
    const signed = Buffer.concat([Buffer.from("DSSEv1"), Buffer.from(` ${type.length} `), Buffer.from(type), Buffer.from(` ${payload.length} `), payload]);
    expect(pae(type, payload).equals(signed)).toBe(true);
    expect(JSON.parse(payload.toString("utf8"))).toMatchObject({ _type: statementType, predicateType: "https://enact-factory.dev/receipt/v1" });
    const pem = key.public.key.export({ type: "spki", format: "pem" }).toString();
    const files = { pem: join(state.path, "p.pem"), sig: join(state.path, "s"), data: join(state.path, "d") };
    writeFileSync(files.pem, pem);
    writeFileSync(files.sig, signature);
    const openssl = (data: Buffer): boolean | undefined => {
      writeFileSync(files.data, data);
      const done = spawnSync("openssl", ["pkeyutl", "-verify", "-pubin", "-inkey", files.pem, "-rawin", "-in", files.data, "-sigfile", files.sig], { encoding: "utf8" });
      // Not installed, or one that does not know the key.
      return done.error !== undefined || !/Verified Successfully|Verification Fail/i.test(`${done.stdout}${done.stderr}`) ? undefined : done.status === 0;
    };
    const holds = (data: Buffer): boolean => openssl(data) ?? verifySignature(null, data, createPublicKey(pem), signature);
    expect(holds(signed)).toBe(true);
    expect(holds(Buffer.concat([signed, Buffer.from(" ")]))).toBe(false);
  });

  test("another's signature, another's key beside it, another form: each is named", async () => {
    using mine = directory();
    using theirs = directory();
    const key = await signingKey(mine.path), other = await signingKey(theirs.path), envelope = seal(statementOf(), key);
    const [signature] = envelope.signatures;
    if (signature === undefined) throw new Error("unsigned");
    const why = (value: unknown, wanted: Parameters<typeof verifyReceipt>[1] = { key: key.public }): string => {
      const checkup = verifyReceipt(JSON.stringify(value), wanted);
      return checkup.verified ? "verified" : checkup.why;
    };
    expect(why(envelope, { key: other.public })).toBe("unknownKey");
    expect(why(envelope, { keyid: other.keyid })).toBe("unknownKey");
    // Whoever calls himself by the key id of another has to show that other's key.
    expect(why({ ...envelope, signatures: [{ ...seal(statementOf(), other).signatures[0], keyid: key.keyid }] }, { keyid: key.keyid })).toBe("malformed");
    expect(why({ ...envelope, signatures: [{ ...signature, sig: seal(statementOf(), other).signatures[0]?.sig }] })).toBe("signature");
    expect(why({ ...envelope, payloadType: "text/plain" })).toBe("malformed");
    expect(why({ ...envelope, more: 1 })).toBe("malformed");
    expect(why([])).toBe("malformed");
    expect(verifyReceipt("no JSON", { key: key.public })).toMatchObject({ verified: false, why: "malformed" });
    // Signed by us, and yet no receipt.
    const odd = seal({ ...statementOf(), subject: [{ name: "x", digest: { gitCommit: commit("f") } }] }, key);
    expect(why(odd)).toBe("malformed");
    expect(() => keyFromPem(generateKeyPairSync("x25519").publicKey.export({ type: "spki", format: "pem" }).toString(), "k")).toThrow(KeyUnusable);
    expect(() => keyFromPem(readFileSync(keyFile(mine.path), "utf8"), "k")).toThrow("no public Ed25519 key");
    expect(Envelope.parse(envelope)).toEqual(envelope);
  });
});

describe("the factory's key", () => {
  test("processes that make it at the same time get the same one; it is 0600 and nothing is left beside it", { timeout: 60_000 }, async () => {
    using state = directory();
    const child = join(import.meta.dirname, "child.ts");
    const ids = await Promise.all(Array.from({ length: 4 }, async () => (await execa(process.execPath, [child, state.path], { stdin: "ignore" })).stdout));
    const here = await Promise.all(Array.from({ length: 8 }, () => signingKey(state.path)));
    expect(new Set([...ids, ...here.map(({ keyid }) => keyid)]).size).toBe(1);
    expect(statSync(keyFile(state.path)).mode & 0o777).toBe(0o600);
    expect(statSync(dirname(keyFile(state.path))).mode & 0o777).toBe(0o700);
    expect(readdirSync(dirname(keyFile(state.path)))).toEqual(["receipts.pem"]);
  });

  test("a damaged one, one that others can read, and a link are refused and left as they are", async () => {
    using state = directory();
    expect(await readKey(state.path)).toBeUndefined();
    await signingKey(state.path);
    const file = keyFile(state.path), whole = readFileSync(file, "utf8");
    for (const text of ["", whole.slice(0, 60), whole.replace(/[A-Za-z0-9+/]{8}/, "AAAAAAAA"), generateKeyPairSync("x25519").privateKey.export({ type: "pkcs8", format: "pem" }).toString()]) {
      writeFileSync(file, text);
      await expect(signingKey(state.path)).rejects.toThrow("is damaged; it was left as it is");
      expect(readFileSync(file, "utf8")).toBe(text);
    }
    writeFileSync(file, whole);
    chmodSync(file, 0o644);
    await expect(signingKey(state.path)).rejects.toThrow("can be read or written by other users");
    rmSync(file);
    symlinkSync(join(state.path, "nowhere"), file);
    await expect(signingKey(state.path)).rejects.toThrow("is no file of its own");
    expect(existsSync(join(state.path, "nowhere"))).toBe(false);
    rmSync(dirname(file), { recursive: true });
    writeFileSync(dirname(file), "");
    await expect(signingKey(state.path)).rejects.toThrow("cannot be made");
  });
});

describe("against a repository", () => {
  test("head has to come after base, and what lies between them has to be what was told", async () => {
    using place = temporary();
    using state = directory();
    const repository = repositoryAt(join(place.path, "repo"), { "a.txt": "a\n" });
    const base = git(repository, "rev-parse", "HEAD");
    write(repository, { "a.txt": "b\n" });
    git(repository, "commit", "-q", "-a", "-m", "b");
    const head = git(repository, "rev-parse", "HEAD"), key = await signingKey(state.path);
    const looked = async (change: Partial<Statement["predicate"]["change"]>) => {
      const { predicate, ...statement } = statementOf(), told = { ...predicate.change, base, head, diffSha256: null, ...change };
      const checkup = verifyReceipt(JSON.stringify(seal({ ...statement, subject: [{ name: "repo", digest: { gitCommit: told.head } }], predicate: { ...predicate, change: told } }, key)), { key: key.public });
      return verifyAgainst(checkup, repository);
    };
    expect(await looked({})).toMatchObject({ verified: true, repository: true });
    expect(await looked({ head: commit("e") })).toMatchObject({ verified: false, why: "commitMissing", detail: expect.stringContaining("the subject commit") });
    expect(await looked({ base: commit("e") })).toMatchObject({ verified: false, why: "commitMissing", detail: expect.stringContaining("the base commit") });
    expect(await looked({ base: head, head: base })).toMatchObject({ verified: false, why: "history" });
    expect(await looked({ diffSha256: "0".repeat(64) })).toMatchObject({ verified: false, why: "history", detail: expect.stringContaining("is not the change that was told") });
    // A tree's id is no commit.
    expect(await looked({ head: git(repository, "rev-parse", "HEAD^{tree}") })).toMatchObject({ verified: false, why: "commitMissing" });
    mkdirSync(join(place.path, "none"));
    await expect(looked({}).then((checkup) => verifyAgainst(checkup, join(place.path, "none")))).rejects.toThrow();
  });
});
