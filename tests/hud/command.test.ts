/** `hud` and `inbox` of the real bin on a real store, with and without a factory beside them. */
import { existsSync } from "node:fs";
import { execa } from "execa";
import { z } from "zod";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bin, lastLine } from "../cli/room.ts";
import { turn } from "../rows/fixture.ts";
import { koreanTitle, question, stock, type Stock } from "./stock.ts";
import { openPane } from "./tmux.ts";

const control = /[\u0000-\u0009\u000b-\u001f\u007f\u202a-\u202e]/; // oxlint-disable-line no-control-regex
const Model = z.looseObject({ owner: z.null(), inbox: z.array(z.looseObject({ ref: z.string(), kind: z.string() })), workItems: z.array(z.looseObject({ id: z.string(), status: z.string() })), events: z.array(z.looseObject({ at: z.iso.datetime() })) });
const Inbox = z.object({ inbox: z.array(z.looseObject({ ref: z.string(), kind: z.string(), score: z.number(), since: z.iso.datetime() })) });

describe("hud and inbox on a real store", { timeout: 300_000 }, () => {
  let stocked: Stock;
  const envOf = (more: Readonly<Record<string, string>> = {}): Record<string, string> => ({ PATH: process.env["PATH"] ?? "", HOME: stocked.place.directory, LC_ALL: "C.UTF-8", GIT_CONFIG_GLOBAL: "/dev/null", ...more });
  const start = (argv: readonly string[], more: Readonly<Record<string, string>> = {}) => execa(process.execPath, [bin, ...argv], { cwd: stocked.place.directory, env: envOf(more), extendEnv: false, stdin: "ignore", reject: false, timeout: 200_000, killSignal: "SIGKILL" });
  const inTerminal = (argv: readonly string[], more: Readonly<Record<string, string>> = {}, size = { columns: 120, rows: 40 }) => openPane([process.execPath, bin, "-C", stocked.place.directory, ...argv], size, envOf(more));

  beforeAll(async () => { stocked = await stock(); }, 300_000);
  afterAll(() => stocked?.place.remove());

  test("SURF-05 without a terminal it prints one frame of what is under .enact/factory and leaves with 0: --once, and by itself", async () => {
    const [once, piped] = await Promise.all([start(["hud", "--once"]), start(["hud"])]);
    for (const done of [once, piped]) {
      expect([done.exitCode, done.stderr]).toEqual([0, ""]);
      expect(done.stdout).not.toMatch(control);
      expect(done.stdout).toContain("no factory runs here: read from the store");
      expect(done.stdout).toMatch(new RegExp(`${stocked.asks} +blocked +coder 1/5 +none`));
      expect(done.stdout).toMatch(new RegExp(`${stocked.capped} +exhausted`));
      expect(done.stdout).toContain(koreanTitle);
    }
  });

  test("--json is the model: inbox, items, events, in ISO times; nobody owns it", async () => {
    const done = await start(["hud", "--json"]);
    expect(done.exitCode, done.stderr).toBe(0);
    const model = Model.parse(lastLine(done.stdout));
    expect(model.inbox.map(({ ref, kind }) => [ref, kind]).toSorted()).toEqual([[stocked.asks, "question"], [stocked.capped, "cap"], [stocked.review, "review"]].toSorted());
    expect(model.workItems).toHaveLength(4);
    expect(model.events.length).toBeGreaterThan(20);
  });

  test("SURF-05 TERM=dumb gets one frame without an escape, also on a terminal", async () => {
    using pane = inTerminal(["hud"], { TERM: "dumb" }, { columns: 120, rows: 60 });
    await pane.shows((lines) => lines.includes("left with 0"));
    expect(pane.screen().join("\n")).toContain("1 INBOX 3");
    expect(pane.styled()).not.toContain("\u001b");
  });

  test("inbox lists the most urgent first and says what settles it; show has the evidence; open where the work is", async () => {
    const [text, json, show, open, openJson] = await Promise.all([start(["inbox"]), start(["inbox", "--json"]), start(["inbox", "show", stocked.asks.toLowerCase()]), start(["inbox", "open", stocked.review]), start(["inbox", "open", stocked.done, "--json"])]);
    expect([text.exitCode, json.exitCode, show.exitCode, open.exitCode]).toEqual([0, 0, 0, 0]);
    expect(text.stdout + show.stdout).not.toMatch(control);
    const { inbox } = Inbox.parse(lastLine(json.stdout));
    expect(text.stdout.split("\n").slice(1, 4).map((line) => line.split(" ")[0])).toEqual(inbox.map(({ ref }) => ref));
    expect(inbox.at(-1)?.kind).toBe("cap");
    expect(show.stdout).toContain(question);
    expect(show.stdout).toContain(`task answer ${stocked.asks} "…"`);
    expect(show.stdout).toContain("$0.40");
    const worktree = /^worktree +(.*)$/m.exec(open.stdout)?.[1] ?? "";
    expect(existsSync(worktree)).toBe(true);
    expect(open.stdout).toMatch(new RegExp(`diff +git -C ${stocked.place.directory}/shop diff [0-9a-f]{12}\\.\\.\\.enact/${stocked.review}`));
    // The command that it prints works.
    const command = /^diff +(.*)$/m.exec(open.stdout)?.[1] ?? "";
    expect((await execa(command, { shell: true, cwd: "/", env: envOf(), extendEnv: false, stdin: "ignore" })).stdout).toContain("+0");
    expect(lastLine(openJson.stdout)).toMatchObject({ ref: stocked.done, branch: `enact/${stocked.done}` });
  });

  test("inbox open on a terminal begins the editor that is named, in the worktree", async () => {
    using pane = inTerminal(["inbox", "open", stocked.review], { VISUAL: "sh -c 'echo editing; basename \"$0\"'" });
    await pane.shows((lines) => lines.includes("editing") && lines.includes(stocked.review) && lines.includes("left with 0"));
  });

  test("what is not in the inbox, and what it does not take, is said with the way out", async () => {
    const [absent, senseless, empty] = await Promise.all([start(["inbox", "show", stocked.done]), start(["inbox", "approve", stocked.asks]), start(["inbox", "answer", stocked.asks, " "])]);
    expect([absent.exitCode, senseless.exitCode, empty.exitCode]).toEqual([1, 1, 1]);
    expect(absent.stderr).toContain(`${stocked.done} is not in the inbox`);
    expect(absent.stderr).toContain(stocked.asks);
    expect(senseless.stderr).toContain("does not wait for approval");
    expect(empty.stderr).toContain("The answer is empty.");
  });

  test("an empty inbox says so and leaves with 0, also where no factory ever ran", async () => {
    const done = await start(["-C", stocked.place.repository("fresh"), "--config", stocked.place.put("other/config.toml", 'adapter = "scripted"\n'), "inbox"]);
    expect([done.exitCode, done.stdout]).toEqual([0, "Nothing needs you."]);
    const hud = await start(["--config", stocked.place.put("other/config.toml", 'adapter = "scripted"\n'), "hud"]);
    expect([hud.exitCode, hud.stdout.includes("Nothing needs you."), hud.stdout.includes("No work items.")]).toEqual([0, true, true]);
  });

  test("a key in the HUD leaves its command in the store where no factory runs, and says so", async () => {
    using pane = inTerminal(["hud"]);
    await pane.shows((lines) => lines.some((line) => line.startsWith("▸")));
    pane.send("/");
    pane.send(stocked.review);
    pane.send("\r");
    await pane.shows((lines) => lines.some((line) => line.startsWith(`▸${stocked.review}`)));
    pane.send("r");
    pane.send("아직 아니에요");
    pane.send("\r");
    await pane.shows((lines) => lines.some((line) => line.startsWith(`${stocked.review}: reject, noted; the factory takes it up`)));
    pane.send("q");
    await pane.shows((lines) => lines.includes("left with 0"));
  });

  test("CARD-29 beside a running factory: --watch prints a frame per change, the HUD follows the work, inbox answer moves an item on", async () => {
    const go = stocked.place.put("playbooks/slow.toml", turn("coder", '{ wait-for-file = "go" }, { write = "late.txt", text = "late" }, { result = "Late." }'));
    using pane = inTerminal(["hud"]);
    await pane.shows((lines) => lines.some((line) => line.includes("2 WORK 4")));
    const watching = start(["hud", "--watch", "--json"]);
    let told = "";
    watching.stdout.on("data", (chunk: Buffer) => { told += chunk.toString(); });
    await expect.poll(() => told, { timeout: 60_000 }).toContain("\n");
    const running = start(["run", "Late work", "-p", "shop", "--playbook", go, "--json"]);
    await pane.shows((lines) => lines.some((line) => /^.RUN-5 +operating +coder 1\/5 +manual/.test(line)), "the work is seen");
    // The rejection that waited in the store has been taken up by the factory.
    await pane.shows((lines) => lines.some((line) => line.includes(`${stocked.review} `) && line.includes("failed")), "the mail is taken in");
    const answered = await start(["inbox", "answer", stocked.asks, "짝수로"]);
    expect(answered.exitCode, answered.stderr).toBe(0);
    await pane.shows((lines) => lines.some((line) => line.startsWith(` ${stocked.asks}`) || line.startsWith(`▸${stocked.asks}`) ? / review +/.test(line) : false), "the answer moved it on");
    stocked.place.put("playbooks/go", "");
    const done = await running;
    expect(z.looseObject({ status: z.string() }).parse(lastLine(done.stdout)).status).toBe("review");
    await pane.shows((lines) => lines.some((line) => /^.RUN-5 +review/.test(line)), "the end is seen");
    pane.send("q");
    await pane.shows((lines) => lines.includes("left with 0"));
    await expect.poll(() => told.trimEnd().split("\n").some((line) => Model.partial().parse(JSON.parse(line)).workItems?.some(({ id, status }) => id === "RUN-5" && status === "review") === true), { timeout: 60_000 }).toBe(true);
    watching.kill("SIGINT");
    expect((await watching).exitCode).toBe(130);
    expect(told.trimEnd().split("\n").length).toBeGreaterThan(3);
  });
});
