#!/usr/bin/env node
// The bin. Nothing is imported before the Node version is known to be good enough to read the rest.
import type { LocalTools } from "./client/local-tools.ts";

const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
const argv = process.argv.slice(2);
if (major < 22 || (major === 22 && minor < 19)) {
  process.stderr.write(`enact-factory needs Node 22.19 or newer; this is ${process.version} (${process.execPath}). Install a newer one from https://nodejs.org, or put it first on PATH.\n`);
  // To an agent CLI the 2 of a hook would say that its agent must not stop.
  process.exitCode = argv[0] === "hook" ? 0 : 2;
} else {
  // Heavy parts stay out of --help and usage errors: the composition is loaded when a command asks for it.
  const tools = (): Promise<LocalTools> => import("./daemon/tools.ts").then(({ createLocalTools }) => createLocalTools(import.meta.filename));
  const whole = (): Promise<void> => import("./cli/program.ts").then(({ main }) => main(tools));
  if (argv[0] === "hook") void import("./cli/hook-main.ts").then(async ({ hookMain }) => (await hookMain(argv, () => import("./daemon/hook-tools.ts").then(({ hookTools }) => hookTools))) || whole());
  else void whole();
}
