/** Caps and reports on real runs: every command is a factory of its own, so what holds from one to the next holds across restarts. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { config, critic } from "../faults/room.ts";
import { coder, itemIn, journalIn, lastLine, makeRoom, mend, type Room } from "./room.ts";

const Row = z.looseObject({ key: z.string(), amount: z.object({ turns: z.number(), usage: z.object({ inputTokens: z.number(), outputTokens: z.number() }), cost: z.object({ usd: z.number(), unpricedTokens: z.number(), unmeasured: z.number() }) }) });
const Report = z.looseObject({ rows: z.array(Row), total: Row.shape.amount, day: Row.shape.amount, caps: z.array(z.looseObject({ cap: z.string(), of: z.string(), spent: z.number(), limit: z.number(), left: z.number(), state: z.string() })) });
const spend = async (room: Room, ...argv: readonly string[]): Promise<z.infer<typeof Report>> => {
  const done = await room.cli(["spend", "--json", ...argv]);
  expect(done.exitCode, done.stderr).toBe(0);
  return Report.parse(lastLine(done.stdout));
};
const Ended = z.looseObject({ id: z.string(), status: z.string(), reason: z.string(), warnings: z.array(z.string()) });
const ended = (text: string): z.infer<typeof Ended> => Ended.parse(lastLine(text));
/** Runs that had an agent. */
const runsOf = async (room: Room, id: string): Promise<number> => journalIn((await room.cli(["log", id, "--json"])).stdout).filter(({ type, event }) => type === "turn.ended" && z.object({ spend: z.unknown().optional() }).parse(event["outcome"]).spend !== undefined).length;

const costly = mend.replace("{ result", "{ cost = 0.6 }, { usage = { input = 1000, output = 200, cached = 400 } }, { result");
const approve = critic('{ cost = 0.25 }, { verdict = "approve" }');

describe("caps of the spending, for real", { timeout: 240_000 }, () => {
  test("itemUsd: what is used up keeps the next turn from beginning; nothing is tried again until it is raised, and then task retry works", async () => {
    await using room = makeRoom({ config: config({ rest: "[spend]\nitemUsd = 0.5\n" }) });
    const playbook = room.playbook("costly", coder(costly) + approve);
    const run = await room.cli(["run", "Fix the sum", "-p", "repo", "--playbook", playbook, "--json"]);
    expect(run.exitCode, run.stderr).toBe(1);
    const item = ended(run.stdout);
    expect(item).toMatchObject({ id: "RUN-1", status: "exhausted" });
    expect(item.reason).toContain("critic: the cap spend.itemUsd: $0.60 of $0.50 for RUN-1 is reached; raise spend.itemUsd and try again");
    expect(item.warnings.join()).toContain("a cap is reached: spend.itemUsd: $0.60 of $0.50 for RUN-1");
    expect(await runsOf(room, "RUN-1")).toBe(1);
    const why = await room.cli(["why", "RUN-1"]);
    expect(why.stdout).toContain("spend.itemUsd: $0.60 of $0.50 for RUN-1 → no new turn begins: exhausted [fired]");
    expect(why.stdout).toContain("today all agents cost $0.60");
    const shown = await room.cli(["task", "show", "RUN-1"]);
    expect(shown.stdout).toMatch(/cost +\$0\.60/);
    expect(shown.stdout).toContain("refs/enact/checkpoints/RUN-1/1");
    expect((await room.cli(["status"])).stdout).toMatch(/today +\$0\.60/);
    // The same cap: refused at once, by nobody but the person who asked.
    expect((await room.cli(["task", "retry", "RUN-1"])).exitCode).toBe(0);
    const again = await room.cli(["resume", "RUN-1"]);
    expect(again.exitCode, again.stderr).toBe(1);
    expect(again.stdout).toContain("spend.itemUsd: $0.60 of $0.50");
    expect(await runsOf(room, "RUN-1")).toBe(1);
    writeFileSync(join(room.directory, "config.toml"), readFileSync(join(room.directory, "config.toml"), "utf8").replace("itemUsd = 0.5", "itemUsd = 2"));
    expect((await room.cli(["task", "retry", "RUN-1"])).exitCode).toBe(0);
    const done = await room.cli(["resume", "RUN-1", "--json"]);
    expect(done.exitCode, done.stderr).toBe(0);
    const byItem = await spend(room, "--by", "item");
    expect(byItem.rows).toMatchObject([{ key: "RUN-1", amount: { turns: 3, cost: { usd: 1.45, unpricedTokens: 0, unmeasured: 0 } } }]);
    expect(byItem.caps).toMatchObject([{ cap: "itemUsd", spent: 1.45, limit: 2, left: 0.55, state: "quiet" }, { cap: "itemTurns", spent: 3, limit: 50 }]);
  });

  test("dayTokens: an item that comes later is not begun; unknown money is shown as unknown, and a price makes it known", async () => {
    await using room = makeRoom({ config: config({ rest: "[spend]\ndayTokens = 1000\n" }) });
    const playbook = room.playbook("tokens", coder(mend.replace("{ result", "{ usage = { input = 1000, output = 200, cached = 400 } }, { result")));
    const first = await room.cli(["run", "Fix the sum", "-p", "repo", "--coder-only", "--playbook", playbook, "--json"]);
    expect(first.exitCode, first.stderr).toBe(0);
    expect(itemIn(first.stdout).status).toBe("done");
    const second = await room.cli(["run", "Fix it again", "-p", "repo", "--coder-only", "--playbook", playbook, "--json"]);
    expect(second.exitCode, second.stderr).toBe(1);
    expect(ended(second.stdout)).toMatchObject({ id: "RUN-2", status: "exhausted" });
    expect(ended(second.stdout).reason).toMatch(/coder: the cap spend\.dayTokens: 1k of 1k tokens on \d{4}-\d\d-\d\d is reached; the day ends \d{4}-\d\d-\d\d 00:00 \(.+\)/);
    expect(await runsOf(room, "RUN-2")).toBe(0);
    expect((await room.cli(["spend"])).stdout).toContain("1k tokens of unknown price");
    expect((await room.cli(["task", "show", "RUN-1"])).stdout).toMatch(/cost +1k tokens of unknown price/);
    writeFileSync(join(room.directory, "config.toml"), readFileSync(join(room.directory, "config.toml"), "utf8").replace("dayTokens = 1000", 'dayTokens = 9000\n[[spend.prices]]\nmodel = "gpt*"\ninput = 1000\ncachedInput = 100\noutput = 5000'));
    const third = await room.cli(["run", "And again", "-p", "repo", "--coder-only", "-m", "gpt-6", "--playbook", playbook, "--json"]);
    expect(third.exitCode, third.stderr).toBe(0);
    // 600 at 1000, 400 at 100, 200 at 5000 dollars a million.
    expect((await spend(room, "--by", "item")).rows).toMatchObject([{ key: "RUN-3", amount: { cost: { usd: 1.64, unpricedTokens: 0 } } }, { key: "RUN-1", amount: { cost: { usd: 0, unpricedTokens: 1_200 } } }]);
    expect((await room.cli(["spend", "--by", "item"])).stdout).toContain("Total since");
    expect((await room.cli(["spend"])).stdout).toContain("$1.64 + 1k tokens of unknown price");
  });

  test("itemTurns: as many turns as it says begin, and the reports by every kind add up to the same", async () => {
    await using room = makeRoom({ config: config({ rest: "[spend]\nitemTurns = 2\ndayUsd = 1\n" }) });
    const revise = critic('{ cost = 0.25 }, { verdict = "revise", feedback = "not yet" }');
    const run = await room.cli(["run", "Fix the sum", "-p", "repo", "--playbook", room.playbook("twice", coder(costly) + revise), "--json"]);
    expect(run.exitCode, run.stderr).toBe(1);
    expect(ended(run.stdout).reason).toContain("coder: the cap spend.itemTurns: 2 of 2 turns for RUN-1 is reached");
    // 80 % are said once: by the critic, which brought 0.60 to 0.85.
    expect(run.stderr).toContain("80 % of a cap are used: spend.dayUsd: $0.85 of $1.00");
    expect(ended(run.stdout).warnings.filter((text) => text.includes("spend.dayUsd"))).toHaveLength(1);
    expect(await runsOf(room, "RUN-1")).toBe(2);
    for (const by of ["run", "stage", "item", "lane", "project", "day"]) {
      const report = await spend(room, "--by", by, "--since", "2d");
      expect(report.rows.length).toBe(by === "run" || by === "stage" ? 2 : 1);
      expect([by, report.total]).toMatchObject([by, { turns: 2, cost: { usd: 0.85 }, usage: { inputTokens: 1_000, outputTokens: 200 } }]);
      expect(report.rows.reduce((sum, { amount }) => sum + amount.cost.usd, 0)).toBeCloseTo(0.85, 6);
      expect(report.day).toEqual(report.total);
    }
    expect((await spend(room, "--by", "stage")).rows.map(({ key }) => key)).toEqual(["coder", "critic"]);
    expect((await spend(room, "--since", "2999-01-01")).rows).toEqual([]);
    const wide = await room.cli(["spend", "--by", "run"]);
    expect(wide.stdout).toContain("Caps");
    expect(wide.stdout).toMatch(/spend\.dayUsd: \$0\.85 of \$1\.00 on \S+; \$0\.15 left/);
    for (const [argv, says] of [[["--since", "never"], "is no day"], [["--by", "colour"], "is nothing that can be added up"], [["--item", "RUN-9"], "There is no work item RUN-9"]] as const) {
      const wrong = await room.cli(["spend", ...argv]);
      expect(wrong.exitCode).toBe(1);
      expect(wrong.stderr).toContain(says);
    }
  });

  test("a team whose cap is reached ends as exhausted with its work kept, and nothing is tried again by itself", async () => {
    await using room = makeRoom({ config: config({ rest: "[spend]\nitemTurns = 1\n" }) });
    const plan = room.playbook("plan", '[[tasks]]\ntitle = "Mend the sum"\n[[tasks]]\ntitle = "A README"\n');
    const playbook = room.playbook("team", `[[turn]]\nstage = "coder"\ntask = 1\nsteps = [ ${mend} ]\n[[turn]]\nstage = "coder"\ntask = 2\nsteps = [ { write = "README.md", text = "# sums" }, { result = "A README." } ]\n`);
    const run = await room.cli(["team", "init", "--local", "--name", "alpha", "--workers", "2", "--plan", plan, "--path", "repo", "--playbook", playbook, "--json"]);
    expect(run.exitCode, run.stderr).toBe(1);
    expect(ended(run.stdout)).toMatchObject({ id: "RUN-1", status: "exhausted" });
    expect(ended(run.stdout).reason).toMatch(/spend\.itemTurns: 1 of 1 turns for RUN-1/);
    expect((await spend(room, "--by", "stage")).total.turns).toBe(1);
    expect((await room.cli(["team", "status", "alpha"])).stdout).toContain("exhausted");
    expect((await room.cli(["resume"])).stdout).toBe("Nothing is unfinished.");
  });

  test("where no factory has run nothing was used, and doctor says what a cap of money cannot see", async () => {
    await using room = makeRoom({ config: config({ rest: '[spend]\ndayUsd = 5\n[autonomous.defaultStages.critic]\nadapter = "codex"\nmodel = "o9"\n' }) });
    expect((await room.cli(["spend"])).stdout).toMatch(/^Nothing was used since \d{4}-\d\d-\d\d\.\n/);
    expect((await room.cli(["doctor"])).stdout).toContain("codex o9 does not tell its cost and no price fits");
  });
});
