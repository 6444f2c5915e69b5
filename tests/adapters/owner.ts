/**
 * One owner's turns: the product's own handler of turns over the real launcher, worktrees, timers, gates and ladder, without a store and charts of stages.
 *
 * Owns: the supervisor of its runs, the directory of runs, one worktree an item. I1 No process of a turn outlives its outcome; `left` says so.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Effect, Layer } from "effect";
import { turnHandler } from "../../actors/agent-turn.ts";
import { Seats } from "../../actors/seats.ts";
import { Supervisor } from "../../actors/supervisor.ts";
import { Mouths } from "../../actors/turn-mouths.ts";
import { adaptersLayer } from "../../src/adapters/registry.ts";
import { loadConfig } from "../../src/config/load.ts";
import { composePorts } from "../../src/daemon/ports.ts";
import { adapterGate } from "../../src/daemon/routing.ts";
import { spendGate } from "../../src/daemon/spend.ts";
import { systemClock } from "../../src/daemon/system-clock.ts";
import { type AgentEvent, TurnOutcome, type TurnRequest } from "../../src/domain/agent.ts";
import { emptyBrief, type TurnEffect } from "../../src/domain/effects.ts";
import { type Address, WorkItemId } from "../../src/domain/ids.ts";
import type { Adapter } from "../../src/ports/adapter.ts";
import { Clock, type ClockShape } from "../../src/ports/clock.ts";
import { Workspaces } from "../../src/ports/workspaces.ts";
import { commandsIn } from "../support/processes.ts";

export interface OwnerRoom {
  /** Holds everything of the room: home, runs, worktrees. */
  readonly base: string;
  readonly home: string;
  readonly repository: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly adapters: readonly Adapter[];
  readonly clock?: ClockShape;
}

export interface Asked extends Partial<Pick<TurnEffect, "stage" | "model" | "timeoutMs" | "stallMs" | "sessionId">> {
  readonly adapter: TurnEffect["adapter"];
  /** The work item's text. */
  readonly body: string;
  readonly onEvent?: (event: AgentEvent) => void;
}

export interface Taken {
  readonly outcome: TurnOutcome;
  readonly events: readonly AgentEvent[];
  /** Standard output, line by line. */
  readonly lines: readonly string[];
  readonly errorOutput: string;
  /** The worktree differs from the commit that it began from. */
  readonly changed: boolean;
  readonly worktree: string;
}

export interface Owner extends AsyncDisposable {
  readonly turn: (asked: Asked) => Promise<Taken>;
  /** Command lines of what runs in the room. */
  readonly left: () => readonly string[];
}

const limits = `[verify]\nsandbox = "off"\n[limits]\ninterruptGraceMs = 5000\n`;
const grace = { polite: { message: "", graceMs: 5_000 }, sigintMs: 5_000, sigtermMs: 5_000 };

export const openOwner = async ({ base, home, repository, env, adapters, clock = systemClock }: OwnerRoom): Promise<Owner> => {
  const state = join(base, "state"), runs = join(state, "runs"), explicit = join(base, "owner.toml");
  mkdirSync(runs, { recursive: true });
  writeFileSync(explicit, limits);
  const { config } = await Effect.runPromise(loadConfig({ explicit, cwd: base, home, env }));
  const { layer } = await composePorts({ config, env, stateDirectory: state, worktrees: join(base, "worktrees") });
  const ports = Layer.mergeAll(layer, adaptersLayer(adapters), Layer.succeed(Clock, clock));
  const agents = new Supervisor({ id: "agents", clock, strategy: "one_for_one", intensity: { max: 1, withinMs: 1_000 }, onEscalate: (error) => { throw error; } });
  const spend = spendGate(config, () => "none");
  spend.open();
  const listeners = new Map<TurnRequest["item"], (event: AgentEvent) => void>();
  const handler = turnHandler({
    agents, spend, routing: adapterGate(config), factory: "trial", env, home, runsDirectory: runs, passEnvironment: () => [], ladder: grace, stillOwner: Effect.void, mouths: new Mouths(),
    seats: new Seats({ root: join(state, "terminals"), clock, onTrouble: (text) => { throw new Error(text); } }),
    onEvent: ({ item }, event) => listeners.get(item)?.(event),
  });
  let count = 0;
  return {
    left: () => commandsIn(base),
    turn: ({ adapter, body, onEvent, ...more }) => Effect.runPromise(Effect.gen(function* () {
      const item = WorkItemId.parse(`TRY-${++count}`), actor: Address = `stage/${item}/1/coder.1`;
      const workspaces = yield* Workspaces;
      const workspace = yield* workspaces.prepare({ item, attempt: 1, repository, baseRef: null });
      const events: AgentEvent[] = [];
      listeners.set(item, (event) => { events.push(event); onEvent?.(event); });
      const answer = yield* handler({
        kind: "turn", item: { id: item, title: "Fix add()", body, kind: "bug" }, attempt: 1, stage: "coder", iteration: 1, tryNumber: 1, adapter, model: null, workspace, repository,
        sessionId: null, sessionCostUsd: 0, timeoutMs: 90_000, stallMs: 60_000, playbook: null, brief: emptyBrief, ...more,
      }, { key: `${actor}:1:effect:0`, actor, attempts: 1, onEnd: () => {}, tell: () => {} });
      const outcome = TurnOutcome.parse(answer["outcome"]);
      const said = (name: string): string => { try { return readFileSync(join(runs, outcome.runId, name), "utf8"); } catch { return ""; } };
      return { outcome, events, lines: said("out").split("\n").filter((line) => line !== ""), errorOutput: said("err"), changed: !(yield* workspaces.commit(workspace, "what the turn changed")).empty, worktree: workspace.path };
    }).pipe(Effect.provide(ports))),
    [Symbol.asyncDispose]: () => agents.stop(),
  };
};
