/** Being told by the real daemon, and answering what was told. */
import { describe, expect, test } from "vitest";
import { coder, itemsIn, lastLine, mend } from "../cli/room.ts";
import { gone, guardMs, makeDaemonRoom, started } from "../daemon/room.ts";
import { discordReceiver, httpReceiver, type HttpReceiver, verified } from "../support/fakes/receivers.ts";
import { z } from "zod";

const Payload = z.object({ id: z.string(), subject: z.string(), text: z.string(), notes: z.array(z.object({ kind: z.string(), since: z.string(), commands: z.array(z.string()) })) });
const payloads = ({ received }: HttpReceiver) => received.map(({ body }) => Payload.parse(JSON.parse(body)));
const subjects = (receiver: HttpReceiver): readonly string[] => payloads(receiver).map(({ subject }) => subject);

describe("being told", { timeout: 240_000 }, () => {
  test("INTRO-05 a question comes signed with the command that answers it, and the answer goes on; how it ended goes to Discord; a kill -9 between tells nothing twice", async () => {
    await using receiver = await httpReceiver();
    await using chat = await discordReceiver();
    await using room = makeDaemonRoom({ rest: `[[notify.channels]]\nkind = "webhook"\nname = "team"\nurl = "${receiver.url}"\nsecret = "a-key-of-the-team"\n[discord]\nwebhookUrl = "${chat.url}"\n` });
    const { pid } = await started(room);
    const playbook = room.playbook("ask", `${coder('{ question = "Zero or an error?" }', "try = 1")}${coder(mend, "try = 2")}`);
    const work = room.cli(["exec", "Fix \u001b[31mthe sum", "--path", "repo", "--json", "--playbook", playbook]);
    await expect.poll(() => receiver.received.length, { timeout: guardMs }).toBe(1);
    const [first] = receiver.received, [told] = payloads(receiver);
    expect(first && verified("a-key-of-the-team", first, Date.now())).toBe(true);
    expect(told).toMatchObject({ subject: "RUN-1 asks a question: Fix the sum", notes: [{ kind: "question", commands: ['enact-factory task answer RUN-1 "…"'] }] });
    expect(told?.text).toContain("Zero or an error?");
    expect(first?.body).not.toContain("\u001b");
    process.kill(pid, "SIGKILL");
    await expect.poll(() => gone(pid), { timeout: guardMs }).toBe(true);
    await started(room);
    // As the message says.
    expect((await room.cli(["task", "answer", "RUN-1", "Zero."])).exitCode).toBe(0);
    await expect.poll(async () => itemsIn((await room.cli(["task", "list", "--json"])).stdout).map(({ status }) => status), { timeout: guardMs, interval: 500 }).toEqual(["done"]);
    await expect.poll(() => chat.received.map(({ body }) => String(JSON.parse(body).content)), { timeout: guardMs }).toEqual([expect.stringContaining("asks a question"), expect.stringContaining("is done")]);
    // The channel of attention alone was not told of the end, nor twice of the question.
    expect(subjects(receiver)).toEqual(["RUN-1 asks a question: Fix the sum"]);
    expect(lastLine((await room.cli(["status", "--json"])).stdout)).toMatchObject({ channels: [{ channel: "team", open: null, lastAt: expect.any(Number) }, { channel: "discord", open: null }] });
    await work;
  });

  test("a channel that is down holds nothing up, and status and doctor say so; notify test tells each and exits 1", async () => {
    await using receiver = await httpReceiver(() => ({ status: 503 }));
    await using room = makeDaemonRoom({ rest: `[[notify.channels]]\nkind = "webhook"\nname = "team"\nmin = "info"\nurl = "${receiver.url}"\nsecret = "a-key-of-the-team"\n` });
    await started(room);
    const done = await room.cli(["exec", "Fix", "--path", "repo", "--json", "--playbook", room.playbook("p", coder(mend))]);
    expect(done.exitCode, done.stderr).toBe(0);
    await expect.poll(async () => (await room.cli(["status"])).stdout, { timeout: guardMs, interval: 500 }).toMatch(/told by +team does not take a message since .*: it answered 503/);
    expect(lastLine((await room.cli(["doctor", "--json"])).stdout)).toMatchObject({ checks: expect.arrayContaining([expect.objectContaining({ name: "notify team", state: "warning", mend: "enact-factory notify test team" })]) });
    const trial = await room.cli(["notify", "test", "--json"]);
    expect([trial.exitCode, lastLine(trial.stdout)]).toMatchObject([1, { trials: [{ channel: "team", ok: false, detail: "it answered 503" }] }]);
    receiver.next.push({ status: 200 });
    const works = await room.cli(["notify", "test", "team"]);
    expect([works.exitCode, works.stdout]).toEqual([expect.any(Number), expect.stringMatching(/team \(.*\): it /)]);
    const nobody = await room.cli(["notify", "test", "nobody"]);
    expect([nobody.exitCode, nobody.stderr]).toEqual([1, expect.stringContaining("there is no channel nobody")]);
    expect((await room.cli(["notify", "test", "--help"])).stdout).toContain("notify test on-call --json");
  });
});
