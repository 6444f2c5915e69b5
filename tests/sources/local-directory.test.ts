import { chmodSync, linkSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, renameSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Effect, Result } from "effect";
import { execa } from "execa";
import fc from "fast-check";
import { afterEach, beforeEach, expect, test } from "vitest";
import { lanes, OperatorLane } from "../../src/domain/lane.ts";
import { WorkItem } from "../../src/domain/work-item.ts";
import { localDirectory, type LocalDirectoryOptions } from "../../src/sources/local-directory.ts";

let root = "";
let items = "";
beforeEach(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), "enact-source-")));
  items = join(root, "items");
  mkdirSync(items);
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const app = { name: "app", repository: "/repos/app", lane: "none" } as const;
const web = { name: "web", repository: "/repos/web", lane: "manual" } as const;
const put = (name: string, content: string | Buffer, at = 1_700_000_000): void => {
  writeFileSync(join(items, name), content);
  utimesSync(join(items, name), at, at);
};
const source = (options: Partial<LocalDirectoryOptions> = {}) => localDirectory({ directory: items, projects: [app], project: undefined, ...options }, () => Effect.void);
const poll = async (options: Partial<LocalDirectoryOptions> = {}) => {
  const { found, malformed } = await Effect.runPromise(source(options).byStates(["open"]));
  return { items: found.map(({ item }) => item), malformed };
};
/** Every item offered is one that the domain accepts. */
const offered = async (options: Partial<LocalDirectoryOptions> = {}) => {
  const { items: found, malformed } = await poll(options);
  for (const item of found) WorkItem.parse({ ...item, id: "LOC-1" });
  return { found, malformed };
};
const problems = async (options: Partial<LocalDirectoryOptions> = {}) => Object.fromEntries((await poll(options)).malformed.map(({ sourceId, problem }) => [sourceId, problem]));

test("markdown with front matter, plain markdown and plain TOML", async () => {
  mkdirSync(join(items, "playbooks"));
  writeFileSync(join(items, "playbooks", "fix.toml"), "");
  put("a.md", '+++\ntitle = "Fix the sum"\nkind = "bug"\npriority = 1\nlane = "manual"\nplaybook = "playbooks/fix.toml"\napproval = true\ncreated = 2026-01-02T03:04:05Z\n+++\n\n# Not the title\n\nDetails.\n');
  put("b.md", "\nIntro.\n\n```sh\n# no heading\n```\n\n## Document the sum ##\n\nBody.\n", 2);
  put("c.toml", 'title = "Add a product"\nkind = "feature"\nproject = "web"\nbody = """\nLines.\n"""\n', 3);
  put("d.md", "Only a sentence.\r\n", 4);
  for (const name of ["README.md", ".hidden.md", "_draft.md", "notes.txt", "#x#", "~x.md"]) put(name, "# No item");
  const { found, malformed } = await offered({ projects: [app, web], project: "app" });
  expect(malformed).toEqual([]);
  expect(found).toEqual([
    { source: "local", sourceId: "b.md", title: "Document the sum", body: "Intro.\n\n```sh\n# no heading\n```\n\n## Document the sum ##\n\nBody.", kind: "feature", priority: 3, createdAt: 2_000, project: "app", repository: "/repos/app", operatorLane: "none" },
    { source: "local", sourceId: "c.toml", title: "Add a product", body: "Lines.", kind: "feature", priority: 3, createdAt: 3_000, project: "web", repository: "/repos/web", operatorLane: "manual" },
    { source: "local", sourceId: "d.md", title: "Only a sentence.", body: "Only a sentence.", kind: "feature", priority: 3, createdAt: 4_000, project: "app", repository: "/repos/app", operatorLane: "none" },
    { source: "local", sourceId: "a.md", title: "Fix the sum", body: "# Not the title\n\nDetails.", kind: "bug", priority: 1, createdAt: Date.UTC(2026, 0, 2, 3, 4, 5), project: "app", repository: "/repos/app", operatorLane: "manual", playbook: join(items, "playbooks/fix.toml"), requireApproval: true },
  ]);
});

test("reading again offers the same identities; editing keeps them, and an id survives a new name", async () => {
  put("a.md", "# One");
  put("b.md", '+++\nid = "B-1"\n+++\n# Two');
  const first = await poll();
  expect(await poll()).toEqual(first);
  put("a.md", "# One, edited");
  renameSync(join(items, "b.md"), join(items, "z.md"));
  const second = await poll();
  expect(second.items.map((item) => item.sourceId)).toEqual(first.items.map((item) => item.sourceId));
  expect(second.items.map((item) => item.title)).toEqual(["Two", "One, edited"]);
});

test("VOC-10 any other word than the six lanes is refused, and the error names them", async () => {
  fc.assert(fc.property(fc.string(), (word) => {
    const parsed = OperatorLane.safeParse(word);
    expect(parsed.success).toBe((lanes as readonly string[]).includes(word));
    if (!parsed.success) for (const lane of lanes) expect(parsed.error.message).toContain(lane);
  }));
  for (const lane of ["pipeline", "swarm", "ultrapilot", "executor", "reviewer", "Manual", ""]) {
    put("a.md", `+++\nlane = ${JSON.stringify(lane)}\n+++\n# T`);
    expect(await problems()).toEqual({ "a.md": `lane: ${JSON.stringify(lane)} is no operator lane; write one of manual, none, autopilot, ralph, ultrawork, team` });
  }
  for (const lane of lanes) {
    put("a.md", `+++\nlane = "${lane}"\n+++\n# T`);
    expect((await poll()).items[0]?.operatorLane).toBe(lane);
  }
});

test("one bad file never hides another, and each says what is wrong", async () => {
  put("good.md", "# Good");
  put("bad-toml.md", "+++\nkind = \"bug\"\ntitle = = 1\n+++\n# T");
  put("binary.md", Buffer.from([0x23, 0x20, 0xff, 0xfe, 0xc3]));
  put("nul.md", "# a\0b");
  put("empty.md", "  \n");
  put("open.md", "+++\ntitle = \"x\"\n# no end");
  put("typo.md", "+++\npriorty = 1\nkind = \"feeture\"\npriority = 9\n+++\n# T");
  put("far.md", "+++\nproject = \"nowhere\"\n+++\n# T");
  put("same-a.md", "+++\nid = \"S\"\n+++\n# First");
  put("same-b.md", "+++\nid = \"S\"\n+++\n# Second");
  put("book.md", "+++\nplaybook = \"../outside.toml\"\n+++\n# T");
  put("nobook.md", "+++\nplaybook = \"absent.toml\"\n+++\n# T");
  writeFileSync(join(root, "outside.toml"), "");
  await execa("mkfifo", [join(items, "pipe.md")], { stdin: "ignore" });
  const { found } = await offered();
  expect(found.map((item) => item.title).toSorted()).toEqual(["First", "Good"]);
  expect(await problems()).toEqual({
    "bad-toml.md": expect.stringMatching(/^line 3: no TOML: /),
    "binary.md": "the file is not UTF-8 text",
    "nul.md": "the file is binary",
    "empty.md": "the file is empty",
    "open.md": "the front matter that starts with +++ has no closing +++ line",
    "typo.md": expect.stringMatching(/unknown key priorty; did you mean priority\?/),
    "far.md": 'no project is called "nowhere"; write one of app',
    "same-b.md": 'same-a.md has the id "S" already',
    "book.md": 'playbook "../outside.toml" is outside of the directory',
    "nobook.md": 'there is no playbook "absent.toml" in the directory',
    "pipe.md": "it is no regular file",
  });
  expect((await problems())["typo.md"]).toMatch(/kind: .*; priority: /);
});

test("links that lead out are refused, also through a second link or a linked directory; a second name is no second item", async () => {
  writeFileSync(join(root, "secret.md"), "# Secret");
  mkdirSync(join(root, "items-evil"));
  writeFileSync(join(root, "items-evil", "x.md"), "# Sibling with the same beginning");
  put("real.md", "# Real");
  symlinkSync("../secret.md", join(items, "out.md"));
  symlinkSync("out.md", join(items, "twice.md"));
  symlinkSync("../items-evil/x.md", join(items, "sibling.md"));
  symlinkSync("real.md", join(items, "zalias.md"));
  linkSync(join(items, "real.md"), join(items, "zhard.md"));
  symlinkSync("nothing.md", join(items, "dangling.md"));
  symlinkSync("loop.md", join(items, "loop.md"));
  const { found, malformed } = await offered();
  expect(found.map((item) => item.sourceId)).toEqual(["real.md"]);
  expect(Object.fromEntries(malformed.map(({ sourceId, problem }) => [sourceId, problem]))).toEqual({
    "out.md": "it is a link that leads out of the directory", "twice.md": "it is a link that leads out of the directory", "sibling.md": "it is a link that leads out of the directory",
    "zalias.md": "it is the same file as real.md", "zhard.md": "it is the same file as real.md",
    "dangling.md": "it cannot be read (ENOENT)", "loop.md": "it cannot be read (ELOOP)",
  });
  // The directory itself may be a link.
  symlinkSync(items, join(root, "link"));
  expect((await poll({ directory: join(root, "link") })).items).toHaveLength(1);
});

test("a hostile title of 1 MB is cut with a marker, the whole of it stays in the body or the file", async () => {
  const start = '"; rm -rf / #{';
  const title = `${start}${"💥x".repeat(350_000)}`;
  put("a.md", `# ${title}\n\nThe end.`);
  const { found } = await offered();
  expect(found[0]?.title).toHaveLength(4_000);
  expect(found[0]?.title.startsWith(start)).toBe(true);
  expect(found[0]?.title).toMatch(/ … \[cut: \d+ more characters; the whole title is in the description\]$/);
  expect(found[0]?.body.length).toBeGreaterThan(999_990);
  expect(found[0]?.body).toMatch(/\n… \[cut: \d+ more characters are in a\.md\]$/);
  expect(found[0]?.body.isWellFormed()).toBe(true);
  put("a.md", `+++\ntitle = ${JSON.stringify("t".repeat(5_000))}\n+++\nThe end.`);
  const [short] = (await offered()).found;
  expect(short?.body).toBe(`${"t".repeat(5_000)}\n\nThe end.`);
});

test("a file beyond what is read is cut with a marker that counts the rest; such a .toml is malformed", async () => {
  put("a.md", `# Big\n${"é".repeat(2_500_000)}`);
  const { found } = await offered();
  expect(found[0]?.body).toMatch(/… \[cut: \d+ more characters and \d+ more bytes are in a\.md\]$/);
  put("a.toml", `body = "${"x".repeat(5_000_000)}"`);
  expect(await problems()).toEqual({ "a.toml": "a .toml file of this size cannot be read; write a .md file" });
});

test("control characters and direction overrides never reach a title; what it lost is in the body", async () => {
  put("a.toml", 'title = "Fix\\u001b[2J\\nthe \\u202Esum"\nbody = "B"\n');
  const { found } = await offered();
  expect(found[0]).toMatchObject({ title: "Fix [2J the  sum", body: "Fix\u001b[2J\nthe \u202esum\n\nB" });
});

test("any bytes at all are an item that the domain accepts, or malformed", async () => {
  await fc.assert(fc.asyncProperty(fc.oneof(fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)), fc.string({ unit: fc.constantFrom("+++\n", "title", " = ", '"', "#", " ", "\n", "a", "```", "\r\n", "é"), maxLength: 40 }).map((text) => Buffer.from(text))), fc.constantFrom("x.md", "x.toml"), async (bytes, name) => {
    rmSync(join(items, "x.md"), { force: true });
    rmSync(join(items, "x.toml"), { force: true });
    put(name, bytes);
    const { found, malformed } = await offered();
    expect(found.length + malformed.length).toBe(1);
  }), { numRuns: 150 });
});

test("an item without a project: the only one, the configured one, or malformed", async () => {
  put("a.md", "# T");
  expect((await poll({ projects: [web] })).items[0]?.project).toBe("web");
  expect((await poll({ projects: [app, web], project: "web" })).items[0]?.project).toBe("web");
  expect(await problems({ projects: [app, web] })).toEqual({ "a.md": 'it names no project; write project = "…", one of app, web' });
  expect(await problems({ projects: [] })).toEqual({ "a.md": "the configuration has no project to work on" });
});

test("a directory that is not there is unavailable, not empty", async () => {
  const result = await Effect.runPromise(Effect.result(source({ directory: join(root, "absent") }).byStates(["open"])));
  expect(Result.isFailure(result) && result.failure).toMatchObject({ _tag: "SourceUnavailable", source: "local", message: expect.stringContaining("ENOENT") });
});

test.runIf(process.getuid?.() !== 0)("a file that may not be read is malformed", async () => {
  put("a.md", "# T");
  chmodSync(join(items, "a.md"), 0);
  expect(await problems()).toEqual({ "a.md": "it cannot be read (EACCES)" });
});

test("the example in docs/sources.md is an item", async () => {
  const [, example] = /```markdown\n([\s\S]*?)```/.exec(readFileSync(new URL("../../docs/sources.md", import.meta.url), "utf8")) ?? [];
  put("example.md", example ?? "");
  const { found, malformed } = await offered();
  expect(malformed).toEqual([]);
  expect(found[0]).toMatchObject({ title: "The sum of an empty list is NaN", kind: "bug", priority: 2 });
});
