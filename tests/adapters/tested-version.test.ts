/** An older CLI is told by its probe, before a turn meets an option that it lacks; a newer one is not refused. */
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { Effect } from "effect";
import { afterEach, beforeEach, expect, test } from "vitest";
import { claude } from "../../src/adapters/claude/adapter.ts";
import { codex } from "../../src/adapters/codex/adapter.ts";
import { opencode } from "../../src/adapters/opencode/adapter.ts";
import { olderThan } from "../../src/adapters/tested-version.ts";

let base = "";
beforeEach(() => { base = realpathSync(mkdtempSync(join(tmpdir(), "enact-version-"))); });
afterEach(() => rmSync(base, { recursive: true, force: true }));

test("versions are compared number by number", () => {
  for (const version of ["1.2.2", "1.1.9", "0.9.9", "1.2"]) expect([version, olderThan("1.2.3", version)]).toEqual([version, true]);
  for (const version of ["1.2.3", "1.2.10", "1.10.0", "2.0.0"]) expect([version, olderThan("1.2.3", version)]).toEqual([version, false]);
});

test.each([claude, codex, opencode])("$name that says an older version is told so, with what mends it; a newer one is taken", async ({ name, probe }) => {
  const says = (version: string): Promise<{ readonly ok: boolean; readonly detail: string; readonly mend?: string }> => {
    writeFileSync(join(base, name), `#!/bin/sh\necho ${version}\n`, { mode: 0o755 });
    return Effect.runPromise(probe({ home: base, runDirectory: join(base, "runs"), env: { PATH: `${base}:${dirname(process.execPath)}:/usr/bin:/bin` } }));
  };
  expect(await says("0.0.9")).toMatchObject({ ok: false, detail: expect.stringContaining("older"), mend: expect.any(String) });
  expect((await says("99.0.0")).detail).toContain("99.0.0");
  expect((await says("99.0.0")).detail).not.toContain("older");
});
