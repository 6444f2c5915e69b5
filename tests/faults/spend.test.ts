/** Caps and charges while owners are killed: a turn that has begun may finish and is charged once, whoever reads its end; none begins that may not. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { coder, itemsIn, lastLine, makeRoom, mend, type Room } from "../cli/room.ts";
import { agentPid, config, critic, hangsFirst, leftIn, writesPid } from "./room.ts";

const Rows = z.looseObject({ rows: z.array(z.looseObject({ key: z.string(), amount: z.looseObject({ turns: z.number(), cost: z.looseObject({ usd: z.number(), unmeasured: z.number() }) }) })) });
const runs = async (room: Room): Promise<z.infer<typeof Rows>["rows"]> => Rows.parse(lastLine((await room.cli(["spend", "--by", "run", "--json"])).stdout)).rows;
const Items = z.looseObject({ workItems: z.array(z.looseObject({ status: z.string(), reason: z.string() })) });
const reasonOf = (stdout: string): string => Items.parse(lastLine(stdout)).workItems[0]?.reason ?? "";
const waits = (room: Room): string => room.playbook("go", `${coder(`{ session = "s1" }, ${writesPid(room)}, { wait-for-file = "go" }, ${mend.replace("{ result", "{ cost = 0.6 }, { result")}`)}${critic('{ cost = 0.25 }, { verdict = "approve" }')}`);
const go = (room: Room): void => writeFileSync(join(room.directory, "playbooks", "go"), "");

describe.skipIf(process.platform !== "linux")("caps of the spending across kill -9", { timeout: 240_000 }, () => {
  for (const [cap, reason] of [["itemUsd = 0.5", "spend.itemUsd: $0.60 of $0.50"], ["itemTurns = 1", "spend.itemTurns: 1 of 1 turns"], ["dayUsd = 0.5", "spend.dayUsd: $0.60 of $0.50"]] as const) {
    test(`${cap}: the turn that was under way is adopted without being asked, charged once, and the next does not begin`, async () => {
      await using room = makeRoom({ config: config({ rest: `[spend]\n${cap}\n` }) });
      const running = room.cli(["run", "Fix", "-p", "repo", "--json", "--playbook", waits(room)]);
      await agentPid(room);
      running.kill("SIGKILL");
      await running;
      go(room);
      const resumed = await room.cli(["resume", "RUN-1", "--json"]);
      expect(itemsIn(resumed.stdout), resumed.stderr).toMatchObject([{ status: "exhausted" }]);
      expect(reasonOf(resumed.stdout)).toContain(`critic: the cap ${reason}`);
      expect(await runs(room)).toMatchObject([{ amount: { turns: 1, cost: { usd: 0.6, unmeasured: 0 } } }]);
      expect(leftIn(room)).toEqual([]);
    });
  }

  test("owners that are killed one after the other give no turn away: the tries of all of them count", async () => {
    await using room = makeRoom({ config: config({ rest: "[spend]\nitemTurns = 1\n" }) });
    // Ends with the factory that is stopped: that is no try; the second is.
    const running = room.cli(["run", "Fix", "-p", "repo", "--json", "--playbook", hangsFirst(room)]);
    await agentPid(room);
    running.kill("SIGINT");
    await running;
    const resumed = await room.cli(["resume", "RUN-1", "--json"]);
    expect(itemsIn(resumed.stdout), resumed.stderr).toMatchObject([{ status: "exhausted" }]);
    expect((await runs(room)).map(({ amount }) => amount.turns)).toEqual([0, 1]);
    expect((await room.cli(["task", "retry", "RUN-1"])).exitCode).toBe(0);
    const again = room.cli(["resume", "RUN-1", "--json"]);
    again.kill("SIGKILL");
    await again;
    const last = await room.cli(["resume", "RUN-1", "--json"]);
    expect(itemsIn(last.stdout), last.stderr).toMatchObject([{ status: "exhausted" }]);
    expect(await runs(room)).toHaveLength(2);
    expect(leftIn(room)).toEqual([]);
  });
});
