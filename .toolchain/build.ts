// Bundles the bin, the programs it starts and the library entry to dist/, all in one flat folder so that they find each other by name.
// With --types, tsc writes the library's declarations to dist/types as well; nothing at run time needs them.
import { chmod } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { bundle } from "./bundle.ts";

await bundle({ cli: "src/main.ts", index: "src/index.ts" }, "dist");
await chmod("dist/cli.js", 0o755);
if (process.argv.includes("--types")) {
  await execa(process.execPath, [
    fileURLToPath(import.meta.resolve("typescript/lib/tsc.js")), "--project", ".toolchain/tsconfig.declarations.json",
  ], { stdin: "ignore", stdout: "inherit", stderr: "inherit" });
}
