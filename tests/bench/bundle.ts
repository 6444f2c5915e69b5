/** Bundles a driver as `npm run build` bundles the bin, so that its start costs what the product's would. */
import { join } from "node:path";
import { build } from "rolldown";

const root = join(import.meta.dirname, "..", "..");

/** The path of the bundled program. Lies within node_modules, where native packages are found from. */
export const bundle = async (driver: string): Promise<string> => {
  const dir = join(root, "node_modules", ".cache", `enact-bench-${process.pid}`);
  await build({
    input: { driver: join(import.meta.dirname, driver), "sqlite-writer": join(root, "src", "store", "sqlite-writer.ts"), "scripted-agent": join(root, "src", "adapters", "scripted", "agent.ts") },
    platform: "node", external: ["better-sqlite3", "blessed", "pg-native", /^node:/],
    output: { dir, format: "esm", entryFileNames: "[name].js", chunkFileNames: "chunk-[name]-[hash].js", sourcemap: false }, logLevel: "warn",
  });
  return join(dir, "driver.js");
};
