import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Effect } from "effect";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { scriptedAdapter } from "../../../src/adapters/scripted/adapter.ts";
import { parsePlaybook, type Step, type Turn, verbs } from "../../../src/adapters/scripted/playbook.ts";
import type { AgentEvent, TurnOutcome } from "../../../src/domain/agent.ts";
import { rig, type Rig } from "../../process/rig.ts";
import { playTurn, turnRequest } from "../play.ts";

const page = readFileSync(join(import.meta.dirname, "../../../docs/adapters/scripted.md"), "utf8");
const examples = [...page.matchAll(/^```toml\n([\s\S]*?)^```/gm)].map(([, text]) => text ?? "");

interface Seen { readonly events: readonly AgentEvent[]; readonly outcome: TurnOutcome; readonly work: string; readonly beside: string }
const texts = ({ events }: Seen): readonly string[] => events.flatMap((event) => (event.type === "text" ? [event.text] : []));
const tools = ({ events }: Seen, name: string): number => events.filter((event) => event.type === "tool" && event.phase === "end" && event.name === name).length;
const failure = ({ outcome }: Seen): string | undefined => (outcome.ended.how === "failed" ? outcome.ended.failure.kind : undefined);

/** What each step must have left in the stream, the outcome or the directory. */
const shows = (step: Step, seen: Seen): boolean => {
  const { events, outcome, work, beside } = seen;
  switch (step.verb) {
    case "say": return texts(seen).includes(step.say);
    case "think": return events.some((event) => event.type === "thinking" && event.text === step.think);
    case "read": case "patch": case "run": return tools(seen, step.verb) > 0;
    case "write": return step.write.startsWith("..") ? existsSync(join(work, step.write)) === step.escape && outcome.permissionDenials.length === (step.escape ? 0 : 1) : existsSync(join(work, step.write));
    case "usage": return outcome.usage.inputTokens === step.usage.input;
    case "cost": return Math.abs(outcome.costUsd - step.cost) < 1e-9;
    case "session": return outcome.sessionId === step.session;
    case "question": return outcome.ended.how === "question" && outcome.ended.text === step.question;
    case "verdict": return outcome.verdict?.decision === step.verdict;
    case "malformed-verdict": return outcome.verdict === null && events.some(({ type }) => type === "garbage");
    case "audit": return outcome.audit?.findings.length === step.audit.length;
    case "plan": return outcome.plan?.tasks.length === step.plan.length;
    case "criteria": return outcome.criteria?.criteria.length === step.criteria.length;
    case "tell": return outcome.messages?.some(({ to, text }) => to === step.tell && text === step.text) === true;
    case "result": return outcome.ended.how === "completed" && outcome.ended.text === step.result;
    case "deny": return outcome.permissionDenials.includes(`${step.deny}: ${step.detail}`);
    case "rate-limit": return events.some((event) => event.type === "rateLimit" && event.message === step.message && event.until !== null);
    case "fail": return failure(seen) === step.fail;
    case "sleep": case "burn": return outcome.ended.how === "completed";
    case "wait-for-file": return existsSync(join(beside, step["wait-for-file"]));
    case "touch": return existsSync(join(beside, step.touch));
    case "listen": return texts(seen).includes("heard: hello from a person");
    case "crash": return outcome.ended.how === "failed" && outcome.ended.failure.kind === "crashed" && (outcome.ended.failure.exitCode ?? outcome.ended.failure.signal) === step.crash;
    case "hang": case "ignore": return failure(seen) === "crashed";
    case "orphan": return outcome.swept === 1;
    case "flood": return step.as === "text" ? texts(seen).join("").length >= step.flood : events.some((event) => event.type === "garbage" && event.line.startsWith("flood"));
    case "garbage": return events.some((event) => event.type === "garbage" && event.line === step.garbage);
    case "half-line": return events.some((event) => event.type === "garbage" && event.line.startsWith("{")) && failure(seen) === "noResult";
    case "no-result": return failure(seen) === "noResult";
    case "oscillate": return tools(seen, "write") >= step.times && readFileSync(join(work, step.oscillate), "utf8") === (step.times % 2 === 0 ? step.b : step.a);
    case "repeat": return step.steps.every((inner) => shows(inner, seen)) && tools(seen, step.steps[0]?.verb ?? "") >= step.repeat;
  }
};

const flat = (steps: readonly Step[]): readonly Step[] => steps.flatMap((step) => (step.verb === "repeat" ? [step, ...flat(step.steps)] : [step]));

describe("docs/adapters/scripted.md", () => {
  let it: Rig;
  beforeEach(() => { it = rig(); });
  afterEach(() => it.dispose());

  test("has an example of every step", () => {
    const shown = new Set(examples.flatMap((text) => {
      const parsed = parsePlaybook(text);
      if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
      return parsed.playbook.turns.flatMap(({ steps }) => flat(steps).map(({ verb }) => verb));
    }));
    expect(verbs.filter((verb) => !shown.has(verb))).toEqual([]);
    for (const verb of verbs) expect(page, verb).toContain(`\`${verb} = `);
  });

  test.each(examples.map((text, n) => [n + 1, text] as const))("example %i plays as it says", async (n, text) => {
    const beside = join(it.directory, "books");
    mkdirSync(beside);
    writeFileSync(join(beside, "playbook.toml"), text);
    const parsed = parsePlaybook(text);
    if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
    const moments: readonly Partial<Turn>[] = parsed.playbook.turns.length > 0 ? parsed.playbook.turns : [{ stage: "coder", steps: [] }];
    let session: { sessionId: string | null; sessionCostUsd: number } = { sessionId: null, sessionCostUsd: 0 };
    for (const [m, { stage = "coder", iteration = 1, try: tryNumber = 1, seat, duty, task, steps = [] }] of moments.entries()) {
      const turn = turnRequest(it, `example-${n}-${m}`, { stage, iteration, tryNumber, playbook: join(beside, "playbook.toml"), ...(seat === undefined ? {} : { seat }), ...(duty === undefined ? {} : { duty }), ...(task === undefined ? {} : { task }), ...(stage === "coder" ? session : {}) });
      let nudged = false;
      const played = await playTurn(it, scriptedAdapter, turn, {
        onEvent: (event, handle) => {
          if (nudged || event.type !== "session") return;
          nudged = true;
          if (flat(steps).some(({ verb }) => verb === "listen")) void Effect.runPromise(handle.write(scriptedAdapter.message?.({ id: "m", text: "hello from a person" }) ?? ""));
          if (flat(steps).some(({ verb }) => verb === "hang")) void Effect.runPromise(handle.signal("SIGKILL"));
        },
      });
      const seen: Seen = { ...played, work: turn.cwd, beside };
      // After a step that ends the turn nothing can show; the examples have such steps last.
      for (const step of steps) expect(shows(step, seen), `${stage} ${JSON.stringify(step)}\n${JSON.stringify(played.outcome)}`).toBe(true);
      if (steps.length === 0) expect(played.outcome.ended.how).toBe("completed");
      session = { sessionId: played.outcome.sessionId, sessionCostUsd: played.outcome.sessionCostUsd };
    }
  });
});
