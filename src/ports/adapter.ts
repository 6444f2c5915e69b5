import { Context, type Effect } from "effect";
import type { AdapterName, AgentEvent, AgentFailure, Effort, TurnRequest } from "../domain/agent.ts";
import type { Check } from "../domain/check.ts";
import type { SandboxSetting } from "../domain/config.ts";
import type { HookProgram } from "../domain/hook-environment.ts";
import type { McpServer } from "../domain/mcp.ts";
import type { RunExit } from "./agent-process.ts";

/** How to run one turn: what to launch, without starting it. Pure. */
export interface LaunchPlan {
  readonly argv: readonly [string, ...string[]];
  /** Added to the allow-listed base environment; adapters name here what their CLI needs. */
  readonly env: Readonly<Record<string, string>>;
  readonly stdin: string;
  readonly stdinMode: "close" | "open";
  /** Written (0600) into the run's directory before the start. */
  readonly files?: Readonly<Record<string, string>>;
}

/** What the end of the stream, the exit and the error output say together, when no `result` or `failure` event did. */
export interface StreamEnd { readonly exit: RunExit; readonly errorTail: string }

/** Reads one run's output. State lives here only; feeding the same lines again gives the same events. */
export interface StreamReader {
  /** Events of one line of standard output. Never throws: what it cannot read is `garbage`. */
  readonly line: (text: string) => readonly AgentEvent[];
  /** Called once after the last line. Adds the closing `result` or `failure` if the stream did not carry one. */
  readonly end: (end: StreamEnd) => readonly AgentEvent[];
}

export interface AdapterCapabilities {
  /** The CLI itself can be told to change nothing. */
  readonly readOnly: boolean;
  readonly resume: boolean;
  /** It can be given servers of tools for one turn. */
  readonly mcp: boolean;
  readonly cost: boolean;
  /** What its CLI can be told of effort; a stage that asks for another one is refused. */
  readonly effort: readonly Effort[];
}

/**
 * One turn in the CLI's own screen: a person can look over its shoulder and type. The prompt is typed in as a transaction; hooks of the CLI
 * append what happens to the run's `out`, a line each, so that everything behind the reader is as with any other run.
 */
export interface ScreenMode {
  readonly plan: (turn: TurnRequest, host: HostEnvironment) => ScreenPlan | AgentFailure;
  /** The lines that hooks write. `session` means that the CLI takes a prompt; a closing event, that the turn is over and the CLI may go. */
  readonly reader: (turn: TurnRequest) => StreamReader;
  /** What a CLI may show before it takes a prompt, and the key that takes it one step on. The first that shows counts; it is pressed again while the same still shows. */
  readonly dialogs: readonly { readonly shows: RegExp; readonly key: "Up" | "Down" | "Enter" | "Escape" | "Tab" }[];
}

export interface ScreenPlan {
  readonly argv: readonly [string, ...string[]];
  readonly env: Readonly<Record<string, string>>;
  /** Written (0600) into the run's directory before the start. */
  readonly files: Readonly<Record<string, string>>;
}

/** One agent CLI. A new adapter is one module that implements this and one line in the registry. */
export interface Adapter {
  readonly name: AdapterName;
  /** The contract was played with the real program. False: with a stand-in of its documented interface only, and doctor says so. */
  readonly verified: boolean;
  readonly capabilities: AdapterCapabilities;
  /** The CLI is kept from the repository's own settings, AGENTS.md with them: the prompt of a turn that works and begins a session names those files. */
  readonly agentsFiles?: "told";
  readonly plan: (turn: TurnRequest, host: HostEnvironment) => LaunchPlan | AgentFailure;
  readonly reader: (turn: TurnRequest) => StreamReader;
  /** The text to write to an open standard input for a polite interrupt; `undefined`: start with SIGINT. */
  readonly interrupt?: string;
  /**
   * The bytes that carry a message to a running turn, when its standard input is open. The reader must give a `heard` event with the same id once the
   * agent has taken it: what was never heard is said again in the next turn.
   */
  readonly message?: (message: { readonly id: string; readonly text: string }) => string;
  /** Absent: this CLI has no screen that the factory can drive. */
  readonly screen?: ScreenMode;
  /** For doctor: is the CLI there, which version, is it signed in? Runs nothing that costs money. */
  readonly probe: (host: HostEnvironment) => Effect.Effect<AdapterProbe>;
}

export interface AdapterProbe { readonly ok: boolean; readonly detail: string; readonly mend?: string }

/** The owner's environment an adapter may draw from by name; it passes on only what it lists. */
export interface HostEnvironment {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly home: string;
  readonly runDirectory: string;
  /** How the CLI's hooks reach the factory; absent where there is no program that they could call. */
  readonly hooks?: HookProgram;
  /** What the owner has set up for commands of this repository; absent where nobody has. An agent of our own keeps to it; other CLIs have rules of their own. */
  readonly project?: ProjectCommands;
  /** Servers of tools for this turn. */
  readonly mcp?: readonly McpServer[];
}

export interface ProjectCommands {
  readonly sandbox: SandboxSetting;
  /** Empty: found by the files of the project. */
  readonly checks: readonly Check[];
  /** Milliseconds for a check that was found. */
  readonly checkTimeoutMs: number;
  /** Names of environment variables that commands get. */
  readonly env: readonly string[];
}

export interface AdaptersShape { readonly get: (name: AdapterName) => Adapter | undefined; readonly all: readonly Adapter[] }
export class Adapters extends Context.Service<Adapters, AdaptersShape>()("enact-factory/ports/Adapters") {}
