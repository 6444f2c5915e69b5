import { appendFileSync, existsSync, mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { PaneKeeper } from "../../actors/pane-keeper.ts";
import { directoryOf, readSeat, readSeats } from "../../actors/seat-file.ts";
import { Seats } from "../../actors/seats.ts";
import { shellWord } from "../../src/client/text/safe-text.ts";
import { RunId, WorkItemId } from "../../src/domain/ids.ts";
import { openTerminals, type Terminals } from "../../tmux/index.ts";
import { SimulatedClock } from "../support/clock.ts";
import { probeParts } from "../support/system-parts.ts";

const hasTmux = (await probeParts()).some(({ part, ok }) => part.name === "tmux" && ok);
const guard = { timeout: 60_000 };

describe.skipIf(!hasTmux)("the pane keeper, on a tmux server of its own", { timeout: 240_000 }, () => {
  let root = "", server = "", seats: Seats, clock: SimulatedClock, living: Set<WorkItemId>, notices: string[], said: string[], refuse = false, fabric: Terminals | undefined;
  const [one, two] = [WorkItemId.parse("LOC-1"), WorkItemId.parse("LOC-2")];

  const makeKeeper = (open?: () => Promise<Terminals>): PaneKeeper => new PaneKeeper({
    seats, clock, notice: (text) => notices.push(text), living: async () => living, keep: { count: 1, bytes: 1_000_000 },
    open: open ?? (async () => (fabric = await openTerminals({ server, backend: "tmux", directory: join(root, "tmux") }))),
    say: async (address, text, id) => {
      if (refuse) throw new Error("no agent works there");
      said.push(`${address} ${id}: ${text}`);
    },
  });
  const work = async (item: WorkItemId, seat: string, team: string | null = null, over = true): Promise<string> => {
    const place = { item, team, seat };
    const run = await seats.begin({ ...place, address: `${team ?? item}/${seat}`, adapter: "scripted", runId: RunId.parse(`run-${item.toLowerCase()}-${seat}`) });
    run.write(`hello from ${team ?? item}/${seat}\r\n`);
    if (over) await run.settle("over");
    return directoryOf(seats.root, place);
  };
  const tmux = (...args: readonly string[]) => execa("tmux", ["-L", server, "-N", ...args], { reject: false });
  const panes = async (): Promise<readonly string[]> => (await tmux("list-panes", "-a", "-F", "#{session_name}:#{window_name}")).stdout.split("\n").filter((line) => line !== "").toSorted();

  beforeEach(() => {
    root = realpathSync(mkdtempSync(join(tmpdir(), "enact-panes-")));
    server = `enact-t-${process.pid}-${Math.random().toString(36).slice(2, 8)}`;
    clock = new SimulatedClock(1);
    living = new Set([one, two]);
    [notices, said, refuse, fabric] = [[], [], false, undefined];
    seats = new Seats({ root: join(root, "terminals"), clock, onTrouble: (text) => notices.push(text) });
  });
  afterEach(async () => {
    await fabric?.close("end");
    await tmux("kill-server");
    rmSync(root, { recursive: true, force: true });
  });

  test("CARD-25 one pane a seat of every living item and team, showing its log; all of them again after the server was killed; those of the ended go", async () => {
    await work(one, "coder");
    await work(one, "critic");
    await work(two, "worker-1", "alpha");
    const keeper = makeKeeper();
    await keeper.round();
    expect((await panes()).filter((pane) => !pane.includes("_"))).toEqual(["alpha:worker-1", "loc-1:coder", "loc-1:critic"]);
    expect(keeper.backend).toMatchObject({ backend: "tmux", panes: 3 });
    await expect.poll(async () => (await tmux("capture-pane", "-p", "-t", "=alpha:worker-1")).stdout, guard).toContain("hello from alpha/worker-1");

    await tmux("kill-server");
    await expect.poll(panes, guard).toEqual([]);
    await expect.poll(async () => {
      await keeper.round();
      return (await panes()).filter((pane) => !pane.includes("_"));
    }, guard).toEqual(["alpha:worker-1", "loc-1:coder", "loc-1:critic"]);
    await expect.poll(async () => (await tmux("capture-pane", "-p", "-t", "=loc-1:critic")).stdout, guard).toContain("hello from LOC-1/critic");

    living.delete(one);
    await keeper.round();
    expect((await panes()).filter((pane) => !pane.includes("_"))).toEqual(["alpha:worker-1"]);
    expect(readSeats(seats.root).map(({ file }) => [file.address, file.state])).toEqual([["alpha/worker-1", "idle"], ["LOC-1/coder", "ended"], ["LOC-1/critic", "ended"]]);
    expect(notices).toEqual([]);
    // The next daemon finds them.
    await keeper.close("abandon");
    expect((await panes()).filter((pane) => !pane.includes("_"))).toEqual(["alpha:worker-1"]);
    const next = makeKeeper();
    await next.round();
    expect((await panes()).filter((pane) => !pane.includes("_"))).toEqual(["alpha:worker-1"]);
    // One that ends its agents leaves no server behind, when nobody looks at it.
    await next.close("suspend");
    await expect.poll(panes, guard).toEqual([]);
  });

  test("CARD-26 what a person types into the pane of an agent is given on once, whatever restarts in between", async () => {
    const directory = await work(one, "coder");
    const keeper = makeKeeper();
    await keeper.round();
    await expect.poll(async () => (await tmux("capture-pane", "-p", "-t", "=loc-1:coder")).stdout, guard).toContain("hello");
    await tmux("send-keys", "-t", "=loc-1:coder", "-l", "use tabs; please");
    await tmux("send-keys", "-t", "=loc-1:coder", "Enter");
    await expect.poll(async () => {
      await keeper.round();
      return said;
    }, guard).toEqual(["LOC-1/coder typed-loc-1.coder-0-0: use tabs; please"]);
    expect(readSeat(directory)?.typed).toBe(17);
    await keeper.round();
    await makeKeeper().round();
    expect(said.length).toBe(1);
    // A crash before the offset was noted: the same line comes again under the same id, and its taker knows it.
    seats.noteTyped(directory, 0);
    appendFileSync(join(directory, "typed"), "and spaces\nhalf a li");
    await makeKeeper().round();
    expect(said.slice(1)).toEqual(["LOC-1/coder typed-loc-1.coder-0-0: use tabs; please", "LOC-1/coder typed-loc-1.coder-0-1: and spaces"]);
    refuse = true;
    appendFileSync(join(directory, "typed"), "ne\n");
    await makeKeeper().round();
    expect(notices).toEqual(["what was typed into LOC-1/coder was not taken: no agent works there"]);
  });

  test("I1 without tmux everything goes on, it is said once, and tried again later", async () => {
    await work(one, "coder");
    let tries = 0;
    const keeper = makeKeeper(async () => {
      tries++;
      throw new Error("tmux is not installed");
    });
    await keeper.round();
    await keeper.round();
    expect(keeper.backend).toEqual({ backend: "none", detail: "tmux is not installed", panes: 0 });
    expect([tries, notices.length]).toEqual([1, 1]);
    clock.advance(61_000);
    await keeper.round();
    expect([tries, notices.length]).toEqual([2, 1]);
    await keeper.close("abandon");
  });

  test("a turn that needs a terminal waits while opening fails, and is told why when that does not end", async () => {
    let tries = 0;
    const later = makeKeeper(async () => {
      if (++tries < 3) throw new Error("the server was killed");
      return (fabric = await openTerminals({ server, backend: "tmux", directory: join(root, "tmux") }));
    });
    const found = later.fabric();
    const timePasses = (wanted: number): Promise<void> => expect.poll(() => {
      clock.advance(1_000);
      return tries;
    }, guard).toBe(wanted);
    await timePasses(3);
    expect((await found).backend).toBe("tmux");
    await later.close("abandon");

    tries = 0;
    const never = makeKeeper(async () => {
      tries++;
      throw new Error("tmux is not installed");
    });
    const failed = never.fabric().catch((error: unknown) => error);
    await timePasses(5);
    expect(await failed).toMatchObject({ message: "tmux is not installed" });
  });

  test("I5 old terminals go beyond the cap, those of living items never", async () => {
    const old = await work(one, "coder"), alive = await work(two, "coder");
    clock.advance(10);
    const newer = await work(one, "critic");
    living.delete(one);
    const keeper = makeKeeper(async () => { throw new Error("none"); });
    await keeper.round();
    expect([old, newer, alive].map(existsSync)).toEqual([false, true, true]);
  });

  test("a session somebody looks at stays until they leave", async () => {
    await work(one, "coder");
    const keeper = makeKeeper();
    await keeper.round();
    const attachment = await keeper.terminals?.attachCommand("loc-1", "coder");
    expect(attachment?.argv[0]).toContain("tmux");
    // A second server stands in for the person's own terminal.
    await execa("tmux", ["-L", `${server}-person`, "-f", "/dev/null", "new-session", "-d", "-x", "80", "-y", "24", `exec ${(attachment?.argv ?? []).map(shellWord).join(" ")}`], { env: { ...attachment?.env, TMUX: "" } });
    try {
      await expect.poll(async () => {
        await keeper.round();
        return keeper.paneOf({ directory: "", file: readSeats(seats.root)[0]?.file ?? (() => { throw new Error("no seat"); })() })?.attached;
      }, guard).toBe(1);
      living.delete(one);
      await keeper.round();
      expect((await panes()).filter((pane) => !pane.includes("_"))).toContain("loc-1:coder");
    } finally {
      await execa("tmux", ["-L", `${server}-person`, "kill-server"], { reject: false });
    }
    await expect.poll(async () => {
      await keeper.round();
      return (await panes()).filter((pane) => pane.startsWith("loc-1:"));
    }, guard).toEqual([]);
  });
});
