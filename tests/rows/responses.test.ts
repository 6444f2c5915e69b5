/** Our own agent as the only one of a factory, end to end, and what its document promises. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { scriptedAdapter } from "../../src/adapters/scripted/adapter.ts";
import { responses } from "../../src/adapters/responses/adapter.ts";
import { itemIn, lastLine, makeRoom } from "../cli/room.ts";
import { rig } from "../process/rig.ts";
import { marker, type Scenario, startResponsesServer } from "../support/responses-server.ts";
import { playTurn, turnRequest } from "../adapters/play.ts";
import { openRoom } from "../adapters/responses/room.ts";
import { skipSandbox } from "../verify/fixture.ts";
import { guardMs, runsIn } from "./fixture.ts";

const config = `
adapter = "responses"
[verify]
sandbox = "${skipSandbox ? "off" : "auto"}"
[[verify.checks]]
name = "test"
argv = ["node", "--test-reporter=tap", "test/sum.test.js"]
[limits]
retryBaseMs = 50
interruptGraceMs = 300
[[spend.prices]]
model = "gpt-*"
input = 10
cachedInput = 1
output = 100
`;

/** Coder and critic ask the same server; who has tools that write is the coder. */
const work: Scenario = { reply: (request): Step => {
  const { input } = request, done = input.some((item) => item.type === "function_call_output");
  if (request.tools.some(({ name }) => name === "edit")) {
    if (input.some((item) => item.type === "function_call" && item.name === "edit")) return { say: "The sum of nothing is 0." };
    return { calls: [{ name: "read", args: { path: "src/sum.js", offset: null, limit: null } }, { name: "edit", args: { path: "src/sum.js", old: "a + b)", new: "a + b, 0)", all: null } }, { name: "test", args: { name: null } }] };
  }
  return done ? { say: 'It adds nothing up to 0.\n\n```enact-verdict\n{"decision": "approve", "feedback": "", "findings": []}\n```' } : { calls: [{ name: "search", args: { pattern: "reduce", fixed: true, path: null, glob: null, ignore_case: null, offset: null } }] };
} };
type Step = ReturnType<Extract<Scenario, { reply: unknown }>["reply"]>;

describe("a factory whose only agent is our own", { timeout: guardMs }, () => {
  test("ADAPT-03 ENV-08 CHG-04 coder and critic work through /v1/responses with the bearer of the environment; the fix is on the branch, and its cost is its tokens at the configured prices", async () => {
    await using server = await startResponsesServer({ work }, "gateway-key-1");
    await using room = makeRoom({ config });
    const done = await room.cli(["run", `Mend the sum. ${marker("work")}`, "-p", "repo", "--json"], { env: { ENACT_GATEWAY_BASE_URL: server.url, ENACT_GATEWAY_API_KEY: "gateway-key-1", ENACT_RESPONSES_MODEL: "gpt-5" } });
    expect(done.exitCode, done.stderr).toBe(0);
    expect(server.complaints).toEqual([]);
    const item = itemIn(done.stdout);
    expect(item).toMatchObject({ status: "done", iterations: 1, checks: { base: "0/1", head: "1/1" } });
    expect(room.git("show", `${item.branch}:src/sum.js`)).toContain("a + b, 0)");
    expect(server.requests.every(({ path, headers }) => path === "/v1/responses" && headers["authorization"] === "Bearer gateway-key-1")).toBe(true);
    expect(runsIn(join(room.directory, ".enact", "factory", "runs"), item.id).map(({ stage, adapter }) => `${stage} ${adapter}`).toSorted()).toEqual(["coder responses", "critic responses"]);
    // The checks that the owner has configured are those that the agent runs, where it was told to.
    expect(JSON.stringify(server.requests)).toContain("test (node --test-reporter=tap test/sum.test.js): passed.");
    // 100 tokens in, 40 of them cached, 10 out: of every request.
    const { stdout } = await room.cli(["spend", "--json"]);
    expect(JSON.stringify(lastLine(stdout))).toContain(`"usd":${(server.requests.length * (60 * 10 + 40 * 1 + 10 * 100)) / 1e6}`);
  });

  test("a coder that stops with nothing changed is sent back, does the work, and may stop; one that never does is let go after two denials", async () => {
    const denied = (request: Parameters<Extract<Scenario, { reply: unknown }>["reply"]>[0]): number => request.input.filter((item) => item.type === "message" && typeof item.content === "string" && item.content.startsWith("Enact Factory: not yet. [nothingChanged]")).length;
    const edit = { calls: [{ name: "edit", args: { path: "src/sum.js", old: "a + b)", new: "a + b, 0)", all: null } }] };
    const early: Scenario = { reply: (request): Step => (denied(request) > 0 && !request.input.some((item) => item.type === "function_call" && item.name === "edit") ? edit : { say: "All done." }) };
    await using server = await startResponsesServer({ early, idle: { reply: (): Step => ({ say: "All done." }) } }, "key-1");
    await using room = makeRoom({ config });
    const run = (scenario: string) => room.cli(["run", `Mend the sum. ${marker(scenario)}`, "-p", "repo", "--coder-only", "--json"], { env: { ENACT_GATEWAY_BASE_URL: server.url, ENACT_GATEWAY_API_KEY: "key-1", ENACT_RESPONSES_MODEL: "gpt-5" } });
    const done = await run("early");
    expect(itemIn(done.stdout)).toMatchObject({ status: "done", iterations: 1, checks: { base: "0/1", head: "1/1" } });
    expect(server.requests.map(({ request }) => denied(request)).at(-1)).toBe(1);
    const { stdout } = await room.cli(["session", "list", "--all", "--json"]);
    expect(lastLine(stdout)).toMatchObject({ sessions: [{ cli: "responses", verdict: { decision: "allow" }, denied: { ruleId: "nothingChanged" }, denials: 1 }] });
    await run("idle");
    expect(server.requests.map(({ request }) => denied(request)).at(-1)).toBe(2);
    expect(server.complaints).toEqual([]);
  });

  test("doctor says whether a provider is there", async () => {
    await using room = makeRoom({ config });
    const Checks = z.object({ checks: z.array(z.looseObject({ name: z.string(), state: z.string(), detail: z.string() })) });
    const asked = async (env: Readonly<Record<string, string>>) => Checks.parse(lastLine((await room.cli(["-C", "repo", "doctor", "--json"], { env })).stdout)).checks.find(({ name }) => name === "agent responses");
    expect(await asked({})).toMatchObject({ state: "failed", detail: expect.stringContaining("ENACT_GATEWAY_BASE_URL") });
    expect(await asked({ ENACT_GATEWAY_BASE_URL: "http://127.0.0.1:9", ENACT_GATEWAY_API_KEY: "secret-key" })).toMatchObject({ state: "ok", detail: "built in; 127.0.0.1:9, with a key that was not tried" });
  });
});

describe("models", () => {
  test.each(["auto", "gpt-4.1", "gpt-4o", "gpt-5", "o3", "o4-mini"])("ADAPT-03 %s is asked for by that name; thoughts only of those that may have them", async (model) => {
    await using room = await openRoom({ any: [{ say: "Done." }] });
    const { events } = await room.play("any", { model, readOnly: true, stage: "critic" });
    // Who chooses says whom: its tokens have that one's price.
    expect(events.flatMap((event) => (event.type === "session" ? [event.model] : []))).toEqual(model === "auto" ? ["auto", "gpt-5-chosen"] : [model]);
    expect(room.server.requests.map(({ request }) => [request.model, request.include !== undefined])).toEqual([[model, !model.startsWith("gpt-4")]]);
  });
});

const page = readFileSync(join(import.meta.dirname, "..", "..", "docs", "adapters", "responses-loop.md"), "utf8");
const clauses = [...page.matchAll(/^\| (L\d+) \| (.+?) \| (met|deferred) \| (.*?) \|$/gm)].map(([, id = "", text = "", state = "", shown = ""]) => ({ id, text, state, shown }));

describe("the semantics of the loop", () => {
  test("INTRO-07 CHG-05 each clause is met or deferred: what is met names the test that shows it, what is deferred is claimed by no capability", () => {
    expect(clauses.length).toBeGreaterThan(20);
    expect(new Set(clauses.map(({ id }) => id)).size).toBe(clauses.length);
    for (const { id, state, shown } of clauses.filter((clause) => clause.state === "met")) {
      const [file = "", title = ""] = /^`(tests\/[^`]+)`: (.+)$/.exec(shown)?.slice(1) ?? [];
      expect([id, state, readFileSync(join(import.meta.dirname, "..", "..", file), "utf8").includes(title)]).toEqual([id, state, true]);
    }
    expect(clauses.filter(({ state }) => state === "deferred").map(({ text }) => text)).toEqual([expect.stringContaining("Images"), expect.stringContaining("screen")]);
    expect(responses.capabilities.mcp).toBe(true);
    expect(responses.screen).toBeUndefined();
  });

  test("INTRO-07 the same work through an agent of the command line and through our own: the same files, the same end, the same verdict", async () => {
    const judged = { say: 'Good.\n\n```enact-verdict\n{"decision": "revise", "feedback": "tabs", "findings": []}\n```' };
    await using room = await openRoom({
      work: [{ say: "I write.", calls: [{ name: "write", args: { path: "a/b.txt", content: "one\n" } }, { name: "edit", args: { path: "a/b.txt", old: "one", new: "two", all: null } }, { name: "write", args: { path: "../outside.txt", content: "x" } }] }, { say: "Done." }],
      ask: [{ say: "```enact-question\nWhich?\n```" }], judge: [judged],
    });
    const it = rig();
    try {
      const playbook = join(it.directory, "playbook.toml");
      writeFileSync(playbook, `[[turn]]\nstage = "coder"\niteration = 1\nsteps = [{ say = "I write." }, { write = "a/b.txt", text = "one\\n" }, { patch = "a/b.txt", find = "one", replace = "two" }, { write = "../outside.txt", text = "x" }, { result = "Done." }]\n[[turn]]\nstage = "coder"\niteration = 2\nsteps = [{ question = "Which?" }]\n[[turn]]\nstage = "critic"\nsteps = [{ verdict = "revise", feedback = "tabs" }]\n`);
      const scripted = (id: string, more: Parameters<typeof turnRequest>[2]) => playTurn(it, scriptedAdapter, turnRequest(it, id, { playbook, ...more }));
      const pairs = [
        [await scripted("p1", {}), await room.play("work")], [await scripted("p2", { iteration: 2 }), await room.play("ask")],
        [await scripted("p3", { stage: "critic", readOnly: true }), await room.play("judge", { stage: "critic", readOnly: true })],
      ] as const;
      for (const [theirs, ours] of pairs) {
        expect(ours.outcome.ended.how).toBe(theirs.outcome.ended.how);
        expect(ours.outcome.verdict).toEqual(theirs.outcome.verdict);
        expect(ours.outcome.permissionDenials.length).toBe(theirs.outcome.permissionDenials.length);
      }
      expect(room.file("a/b.txt")).toBe(readFileSync(join(it.directory, "work", "a/b.txt"), "utf8"));
    } finally {
      await it.dispose();
    }
  });
});
