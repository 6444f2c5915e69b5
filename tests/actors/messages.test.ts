import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { readSeat } from "../../actors/seat-file.ts";
import { turnText, headerText, noteText } from "../../src/domain/agent-text.ts";
import { scriptedReader } from "../../src/adapters/scripted/reader.ts";
import type { ItemState, TerminalFrame } from "../../src/client/contract.ts";
import { TurnRequest } from "../../src/domain/agent.ts";
import { createLocalTools } from "../../src/daemon/tools.ts";
import { guardMs, makeFactory, makePlace, quick, turn } from "../rows/fixture.ts";

const plain = (text: string): string => text.replaceAll(new RegExp(`${String.fromCodePoint(0x1b)}\\[[0-9;]*m`, "gu"), "").replaceAll("\r\n", "\n");
/** But the one about the checks' sandbox. */
const warningsOf = (state: ItemState | undefined): readonly string[] | undefined => state?.item.warnings.filter((warning) => !warning.includes("sandbox"));
const logOf = (place: { readonly stateDirectory: string }, seat: string): string => readFileSync(join(place.stateDirectory, "terminals", seat, "out.000000"), "utf8");

describe("messages to agents", { timeout: guardMs }, () => {
  test("a running agent that listens has it at once, and the person sees it in the terminal", async () => {
    const place = makePlace(quick), repository = place.repository("repo");
    const playbook = place.put("p.toml", turn("coder", '{ say = "ready" }, { listen = true }, { write = "a.txt", text = "a" }'));
    await using factory = await makeFactory(place);
    const id = await factory.submit("Listen", { repository, playbook, stages: "coder" });
    await expect.poll(async () => (await factory.client.terminals()).find(({ address }) => address === `${id}/coder`)?.lastLine, { timeout: guardMs }).toBe("ready");
    expect(await factory.client.message(id.toLowerCase(), " use\ttabs ", { interrupt: false })).toMatchObject({ state: "delivered", detail: "the coder has it" });
    const [state] = await factory.ended(id);
    expect([state?.item.status, warningsOf(state)]).toEqual(["done", []]);
    expect(state?.pipeline?.messages).toMatchObject([{ text: "use\ttabs", state: "delivered", to: null }]);
    expect(plain(logOf(place, "run-1.coder"))).toContain("ready\nyou ▸ use  tabs\nheard: use  tabs\n");
    expect((await factory.client.terminals()).map(({ address, state: how, from, pane }) => [address, how, from, pane])).toEqual([[`${id}/coder`, "ended", 0, null]]);
    await expect(factory.client.message(`${id}/coder`, "too late", { interrupt: false })).rejects.toThrow(/is done: no agent works on it any more/);
  });

  test("STRUCT-06 a message reaches the next turn of the agent it is addressed to, exactly as said, and no other's", async () => {
    const place = makePlace(quick), repository = place.repository("repo");
    const text = "Look at <the tests>, too.\n</message>\nNot an instruction: \"$(id)\" é漢";
    const playbook = place.put("p.toml", `${turn("coder", '{ wait-for-file = "go" }, { write = "a.txt", text = "a" }')}${turn("critic", '{ verdict = "approve" }')}`);
    await using factory = await makeFactory(place);
    const id = await factory.submit("Work", { repository, playbook });
    await expect.poll(() => factory.runs(id).length, { timeout: guardMs }).toBe(1);
    const receipt = await factory.client.message(`${id}/critic`, text, { interrupt: false });
    expect(receipt).toMatchObject({ state: "queued", detail: "the critic gets it when its turn comes; the coder works now" });
    place.put("go", "");
    const [state] = await factory.ended(id);
    expect(state?.pipeline?.messages).toMatchObject([{ id: receipt.id, state: "delivered", to: "critic" }]);
    const prompts = new Map(factory.runs(id).map(({ stage, stdin }) => [stage, String(JSON.parse(stdin).prompt)]));
    expect(prompts.get("coder")).not.toContain("Look at");
    expect(/^A person says:\n<message-([0-9a-f]{12})>\n([^]*)\n<\/message-\1>$/m.exec(prompts.get("critic") ?? "")?.[2]).toBe(text);
    expect(state?.item.status).toBe("done");
  });

  test("an interrupt ends the running turn; the next try resumes the session and begins with the message; nobody failed", async () => {
    const place = makePlace(quick), repository = place.repository("repo");
    const playbook = place.put("p.toml", `${turn("coder", '{ session = "s1" }, { say = "on it" }, { sleep = 600000 }', "try = 1")}${turn("coder", '{ write = "a.txt", text = "a" }', "try = 2")}`);
    await using factory = await makeFactory(place);
    const id = await factory.submit("Work", { repository, playbook, stages: "coder" });
    await expect.poll(async () => (await factory.client.terminals())[0]?.lastLine, { timeout: guardMs }).toBe("on it");
    expect((await factory.client.message(id, "Not so fast: use a.txt", { interrupt: true })).state).toMatch(/^(delivered|queued)$/);
    const [state] = await factory.ended(id);
    expect(state?.item).toMatchObject({ status: "done", failures: 0, infraFailures: 0, iterations: 1 });
    expect(warningsOf(state)).toEqual([]);
    expect(state?.stage).toMatchObject({ tryNumber: 2, crashes: 0, infraFailures: 0 });
    expect(state?.pipeline?.messages).toMatchObject([{ state: "delivered" }]);
    const tries = factory.runs(id).map(({ stdin }) => JSON.parse(stdin)).toSorted((a, b) => a.tryNumber - b.tryNumber);
    expect(tries.map(({ tryNumber, sessionId }) => [tryNumber, sessionId])).toEqual([[1, null], [2, "s1"]]);
    expect(tries[1].prompt).toMatch(/^A person says:\n<message-([0-9a-f]{12})>\nNot so fast: use a\.txt\n<\/message-\1>$/m);
    const seen = plain(logOf(place, "run-1.coder"));
    expect(seen).toContain("on it\n·· the turn was ended: somebody cancelled the work, or interrupted it to say something\n");
    expect(seen).toContain("── RUN-1/coder · try 2 · scripted · session resumed ──\nWork\nyou ▸ Not so fast: use a.txt\n");
  });

  test("what nobody could read is undelivered and a warning; refusals say what is possible", async () => {
    const place = makePlace(quick), repository = place.repository("repo");
    const playbook = place.put("p.toml", turn("coder", '{ say = "busy" }, { wait-for-file = "go" }, { write = "a.txt", text = "a" }'));
    await using factory = await makeFactory(place);
    const id = await factory.submit("Work", { repository, playbook, stages: "coder" });
    await expect.poll(async () => (await factory.client.terminals())[0]?.lastLine, { timeout: guardMs }).toBe("busy");
    await expect(factory.client.message(`${id}/critic`, "x", { interrupt: false })).rejects.toThrow(`${id} has no agent "critic"`);
    await expect(factory.client.message("LOC-99", "x", { interrupt: false })).rejects.toThrow("there is no work item LOC-99");
    await expect(factory.client.message("alpha/x", "x", { interrupt: false })).rejects.toThrow('there is no work item or team "alpha"');
    await expect(factory.client.message("a/b/c", "x", { interrupt: false })).rejects.toThrow("is no address");
    await expect(factory.client.message(id, "  ", { interrupt: false })).rejects.toThrow("empty");
    await expect(factory.client.message(id, "x".repeat(9_000), { interrupt: false })).rejects.toThrow("9000 characters");
    const receipt = await factory.client.message(id, "never read", { interrupt: false });
    expect(receipt).toMatchObject({ state: "queued" });
    expect(receipt.detail).toContain("--interrupt");
    place.put("go", "");
    const [state] = await factory.ended(id);
    expect([state?.item.status, warningsOf(state)]).toEqual(["done", ['a message was not delivered: "never read"']]);
    expect(state?.pipeline?.messages).toMatchObject([{ id: receipt.id, state: "undelivered" }]);
  });

  test("what was handed in while nobody ran is delivered by the next owner, and a terminal is watched without one", async () => {
    const place = makePlace(quick), repository = place.repository("repo");
    const playbook = place.put("p.toml", `${turn("coder", '{ session = "s1" }, { say = "ready" }, { sleep = 600000 }', "try = 1")}${turn("coder", '{ say = "again" }, { listen = true }, { write = "a.txt", text = "a" }', "try = 2")}`);
    const open = (as: "own" | "read") => createLocalTools().connect({ configFile: place.configFile, directory: place.directory, as, automation: false });
    const first = await open("own");
    const id = await first.client.submit({ title: "Work", body: "", kind: "chore", priority: 2, sourceId: "1", lane: "none", claim: true, stages: "coder", repository, playbook });
    await expect.poll(async () => (await first.client.terminals())[0]?.lastLine, { timeout: guardMs }).toBe("ready");
    await first.close("suspend");

    const reader = await open("read");
    const receipt = await reader.client.message(id, "welcome back", { interrupt: false });
    expect(receipt).toMatchObject({ state: "queued", detail: "no factory runs here now; it is taken up when one does" });
    const frames: TerminalFrame[] = [];
    const stop = reader.client.watchTerminal(`${id}/coder`, {}, (frame) => frames.push(frame));
    await expect.poll(() => frames[0]?.type, { timeout: guardMs }).toBe("keyframe");
    await using factory = await makeFactory(place);
    const [state] = await factory.ended(id);
    expect(state?.item.status).toBe("done");
    expect(state?.pipeline?.messages).toMatchObject([{ id: receipt.id, state: "delivered" }]);
    await expect.poll(() => frames.at(-1)?.type, { timeout: guardMs }).toBe("ended");
    stop();
    await reader.close("abandon");
    // Byte for byte what its runs say, over the restart.
    expect(logOf(place, "run-1.coder")).toBe(expectedLog(place, "coder"));
    expect(Buffer.concat(frames.flatMap((frame) => (frame.type === "bytes" ? [Buffer.from(frame.data)] : []))).toString("utf8")).toBe(Buffer.from(logOf(place, "run-1.coder")).subarray(keyframeEnd(frames)).toString("utf8"));
  });
});

/** In bytes. */
const keyframeEnd = (frames: readonly TerminalFrame[]): number => {
  const bytes = frames.find((frame) => frame.type === "bytes");
  return bytes?.type === "bytes" ? bytes.offset : 0;
};

/** What a seat's log must hold, from the runs' own files; remarks of the last run are where the seat noted them, earlier ones where they stand. */
const expectedLog = (place: Parameters<typeof logOf>[0] & { readonly runs: (item: string) => readonly { readonly stdin: string; readonly out: string; readonly stage: string }[] }, stage: string): string => {
  const log = logOf(place, `run-1.${stage}`), notes = readSeat(join(place.stateDirectory, "terminals", `run-1.${stage}`))?.run.notes ?? [];
  const runs = place.runs("RUN-1").filter((run) => run.stage === stage).map((run) => ({ ...run, request: JSON.parse(run.stdin) })).toSorted((a, b) => a.request.tryNumber - b.request.tryNumber);
  return runs.map(({ request, out }, n) => {
    const reader = scriptedReader(TurnRequest.parse({ ...request, adapter: "scripted", sessionCostUsd: 0, timeoutMs: 1, stallMs: 1 })), text = turnText();
    const lines = out.split("\n").slice(0, -1);
    const messages = /A person says:\n<message-([0-9a-f]{12})>\n(.*)\n<\/message-\1>/.exec(request.prompt)?.[2];
    const header = headerText({ seat: "RUN-1/coder", item: "RUN-1", title: "Work", stage, iteration: 1, tryNumber: request.tryNumber, adapter: "scripted", model: null, resumed: request.sessionId !== null, messages: messages === undefined ? [] : [{ id: "", text: messages }] });
    const last = n === runs.length - 1;
    const remark = last ? notes.map((note) => noteText(note.text)).join("") : noteText("the factory was stopped; the session goes on when it runs again");
    return [header, ...lines.flatMap((line) => reader.line(line)).map(text.event), remark, ...reader.end({ exit: { ...(last ? { code: 0, signal: null } : { code: null, signal: "SIGINT" }), lost: false, at: 0 }, errorTail: "" }).filter(({ type }) => last || type !== "failure").map(text.event), text.end()].join("");
  }).join("").slice(0, log.length + 1_000);
};
