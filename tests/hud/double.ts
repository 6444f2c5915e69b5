/**
 * A factory at the contract boundary: items and journal are recorded from real ones (`write.ts`); teams, terminals and an owner, which no
 * part of the house provides yet, are made up here and checked against their schemas. For tests only.
 */
import { z } from "zod";
import { ClientProblem, type FactoryClient, type FactoryStatus, type ItemCommand, type ItemState, type JournalLine, type LiveChange, type ProcessNode, type TeamCommand, type TeamState, type TerminalFrame, type TerminalState } from "../../src/client/contract.ts";
import { itemCost } from "../../src/client/item-cost.ts";
import { WorkItemId } from "../../src/domain/ids.ts";
import { dayCaps, emptyLedger } from "../../src/domain/ledger.ts";
import { addCost, noAmount, noCost } from "../../src/domain/spend.ts";
import { TeamView } from "../../src/domain/team.ts";
import { PipelineView, ProgressView, StageView, WorkItemView } from "../../src/domain/view.ts";
import told from "./recorded.json" with { type: "json" };

const State = z.object({ item: WorkItemView, pipeline: PipelineView.nullable(), stage: StageView.nullable(), progress: ProgressView.nullable(), updatedAt: z.number() }).transform((given) => { const state = { ...given, team: null, lane: null, nested: null }; return { ...state, cost: itemCost(state, emptyLedger) }; });
const Journal = z.object({ position: z.number(), actor: z.string(), seq: z.number(), at: z.number(), type: z.string(), event: z.record(z.string(), z.unknown()) });
const Description = z.object({ role: z.enum(["owner", "client", "offline"]), store: z.string(), stateDirectory: z.string(), configFile: z.string().nullable(), generation: z.number(), sandbox: z.string() });
export const recorded: { readonly items: readonly ItemState[]; readonly journal: readonly JournalLine[]; readonly description: z.infer<typeof Description> } =
  z.object({ items: z.array(State), journal: z.array(Journal), description: Description }).parse(told);

/** Two minutes after the last event that was recorded. */
export const recordedNow = Math.max(...recorded.items.map(({ updatedAt }) => updatedAt)) + 120_000;

const idOf = (index: number): WorkItemId => recorded.items[index]?.item.id ?? WorkItemId.parse("RUN-1");

const member = (name: string, more: Partial<TeamView["members"][number]>): TeamView["members"][number] => ({
  name, role: name === "leader" ? "leader" : "worker", state: "working", adapter: "claude", task: null, turns: 3, restarts: 0, costUsd: 0.25, branch: `enact/RUN-9-${name}`, worktree: null, address: `member/RUN-9/1/${name}`, reason: "", since: recordedNow - 300_000, question: null, ...more,
});

export const team: TeamState = {
  item: null, cost: { ...noCost, usd: 1.5 }, updatedAt: recordedNow - 5_000,
  team: TeamView.parse({
    name: "alpha", item: idOf(3), attempt: 1, phase: "exec", fixes: 1, maxFixes: 3,
    members: [member("leader", {}), member("worker-1", { task: 2 }), member("worker-2", { state: "asking", question: "어느 형식을 쓸까요? 😀", task: 1 }), member("worker-3", { state: "down", reason: "the agent crashed three times", restarts: 3 })],
    tasks: [
      { id: 1, title: "Parser", kind: "work", state: "done", dependsOn: [], owner: "worker-2", leaseUntil: null, attempts: 1, evidence: null, reason: "" },
      { id: 2, title: "Printer", kind: "work", state: "claimed", dependsOn: [1], owner: "worker-1", leaseUntil: null, attempts: 1, evidence: null, reason: "" },
      { id: 3, title: "Merge worker-1", kind: "conflict", state: "failed", dependsOn: [], owner: "worker-1", leaseUntil: null, attempts: 2, evidence: null, reason: "both changed sum.ts" },
    ],
    messages: [{ id: "m1", from: "leader", to: "worker-3", text: "Take the printer.", state: "undelivered", deliveries: 3 }],
    events: [{ at: recordedNow - 60_000, text: "worker-3 is down" }],
    branch: "enact/RUN-9", head: null, checks: null, costUsd: 1.5, interactive: false, reason: "",
  }),
};

const terminal = (address: string, more: Partial<TerminalState> = {}): TerminalState => {
  const [owner = "", seat = ""] = address.split("/");
  const own = WorkItemId.safeParse(owner);
  return { address, item: own.success ? own.data : idOf(3), team: own.success ? null : owner, seat, adapter: "claude", state: "running", size: 24_000, from: 0, columns: 120, rows: 40, lastLine: "✅ 테스트가 통과했습니다", updatedAt: recordedNow - 2_000, pane: "%3", attached: 0, ...more };
};

export interface DoubleOptions {
  /** Nobody owns the state. */
  readonly offline?: boolean;
  /** Title of every item, instead of its own. */
  readonly title?: string;
  /** So many terminals more than the usual. */
  readonly panes?: number;
  /** What a terminal shows when it is watched. */
  readonly frames?: readonly TerminalFrame[];
  /** Everything that was asked of it, in order. */
  readonly asked?: (what: Readonly<Record<string, unknown>>) => void;
  /** What `attachment` says to run. */
  readonly attach?: readonly [string, ...string[]];
}

export interface Double { readonly client: FactoryClient; readonly emit: (change: LiveChange) => void; readonly setItems: (items: readonly ItemState[]) => void; readonly teams: readonly TeamState[]; readonly terminals: readonly TerminalState[] }

const tree: readonly ProcessNode[] = [{ id: "factory", kind: "supervisor", state: "running", restarts: 0, since: recordedNow - 3_600_000, children: [{ id: "host", kind: "host", state: "running", restarts: 0, since: recordedNow - 3_600_000 }, { id: "poller", kind: "poller", state: "running", restarts: 2, since: recordedNow - 60_000, lastCrash: "ECONNRESET" }] }];

export const doubleOf = (options: DoubleOptions = {}): Double => {
  const watchers = new Set<(change: LiveChange) => void>();
  const asked = options.asked ?? (() => {});
  let items: readonly ItemState[] = recorded.items.map((state) => ({ ...state, item: { ...state.item, title: options.title ?? state.item.title } }));
  let journal = recorded.journal;
  const emit = (change: LiveChange): void => watchers.forEach((watcher) => watcher(change));
  const offline = options.offline === true;
  const teams: readonly TeamState[] = offline ? [] : [team];
  const terminals = offline ? [] : [
    terminal(`${idOf(3)}/coder`, { pane: "%1", state: "ended" }), ...["leader", "worker-1", "worker-2"].map((name, index) => terminal(`alpha/${name}`, { pane: `%${index + 2}`, attached: index === 1 ? 1 : 0 })),
    ...Array.from({ length: options.panes ?? 0 }, (_, index) => terminal(`BIG-${index + 1}/coder`, { pane: `%${index + 10}`, lastLine: `line of ${index + 1}: 한글 and more text that is long enough to be cut` })),
  ];
  const status: FactoryStatus = {
    pid: 4242, version: "0.1.0", startedAt: recordedNow - 3_600_000, gateway: { host: "127.0.0.1", port: 3847 }, automation: true, slots: { used: 1, of: 2 }, idle: "nothing is ready",
    terminals: { backend: "tmux", detail: "enact-0123abcd", panes: terminals.length }, description: { ...recorded.description, role: "client" }, adapters: [], channels: [],
  };
  const refused = async (): Promise<never> => { throw new ClientProblem("no factory runs here that could do this", "start it"); };
  const changed = (id: WorkItemId, change: (state: ItemState) => ItemState, event: string): void => {
    items = items.map((state) => (state.item.id === id ? change(state) : state));
    const position = (journal.at(-1)?.position ?? 0) + 1;
    journal = [...journal, { position, actor: `item/${id}/1`, seq: position, at: recordedNow, type: event, event: { type: event } }];
    emit({ type: "journal", actor: `item/${id}/1`, event, at: recordedNow });
  };
  const command = async (id: WorkItemId, sent: ItemCommand): Promise<{ readonly delivered: "now" | "queued" }> => {
    asked({ command: sent, id });
    const state = items.find(({ item }) => item.id === id);
    if (state === undefined) throw new ClientProblem(`there is no work item ${id}`, "");
    if (sent.type === "answer" && state.item.blocked !== "needsHuman") throw new ClientProblem(`${id} asks nothing`, "");
    if (sent.type === "cancel") changed(id, (old) => ({ ...old, item: { ...old.item, status: "cancelled", blocked: null, question: null, reason: "cancelled" } }), "cancel");
    if (sent.type === "answer") changed(id, (old) => ({ ...old, item: { ...old.item, status: "operating", blocked: null, question: null } }), "answer");
    if (sent.type === "approve") changed(id, (old) => ({ ...old, item: { ...old.item, status: "publishing" } }), "approve");
    return { delivered: "now" };
  };
  const client: FactoryClient = {
    describe: async () => ({ ...recorded.description, role: offline ? "offline" : "client" }),
    items: async () => items,
    spend: async () => {
      const today = "2026-11-30", amount = { ...noAmount, cost: items.map(({ cost }) => cost).reduce(addCost, noCost) };
      return { today, day: amount, caps: dayCaps({ caps: { dayUsd: 10 }, items: [], days: [{ day: today, amount, projects: [] }] }, today), since: null, rows: [], more: 0, total: noAmount };
    },
    item: async (id) => items.find(({ item }) => item.id === id),
    submit: refused, command,
    journal: async ({ id, after = 0, limit = Number.MAX_SAFE_INTEGER }) => journal.filter(({ position, actor }) => position > after && (id === undefined || actor.split("/")[1] === id)).slice(0, limit),
    evidence: async () => ({ effects: [], alarms: [], deadLetters: [], last: [] }),
    watch: (onChange) => {
      watchers.add(onChange);
      return () => { watchers.delete(onChange); };
    },
    provider: async () => ({ usual: "claude", chosen: null, since: 0 }),
    chooseProvider: refused,
    tree: async () => (offline ? [] : tree),
    checkpoints: async () => [], restore: refused, diff: refused, undo: refused, receipt: refused,
    teams: async () => teams,
    team: async (name: string, sent: TeamCommand) => {
      asked({ team: name, command: sent });
      return { delivered: "now" };
    },
    sessions: async () => [], session: refused, stopCheck: refused,
    status: offline ? refused : async () => status,
    stop: refused, drain: refused, sync: refused,
    terminals: async () => terminals,
    watchTerminal: (address, _, onFrame) => {
      asked({ watch: address });
      let stopped = false;
      const frames = [...(options.frames ?? [])];
      const next = (): void => {
        const frame = frames.shift();
        if (stopped || frame === undefined) return;
        onFrame(frame);
        setImmediate(next);
      };
      setImmediate(next);
      return () => {
        stopped = true;
        asked({ unwatch: address });
      };
    },
    attachment: async (address, { write }) => {
      asked({ attach: address, write });
      return { argv: options.attach ?? ["true"], env: { ENACT_ATTACHED: address } };
    },
    message: async (address, text, { interrupt }) => {
      asked({ message: address, text, interrupt });
      return { id: "m", state: "queued", detail: "in its next turn" };
    },
    actors: async () => [],
    actor: async (address) => (offline ? undefined : { address, chart: "work-item", kind: "durable", state: "blocked", seq: 12, definition: {}, value: { blocked: "needsHuman" }, context: { id: address }, transitions: [{ seq: 12, at: recordedNow - 9_000, event: "pipeline.asks", from: "operating", to: "blocked" }] }),
    inspect: () => () => {},
  };
  return { client, emit, setItems: (next) => { items = next; }, teams, terminals };
};
