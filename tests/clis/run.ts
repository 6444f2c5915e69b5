/**
 * `npm run test:clis`: the adapters against the real CLIs and a scripted model server on loopback.
 * The CLIs are fetched once into the user's cache. Where the system allows a network namespace, everything then runs in one that has only a
 * loopback device, so that a test that passes has proven that nothing else was needed. Exit 2: a CLI could not be fetched.
 * Arguments go to vitest. A run of everything also makes docs/adapters/conformance.md; with `--check` (CI=true means it), and that page's suite
 * among the tests, a page that says something else fails the run. A run of some tests leaves it alone.
 */
import { dirname, join } from "node:path";
import { execa } from "execa";
import { PackageMissing } from "../support/fetched.ts";
import { claudeCode, codexCli, fetchCli, opencodeCli } from "./fetch.ts";

const root = dirname(dirname(import.meta.dirname));
const tests = process.argv.slice(2).filter((word) => word !== "--check"), check = process.argv.includes("--check") || process.env["CI"] === "true";
const page = check ? "check" : tests.length === 0 ? "write" : "show";

/** The argv prefix that leaves only loopback, or nothing where there is no such thing. */
const loopbackOnly = async (): Promise<readonly string[]> => {
  for (const unshare of [["unshare", "--net"], ["unshare", "--map-root-user", "--net"]]) {
    // "$@" is the command: nothing is spliced into the shell's text.
    const prefix = [...unshare, "/bin/sh", "-c", 'ip link set lo up && exec "$@"', "sh"];
    const [program = "", ...args] = prefix;
    if (!(await execa(program, [...args, "true"], { stdin: "ignore", reject: false, timeout: 10_000 })).failed) return prefix;
  }
  return [];
};

try {
  const [claude, codex, opencode] = [await fetchCli(claudeCode), await fetchCli(codexCli), await fetchCli(opencodeCli)];
  const prefix = process.platform === "linux" ? await loopbackOnly() : [];
  console.log(prefix.length > 0 ? "network: loopback only (namespace)" : "network: NOT isolated here (no network namespace); the CLIs are told to use loopback, which is not proven");
  const [program = "", ...args] = [...prefix, process.execPath, join(root, "node_modules", "vitest", "vitest.mjs"), "run", "--config", join(root, "tests", "clis", "vitest.config.ts"), "--root", root, "--reporter=default", `--reporter=${join(root, "tests", "support", "adapter-table.ts")}`, ...tests];
  const done = await execa(program, args, { stdio: "inherit", reject: false, env: { ENACT_ADAPTER_TABLE: page, ENACT_TEST_CLAUDE_BIN: claude, ENACT_TEST_CODEX_BIN: codex, ENACT_TEST_OPENCODE_BIN: opencode } });
  process.exitCode = done.exitCode ?? 1;
} catch (error) {
  if (!(error instanceof PackageMissing)) throw error;
  console.error(`test:clis: ${error.message}`);
  process.exitCode = 2;
}
