import { boardOf, refusalText } from "../src/domain/board.ts";
import { emptyBrief } from "../src/domain/effects.ts";
import { type Address, laneAddress, pipelineAddress, stageAddress, teamAddress } from "../src/domain/ids.ts";
import type { executors, LanePolicy, Policy } from "../src/domain/policy.ts";
import type { PlannedTask, PlannerDuty } from "../src/domain/team-answers.ts";
import type { Stamp } from "./durable.ts";
import type { LaneRun, LaneRunEvent } from "./lane-run.ts";
import { type CoderSession, firstFeedback, type Leg, type PipelineInput, required } from "./pipeline-context.ts";
import type { RalphInput } from "./ralph-context.ts";
import type { StageEnded, StageInput } from "./stage.ts";

/** What an autopilot run knows, hears and asks for; its chart is in autopilot.ts, its guards in autopilot-guards.ts. */
export const autopilotPhases = ["expansion", "planning", "execution", "qa", "mending", "validation"] as const;
export type AutopilotPhase = (typeof autopilotPhases)[number];

export interface AutopilotContext extends LaneRun {
  readonly caps: NonNullable<LanePolicy["autopilot"]>;
  /** Where it is, or goes on after a pause. */
  readonly phase: AutopilotPhase;
  /** Sentences by which the whole is judged. */
  readonly criteria: readonly string[];
  /** The plan, in the order in which it is worked on. */
  readonly tasks: readonly PlannedTask[];
  /** Why the last plan could not be used. */
  readonly planProblem: string;
  /** Plans asked for, checks of the whole, judgements of the whole: the present ones included. */
  readonly plans: number;
  readonly cycles: number;
  readonly rounds: number;
  /** Children begun (planners, the ralph run, pipelines); part of their addresses. */
  readonly children: number;
  readonly planner: CoderSession;
}

export type AutopilotEvent = (
  | LaneRunEvent
  | StageEnded
  | { readonly type: "stage.asks"; readonly question: string }
  | { readonly type: "pipeline.paused"; readonly attempt: number; readonly leg?: string }
  | { readonly type: "resume" }
) & Stamp;

/** Whose run does the plan's tasks. */
export const executorOf = ({ caps }: Pick<AutopilotContext, "caps">): (typeof executors)[number] => caps.execution ?? "ralph";

/** Planners work in the first two phases, the run of another lane in the third, pipelines in the others. An attempt has one team at most. */
export const childAddress = ({ item, attempt, phase, children, caps }: Pick<AutopilotContext, "item" | "attempt" | "phase" | "children" | "caps">): Address => {
  if (phase === "expansion" || phase === "planning") return stageAddress(item.id, attempt, "planner", children);
  if (phase !== "execution") return pipelineAddress(item.id, attempt, String(children));
  return executorOf({ caps }) === "team" ? teamAddress(item.id, attempt) : laneAddress("ralph", item.id, attempt, String(children));
};

/** Why these tasks cannot be worked on; empty when they can. */
export const planProblem = (tasks: readonly PlannedTask[]): string => {
  const outcome = boardOf(tasks);
  return outcome.ok ? "" : refusalText(outcome.refusal);
};

/** Each after what it depends on, by its new number; else as planned. What depends on itself is in no order: such a plan is refused before. */
export const inOrder = (tasks: readonly PlannedTask[]): readonly PlannedTask[] => {
  const left = tasks.map((task, n) => ({ task, n: n + 1 })), ordered: PlannedTask[] = [], places = new Map<number, number>();
  for (let at = 0; at >= 0;) {
    at = left.findIndex(({ task }) => task.dependsOn.every((on) => places.has(on)));
    for (const { task, n } of at < 0 ? [] : left.splice(at, 1)) places.set(n, ordered.push({ ...task, dependsOn: task.dependsOn.flatMap((on) => places.get(on) ?? []) }));
  }
  return ordered;
};

const listed = (title: string, lines: readonly string[]): string => (lines.length === 0 ? "" : `${title}\n${lines.map((line) => `- ${line}`).join("\n")}`);
const joined = (...texts: readonly string[]): string => texts.filter((text) => text !== "").join("\n\n");
const wholeCriteria = ({ criteria }: AutopilotContext): string => listed("The whole is done when:", criteria);

/** A planner's turn. Its number is also its iteration, so that no two are alike. Without a planner in the configuration it is the coder's adapter. */
export const plannerInput = (context: AutopilotContext, owner: Address, duty: PlannerDuty): StageInput => {
  const { item: { id, title, body, kind, repository, playbook }, policy, attempt, children, workspace, failing } = context;
  const plan = policy.stages.planner ?? policy.stages.coder;
  if (!plan) throw new Error("there is neither a planner nor a coder");
  return {
    pipeline: owner, stage: "planner", item: { id, title, body, kind }, attempt, iteration: children, adapter: plan.adapter, model: plan.model, timeoutMs: plan.timeoutMs, workspace: required(workspace), repository, since: context.head,
    playbook: playbook ?? null, duty, session: context.planner, policy,
    brief: { ...emptyBrief, failingChecks: [...failing], feedback: joined(firstFeedback(context), wholeCriteria(context), context.planProblem === "" ? "" : `Your last plan cannot be used: ${context.planProblem}. Give another one.`) },
  };
};

const leg = (context: AutopilotContext, more: Pick<Leg, "begin" | "feedback" | "findings" | "since">): Leg => ({ n: String(context.children), round: context.iteration, session: context.session, escalated: context.escalated, ...more });

const runLeg = (context: AutopilotContext): Leg => ({ ...leg(context, { begin: "work", feedback: "", findings: [] }), round: 1 });

/** The run that does the plan's tasks; the later stages have their turn when the whole is judged. */
export const runInput = (context: AutopilotContext, owner: Address): RalphInput => {
  const { item, attempt, lineage, policy, failing, guidance, tasks } = context, { coder, critic } = policy.stages;
  return {
    owner, item, attempt, lineage, failing, ...(guidance === undefined ? {} : { guidance }), policy: { ...policy, stages: { coder, ...(critic === undefined ? {} : { critic }) } },
    leg: runLeg(context),
    stories: tasks.map(({ title, description, acceptance }) => ({ title, details: joined(description, listed("It is done when:", acceptance)) })),
  };
};

/** The same, by a team: its leader judges instead of planning. */
export const teamInput = (context: AutopilotContext, owner: Address): PipelineInput => {
  const { item, attempt, lineage, policy, failing, tasks } = context, { coder, critic } = policy.stages;
  return {
    owner, item: { ...item, team: { name: item.id.toLowerCase(), workers: 0, adapters: [], interactive: false, ...item.team, tasks: tasks.map((task) => ({ ...task, dependsOn: [...task.dependsOn] })) } }, attempt, lineage, failing,
    policy: { ...policy, stages: { coder, ...(critic === undefined ? {} : { critic }) } }, leg: runLeg(context),
  };
};

/** A pipeline about the whole: that checks it, mends it, or judges it. Somebody always judges; without a critic it is the coder's adapter in a session of its own. */
export const legInput = (context: AutopilotContext, owner: Address): PipelineInput => {
  const { item, attempt, lineage, policy, phase } = context, { coder, critic, tester, documenter, auditor, "stage-documenter": report } = policy.stages, mends = phase === "mending";
  const chosen: Policy["stages"] = phase === "qa" ? { coder, tester } : mends ? { coder } : { coder, critic: critic ?? coder, documenter, auditor, "stage-documenter": report };
  const stages: Policy["stages"] = Object.fromEntries(Object.entries(chosen).filter(([, plan]) => plan !== undefined));
  return {
    owner, item, attempt, lineage, policy: { ...policy, stages, maxIterations: context.iteration }, failing: mends ? context.failing : [],
    leg: leg(context, mends ? { begin: "work", feedback: joined(wholeCriteria(context), context.feedback), findings: context.findings, ...(context.failing.length === 0 ? { since: context.head } : {}) } : { begin: "review", feedback: wholeCriteria(context), findings: [] }),
  };
};
