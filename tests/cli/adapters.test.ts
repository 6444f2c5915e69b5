/** `adapters` and `provider` as a person types them. */
import { chmodSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { describe, expect, test } from "vitest";
import { coder, lastLine, makeRoom } from "./room.ts";

const streams = join(import.meta.dirname, "../../fixtures/claude");

describe("adapters", { timeout: 120_000 }, () => {
  test("the list says what is here of each, verify plays one turn and leaves nothing, and a CLI whose turn fails says why", async () => {
    await using room = makeRoom();
    const bin = join(room.directory, "bin"), env = { PATH: [bin, room.env["PATH"]].join(delimiter) };
    mkdirSync(bin);
    // What the real one said when nobody was signed in.
    writeFileSync(join(bin, "claude"), `#!/bin/sh\n[ "$1" = --version ] && echo '2.1.330 (Claude Code)' && exit 0\n[ "$1" = auth ] && echo '{"loggedIn":false}' && exit 1\ncat > /dev/null\ncat '${join(streams, "fault-not-signed-in.jsonl")}'\nexit 1\n`);
    chmodSync(join(bin, "claude"), 0o755);
    const list = await room.cli(["adapters", "list", "--json"], { env });
    expect([list.exitCode, lastLine(list.stdout)]).toMatchObject([0, { adapters: expect.arrayContaining([
      expect.objectContaining({ name: "scripted", usual: true, ok: true, load: null }), expect.objectContaining({ name: "claude", usual: false, ok: false, detail: "claude 2.1.330; nobody is signed in", mend: "claude auth login" }),
    ]) }]);
    const left = (): readonly string[] => readdirSync(tmpdir()).filter((name) => name.startsWith("enact-trial-"));
    const before = left();
    const works = await room.cli(["adapters", "verify", "--json"], { env });
    expect([works.exitCode, lastLine(works.stdout)]).toMatchObject([0, { trials: [{ name: "scripted", ok: true, detail: "ready", session: true }] }]);
    const fails = await room.cli(["adapters", "verify", "claude"], { env });
    expect([fails.exitCode, String(fails.stdout)]).toEqual([1, expect.stringMatching(/claude: one small turn …\n {2}does not work \(.*\): auth: Not logged in/)]);
    expect(left().filter((name) => !before.includes(name))).toEqual([]);
    const nobody = await room.cli(["adapters", "login-help", "gemini"]);
    expect([nobody.exitCode, String(nobody.stderr)]).toEqual([1, expect.stringContaining("Choose one of claude, codex")]);
    expect(String((await room.cli(["adapters", "login-help", "codex"])).stdout)).toContain("codex login");
  });

  test("a provider chosen beside a stopped factory waits in its store and holds from the next one on", async () => {
    await using room = makeRoom();
    const playbook = room.playbook("p", coder('{ write = "a.txt", text = "a" }, { result = "Done." }'));
    expect((await room.cli(["run", "One", "--path", "repo", "--playbook", playbook, "--coder-only"])).exitCode).toBe(0);
    expect(String((await room.cli(["provider"])).stdout)).toBe("Provider: scripted (as configured)");
    const chosen = await room.cli(["provider", "codex", "--json"]);
    expect([chosen.exitCode, lastLine(chosen.stdout)]).toMatchObject([0, { delivered: "queued" }]);
    // Taken up by whoever owns the factory next, whose codex has no login.
    const bin = join(room.directory, "bin");
    mkdirSync(bin);
    writeFileSync(join(bin, "codex"), "#!/bin/sh\ncat > /dev/null\necho 'Error: Not logged in' >&2\nexit 1\n");
    chmodSync(join(bin, "codex"), 0o755);
    const run = await room.cli(["run", "Two", "--path", "repo", "--playbook", playbook, "--coder-only"], { env: { PATH: [bin, room.env["PATH"]].join(delimiter) } });
    expect([run.exitCode, `${String(run.stdout)}${String(run.stderr)}`]).toEqual([expect.any(Number), expect.stringContaining("Not logged in")]);
    expect(run.exitCode).not.toBe(0);
    expect(lastLine((await room.cli(["provider", "--json"])).stdout)).toMatchObject({ usual: "scripted", chosen: "codex" });
    const both = await room.cli(["provider", "codex", "--reset"]);
    expect([both.exitCode, String(both.stderr)]).toEqual([1, expect.stringContaining("Give a name or --reset, not both.")]);
  });
});
