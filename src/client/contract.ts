import type { AdapterName } from "../domain/agent.ts";
import type { Undone, WorkChange } from "../domain/change.ts";
import type { WorkItemId } from "../domain/ids.ts";
import type { ActorDetail, ActorSummary, InspectionEvent } from "../domain/inspection.ts";
import type { OperatorLane } from "../domain/lane.ts";
import type { Envelope } from "../domain/receipt.ts";
import type { SessionCommand, SessionView, StopAttempt } from "../domain/session.ts";
import type { StopVerdict } from "../domain/stop-policy.ts";
import type { ChannelView } from "../domain/notice.ts";
import type { CapState } from "../domain/ledger.ts";
import type { AdapterLoad } from "../domain/routing.ts";
import type { Amount, Cost, Day } from "../domain/spend.ts";
import type { TeamSpec, TeamView } from "../domain/team.ts";
import type { LaneRunView, PipelineView, ProgressView, StageView, WorkItemView } from "../domain/view.ts";
import type { WorkItemKind } from "../domain/work-item.ts";
import type { TerminalFrame } from "../domain/terminal-frame.ts";

/**
 * What every client (CLI, HUD, dashboard, Discord, MCP) may ask of a factory, whatever carries it: HTTP, in-process, offline (the store,
 * read-only but for mail). Clients know nothing else of the house.
 */
export interface FactoryClient extends StoredFactory, LiveFactory {}

/** What the store can answer, and what mail can carry, whether or not somebody owns the state. */
export interface StoredFactory {
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
  /** What was used, as the ledger and its journal have it: today against the caps, and rows by what is asked for. */
  readonly spend: (query: SpendQuery) => Promise<SpendReport>;
  readonly provider: () => Promise<ProviderState>;
  /** New turns of the usual adapter are this one's from now on; null: the usual one again. Turns under way finish as they are. */
  readonly chooseProvider: (adapter: AdapterName | null) => Promise<CommandReceipt>;
  /** The supervisor tree of the owner; empty with no owner in reach. */
  readonly tree: () => Promise<readonly ProcessNode[]>;
  /** Checkpoints of an item's work, oldest first. */
  readonly checkpoints: (id: WorkItemId) => Promise<readonly { readonly ref: string; readonly commit: string }[]>;
  /** Puts a checkpoint's files into a new directory and names it. */
  readonly restore: (id: WorkItemId, ref: string, to: string) => Promise<string>;
  /** The change of an item: as its worktree stands while it runs, else base..head of its branch. Rejects with `ClientProblem` when there is none. */
  readonly diff: (id: WorkItemId) => Promise<WorkChange>;
  /** Takes back what an item published, on a new branch or by moving its own back; `onto`: the branch that has it, null for finding it. Asked again it tells what it did. */
  readonly undo: (id: WorkItemId, options: { readonly onto: string | null }) => Promise<Undone>;
  /** The receipt of what an item published, signed with the factory's key, which is made at its first use. Rejects with `ClientProblem` when nothing was published. */
  readonly receipt: (id: WorkItemId) => Promise<Envelope>;
  /** Every team, running ones first, then by name. */
  readonly teams: () => Promise<readonly TeamState[]>;
  /** Sends a command to a team by its name. Rejects with `ClientProblem` when there is none. */
  readonly team: (name: string, command: TeamCommand) => Promise<CommandReceipt>;
  /** Sessions of agent CLIs that this factory knows, newest first; what waits as mail is counted already. */
  readonly sessions: () => Promise<readonly SessionView[]>;
  /** Tells something about a session. One that is not known begins with it, but for `end` and `unlink`. Rejects with `ClientProblem`. */
  readonly session: (command: SessionCommand) => Promise<SessionReceipt>;
  /** May this session stop now? Decides by the rules of docs/stop-policy.md and keeps a denial with the session; rejects when it cannot be kept. */
  readonly stopCheck: (attempt: StopAttempt) => Promise<StopVerdict>;
}

/** What lives in the owner only. Without one each of these answers empty or rejects with a `ClientProblem` that names the command which starts it. */
export interface LiveFactory {
  /** The owner: pid, gateway, slots, terminals, and why nothing more is started just now. */
  readonly status: () => Promise<FactoryStatus>;
  /** Ends the owner: agents are ended politely and their work kept, or left running for the next owner. Resolves when the owner has begun to stop. */
  readonly stop: (options: { readonly keepAgents: boolean }) => Promise<void>;
  /** Tells the sources at once what they are still to be told of their items; one try each. */
  readonly drain: () => Promise<PushReport>;
  /** Looks at every source once, now: new items are taken in, what was moved there is told to its item. */
  readonly sync: () => Promise<readonly SyncReport[]>;
  /** Where agents can be watched, also those that have ended: read from the state directory, so it needs no owner. */
  readonly terminals: () => Promise<readonly TerminalState[]>;
  /**
   * Follows a terminal from byte `from` (absent: begins with a keyframe). Frames come in order; `ready` false means "I cannot take more now":
   * bytes are then dropped and a keyframe follows when it is true again. Returns how to stop.
   */
  readonly watchTerminal: (address: string, options: { readonly from?: number; readonly ready?: () => boolean }, onFrame: (frame: TerminalFrame) => void) => () => void;
  /** What to execute to be in the real terminal; rejects where there is none (pty backend: watch it instead). */
  readonly attachment: (address: string, options: { readonly write: boolean }) => Promise<{ readonly argv: readonly [string, ...string[]]; readonly env: Readonly<Record<string, string>> }>;
  /** Says something to an agent. `interrupt`: its turn is ended and the next one begins with the message. */
  readonly message: (address: string, text: string, options: { readonly interrupt: boolean }) => Promise<MessageReceipt>;
  /** Every actor that can be inspected: durable ones that have not ended, and live ones. Without an owner the durable ones, from the store. */
  readonly actors: () => Promise<readonly ActorSummary[]>;
  readonly actor: (address: string) => Promise<ActorDetail | undefined>;
  /**
   * Follows charts step by step, in the messages of `@statelyai/inspect`; produced only while somebody listens. A promise that `onEvent`
   * returns is awaited before the next call; what does not fit into a bounded queue meanwhile is dropped and counted. Returns how to stop.
   */
  readonly inspect: (options: { readonly address?: string }, onEvent: (event: InspectionEvent) => void | Promise<void>) => () => void;
}

export type { ActorDetail, ActorSummary, InspectionEvent } from "../domain/inspection.ts";

export interface FactoryStatus {
  readonly pid: number;
  readonly version: string;
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
  /** null: this owner serves no gateway (`run`, `demo`). */
  readonly gateway: { readonly host: string; readonly port: number } | null;
  /** It picks up work by itself. */
  readonly automation: boolean;
  readonly slots: { readonly used: number; readonly of: number };
  /** Why no further item is started now, one sentence; empty while one is. */
  readonly idle: string;
  readonly terminals: { readonly backend: "tmux" | "pty" | "none"; /** Name of the private tmux server, or why there is none. */ readonly detail: string; readonly panes: number };
  readonly description: FactoryDescription;
  /** What the owner knows of its adapters just now; those it knows nothing of are absent. */
  readonly adapters: readonly AdapterLoad[];
  /** Ways to tell people, as they are configured: what each took last, and what it does not take. */
  readonly channels: readonly ChannelView[];
}

/** Which adapter is the usual one, and which stands in for it. */
export interface ProviderState {
  readonly usual: AdapterName;
  /** null: nothing was chosen. */
  readonly chosen: AdapterName | null;
  /** When it was chosen, milliseconds since the epoch; 0: never. */
  readonly since: number;
}

/** `errors`: what could not be told, by item; it is tried again by itself. */
export interface PushReport { readonly drained: number; readonly errors: readonly string[] }
/** What one look at a source came to. `malformed`: what is no work item there, with why. `trouble`: why the look is not whole; null when it is. */
export interface SyncReport { readonly source: string; readonly taken: number; readonly changed: number; readonly malformed: readonly string[]; readonly trouble: string | null }
export type { SessionCommand, SessionView, StopAttempt } from "../domain/session.ts";
export type { StopVerdict } from "../domain/stop-policy.ts";

/** `warning`: a denied stop of an earlier session here, or of the same item, told once; only by `start`. */
export interface SessionReceipt extends CommandReceipt { readonly session: SessionView; readonly warning: StopVerdict | null }

export interface TeamState { readonly team: TeamView; readonly item: WorkItemView | null; /** Of all tries of its item. */ readonly cost: Cost; readonly updatedAt: number }

export type TeamCommand =
  | { readonly type: "message"; /** A member's name, `leader`, or `all`. */ readonly to: string; readonly text: string; readonly id: string }
  | { readonly type: "add"; readonly adapter: AdapterName | null }
  | { readonly type: "remove"; readonly member: string }
  | { readonly type: "shutdown"; readonly force: boolean };

export interface TerminalState {
  /** `LOC-3/coder`, `alpha/worker-1`. */
  readonly address: string;
  readonly item: WorkItemId;
  /** Name of the team; null for a pipeline's stage. */
  readonly team: string | null;
  /** `coder`, `critic`, `leader`, `worker-2`. */
  readonly seat: string;
  readonly adapter: string;
  /** `running`: an agent lives in it now. */
  readonly state: "running" | "idle" | "ended";
  /** Bytes ever written to it. */
  readonly size: number;
  /** The oldest byte that is still kept. */
  readonly from: number;
  readonly columns: number;
  readonly rows: number;
  readonly lastLine: string;
  readonly updatedAt: number;
  /** `%5` of the private tmux server, or `pty`; null while it is shown nowhere. */
  readonly pane: string | null;
  /** People who look at it in tmux now. */
  readonly attached: number;
}

export type { TerminalFrame };

/** `delivered`: the agent has it. `queued`: it is in the agent's next turn. `undelivered`: nobody will ever read it, and why. */
export interface MessageReceipt { readonly id: string; readonly state: "delivered" | "queued" | "undelivered"; readonly detail: string }

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
  /** Lane `team`: how far its team is. */
  readonly team: { readonly phase: TeamView["phase"]; readonly done: number; readonly tasks: number } | null;
  /** A lane with phases of its own: its run. The pipeline and the stage are then those of the run's present step. */
  readonly lane: LaneRunView | null;
  /** Of another lane's run that this one has begun: then the pipeline and the stage are those of its present step. */
  readonly nested: LaneRunView | null;
  /** Of all its tries so far. */
  readonly cost: Cost;
  readonly updatedAt: number;
}

export const spendKinds = ["run", "stage", "item", "lane", "project", "day"] as const;
export type SpendKind = (typeof spendKinds)[number];

export interface SpendQuery {
  /** What the rows are; absent: no rows, which costs no look into the journal. */
  readonly by?: SpendKind | undefined;
  /** The first day that counts: `2026-11-30`, `today`, `7d`; a month when absent. */
  readonly since?: string | undefined;
  /** Only this item. */
  readonly item?: WorkItemId | undefined;
}

export interface SpendRow {
  readonly key: string;
  /** Of a run: whose, which model, which day. */
  readonly says: string;
  readonly amount: Amount;
  /** When the last of it was charged. */
  readonly at: number;
}

export interface SpendReport {
  /** The calendar day it is where the user lives. */
  readonly today: Day;
  /** All that was used today. */
  readonly day: Amount;
  /** Those of the day, of the projects that used something today, and of the items that are asked for, by `item` or as rows. */
  readonly caps: readonly CapState[];
  readonly since: Day | null;
  readonly rows: readonly SpendRow[];
  /** Rows beyond the most that are told; the oldest are left out. */
  readonly more: number;
  /** Of all rows, also those left out. */
  readonly total: Amount;
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
  /** Lane `team` only. */
  readonly team?: TeamSpec;
}

export type ItemCommand =
  | { readonly type: "cancel" }
  | { readonly type: "retry" }
  | { readonly type: "answer"; readonly text: string }
  | { readonly type: "approve" }
  | { readonly type: "reject"; readonly reason: string }
  | { readonly type: "pause" }
  /** `session`: an agent CLI drives the work from then on, in a lane that can be driven so; without one the factory does. */
  | { readonly type: "resume"; readonly session?: string }
  | { readonly type: "claim"; readonly session?: string; readonly lane?: OperatorLane }
  /** A session's round of work is done: what is in the worktree is committed, checked and judged. */
  | { readonly type: "advance"; readonly session: string }
  /** Closes what may not close by itself (an epic that spans several projects). */
  | { readonly type: "acknowledgeClose"; readonly reason: string }
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
  | { readonly type: "notice"; readonly level: "info" | "warning" | "error"; readonly text: string }
  /** Changes were missed: what is known may be stale and must be read again. */
  | { readonly type: "resync" };

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
