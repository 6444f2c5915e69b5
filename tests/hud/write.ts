// Records the views and the journal of real items into tests/hud/recorded.json, which the pure tests and the contract double read.
// usage: node tests/hud/write.ts. Run again when views gain fields; paths of the machine are replaced.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { stock } from "./stock.ts";

const file = join(import.meta.dirname, "recorded.json");
const { place } = await stock(async (client, { place: { directory } }) => {
  const told = { description: await client.describe(), items: await client.items(), journal: await client.journal({}), tree: await client.tree() };
  writeFileSync(file, `${JSON.stringify(told).replaceAll(directory, "/home/ada").replaceAll(/\/worktrees\/[\w-]+\//g, "/worktrees/shop/")}\n`);
});
place.remove();
