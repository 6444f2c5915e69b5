// Bundles the bin, the two programs it starts and the library entry to dist/, all in one flat folder so that they find each other by name.
// tsc writes the library's declarations to dist/types.
import { chmod, rm } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { build } from "rolldown";

await rm("dist", { recursive: true, force: true });
await build({
  input: {
    cli: "src/main.ts",
    "sqlite-writer": "src/store/sqlite-writer.ts",
    "scripted-agent": "src/adapters/scripted/agent.ts",
    index: "src/index.ts",
  },
  platform: "node",
  // Native addons load their own files; pg probes for an optional native twin.
  external: ["better-sqlite3", "pg-native", /^node:/],
  output: { dir: "dist", format: "esm", entryFileNames: "[name].js", chunkFileNames: "chunk-[name]-[hash].js", sourcemap: false },
  logLevel: "warn",
});
await chmod("dist/cli.js", 0o755);
await execa(process.execPath, [
  fileURLToPath(import.meta.resolve("typescript/lib/tsc.js")), "--project", ".toolchain/tsconfig.declarations.json",
], { stdin: "ignore", stdout: "inherit", stderr: "inherit" });
