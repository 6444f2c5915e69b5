import { assign, enqueueActions, setup } from "xstate";
import { passed } from "../src/domain/check.ts";
import { emptyBrief, type TurnBrief } from "../src/domain/effects.ts";
import { pipelineAddress, progressAddress, stageAddress } from "../src/domain/ids.ts";
import { closeQueue, deliver, enqueue, messageCap, unread, waitingFor } from "../src/domain/message.ts";
import type { Stage } from "../src/domain/stage.ts";
import { chartOptions, hostActions } from "./durable.ts";
import { changesCli, escalates, failureOf, firstFeedback, gatesOf, mayEscalate, type PipelineContext, type PipelineEnded, type PipelineEvent, type PipelineGates, type PipelineInput, required, runnerOf, strayed } from "./pipeline-context.ts";
import { pipelineGuards } from "./pipeline-guards.ts";
import type { StageInput } from "./stage.ts";

const words = (text: string): readonly string[] => [...new Set(text.toLowerCase().match(/[\p{L}\p{N}]{3,}/gu) ?? [])].slice(0, 400);

const itself = (context: PipelineContext) => pipelineAddress(context.item.id, context.attempt, context.leg?.n);
const watcher = (context: PipelineContext) => progressAddress(context.item.id, context.attempt, context.leg?.n);

const brief = (context: PipelineContext): TurnBrief => ({
  ...emptyBrief,
  feedback: context.feedback,
  findings: [...context.findings],
  failingChecks: [...context.newFailures],
  checks: context.checks ? `before ${context.checks.base}, now ${context.checks.head}` : "",
  messages: [...waitingFor(context.messages, context.stage)],
});

const startStage = {
  type: "spawn" as const,
  params: ({ context: c }: { readonly context: PipelineContext }) => {
    const plan = c.policy.stages[c.stage];
    if (!plan || !c.workspace) throw new Error(`stage ${c.stage} was entered without a plan or a workspace`);
    const { id, title, body, kind, repository, playbook } = c.item;
    const input: StageInput = {
      pipeline: itself(c), stage: c.stage, item: { id, title, body, kind }, attempt: c.attempt, iteration: c.iteration,
      ...runnerOf(c, plan), timeoutMs: plan.timeoutMs, workspace: c.workspace, repository,
      since: c.head, playbook: playbook ?? null, brief: brief(c),
      session: c.stage === "coder" ? c.coderSession : { id: null, costUsd: 0 },
      policy: c.policy,
      ...(c.leg?.watched ? { leg: c.leg.n } : {}),
    };
    return { address: c.stageAddress, chart: "stage", input: { ...input } };
  },
};

const enterStage = (stage: Stage) => ({ type: "prepareStage" as const, params: { stage } });

const tellEnded = (outcome: PipelineEnded["outcome"]) => ({
  type: "tell" as const,
  params: ({ context: c }: { readonly context: PipelineContext }) => {
    const event: PipelineEnded = {
      type: "pipeline.ended", attempt: c.attempt, outcome, failure: c.failure, reason: c.reason, workspace: c.workspace, head: c.head, iterations: c.iteration,
      checks: c.checks, summary: c.summary, warnings: c.warnings, costUsd: c.costUsd,
      ...(c.leg ? { leg: { n: c.leg.n, feedback: c.feedback, findings: c.findings, failing: c.newFailures, session: c.coderSession, diffHash: c.diffHash } } : {}),
    };
    return { to: c.owner, event: { ...event } };
  },
});
const tellGates = (gates: (context: PipelineContext) => PipelineGates["gates"]) => ({
  type: "tell" as const,
  params: ({ context: c }: { readonly context: PipelineContext }) => {
    const event: PipelineGates = { type: "pipeline.gates", attempt: c.attempt, gates: gates(c), ...(c.leg ? { leg: c.leg.n } : {}) };
    return { to: c.owner, event: { ...event } };
  },
});
/** What was shown before is of the past: the work changes again. */
const reopenGates = enqueueActions<PipelineContext, PipelineEvent, undefined, PipelineEvent, never, never, never, never, never>(({ context, enqueue }) => {
  // One of the four host actions; the helper's own type cannot name it.
  if (context.iteration > 1) enqueue({ type: "tell", params: tellGates(() => ({})).params({ context }) } as never);
});
const endWatch = { type: "tell" as const, params: ({ context }: { readonly context: PipelineContext }) => ({ to: watcher(context), event: { type: "end" } }) };
const cancelStage = { type: "tell" as const, params: ({ context }: { readonly context: PipelineContext }) => ({ to: context.stageAddress, event: { type: "cancel" } }) };

const watch = (seen: (args: { readonly context: PipelineContext; readonly event: PipelineEvent }) => Readonly<Record<string, unknown>>) => ({
  type: "tell" as const,
  params: (args: { readonly context: PipelineContext; readonly event: PipelineEvent }) => ({ to: watcher(args.context), event: { type: "observe", seen: seen(args) } }),
});

const rearm = { type: "tell" as const, params: ({ context }: { readonly context: PipelineContext }) => ({ to: watcher(context), event: { type: "reset" } }) };

/** What may happen while any stage is under way. */
const whileStage = {
  "stage.asks": { actions: ["noteQuestion", { type: "tell", params: ({ context, event }: { readonly context: PipelineContext; readonly event: PipelineEvent }) => ({ to: context.owner, event: { type: "pipeline.asks", question: event.type === "stage.asks" ? event.question : "", ...(context.leg ? { leg: context.leg.n } : {}) } }) }] },
  answer: { actions: [{ type: "tell", params: ({ context, event }: { readonly context: PipelineContext; readonly event: PipelineEvent }) => ({ to: context.stageAddress, event: { type: "answer", text: event.type === "answer" ? event.text : "" } }) }, "clearQuestion"] },
  stuck: [
    // Who waits for a person's answer is not going round in circles: the watch starts anew, so the rule is not lost.
    { guard: "hasQuestion", actions: rearm },
    { target: "settling", actions: ["noteStuck", cancelStage] },
  ],
  cancel: { target: "cancelling", actions: cancelStage },
  // The stage gives it to its agent, or keeps it for the next turn; here it waits until an agent has it.
  message: { guard: "stageMayHear", actions: ["takeMessage", { type: "tell", params: ({ context, event }: { readonly context: PipelineContext; readonly event: PipelineEvent }) => {
    if (event.type !== "message") throw new Error(`${event.type} is no message`);
    return { to: context.stageAddress, event: { type: "message", id: event.id, text: event.text.slice(0, messageCap), interrupt: event.interrupt } };
  } }] },
} as const;

/** A stage whose failure is only a warning must not cost the work that was approved: it is ended, the pipeline goes on. */
const skipStuck = { stuck: [{ guard: "hasQuestion", actions: rearm }, { actions: ["warnStuck", cancelStage, rearm] }] } as const;

const stale = { guard: "notCurrent" } as const;

/** Subject from the item's title, one line; the body says who did it. Titles are data: never split into arguments. */
const commitMessage = (context: PipelineContext): string => {
  const title = context.item.title.replaceAll(/\s+/g, " ").trim().slice(0, 60);
  return `${context.item.id}: ${title}\n\nStage ${context.stage}, iteration ${context.iteration}.`;
};

/** What was wrong with the round that ends. */
const triedLine = ({ feedback, newFailures }: PipelineContext): string => [feedback, newFailures.slice(0, 3).join("; ")].filter((text) => text !== "").join(" ").replaceAll(/\s+/g, " ").slice(0, 300) || "nothing was said";

/** For people: the rule, and what went wrong each time. */
const stuckReason = (rule: string, says: string, feedback: string): string => `stopped by rule ${rule}: ${says}${feedback === "" ? "" : `; the last time: ${feedback.slice(0, 500)}`}`;

/**
 * The plain pipeline of one work item: coder, then checks, then critic, until approval or the cap; then the enabled stages.
 *
 * I1 At most `maxIterations` coder turns are asked for. I2 Nothing is approved whose last checks had new failures.
 * I3 The last feedback and the failing checks are in the next brief. I4 Escalation happens once.
 * I5 At most one stage lives at a time, and a cancelled or stuck pipeline waits for it to end.
 * I6 `exhausted` names the cap; it never reads as done. I7 Only trouble with the work uses up an iteration: never infrastructure, accounts
 * or the environment. I8 After approval only the tester, new check failures and a critical audit can send the work back.
 * I9 A message waits here until an agent has it, is in the brief of every stage it may be for until then, and in none after that; one that
 * nobody has at the end is a warning.
 */
export const pipelineMachine = setup({
  types: {} as { context: PipelineContext; events: PipelineEvent; input: PipelineInput },
  actions: {
    ...hostActions,
    takeWorkspace: assign(({ event }) => (event.type === "workspace.ready" ? { workspace: event.workspace, head: event.workspace.base } : {})),
    prepareStage: assign(({ context }, params: { readonly stage: Stage }) => ({
      stage: params.stage,
      started: context.started + 1,
      stageAddress: stageAddress(context.item.id, context.attempt, params.stage, context.started + 1, context.leg?.n),
    })),
    nextIteration: assign(({ context }) => {
      const escalated = context.escalated || escalates(context), changed = changesCli(context.policy, context.escalated, escalated);
      return { iteration: context.iteration + 1, tried: [...context.tried ?? [], `round ${context.iteration}: ${triedLine(context)}`].slice(-5), approved: false, undocumented: undefined, reason: "", escalated, escalateNow: false, ...(changed ? { coderSession: { id: null, costUsd: 0 } } : {}) };
    }),
    retryDocumenter: assign({ documenterRetried: true }),
    takeStage: assign(({ context, event }) => {
      if (event.type !== "stage.ended") return {};
      return {
        costUsd: context.costUsd + event.costUsd,
        question: null,
        messages: deliver(context.messages, event.heard ?? []),
        ...(event.stage === "coder" ? { coderSession: event.session, ...(event.text === "" ? {} : { summary: event.text.slice(0, 4_000) }) } : {}),
        ...(event.undone.length + event.denials.length + (event.touched?.length ?? 0) === 0 ? {} : { warnings: [...context.warnings, ...strayed(event)].slice(-20) }),
      };
    }),
    takeCommit: assign(({ event }) => (event.type === "workspace.committed" ? { head: event.head, empty: event.empty, diffHash: event.diffHash, changeSummary: event.summary } : {})),
    takeChecks: assign(({ context, event }) => {
      if (event.type !== "verify.done") return {};
      const { report } = event;
      return {
        checks: { base: passed(report.base.results), head: passed(report.head.results) },
        newFailures: report.newFailures.slice(0, 50),
        warnings: [...context.warnings, ...report.warnings.filter((w) => !context.warnings.includes(w))].slice(-20),
      };
    }),
    approve: assign({ approved: true, feedback: "", findings: [] }),
    takeFeedback: assign(({ event }) => {
      if (event.type !== "stage.ended") return {};
      if (event.verdict) return { feedback: event.verdict.feedback, findings: event.verdict.findings.slice(0, 50) };
      if (event.audit) return { feedback: "The audit found critical problems.", findings: event.audit.findings.slice(0, 50) };
      return { feedback: `The ${event.stage} did not finish: ${event.reason}`, findings: [] };
    }),
    feedbackNoChange: assign({ feedback: "You reported success, but nothing in the repository changed. Make the change.", findings: [] }),
    feedbackChecks: assign({ feedback: "The project's checks have failures that were not there before your change.", findings: [] }),
    warnStage: assign(({ context, event }) => (event.type === "stage.ended" ? { ...(event.stage === "documenter" ? { undocumented: `the documenter gave up: ${event.reason}`.slice(0, 500) } : {}), warnings: [...context.warnings, `${event.stage}: ${event.reason}`].slice(-20) } : {})),
    warnStuck: assign(({ context, event }) => (event.type === "stuck" ? { rule: event.rule, warnings: [...context.warnings, `${context.stage}: stopped by rule ${event.rule}: ${event.says}`].slice(-20) } : {})),
    warnUnsaved: assign(({ context, event }) => (event.type === "effect.failed" ? { warnings: [...context.warnings, `no checkpoint of the cancelled work: ${event.message}`].slice(-20) } : {})),
    noteStage: assign(({ event }) => {
      if (event.type !== "stage.ended") return {};
      return { failure: failureOf(event.failure), reason: `${event.stage}: ${event.reason}` };
    }),
    noteRejected: assign(({ event }) => (event.type === "stage.ended" && event.verdict ? { failure: "rejected" as const, reason: `rejected in review: ${event.verdict.feedback}` } : {})),
    noteCap: assign(({ context }) => ({ failure: "cap" as const, reason: `${context.iteration} of ${context.policy.maxIterations} iterations used; last feedback: ${context.feedback.slice(0, 500)}` })),
    noteEffect: assign(({ event }) => (event.type === "effect.failed" ? { failure: event.class === "environment" || event.class === "refused" ? "environment" as const : "infra" as const, reason: event.mend ? `${event.message} (${event.mend})` : event.message } : {})),
    noteStuck: assign(({ context, event }) => (event.type === "stuck" ? { rule: event.rule, escalateNow: mayEscalate(context), feedback: `You were stopped: ${event.says}. Take another approach.${context.tried?.length ? `\nTried so far:\n${context.tried.map((line) => `- ${line}`).join("\n")}` : ""}`, findings: [], reason: stuckReason(event.rule, event.says, context.feedback) } : {})),
    noteStuckEnd: assign({ failure: "stuck" as const }),
    noteQuestion: assign(({ context, event }) => (event.type === "stage.asks" ? { question: event.question, messages: deliver(context.messages, event.heard ?? []) } : {})),
    clearQuestion: assign({ question: null }),
    noteCancelled: assign({ reason: "cancelled", failure: null }),
    takeMessage: assign(({ context, event }) => {
      if (event.type !== "message") return {};
      const messages = enqueue(context.messages, event);
      return { messages, warnings: [...context.warnings, ...unread(context.messages, messages)].slice(-20) };
    }),
    markDelivered: assign(({ context, event }) => (event.type === "stage.heard" ? { messages: deliver(context.messages, event.ids) } : {})),
    closeMessages: assign(({ context }) => {
      const messages = closeQueue(context.messages);
      return { messages, warnings: [...context.warnings, ...unread(context.messages, messages)].slice(-20) };
    }),
  },
  guards: pipelineGuards,
}).createMachine({
  id: "pipeline",
  options: chartOptions,
  context: ({ input }) => ({
    ...input, workspace: null, iteration: input.leg?.round ?? 1, started: 0, stage: "coder" as const, stageAddress: "stage/none", head: "", changeSummary: "", diffHash: "", empty: true,
    checks: null, newFailures: input.failing, feedback: input.leg?.feedback ?? firstFeedback(input), findings: input.leg?.findings ?? [], approved: false,
    escalated: input.leg?.escalated ?? false, escalateNow: false, documenterRetried: false, question: null, coderSession: input.leg?.session ?? { id: null, costUsd: 0 }, costUsd: 0, summary: "", warnings: [], rule: "", reason: "", failure: null, messages: [],
  }),
  initial: "preparing",
  on: {
    message: { guard: "isNewMessage", actions: "takeMessage" },
    "stage.heard": { guard: "newlyHeard", actions: "markDelivered" },
  },
  entry: { type: "spawn", params: ({ context }) => ({ address: watcher(context), chart: "progress", input: { pipeline: itself(context), limits: context.policy.progress } }) },
  states: {
    preparing: {
      entry: { type: "effect", params: ({ context }) => ({ kind: "workspace.prepare", item: context.item.id, attempt: context.lineage, repository: context.item.repository, baseRef: context.policy.baseRef }) },
      on: {
        "workspace.ready": [{ guard: "beginsWithReview", target: "committing", actions: "takeWorkspace" }, { target: "coding", actions: "takeWorkspace" }],
        "effect.failed": { target: "failed", actions: "noteEffect" },
        cancel: "cancelling",
      },
    },
    coding: {
      entry: [enterStage("coder"), startStage, reopenGates],
      on: {
        ...whileStage,
        "stage.ended": [
          stale,
          { guard: "stageDone", target: "committing", actions: "takeStage" },
          { guard: "workTroubleMayIterate", target: "coding", reenter: true, actions: ["takeStage", "takeFeedback", watch(({ event }) => ({ kind: "error", fingerprint: event.type === "stage.ended" ? event.reason : "" })), "nextIteration"] },
          { guard: "stageTroubleIsWork", target: "exhausted", actions: ["takeStage", "takeFeedback", "noteCap"] },
          { guard: "exhaustedStage", target: "exhausted", actions: ["takeStage", "noteStage"] },
          { target: "failed", actions: ["takeStage", "noteStage"] },
        ],
      },
    },
    committing: {
      entry: { type: "effect", params: ({ context: c }) => ({ kind: "workspace.commit", item: c.item.id, workspace: required(c.workspace), message: commitMessage(c) }) },
      on: {
        "workspace.committed": [
          { guard: "nothingChangedWithinCap", target: "coding", actions: ["takeCommit", "feedbackNoChange", watch(() => ({ kind: "error", fingerprint: "no change" })), "nextIteration"] },
          { guard: "nothingChanged", target: "exhausted", actions: ["takeCommit", "feedbackNoChange", "noteCap"] },
          { guard: "laterStage", target: "checking", actions: "takeCommit" },
          { target: "checking", actions: ["takeCommit", watch(({ event }) => ({ kind: "diff", hash: event.type === "workspace.committed" ? event.diffHash : "" }))] },
        ],
        "effect.failed": { target: "failed", actions: "noteEffect" },
        cancel: "cancelling",
        stuck: { target: "settling", actions: "noteStuck" },
      },
    },
    checking: {
      entry: { type: "effect", params: ({ context: c }) => ({ kind: "verify", repository: c.item.repository, base: required(c.workspace).base, head: c.head }) },
      on: {
        "verify.done": [
          { guard: "newFailuresWithinCap", target: "coding", actions: ["takeChecks", "feedbackChecks", watch(({ event }) => ({ kind: "error", fingerprint: event.type === "verify.done" ? event.report.newFailures.toSorted().join("\n").slice(0, 2_000) : "" })), "nextIteration"] },
          { guard: "newFailures", target: "exhausted", actions: ["takeChecks", "feedbackChecks", "noteCap"] },
          { target: "deciding", actions: ["takeChecks", watch(() => ({ kind: "fixed" }))] },
        ],
        "effect.failed": { target: "failed", actions: "noteEffect" },
        cancel: "cancelling",
        stuck: { target: "settling", actions: "noteStuck" },
      },
    },
    /** The work holds; which stage is next? */
    deciding: {
      entry: tellGates(gatesOf),
      always: [
        { guard: "needsReview", target: "criticising" },
        { guard: { type: "next", params: { stage: "tester" } }, target: "testing" },
        { guard: { type: "next", params: { stage: "documenter" } }, target: "documenting" },
        { guard: { type: "next", params: { stage: "auditor" } }, target: "auditing" },
        { guard: { type: "next", params: { stage: "stage-documenter" } }, target: "reporting" },
        { target: "done" },
      ],
    },
    criticising: {
      entry: [enterStage("critic"), startStage],
      on: {
        ...whileStage,
        "stage.ended": [
          stale,
          { guard: "approves", target: "deciding", actions: ["takeStage", "approve"] },
          { guard: "rejects", target: "failed", actions: ["takeStage", "noteRejected"] },
          { guard: "revisesWithinCap", target: "coding", actions: ["takeStage", "takeFeedback", watch(({ event }) => ({ kind: "feedback", words: event.type === "stage.ended" && event.verdict ? words([event.verdict.feedback, ...event.verdict.findings.map((f) => f.message)].join(" ")) : [] })), "nextIteration"] },
          { guard: "revises", target: "exhausted", actions: ["takeStage", "takeFeedback", "noteCap"] },
          { guard: "exhaustedStage", target: "exhausted", actions: ["takeStage", "noteStage"] },
          { target: "failed", actions: ["takeStage", "noteStage"] },
        ],
      },
    },
    testing: {
      entry: [enterStage("tester"), startStage],
      on: {
        ...whileStage,
        "stage.ended": [
          stale,
          { guard: "stageDone", target: "committing", actions: "takeStage" },
          { guard: "workTroubleMayIterate", target: "coding", actions: ["takeStage", "takeFeedback", "nextIteration"] },
          { guard: "stageTroubleIsWork", target: "exhausted", actions: ["takeStage", "takeFeedback", "noteCap"] },
          { guard: "exhaustedStage", target: "exhausted", actions: ["takeStage", "noteStage"] },
          { target: "failed", actions: ["takeStage", "noteStage"] },
        ],
      },
    },
    documenting: {
      entry: [enterStage("documenter"), startStage],
      on: {
        ...whileStage,
        ...skipStuck,
        "stage.ended": [
          stale,
          { guard: "stageDone", target: "committing", actions: "takeStage" },
          { guard: "documenterMayRetry", target: "documenting", reenter: true, actions: ["takeStage", "retryDocumenter"] },
          { target: "deciding", actions: ["takeStage", "warnStage"] },
        ],
      },
    },
    auditing: {
      entry: [enterStage("auditor"), startStage],
      on: {
        ...whileStage,
        "stage.ended": [
          stale,
          { guard: "criticalWithinCap", target: "coding", actions: ["takeStage", "takeFeedback", "nextIteration"] },
          { guard: "critical", target: "exhausted", actions: ["takeStage", "takeFeedback", "noteCap"] },
          { guard: "stageDone", target: "deciding", actions: "takeStage" },
          { guard: "exhaustedStage", target: "exhausted", actions: ["takeStage", "noteStage"] },
          { target: "failed", actions: ["takeStage", "noteStage"] },
        ],
      },
    },
    reporting: {
      entry: [enterStage("stage-documenter"), startStage],
      on: {
        ...whileStage,
        ...skipStuck,
        "stage.ended": [
          stale,
          { guard: "stageDone", target: "done", actions: "takeStage" },
          { target: "done", actions: ["takeStage", "warnStage"] },
        ],
      },
    },
    /** A rule fired: the stage or effect under way ends first (I5), then another approach, or the end. */
    settling: {
      on: {
        "stage.ended": [
          stale,
          { guard: "mayGoOn", target: "coding", actions: ["takeStage", rearm, "nextIteration"] },
          { target: "exhausted", actions: ["takeStage", "noteStuckEnd"] },
        ],
        "workspace.committed": [
          { guard: "mayGoOn", target: "coding", actions: ["takeCommit", rearm, "nextIteration"] },
          { target: "exhausted", actions: ["takeCommit", "noteStuckEnd"] },
        ],
        "verify.done": [
          { guard: "mayGoOn", target: "coding", actions: ["takeChecks", rearm, "nextIteration"] },
          { target: "exhausted", actions: ["takeChecks", "noteStuckEnd"] },
        ],
        "effect.failed": { target: "failed", actions: "noteEffect" },
        cancel: { target: "cancelling" },
      },
    },
    cancelling: {
      on: {
        // Without a workspace only its preparation can be under way.
        "stage.ended": [stale, { guard: "hasWorkspace", target: "saving", actions: "takeStage" }],
        "workspace.ready": { target: "saving", actions: "takeWorkspace" },
        "workspace.committed": { guard: "hasWorkspace", target: "saving", actions: "takeCommit" },
        "verify.done": { guard: "hasWorkspace", target: "saving", actions: "takeChecks" },
        "effect.failed": [{ guard: "hasWorkspace", target: "saving" }, { target: "cancelled", actions: "noteCancelled" }],
      },
    },
    /** The work is kept in a checkpoint before the pipeline ends as cancelled. */
    saving: {
      entry: { type: "effect", params: ({ context: c }) => ({ kind: "workspace.checkpoint", item: c.item.id, workspace: required(c.workspace), why: "cancelled" }) },
      on: {
        "workspace.checkpointed": { target: "cancelled", actions: "noteCancelled" },
        "effect.failed": { target: "cancelled", actions: ["warnUnsaved", "noteCancelled"] },
      },
    },
    done: { type: "final", entry: ["closeMessages", endWatch, tellEnded("done")] },
    failed: { type: "final", entry: ["closeMessages", endWatch, tellEnded("failed")] },
    cancelled: { type: "final", entry: ["closeMessages", endWatch, tellEnded("cancelled")] },
    exhausted: { type: "final", entry: ["closeMessages", endWatch, tellEnded("exhausted")] },
  },
});
