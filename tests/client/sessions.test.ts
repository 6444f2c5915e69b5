import * as fc from "fast-check";
import { Effect, Exit, Scope } from "effect";
import { afterEach, describe, expect, test } from "vitest";
import { DurableHost } from "../../actors/durable-host.ts";
import { catalog } from "../../machines/index.ts";
import type { FactoryClient } from "../../src/client/contract.ts";
import { sessionClient, sessionKey } from "../../src/client/sessions.ts";
import { systemClock } from "../../src/daemon/system-clock.ts";
import { itemAddress, laneAddress, WorkItemId } from "../../src/domain/ids.ts";
import type { StopAttempt } from "../../src/domain/session.ts";
import { defaultStopLimits } from "../../src/domain/stop-policy.ts";
import { memoryState, openMemoryOwner, openMemoryReader } from "../../src/store/memory.ts";

type Sessions = Pick<FactoryClient, "sessions" | "session" | "stopCheck">;
const id = WorkItemId.parse("LOC-7"), other = WorkItemId.parse("LOC-8"), lane = laneAddress("ralph", id, 1), withinMs = 1_000;
const closing: (() => Promise<void>)[] = [];
afterEach(async () => { for (const close of closing.splice(0).reverse()) await close(); });

const itemView = (item: WorkItemId, more: Readonly<Record<string, unknown>> = {}): Readonly<Record<string, unknown>> => ({
  id: item, source: "command", sourceId: "s", title: "t", kind: "chore", priority: 3, createdAt: 1, project: "p", repository: "/r", operatorLane: "none", status: "operating", lineage: 1, attempt: 1, iterations: 0, failures: 0, itemFailures: 1,
  infraFailures: 0, infraRetries: 1, retryAt: null, blocked: null, question: null, reason: "", branch: null, worktree: null, base: null, head: null, checks: null, summary: "", warnings: [], costUsd: 0, published: "", ...more,
});

const laneView = (state: string, session: string | null = null): Readonly<Record<string, unknown>> => ({
  lane: "ralph", address: lane, state, phase: "executing", generation: 1, iteration: 1, maxIterations: 10, stories: [], request: null, leg: "", running: false, feedback: "", question: null, rule: "", reason: "", costUsd: 0, session,
});

/** One store; an owner over it may come and go, and clients with and without one read it. */
const place = () => {
  const state = memoryState(), reader = openMemoryReader(state);
  let at = 1_000;
  const options = { reader, now: () => at, stop: { ...defaultStopLimits, denials: 3, withinMs } };
  const view = (actor: ReturnType<typeof itemAddress>, seq: number, value: unknown) => ({ actor, seq, at, event: '{"type":"x"}', view: JSON.stringify(value) });
  const offline: Sessions = sessionClient({ ...options, deliver: async (to, event) => {
    await Effect.runPromise(reader.enqueue(to, JSON.stringify(event), at));
    return { delivered: "queued" };
  } });
  return {
    offline, pass: (ms: number) => { at += ms; },
    /** Takes what waits, and answers as an owner does. */
    own: async (): Promise<Sessions & { readonly write: (actor: ReturnType<typeof itemAddress>, seq: number, value: unknown) => Promise<void>; readonly stop: () => Promise<void> }> => {
      const scope = Scope.makeUnsafe();
      const store = await Effect.runPromise(Scope.provide(openMemoryOwner(state), scope));
      const host = new DurableHost({ store, clock: systemClock, catalog, onEffect: () => {} });
      let stopped = false;
      const stop = async (): Promise<void> => {
        if (stopped) return;
        stopped = true;
        await host.stop();
        await Effect.runPromise(Scope.close(scope, Exit.void));
      };
      closing.push(stop);
      await host.recover();
      await host.idle();
      const client = sessionClient({ ...options, deliver: async (to, event) => {
        await host.send(to, event);
        await host.idle();
        return { delivered: "now" };
      } });
      return { ...client, stop, write: (actor, seq, value) => Effect.runPromise(store.commit([view(actor, seq, value)])) };
    },
    deadLetters: () => Effect.runPromise(reader.deadLetters),
    mail: () => Effect.runPromise(reader.mailTo("session/")),
  };
};

const attempt = (sessionId: string, more: Partial<StopAttempt> = {}): StopAttempt => ({ sessionId, cli: "claude", cwd: "/work", cause: "normal", asksHuman: false, run: null, ...more });
const idle = { run: { item: id, stage: "coder" as const, changed: false } };

describe("sessions", () => {
  test("an id of any form leads to an address of hexadecimal digits, always the same", () => {
    for (const hostile of ["../../etc", "a/b", "'; rm -rf /", "\u0000", "ü".repeat(200)]) expect(sessionKey(hostile)).toMatch(/^[0-9a-f]{32}$/);
    expect(sessionKey("s-1")).toBe(sessionKey("s-1"));
    expect(sessionKey("s-1")).not.toBe(sessionKey("s-2"));
  });

  test("begin, are linked once, end and are resumed; a second different link is refused until the first is gone", async () => {
    const at = place(), sessions = await at.own();
    await sessions.write(itemAddress(id, 1), 1, itemView(id));
    await sessions.write(itemAddress(other, 1), 1, itemView(other));
    await sessions.session({ type: "start", sessionId: "s-1", cli: "codex", cwd: "/work" });
    expect(await sessions.sessions()).toMatchObject([{ sessionId: "s-1", cli: "codex", cwd: "/work", state: "open", startedAt: 1_000, item: null, lane: null, verdict: null }]);
    for (const same of [1, 2]) expect((await sessions.session({ type: "link", sessionId: "s-1", item: id, lane })).session, String(same)).toMatchObject({ item: id, lane });
    await expect(sessions.session({ type: "link", sessionId: "s-1", item: other })).rejects.toThrow('already linked to "LOC-7"');
    await expect(sessions.session({ type: "link", sessionId: "s-1", lane: laneAddress("ralph", id, 2) })).rejects.toThrow('already linked to "ralph/LOC-7/1"');
    await expect(sessions.session({ type: "link", sessionId: "s-2", item: WorkItemId.parse("LOC-9") })).rejects.toThrow("there is no work item LOC-9");
    await sessions.session({ type: "unlink", sessionId: "s-1", item: true });
    expect((await sessions.session({ type: "link", sessionId: "s-1", item: other })).session).toMatchObject({ item: other, lane });
    await sessions.session({ type: "end", sessionId: "s-1" });
    expect(await sessions.sessions()).toMatchObject([{ state: "ended" }]);
    await sessions.session({ type: "start", sessionId: "s-1", cli: "codex", cwd: "/elsewhere" });
    expect(await sessions.sessions()).toMatchObject([{ state: "open", endedAt: null, cwd: "/elsewhere", item: other }]);
    await expect(sessions.session({ type: "end", sessionId: "nobody" })).rejects.toThrow("there is no session nobody");
  });

  test("without an owner everything waits as mail and counts already; the next owner finds the same", async () => {
    const at = place();
    await at.offline.session({ type: "start", sessionId: "s-1", cli: "claude", cwd: "/work" });
    expect(await at.offline.stopCheck(attempt("s-1", idle))).toMatchObject({ decision: "deny", ruleId: "nothingChanged", item: id });
    expect(await at.offline.stopCheck(attempt("s-1", idle))).toMatchObject({ decision: "deny" });
    expect(await at.offline.stopCheck(attempt("s-1", idle))).toMatchObject({ decision: "allow", ruleId: "breaker" });
    await at.offline.session({ type: "waits", sessionId: "s-1" });
    const before = await at.offline.sessions();
    expect(before).toMatchObject([{ verdict: { ruleId: "breaker" }, denied: { ruleId: "nothingChanged" }, denials: [{}, {}], waiting: true }]);
    const sessions = await at.own();
    expect(await sessions.sessions()).toEqual(before);
    expect(await at.mail()).toEqual([]);
    expect(await at.deadLetters()).toEqual([]);
  });

  test("a denied stop of a session that was never heard of is kept too, with its beginning", async () => {
    const at = place();
    expect(await at.offline.stopCheck(attempt("new", idle))).toMatchObject({ decision: "deny" });
    const sessions = await at.own();
    expect(await sessions.sessions()).toMatchObject([{ sessionId: "new", cli: "claude", cwd: "/work", denied: { ruleId: "nothingChanged" } }]);
    expect(await at.deadLetters()).toEqual([]);
  });

  test("an allowed stop of a session that is not known leaves nothing behind, nor does one without an id", async () => {
    const at = place();
    expect(await at.offline.stopCheck(attempt("new"))).toMatchObject({ decision: "allow", ruleId: "orphan" });
    expect(await at.offline.stopCheck(attempt("", idle))).toMatchObject({ decision: "allow", ruleId: "orphan" });
    expect(await at.mail()).toEqual([]);
  });

  test("the breaker counts within its time only", async () => {
    const at = place(), sessions = await at.own();
    await sessions.stopCheck(attempt("s-1", idle));
    at.pass(withinMs / 2);
    await sessions.stopCheck(attempt("s-1", idle));
    at.pass(withinMs / 2);
    expect(await sessions.stopCheck(attempt("s-1", idle))).toMatchObject({ decision: "deny" });
    expect(await sessions.stopCheck(attempt("s-1", idle))).toMatchObject({ decision: "allow", ruleId: "breaker" });
  });

  test("a lane run holds back whoever is linked to it while it works: not while it is paused, not when it has ended, and nobody but its own session once it has one", async () => {
    const at = place(), sessions = await at.own();
    await sessions.session({ type: "link", sessionId: "s-1", lane });
    const ruleOf = async (): Promise<string> => {
      at.pass(withinMs);
      return (await sessions.stopCheck(attempt("s-1"))).ruleId;
    };
    expect(await ruleOf()).toBe("orphan");
    for (const [seq, [view, rule]] of ([[laneView("executing"), "laneActive"], [laneView("pausing"), "paused"], [laneView("paused"), "paused"], [laneView("verifying"), "laneActive"], [laneView("verifying", "s-2"), "otherSession"], [laneView("verifying", "s-1"), "laneActive"], [laneView("exhausted"), "open"]] as const).entries()) {
      await sessions.write(lane, seq + 1, view);
      expect([view["state"], view["session"], await ruleOf()]).toEqual([view["state"], view["session"], rule]);
    }
  });

  test("a stop is asked of the run of the item's present attempt, whichever one the session was linked to, and of its own before another's", async () => {
    const at = place(), sessions = await at.own();
    const present = laneAddress("ralph", id, 2), needs = ["reviewPassed"], seqs = new Map<string, number>();
    const write = (address: ReturnType<typeof itemAddress>, value: unknown) => {
      const seq = (seqs.get(address) ?? 0) + 1;
      seqs.set(address, seq);
      return sessions.write(address, seq, value);
    };
    const ruleOf = async (): Promise<string> => {
      at.pass(withinMs);
      return (await sessions.stopCheck(attempt("s-1"))).ruleId;
    };
    await write(itemAddress(id, 1), itemView(id, { needs, running: true }));
    await sessions.session({ type: "link", sessionId: "s-1", item: id });
    expect(await ruleOf()).toBe("factoryWorks");
    // It was linked before its run began.
    await write(lane, laneView("executing", "s-1"));
    expect(await ruleOf()).toBe("laneActive");
    await sessions.session({ type: "link", sessionId: "s-1", lane });
    await write(lane, laneView("exhausted", "s-1"));
    await write(itemAddress(id, 1), itemView(id, { needs, running: true, attempt: 2 }));
    // Tried again: the plain pipeline, another session, the factory in that lane, and this session once more.
    expect(await ruleOf()).toBe("factoryWorks");
    for (const [session, rule] of [["s-2", "otherSession"], [null, "factoryWorks"], ["s-1", "laneActive"]] as const) {
      await write(present, { ...laneView("executing", session), address: present });
      expect([session, await ruleOf()]).toEqual([session, rule]);
    }
    // Linked to a run of something else, which is over or not there at all.
    await sessions.session({ type: "unlink", sessionId: "s-1", lane: true });
    await sessions.session({ type: "link", sessionId: "s-1", lane: laneAddress("ralph", other, 1) });
    expect(await ruleOf()).toBe("laneActive");
    await write(laneAddress("ralph", other, 1), laneView("done", "s-1"));
    expect(await ruleOf()).toBe("laneActive");
  });

  test("who is linked to a run alone may stop when that is cancelled, before it has ended", async () => {
    const at = place(), sessions = await at.own();
    await sessions.session({ type: "link", sessionId: "s-1", lane });
    await sessions.write(lane, 1, laneView("verifying"));
    expect((await sessions.stopCheck(attempt("s-1"))).ruleId).toBe("laneActive");
    await sessions.write(lane, 2, laneView("cancelling"));
    expect((await sessions.stopCheck(attempt("s-1"))).ruleId).toBe("cancelled");
  });

  test("FAIL-06 an acknowledgement silences one session, until it works on something else", async () => {
    const at = place(), sessions = await at.own();
    await sessions.write(lane, 1, laneView("executing"));
    await sessions.write(itemAddress(id, 1), 1, itemView(id));
    for (const sessionId of ["s-1", "s-2"]) await sessions.session({ type: "link", sessionId, lane });
    expect(await sessions.stopCheck(attempt("s-1"))).toMatchObject({ decision: "deny", ruleId: "laneActive" });
    await sessions.session({ type: "acknowledge", sessionId: "s-1", reason: "the provider is down" });
    expect(await sessions.stopCheck(attempt("s-1"))).toMatchObject({ decision: "allow", ruleId: "acknowledged" });
    expect(await sessions.stopCheck(attempt("s-2"))).toMatchObject({ decision: "deny", ruleId: "laneActive" });
    await sessions.session({ type: "unlink", sessionId: "s-1", lane: true });
    await sessions.session({ type: "link", sessionId: "s-1", lane });
    expect(await sessions.stopCheck(attempt("s-1"))).toMatchObject({ decision: "deny" });
  });

  test("E2E-13 FAIL-05 a stop with a gate open is denied with its rule and the gates, and the verdict is there after a restart; an epic that nobody has closed blocks every stop", async () => {
    const at = place(), sessions = await at.own();
    const needs = ["implementationComplete", "reviewPassed", "closureEvidence"], met = { state: "met", evidence: "seen" };
    await sessions.write(itemAddress(id, 1), 1, itemView(id, { needs, gates: { implementationComplete: met } }));
    await sessions.session({ type: "link", sessionId: "s-1", item: id });
    expect(await sessions.stopCheck(attempt("s-1"))).toMatchObject({ decision: "deny", ruleId: "gatesPending", pendingGates: ["reviewPassed", "closureEvidence"], item: id, reason: expect.stringContaining("reviewPassed, closureEvidence") });
    await sessions.stop();
    const next = await at.own();
    expect(await next.sessions()).toMatchObject([{ sessionId: "s-1", item: id, denied: { ruleId: "gatesPending", pendingGates: ["reviewPassed", "closureEvidence"] } }]);
    await next.write(itemAddress(id, 1), 2, itemView(id, { needs, status: "review", gates: { implementationComplete: met, reviewPassed: met } }));
    for (const time of ["first", "second"]) expect(await next.stopCheck(attempt("s-1")), time).toMatchObject({ decision: "deny", ruleId: "closureEvidenceMissing", reason: expect.stringContaining("§I4 closure-evidence-missing") });
    at.pass(withinMs);
    await next.write(itemAddress(id, 1), 3, itemView(id, { needs, status: "publishing", gates: { implementationComplete: met, reviewPassed: met, closureEvidence: met } }));
    expect(await next.stopCheck(attempt("s-1"))).toMatchObject({ decision: "allow", ruleId: "open", pendingGates: [] });
  });

  test("E2E-14 the next session in the same directory is told of the denied stop, once, and not when it has been settled since", async () => {
    const at = place(), sessions = await at.own();
    await sessions.write(lane, 1, laneView("executing"));
    const start = (sessionId: string, cwd = "/work") => sessions.session({ type: "start", sessionId, cli: "claude", cwd });
    for (const sessionId of ["s-1", "s-2"]) await sessions.session({ type: "link", sessionId, lane });
    await sessions.stopCheck(attempt("s-1", { cwd: "/work" }));
    await start("s-1");
    await sessions.stopCheck(attempt("s-1"));
    expect((await start("s-3", "/elsewhere")).warning).toBeNull();
    expect((await start("s-4")).warning).toMatchObject({ decision: "deny", ruleId: "laneActive", pendingGates: [] });
    expect((await start("s-5")).warning).toBeNull();
    await sessions.stopCheck(attempt("s-1"));
    await sessions.write(lane, 2, laneView("done"));
    expect((await start("s-6")).warning).toBeNull();
    // Of an item that is over nothing is missing any more, whatever its gates.
    const item = (seq: number, status: string) => sessions.write(itemAddress(id, 1), seq, itemView(id, { needs: ["reviewPassed"], status }));
    await item(1, "operating");
    await sessions.session({ type: "link", sessionId: "s-7", item: id });
    expect(await sessions.stopCheck(attempt("s-7"))).toMatchObject({ decision: "deny", ruleId: "gatesPending" });
    await item(2, "cancelled");
    expect((await start("s-8")).warning).toBeNull();
  });

  // Seeded: a failing run prints its seed and path, which replay it.
  test("two sessions on one lane run, with owners that come and go: what holds one holds that one only, nobody is denied more often than the breaker has it, and no owner changes what was known without one", async () => {
    const who = fc.constantFrom("s-1", "s-2");
    const step = fc.oneof(
      { weight: 5, arbitrary: fc.record({ do: fc.constant("stop" as const), who }) },
      fc.record({ do: fc.constantFrom("link" as const, "unlink" as const, "acknowledge" as const, "start" as const, "end" as const), who }),
      fc.record({ do: fc.constant("lane" as const), state: fc.constantFrom("executing", "verifying", "pausing", "paused", "cancelled", "done"), owner: fc.constantFrom(null, "s-1", "s-2") }),
      fc.record({ do: fc.constant("pass" as const), ms: fc.constantFrom(1, withinMs / 2, withinMs) }),
      fc.record({ do: fc.constantFrom("own" as const, "leave" as const) }),
    );
    await fc.assert(fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const at = place();
      let owner: Awaited<ReturnType<typeof at.own>> | undefined = await at.own(), seq = 0, laneNow: { readonly state: string; readonly owner: string | null } | undefined;
      const linked = new Set<string>(), acknowledged = new Set<string>(), denied: Record<string, number[]> = { "s-1": [], "s-2": [] };
      for (const each of steps) {
        const by = owner ?? at.offline;
        switch (each.do) {
          case "link": await by.session({ type: "link", sessionId: each.who, lane }); linked.add(each.who); break;
          case "unlink":
            if ((await by.sessions()).every(({ sessionId }) => sessionId !== each.who)) break;
            await by.session({ type: "unlink", sessionId: each.who, lane: true });
            if (linked.delete(each.who)) acknowledged.delete(each.who);
            break;
          case "acknowledge": await by.session({ type: "acknowledge", sessionId: each.who, reason: "I know" }); acknowledged.add(each.who); break;
          case "start": await by.session({ type: "start", sessionId: each.who, cli: "claude", cwd: `/${each.who}` }); break;
          case "end": if ((await by.sessions()).some(({ sessionId }) => sessionId === each.who)) await by.session({ type: "end", sessionId: each.who }); break;
          case "lane": if (owner) { await owner.write(lane, ++seq, laneView(each.state, each.owner)); laneNow = each; } break;
          case "pass": at.pass(each.ms); break;
          case "own": owner ??= await at.own(); break;
          case "leave": await owner?.stop(); owner = undefined; break;
          case "stop": {
            const verdict = await by.stopCheck(attempt(each.who));
            const active = laneNow !== undefined && (laneNow.state === "executing" || laneNow.state === "verifying") && (laneNow.owner === null || laneNow.owner === each.who);
            const recent = (denied[each.who] ?? []).filter((time) => time > verdict.at - withinMs).length;
            expect(verdict.decision).toBe(linked.has(each.who) && active && !acknowledged.has(each.who) && recent < 3 ? "deny" : "allow");
            if (verdict.decision === "deny") denied[each.who]?.push(verdict.at);
          }
        }
      }
      const before = await (owner ?? at.offline).sessions();
      await owner?.stop();
      const next = await at.own();
      // When it ended or was acknowledged is when its owner took it: clocks of two processes.
      const known = (sessions: typeof before) => sessions.map(({ endedAt, acknowledged: ack, ...rest }) => ({ ...rest, ended: endedAt !== null, acknowledged: ack?.reason }));
      expect(known(await next.sessions())).toEqual(known(before));
      expect(await at.deadLetters()).toEqual([]);
      await next.stop();
    }), { numRuns: 150 });
  }, 120_000);
});
