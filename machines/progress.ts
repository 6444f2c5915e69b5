import { assign, setup } from "xstate";
import type { Address } from "../src/domain/ids.ts";
import type { ProgressLimits } from "../src/domain/policy.ts";
import { chartOptions, hostActions, type Stamp } from "./durable.ts";
import { firstRule, noFacts, observe, type Observation, type ProgressFacts, saysOf } from "./progress-rules.ts";

/**
 * Watches one pipeline for motion without progress and says so, with the rule that fired. It never stops anything itself.
 *
 * I1 It is stuck only by a named rule over recorded facts. I2 It says so once; `reset` (the pipeline changed something) arms it again.
 */
export interface ProgressInput { readonly pipeline: Address; readonly limits: ProgressLimits }
export interface ProgressContext extends ProgressInput { readonly facts: ProgressFacts; readonly rule: string; readonly says: string }
export type ProgressEvent = (
  | { readonly type: "observe"; readonly seen: Observation }
  | { readonly type: "reset" }
  | { readonly type: "end" }
) & Stamp;

export const progressMachine = setup({
  types: {} as { context: ProgressContext; events: ProgressEvent; input: ProgressInput },
  actions: {
    ...hostActions,
    note: assign(({ context, event }) => (event.type === "observe" ? { facts: observe(context.facts, event.seen, context.limits) } : {})),
    name: assign(({ context }) => {
      const rule = firstRule(context.facts, context.limits);
      return rule ? { rule: rule.id, says: saysOf(rule, context.facts) } : {};
    }),
    forget: assign({ facts: noFacts, rule: "", says: "" }),
  },
  guards: {
    isStuck: ({ context }) => firstRule(context.facts, context.limits) !== undefined,
  },
}).createMachine({
  id: "progress",
  options: chartOptions,
  context: ({ input }) => ({ ...input, facts: noFacts, rule: "", says: "" }),
  initial: "watching",
  states: {
    watching: {
      always: { guard: "isStuck", target: "stuck", actions: "name" },
      on: { observe: { actions: "note" }, reset: { actions: "forget" }, end: "done" },
    },
    stuck: {
      entry: { type: "tell", params: ({ context }) => ({ to: context.pipeline, event: { type: "stuck", rule: context.rule, says: context.says } }) },
      on: { reset: { target: "watching", actions: "forget" }, end: "done" },
    },
    done: { type: "final" },
  },
});
