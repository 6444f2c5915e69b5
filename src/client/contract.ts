import type { AdapterName } from "../domain/agent.ts";
import type { WorkItemId } from "../domain/ids.ts";
import type { OperatorLane } from "../domain/lane.ts";
import type { PipelineView, ProgressView, StageView, WorkItemView } from "../domain/view.ts";
import type { WorkItemKind } from "../domain/work-item.ts";

/**
 * What every client (CLI, HUD, dashboard, Discord, MCP) may ask of a factory, whatever carries it: in-process, offline (the store,
 * read-only but for mail), later HTTP. Clients know nothing else of the house.
 */
export interface FactoryClient {
  readonly describe: () => Promise<FactoryDescription>;
  /** All items, newest lineage each, in order of their ids. */
  readonly items: () => Promise<readonly ItemState[]>;
  readonly item: (id: WorkItemId) => Promise<ItemState | undefined>;
  /** Hands in one piece of work. Resolves with its id once that is durable. The same `sourceId` twice gives the same id. */
  readonly submit: (submission: Submission) => Promise<WorkItemId>;
  /** Sends a command to an item. Resolves when it is durable (in the item's journal, or with no owner: in its mail). Rejects with `ClientProblem`. */
  readonly command: (id: WorkItemId, command: ItemCommand) => Promise<CommandReceipt>;
  /** The journal of one item (all its actors) or of everything, in commit order. */
  readonly journal: (query: { readonly id?: WorkItemId; readonly after?: number; readonly limit?: number }) => Promise<readonly JournalLine[]>;
  /** Effects not yet answered, alarms, dead letters of one item: the evidence behind `why`. */
  readonly evidence: (id: WorkItemId) => Promise<ItemEvidence>;
  /** Calls back after every durable change, in order; at most one call is under way. Returns how to stop. */
  readonly watch: (onChange: (change: LiveChange) => void) => () => void;
  /** The supervisor tree of the owner; empty with no owner in reach. */
  readonly tree: () => Promise<readonly ProcessNode[]>;
  /** Checkpoints of an item's work, oldest first. */
  readonly checkpoints: (id: WorkItemId) => Promise<readonly { readonly ref: string; readonly commit: string }[]>;
  /** Puts a checkpoint's files into a new directory and names it. */
  readonly restore: (id: WorkItemId, ref: string, to: string) => Promise<string>;
}

export interface FactoryDescription {
  /** `owner`: this process runs the items. `client`: another process does. `offline`: nobody does; mail waits. */
  readonly role: "owner" | "client" | "offline";
  readonly store: string;
  readonly stateDirectory: string;
  readonly configFile: string | null;
  readonly generation: number;
  readonly sandbox: string;
}

/** An item with the actors that work on it now. */
export interface ItemState {
  readonly item: WorkItemView;
  readonly pipeline: PipelineView | null;
  readonly stage: StageView | null;
  readonly progress: ProgressView | null;
  readonly updatedAt: number;
}

export interface Submission {
  readonly title: string;
  readonly body: string;
  readonly kind: WorkItemKind;
  readonly priority: 1 | 2 | 3 | 4;
  /** Absolute path of the repository. */
  readonly repository: string;
  /** Unique per piece of work; a second submission with it changes nothing. */
  readonly sourceId: string;
  readonly lane: OperatorLane;
  /** Start now, whatever the scheduler thinks (explicit command). */
  readonly claim: boolean;
  readonly adapter?: AdapterName;
  /** The coder's model only (EXEC-06). */
  readonly model?: string;
  /** Absolute path of a playbook for the scripted adapter. */
  readonly playbook?: string;
  /** "configured": stages as configured; "coder": the coder alone; "full": coder, critic, tester, documenter (EXEC-04, EXEC-05). */
  readonly stages: "configured" | "coder" | "full";
}

export type ItemCommand =
  | { readonly type: "cancel" }
  | { readonly type: "retry" }
  | { readonly type: "answer"; readonly text: string }
  | { readonly type: "approve" }
  | { readonly type: "reject"; readonly reason: string }
  | { readonly type: "pause" }
  | { readonly type: "resume" }
  | { readonly type: "claim" }
  | { readonly type: "lane"; readonly lane: OperatorLane };

/** `now`: the owner has processed it. `queued`: it waits in the store for an owner. */
export interface CommandReceipt { readonly delivered: "now" | "queued" }

export interface JournalLine {
  readonly position: number;
  readonly actor: string;
  readonly seq: number;
  readonly at: number;
  readonly type: string;
  /** The whole event as journaled. */
  readonly event: Readonly<Record<string, unknown>>;
}

export interface ItemEvidence {
  readonly effects: readonly { readonly key: string; readonly kind: string; readonly attempts: number; readonly at: number }[];
  readonly alarms: readonly { readonly actor: string; readonly name: string; readonly at: number }[];
  readonly deadLetters: readonly { readonly actor: string; readonly error: string; readonly at: number }[];
  readonly last: readonly JournalLine[];
}

export type LiveChange =
  | { readonly type: "journal"; readonly actor: string; readonly event: string; readonly at: number }
  /** A line of an agent's readable stream; not journaled. */
  | { readonly type: "agent"; readonly item: WorkItemId; readonly stage: string; readonly line: string }
  /** This process owned the state and does no more: nothing further happens over this connection, and its agents are left to the next owner. */
  | { readonly type: "lost"; readonly reason: string }
  | { readonly type: "notice"; readonly level: "info" | "warning" | "error"; readonly text: string };

export interface ProcessNode {
  readonly id: string;
  readonly kind: string;
  readonly state: string;
  readonly restarts: number;
  readonly since: number;
  readonly lastCrash?: string;
  readonly detail?: string;
  readonly children?: readonly ProcessNode[];
}

/** A request that cannot be done, said for a person: what happened, where, what to do next. */
export class ClientProblem extends Error {
  override readonly name = "ClientProblem";
  readonly next: string;
  constructor(message: string, next: string) {
    super(message);
    this.next = next;
  }
}

/** An open connection. `close("suspend")` ends agents politely and keeps their work; `close("abandon")` leaves them to the next owner. */
export interface Connection { readonly client: FactoryClient; readonly close: (how: "suspend" | "abandon") => Promise<void> }

export interface ConnectOptions {
  readonly configFile?: string;
  /** Where to look for config.toml from. */
  readonly directory: string;
  /** The repository that is meant; the state directory is in it when there is no configuration. Default: `directory`. */
  readonly repository?: string;
  /** `own`: become the owner, or a client when there is one already. `read`: never become the owner. */
  readonly as: "own" | "read";
  /** Run the scheduler and the sources too (false: only what is claimed explicitly). */
  readonly automation?: boolean;
  /** Take the state directory from an owner that hangs; its writes are refused from then on. */
  readonly takeOver?: boolean;
  /** Overrides for `demo` and tests, as dotted config keys with TOML values. */
  readonly overrides?: Readonly<Record<string, unknown>>;
}

/** What commands need that is no business of a running factory. Given to the CLI by the bin. */
export interface LocalTools {
  readonly connect: (options: ConnectOptions) => Promise<Connection>;
  readonly locateConfig: (options: { readonly configFile?: string; readonly directory: string }) => Promise<{ readonly file: string | null; readonly stateDirectory: string; readonly skipped: readonly string[] }>;
  readonly validate: (file: string) => Promise<readonly ConfigProblem[]>;
  readonly template: (options: { readonly postgres: boolean }) => string;
  readonly doctor: (options: { readonly configFile?: string; readonly directory: string }) => Promise<readonly DoctorCheck[]>;
  readonly backup: (options: { readonly configFile?: string; readonly directory: string; readonly to: string }) => Promise<string>;
  readonly restoreBackup: (options: { readonly configFile?: string; readonly directory: string; readonly from: string; readonly force: boolean }) => Promise<string>;
  readonly version: string;
  readonly now: () => number;
}

export interface ConfigProblem { readonly file: string; readonly line: number; readonly column: number; readonly key: string; readonly message: string; /** An error when absent; a warning keeps nothing from starting. */ readonly severity?: "error" | "warning"; /** TOML to write instead, when there is one. */ readonly write?: string }

export interface DoctorCheck { readonly name: string; readonly state: "ok" | "warning" | "failed"; readonly detail: string; /** What does not work without it. */ readonly without: string; /** The command that mends it. */ readonly mend?: string }
