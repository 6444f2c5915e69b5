// Bundles the bin and the two programs it starts to dist/, all in one flat folder so that they find each other by name.
import { chmod, rm } from "node:fs/promises";
import { build } from "rolldown";

await rm("dist", { recursive: true, force: true });
await build({
  input: {
    cli: "src/main.ts",
    "sqlite-writer": "src/store/sqlite-writer.ts",
    "scripted-agent": "src/adapters/scripted/agent.ts",
  },
  platform: "node",
  // Native addons load their own files; pg probes for an optional native twin.
  external: ["better-sqlite3", "pg-native", /^node:/],
  output: { dir: "dist", format: "esm", entryFileNames: "[name].js", chunkFileNames: "chunk-[name]-[hash].js", sourcemap: false },
  logLevel: "warn",
});
await chmod("dist/cli.js", 0o755);
