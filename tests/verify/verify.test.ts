import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Effect } from "effect";
import { describe, expect, test } from "vitest";
import { type Files, bench, skipSandbox } from "./fixture.ts";

const manifest = (scripts: Readonly<Record<string, string>>) => JSON.stringify({ name: "x", type: "module", scripts });
const sum = (body: string): Files => ({ "sum.js": `export const sum = (a, b) => ${body};\n` });
const suite = `import test from "node:test"; import assert from "node:assert"; import { sum } from "../sum.js";
test("adds", () => assert.equal(sum(1, 2), 3));
test("knows zero", () => assert.equal(sum(0, 0), 0));
test("always broken", () => assert.equal(sum(1, 1), 5));
`;
const start: Files = { "package.json": manifest({ test: "node --test" }), ...sum("a - b"), "test/sum.test.js": suite };

describe.skipIf(skipSandbox)("base against head", () => {
  test("counts only what is new on head, names what was mended, and keeps results", async () => {
    using b = bench(start);
    const head = b.commit(sum("a + b"));
    const report = await b.run(head);
    expect(report).toMatchObject({ sandbox: "bubblewrap", newFailures: [], fixed: ["test: adds"], warnings: [] });
    expect(report.base.results).toMatchObject([{ name: "test", status: "failed", failures: ["adds", "always broken"] }]);
    expect(report.head.results).toMatchObject([{ name: "test", status: "failed", failures: ["always broken"], flaky: false }]);
    const kept = readdirSync(join(b.top, "cache"));
    expect(kept).toHaveLength(2);
    // Read back, not made again: durations are equal.
    expect(await b.run(head)).toEqual(report);
    const worse = await b.run(b.commit(sum("0")));
    expect(worse).toMatchObject({ newFailures: [], warnings: ["test fails on head as it does on base"] });
    const broken = await b.run(b.commit(sum("a * b + 7")));
    expect(broken.newFailures).toEqual(["test: knows zero"]);
    expect(readdirSync(join(b.top, "scratch"))).toEqual([]);
  });

  test("a diff that deletes, skips or renames tests", async () => {
    using b = bench({ ...start, ...sum("a + b") });
    const deleted = await b.run(b.commit({ "test/sum.test.js": null, "test/other.test.js": 'import test from "node:test"; test("fine", () => {});\n' }));
    expect(deleted.newFailures).toEqual(["test: tests removed: adds, knows zero"]);
    expect(deleted.warnings).toEqual(["test: tests that passed on base are gone on head: adds, knows zero", "test files deleted: test/sum.test.js"]);
    const skipped = await b.run(b.commit({ "test/other.test.js": null, "test/sum.test.js": suite.replace('test("adds"', 'test.skip("adds"') }));
    expect(skipped.newFailures).toEqual(["test: tests removed: adds"]);
    const renamed = await b.run(b.commit({ "test/sum.test.js": suite.replace('test("adds"', 'test("adds two numbers"') }));
    expect(renamed.newFailures).toEqual([]);
    expect(renamed.warnings).toEqual(["test fails on head as it does on base", "test: tests that passed on base are gone on head: adds"]);
    // A test that failed on base may go.
    const tidy = await b.run(b.commit({ "test/sum.test.js": suite.replace(/test\("always broken".*\n/, "") }));
    expect(tidy.newFailures).toEqual([]);
  });

  test("a check that the work brings along says so", async () => {
    using b = bench({ "readme.md": "nothing to check\n" });
    const report = await b.run(b.commit({ "package.json": manifest({ test: "true" }) }));
    expect(report).toMatchObject({ newFailures: [], base: { results: [] }, head: { results: [{ name: "test", status: "passed" }] }, warnings: ["test is defined by the work itself: base has no such check"] });
  });

  test("a head that weakens its scripts is judged by base's", async () => {
    using b = bench({ ...start, ...sum("a + b") });
    const head = b.commit({ ...sum("a - b"), "package.json": manifest({ test: "true", pretest: "true" }) });
    const report = await b.run(head);
    expect(report.newFailures).toEqual(["test: adds"]);
    expect(report.warnings).toEqual(["head changes scripts of package.json; base's were run: test"]);
    const gone = await b.run(b.commit({ "package.json": manifest({}) }));
    expect(gone.newFailures).toEqual(["test: adds"]);
    const nothing = await b.run(b.commit({ "package.json": null }));
    expect(nothing.newFailures.length).toBeGreaterThan(0);
  });

  test("a flaky check is tried again and said, a failing one is not excused", async () => {
    const flag = "counted-by-the-sandbox-less-run";
    using b = bench({ "package.json": manifest({ test: "node --test" }), "a.test.js": 'import test from "node:test"; test("steady", () => {});\n' }, { sandbox: "off", env: ["ENACT_TEST_FLAG"] });
    process.env.ENACT_TEST_FLAG = join(b.top, flag);
    try {
      const head = b.commit({ "a.test.js": `import test from "node:test"; import fs from "node:fs";
test("steady", () => {});
test("flaky", () => { const f = process.env.ENACT_TEST_FLAG; if (!fs.existsSync(f)) { fs.writeFileSync(f, ""); throw new Error("first time"); } });
test("wrong", () => { if (process.env.ENACT_TEST_FLAG.endsWith("x")) throw new Error("always"); });\n` });
      const report = await b.run(head);
      expect(report.newFailures).toEqual([]);
      expect(report.head.results).toMatchObject([{ flaky: true, status: "passed", failures: [] }]);
      expect(report.warnings).toEqual(["the sandbox is off: checks ran with the rights of the owner", "test is flaky: it failed, then passed on the same commit"]);
      process.env.ENACT_TEST_FLAG = join(b.top, `${flag}x`);
      expect((await b.run(head)).newFailures).toEqual(["test: wrong"]);
    } finally { delete process.env.ENACT_TEST_FLAG; }
  });

  test("a runner it cannot read is compared by its output, cleaned of what changes by itself", async () => {
    const checks = [{ name: "custom", argv: ["node", "check.js"], timeoutMs: 30_000 }];
    using b = bench({ "check.js": 'console.log(`at ${new Date().toISOString()} in ${process.cwd()}/x:${Math.floor(Math.random() * 99)} took ${performance.now().toFixed(1)} ms: broken`); process.exit(1);\n' }, { checks });
    expect((await b.run(b.commit({ "other.txt": "x" }))).newFailures).toEqual([]);
    const report = await b.run(b.commit({ "check.js": 'console.log("another thing is broken"); process.exit(1);\n' }));
    expect(report.newFailures).toHaveLength(1);
    expect(report.newFailures[0]).toMatch(/^custom: output [0-9a-f]{12}$/);
  });

  test("what is not installed is a warning, what head broke is not, a timeout kills the whole tree", async () => {
    const checks = [{ name: "absent", argv: ["no-such-program"], timeoutMs: 30_000 }, { name: "slow", argv: ["sh", "slow.sh"], timeoutMs: 700 }];
    using b = bench({ "slow.sh": "exit 0\n" }, { checks });
    const report = await b.run(b.commit({ "slow.sh": "setsid sh -c 'while :; do sleep 1; done' enact-verify-orphan-$$ & wait\n" }));
    expect(report.head.results).toMatchObject([{ name: "absent", status: "missing", failures: [] }, { name: "slow", status: "timeout" }]);
    expect(report.newFailures).toEqual(["slow: took longer than 700 ms"]);
    expect(report.warnings.filter((line) => line.startsWith("absent could not run"))).toHaveLength(2);
    const alive = () => readdirSync("/proc").filter((pid) => /^\d+$/.test(pid)).filter((pid) => { try { return readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("enact-verify-orphan-"); } catch { return false; } });
    await expect.poll(alive).toEqual([]);
  });

  test("installed dependencies are lent read-only where the lock file agrees", async () => {
    using b = bench({ "package.json": manifest({ test: "node --test" }), "package-lock.json": "{}", ".gitignore": "node_modules\n", "a.test.js": 'import test from "node:test"; import { one } from "dep"; test("dep", () => { if (one !== 1) throw new Error(); });\n' });
    mkdirSync(join(b.repository, "node_modules/dep"), { recursive: true });
    writeFileSync(join(b.repository, "node_modules/dep/package.json"), '{"name":"dep","type":"module","exports":"./i.js"}');
    writeFileSync(join(b.repository, "node_modules/dep/i.js"), "export const one = 1;");
    const evil = b.commit({ "b.test.js": 'import test from "node:test"; import fs from "node:fs"; test("writes", () => fs.writeFileSync("node_modules/dep/i.js", "export const one = 2;"));\n' });
    const report = await b.run(evil);
    expect(report.base.results).toMatchObject([{ status: "passed" }]);
    expect(report.newFailures).toEqual(["test: writes"]);
    expect(readFileSync(join(b.repository, "node_modules/dep/i.js"), "utf8")).toContain("1");
    const other = await b.run(b.commit({ "package-lock.json": '{ "changed": true }', "b.test.js": null }));
    expect(other.head.results).toMatchObject([{ status: "passed" }]);
    writeFileSync(join(b.repository, "package-lock.json"), "dirty");
    expect((await b.run(b.base, { shareDependencies: true })).base.results).toMatchObject([{ status: "failed" }]);
    expect(existsSync(join(b.repository, "node_modules/.cache"))).toBe(false);
  });
});

test("checks are found by the files of a commit", async () => {
  using b = bench({ "package.json": manifest({ test: "vitest", lint: "eslint .", "type-check": "tsc" }), "pnpm-lock.yaml": "", "Cargo.toml": "[lints.clippy]\n", "go.mod": "module x", "pyproject.toml": "[tool.ruff]\n[tool.pytest.ini_options]\n" });
  const found = async (commit: string) => (await Effect.runPromise(b.make().checks(b.repository, commit))).map((check) => check.argv.join(" "));
  expect(await found(b.base)).toEqual(["pnpm run test", "pnpm run type-check", "pnpm run lint", "cargo test", "cargo clippy --all-targets", "go test -v ./...", "go vet ./...", "python3 -m pytest -q -rA -p no:cacheprovider", "ruff check --no-cache --output-format concise ."]);
  expect(await found(b.commit({ "package.json": manifest({ test: 'echo "Error: no test specified" && exit 1' }), "pnpm-lock.yaml": null, "Cargo.toml": null, "go.mod": null, "pyproject.toml": null }))).toEqual([]);
  expect((await Effect.runPromise(b.make({ checks: [{ name: "own", argv: ["make"], timeoutMs: 1 }] }).checks(b.repository, b.base))).map((check) => check.name)).toEqual(["own"]);
});
