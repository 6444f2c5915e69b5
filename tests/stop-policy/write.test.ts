import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { expect, test } from "vitest";
import { stopRules } from "../../src/domain/stop-policy.ts";

const script = fileURLToPath(new URL("write.ts", import.meta.url)), page = fileURLToPath(new URL("../../docs/stop-policy.md", import.meta.url));

test("the page has the rules as they are, in their order; a stale one is named with what to run", async () => {
  expect(await execa(process.execPath, [script, "--check"], { stdin: "ignore", reject: false })).toMatchObject({ exitCode: 0 });
  const text = await readFile(page, "utf8");
  expect([...text.matchAll(/^\| \d+ \| `(\w+)` \|/gm)].map(([, id]) => id)).toEqual(stopRules.map(({ id }) => id));
  const folder = await mkdtemp(join(tmpdir(), "policy-"));
  try {
    const file = join(folder, "page.md");
    await writeFile(file, text.replace("| `breaker` |", "| `brake` |"));
    expect(await execa(process.execPath, [script, "--check", "--into", file], { stdin: "ignore", reject: false })).toMatchObject({ exitCode: 1, stderr: expect.stringContaining("npm run policy") });
    expect(await execa(process.execPath, [script, "--into", file], { stdin: "ignore", reject: false })).toMatchObject({ exitCode: 0 });
    expect(await readFile(file, "utf8")).toBe(text);
  } finally {
    await rm(folder, { recursive: true });
  }
});
