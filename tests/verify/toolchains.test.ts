import { spawnSync } from "node:child_process";
import { expect, test } from "vitest";
import { bench, skipSandbox } from "./fixture.ts";

const has = (...argv: readonly string[]) => spawnSync(argv[0] ?? "", argv.slice(1), { stdio: "ignore" }).status === 0;
const cargo = has("cargo", "--version"), pytest = has("python3", "-m", "pytest", "--version"), go = has("go", "version");
for (const [name, there] of [["cargo", cargo], ["pytest", pytest], ["go", go]] as const) if (!there) console.warn(`SKIPPED: real ${name} checks, it is not installed`);

test.skipIf(skipSandbox || !cargo)("cargo's own tests, in the sandbox", { timeout: 180_000 }, async () => {
  const lib = (body: string) => `pub fn sum(a: i32, b: i32) -> i32 { ${body} }\n#[cfg(test)] mod tests { #[test] fn adds() { assert_eq!(super::sum(1, 2), 3); } #[test] fn zero() { assert_eq!(super::sum(0, 0), 0); } }\n`;
  using b = bench({ "Cargo.toml": '[package]\nname = "x"\nversion = "0.1.0"\nedition = "2021"\n', "src/lib.rs": lib("a + b") }, { checkTimeoutMs: 150_000 });
  const report = await b.run(b.commit({ "src/lib.rs": lib("a - b") }));
  expect(report.base.results, report.base.results[0]?.tail).toMatchObject([{ name: "cargo test", status: "passed" }]);
  expect(report.newFailures).toEqual(["cargo test: src/lib.rs tests::adds"]);
});

test.skipIf(skipSandbox || !pytest)("pytest, in the sandbox", { timeout: 180_000 }, async () => {
  const body = (sum: string) => `def sum(a, b):\n    return ${sum}\n`;
  using b = bench({ "pytest.ini": "[pytest]\n", "calc.py": body("a + b"), "tests/test_calc.py": "import sys; sys.path.insert(0, '.')\nfrom calc import sum\ndef test_adds():\n    assert sum(1, 2) == 3\ndef test_zero():\n    assert sum(0, 0) == 0\n" });
  const report = await b.run(b.commit({ "calc.py": body("a - b") }));
  expect(report.base.results, report.base.results[0]?.tail).toMatchObject([{ name: "pytest", status: "passed" }]);
  expect(report.newFailures).toEqual(["pytest: tests/test_calc.py::test_adds"]);
  const gone = await b.run(b.commit({ "calc.py": body("a + b"), "tests/test_calc.py": "def test_zero():\n    pass\n" }));
  expect(gone.newFailures).toEqual(["pytest: tests removed: tests/test_calc.py::test_adds"]);
});

test.skipIf(skipSandbox || !go)("go test, in the sandbox", { timeout: 180_000 }, async () => {
  const body = (sum: string) => `package x\nfunc Sum(a, b int) int { return ${sum} }\n`;
  using b = bench({ "go.mod": "module example.test/x\n\ngo 1.20\n", "x.go": body("a + b"), "x_test.go": 'package x\nimport "testing"\nfunc TestAdds(t *testing.T) { if Sum(1, 2) != 3 { t.Fatal("no") } }\n' }, { checkTimeoutMs: 150_000 });
  expect((await b.run(b.commit({ "x.go": body("a - b") }))).newFailures).toEqual(["go test: example.test/x TestAdds"]);
});
