/** Plays turns of a playbook through the real launcher, stream and fold, the way the factory does. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { Effect, Stream } from "effect";
import type { AgentEvent, TurnOutcome, TurnRequest } from "../../src/domain/agent.ts";
import { RunId, WorkItemId } from "../../src/domain/ids.ts";
import { begin, finish, push } from "../../src/domain/turn-outcome.ts";
import type { Adapter } from "../../src/ports/adapter.ts";
import type { RunHandle } from "../../src/ports/agent-process.ts";
import type { Rig } from "../process/rig.ts";

export const turnRequest = (rig: Rig, id: string, more: Partial<TurnRequest> = {}): TurnRequest => ({
  runId: RunId.parse(id), item: WorkItemId.parse("LOC-1"), attempt: 1, stage: "coder", iteration: 1, tryNumber: 1, adapter: "scripted", model: null,
  cwd: join(rig.directory, "work"), prompt: "Do the work.", sessionId: null, sessionCostUsd: 0, readOnly: false, timeoutMs: 60_000, stallMs: 60_000, playbook: null, ...more,
});

export interface Played { readonly outcome: TurnOutcome; readonly events: readonly AgentEvent[]; readonly handle: RunHandle; readonly errorTail: string }

export interface PlayOptions {
  /** Environment names of this process that the child gets besides the plan's. */
  readonly env?: Readonly<Record<string, string>>;
  /** Called with each event while the run lives. */
  readonly onEvent?: (event: AgentEvent, handle: RunHandle) => void;
  /** Reads the run with the next owner's eyes. */
  readonly adopt?: boolean;
}

export const playTurn = async (rig: Rig, adapter: Adapter, turn: TurnRequest, options: PlayOptions = {}): Promise<Played> => {
  mkdirSync(turn.cwd, { recursive: true });
  const plan = adapter.plan(turn, { env: process.env, home: rig.directory, runDirectory: join(rig.root, turn.runId) });
  if ("kind" in plan) throw new Error(`the plan failed: ${JSON.stringify(plan)}`);
  const base = { PATH: process.env["PATH"] ?? "/usr/bin:/bin", HOME: rig.directory };
  const handle = options.adopt
    ? await rig.adopt(turn.runId)
    : await rig.start({ runId: turn.runId, argv: plan.argv, cwd: turn.cwd, env: { ...base, ...options.env, ...plan.env }, stdin: plan.stdin, stdinMode: plan.stdinMode, ...(plan.files === undefined ? {} : { files: plan.files }), labels: {} });
  const reader = adapter.reader(turn);
  const events: AgentEvent[] = [];
  let tally = begin(turn);
  const take = (event: AgentEvent): void => {
    events.push(event);
    tally = push(tally, event);
    options.onEvent?.(event, handle);
  };
  await Effect.runPromise(Stream.runForEach(handle.lines(0), (line) => Effect.sync(() => {
    for (const event of reader.line(line.text)) take(event);
  })));
  const exit = await Effect.runPromise(handle.exit);
  const errorTail = await Effect.runPromise(handle.errorTail);
  for (const event of reader.end({ exit, errorTail })) take(event);
  const swept = await Effect.runPromise(handle.sweep);
  return { outcome: finish(tally, { exit, swept }), events, handle, errorTail };
};
