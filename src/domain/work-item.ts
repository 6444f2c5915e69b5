import { z } from "zod";
import { Gate } from "./gate.ts";
import { WorkItemId } from "./ids.ts";
import { OperatorLane } from "./lane.ts";
import { TeamSpec } from "./team.ts";

export const WorkItemKind = z.enum(["bug", "feature", "docs", "chore"]);
export type WorkItemKind = z.infer<typeof WorkItemKind>;

export const WorkItemSource = z.enum(["local", "github", "azdo", "command"]);
export type WorkItemSource = z.infer<typeof WorkItemSource>;

/** One unit of work as its source gave it. Title and body are hostile text: never in argv, a shell, a format or a path. */
export const WorkItem = z.object({
  id: WorkItemId,
  source: WorkItemSource,
  /** The source's own id, e.g. a file name. */
  sourceId: z.string(),
  title: z.string().max(4_000),
  body: z.string().max(1_000_000),
  kind: WorkItemKind,
  /** 1 (first) to 4 (last). */
  priority: z.number().int().min(1).max(4),
  /** Milliseconds since the epoch. */
  createdAt: z.number().int().nonnegative(),
  /** The project's name in the configuration. */
  project: z.string(),
  /** Absolute path of the project's repository. */
  repository: z.string(),
  operatorLane: OperatorLane,
  /** Adapter-specific script for the `scripted` adapter, when the item brings its own. */
  playbook: z.string().optional(),
  /** The item asks for a person's approval; absent or false never takes away what the configuration asks for. */
  requireApproval: z.boolean().optional(),
  /** An epic: names of the projects that its children are in. */
  spans: z.array(z.string()).max(100).optional(),
  /** Lane `team`: how its team is made up; the configuration decides when absent. */
  team: TeamSpec.optional(),
});
export type WorkItem = z.infer<typeof WorkItem>;

/** What goes beyond one repository is closed by a person alone (seed row E2E-11). */
export const canAutoClose = ({ project, spans = [] }: Pick<WorkItem, "project" | "spans">): boolean => spans.every((name) => name === project);

/** Where a work item stands; the work item chart's states. */
export const WorkItemStatus = z.enum([
  "discovered", "awaitingApproval", "ready", "claimed", "operating", "verifying", "review", "publishing", "tidying",
  "retryAt", "blocked", "paused", "cancelling", "done", "failed", "cancelled", "exhausted",
]);
export type WorkItemStatus = z.infer<typeof WorkItemStatus>;

export const BlockedReason = z.enum(["needsSpec", "needsEnvironment", "needsHuman", "needsReconcile"]);
export type BlockedReason = z.infer<typeof BlockedReason>;

export const terminalStatuses = ["done", "failed", "cancelled", "exhausted"] as const satisfies readonly WorkItemStatus[];
/** How an item stands in its source. `held`: it is there, and not to be worked on now. */
export const standings = ["open", "held", "closed"] as const;
export type Standing = (typeof standings)[number];

/** What a source was told of an item in an earlier life of the factory, as far as the source still has it. */
export const Remembered = z.object({ id: WorkItemId, status: WorkItemStatus.optional(), gates: z.array(Gate), published: z.string().max(2_000).optional() });
export type Remembered = z.infer<typeof Remembered>;

export const isTerminal = (status: WorkItemStatus): boolean => (terminalStatuses as readonly string[]).includes(status);

/** States in which an item uses a slot: agents or checks may run. Waiting for a person or an alarm uses none. */
const working: ReadonlySet<WorkItemStatus> = new Set(["claimed", "operating", "verifying", "publishing", "cancelling"]);
export const usesSlot = (status: WorkItemStatus): boolean => working.has(status);
