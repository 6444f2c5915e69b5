import { describe, expect, test } from "vitest";
import { getAdjacencyMap } from "xstate/graph";
import { initialTransition, transition, type AnyStateMachine, type EventObject } from "xstate";
import { catalog } from "../../machines/index.ts";
import type { CatalogEntry } from "../../machines/catalog.ts";
import { describeViolations, explore, keyOf, type Check } from "./explore.ts";
import { planted, sound } from "./sample.ts";

/** The same space counted by XState's own traversal, one number an input. Final states are not left: the host never steps them. */
const countedByXState = (entry: CatalogEntry): readonly number[] => {
  const events: EventObject[] = [...entry.exploration.events];
  return entry.exploration.inputs.map(({ input }) => Object.keys(getAdjacencyMap(entry.machine, {
    input, events, limit: Infinity, filterEvents: (snapshot) => snapshot.status === "active", serializeState: (snapshot) => keyOf(entry, snapshot),
  })).length);
};

describe.each(catalog.map((entry) => ({ id: entry.id, entry })))("$id", ({ entry }) => {
  test("every reachable state and edge is as declared", () => {
    const report = explore(entry);
    console.log(`explored ${entry.id}: ${report.nodes} nodes, ${report.edges} edges, ${report.ms} ms`);
    expect(describeViolations(report)).toBe("");
    expect(report.nodesByInput).toEqual(countedByXState(entry));
  }, 300_000);
});

describe("the explorer itself", () => {
  test("a sound chart has nothing to report, and XState's own traversal counts the same nodes", () => {
    const report = explore(sound);
    expect(describeViolations(report)).toBe("");
    expect(report.nodesByInput).toEqual(countedByXState(sound));
    expect(report.edges).toBe(report.nodes * sound.exploration.events.length);
    expect(explore(sound).fingerprint).toBe(report.fingerprint);
  });

  const found = (entry: CatalogEntry, check: Check) => explore(entry, { limit: 2_000 }).violations.find((violation) => violation.check === check);

  test("a dead state is found with the shortest path to it", () => {
    expect(found(planted.deadState, "dead state")).toEqual({ check: "dead state", what: '"limbo": no event sequence leads to a rest state', path: ["[cap 2]", "go", "ask"] });
  });

  test("a livelock that only a person can end is found, and is not called a dead state", () => {
    expect(found(planted.livelock, "livelock")?.what).toContain("without a person");
    expect(found(planted.livelock, "dead state")).toBeUndefined();
  });

  test("an unbounded counter exceeds the node limit, or its cap invariant with the shortest path", () => {
    expect(found(planted.unbounded, "limit")?.what).toContain("without bound");
    expect(found(planted.overCap, "state invariant")).toEqual({ check: "state invariant", what: "failures stay within the cap", path: ["[cap 2]", "go", "fail", "fail", "ask", "fail"] });
  });

  test("a fault of the very first step is found, although no edge leads there", () => {
    expect(found(planted.unaccepted, "first step")).toEqual({ check: "first step", what: "it is accepted once, before anything is done", path: ["[cap 2]"] });
  });

  test("a terminal that still reacts is found", () => {
    expect(found(planted.leakByName, "terminal absorbs")?.what).toContain("done is a terminal by name");
    // XState itself lets handlers of the root move a finished machine, so a host that steps it must be seen to do so.
    const run = (machine: AnyStateMachine) => ({
      start: (input: unknown) => { const [state, actions] = initialTransition(machine, input); return { state, actions }; },
      step: (from: Parameters<typeof machine.transition>[0], event: EventObject) => { const [state, actions] = transition(machine, from, event); return { state, actions }; },
    });
    const leaks = explore(planted.leak, { run }).violations.filter(({ check }) => check === "terminal absorbs");
    expect(leaks.map(({ what, path }) => ({ what, path }))).toContainEqual({ what: '"done" reacts to cancel', path: ["[cap 2]", "go", "ok", "cancel"] });
  });

  test("a throwing guard is reported as a path, not as a crash of the explorer", () => {
    expect(found(planted.throws, "throws")).toMatchObject({ path: ["[cap 2]", "go", "fail"] });
  });

  test("states never reached and transitions never taken are listed", () => {
    const { violations } = explore({ ...sound, exploration: { ...sound.exploration, events: sound.exploration.events.filter(({ type }) => type !== "ask") } });
    expect(violations.map(({ check, what }) => `${check} ${what}`)).toEqual([
      "unreached state waiting", "untaken transition working ask 0", "untaken transition waiting answer 0", "untaken transition waiting cancel 0",
    ]);
  });

  test("an unattended event outside the alphabet, a missing maxIterations and a context beyond JSON are refused", () => {
    expect(found({ ...sound, exploration: { ...sound.exploration, unattended: [{ type: "nonsense" }] } }, "alphabet")?.what).toContain("nonsense");
    const bare = sound.machine.provide({});
    bare.options = {};
    expect(found({ ...sound, machine: bare }, "rules of the house")?.what).toContain("maxIterations");
    expect(found({ ...sound, exploration: { ...sound.exploration, inputs: [{ name: "not a number", input: { cap: Number.NaN } }] } }, "JSON context")?.what).toBe("context.cap is NaN");
  });
});
