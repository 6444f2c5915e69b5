import { describe, expect, test } from "vitest";
import { getAdjacencyMap } from "xstate/graph";
import { createChart } from "../../actors/chart.ts";
import { item, policy, workspace } from "../../machines/exploration/fixtures.ts";
import { catalog } from "../../machines/index.ts";
import { stuckRules } from "../../machines/progress-rules.ts";
import { stageMachine, type StageInput } from "../../machines/stage.ts";
import type { AgentFailure } from "../../src/domain/agent.ts";
import { emptyBrief } from "../../src/domain/effects.ts";
import { pipelineAddress, RunId } from "../../src/domain/ids.ts";

describe("charts", () => {
  test("CARD-22 the exploration of the progress chart reaches every rule", () => {
    const entry = catalog.find(({ id }) => id === "progress");
    if (!entry) throw new Error("there is no progress chart");
    const [input] = entry.exploration.inputs;
    const reached = new Set(Object.values(getAdjacencyMap(entry.machine, {
      input: input?.input, events: [...entry.exploration.events], limit: Infinity, filterEvents: (snapshot) => snapshot.status === "active",
      serializeState: (snapshot) => JSON.stringify([snapshot.value, entry.exploration.abstraction(snapshot)]),
    })).filter(({ state }) => state.matches("stuck")).map(({ state }): unknown => state.context.rule));
    expect([...reached].toSorted()).toEqual(stuckRules.map(({ id }) => id).toSorted());
  });

  test("FEAT-45 waits after failures of provider and network double up to their maximum, and a success begins anew", () => {
    const chart = createChart(stageMachine);
    const input: StageInput = {
      pipeline: pipelineAddress(item.id, 1), stage: "coder", item, attempt: 1, iteration: 1, adapter: "scripted", model: null, timeoutMs: 60_000, workspace, repository: item.repository,
      since: "base0", playbook: null, brief: emptyBrief, session: { id: null, costUsd: 0 }, policy: { ...policy, retryBaseMs: 1_000, retryMaxMs: 6_000, infraRetries: 6 },
    };
    const usage = { inputTokens: 0, outputTokens: 0, cachedTokens: 0 };
    const outcome = (failure: AgentFailure | null) => ({
      runId: RunId.parse("run.1"), sessionId: null, sessionCostUsd: 0, costUsd: 0, usage, verdict: null, audit: null, permissionDenials: [], swept: 0,
      ended: failure === null ? { how: "completed" as const, text: "done" } : { how: "failed" as const, failure },
    });
    const waits = (failures: readonly AgentFailure[]): { readonly delays: readonly number[]; readonly ends: unknown } => {
      let { state } = chart.start(input);
      let now = 10_000;
      const delays: number[] = [];
      for (const failure of failures) {
        const ended = { type: "turn.ended", outcome: outcome(failure), at: now };
        state = chart.step(state, ended).state;
        expect(state.matches("waiting")).toBe(true);
        const { retryAt }: { retryAt: number } = state.context;
        delays.push(retryAt - now);
        now = retryAt;
        const alarm = { type: "alarm.retry", at: now };
        state = chart.step(state, alarm).state;
        expect(state.matches("working")).toBe(true);
      }
      const succeeded = { type: "turn.ended", outcome: outcome(null), at: now };
      const { state: last } = chart.step(state, succeeded);
      return { delays, ends: last.status };
    };
    const network: AgentFailure = { kind: "network", message: "reset" };
    const busy: AgentFailure = { kind: "overloaded", message: "529" };
    const doubling = { delays: [1_000, 2_000, 4_000, 6_000, 6_000], ends: "done" };
    expect(waits([network, busy, network, network, busy])).toEqual(doubling);
    // The next stage, after that success.
    expect(waits([network])).toEqual({ delays: [1_000], ends: "done" });
    // A time that the provider names wins when it is later.
    expect(waits([{ kind: "rateLimited", until: 10_000 + 60_000, message: "429" }]).delays).toEqual([60_000]);
  });
});
