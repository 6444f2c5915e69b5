// What `npm test` runs: says which system parts are missing, then every test. Arguments go to vitest: `npm test -- tests/store`.
// With CI=true missing parts are installed with apt, and one that still does not work fails the run.
// A run of everything also makes docs/conformance.md; a run with arguments leaves it alone.
import { dirname, join } from "node:path";
import { execa } from "execa";
import { install, report } from "../.toolchain/setup.ts";
import { probeParts } from "./support/system-parts.ts";

const root = dirname(import.meta.dirname);
const ci = process.env["CI"] === "true";
const args = process.argv.slice(2);

let probed = await probeParts();
if (ci && probed.some(({ ok }) => !ok)) {
  await install(probed.filter(({ ok }) => !ok)).catch((error: unknown) => console.error(error instanceof Error ? error.message : error));
  probed = await probeParts();
}
console.log(`System parts of the tests:\n${report(probed)}`);
const missing = probed.filter(({ ok }) => !ok);
if (ci && missing.length > 0) {
  console.error(`FAILED: CI=true, and these parts are missing: ${missing.map(({ part }) => part.name).join(", ")}`);
  process.exit(1);
}
if (missing.length > 0) console.log(`SKIPPED for want of ${missing.map(({ part }) => part.name).join(", ")}: ${missing.map(({ part }) => part.tests).join("; ")}`);

const conformance = args.length > 0 ? "off" : missing.length > 0 ? "incomplete" : ci ? "check" : "write";
if (conformance === "incomplete") console.log("docs/conformance.md is left as it is: it comes from a run with every part.");
const reporters = conformance === "check" || conformance === "write" ? ["--reporter=default", `--reporter=${join(root, "tests/support/conformance.ts")}`] : [];
const done = await execa(process.execPath, [join(root, "node_modules/vitest/vitest.mjs"), "run", "--config", join(root, "tests/vitest.config.ts"), "--root", root, ...reporters, ...args], {
  stdin: "ignore", stdout: "inherit", stderr: "inherit", reject: false, env: { ENACT_CONFORMANCE: conformance },
});
process.exitCode = done.exitCode ?? 1;
