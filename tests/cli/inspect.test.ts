/** `enact-factory inspect` in the real command line, beside a factory and without one; and what it draws on a terminal. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { WebSocketServer } from "ws";
import { definitionOf } from "../../machines/definition.ts";
import { stageMachine } from "../../machines/stage.ts";
import { actorLines, transitionText } from "../../src/cli/actor-view.ts";
import { redrawn } from "../../src/cli/redraw.ts";
import type { Screen } from "../../src/cli/screen.ts";
import type { ActorDetail } from "../../src/client/contract.ts";
import { widthOf } from "../../src/client/text/width.ts";
import { coder, lastLine, makeRoom } from "./room.ts";

const guardMs = 180_000;
const Actors = z.object({ actors: z.array(z.object({ address: z.string(), chart: z.string(), kind: z.string(), state: z.string(), seq: z.number() })) });
const Message = z.looseObject({ type: z.string(), sessionId: z.string(), event: z.looseObject({ type: z.string() }).optional(), snapshot: z.looseObject({ status: z.string(), value: z.unknown() }).optional() });
const messages = (text: string): readonly z.infer<typeof Message>[] => text.trim().split("\n").filter((line) => line !== "").map((line) => Message.parse(JSON.parse(line)));

describe("beside a factory that works, and after it", { timeout: 2 * guardMs }, () => {
  test("the list, a drawing, following to the end, a file of messages; then the same from the store alone", async () => {
    await using room = makeRoom();
    expect((await room.cli(["inspect"])).stdout).toBe("No statechart is under way here.");
    const owner = room.cli(["run", "wait", "-p", "repo", "--playbook", room.playbook("wait", coder('{ touch = "here" }, { wait-for-file = "go" }, { patch = "src/sum.js", find = "a + b)", replace = "a + b, 0)" }'))]);
    await expect.poll(() => existsSync(join(room.directory, "playbooks", "here")), { timeout: guardMs }).toBe(true);
    const file = join(room.directory, "messages.ndjson");
    const followed = room.cli(["inspect", "run-1", "--follow"]);
    const sent = room.cli(["inspect", "stage/RUN-1/1/coder.1", "--receiver", "messages.ndjson"]);
    const json = room.cli(["inspect", "pipeline/RUN-1/1", "--follow", "--json"]);

    const listed = await room.cli(["inspect"]);
    expect(listed.exitCode, listed.stderr).toBe(0);
    expect(listed.stdout).toMatch(/^ADDRESS +CHART +KIND +SEQ +STATE\n/);
    expect(listed.stdout).toMatch(/\nitem\/RUN-1\/1 +work-item +durable +\d+ +operating\n/);
    expect(Actors.parse(lastLine((await room.cli(["inspect", "--json"])).stdout)).actors.map(({ address }) => address)).toEqual(expect.arrayContaining(["intake/factory", "item/RUN-1/1", "pipeline/RUN-1/1", "progress/RUN-1/1", "stage/RUN-1/1/coder.1"]));

    const drawn = await room.cli(["inspect", "stage/RUN-1/1/coder.1"]);
    expect(drawn.stdout).toContain("stage/RUN-1/1/coder.1: working");
    expect(drawn.stdout).toMatch(/│ ▸● working +→ ↺, leaving/);
    expect(drawn.stdout).toMatch(/turn\.ended \[completed\] +→ leaving/);
    expect(drawn.stdout).toMatch(/1 actor\.start: begins in working/);
    expect(drawn.stdout).toMatch(/Asked for and not yet answered\n {2}turn since/);
    const detail = lastLine((await room.cli(["inspect", "stage/RUN-1/1/coder.1", "--json"])).stdout);
    expect(detail).toMatchObject({ chart: "stage", state: "working", value: "working", definition: { id: "stage" }, context: { stage: "coder" }, possible: expect.arrayContaining([{ trigger: "cancel", from: "working", guard: null, targets: ["cancelling"] }]), effects: [{ kind: "turn" }] });
    const wrong = await room.cli(["inspect", "stage/RUN-1/1/nobody.9"]);
    expect([wrong.exitCode, wrong.stderr]).toEqual([1, expect.stringMatching(/no statechart "stage\/RUN-1\/1\/nobody\.9"[^]*item\/RUN-1\/1/)]);

    await expect.poll(() => existsSync(file) && readFileSync(file, "utf8").includes("@xstate.actor"), { timeout: guardMs }).toBe(true);
    writeFileSync(join(room.directory, "playbooks", "go"), "");
    expect((await owner).exitCode).toBe(0);

    // Each ends with the actor that it follows.
    const [lines, sending, printed] = await Promise.all([followed, sent, json]);
    expect([lines.exitCode, sending.exitCode, printed.exitCode], lines.stderr + sending.stderr + printed.stderr).toEqual([0, 0, 0]);
    expect(lines.stdout.trim().split("\n").map((line) => line.replace(/^[\d:]{8} /, ""))).toEqual([
      "item/RUN-1/1 actor.start: begins in ready", "item/RUN-1/1 claim: ready → operating", "item/RUN-1/1 pipeline.gates: stays operating", "item/RUN-1/1 pipeline.gates: stays operating", "item/RUN-1/1 pipeline.ended: operating → verifying",
      "item/RUN-1/1 verify.done: verifying → publishing", "item/RUN-1/1 published: publishing → tidying", "item/RUN-1/1 workspace.removed: tidying → done",
    ]);
    const stage = messages(readFileSync(file, "utf8"));
    expect(stage[0]).toMatchObject({ type: "@xstate.actor", sessionId: "stage/RUN-1/1/coder.1", snapshot: { value: "working" } });
    expect(stage.at(-1)).toMatchObject({ type: "@xstate.snapshot", snapshot: { status: "done", value: "done" } });
    expect(sending.stderr).toContain(`${stage.length} messages sent`);
    expect(messages(printed.stdout).at(-1)).toMatchObject({ sessionId: "pipeline/RUN-1/1", snapshot: { status: "done" } });

    // Nobody owns the state any more.
    const after = await room.cli(["inspect", "RUN-1"]);
    expect(after.stdout).toContain("item/RUN-1/1: done");
    expect(after.stdout).toContain("● done");
    expect(after.stdout).not.toContain("Can happen here");
    expect(after.stdout).toMatch(/ 8 workspace\.removed: tidying → done/);
    expect(Actors.parse(lastLine((await room.cli(["inspect", "--json"])).stdout)).actors.map(({ address }) => address)).toEqual(["incidents/factory", "intake/factory", "provider/factory", "spend/factory"].filter((address) => (listed.stdout.includes(address))));
    expect((await room.cli(["inspect", "RUN-1", "--follow"])).stdout).toContain("workspace.removed: tidying → done");
  });

  test("a receiver that is not there, that goes away, or a file that cannot be written: said, exit 1", async () => {
    await using room = makeRoom();
    const nowhere = await room.cli(["inspect", "--receiver", "ws://127.0.0.1:1"]);
    expect([nowhere.exitCode, nowhere.stderr]).toEqual([1, expect.stringContaining("No receiver answers at ws://127.0.0.1:1")]);
    const unwritable = await room.cli(["inspect", "--receiver", "nowhere/messages.ndjson"]);
    expect([unwritable.exitCode, unwritable.stderr]).toEqual([1, expect.stringContaining("cannot be written")]);
    const server = new WebSocketServer({ port: 0, host: "127.0.0.1" });
    server.on("connection", (socket) => socket.close());
    await new Promise((resolve) => { server.once("listening", resolve); });
    const address = server.address();
    const gone = await room.cli(["inspect", "--receiver", `ws://127.0.0.1:${typeof address === "object" ? address?.port : ""}`]);
    server.close();
    expect([gone.exitCode, gone.stderr]).toEqual([1, expect.stringMatching(/The receiver ws:.* is gone: it closed the connection/)]);
  });
});

const actor: ActorDetail = {
  address: "stage/RUN-1/1/coder.1", chart: "stage", kind: "durable", state: "waiting", seq: 2, definition: definitionOf(stageMachine), value: "waiting", context: {},
  transitions: [{ seq: 1, at: 0, event: "actor.start", from: null, to: "working" }, { seq: 2, at: 1_000, event: "turn.ended", from: "working", to: "waiting" }],
};
const screenOf = (more: Partial<Screen> = {}) => {
  let text = "";
  return { screen: { write: (part: string) => { text += part; }, isTty: true, colour: false, columns: () => 60, rows: () => 12, ...more }, text: () => text };
};

describe("on a terminal", () => {
  test("no line is wider than the terminal; the active state is coloured where colours are", () => {
    for (const columns of [20, 40, 60, 200]) {
      const lines = actorLines(screenOf({ columns: () => columns }).screen, actor, { effects: [{ key: "k", kind: "turn", attempts: 3, at: 0 }], alarms: [{ actor: actor.address, name: "retry", at: 90_000 }] }, 60_000);
      expect(Math.max(...lines.map(widthOf))).toBeLessThanOrEqual(columns);
    }
    const painted = actorLines(screenOf({ colour: true }).screen, actor, { effects: [], alarms: [] }, 0).find((line) => line.includes("●")) ?? "";
    expect(painted).toContain("\u001b[32m");
  });

  test("transitions in words: a beginning, a change, a step that stayed, hostile names", () => {
    expect(transitionText({ event: "go", from: null, to: "a" })).toBe("go: begins in a");
    expect(transitionText({ event: "go", from: { a: "b" }, to: "c" })).toBe("go: a.b → c");
    expect(transitionText({ event: "tick", from: "a", to: "a" })).toBe("tick: stays a");
    expect(transitionText({ event: "\u001b[2Jgo\n", from: "a", to: "b" })).toBe("␛[2Jgo : a → b");
  });

  test("a picture is redrawn in place, never taller than the screen, and the last one stays", async () => {
    const { screen, text } = screenOf();
    let lines = Array.from({ length: 20 }, (_, n) => `line ${n}`);
    const picture = redrawn(screen, async () => lines);
    await expect.poll(text).toContain("line 10");
    expect(text()).not.toContain("line 11");
    lines = ["changed"];
    picture.soon();
    await expect.poll(text).toContain("changed");
    lines = ["the end", "of it"];
    await picture.end();
    expect(text().split("\u001b[?1049l")[1]).toBe("the end\nof it\n");
    expect(text()).toContain("\u001b[?25h");
  });
});
