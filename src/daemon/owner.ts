import { dirname, join } from "node:path";
import { Effect, Layer, ManagedRuntime } from "effect";
import { turnHandler } from "../../actors/agent-turn.ts";
import type { SupervisorEvent } from "../../actors/child.ts";
import type { Change } from "../../actors/durable-actor.ts";
import { DurableHost } from "../../actors/durable-host.ts";
import { workHandlers } from "../../actors/effect-handlers.ts";
import { EffectRunner } from "../../actors/effect-runner.ts";
import type { Inspection } from "../../actors/inspection.ts";
import type { PaneKeeper } from "../../actors/pane-keeper.ts";
import { poller } from "../../actors/poller.ts";
import { PushQueue } from "../../actors/push-queue.ts";
import { Scheduler } from "../../actors/scheduler.ts";
import { SourceSync, type Synced } from "../../actors/source-sync.ts";
import { Seats } from "../../actors/seats.ts";
import type { AdapterGate } from "../../actors/adapter-gate.ts";
import type { SpendGate } from "../../actors/spend-gate.ts";
import { Supervisor } from "../../actors/supervisor.ts";
import { messageHandler, Mouths } from "../../actors/turn-mouths.ts";
import { catalog } from "../../machines/index.ts";
import { incidentsAddress } from "../../machines/incidents.ts";
import { intakeAddress, takenFrom } from "../../machines/intake.ts";
import { providerAddress } from "../../machines/provider.ts";
import { ledgerKeeps, spendAddress } from "../../machines/spend.ts";
import type { LiveChange } from "../client/contract.ts";
import type { AgentEvent } from "../domain/agent.ts";
import { type Config, settingsOfRepository } from "../domain/config.ts";
import type { HookProgram } from "../domain/hook-environment.ts";
import { type Address, itemAddress, parseAddress } from "../domain/ids.ts";
import { WorkItemView } from "../domain/view.ts";
import { isTerminal } from "../domain/work-item.ts";
import { Clock } from "../ports/clock.ts";
import { Notifier } from "../ports/notifier.ts";
import type { SourceShape } from "../ports/source.ts";
import type { StoreShape } from "../ports/store.ts";
import { removeOldRuns } from "../process/old-runs.ts";
import { ownerInspection } from "./inspection.ts";
import { statusEveryMs } from "./owner-status.ts";
import { policyFor } from "./policy.ts";
import type { OwnPorts } from "./ports.ts";
import { redactedText } from "./secrets.ts";
import { adapterGate, hearProvider, learnProvider } from "./routing.ts";
import { Telling } from "./telling.ts";
import { hearLedger, learnLedger, spendGate } from "./spend.ts";
import { systemClock } from "./system-clock.ts";

/**
 * The one process that owns a state directory, put together and running.
 *
 * Owns: the tree of live actors, the durable host, the effect runner, the scheduler; their order of start and stop.
 * Start: host recovers, effects under way are taken up again, then sources and scheduler. Stop is the reverse: nothing new is
 * claimed, effects end or are left, the host lets its last commit finish.
 */
export interface OwnerOptions {
  readonly store: StoreShape;
  readonly config: Config;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly home: string;
  /** Unique among the factories of this machine. */
  readonly factory: string;
  readonly runsDirectory: string;
  readonly ports: Layer.Layer<OwnPorts>;
  /** How hooks of the agents' CLIs reach this factory; absent where there is no program for them. */
  readonly hooks?: HookProgram;
  readonly sources: readonly { readonly source: SourceShape; readonly everyMs: number }[];
  /** Sources and scheduler run; false: only what is claimed explicitly. */
  readonly automation: boolean;
  readonly redact: (json: string) => string;
  readonly emit: (change: LiveChange) => void;
  /** Keeps panes over the seats, where there are any: made once the seats are. */
  readonly panes?: (seats: Seats, notice: (text: string) => void) => PaneKeeper;
  /** The tree as it is, every few seconds. */
  readonly onStatus: (tree: ReturnType<Supervisor["tree"]>) => void;
  /** The store was lost for good, or the tree gave up: this process must end. */
  readonly onLost: (reason: string) => void;
}

export interface Owner {
  readonly seats: Seats;
  readonly host: DurableHost;
  readonly scheduler: Scheduler;
  readonly spend: SpendGate;
  readonly routing: AdapterGate;
  readonly inspection: Inspection;
  readonly pushes: PushQueue;
  /** One look at each source, now. */
  readonly sync: () => Promise<readonly Synced[]>;
  readonly tree: Supervisor["tree"];
  readonly stop: (how: "suspend" | "abandon") => Promise<void>;
}

/** From the store's hint to the look at the mail of other processes; DESIGN §4 allows 250 ms. Writes of our own cause hints too, so a busy store is looked at this often. */
const mailWithinMs = 100;
/** From a source's hint to the look at it: a file is mostly whole by then. */
const hintedWithinMs = 200;
/** A hint may be lost; so late is a message then. */
const mailEveryMs = 2_000;
/** Tries of the store get rarer; by then it has refused for some seconds, which is more than a hiccup. */
const lastingMs = 1_600;
const oldRunsEveryMs = 3_600_000;
const patience = { strategy: "one_for_one", intensity: { max: 20, withinMs: 60_000 }, backoff: { baseMs: 500, maxMs: 30_000 } } as const;

export const startOwner = async (options: OwnerOptions): Promise<Owner> => {
  const { store, config, emit } = options;
  const clock = systemClock;
  const notice = (level: "info" | "warning" | "error", text: string): void => emit({ type: "notice", level, text: redactedText(options.redact, text) });

  /** Every crash is journaled and said (DESIGN §4). */
  const crashed = (where: string, reason: string): void => {
    notice("warning", `${where} crashed: ${reason}`);
    // The notice was given; a host that has stopped journals nothing more.
    host.send(incidentsAddress, { type: "crashed", where, reason }).catch(() => undefined);
  };

  const inspection: Inspection = ownerInspection({ store, redact: options.redact, living: () => root.living() });
  const heard = (event: SupervisorEvent, path: string): void => {
    if (event.type === "crashed") crashed(path, event.reason);
    if (event.type === "started") inspection.started();
  };
  const agents = new Supervisor({ id: "agents", clock, ...patience, observe: (event) => heard(event, `factory/${event.path}`), onEscalate: (error) => notice("error", `too many agent charts crashed: ${String(error)}`) });
  const runtime = ManagedRuntime.make(Layer.merge(options.ports, Layer.succeed(Clock, clock)));
  const seats = new Seats({ root: join(dirname(options.runsDirectory), "terminals"), clock, onTrouble: (text) => notice("warning", text) });
  const mouths = new Mouths();
  const pushes = new PushQueue();
  const spend = spendGate(config, (id) => scheduler.items.find((item) => item.id === id)?.operatorLane ?? "none");
  const routing = adapterGate(config);
  const telling = new Telling({
    config, store, clock, notice, redact: options.redact, factory: options.factory, host: () => host,
    notify: (channel, message) => runtime.runPromise(Notifier.use((notifier) => notifier.send(channel, message))),
  });
  const keeper = options.panes?.(seats, (text) => notice("warning", text));
  const handlers = {
    ...workHandlers,
    "turn.message": messageHandler(mouths), "source.push": pushes.handler, notify: telling.handler,
    turn: turnHandler({
      agents, factory: options.factory, env: options.env, home: options.home, runsDirectory: options.runsDirectory, redact: options.redact, ...(options.hooks === undefined ? {} : { hooks: options.hooks }),
      passEnvironment: (repository) => settingsOfRepository(config, repository).env,
      project: (repository) => {
        const { sandbox, checks, checkTimeoutMs, env } = settingsOfRepository(config, repository);
        return { sandbox, checks: checks.map(({ name, argv, timeoutMs }) => ({ name, argv, timeoutMs })), checkTimeoutMs, env };
      },
      mcp: (stage) => config.mcp.servers.filter(({ stages }) => stages.includes(stage)),
      ladder: { polite: { message: "", graceMs: config.limits.interruptGraceMs }, sigintMs: config.limits.interruptGraceMs, sigtermMs: config.limits.interruptGraceMs },
      stillOwner: store.stillOwner, seats, mouths, spend, routing, ...(keeper ? { terminals: () => keeper.fabric() } : {}),
      onEvent: (turn, event) => {
        const line = readable(event);
        if (line !== undefined) emit({ type: "agent", item: turn.item, stage: turn.stage, line: redactedText(options.redact, line) });
      },
    }),
  };

  const scheduler: Scheduler = new Scheduler({
    slots: config.scheduler.slots, slotsPerProject: config.scheduler.slotsPerProject, claimUnassigned: config.autonomous.claimUnassigned,
    // A claim that does not become durable is made again by the next owner.
    claim: (item) => { host.send(item, claimEvent).catch(() => undefined); },
    held: (project) => spend.held(project) !== "",
  });
  const host: DurableHost = new DurableHost({
    store, clock, catalog, redact: options.redact,
    onEffect: (row) => runner.accept(row),
    observer: {
      committed: (change) => {
        noteView(scheduler, change);
        inspection.committed(change);
        endSeats(seats, change);
        telling.committed(change);
        if (change.actor === spendAddress) hearLedger(spend, change, (text) => notice("warning", text));
        if (change.actor === providerAddress && change.event.type === "choose") hearProvider(routing, change, (text) => notice("info", text));
        emit({ type: "journal", actor: change.actor, event: change.event.type, at: change.at });
      },
      deadLettered: (actor, event, error) => {
        notice("error", `${actor} could not process ${event.type}: ${error instanceof Error ? error.message : String(error)}; the event is kept as a dead letter`);
        telling.deadLettered();
      },
      storeTrouble: (error, retryInMs) => {
        notice("error", retryInMs === null ? `this process no longer owns the store: ${error.message}` : `the store does not take writes: ${error.message}; trying again in ${retryInMs} ms`);
        if (retryInMs !== null && retryInMs >= lastingMs) telling.alarm("the store does not take writes", `${error.message}; nothing is lost, and nothing goes on until it does`);
        if (retryInMs === null) lost(error.message);
      },
    },
  });
  const runner: EffectRunner<OwnPorts | Clock> = new EffectRunner({
    store, runtime, handlers,
    send: (to, event, cause) => host.send(to, event, cause),
    onDefect: (row, defect) => crashed(`effect ${row.kind} of ${row.actor}`, defect instanceof Error ? (defect.stack ?? defect.message) : String(defect)),
  });

  // What runs belongs to the next owner from here on.
  let isLost = false;
  const lost = (reason: string): void => {
    if (isLost) return;
    isLost = true;
    telling.alarm("this process no longer owns the factory", reason);
    scheduler.stop();
    void runner.drain("abandon");
    options.onLost(reason);
  };

  // Before any mail is taken: another process may have handed in work to a store that was only just made.
  for (const [address, chart, input] of [[intakeAddress, "intake", {}], [incidentsAddress, "incidents", {}], [spendAddress, "spend", { keep: ledgerKeeps }], [providerAddress, "provider", {}]] as const) {
    if (!(await host.state(address))) await host.send(address, { type: "actor.start", chart, version: 1, input });
  }
  await learnLedger(spend, host, config);
  await learnProvider(routing, host);
  await telling.begin();
  await host.recover();
  // What was left in the store for the items counts before anybody looks at them.
  await host.idle();
  spend.open();
  for (const row of await Effect.runPromise(store.views("item"))) note(scheduler, row.actor, JSON.parse(row.view));

  const syncs = options.sources.map(({ source, everyMs }) => ({ source, everyMs, sync: syncOf(source, everyMs, { host, scheduler, config, notice }) }));
  let settled = false;

  const root: Supervisor = new Supervisor({
    id: "factory", clock, ...patience,
    children: [
      { id: "agents", restart: "temporary", start: () => ({ stop: () => agents.stop(), tree: () => agents.tree(), living: () => agents.living() }) },
      // An owner that was frozen while another took over has nothing to write that would tell it.
      poller("status", statusEveryMs, clock, async () => {
        const fenced = await Effect.runPromise(store.stillOwner.pipe(Effect.as(undefined), Effect.catchTag("StoreFenced", Effect.succeed), Effect.orElseSucceed(() => undefined)));
        if (fenced) lost(fenced.message);
        else options.onStatus(root.tree());
        // A day may have ended, and with it what its caps held back.
        scheduler.look();
      }),
      poller("mail", mailEveryMs, clock, async () => { await host.takeMail(); }, { subscribe: store.onMail, withinMs: mailWithinMs }),
      ...(keeper ? [keeper.child()] : []),
      ...telling.child(),
      poller("old runs", oldRunsEveryMs, clock, async () => {
        // Not at once: what ran under an earlier owner is taken up first.
        if (settled) await removeOldRuns(options.runsDirectory, clock.now() - config.limits.keepRunsDays * 86_400_000);
        settled = true;
      }),
      ...(options.automation ? syncs.map(({ source, everyMs, sync }) => poller(`source ${source.name}`, everyMs, clock, () => sync.round(), { subscribe: source.watch, withinMs: hintedWithinMs })) : []),
    ],
    onEscalate: (error) => lost(`the supervisor gave up: ${String(error)}`),
    observe: (event) => heard(event, event.path),
  });
  if (options.automation) scheduler.start();

  return {
    host, scheduler, seats, spend, routing, inspection, pushes,
    sync: async () => {
      const looks = await Promise.all(syncs.map(({ sync }) => sync.once()));
      await host.idle();
      return looks;
    },
    tree: () => root.tree(),
    stop: async (how) => {
      inspection.stop();
      scheduler.stop();
      await runner.drain(how);
      await seats.close();
      await root.stop();
      await telling.stop();
      await keeper?.close(how);
      await host.stop();
      await runtime.dispose();
    },
  };
};

const claimEvent = { type: "claim", explicit: false };

const note = (scheduler: Scheduler, address: Address, view: unknown): void => {
  const parsed = WorkItemView.safeParse(view);
  if (parsed.success) scheduler.note(address, parsed.data);
};

const noteView = (scheduler: Scheduler, change: Change): void => {
  if (change.view !== undefined && parseAddress(change.actor)?.chart === "item") note(scheduler, change.actor, change.view);
};

/** An item that has ended is worked on no more: its terminals say so. */
const endSeats = (seats: Seats, { actor, view }: Change): void => {
  if (view === undefined || parseAddress(actor)?.chart !== "item") return;
  const parsed = WorkItemView.safeParse(view);
  if (parsed.success && isTerminal(parsed.data.status)) seats.endItem(parsed.data.id);
};

const syncOf = (source: SourceShape, everyMs: number, { host, scheduler, config, notice }: { readonly host: DurableHost; readonly scheduler: Scheduler; readonly config: Config; readonly notice: (level: "info" | "warning", text: string) => void }): SourceSync => new SourceSync({
  source, everyMs, notice, clock: systemClock,
  known: async () => takenFrom((await host.state(intakeAddress))?.state, source.kind),
  living: () => scheduler.items,
  offer: (item, remembered) => host.send(intakeAddress, {
    type: "offer", item, policy: policyFor(config, item.repository, { stages: "configured", requireApproval: item.requireApproval ?? false }), claim: false, ...(remembered === undefined ? {} : { remembered }),
  }),
  tell: ({ id, lineage }, event) => host.send(itemAddress(id, lineage), { ...event }),
});

/** One line of an agent's stream, for people. */
const readable = (event: AgentEvent): string | undefined => {
  switch (event.type) {
    case "text": return event.text;
    case "tool": return event.phase === "start" ? `${event.name} ${event.summary}` : event.ok === false ? `${event.name} failed` : undefined;
    case "question": return `asks: ${event.text}`;
    case "verdict": return `${event.verdict.decision}${event.verdict.feedback === "" ? "" : `: ${event.verdict.feedback}`}`;
    case "message": return `to ${event.message.to}: ${event.message.text}`;
    case "rateLimit": return `waits for the provider: ${event.message}`;
    case "permissionDenied": return `was refused ${event.tool}: ${event.detail}`;
    case "failure": return `failed: ${event.failure.kind}`;
    case "plan": return `plans ${event.plan.tasks.length} task${event.plan.tasks.length === 1 ? "" : "s"}`;
    case "criteria": case "heard": case "session": case "prompted": case "thinking": case "usage": case "cost": case "audit": case "result": case "garbage": return undefined;
  }
};
