import type { Policy } from "../src/domain/policy.ts";
import type { Story } from "../src/domain/story.ts";
import type { Stamp } from "./durable.ts";
import type { LaneRun, LaneRunEvent } from "./lane-run.ts";
import type { Leg, PipelineInput } from "./pipeline-context.ts";

/** What a ralph run knows, hears and asks for; its chart is in ralph.ts, its guards in ralph-guards.ts. `leg`: it is a step of another lane. */
export interface RalphInput extends PipelineInput {
  /** Instead of those of the item; `details` are for its agents. */
  readonly stories?: readonly { readonly title: string; readonly details: string }[];
  /** The session of an agent CLI that does the rounds of work, in the item's worktree; without one the factory's own agents do. */
  readonly driver?: string;
}
export interface RalphContext extends LaneRun {
  readonly driver?: string | undefined;
  readonly maxIterations: number;
  readonly stories: readonly (Story & { readonly details?: string })[];
  /** Pipelines begun; part of their addresses. */
  readonly legs: number;
  /** Where it is, or goes on after a pause. */
  readonly phase: "executing" | "verifying" | "fixing";
  /** The open request for approval: the leg that judges, and the commit that was claimed; a session's work is committed by the leg itself. */
  readonly request: { readonly id: number; readonly head: string } | null;
}

export type RalphEvent = (
  | LaneRunEvent
  /** From now on by that session, or by the factory. */
  | { readonly type: "resume"; readonly session?: string }
  /** The session says that its round is done; what is there is looked at. Said of another round or generation than the present one it is late, and nothing. */
  | { readonly type: "advance"; readonly session: string; readonly round?: number; readonly generation?: number }
) & Stamp;

/** The leg under way or last begun; of a run that is a step itself it begins with that one's. */
export const legName = ({ leg, legs }: Pick<RalphContext, "leg" | "legs">): string => (leg === undefined ? String(legs) : `${leg.n}.${legs}`);
/** The story in hand: the first that has not passed. */
export const storyOf = ({ stories }: Pick<RalphContext, "stories">): RalphContext["stories"][number] | undefined => stories.find(({ passes }) => !passes);
/** Nothing but the story in hand is left: what is judged now is the whole. */
export const isLast = ({ stories }: Pick<RalphContext, "stories">): boolean => stories.filter(({ passes }) => !passes).length <= 1;

/** What the agent of a leg is told of where the whole stands. */
const focus = (context: RalphContext): string => {
  const story = storyOf(context), count = context.stories.length;
  if (!story || count === 1) return story?.details ?? "";
  const done = context.stories.filter(({ passes }) => passes).map(({ id }) => id);
  return context.phase === "verifying" && isLast(context)
    ? `All ${count} parts of the work item are claimed to be done. Judge the whole.${context.stories.map(({ id, title, details }) => (details === undefined ? "" : `\n\nPart ${id}: ${title}\n${details}`)).join("")}`
    : `This is about part ${story.id} of ${count} alone: ${story.title}${story.details === undefined ? "" : `\n${story.details}`}${done.length === 0 ? "" : `\nParts ${done.join(", ")} are done; do not undo them.`}`;
};

/** The next pipeline: one turn of the coder with its checks, or a judgement of what is there. */
export const legInput = (context: RalphContext, owner: PipelineInput["owner"]): PipelineInput => {
  const { item, attempt, lineage, policy, phase, session, escalated } = context, { coder, critic } = policy.stages;
  const reviews = phase === "verifying";
  // What a judge found wanting has to change, by whoever does the rounds; failing checks may hold the next time as they are.
  const wanting = (phase === "fixing" || (reviews && context.driver !== undefined && context.feedback !== "")) && context.failing.length === 0, since = wanting ? context.head : phase === "executing" ? context.leg?.since : undefined;
  const leg: Leg = {
    n: legName(context), round: context.iteration, begin: reviews ? "review" : "work", session, escalated,
    feedback: [focus(context), reviews ? "" : context.feedback].filter((text) => text !== "").join("\n\n"), findings: reviews ? [] : context.findings, ...(since === undefined ? {} : { since }),
  };
  // Somebody always judges; without a critic in the configuration it is the coder's adapter in a session of its own. The later stages have their turn
  // when the whole is judged.
  const stages: Policy["stages"] = reviews ? { ...(isLast(context) ? policy.stages : { coder }), critic: critic ?? coder } : { coder };
  return { owner, item, attempt, lineage, policy: { ...policy, stages, maxIterations: context.iteration }, failing: reviews ? [] : context.failing, leg };
};
