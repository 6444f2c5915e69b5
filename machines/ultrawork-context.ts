import { emptyBoard } from "../src/domain/board.ts";
import type { Gates } from "../src/domain/gate.ts";
import { laneAddress, pipelineAddress } from "../src/domain/ids.ts";
import { emptyMailbox } from "../src/domain/mailbox.ts";
import { defaultLanePolicy } from "../src/domain/policy.ts";
import { storiesOf } from "../src/domain/story.ts";
import type { PlannedTask } from "../src/domain/team-answers.ts";
import { defaultTeamPolicy } from "../src/domain/team.ts";
import type { Stamp } from "./durable.ts";
import { firstFeedback, type PipelineEnded, type PipelineGates, type PipelineInput } from "./pipeline-context.ts";
import type { TeamContext, TeamEvent } from "./team-context.ts";

/**
 * What a run of lane `ultrawork` knows, hears and asks for; its chart is in ultrawork.ts, its guards in ultrawork-guards.ts. It is a team's knowledge
 * without a leader's: no duty is ever owed, and `checking` is the leg that judges.
 */
export interface UltraworkContext extends TeamContext {
  readonly lane: "ultrawork";
  /** Where it is, or goes on after a pause. */
  readonly phase: "executing" | "verifying" | "fixing";
  /** Rises with every pause, resume and cancel. */
  readonly generation: number;
  /** Judging pipelines begun; part of their addresses. */
  readonly legs: number;
  /** What the last judgement that sent the work back asked for. */
  readonly feedback: string;
}

export type UltraworkEvent =
  | Exclude<TeamEvent, { readonly type: "verify.done" | "member.answered" | "team.add" | "team.remove" | "team.shutdown" }>
  | ((PipelineEnded | PipelineGates
    | { readonly type: "pipeline.asks"; readonly question: string; readonly leg?: string }
    | { readonly type: "pause" }
    | { readonly type: "resume" }) & Stamp);

/** The item's parts; after its own last check found failures, what these are alone: the parts are done. */
const plannedOf = ({ item, failing, guidance }: PipelineInput): readonly PlannedTask[] => {
  const advice = firstFeedback({ failing: [], ...(guidance === undefined ? {} : { guidance }) });
  const task = (title: string, description = ""): PlannedTask => ({ title: title.slice(0, 200), description: [description, advice].filter((text) => text !== "").join("\n\n"), acceptance: [], dependsOn: [] });
  if (failing.length > 0) return [task("Mend the checks", `The final check of the work found failures that were not there before:\n${failing.slice(0, 50).map((name) => `- ${name}`).join("\n")}`)];
  const parts = storiesOf(item);
  return parts.map(({ title }) => task(title, parts.length === 1 ? "" : `This is one part of the work item; the other parts are done by others at the same time. The part: ${title}`));
};

export const begun = (input: PipelineInput): UltraworkContext => {
  const { item, policy } = input, { concurrency, maxFixes } = policy.lanes?.ultrawork ?? defaultLanePolicy.ultrawork, planned = plannedOf(input);
  return {
    ...input, lane: "ultrawork", phase: "executing", generation: 1, legs: 0, feedback: "",
    spec: { name: item.id.toLowerCase(), workers: Math.min(concurrency, planned.length), adapters: [], tasks: [], interactive: false }, limits: { ...(policy.team ?? defaultTeamPolicy), workers: concurrency, maxFixes },
    workspace: null, head: "", members: [], planned, board: emptyBoard, mailbox: emptyMailbox, queue: [], merging: null, checking: false, duty: null, duties: 0, fixes: 0, checks: null, newFailures: [],
    asking: [], lapse: null, letters: 0, events: [], costUsd: 0, summary: "", warnings: [], ending: null, force: false, reason: "", failure: null,
  };
};

export const legAddress = ({ item, attempt, legs }: UltraworkContext) => pipelineAddress(item.id, attempt, String(legs));

/** The pipeline that judges the merged whole. Somebody always does: without a critic in the configuration the coder's adapter, in a session of its own. */
export const legInput = ({ item, attempt, lineage, policy, legs, fixes, board }: UltraworkContext): PipelineInput => {
  const { coder, critic } = policy.stages, parts = board.tasks.filter(({ kind }) => kind === "work").length;
  return {
    owner: laneAddress("ultrawork", item.id, attempt), item, attempt, lineage, failing: [], policy: { ...policy, stages: { ...policy.stages, critic: critic ?? coder }, maxIterations: fixes + 1 },
    leg: { n: String(legs), round: fixes + 1, begin: "review", feedback: parts < 2 ? "" : `All ${parts} parts of the work item are merged. Judge the whole.`, findings: [], session: { id: null, costUsd: 0 }, escalated: false, watched: true },
  };
};

/** What an implementation shows whose every part is merged. */
export const mergedGates = ({ head, board }: UltraworkContext): Gates => ({ implementationComplete: { state: "met", evidence: `commit ${head.slice(0, 12)}: ${board.tasks.filter(({ state }) => state === "done").length} parts merged` } });
