import { Effect } from "effect";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { runConfined } from "../../src/sandbox/run-confined.ts";
import { probeSandbox } from "../../src/sandbox/probe.ts";

const top = process.argv[2] ?? "";
for (const name of ["e", "t"]) mkdirSync(join(top, name));
const sandbox = await Effect.runPromise(probeSandbox("auto", join(top, "s")));
const done = await runConfined(sandbox, { argv: ["sh", "-c", "echo hello"], directory: join(top, "e"), temporary: join(top, "t"), env: {}, dependencies: [] }, 10_000);
console.log(`${sandbox.name} ${String(done.exitCode)} ${done.output.trim()}`);
