import type { AnyMachineSnapshot } from "xstate";
import type { QueuedMessage } from "../src/domain/message.ts";
import type { SessionView } from "../src/domain/session.ts";
import { defaultRefusedRetries } from "../src/domain/policy.ts";
import { stages } from "../src/domain/stage.ts";
import { laneAddress, memberAddress, pipelineAddress } from "../src/domain/ids.ts";
import type { Ledger } from "../src/domain/ledger.ts";
import type { TeamView } from "../src/domain/team.ts";
import type { LaneRunView, MemberView, PipelineView, ProgressView, StageView, WorkItemView } from "../src/domain/view.ts";
import { WorkItemStatus } from "../src/domain/work-item.ts";
import { type AutopilotContext, childAddress } from "./autopilot-context.ts";
import type { ChannelView } from "../src/domain/notice.ts";
import type { NoticesContext } from "./notices.ts";
import type { PipelineContext } from "./pipeline-context.ts";
import type { ProgressContext } from "./progress.ts";
import type { MemberContext } from "./member-context.ts";
import { legName, type RalphContext } from "./ralph-context.ts";
import type { SessionContext } from "./session.ts";
import type { SpendContext } from "./spend.ts";
import type { StageContext } from "./stage.ts";
import { isLiving, type TeamContext } from "./team-context.ts";
import { runAddress } from "./team-work.ts";
import { legAddress, type UltraworkContext } from "./ultrawork-context.ts";
import { neededGates, type WorkItemContext } from "./work-item-context.ts";

/** What clients see of each durable chart: small, flat, JSON. */

type Snapshot<C> = AnyMachineSnapshot & { readonly context: C };

const stateName = (snapshot: AnyMachineSnapshot): string => (typeof snapshot.value === "string" ? snapshot.value : JSON.stringify(snapshot.value));

export const viewWorkItem = (snapshot: Snapshot<WorkItemContext>): WorkItemView => {
  const { context: c } = snapshot;
  const { id, source, sourceId, title, kind, priority, createdAt, project, repository } = c.item;
  return {
    id, source, sourceId, title: title.length > 200 ? `${title.slice(0, 199)}…` : title, kind, priority, createdAt, project, repository,
    operatorLane: c.operatorLane, status: WorkItemStatus.parse(stateName(snapshot)), lineage: c.lineage, attempt: c.attempt, iterations: c.iterations,
    failures: c.failures, itemFailures: c.policy.itemFailures, infraFailures: c.infraFailures, infraRetries: c.policy.infraRetries, retryAt: c.retryAt, blocked: c.blocked, question: c.question, reason: c.reason,
    branch: c.workspace?.branch ?? null, worktree: c.tidied ? null : (c.workspace?.path ?? null), base: c.workspace?.base ?? null, head: c.head || null,
    checks: c.checks, summary: c.summary, warnings: [...c.warnings], costUsd: c.costUsd, published: c.published,
    running: c.running, needs: [...neededGates(c)], gates: c.gates, ledger: [...c.ledger],
  };
};

export const viewRalph = (snapshot: Snapshot<RalphContext>): LaneRunView => {
  const c: RalphContext = snapshot.context;
  return {
    lane: "ralph", address: laneAddress("ralph", c.item.id, c.attempt, c.leg?.n), state: stateName(snapshot), phase: c.phase, generation: c.generation, iteration: c.iteration, maxIterations: c.maxIterations, stories: c.stories.map(({ id, title, passes, evidence }) => ({ id, title, passes, evidence })), request: c.request,
    leg: c.legs === 0 ? "" : pipelineAddress(c.item.id, c.attempt, legName(c)), running: c.running, session: c.driver ?? null, worktree: c.workspace?.path ?? null,
    feedback: c.feedback.slice(0, 2_000), failing: c.failing.slice(0, 20), question: c.question, rule: c.rule, reason: c.reason, costUsd: c.costUsd,
  };
};

export const viewAutopilot = (snapshot: Snapshot<AutopilotContext>): LaneRunView => {
  const c: AutopilotContext = snapshot.context, { plans, qaCycles, validationRounds } = c.caps;
  const planning = { id: "autopilot.plans", now: c.plans, limit: plans, says: `plan ${c.plans} of ${plans}` }, checking = { id: "autopilot.qaCycles", now: c.cycles, limit: qaCycles, says: `check ${c.cycles} of ${qaCycles} of the whole` };
  const judging = { id: "autopilot.validationRounds", now: c.rounds, limit: validationRounds, says: `judgement ${c.rounds} of ${validationRounds} of the whole` };
  const present = c.phase === "qa" || c.phase === "mending" ? checking : c.phase === "validation" ? judging : planning, worked = c.phase === "qa" || c.phase === "mending" || c.phase === "validation";
  return {
    lane: "autopilot", address: laneAddress("autopilot", c.item.id, c.attempt), state: stateName(snapshot), phase: c.phase, generation: c.generation, iteration: present.now, maxIterations: present.limit, counters: [planning, checking, judging],
    stories: c.tasks.map(({ title }, n) => ({ id: n + 1, title, passes: worked, evidence: worked ? "its run is done" : "" })), request: c.phase === "validation" && c.running ? { id: c.children, head: c.head } : null,
    leg: c.children === 0 ? "" : childAddress(c), running: c.running, session: null, worktree: c.workspace?.path ?? null, failing: c.failing.slice(0, 20), feedback: (c.planProblem || c.feedback).slice(0, 2_000), question: c.question, rule: c.rule, reason: c.reason, costUsd: c.costUsd,
  };
};

export const viewPipeline = (snapshot: Snapshot<PipelineContext>): PipelineView => {
  const { context: c } = snapshot;
  return {
    state: stateName(snapshot), stage: c.stage, stageAddress: c.stageAddress, iteration: c.iteration, maxIterations: c.policy.maxIterations,
    branch: c.workspace?.branch ?? null, worktree: c.workspace?.path ?? null, head: c.head || null, changeSummary: c.changeSummary, checks: c.checks,
    newFailures: c.newFailures.slice(0, 10), feedback: c.feedback.slice(0, 2_000), escalated: c.escalated, question: c.question, costUsd: c.costUsd, rule: c.rule, reason: c.reason,
    messages: c.messages.map((message: QueuedMessage) => ({ ...message, text: message.text.slice(0, 200) })), stages: stages.filter((stage) => stage !== "planner" && c.policy.stages[stage] !== undefined),
  };
};

/** Parts are what was asked for, and what came on top; a conflict is part of none. */
export const viewUltrawork = (snapshot: Snapshot<UltraworkContext>): LaneRunView => {
  const c: UltraworkContext = snapshot.context, over = snapshot.status !== "active", working = snapshot.matches("working");
  const parts = c.board.tasks.filter(({ kind, replacedBy }) => kind !== "conflict" && replacedBy === null);
  return {
    lane: "ultrawork", address: laneAddress("ultrawork", c.item.id, c.attempt), state: working ? c.phase : snapshot.matches("starting") ? "starting" : stateName(snapshot), phase: c.phase, generation: c.generation, iteration: c.fixes + 1, maxIterations: c.limits.maxFixes + 1,
    counters: [{ id: "ultrawork.maxFixes", now: c.fixes, limit: c.limits.maxFixes, says: `${c.fixes} of ${c.limits.maxFixes} fixes used` }],
    stories: parts.length === 0 ? c.planned.map(({ title }, n) => ({ id: n + 1, title, passes: false, evidence: "" })) : parts.map(({ id, title, state, evidence }) => ({ id, title, passes: state === "done", evidence: state === "done" && evidence ? `commit ${evidence.commit.slice(0, 12)}` : "" })),
    request: null, leg: c.checking || (over && c.legs > 0) ? legAddress(c) : "", running: working || c.checking, session: null, worktree: c.workspace?.path ?? null, failing: c.newFailures.slice(0, 20), feedback: c.feedback, question: c.members.find(({ name }) => name === c.asking[0])?.question ?? null, rule: "", reason: c.reason, costUsd: c.costUsd,
    workers: c.members.filter(isLiving).map(({ name, state, adapter, task }) => ({ name, state, adapter, task })),
    // The last who were hired: a resume hires as many anew.
    down: c.members.slice(-c.spec.workers).filter(({ state }) => state === "down").map(({ name, adapter, died, reason, since }) => ({ name, adapter, restarts: died, reason: reason.slice(0, 300), since })),
  };
};

export const viewStage = (snapshot: Snapshot<StageContext>): StageView => {
  const { context: c } = snapshot;
  return {
    state: stateName(snapshot), stage: c.stage, iteration: c.iteration, tryNumber: c.tryNumber, adapter: c.place?.adapter ?? c.adapter, model: c.place ? c.place.model : c.model, waitsForPlace: c.place?.waits ?? false,
    infraFailures: c.infraFailures, infraRetries: c.policy.infraRetries, refused: c.refused ?? 0, refusedRetries: c.policy.refusedRetries ?? defaultRefusedRetries, crashes: c.crashes, crashRetries: c.policy.crashRetries,
    retryAt: c.retryAt, question: c.question, reason: c.reason, costUsd: c.costUsd,
  };
};

export const viewProgress = (snapshot: Snapshot<ProgressContext>): ProgressView => {
  const { context: c } = snapshot;
  return { state: stateName(snapshot), rule: c.rule, says: c.says, facts: { ...c.facts, feedback: c.facts.feedback.length }, limits: c.limits };
};

export const viewSession = (snapshot: Snapshot<SessionContext>): SessionView => snapshot.context;

const memberState: Readonly<Record<string, MemberView["state"]>> = {
  preparing: "starting", between: "idle", idle: "idle", syncing: "working", working: "working", cancelling: "working", waiting: "waiting", restarting: "waiting", dying: "waiting", asking: "asking", committing: "committing", checking: "checking", merging: "merging",
  leaving: "draining", saving: "draining", tidying: "draining", parted: "gone", done: "gone", cancelled: "gone", failed: "down", exhausted: "down",
};

export const viewMember = (snapshot: Snapshot<MemberContext>): MemberView => {
  const c: MemberContext = snapshot.context, place = snapshot.matches("working") ? c.place : undefined;
  return {
    name: c.name, role: c.role, state: c.stopping !== "no" && snapshot.status === "active" ? "draining" : (memberState[stateName(snapshot)] ?? "working"), adapter: place?.adapter ?? c.adapter, task: c.grant && c.grant.task > 0 ? c.grant.task : null, iteration: c.iteration,
    turns: c.turns, restarts: c.died, costUsd: c.costUsd, ...(c.cost === undefined ? {} : { cost: c.cost }), branch: c.workspace?.branch ?? null, worktree: c.workspace?.path ?? null, retryAt: c.retryAt, reason: place?.waits === true ? `waits for a place at ${place.adapter}` : c.reason.slice(0, 300), since: c.since, question: c.question,
  };
};

const phaseOf = (snapshot: AnyMachineSnapshot): TeamView["phase"] => {
  for (const phase of ["plan", "prd", "exec", "verify", "fix", "mending", "pausing", "paused"] as const) if (snapshot.matches({ alive: phase })) return phase;
  for (const phase of ["done", "failed", "cancelled", "exhausted", "draining"] as const) if (snapshot.matches(phase)) return phase;
  return snapshot.matches("stopping") ? "draining" : "preparing";
};

/** As the team knows it; what a member does just now is in that member's own view. */
export const viewTeam = (snapshot: Snapshot<TeamContext>): TeamView => {
  const c: TeamContext = snapshot.context;
  return {
    name: c.spec.name, item: c.item.id, attempt: c.attempt, phase: phaseOf(snapshot), fixes: c.fixes, maxFixes: c.limits.maxFixes,
    members: c.members.map(({ name, role, state, adapter, task, turns, died, costUsd, reason, since, question }) => ({
      name, role, state, adapter, task: task === 0 ? null : task, turns, restarts: died, costUsd, branch: null, worktree: null, address: memberAddress(c.item.id, c.attempt, name), reason: reason.slice(0, 300), since, question,
    })),
    tasks: c.board.tasks.map(({ id, title, kind, state, dependsOn, owner, leaseUntil, attempts, evidence, reason }) => ({ id, title, kind, state, dependsOn: [...dependsOn], owner, leaseUntil, attempts, evidence: evidence && { ...evidence, summary: evidence.summary.slice(0, 300) }, reason: reason.slice(0, 300) })),
    messages: c.mailbox.letters.slice(-50).map((letter) => ({ ...letter, text: letter.text.slice(0, 300) })), events: [...c.events],
    branch: c.workspace?.branch ?? null, head: c.head || null, checks: c.checks, costUsd: c.costUsd, interactive: c.spec.interactive, ...(c.run ? { leg: runAddress(c) } : {}), reason: c.reason,
  };
};

export const viewSpend = ({ context: { caps, items, days } }: Snapshot<SpendContext>): Ledger => ({ caps, items, days });

export const viewNotices = ({ context: { channel, lastAt, open, lost } }: Snapshot<NoticesContext>): ChannelView => ({ channel, lastAt, open, lost });
