import { z } from "zod";
import { RunId, WorkItemId } from "./ids.ts";
import { Language } from "./language.ts";
import { CapName } from "./ledger.ts";
import { Charge, Usage } from "./spend.ts";
import { Stage } from "./stage.ts";
import { TeamCriteria, TeamDuty, TeamMessage, TeamPlan } from "./team-answers.ts";
import { Audit, Verdict } from "./verdict.ts";

export const AdapterName = z.enum(["claude", "codex", "responses", "cursor", "hermes", "opencode", "scripted"]);
export type AdapterName = z.infer<typeof AdapterName>;

/** How much a model thinks before it answers, least first. An adapter takes those that its CLI knows. */
export const Effort = z.enum(["minimal", "low", "medium", "high", "xhigh", "max"]);
export type Effort = z.infer<typeof Effort>;

/** Why a turn ended without doing its work. The infra kinds never consume the work's budget. */
export const AgentFailure = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("rateLimited"), until: z.number().nullable(), message: z.string() }),
  z.object({ kind: z.literal("overloaded"), message: z.string() }),
  /** Its provider refuses, or nobody is signed in there: the next try is another adapter's, as the chain of fallbacks says. */
  z.object({ kind: z.literal("movedOn"), from: AdapterName, to: AdapterName, message: z.string() }),
  z.object({ kind: z.literal("network"), message: z.string() }),
  z.object({ kind: z.literal("spawn"), message: z.string() }),
  z.object({ kind: z.literal("auth"), message: z.string() }),
  z.object({ kind: z.literal("model"), message: z.string() }),
  z.object({ kind: z.literal("crashed"), exitCode: z.number().nullable(), signal: z.string().nullable(), message: z.string() }),
  z.object({ kind: z.literal("noResult"), message: z.string() }),
  z.object({ kind: z.literal("badSession"), message: z.string() }),
  /** The session holds all that it can; what it did is in the worktree, and another session can go on from there. */
  z.object({ kind: z.literal("contextFull"), message: z.string() }),
  /** It said more than one answer may hold, and did not come to an end. */
  z.object({ kind: z.literal("overlong"), message: z.string() }),
  /** The factory itself was asked to stop: costs no budget, the next try resumes the session. */
  z.object({ kind: z.literal("interrupted") }),
  z.object({ kind: z.literal("timeout"), afterMs: z.number() }),
  z.object({ kind: z.literal("stalled"), afterMs: z.number() }),
  /** It was never begun: as much as a cap allows is used. Costs no budget, and no retry helps before a person or a new day does. */
  z.object({ kind: z.literal("capReached"), cap: CapName, spent: z.number(), limit: z.number(), message: z.string() }),
]);
export type AgentFailure = z.infer<typeof AgentFailure>;

export const infraKinds: ReadonlySet<AgentFailure["kind"]> = new Set(["rateLimited", "overloaded", "movedOn", "network", "spawn"]);
/** Of these, the provider's "not now": it passes by itself, and may take hours. */
export const refusedKinds: ReadonlySet<AgentFailure["kind"]> = new Set(["rateLimited", "overloaded", "movedOn"]);
/** The session is of no use any more. */
export const sessionEnds: ReadonlySet<AgentFailure["kind"]> = new Set(["badSession", "contextFull", "overlong"]);

/** One place of an edit, as the tool was told: lines taken away, lines put there. */
export interface ToolDiff { readonly path: string; readonly removed: readonly string[]; readonly added: readonly string[]; /** Lines that were cut from both. */ readonly cut: number }

/** What an adapter reads off its CLI's stream: the one vocabulary of pipeline, renderers and progress evidence. */
export type AgentEvent =
  | { readonly type: "session"; readonly sessionId: string; readonly model?: string; /** The CLI's, as it names it itself. */ readonly version?: string }
  /** The CLI took the prompt that was typed into its screen. */
  | { readonly type: "prompted" }
  | { readonly type: "text"; readonly text: string }
  | { readonly type: "thinking"; readonly text: string }
  | { readonly type: "tool"; readonly phase: "start" | "end"; readonly id: string; readonly name: string; readonly kind: "read" | "edit" | "run" | "other"; readonly summary: string; readonly ok?: boolean; readonly output?: string; /** What an edit takes away and puts in its place; cut to size. */ readonly diff?: ToolDiff }
  /** Tokens of this run so far; cached input is part of the input. Of several such events of a run the last one holds. */
  | { readonly type: "usage"; readonly usage: Usage; /** Of a CLI that counts over a whole session: its total, of which `usage` is this run's part. */ readonly session?: Usage }
  /** US dollars of this run alone so far (adapters subtract what a resumed session had cost before). Of several the last one holds. */
  | { readonly type: "cost"; readonly usd: number }
  | { readonly type: "rateLimit"; readonly until: number | null; readonly message: string }
  | { readonly type: "permissionDenied"; readonly tool: string; readonly detail: string }
  | { readonly type: "question"; readonly text: string }
  /** The agent has taken a message that was sent to its running turn. */
  | { readonly type: "heard"; readonly id: string; readonly text?: string }
  | { readonly type: "verdict"; readonly verdict: Verdict }
  | { readonly type: "audit"; readonly audit: Audit }
  /** A team leader's answers. */
  | { readonly type: "plan"; readonly plan: TeamPlan }
  | { readonly type: "criteria"; readonly criteria: TeamCriteria }
  /** What the agent says to another member of its team. */
  | { readonly type: "message"; readonly message: TeamMessage }
  | { readonly type: "result"; readonly text: string }
  | { readonly type: "failure"; readonly failure: AgentFailure }
  /** A line that is no event of this CLI; kept visible, never fatal by itself. */
  | { readonly type: "garbage"; readonly line: string };

/** How a run ended. `lost`: gone without an exit file (killed with its launcher, or the machine went down). */
export interface RunExit { readonly code: number | null; readonly signal: string | null; readonly lost: boolean; readonly at: number }

/** One turn asked of an agent; written to `spec.json` of the run, so JSON. */
export const TurnRequest = z.object({
  runId: RunId,
  item: WorkItemId,
  attempt: z.number().int().positive(),
  stage: Stage,
  /** 1-based pipeline iteration. */
  iteration: z.number().int().positive(),
  /** 1-based try of this stage actor (crashes, retries and answers start a new try). */
  tryNumber: z.number().int().positive(),
  adapter: AdapterName,
  model: z.string().nullable(),
  /** Absent: as much as the CLI thinks by itself. */
  effort: Effort.optional(),
  /** Working directory: inside the item's worktree. */
  cwd: z.string(),
  prompt: z.string(),
  /** Which texts the prompt was made of, e.g. `coder/en/` and their hash; and in which language. */
  promptVersion: z.string().optional(),
  language: Language.optional(),
  /** Continue this session of the CLI. */
  sessionId: z.string().nullable(),
  /** What the resumed session had cost before, US dollars; adapters with cumulative cost subtract it. */
  sessionCostUsd: z.number().nonnegative(),
  /** Tokens that the resumed session had used before, where its CLI counts so; adapters subtract them. */
  sessionUsage: Usage.optional(),
  readOnly: z.boolean(),
  /** Head before the stage began, where that is known: what it changes is measured from here. */
  since: z.string().optional(),
  timeoutMs: z.number().int().positive(),
  /** No output and no CPU burnt for this long: stalled. */
  stallMs: z.number().int().positive(),
  playbook: z.string().nullable(),
  /** Name of the team whose member works; none for a pipeline's stage. */
  team: z.string().nullable().optional(),
  /** Whose terminal it is; default: the stage. */
  seat: z.string().optional(),
  /** Of a team's member: why it works, and on which task. */
  duty: TeamDuty.optional(),
  task: z.number().optional(),
});
export type TurnRequest = z.infer<typeof TurnRequest>;

/** The session that the next turn goes on with, and what it has used so far: a CLI may count over all of it. */
export interface CliSession { readonly id: string | null; readonly costUsd: number; readonly usage?: Usage; /** Whose it is; absent: of the adapter that was asked for. */ readonly adapter?: AdapterName }

/** How a turn ended, as the stage chart hears it. */
export const TurnOutcome = z.object({
  runId: RunId,
  ended: z.discriminatedUnion("how", [
    z.object({ how: z.literal("completed"), text: z.string() }),
    z.object({ how: z.literal("question"), text: z.string() }),
    z.object({ how: z.literal("failed"), failure: AgentFailure }),
    z.object({ how: z.literal("cancelled") }),
  ]),
  /** Which ran it, when that is not the one that was asked for. */
  adapter: AdapterName.optional(),
  /** Of the CLI that ran it, where it says so. */
  cliVersion: z.string().max(100).optional(),
  sessionId: z.string().nullable(),
  /** Cumulative cost of the session when the CLI reports it so, else of this run; US dollars. */
  sessionCostUsd: z.number(),
  /** Tokens of the whole session, of a CLI that counts so. */
  sessionUsage: Usage.optional(),
  /** What is known of it; `spend` has the rest. */
  costUsd: z.number(),
  usage: Usage,
  /** Which texts its prompt was made of; absent where no process ran. */
  promptVersion: z.string().optional(),
  /** For the ledger; absent where no process ran. */
  spend: Charge.optional(),
  verdict: Verdict.nullable(),
  audit: Audit.nullable(),
  permissionDenials: z.array(z.string()),
  /** The repository's own git files that changed while the agent worked, by path inside its git directory. */
  touched: z.array(z.string()).optional(),
  /** Ids of the messages that the agent has: those of its brief once it had opened its session, and those it took while it worked. */
  heard: z.array(z.string()).optional(),
  plan: TeamPlan.nullable().optional(),
  criteria: TeamCriteria.nullable().optional(),
  messages: z.array(TeamMessage).optional(),
  /** Processes that outlived the agent and were swept. */
  swept: z.number().int().nonnegative(),
});
export type TurnOutcome = z.infer<typeof TurnOutcome>;

