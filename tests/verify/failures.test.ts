import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { compare } from "../../src/verify/compare.ts";
import type { Outcome } from "../../src/verify/cache.ts";
import { readTests, scrub } from "../../src/verify/failures.ts";
import { redact } from "../../src/verify/redact.ts";

describe("outputs of test runners", () => {
  const cases: readonly (readonly [string, string, readonly string[], readonly string[] | null])[] = [
    ["TAP", "TAP version 13\n# Subtest: group\n    # Subtest: inner\n    not ok 1 - inner\n      ---\n      duration_ms: 1.2\n    ok 2 - other\nnot ok 1 - group\n# Subtest: top\nok 2 - top\nok 3 - later # SKIP\n1..3\n", ["group > inner"], ["group > other", "top"]],
    ["node's spec", "▶ group\n  ✖ inner (1.2ms)\n  ✔ other (0.3ms)\n✖ group (2ms)\n✔ top (0.1ms)\n﹣ later (0.1ms) # SKIP\nℹ tests 4\nℹ pass 2\n\n✖ failing tests:\n\ntest at a.js:1:1\n✖ inner (1.2ms)\n", ["group > inner"], ["group > other", "top"]],
    ["vitest", " RUN  v3 /tmp/x\n\n ❯ a.test.ts (2 tests | 1 failed) 12ms\n   × group > adds 5ms\n\n⎯⎯ Failed Tests 1 ⎯⎯\n\n FAIL  a.test.ts > group > adds\nAssertionError: x\n\n Test Files  1 failed (1)\n      Tests  1 failed | 1 passed (2)\n", ["a.test.ts > group > adds"], null],
    ["jest", "FAIL ./a.test.js\n  group\n    ✕ adds (3 ms)\n    ✓ zero\n\n  ● group › adds\n\n    expect(received)\n\nTest Suites: 1 failed, 1 total\nTests:       1 failed, 1 passed, 2 total\n", ["group › adds", "./a.test.js"], ["zero"]],
    ["go", "=== RUN   TestA\n--- FAIL: TestA (0.00s)\n    --- FAIL: TestA/sub (0.00s)\n--- PASS: TestB (0.00s)\nFAIL\nFAIL\texample.test/x\t0.003s\nok  \texample.test/y\t0.1s\nFAIL\n", ["example.test/x TestA/sub"], ["example.test/x TestB"]],
    ["tsc", "src/a.ts(3,7): error TS2322: Type 'x'.\nsrc/a.ts(9,1): error TS2322: Type 'x'.\n", ["src/a.ts: error TS2322: Type 'x'.", "src/a.ts: error TS2322: Type 'x'. #2"], null],
    ["ruff", "pkg/a.py:1:8: F401 `os` imported but unused\nFound 1 error.\n", ["pkg/a.py: F401 `os` imported but unused"], null],
  ];
  test.each(cases)("%s", (_name, output, failed, passed) => {
    expect(readTests(output, false)).toEqual({ failed, passed });
    expect(readTests(output, true).failed).toEqual([]);
  });

  test("fingerprints forget times, paths, durations, addresses and line numbers, and nothing else", () => {
    const output = (at: string, path: string, n: number) => `${at} [${path}/src/app.js:${n}:7] failed after ${n}.5ms at 0x${n.toString(16)}ff: expected 3`;
    fc.assert(fc.property(fc.date({ min: new Date(0), max: new Date(4e12), noInvalidDate: true }), fc.stringMatching(/^(\/[a-z]{1,8}){1,4}$/), fc.nat(99_999), (date, path, n) => {
      expect(scrub(output(date.toISOString(), path, n))).toBe(scrub(output("2020-01-01T00:00:00Z", "/x", 1)));
      expect(scrub(output(date.toISOString(), path, n).replace("expected 3", "expected 4"))).not.toBe(scrub(output("2020-01-01T00:00:00Z", "/x", 1)));
    }));
  });

  test("any output is read without an error, and a failure always has a name", () => {
    fc.assert(fc.property(fc.array(fc.oneof(fc.string(), fc.constantFrom("TAP version 13", "not ok 1 - x", "FAIL\tx", "--- FAIL: T (0s)", "ℹ tests 1", "✖ x (1ms)", "running 1 test", "test a ... FAILED")), { maxLength: 30 }), (lines) => {
      expect(readTests(lines.join("\n"), false).failed.length).toBeGreaterThan(0);
    }));
  });
});

test("hostile output of one endless line is read in bounded work", () => {
  for (const unit of ["=", "/a", "a", "deadbeef", "1 passed, ", "\u001B[1", "FAIL > "]) {
    expect(readTests(unit.repeat(4_000_000 / unit.length), false).failed).toHaveLength(1);
  }
});

test("secrets are taken out of output", () => {
  const secrets = [`ghp_${"a1".repeat(18)}`, `sk-ant-${"b2".repeat(20)}`, `AKIA${"A1B2".repeat(4)}`, `eyJhbGciOi.${"eyJzdWIi".repeat(2)}.${"c3".repeat(10)}`];
  for (const secret of secrets) expect(redact(`before ${secret} after`)).toBe("before [secret] after");
  expect(redact("https://user:hunter2hunter2@example.test/x")).toBe("https://user:[secret]@example.test/x");
  expect(redact("Authorization: Bearer abcdefgh12345")).toBe("Authorization: Bearer [secret]");
  expect(redact("DB_PASSWORD=correct-horse")).toBe("DB_PASSWORD=[secret]");
  expect(redact("-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----")).toBe("[secret]");
  expect(redact("expected 3 tokens, got 4 passwords")).toBe("expected 3 tokens, got 4 passwords");
});

test("comparing: only what is on head and was not on base is new", () => {
  const name = fc.constantFrom("a", "b", "c", "d");
  fc.assert(fc.property(fc.uniqueArray(name), fc.uniqueArray(name), (onBase, onHead) => {
    const outcome = (failures: readonly string[]): Outcome => ({ result: { name: "t", status: failures.length === 0 ? "passed" : "failed", exitCode: 1, failures: [...failures], tail: "", durationMs: 1, flaky: false }, passed: ["a", "b", "c", "d"].filter((n) => !failures.includes(n)) });
    const report = compare({ base: { commit: "1", outcomes: [outcome(onBase)] }, head: { commit: "2", outcomes: [outcome(onHead)] }, deletedTests: [], warnings: [], sandbox: "off" });
    if (onHead.length < 4) expect(report.newFailures).toEqual(onHead.filter((n) => !onBase.includes(n)).map((n) => `t: ${n}`));
    expect(report.fixed.sort()).toEqual(onBase.filter((n) => !onHead.includes(n)).map((n) => `t: ${n}`).sort());
  }));
});
