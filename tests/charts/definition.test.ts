/** A definition is the chart: XState builds the same machine of it, and nothing that guards a transition is lost on the way. */
import { expect, test } from "vitest";
import { and, createMachine, not, setup, type AnyStateMachine } from "xstate";
import { catalog } from "../../machines/index.ts";
import { definitionOf } from "../../machines/definition.ts";
import { activePaths, ChartDefinition, pathOfTarget, transitionsOf, valueText } from "../../src/domain/chart.ts";

const throughJson = (machine: AnyStateMachine): unknown => JSON.parse(JSON.stringify(definitionOf(machine)));

/** Every state with its kind, and every transition with what triggers it, whether it is guarded, and where it leads. */
const shape = (node: AnyStateMachine["root"]): readonly unknown[] => {
  const ways = [...node.transitions.values()].flat().concat(node.always ?? []);
  const inner: readonly AnyStateMachine["root"][] = Object.values(node.states);
  return [
    [node.id, node.type, node.initial.target.map(({ id }: { readonly id: string }) => id)],
    ...ways.map(({ eventType, guard, target, reenter }) => [node.id, eventType, guard !== undefined, (target ?? []).map(({ id }: { readonly id: string }) => id), reenter]),
    ...inner.flatMap(shape),
  ];
};

test.each(catalog)("$id: the definition is plain JSON, known to our schema, and XState builds the same chart of it", ({ machine }) => {
  const definition = throughJson(machine);
  expect(ChartDefinition.parse(definition)).toEqual(definition);
  expect(shape(createMachine(definition as Parameters<typeof createMachine>[0]).root)).toEqual(shape(machine.root));
});

test("what XState's own definition loses is there: eventless transitions, and guards made of guards", () => {
  const machine = setup({ guards: { a: () => true, b: () => true } }).createMachine({
    id: "m", initial: "one",
    on: { STOP: ".three.inner", NEVER: undefined },
    states: {
      one: { always: { guard: and(["a", not("b")]), target: "two" }, on: { GO: ["two", { target: "#m.three" }] }, after: { 500: "two" } },
      two: { type: "final" },
      three: { initial: "inner", onDone: "two", states: { inner: { on: { UP: "#m.one", OUT: "last" } }, last: { type: "final" }, back: { type: "history", history: "deep", target: "inner" } } },
    },
  });
  expect(JSON.stringify(machine.definition)).not.toContain("\"always\"");
  const definition = ChartDefinition.parse(throughJson(machine));
  expect(transitionsOf(definition)).toEqual([{ trigger: "STOP", transition: { target: ["#m.three.inner"] } }, { trigger: "NEVER", transition: {} }]);
  expect(transitionsOf(definition.states?.["one"] ?? {})).toEqual([
    { trigger: "GO", transition: { target: ["#m.two"] } }, { trigger: "GO", transition: { target: ["#m.three"] } },
    { trigger: "after 500", transition: { target: ["#m.two"] } }, { trigger: "always", transition: { target: ["#m.two"], guard: "and(a, not(b))" } },
  ]);
  const three = definition.states?.["three"];
  expect(transitionsOf(three ?? {})).toEqual([{ trigger: "onDone", transition: { target: ["#m.two"] } }]);
  expect(transitionsOf(three?.states?.["inner"] ?? {}).map(({ transition }) => transition.target)).toEqual([["#m.one"], ["#m.three.last"]]);
  expect(three?.states?.["back"]).toMatchObject({ type: "history", history: "deep", target: "#m.three.inner" });
});

test("paths and values in words", () => {
  expect([pathOfTarget("m", "#m"), pathOfTarget("m", "#m.a.b"), pathOfTarget("m", "#other.a")]).toEqual(["", "a.b", "#other.a"]);
  expect(activePaths({ a: { b: "c" }, d: "e" })).toEqual(["a", "a.b", "a.b.c", "d", "d.e"]);
  expect([valueText("a"), valueText({ a: "b" }), valueText({ a: "x", b: { c: "y" } }), valueText({}), valueText(undefined)]).toEqual(["a", "a.b", "a.x | b.c.y", "", ""]);
});
