/**
 * Every adapter × every fault, through the product's own handler of turns: each ends in time with the right kind, leaves nothing running, and its
 * tokens are counted. The page docs/adapters/conformance.md is made of what is noted here (tests/support/adapter-table.ts).
 */
import { describe, expect, test } from "vitest";
import type { TurnOutcome } from "../../src/domain/agent.ts";
import { infraKinds } from "../../src/domain/agent.ts";
import { openOwner, type Taken } from "../adapters/owner.ts";
import { processesIn } from "../support/processes.ts";
import { type Bench, benches, type Stand } from "./benches.ts";
import { keepCapture } from "./capture.ts";
import { type Ending, type Fault, faults, longScript, passingFaults, served } from "./faults.ts";

const endingOf = ({ ended }: TurnOutcome): Ending => (ended.how === "failed" ? ended.failure.kind : ended.how);

/** Answers that were served whole: those before the fault, or all of them. */
const servedIn = ({ scenario, around }: Fault, ending: Ending): number => {
  if (around !== undefined && around !== "firstLine") return 0;
  if (ending === "completed" || ending === "question" || ending === "noResult") return scenario.length;
  const fault = scenario.findIndex((step) => step.fault !== undefined);
  return fault >= 0 ? fault : 1;
};

/** Ends what this fault wants ended, once the command runs. */
const killing = async (stand: Stand, { kills }: Fault, over: AbortSignal): Promise<void> => {
  for (let found: readonly { readonly pid: number }[] = []; kills !== undefined && found.length === 0 && !over.aborted;) {
    const all = processesIn(stand.base), commands = all.filter(({ argv }) => argv[0]?.endsWith("node") === true && argv[1] === "-e" && argv[2] === longScript);
    found = commands.length === 0 || kills === "command" ? commands : all.filter(stand.isCli);
    for (const { pid } of found) process.kill(pid, "SIGKILL");
    if (found.length === 0) await new Promise((resolve) => { setTimeout(resolve, 100); });
  }
};

const counted = (fault: Fault, { outcome }: Taken): "told" | "unknown" | "none" => {
  const answers = servedIn(fault, endingOf(outcome)), { usage, spend } = outcome;
  if (spend === undefined) return "none";
  if (spend.amount.cost.unmeasured > 0) return "unknown";
  // Each answer once; one that broke off may have said before what it used.
  const broken = fault.scenario.filter((step) => step.fault !== undefined).length;
  expect(usage.inputTokens).toBeGreaterThanOrEqual(answers * served.input);
  expect(usage.inputTokens).toBeLessThan((answers + broken + 1) * served.input);
  expect(usage.outputTokens).toBeGreaterThanOrEqual(answers * served.output);
  return answers === 0 ? "none" : "told";
};

const play = async (bench: Bench, fault: Fault): Promise<{ readonly ends: Ending; readonly tokens: "told" | "unknown" | "none" }> => {
  await using stand = await bench.open(fault);
  await using owner = await openOwner({ ...stand, adapters: [stand.adapter] });
  const over = new AbortController();
  const killed = killing(stand, fault, over.signal);
  const taken = await owner.turn({ adapter: bench.name, model: stand.model, body: stand.body, timeoutMs: fault.deadlineMs, stallMs: fault.stallMs ?? 100_000 });
  over.abort();
  await killed;
  const { outcome, events } = taken;
  await keepCapture(bench.name, fault.id.endsWith("-once") ? `survived-${fault.id}` : `fault-${fault.id}`, taken.lines, { [taken.worktree]: "/repo", [stand.base]: "/home/user" });
  const ends = endingOf(outcome), told = { ended: outcome.ended, errorOutput: taken.errorOutput.slice(-2_000) };
  expect(ends, JSON.stringify(told)).toBe(bench.differs[fault.id] ?? fault.ends);
  expect(owner.left()).toEqual([]);
  // No result is made of what came before a failure, and one failure is enough.
  expect(events.filter(({ type }) => type === "result" || type === "failure").length).toBeLessThanOrEqual(1);
  if (outcome.ended.how === "failed") expect(events.some(({ type }) => type === "result" || type === "verdict" || type === "question")).toBe(false);
  if (fault.unchanged === true) expect(taken.changed).toBe(false);
  // What is not the work's fault is no try of it.
  if (outcome.spend !== undefined) expect(outcome.spend.amount.turns).toBe(outcome.ended.how === "failed" && infraKinds.has(outcome.ended.failure.kind) ? 0 : 1);
  return { ends, tokens: counted(fault, taken) };
};

describe("an adapter, and what goes wrong around it", { concurrent: true, timeout: 400_000 }, () => {
  for (const fault of [...faults, ...passingFaults]) {
    for (const bench of benches) {
      const absent = bench.absent[fault.id] ?? (fault.scenario.some((step) => step.fault?.times !== undefined) && bench.version === "stand-in" ? "not documented" : undefined);
      test(`${bench.name}, ${fault.id}: ${absent ?? bench.differs[fault.id] ?? fault.ends}`, async ({ task }) => {
        task.meta.cell = { adapter: bench.name, version: bench.version, fault: fault.id, what: fault.what, passes: fault.id.endsWith("-once"), ...(absent === undefined ? await play(bench, fault) : { absent }) };
      });
    }
  }
});
