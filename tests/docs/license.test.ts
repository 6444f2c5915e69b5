/** The licence that is shipped. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { execa } from "execa";
import { expect, test } from "vitest";
import { root } from "./pages.ts";

test("PKG-04 LICENSE names the Agent Development License, the packed files hold it, and package.json points at it", async () => {
  const manifest: { readonly license: string } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  expect(manifest.license).toBe("SEE LICENSE IN LICENSE");
  expect(readFileSync(join(root, "LICENSE"), "utf8")).toContain("Agent Development License (ADL)");
  const { stdout } = await execa("npm", ["pack", "--dry-run", "--json", "--ignore-scripts"], { cwd: root, stdin: "ignore" });
  const packed: readonly { readonly files: readonly { readonly path: string }[] }[] = JSON.parse(stdout);
  expect(packed.flatMap(({ files }) => files.map(({ path }) => path))).toContain("LICENSE");
});
