/**
 * What every adapter owes (docs: one contract, DESIGN "Adapters"), shown over the real launcher. An adapter says how to bring about each scenario;
 * one that it cannot play is skipped by name.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Effect } from "effect";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { interruptLadder, type LadderEnd } from "../../actors/interrupt-ladder.ts";
import type { AgentEvent, TurnRequest } from "../../src/domain/agent.ts";
import type { Adapter } from "../../src/ports/adapter.ts";
import type { RunHandle } from "../../src/ports/agent-process.ts";
import { systemClock } from "../../src/daemon/system-clock.ts";
import { rig, type Rig } from "../process/rig.ts";
import { playTurn, turnRequest, type Played } from "./play.ts";

/** What makes one scenario happen: parts of the request, environment, and the event after which a running agent is interrupted or told something. */
export interface ScenarioTurn {
  readonly turn?: Partial<TurnRequest>;
  readonly env?: Readonly<Record<string, string>>;
  readonly ready?: (event: AgentEvent) => boolean;
}
export type Play = (rig: Rig) => ScenarioTurn | Promise<ScenarioTurn>;

export interface Scenarios {
  /** Says something, writes `made.txt` in its directory by a tool, and ends well with usage, cost where the CLI knows it, and a session. */
  readonly completes: Play;
  /** What its stream has no place for; it is then never told, not even as 0. */
  readonly untold?: readonly ("tool" | "usage")[];
  /** A second turn in the session of `completes`. */
  readonly resumes?: Play;
  /** A session id that does not exist. */
  readonly badSession?: Play;
  /** Works until it is interrupted; heeds the first rung. */
  readonly interrupted?: Play;
  /** Goes on for ever and ignores what it can ignore. */
  readonly stubborn?: Play;
  /** Nothing comes any more; heeds SIGINT or SIGTERM. */
  readonly hangs?: Play;
  /** Exits with an error or dies. */
  readonly crashes?: Play;
  /** Exits with 0 and no result. */
  readonly noResult?: Play;
  /** Prints lines that are no events and ends well. */
  readonly garbage?: Play;
  /** Ends well and leaves a process of its own session behind. */
  readonly survivors?: Play;
  /** Tries to write `made.txt` in a read-only turn. */
  readonly readOnly?: Play;
  /** Repeats a message that it is sent while it runs. */
  readonly message?: Play;
  /** The provider says 429. */
  readonly rateLimited?: Play;
}

const steps = { sigintMs: 5_000, sigtermMs: 5_000 };

export const adapterContract = (adapter: Adapter, scenarios: Scenarios): void => {
  describe(`the contract of adapters: ${adapter.name}`, () => {
    let it: Rig;
    beforeEach(() => { it = rig(); });
    afterEach(() => it.dispose());

    const told = (type: "tool" | "usage"): boolean => !(scenarios.untold ?? []).includes(type);
    const scenario = (name: Exclude<keyof Scenarios, "untold">, title: string, body: (scenario: ScenarioTurn) => Promise<void>): void => {
      const make = scenarios[name];
      test.skipIf(make === undefined)(`${name}: ${title}`, async () => { if (make) await body(await make(it)); });
    };
    const run = (id: string, made: ScenarioTurn, more: Partial<TurnRequest> = {}, onEvent?: (event: AgentEvent, handle: RunHandle) => void): Promise<Played> =>
      playTurn(it, adapter, turnRequest(it, id, { adapter: adapter.name, ...made.turn, ...more }), { ...(made.env ? { env: made.env } : {}), ...(onEvent ? { onEvent } : {}) });

    /** Climbs the ladder once the agent is ready; the stream is read to its end meanwhile. */
    const interruptWhenReady = async (id: string, made: ScenarioTurn, ladder: typeof steps, polite: boolean): Promise<{ readonly played: Played; readonly end: LadderEnd }> => {
      let climbing: Promise<LadderEnd> | undefined;
      const message = polite ? adapter.interrupt : undefined;
      const played = await run(id, made, {}, (event, handle) => {
        if (!climbing && (made.ready ?? (({ type }) => type === "session"))(event)) {
          climbing = Effect.runPromise(interruptLadder(handle, systemClock, { ...ladder, ...(message === undefined ? {} : { polite: { message, graceMs: 5_000 } }) }));
        }
      });
      if (!climbing) throw new Error("the agent ended before it was ready to be interrupted");
      return { played, end: await climbing };
    };

    scenario("completes", "every kind of event, then its outcome", async (made) => {
      const { outcome, events } = await run("completes", made);
      const types = new Set(events.map(({ type }) => type));
      expect([...types]).toEqual(expect.arrayContaining(["session", "text", "result", ...(["tool", "usage"] as const).filter(told), ...(adapter.capabilities.cost ? ["cost"] : [])]));
      expect(types).not.toContain("failure");
      for (const type of scenarios.untold ?? []) expect(types).not.toContain(type);
      const tools = events.filter((event) => event.type === "tool");
      const starts = tools.filter(({ phase }) => phase === "start").map(({ id }) => id);
      const ends = tools.filter(({ phase }) => phase === "end").map(({ id }) => id);
      expect(new Set(starts).size).toBe(starts.length);
      expect(ends.toSorted()).toEqual(starts.toSorted());
      if (told("tool")) expect(tools.some(({ kind, phase, ok }) => kind === "edit" && phase === "end" && ok !== false)).toBe(true);
      expect(existsSync(join(it.directory, "work", "made.txt"))).toBe(true);
      expect(outcome.ended.how).toBe("completed");
      expect(outcome.sessionId).not.toBeNull();
      if (told("usage")) expect(outcome.usage.inputTokens).toBeGreaterThan(0);
      if (told("usage")) expect(outcome.usage.outputTokens).toBeGreaterThan(0);
      if (adapter.capabilities.cost) expect(outcome.costUsd).toBeGreaterThan(0);
      expect(outcome.sessionCostUsd).toBeCloseTo(outcome.costUsd);
      expect(outcome.swept).toBe(0);
    });

    scenario("completes", "read again from its first byte by the next owner, it is the same", async (made) => {
      const first = await run("twice", made);
      const turn = turnRequest(it, "twice", { adapter: adapter.name, ...made.turn });
      const again = await playTurn(it, adapter, turn, { adopt: true });
      expect(again.events).toEqual(first.events);
      expect(again.outcome).toEqual(first.outcome);
    });

    scenario("resumes", "the same session, its cost and tokens counted once", async (made) => {
      const first = await run("resume-1", await scenarios.completes(it));
      const { sessionId, sessionCostUsd } = first.outcome;
      const second = await run("resume-2", made, { sessionId, sessionCostUsd });
      expect(second.outcome.ended.how).toBe("completed");
      expect(second.outcome.sessionId).toBe(sessionId);
      if (adapter.capabilities.cost) {
        expect(second.outcome.costUsd).toBeGreaterThan(0);
        expect(second.outcome.sessionCostUsd).toBeCloseTo(sessionCostUsd + second.outcome.costUsd);
      }
      if (told("usage")) expect(second.outcome.usage.outputTokens).toBeGreaterThan(0);
    });

    scenario("badSession", "an unknown session is told from other failures", async (made) => {
      const { outcome } = await run("bad-session", made);
      expect(outcome.ended).toMatchObject({ how: "failed", failure: { kind: "badSession" } });
    });

    scenario("interrupted", "ends on the polite rung, or on SIGINT, and leaves nothing running", async (made) => {
      for (const polite of adapter.interrupt === undefined ? [false] : [true, false]) {
        const { played, end } = await interruptWhenReady(`interrupted-${polite ? "message" : "signal"}`, made, steps, polite);
        expect(end.by).toBe(polite ? "message" : "SIGINT");
        expect(played.outcome.ended.how).toBe("failed");
        expect((await Effect.runPromise(played.handle.activity)).processes).toBe(0);
      }
    });

    scenario("stubborn", "is killed with its group when it ignores the rest", async (made) => {
      const { played, end } = await interruptWhenReady("stubborn", made, { sigintMs: 50, sigtermMs: 50 }, false);
      expect(end).toMatchObject({ by: "SIGKILL", exit: { lost: true } });
      expect(played.outcome.ended).toMatchObject({ how: "failed", failure: { kind: "crashed" } });
      expect((await Effect.runPromise(played.handle.activity)).processes).toBe(0);
    });

    scenario("hangs", "can always be ended by signals", async (made) => {
      const { played, end } = await interruptWhenReady("hangs", made, steps, false);
      expect(["SIGINT", "SIGTERM"]).toContain(end.by);
      expect(played.outcome.ended.how).toBe("failed");
      expect((await Effect.runPromise(played.handle.activity)).processes).toBe(0);
    });

    scenario("crashes", "is a failure with the exit in it, never a result", async (made) => {
      const { outcome, events } = await run("crashes", made);
      expect(outcome.ended.how).toBe("failed");
      expect(events.at(-1)?.type).toBe("failure");
    });

    scenario("noResult", "exit 0 is not enough", async (made) => {
      const { outcome } = await run("no-result", made);
      expect(outcome.ended).toMatchObject({ how: "failed", failure: { kind: "noResult" } });
    });

    scenario("garbage", "stays visible and harms nothing", async (made) => {
      const { outcome, events } = await run("garbage", made);
      expect(events.some(({ type }) => type === "garbage")).toBe(true);
      expect(outcome.ended.how).toBe("completed");
    });

    scenario("survivors", "are counted and swept", async (made) => {
      const { outcome, handle } = await run("survivors", made);
      expect(outcome.swept).toBeGreaterThanOrEqual(1);
      expect((await Effect.runPromise(handle.activity)).processes).toBe(0);
    });

    scenario("readOnly", "nothing is written, and the denial is reported", async (made) => {
      const { outcome } = await run("read-only", made, { stage: "critic", readOnly: true });
      expect(existsSync(join(it.directory, "work", "made.txt"))).toBe(false);
      expect(outcome.permissionDenials.length).toBeGreaterThan(0);
    });

    scenario("message", "reaches the running agent", async (made) => {
      let told = false;
      const { events } = await run("message", made, {}, (event, handle) => {
        if (told || !adapter.message || !(made.ready ?? (({ type }) => type === "session"))(event)) return;
        told = true;
        void Effect.runPromise(handle.write(adapter.message({ id: "m1", text: "use tabs" })));
      });
      expect(told).toBe(true);
      expect(events.some((event) => event.type === "text" && event.text.includes("use tabs"))).toBe(true);
    });

    scenario("rateLimited", "is an infrastructure failure with its time, when one is given", async (made) => {
      const { outcome } = await run("rate-limited", made);
      expect(outcome.ended).toMatchObject({ how: "failed", failure: { kind: "rateLimited" } });
    });

    scenario("completes", "argv and spec hold no prompt of the work item", async (made) => {
      const prompt = "a secret plan $(touch pwned)";
      const turn = turnRequest(it, "prompt", { adapter: adapter.name, ...made.turn, prompt: `${made.turn?.prompt ?? ""}\n${prompt}` });
      const { handle } = await playTurn(it, adapter, turn, made.env ? { env: made.env } : {});
      expect(readFileSync(join(handle.directory, "spec.json"), "utf8")).not.toContain("secret plan");
    });
  });
};
