import { Effect } from "effect";
import type { EventJson, StoreReaderShape } from "../ports/store.ts";
import { pendingGates } from "../domain/gate.ts";
import { type Address, itemAddress, laneAddress, teamAddress, type WorkItemId } from "../domain/ids.ts";
import type { AdapterName } from "../domain/agent.ts";
import type { Policy } from "../domain/policy.ts";
import { type Envelope, receiptOf, type Statement } from "../domain/receipt.ts";
import { ProviderView } from "../domain/routing.ts";
import type { Day } from "../domain/spend.ts";
import { WorkItemView } from "../domain/view.ts";
import { isTerminal, WorkItem } from "../domain/work-item.ts";
import { ClientProblem, type CommandReceipt, type FactoryClient, type FactoryDescription, type ItemCommand, type ItemState, type JournalLine, type LiveChange, type LiveFactory, type ProcessNode, type Submission } from "./contract.ts";
import type { StopLimits } from "../domain/stop-policy.ts";
import { itemStates } from "./item-state.ts";
import { isDeferred } from "./waiting.ts";
import { sayTo } from "./messages.ts";
import { sessionClient } from "./sessions.ts";
import { ledgerIn } from "./item-cost.ts";
import { chargedIn, SpendRows } from "./spend-report.ts";
import { isRunning, refuseForTeam, teamStates } from "./team-state.ts";

/**
 * The contract over a store: the same reads whoever owns it. Only how a message is delivered, what is live, and the tree differ, so
 * the in-process client (owner) and the client beside a living owner or with none are this one.
 */
export interface StoreClientOptions {
  readonly reader: StoreReaderShape;
  /** `now`: processed when it resolves. `queued`: left in the store. */
  readonly deliver: (to: Address, event: { readonly type: string } & Readonly<Record<string, unknown>>) => Promise<CommandReceipt>;
  readonly describe: () => Promise<FactoryDescription>;
  readonly watch: (onChange: (change: LiveChange) => void) => () => void;
  readonly tree: () => Promise<readonly ProcessNode[]>;
  readonly policy: (repository: string, request: Pick<Submission, "stages" | "adapter" | "model">) => Policy;
  readonly projectOf: (repository: string) => string;
  /** The configured adapter, and those that this version has. */
  readonly adapters: { readonly usual: AdapterName; readonly known: readonly AdapterName[] };
  readonly now: () => number;
  /** The calendar day it is where the user lives. */
  readonly today: () => Day;
  /** Resolves after the next change of the store, or soon enough; for waiting on an owner. */
  readonly nextChange: () => Promise<void>;
  readonly checkpoints: FactoryClient["checkpoints"];
  readonly restore: FactoryClient["restore"];
  readonly diff: FactoryClient["diff"];
  readonly undo: FactoryClient["undo"];
  readonly sign: (statement: Statement) => Promise<Envelope>;
  readonly stop: StopLimits;
  /** The live half of the contract: the owner's own, or `offlineLive`. */
  readonly live: LiveFactory;
}

const intake: Address = "intake/factory", providerAddress: Address = "provider/factory";

/** Of the ledger's journal, read at once. */
const chargesPage = 5_000;

/** An owner that takes longer than this to give an id is not there. Milliseconds. */
const patienceMs = 30_000;

export const storeClient = (options: StoreClientOptions): FactoryClient => {
  const { reader } = options;
  const items = async (): Promise<readonly ItemState[]> => itemStates(await Effect.runPromise(reader.views()));
  const item = async (id: WorkItemId): Promise<ItemState | undefined> => (await items()).find((state) => state.item.id === id);

  const journal = async (query: Parameters<StoreReaderShape["journal"]>[0]): Promise<readonly JournalLine[]> => (await Effect.runPromise(reader.journal(query))).map(journalLine);
  /** The actors of one item, merged in commit order. */
  const journalOf = async (id: WorkItemId, after: number, limit: number): Promise<readonly JournalLine[]> => {
    const parts = await Promise.all(chartsOfItem.map((chart) => journal({ actorPrefix: `${chart}/${id}/`, after, limit })));
    return parts.flat().sort((a, b) => a.position - b.position).slice(0, limit);
  };

  const wholeItem = async (state: ItemState): Promise<WorkItem> => {
    const [start] = await Effect.runPromise(reader.journal({ actorPrefix: itemAddress(state.item.id, state.item.lineage), limit: 1 }));
    const parsed = WorkItem.safeParse(start ? field(field(JSON.parse(start.event), "input"), "item") : undefined);
    if (!parsed.success) throw new ClientProblem(`the journal of ${state.item.id} has no readable start`, "look at it with: enact-factory log " + state.item.id);
    return { ...parsed.data, operatorLane: state.item.operatorLane };
  };

  const teams: FactoryClient["teams"] = async () => {
    const rows = await Effect.runPromise(reader.views());
    return teamStates(rows, itemStates(rows));
  };

  const client: FactoryClient = {
    ...options.live,
    message: (address, text, { interrupt }) => sayTo({ ...options, items, teams, team: (name, command) => client.team(name, command) }, address, text, { interrupt }),
    describe: options.describe,
    ...sessionClient(options),
    teams,
    team: async (name, command) => {
      const found = (await teams()).filter(({ team }) => team.name === name);
      const [state] = found;
      if (!state) throw new ClientProblem(`there is no team ${JSON.stringify(name)}`, "list them with: enact-factory team status");
      if (!isRunning(state)) throw new ClientProblem(`team ${name} is ${state.team.phase} already`, `see it with: enact-factory team status ${name}`);
      refuseForTeam(state, command);
      return options.deliver(teamAddress(state.team.item, state.team.attempt), { ...command, type: `team.${command.type}` });
    },
    items,
    item,
    watch: options.watch,
    provider: async () => {
      const [row] = await Effect.runPromise(reader.views("provider")), chosen = row && ProviderView.safeParse(JSON.parse(row.view)).data;
      return { usual: options.adapters.usual, chosen: chosen?.adapter ?? null, since: chosen?.since ?? 0 };
    },
    chooseProvider: async (adapter) => {
      if (adapter !== null && !options.adapters.known.includes(adapter)) throw new ClientProblem(`this version has no adapter ${adapter}`, `choose one of ${options.adapters.known.join(", ")}`);
      return options.deliver(providerAddress, { type: "choose", adapter });
    },
    tree: options.tree,
    checkpoints: options.checkpoints,
    restore: options.restore,
    diff: options.diff,
    undo: options.undo,
    receipt: async (id) => {
      const rows = await Effect.runPromise(reader.views("item"));
      const lineages = rows.filter(({ actor }) => actor.startsWith(`item/${id}/`)).flatMap(({ view }) => [WorkItemView.safeParse(JSON.parse(view)).data ?? []].flat()).toSorted((a, b) => b.lineage - a.lineage);
      const [newest] = lineages, published = lineages.find(({ status }) => status === "done");
      if (newest === undefined) throw new ClientProblem(`there is no work item ${id}`, "list them with: enact-factory task list");
      if (published === undefined) throw new ClientProblem(`${id} has published nothing yet; it is ${newest.status}`, `see what it waits for with: enact-factory why ${id}`);
      const denials = (await journal({ actorPrefix: "session/" })).filter(({ type }) => type === "stop.denied");
      const statement = receiptOf(published, [...await journalOf(id, 0, Number.MAX_SAFE_INTEGER), ...denials].sort((a, b) => a.position - b.position));
      if (statement === undefined) throw new ClientProblem(`the journal of ${id} does not tell what was published: an older version wrote it`, `see what there is with: enact-factory log ${id}`);
      return options.sign(statement);
    },

    submit: async (submission) => {
      const { title, body, kind, priority, repository, sourceId, lane, claim, playbook, team } = submission;
      const offered: Omit<WorkItem, "id"> = {
        source: "command", sourceId, title, body, kind, priority, createdAt: options.now(), project: options.projectOf(repository), repository, operatorLane: lane,
        ...(playbook === undefined ? {} : { playbook }), ...(team === undefined ? {} : { team }),
      };
      await options.deliver(intake, { type: "offer", item: offered, policy: options.policy(repository, submission), claim });
      const until = options.now() + patienceMs;
      for (;;) {
        const found = (await items()).find((state) => state.item.source === "command" && state.item.sourceId === sourceId);
        if (found) return found.item.id;
        if (options.now() > until) throw new ClientProblem("no running factory took the work item", "it waits in the store; the next `enact-factory run` or `resume` here takes it");
        await options.nextChange();
      }
    },

    command: async (id, command) => {
      const state = await item(id);
      if (!state) throw new ClientProblem(`there is no work item ${id}`, "list them with: enact-factory task list");
      refuseSenseless(state, command);
      if (command.type === "retry" && isTerminal(state.item.status)) {
        const whole = await wholeItem(state);
        return options.deliver(intake, { type: "again", item: whole, policy: options.policy(whole.repository, { stages: "configured" }), attempt: state.item.attempt + 1, claim: true });
      }
      if (command.type === "advance") return options.deliver(laneAddress("ralph", id, state.item.attempt), { ...command, round: state.lane?.iteration, generation: state.lane?.generation });
      const event = command.type === "claim" ? { ...command, explicit: true } : command;
      return options.deliver(itemAddress(id, state.item.lineage), event);
    },

    journal: (query) => (query.id === undefined ? journal({ after: query.after ?? 0, limit: query.limit ?? Number.MAX_SAFE_INTEGER }) : journalOf(query.id, query.after ?? 0, query.limit ?? Number.MAX_SAFE_INTEGER)),

    spend: async (query) => {
      const today = options.today(), rows = new SpendRows(query, today);
      for (let after = 0; !rows.isIdle;) {
        const page = await journal({ actorPrefix: "spend/factory", after, limit: chargesPage });
        for (const charged of page.map(chargedIn)) if (charged) rows.add(charged);
        if (page.length < chargesPage) break;
        after = page.at(-1)?.position ?? after;
      }
      return rows.report(ledgerIn(await Effect.runPromise(reader.views("spend"))), today);
    },

    evidence: async (id) => {
      const mine = <T extends { readonly actor: string }>(rows: readonly T[]): readonly T[] => rows.filter((row) => row.actor.split("/")[1] === id);
      const [effects, alarms, deadLetters, lines] = await Promise.all([
        Effect.runPromise(reader.outbox), Effect.runPromise(reader.alarms), Effect.runPromise(reader.deadLetters), journalOf(id, 0, Number.MAX_SAFE_INTEGER),
      ]);
      return {
        effects: mine(effects).map(({ key, kind, attempts, at }) => ({ key, kind, attempts, at })),
        alarms: mine(alarms),
        deadLetters: mine(deadLetters).map(({ actor, error, at }) => ({ actor, error, at })),
        last: lines.slice(-10),
      };
    },
  };
  return client;
};

const chartsOfItem = ["item", "autopilot", "ralph", "ultrawork", "pipeline", "team", "member", "stage", "progress"] as const;

const field = (value: unknown, name: string): unknown => (typeof value === "object" && value !== null && name in value ? Reflect.get(value, name) : undefined);

const journalLine = (row: { readonly position: number; readonly actor: string; readonly seq: number; readonly at: number; readonly event: EventJson }): JournalLine => {
  const event: unknown = JSON.parse(row.event);
  const type = field(event, "type");
  return { position: row.position, actor: row.actor, seq: row.seq, at: row.at, type: typeof type === "string" ? type : "?", event: typeof event === "object" && event !== null ? { ...event } : {} };
};

/** A run that keeps its phase, and is in one. */
const canPause = ({ lane, team }: ItemState): boolean =>
  lane === null ? team !== null && team.phase !== "pausing" && team.phase !== "draining" : (lane.running || lane.session !== null) && lane.state !== "pausing" && lane.state !== "settling";

/** A command that could only be ignored is refused, with what would work. */
const refuseSenseless = (state: ItemState, command: ItemCommand): void => {
  const { id, status, blocked } = state.item;
  const refuse = (why: string, next: string): never => { throw new ClientProblem(`${id} ${why}`, next); };
  if (isTerminal(status) && command.type !== "retry") refuse(`is ${status} already`, `start it again with: enact-factory task retry ${id}`);
  switch (command.type) {
    case "answer": if (blocked !== "needsHuman") refuse("asks nothing", `see what it waits for with: enact-factory why ${id}`); break;
    case "approve":
    case "reject":
      if (command.type === "approve" && isDeferred(state.item)) refuse("is approved already; it spans several projects, so a person has to close it", `close it with: enact-factory task close ${id} --reason TEXT`);
      if (status !== "awaitingApproval" && status !== "review") refuse(`does not wait for approval; it is ${status}`, `see what it waits for with: enact-factory why ${id}`); break;
    case "acknowledgeClose":
      if (status !== "review" || !state.item.needs.includes("closureEvidence")) refuse(`does not wait to be closed by hand; it is ${status}`, `see what it waits for with: enact-factory why ${id}`);
      if (command.reason.trim() === "") refuse("is closed by hand only with a reason", `give one: enact-factory task close ${id} --reason TEXT`);
      if (pendingGates(state.item.needs, state.item.gates).some((gate) => gate !== "closureEvidence")) refuse("needs your approval first", `approve it with: enact-factory task approve ${id}`);
      break;
    case "advance":
      if (state.lane === null || state.lane.session === null) refuse("is not driven by a session", `see who works on it with: enact-factory why ${id}`);
      else if (state.lane.session !== command.session) refuse("is driven by another session", "only that session advances it; to take it over, pause it and resume it with yours");
      else if (state.lane.state !== "executing" && state.lane.state !== "fixing") refuse(`is ${state.lane.state}; only a round of work is advanced`, `see what it waits for with: enact-factory why ${id}`);
      break;
    case "resume": if (status !== "paused") refuse(`is not paused; it is ${status}`, `see what it waits for with: enact-factory why ${id}`); break;
    case "pause": if (status !== "ready" && status !== "retryAt" && !(status === "operating" && canPause(state))) refuse(`cannot be paused while it is ${status}`, `cancel it with: enact-factory task cancel ${id}`); break;
    case "retry":
      if (!isTerminal(status) && status !== "retryAt" && (status !== "blocked" || (blocked === "needsHuman" && state.item.running))) refuse(`is under way (${status})`, `see what it waits for with: enact-factory why ${id}`);
      break;
    case "claim": if (status !== "ready") refuse(`is not ready; it is ${status}`, `see what it waits for with: enact-factory why ${id}`); break;
    case "cancel":
    case "lane": break;
  }
};
