import { join } from "node:path";
import { Deferred, Effect, Fiber, type Scope, Stream } from "effect";
import type { AnyActor } from "xstate";
import { agentProcessMachine, type AgentProcessContext, type AgentProcessEvent, type InterruptReason } from "../machines/agent-process.ts";
import type { Observation } from "../machines/progress-rules.ts";
import type { AgentEvent, AgentFailure, TurnOutcome, TurnRequest } from "../src/domain/agent.ts";
import type { TurnEffect } from "../src/domain/effects.ts";
import { fingerprintIn, touchedBetween } from "../src/domain/fingerprint.ts";
import { progressAddress, RunId } from "../src/domain/ids.ts";
import type { McpServer } from "../src/domain/mcp.ts";
import { type Stage, writeScope } from "../src/domain/stage.ts";
import { begin, finish, push } from "../src/domain/turn-outcome.ts";
import type { AdapterGate, Route } from "./adapter-gate.ts";
import type { HookProgram } from "../src/domain/hook-environment.ts";
import { Adapters, type HostEnvironment, type ProjectCommands, type StreamReader } from "../src/ports/adapter.ts";
import { AgentProcess, type RunExit } from "../src/ports/agent-process.ts";
import { Clock } from "../src/ports/clock.ts";
import { Prompts, type TurnPrompt } from "../src/ports/prompts.ts";
import { Workspaces } from "../src/ports/workspaces.ts";
import type { Terminals } from "../tmux/index.ts";
import type { HostEvent } from "./chart.ts";
import { workspaceTrouble } from "./effect-handlers.ts";
import { type EffectHandler, EffectTrouble, type EndReason } from "./effect-runner.ts";
import { interruptLadder, type LadderSteps } from "./interrupt-ladder.ts";
import { liveActor } from "./live-actor.ts";
import { placeOf } from "./seat-file.ts";
import { redactedReader } from "./redacted-reader.ts";
import type { SeatRun, Seats } from "./seats.ts";
import type { SpendGate } from "./spend-gate.ts";
import type { Supervisor } from "./supervisor.ts";
import { mouthOf, type Mouths } from "./turn-mouths.ts";
import { narrator, showAgain } from "./turn-narrator.ts";
import { observer, signOfLife, ticking } from "./turn-observer.ts";
import { mouthOnScreen, screenFor, watchScreen } from "./turn-on-screen.ts";
import { turnRoute } from "./turn-route.ts";

/**
 * One turn of an agent: the effect `turn`, carried out by a run that outlives this process.
 *
 * Owns: the live chart of the run and what it has heard so far. Talks to: the run (port AgentProcess), its adapter's reader,
 * the progress watcher (observations), the stage (one outcome), the seat (what people see), the mouths (what people say).
 *
 * I1 The run id is derived from the outbox key: carrying the effect out again adopts the run. I2 The agent works inside its worktree.
 * I3 No output reaches a chart: only phases and counts do. I4 Nothing of the run lives on after its outcome was given, except when the
 * factory left it to the next owner on purpose. I5 What the agent has heard is told by its outcome, whoever read it before: the messages of its brief
 * once it has opened its session, and each that it confirmed. I6 A turn begins only while no cap of the spending is reached; one that has begun is
 * not asked about again. I7 Which adapter runs a turn is settled before its process, and noted beside it: who adopts it reads it as that one's.
 */
export interface TurnOptions {
  /** Supervises the live charts of runs. */
  readonly agents: Supervisor;
  /** Makes run ids unique among the factories of this machine. */
  readonly factory: string;
  /** The owner's environment; children get only what is listed. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly home: string;
  readonly runsDirectory: string;
  /** Names of variables this repository's agents may see besides the basic ones. */
  readonly passEnvironment: (repository: string) => readonly string[];
  /** What this repository's commands run in, and its own checks: for agents that start them themselves. */
  readonly project?: (repository: string) => ProjectCommands;
  /** Servers of tools that agents of a stage get. */
  readonly mcp?: (stage: Stage) => readonly McpServer[];
  readonly ladder: LadderSteps;
  /** Fails when another owner has taken over: its agents are not ours to interrupt. */
  readonly stillOwner: Effect.Effect<void, unknown>;
  readonly seats: Seats;
  readonly mouths: Mouths;
  /** Knows whether something is left to spend. */
  readonly spend: SpendGate;
  /** Knows which adapter can run a turn now. */
  readonly routing: AdapterGate;
  /** The terminals in which agents run whose turns are on their own screen. */
  readonly terminals?: () => Promise<Terminals>;
  /** How hooks of the agents' CLIs reach this factory. */
  readonly hooks?: HookProgram;
  /** Secrets out of the JSON text of what the agent says, before anybody sees it. */
  readonly redact?: (json: string) => string;
  /** Every readable event, for live output; never journaled. */
  readonly onEvent?: (turn: TurnRequest, event: AgentEvent) => void;
}

type TurnPorts = AgentProcess | Adapters | Prompts | Workspaces | Clock;

/** What every child may see. */
const basicEnvironment = ["PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TERM", "TMPDIR"] as const;

/** Filenames, tests and people read it: factory, item, attempt, stage, sequence. */
export const runIdFor = (factory: string, key: string): RunId =>
  RunId.parse(`${factory}.${key.replace(/^stage\//, "").replaceAll(":effect:", ".").replaceAll(/[^A-Za-z0-9.-]+/g, ".").toLowerCase()}`.slice(0, 100));

const environmentFor = (options: TurnOptions, repository: string): Record<string, string> => {
  const names = [...basicEnvironment, ...options.passEnvironment(repository)];
  return Object.fromEntries(names.flatMap((name) => {
    const value = options.env[name];
    return value === undefined ? [] : [[name, value]];
  }));
};

export const turnHandler = (options: TurnOptions): EffectHandler<"turn", TurnPorts> => (request, context) => Effect.scoped(Effect.gen(function* () {
  const adapters = yield* Adapters;
  const processes = yield* AgentProcess;
  const workspaces = yield* Workspaces;
  const prompts = yield* Prompts;
  const clock = yield* Clock;

  // A run of an earlier owner goes on as it is: its prompt was given, and the repository is its own to change just now.
  const runId = runIdFor(options.factory, context.key);
  const adopted = yield* processes.adopt(runId).pipe(Effect.catchTag("RunMissing", () => Effect.succeed(undefined)), Effect.mapError(asIo));
  // I7, and before I6: what is used up while a turn waits for its place counts for it too.
  const route = yield* turnRoute(options.routing, request, context, runId, adopted);
  if (route.unwanted !== undefined) return ended(unbegun(turnRequest(runId, request, undefined, route), route.unwanted));
  const adapter = adapters.get(route.adapter);
  if (!adapter) return yield* new EffectTrouble({ class: "environment", message: `there is no adapter ${route.adapter} in this factory`, mend: `use one of ${adapters.all.map(({ name }) => name).join(", ")}` });
  const asked = { runId, item: request.item.id, repository: request.repository };
  // I6: who runs already was asked about before.
  const capped = adopted || route.refused !== undefined ? undefined : yield* Effect.promise(() => options.spend.ask(asked));
  if (adopted) options.spend.adopt(asked);
  // Nobody goes on with this work before a person does: it is kept as it stands. A team's members keep theirs when they leave.
  if (capped !== undefined && request.duty === undefined) yield* workspaces.checkpoint(request.item.id, request.workspace, `the cap spend.${capped.cap}`).pipe(Effect.mapError(workspaceTrouble));
  const refused = capped ?? route.refused;
  const diff = adopted || refused !== undefined || request.stage === "coder" ? "" : yield* workspaces.diff(request.workspace, prompts.maxBytes).pipe(Effect.mapError(workspaceTrouble));
  const prompt = yield* prompts.forTurn(request, { runId, diff, agentsFiles: adapter.agentsFiles === "told" && !isReading(request) && sessionFor(request, route).sessionId === null }).pipe(
    Effect.mapError(({ message }) => new EffectTrouble({ class: "defect", message })));
  const turn = turnRequest(runId, request, prompt, route);
  let tally = begin(turn);
  const shownAs: TurnEffect = { ...request, adapter: turn.adapter, model: turn.model, sessionId: turn.sessionId };

  const host: HostEnvironment = { env: options.env, home: options.home, runDirectory: join(options.runsDirectory, turn.runId), ...(options.hooks === undefined ? {} : { hooks: options.hooks }), ...(options.project === undefined ? {} : { project: options.project(request.repository) }), ...(options.mcp === undefined ? {} : { mcp: options.mcp(request.stage) }) };
  const onScreen = request.screen === true && refused === undefined ? yield* screenFor({ open: options.terminals, seatsRoot: options.seats.root, adapter, host }, request, turn) : undefined;
  const plan = onScreen?.plan ?? adapter.plan(turn, host);
  const openSeat = (): Promise<SeatRun> => options.seats.begin({ ...placeOf(request), adapter: turn.adapter, runId: turn.runId, screen: onScreen !== undefined });
  const withoutProcess = (shown: SeatRun, failure: AgentFailure): Effect.Effect<HostEvent> => Effect.promise(async () => {
    options.spend.release(runId);
    options.routing.forgo(runId);
    const show = narrator(shown, shownAs);
    show.event({ type: "failure", failure });
    await show.end();
    return ended(withoutRun(turn, failure));
  });
  if (refused !== undefined) return yield* withoutProcess(yield* Effect.promise(openSeat), refused);
  if ("kind" in plan) {
    // What cannot be started any more is not left running either (I4).
    if (adopted) yield* adopted.sweep;
    return yield* withoutProcess(yield* Effect.promise(openSeat), plan);
  }
  // I2: refuses a worktree that was swapped for a link out of its place.
  const labels: Readonly<Record<string, string>> = adopted ? {} : {
    item: turn.item, stage: turn.stage, iteration: String(turn.iteration), adapter: turn.adapter, prompt: prompt.version,
    before: JSON.stringify(yield* workspaces.hook(turn.item, request.workspace, "before_run").pipe(Effect.andThen(workspaces.fingerprint(request.workspace)), Effect.mapError(workspaceTrouble))),
  };
  // Before the process: a terminal of its own is made in the seat.
  const seat = yield* Effect.acquireRelease(Effect.promise(openSeat), (open) => Effect.promise(() => open.settle("left")));
  const started = adopted ?? (yield* processes.start({
    runId: turn.runId, argv: plan.argv, cwd: turn.cwd, env: { ...environmentFor(options, request.repository), ...plan.env },
    stdin: plan.stdin, stdinMode: plan.stdinMode, labels, ...(plan.files === undefined ? {} : { files: plan.files }),
  }, onScreen?.turn.screen).pipe(
    Effect.catchTag("SpawnFailed", ({ message }): Effect.Effect<AgentFailure> => Effect.succeed({ kind: "spawn", message })),
    Effect.mapError(asIo),
  ));
  if ("kind" in started) return yield* withoutProcess(seat, started);
  const handle = started;
  const show = narrator(seat, shownAs);

  const interrupted = yield* Deferred.make<InterruptReason>();
  const chart = yield* superviseRun(options, turn, (reason) => { Deferred.doneUnsafe(interrupted, Effect.succeed(reason)); });
  const tell = (event: Unstamped): void => {
    const stamped: AgentProcessEvent = { ...event, at: clock.now() };
    chart.send(stamped);
  };
  // A run's files know the wall's time only. It counts where nothing else is known; a wall that was set since this owner began must not take a turn's time away.
  tell({ type: handle.adopted ? "adopted" : "spawned", startedAt: handle.adopted ? Math.min(handle.startedAt, clock.now()) : clock.now() });
  context.onEnd((reason) => tell({ type: reason === "cancelled" ? "cancel" : "suspend" }));

  // The ladder waits beside the reader; the reader goes on until the last byte.
  const ladder = yield* Effect.forkScoped(Deferred.await(interrupted).pipe(
    Effect.tap(() => options.stillOwner),
    Effect.andThen(interruptLadder(handle, clock, { ...options.ladder, ...(adapter.interrupt === undefined || options.ladder.polite === undefined ? {} : { polite: { ...options.ladder.polite, message: adapter.interrupt } }) })),
    Effect.ignore,
  ));
  const alive = signOfLife(request.aliveEveryMs, clock, () => context.tell(context.actor, { type: "turn.alive" }));
  // A new owner that found the run has seen a sign of life.
  alive.shown();
  const ticks = yield* Effect.forkScoped(ticking(handle, clock, Math.min(turn.timeoutMs, turn.stallMs, request.aliveEveryMs ?? Infinity), (cpuMs) => tell({ type: "tick", cpuMs }), alive));

  // A pipeline has a watcher of its progress; a team's member has none.
  const watcher = request.duty === undefined ? progressAddress(turn.item, turn.attempt, request.leg) : undefined;
  const observed = (seen: Observation): void => { if (watcher !== undefined) context.tell(watcher, { type: "observe", seen }); };
  const observe = observer(observed);
  const makeReader = (): StreamReader => redactedReader((onScreen?.mode ?? adapter).reader(turn), options.redact ?? ((json) => json));
  const reader = makeReader();
  // What an earlier owner saw was observed then; the reader needs it all the same.
  const seenBefore = handle.adopted ? yield* handle.size.pipe(Effect.mapError(asIo)) : 0;
  const caughtUp = yield* Deferred.make<void>();
  if (seenBefore === 0) Deferred.doneUnsafe(caughtUp, Effect.void);
  const screenFailure = onScreen && (yield* watchScreen(onScreen.turn, handle, clock, { stillOwner: options.stillOwner, graceMs: options.ladder.sigtermMs }, caughtUp));
  const heard = new Set<string>();
  const listeners = new Map<string, () => void>();
  yield* Effect.acquireRelease(
    Effect.sync(() => options.mouths.open(context.actor, { tryNumber: request.tryNumber, say: onScreen ? mouthOnScreen(onScreen.turn, heard) : mouthOf(handle, plan.stdinMode === "open" ? adapter.message : undefined, Deferred.await(caughtUp), heard, listeners) })),
    (close) => Effect.sync(close),
  );
  const told = request.brief.messages.map(({ id }) => id);
  let heardAt = 0;
  // What an agent says of being interrupted is no failure of its own.
  const ofItsOwn = (event: AgentEvent): boolean => event.type !== "failure" || contextOf(chart).reason === null;
  const hear = (event: AgentEvent): void => {
    onScreen?.turn.heard(event);
    if (event.type === (onScreen ? "prompted" : "session") && told.some((id) => !heard.has(id))) {
      for (const id of told) heard.add(id);
      context.tell(context.actor, { type: "turn.heard", ids: told });
    }
    if (event.type === "heard") {
      heard.add(event.id);
      listeners.get(event.id)?.();
    }
    if (ofItsOwn(event)) show.event(event);
    if (ofItsOwn(event) && (event.type !== "failure" || screenFailure?.() === undefined)) tally = push(tally, event);
    options.onEvent?.(turn, event);
  };
  yield* handle.lines(0).pipe(
    Stream.runForEach((line) => Effect.suspend(() => {
      show.line();
      for (const event of reader.line(line.text)) {
        hear(event);
        if (line.end > seenBefore) observe(event);
        phase(event, tell);
      }
      alive.shown();
      // Output counts as activity; once a second is enough for clocks of minutes.
      if (clock.now() - heardAt >= 1_000) {
        heardAt = clock.now();
        tell({ type: "output" });
      }
      if (line.end >= seenBefore) Deferred.doneUnsafe(caughtUp, Effect.void);
      const room = seat.room();
      return room ? Effect.promise(() => room) : Effect.void;
    })),
    Effect.mapError(asIo),
  );
  const left = yield* handle.exit.pipe(Effect.mapError(asIo));
  // A screen is ended by us when its turn is over; that is no end of its turn's making.
  const exit: RunExit = onScreen?.turn.isOver() === true ? { ...left, code: 0, signal: null, lost: false } : left;
  tell({ type: "exited" });
  // What cannot be read is not said.
  const errorTail = yield* (onScreen ? Effect.promise(() => onScreen.turn.lastWords().catch(() => "")) : handle.errorTail.pipe(Effect.catch(() => Effect.succeed(""))));
  const { reason } = contextOf(chart);
  show.line();
  if (reason !== null) seat.note(remarks[reason]);
  for (const event of reader.end({ exit, errorTail })) hear(event);
  // A ladder under way sweeps by itself; without one, survivors of an agent that ended are swept here (I4).
  if (reason !== null) yield* Fiber.await(ladder);
  yield* Fiber.interrupt(ticks);
  const swept = yield* handle.sweep;
  tell({ type: "drained" });
  yield* Effect.promise(() => options.agents.remove(`run/${turn.runId}`));

  const asTold = finish(tally, { exit, swept, ...stopped(reason, turn, screenFailure?.()) });
  const failed = asTold.ended.how === "failed" ? asTold.ended.failure : undefined, judged = reason === null ? options.routing.ended(turn.stage, request.adapter, turn.adapter, failed) : failed;
  const outcome: TurnOutcome = { ...asTold, ...(judged === undefined || judged === failed ? {} : { ended: { how: "failed", failure: judged } }), ...(turn.adapter === request.adapter ? {} : { adapter: turn.adapter }) };
  const spend = options.spend.ended(turn, request.repository, outcome, { usd: tally.costUsd, usage: tally.usage, model: tally.model }, left.at - handle.startedAt);
  // Of the process, not of this owner: who began it may have had other texts.
  const { before: noted, prompt: version } = yield* handle.labels;
  // Whoever waits for the place knows what this turn used, and what its provider said.
  options.routing.leave(runId);
  const result: TurnOutcome = { ...outcome, costUsd: spend.amount.cost.usd, spend, ...(version === undefined ? {} : { promptVersion: version }), ...(heard.size === 0 ? {} : { heard: [...heard] }) };
  if (!(yield* Effect.promise(() => show.end()))) yield* showAgain(openSeat, shownAs, handle, makeReader, { exit, errorTail }, ofItsOwn);
  const trouble = yield* workspaces.hook(turn.item, request.workspace, "after_run").pipe(Effect.catch((error) => Effect.succeed(error.message)));
  if (trouble !== undefined) options.onEvent?.(turn, { type: "text", text: `hook after_run failed: ${trouble}` });
  const before = fingerprintIn(noted);
  const after = yield* workspaces.fingerprint(request.workspace).pipe(Effect.catch(() => Effect.succeed(before)));
  // Money is counted against turns that should have changed something and did not; reviewing is work too.
  if (after?.tree !== before?.tree) observed({ kind: "changed" });
  else if (!turn.readOnly && result.costUsd > 0) observed({ kind: "cost", usd: result.costUsd });
  const touched = before && after ? touchedBetween(before, after) : [];
  return ended(touched.length === 0 ? result : { ...result, touched });
})).pipe(Effect.onError(() => Effect.sync(() => {
  const runId = runIdFor(options.factory, context.key);
  options.spend.release(runId);
  options.routing.leave(runId);
})));

type Unstamped = AgentProcessEvent extends infer E ? (E extends { readonly at: number } ? Omit<E, "at"> : never) : never;

const ended = (outcome: TurnOutcome): HostEvent => ({ type: "turn.ended", outcome });

/** Nobody wanted it any more before it began. */
const unbegun = (turn: TurnRequest, reason: EndReason): TurnOutcome =>
  reason === "cancelled" ? finish(begin(turn), { exit: neverRan, swept: 0, stopped: "cancelled" }) : withoutRun(turn, { kind: "interrupted" });

const neverRan: RunExit = { code: null, signal: null, lost: true, at: 0 };

/** The turn never got a process. */
const withoutRun = (turn: TurnRequest, failure: AgentFailure): TurnOutcome =>
  finish(push(begin(turn), { type: "failure", failure }), { exit: neverRan, swept: 0 });

const stopped = (reason: InterruptReason | null, turn: TurnRequest, ofScreen: AgentFailure | undefined): { readonly stopped?: "cancelled" | AgentFailure } => {
  switch (reason) {
    case null: return ofScreen === undefined ? {} : { stopped: ofScreen };
    case "cancelled": return { stopped: "cancelled" };
    case "suspended": return { stopped: { kind: "interrupted" } };
    case "timeout": return { stopped: { kind: "timeout", afterMs: turn.timeoutMs } };
    case "stalled": return { stopped: { kind: "stalled", afterMs: turn.stallMs } };
  }
};

/** What a person who watches is told of an end that was not the agent's own. */
const remarks: Readonly<Record<InterruptReason, string>> = {
  cancelled: "the turn was ended: somebody cancelled the work, or interrupted it to say something",
  suspended: "the factory was stopped; the session goes on when it runs again",
  timeout: "the turn was ended: it took too long",
  stalled: "the turn was ended: no output and no CPU use for too long",
};

const asIo = (error: { readonly message: string }): EffectTrouble => new EffectTrouble({ class: "io", message: error.message });

const isReading = ({ stage }: TurnEffect): boolean => writeScope[stage] === "nothing";

/** A session belongs to the CLI that opened it. */
const sessionFor = (request: TurnEffect, { adapter }: Route): Pick<TurnRequest, "sessionId" | "sessionCostUsd" | "sessionUsage"> =>
  adapter === (request.sessionAdapter ?? request.adapter) ? { sessionId: request.sessionId, sessionCostUsd: request.sessionCostUsd, ...(request.sessionUsage === undefined ? {} : { sessionUsage: request.sessionUsage }) } : { sessionId: null, sessionCostUsd: 0 };

/** `prompt`: absent for a turn that is not begun. */
const turnRequest = (runId: RunId, request: TurnEffect, prompt: TurnPrompt | undefined, route: Route): TurnRequest => ({
  runId,
  item: request.item.id, attempt: request.attempt, stage: request.stage, iteration: request.iteration, tryNumber: request.tryNumber,
  adapter: route.adapter, model: route.model, ...(route.effort === undefined ? {} : { effort: route.effort }), cwd: request.workspace.path, prompt: prompt?.text ?? "", ...(prompt === undefined ? {} : { promptVersion: prompt.version, language: prompt.language }),
  ...sessionFor(request, route), readOnly: isReading(request),
  timeoutMs: request.timeoutMs, stallMs: request.stallMs, playbook: request.playbook,
  ...(request.since === undefined ? {} : { since: request.since }),
  ...(request.team === undefined ? {} : { team: request.team }), ...(request.seat === undefined ? {} : { seat: request.seat }), ...(request.duty === undefined ? {} : { duty: request.duty }), ...(request.task === undefined ? {} : { task: request.task }),
});

const contextOf = (actor: AnyActor): AgentProcessContext => {
  const { context }: { readonly context: AgentProcessContext } = actor.getSnapshot();
  return context;
};

/** The run's live chart, under the supervisor of agents for as long as the turn's scope. */
const superviseRun = (options: TurnOptions, turn: TurnRequest, interrupt: (reason: InterruptReason) => void): Effect.Effect<AnyActor, EffectTrouble, Clock | Scope.Scope> => Effect.gen(function* () {
  const clock = yield* Clock;
  const id = `run/${turn.runId}`;
  const child = liveActor({
    id, clock, restart: "temporary",
    machine: agentProcessMachine.provide({ actions: { interrupt: (_, { reason }) => interrupt(reason) } }),
    input: () => ({ at: clock.now(), timeoutMs: turn.timeoutMs, stallMs: turn.stallMs }),
  });
  yield* Effect.acquireRelease(Effect.sync(() => options.agents.add(child)), () => Effect.promise(() => options.agents.remove(id)));
  const actor = child.current();
  if (!actor) return yield* new EffectTrouble({ class: "defect", message: `the chart of run ${turn.runId} did not start` });
  return actor;
});

const phase = (event: AgentEvent, tell: (event: Unstamped) => void): void => {
  if (event.type === "session") tell({ type: "session" });
  else if (event.type === "rateLimit") tell({ type: "rateLimited", until: event.until });
  else if (event.type === "question") tell({ type: "asked" });
};
