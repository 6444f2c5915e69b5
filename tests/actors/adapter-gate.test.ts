import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { AdapterGate, type AdapterGateOptions } from "../../actors/adapter-gate.ts";
import { RunId } from "../../src/domain/ids.ts";
import { settled, SimulatedClock } from "../support/clock.ts";

const run = (n: number): RunId => RunId.parse(`run-${n}`);
const gate = (more: Partial<AdapterGateOptions> = {}) => {
  const clock = new SimulatedClock(1_000_000);
  return { clock, gate: new AdapterGate({ usual: "claude", known: (name) => name !== "hermes", settings: (name) => (name === "codex" ? { model: "gpt-5.5" } : {}), fallback: () => ["hermes", "codex", "scripted"], effort: () => undefined, efforts: () => [], clock, ...more }) };
};
const asked = { stage: "coder", adapter: "claude", model: "sonnet" } as const;

describe("which adapter runs a turn", () => {
  test("the one that was asked for; while its provider refuses, the first of the chain that this version has, with a model of its own", () => {
    const { clock, gate: it } = gate();
    expect(it.route(asked)).toEqual({ adapter: "claude", model: "sonnet" });
    expect(it.ended("coder", "claude", "claude", { kind: "rateLimited", until: clock.now() + 5_000, message: "429" })).toEqual({ kind: "movedOn", from: "claude", to: "codex", message: "429; codex takes over" });
    expect(it.route(asked)).toEqual({ adapter: "codex", model: "gpt-5.5" });
    // Nobody is signed in there: the next one, and so on.
    expect(it.ended("coder", "claude", "codex", { kind: "auth", message: "no login" })).toMatchObject({ kind: "movedOn", from: "codex", to: "scripted" });
    expect(it.route(asked)).toEqual({ adapter: "scripted", model: null });
    clock.advanceTo(clock.now() + 5_000);
    expect(it.route(asked)).toEqual({ adapter: "claude", model: "sonnet" });
  });

  test("an effort is told to who knows it; where the one that was asked for does not, the turn is refused, and who takes over has a measure of its own", () => {
    const { clock, gate: it } = gate({ effort: (stage) => (stage === "coder" ? "max" : "low"), efforts: (name) => (name === "claude" ? ["low", "max"] : ["low"]) });
    expect(it.route(asked)).toEqual({ adapter: "claude", model: "sonnet", effort: "max" });
    expect(it.route({ ...asked, adapter: "codex" })).toMatchObject({ refused: { kind: "model", message: expect.stringContaining("codex cannot be told to think with effort max: low") } });
    it.ended("coder", "claude", "claude", { kind: "rateLimited", until: clock.now() + 5_000, message: "429" });
    expect(it.route(asked)).toEqual({ adapter: "codex", model: "gpt-5.5" });
    expect(it.route({ ...asked, stage: "critic" })).toEqual({ adapter: "codex", model: "gpt-5.5", effort: "low" });
  });

  test("without a chain work waits: a turn that would be refused until a named time does not begin; other failures are as they were", () => {
    const { clock, gate: it } = gate({ fallback: () => [] }), limit = { kind: "rateLimited", until: clock.now() + 5_000, message: "429" } as const, crash = { kind: "noResult", message: "" } as const;
    expect(it.ended("coder", "claude", "claude", limit)).toEqual(limit);
    expect(it.route(asked)).toMatchObject({ adapter: "claude", refused: { kind: "rateLimited", until: limit.until } });
    // Another turn got through.
    it.ended("coder", "claude", "claude", undefined);
    expect(it.route(asked)).toEqual({ adapter: "claude", model: "sonnet" });
    expect(it.ended("coder", "claude", "claude", crash)).toEqual(crash);
    // No time was named, or one that has passed: it is tried.
    it.ended("coder", "claude", "claude", { ...limit, until: clock.now() - 1 });
    expect(it.route(asked)).toEqual({ adapter: "claude", model: "sonnet" });
    it.ended("coder", "claude", "claude", { ...limit, until: null });
    expect(it.route(asked)).toEqual({ adapter: "claude", model: "sonnet" });
  });

  test("a choice stands in for the usual one alone, and no model goes with it; an answer goes to the CLI that asked, while it can", () => {
    const { gate: it } = gate();
    it.choose("codex");
    expect(it.route(asked)).toEqual({ adapter: "codex", model: "gpt-5.5" });
    expect(it.route({ ...asked, adapter: "opencode", model: "m" })).toEqual({ adapter: "opencode", model: "m" });
    it.choose(null);
    expect(it.route({ ...asked, keep: "codex" })).toEqual({ adapter: "codex", model: "gpt-5.5" });
    it.ended("coder", "claude", "codex", { kind: "auth", message: "no login" });
    expect(it.route({ ...asked, keep: "codex" })).toEqual({ adapter: "claude", model: "sonnet" });
  });
});

describe("when a turn begins", () => {
  test("I3 never more at once than allowed, in order, and everybody begins in the end", async () => {
    await fc.assert(fc.asyncProperty(fc.integer({ min: 1, max: 3 }), fc.array(fc.constantFrom("enter", "leave", "cancel"), { maxLength: 40 }), async (concurrency, steps) => {
      const { gate: it } = gate({ settings: () => ({ concurrency }) }), begun: number[] = [], left = new Set<number>();
      let next = 0;
      const enter = (n: number): void => { void it.enter("claude", run(n)).then(() => begun.push(n)); };
      for (const step of steps) {
        const running = begun.filter((n) => !left.has(n)), waiting = Array.from({ length: next }, (_, n) => n).filter((n) => !left.has(n) && !begun.includes(n));
        const who = step === "leave" ? running[0] : waiting.at(-1);
        if (step === "enter") enter(next++);
        else if (who !== undefined) { left.add(who); it.leave(run(who)); }
        await settled();
        expect(begun.filter((n) => !left.has(n)).length).toBeLessThanOrEqual(concurrency);
        expect(begun).toEqual(begun.toSorted((a, b) => a - b));
      }
      for (let n = 0; n < next; n++) { left.add(n); it.leave(run(n)); await settled(); }
      expect(it.loads().map(({ running, waiting }) => running + waiting)).toEqual(next > 0 ? [0] : []);
    }));
  });

  test("an hour takes so many and no more; what an earlier owner began holds a place and is not asked", async () => {
    const { clock, gate: it } = gate({ settings: () => ({ concurrency: 3, turnsPerHour: 2 }) }), begun: number[] = [];
    const enter = (n: number): void => { void it.enter("claude", run(n)).then(() => begun.push(n)); };
    it.adopt("claude", run(9));
    for (const n of [1, 2, 3]) enter(n);
    await settled();
    expect(begun).toEqual([1, 2]);
    for (const n of [1, 2]) it.leave(run(n));
    await settled();
    expect([begun, it.loads()]).toMatchObject([[1, 2], [{ name: "claude", running: 1, waiting: 1 }]]);
    // One that did not begin after all is not of this hour.
    it.forgo(run(9));
    enter(4);
    it.forgo(run(4));
    await settled();
    expect(begun).toEqual([1, 2]);
    clock.advanceTo(clock.now() + 3_600_000);
    await settled();
    expect(begun).toEqual([1, 2, 3]);
    it.forgo(run(3));
    for (const n of [5, 6]) enter(n);
    await settled();
    expect(begun).toEqual([1, 2, 3, 5, 6]);
  });
});
