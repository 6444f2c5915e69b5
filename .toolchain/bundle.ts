import { cp, rm } from "node:fs/promises";
import { join } from "node:path";
import { build } from "rolldown";

/** The programs that run as processes or threads of their own; code finds them beside itself by these names. */
const companions = {
  "sqlite-writer": "src/store/sqlite-writer.ts",
  "scripted-agent": "src/adapters/scripted/agent.ts",
  "responses-agent": "src/agent/main.ts",
};

/** Texts that code finds in a folder beside itself. */
const texts = { skills: "src/prompts/skills" };

/** Bundles entries and their companions into one flat, emptied folder; texts keep a folder of their own in it. */
export const bundle = async (entries: Readonly<Record<string, string>>, dir: string): Promise<void> => {
  await rm(dir, { recursive: true, force: true });
  await build({
    input: { ...entries, ...companions },
    platform: "node",
    // Native addons, and blessed with its terminfo, load their own files; pg probes for an optional native twin.
    external: ["better-sqlite3", "blessed", "node-pty", "pg-native", /^node:/],
    // Hexadecimal: a hash of letters may spell a word that the package must not hold (it once did).
    output: { dir, format: "esm", hashCharacters: "hex", entryFileNames: "[name].js", chunkFileNames: "chunk-[name]-[hash].js", sourcemap: false },
    logLevel: "warn",
  });
  for (const [name, from] of Object.entries(texts)) await cp(from, join(dir, name), { recursive: true });
};
