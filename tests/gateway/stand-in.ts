/**
 * A factory at the level of the contract, for what the gateway does with it: items that are data, events that a test emits, terminals that are
 * logs in memory. The real factory behind a real gateway is tested in tests/daemon.
 */
import { Effect } from "effect";
import { ClientProblem, type FactoryClient, type InspectionEvent, type ItemState, type LiveChange, type Submission, type TerminalFrame } from "../../src/client/contract.ts";
import { offlineLive } from "../../src/client/offline-live.ts";
import { sessionClient } from "../../src/client/sessions.ts";
import { WorkItemId } from "../../src/domain/ids.ts";
import { defaultStopLimits } from "../../src/domain/stop-policy.ts";
import { memoryState, openMemoryReader } from "../../src/store/memory.ts";
import { noAmount, noCost } from "../../src/domain/spend.ts";

export interface StandIn extends FactoryClient {
  readonly emit: (change: LiveChange) => void;
  /** What the listeners gave back. */
  readonly emitInspection: (n: number, text?: string) => readonly (void | Promise<void>)[];
  readonly terminal: (address: string) => Log;
  readonly submitted: readonly Submission[];
  readonly stops: readonly { readonly keepAgents: boolean }[];
  /** Subscriptions that are open now. */
  readonly open: () => { readonly watches: number; readonly terminals: number; readonly inspections: number };
}

export const itemId = (n: number): WorkItemId => WorkItemId.parse(`LOC-${n}`);

export const itemState = (n: number, title = `Item ${n}`): ItemState => ({
  item: {
    id: itemId(n), source: "local", sourceId: `${n}.md`, title, kind: "bug", priority: 2, createdAt: n, project: "app", repository: "/repository", operatorLane: "none", status: "ready", lineage: 1, attempt: 1,
    iterations: 0, failures: 0, itemFailures: 1, infraFailures: 0, infraRetries: 5, retryAt: null, blocked: null, question: null, reason: "", branch: null, worktree: null, base: null, head: null, checks: null,
    summary: "", warnings: [], costUsd: 0, published: "", running: false, needs: [], gates: {}, ledger: [],
  },
  pipeline: null, stage: null, progress: null, team: null, lane: null, nested: null, cost: noCost, updatedAt: n,
});

/** A terminal's bytes, all kept from `from` on. A watcher that is not ready gets nothing, and a keyframe when it is again. */
export class Log {
  bytes = new Uint8Array(0);
  from = 0;
  /** It says what it has to whoever listens, ready or not. */
  deaf = false;
  readonly watchers = new Set<() => void>();

  get size(): number {
    return this.from + this.bytes.length;
  }

  append(data: Uint8Array): void {
    // Old bytes rotate away.
    const kept = this.bytes.subarray(Math.max(0, this.bytes.length + data.length - 1_048_576));
    this.from += this.bytes.length - kept.length;
    const next = new Uint8Array(kept.length + data.length);
    next.set(kept);
    next.set(data, kept.length);
    this.bytes = next;
    for (const watcher of this.watchers) watcher();
  }

  watch(from: number | undefined, ready: () => boolean, onFrame: (frame: TerminalFrame) => void): () => void {
    let at = from;
    const step = (): void => {
      if (!this.deaf && !ready()) {
        at = undefined;
        return;
      }
      if (at === undefined) {
        onFrame({ type: "keyframe", offset: this.size, columns: 80, rows: 24, data: new TextEncoder().encode(`screen at ${this.size}`) });
        at = this.size;
      }
      if (at < this.from) {
        onFrame({ type: "gap", from: at, to: this.from });
        at = this.from;
      }
      if (at < this.size) {
        const data = this.bytes.slice(at - this.from);
        onFrame({ type: "bytes", offset: at, data });
        at += data.length;
      }
    };
    this.watchers.add(step);
    const again = setInterval(step, 20);
    step();
    return () => {
      clearInterval(again);
      this.watchers.delete(step);
    };
  }
}

/** The real thing over a store without an owner. */
const sessionsInMemory = (): Pick<FactoryClient, "sessions" | "session" | "stopCheck"> => {
  const reader = openMemoryReader(memoryState());
  let at = 0;
  return sessionClient({
    reader, now: () => ++at, stop: defaultStopLimits,
    deliver: async (to, event) => {
      await Effect.runPromise(reader.enqueue(to, JSON.stringify(event), at));
      return { delivered: "queued" };
    },
  });
};

export const standIn = (count = 3): StandIn => {
  const watchers = new Set<(change: LiveChange) => void>();
  const inspectors = new Set<(event: InspectionEvent) => void | Promise<void>>();
  const logs = new Map<string, Log>();
  const submitted: Submission[] = [];
  const stops: { readonly keepAgents: boolean }[] = [];
  const states = Array.from({ length: count }, (_, n) => itemState(n + 1));
  const terminal = (address: string): Log => {
    const log = logs.get(address) ?? new Log();
    logs.set(address, log);
    return log;
  };
  const find = (id: string): ItemState | undefined => states.find(({ item }) => item.id === id);
  return {
    ...offlineLive,
    submitted, stops, terminal,
    emit: (change) => { for (const watcher of watchers) watcher(change); },
    emitInspection: (n, text = "") => [...inspectors].map((inspector) => inspector({ type: "@xstate.event", sessionId: `s${n}`, rootId: "r", createdAt: String(n), id: String(n), _version: "1", text })),
    open: () => ({ watches: watchers.size, terminals: [...logs.values()].reduce((sum, log) => sum + log.watchers.size, 0), inspections: inspectors.size }),
    describe: async () => ({ role: "owner", store: "memory", stateDirectory: "/state", configFile: null, generation: 1, sandbox: "off" }),
    items: async () => states,
    spend: async ({ by, since, item }) => ({
      today: "2026-11-30", day: noAmount, caps: [{ cap: "dayUsd", of: "", day: "2026-11-30", spent: 0, limit: 10, left: 10, state: "quiet" }], since: by === undefined ? null : "2026-11-01",
      rows: by === undefined ? [] : [{ key: item ?? by, says: since ?? "", amount: noAmount, at: 1 }], more: 0, total: noAmount,
    }),
    item: async (id) => find(id),
    submit: async (submission) => {
      submitted.push(submission);
      return itemId(submitted.length);
    },
    command: async (id, command) => {
      if (!find(id)) throw new ClientProblem(`there is no work item ${id}`, "list them with: enact-factory task list");
      // What is no problem of the caller's must not leave with its stack.
      if (command.type === "pause") throw new Error("secret-inner-detail at /inner/path.ts");
      return { delivered: "now" };
    },
    journal: async ({ after = 0, limit = 100 }) => Array.from({ length: Math.max(0, Math.min(limit, 25_000 - after)) }, (_, n) => ({ position: after + n + 1, actor: "item/LOC-1/1", seq: n, at: n, type: "claim", event: { type: "claim" } })),
    evidence: async () => ({ effects: [], alarms: [], deadLetters: [], last: [] }),
    watch: (onChange) => {
      watchers.add(onChange);
      return () => { watchers.delete(onChange); };
    },
    provider: async () => ({ usual: "scripted", chosen: null, since: 0 }),
    chooseProvider: async () => ({ delivered: "now" }),
    tree: async () => [{ id: "factory", kind: "supervisor", state: "running", restarts: 0, since: 1, children: [{ id: "mail", kind: "actor", state: "running", restarts: 2, since: 1, lastCrash: "x" }] }],
    checkpoints: async () => [{ ref: "refs/enact/checkpoints/LOC-1/1", commit: "abc" }],
    restore: async (_id, _ref, to) => to,
    diff: async () => ({ branch: "enact/LOC-1", base: "a", head: "b", worktree: null, files: [{ path: "a.txt", added: 1, removed: 0 }], patch: "+a", cut: false }),
    undo: async (_id, { onto }) => ({ how: "reverted", already: false, branch: "enact/LOC-1-undo", commit: "c", from: onto ?? "enact/LOC-1", checkpoint: { ref: "refs/enact/checkpoints/LOC-1/1", commit: "b" } }),
    receipt: async () => ({ payloadType: "application/vnd.in-toto+json", payload: "e30=", signatures: [{ keyid: "0".repeat(64), sig: "AA==", publicKey: "AA==" }] }),
    teams: async () => [],
    team: async () => ({ delivered: "now" }),
    ...sessionsInMemory(),
    status: async () => ({ pid: 1, version: "0", startedAt: 1, gateway: null, automation: true, slots: { used: 0, of: 2 }, idle: "", terminals: { backend: "none", detail: "", panes: 0 }, description: { role: "owner", store: "memory", stateDirectory: "/state", configFile: null, generation: 1, sandbox: "off" }, adapters: [], channels: [] }),
    stop: async (options) => { stops.push(options); },
    terminals: async () => [],
    watchTerminal: (address, { from, ready = () => true }, onFrame) => {
      if (address === "nowhere") throw new ClientProblem("there is no terminal nowhere", "list them with: enact-factory panes");
      return terminal(address).watch(from, ready, onFrame);
    },
    inspect: (_options, onEvent) => {
      inspectors.add(onEvent);
      return () => { inspectors.delete(onEvent); };
    },
  };
};
