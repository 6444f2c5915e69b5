/** AGENTS.md of other repositories, and skills, by the real command line. */
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { lastLine, makeRoom, type Room } from "./room.ts";

const begin = "<!-- enact-factory:begin", end = "<!-- enact-factory:end -->";
const fileIn = (room: Room): string => join(room.repository, "AGENTS.md");
const text = (room: Room): string => readFileSync(fileIn(room), "utf8");
const agents = (room: Room, ...argv: readonly string[]) => room.cli(["agents", "install", "--path", "repo", ...argv]);
const stateOf = async (room: Room, ...argv: readonly string[]): Promise<unknown> => lastLine(String((await agents(room, ...argv, "--json")).stdout));

test("SURF-12 agents install makes AGENTS.md, writes into one that is there and brings an older region up to date, and never touches the rest", { timeout: 240_000 }, async () => {
  await using room = makeRoom();
  expect((await agents(room, "--check")).exitCode).toBe(1);
  expect(existsSync(fileIn(room))).toBe(false);
  expect(await stateOf(room)).toEqual({ file: fileIn(room), state: "installed" });
  const made = text(room);
  expect([made.startsWith(begin), made.endsWith(`${end}\n`)]).toEqual([true, true]);
  for (const said of ["factory_workItem_get", "factory_workitem_observe", "closureEvidence", "enact-question", "skills show executor", "ENACT_RUN_ID", "factory_stop_check"]) expect(made).toContain(said);
  expect(await stateOf(room)).toMatchObject({ state: "current" });
  expect((await agents(room, "--check")).exitCode).toBe(0);
  expect(await stateOf(room, "--remove")).toMatchObject({ state: "removed" });
  expect(existsSync(fileIn(room))).toBe(false);
  expect(await stateOf(room, "--remove")).toMatchObject({ state: "absent" });

  // One of their own: other line ends, a mark at its beginning, rights of its own.
  const own = "\uFEFF# Ours\r\n\r\nUse tabs.\r\n";
  writeFileSync(fileIn(room), own);
  chmodSync(fileIn(room), 0o640);
  await agents(room);
  const both = text(room);
  expect(both.startsWith(`${own}\r\n${begin}`)).toBe(true);
  expect(both.replaceAll("\r\n", "")).not.toContain("\n");
  expect(statSync(fileIn(room)).mode & 0o777).toBe(0o640);

  // An older region with text after it.
  const older = `# Ours\n\n${begin} (v0) -->\nold words\n${end}\n\nAfter.`;
  writeFileSync(fileIn(room), older);
  const checked = await agents(room, "--check");
  expect([checked.exitCode, checked.stdout, text(room)]).toEqual([1, expect.stringContaining("agents install --path"), older]);
  expect(await stateOf(room)).toMatchObject({ state: "updated" });
  expect([text(room).startsWith(`# Ours\n\n${begin}`), text(room).endsWith(`${end}\n\nAfter.`), text(room).includes("old words")]).toEqual([true, true, false]);
  await agents(room, "--remove");
  expect(text(room)).toBe("# Ours\n\n\nAfter.");

  writeFileSync(fileIn(room), own);
  await agents(room);
  await agents(room, "--remove");
  expect(text(room)).toBe(own);
  expect(readdirSync(room.repository).filter((name) => name.startsWith("AGENTS"))).toEqual(["AGENTS.md"]);
});

test("a region that is not whole, a link that leads outside or nowhere, and what is no text are refused, and nothing is changed", { timeout: 240_000 }, async () => {
  await using room = makeRoom();
  const refused = async (...argv: readonly string[]): Promise<string> => {
    const { exitCode, stderr } = await agents(room, ...argv);
    expect(exitCode).toBe(1);
    return String(stderr);
  };
  for (const [broken, why] of [[`${begin} -->\nx\n`, "no end"], [`x\n${end}\n`, "no begin"], [`${end}\n${begin} -->\n`, "before it begins"], [`${begin} -->\n${end}\n${begin} -->\n${end}\n`, "2 lines that begin"]] as const) {
    writeFileSync(fileIn(room), broken);
    for (const argv of [[], ["--remove"], ["--check"]]) expect(await refused(...argv)).toContain(why);
    expect(text(room)).toBe(broken);
  }
  writeFileSync(fileIn(room), Buffer.from([0x23, 0xff, 0xfe]));
  expect(await refused()).toContain("not UTF-8");
  expect(readFileSync(fileIn(room))).toEqual(Buffer.from([0x23, 0xff, 0xfe]));
  rmSync(fileIn(room));

  const outside = mkdtempSync(join(room.directory, "outside-"));
  writeFileSync(join(outside, "AGENTS.md"), "theirs\n");
  symlinkSync(join(outside, "AGENTS.md"), fileIn(room));
  expect(await refused()).toContain("leads out of the repository");
  expect(readFileSync(join(outside, "AGENTS.md"), "utf8")).toBe("theirs\n");
  rmSync(fileIn(room));
  symlinkSync(join(outside, "nothing.md"), fileIn(room));
  expect(await refused()).toContain("leads nowhere");
  expect(existsSync(join(outside, "nothing.md"))).toBe(false);
  rmSync(fileIn(room));

  // Within the repository a link is a matter of taste: the file that it names is written, the link stays.
  writeFileSync(join(room.repository, "CLAUDE.md"), "# Ours\n");
  symlinkSync("CLAUDE.md", fileIn(room));
  expect(await stateOf(room)).toMatchObject({ file: join(room.repository, "CLAUDE.md"), state: "installed" });
  expect(readFileSync(join(room.repository, "CLAUDE.md"), "utf8")).toContain(begin);
  expect(await refused("--check", "--remove")).toContain("do not go together");
  expect(String((await room.cli(["agents", "install", "--path", "nowhere"])).stderr)).toContain("There is no directory");
});

test("VOC-18 skills are listed with the stage whose work they do and shown; a repository's own version replaces one, within bounds", { timeout: 240_000 }, async () => {
  await using room = makeRoom();
  const skills = (...argv: readonly string[]) => room.cli(["-C", "repo", "skills", ...argv]);
  const listed = async (): Promise<unknown> => lastLine(String((await skills("list", "--json")).stdout));
  const packaged = { from: "packaged", description: expect.stringMatching(/\.$/) };
  expect(await listed()).toEqual({ skills: [
    { name: "auditor", stage: "auditor", ...packaged }, { name: "documenter", stage: "documenter", ...packaged }, { name: "executor", stage: "coder", ...packaged },
    { name: "planner", stage: "planner", ...packaged }, { name: "reviewer", stage: "critic", ...packaged }, { name: "tester", stage: "tester", ...packaged },
  ] });
  expect((await skills("show", "executor")).stdout).toMatch(/^# Executor\n[\s\S]*stage `coder`/);
  expect((await skills("show", "reviewer")).stdout).toContain("stage `critic`");
  const refused = async (name: string): Promise<string> => {
    const { exitCode, stderr } = await skills("show", name);
    expect(exitCode).toBe(1);
    return String(stderr);
  };
  expect(await refused("../../secret")).toContain("there is no skill");

  const folder = join(room.repository, ".enact", "skills"), file = join(folder, "tester.md");
  mkdirSync(folder, { recursive: true });
  writeFileSync(file, "---\ndescription: Ours.\n---\nOnly with our runner.\r\n");
  expect((await skills("show", "tester")).stdout).toBe("Only with our runner.");
  expect(await listed()).toMatchObject({ skills: expect.arrayContaining([{ name: "tester", stage: "tester", from: "project", description: "Ours." }]) });
  writeFileSync(file, "x".repeat(70_000));
  expect(await refused("tester")).toContain("more than 64 KiB");
  writeFileSync(file, Buffer.from([0xff, 0xfe]));
  expect(await refused("tester")).toContain("not UTF-8");
  rmSync(file);
  mkdirSync(file);
  expect(await refused("tester")).toContain("no regular file");
  rmSync(file, { recursive: true });
  writeFileSync(join(room.directory, "secret.md"), "secret");
  symlinkSync(join(room.directory, "secret.md"), file);
  const stolen = await refused("tester");
  expect([stolen.includes("leads out of the repository"), stolen.includes("secret\n")]).toEqual([true, false]);
});
