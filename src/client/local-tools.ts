/** What commands need besides the contract: ways to a factory, and what is no business of a running one. Given to the CLI by the bin. */
import type { AdapterName, Effort } from "../domain/agent.ts";
import type { ReceiptCheckup } from "../domain/receipt.ts";
import type { Usage } from "../domain/spend.ts";
import type { SkillShelf } from "./skills.ts";
import type { FactoryClient } from "./contract.ts";

/** An open connection. `close("suspend")` ends agents politely and keeps their work; `close("abandon")` leaves them to the next owner. */
export interface Connection { readonly client: FactoryClient; readonly close: (how: "suspend" | "abandon") => Promise<void> }

export interface ConnectOptions {
  readonly configFile?: string;
  /** Where to look for config.toml from. */
  readonly directory: string;
  /** The repository that is meant; the state directory is in it when there is no configuration. Default: `directory`. */
  readonly repository?: string;
  /**
   * `own`: become the owner, or a client when there is one already. `read`: never become the owner.
   * `daemon`: a client of the daemon; one that crashes is started again, one that was stopped is waited for a while.
   */
  readonly as: "own" | "read" | "daemon";
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
  /** Says something by way of trial on one channel, or on all of them; one try each. Rejects with `ClientProblem` where there is no such channel. */
  readonly tryChannels: (place: FactoryPlace, name: string | null) => Promise<readonly ChannelTrial[]>;
  readonly doctor: (options: { readonly configFile?: string; readonly directory: string }) => Promise<readonly DoctorCheck[]>;
  readonly adapters: (place: FactoryPlace) => Promise<readonly AdapterState[]>;
  /** Asks the model once, in an empty repository of its own. */
  readonly tryAdapter: (place: FactoryPlace, name: AdapterName, model: string | null) => Promise<AdapterTrial>;
  readonly backup: (options: { readonly configFile?: string; readonly directory: string; readonly to: string }) => Promise<string>;
  readonly restoreBackup: (options: { readonly configFile?: string; readonly directory: string; readonly from: string; readonly force: boolean }) => Promise<string>;
  readonly receipts: ReceiptTools;
  readonly daemon: DaemonTools;
  readonly hook: HookTools;
  readonly hooks: HookSettings;
  readonly skills: SkillShelf;
  readonly version: string;
  readonly now: () => number;
}

/** Receipts without a factory that runs. */
export interface ReceiptTools {
  /** Of this factory's key, which is made when there is none. */
  readonly publicKey: (place: FactoryPlace) => Promise<{ readonly keyid: string; readonly pem: string }>;
  /** Whose key: of a PEM file, the one with an id, or null: this factory's. Rejects when it could not be looked at. */
  readonly verify: (options: FactoryPlace & { readonly file: string; readonly key: { readonly pem: string } | { readonly keyid: string } | null; readonly against: string | null }) => Promise<ReceiptCheckup>;
}

/** A store opened for one hook. */
export interface OpenedSessions { readonly client: Pick<FactoryClient, "session" | "stopCheck">; readonly close: () => Promise<void> }

/** What the hooks of agent CLIs need: loaded in milliseconds, with an owner or without. */
export interface HookTools {
  /** `undefined`: no factory has ever run there. */
  readonly open: (place: FactoryPlace) => Promise<OpenedSessions | undefined>;
  /** Whether a worktree stands differently from a commit. */
  readonly changedSince: (worktree: string, commit: string) => Promise<boolean>;
}

/** The hooks of one agent CLI, of the user or of a project, as its settings have them. */
export interface HookFile {
  readonly cli: "claude" | "codex";
  readonly scope: "project" | "user";
  readonly file: string;
  readonly state: "none" | "installed" | "partly" | "stale" | "untrusted" | "unreadable";
  readonly detail: string;
}

/** Entries of ours in the settings of agent CLIs. `directory`: somewhere in the project. */
export interface HookSettings {
  /** `operator`: the program of Enact Operator, which owns the hooks where it is installed. */
  readonly status: (directory: string) => Promise<{ readonly operator: string | null; readonly files: readonly HookFile[] }>;
  /** Rejects with `ClientProblem`, and changes nothing, when the file is not understood. */
  readonly change: (how: "install" | "remove", what: Pick<HookFile, "cli" | "scope">, directory: string) => Promise<{ readonly changed: boolean; readonly file: HookFile }>;
}

/** Which factory: as for `connect`. */
export type FactoryPlace = Pick<ConnectOptions, "configFile" | "directory" | "repository">;

export interface DaemonTools {
  /** The daemon that runs there, proven by its token; `undefined` when none does. */
  readonly find: (place: FactoryPlace) => Promise<RunningDaemon | undefined>;
  /** Owns the state directory, picks up work and serves the gateway, in this process. Rejects when somebody else owns it. */
  readonly serve: (options: ServeOptions) => Promise<ServedFactory>;
  /** Starts one in the background and waits until its gateway answers; one that runs already is as good. */
  readonly launch: (options: LaunchOptions) => Promise<RunningDaemon & { readonly started: boolean }>;
  /** Waits until a daemon's process, and its lock with it, is gone; false after `patienceMs`. */
  readonly gone: (daemon: RunningDaemon, patienceMs: number) => Promise<boolean>;
  /** A factory that owns the state without a gateway: a command, a daemon that starts or ends, or one that hangs. */
  readonly owner: (place: FactoryPlace) => Promise<{ readonly pid: number; readonly daemon: boolean } | undefined>;
  readonly logFile: (place: FactoryPlace) => Promise<string>;
}

export interface RunningDaemon {
  readonly pid: number;
  readonly host: string;
  readonly port: number;
  /** The port that was asked for; null: whichever is free. */
  readonly asked: number | null;
  readonly startedAt: number;
  readonly startTicks: number | null;
  readonly log: string;
  readonly stateDirectory: string;
}

export interface ServeOptions extends FactoryPlace {
  /** Instead of `gateway.port`; 0: a free one. */
  readonly port?: number;
  /** Lines of the log, as they are written. */
  readonly echo?: (line: string) => void;
}

export interface ServedFactory {
  readonly daemon: RunningDaemon;
  /** Resolves when it was told to stop by its gateway, or lost its state to another process. */
  readonly ended: Promise<{ readonly how: "suspend" | "abandon"; readonly lost?: string }>;
  readonly say: (level: "info" | "warning" | "error", text: string) => void;
  readonly close: (how: "suspend" | "abandon") => Promise<void>;
}

export interface LaunchOptions extends FactoryPlace {
  readonly port?: number;
  readonly patienceMs: number;
  /** What it says on its way up. */
  readonly say?: (text: string) => void;
  /** Gives up waiting once it is aborted; any AbortSignal will do. */
  readonly signal?: { readonly aborted: boolean; readonly addEventListener: (type: "abort", listener: () => void) => void; readonly removeEventListener: (type: "abort", listener: () => void) => void };
}

export interface ConfigProblem { readonly file: string; readonly line: number; readonly column: number; readonly key: string; readonly message: string; /** An error when absent; a warning keeps nothing from starting. */ readonly severity?: "error" | "warning"; /** TOML to write instead, when there is one. */ readonly write?: string }

/** An adapter of this version, as it is here. */
export interface AdapterState {
  readonly name: AdapterName;
  /** The configured one. */
  readonly usual: boolean;
  /** It is installed, new enough and signed in. */
  readonly ok: boolean;
  /** Our contract was played with the real program, not with a stand-in of its documented interface. */
  readonly verified: boolean;
  readonly detail: string;
  readonly mend?: string;
  readonly capabilities: { readonly readOnly: boolean; readonly resume: boolean; readonly mcp: boolean; readonly cost: boolean; readonly effort: readonly Effort[] };
  readonly model: string | null;
  readonly concurrency: number | null;
  readonly turnsPerHour: number | null;
}

/** How one message went. */
export interface ChannelTrial { readonly channel: string; readonly ok: boolean; readonly detail: string; readonly tookMs: number }

/** How one small turn went. */
export interface AdapterTrial { readonly name: AdapterName; readonly ok: boolean; readonly detail: string; /** It named its session. */ readonly session: boolean; readonly usage: Usage | null; readonly model: string | null; readonly tookMs: number }

export interface DoctorCheck { readonly name: string; readonly state: "ok" | "warning" | "failed"; readonly detail: string; /** What does not work without it. */ readonly without: string; /** The command that mends it. */ readonly mend?: string }
