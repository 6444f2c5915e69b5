import { assign, setup } from "xstate";
import { passed } from "../src/domain/check.ts";
import { emptyBrief, type SyncFrom, type TurnBrief } from "../src/domain/effects.ts";
import { backoffMs } from "../src/domain/policy.ts";
import { addCost, noCost } from "../src/domain/spend.ts";
import { sessionOnwards } from "../src/domain/turn-outcome.ts";
import { chartOptions, hostActions } from "./durable.ts";
import { failureOf, type Grant, type MemberContext, type MemberEnded, type MemberEvent, type MemberFailure, type MemberInput, type MemberNews, reasonOf, recentDeaths } from "./member-context.ts";
import { memberGuards } from "./member-guards.ts";
import { required } from "./pipeline-context.ts";
import { tellSpent } from "./spend.ts";

/**
 * One member of a team, or a worker of lane `ultrawork`: takes what the team grants, one thing at a time, works on it in a worktree of its own, and brings evidence.
 *
 * I1 It holds at most one grant, and takes each once; what it cannot take it declines. I2 Every turn and every effect it began is awaited
 * before it does anything else and before it ends. I3 A lost claim or a forced stop ends the turn first; what it brings is of no use then.
 * I4 The lease is renewed only while its turn shows life, or while it does something that is no turn. I5 Evidence is a commit whose checks have
 * no new failures, without a conflict left in it. I6 Every death is told; beyond the restart intensity it ends for good. I7 Its work is in a
 * checkpoint before it ends. I8 A stop lets the turn under way finish and takes what it brings; nothing new is begun after it.
 * I9 The ledger is told what each turn used in the step that takes in its end; a turn that a cap of the spending kept from beginning is no death:
 * the member ends as exhausted.
 */
type Args = { readonly context: MemberContext; readonly event: MemberEvent };

const held = ({ grant }: MemberContext): Grant => {
  if (!grant) throw new Error("there is nothing granted");
  return grant;
};

const tell = (news: (args: Args) => MemberNews) => ({ type: "tell" as const, params: (args: Args) => ({ to: args.context.team, event: { ...news(args) } }) });
/** The claim that is spoken of. */
const claimOf = (context: MemberContext) => { const { task, token } = held(context); return { member: context.name, task, token }; };

const tellReady = tell(({ context }) => ({ type: "member.ready", member: context.name }));
const tellRenew = tell(({ context }) => ({ type: "member.renew", ...claimOf(context) }));
const tellBegan = tell(({ context }) => ({ type: "member.began", member: context.name, mail: context.carried }));
const tellTurn = tell(({ context, event }) => ({
  type: "member.turn", member: context.name, turns: context.turns, costUsd: context.costUsd, mail: context.carried,
  well: event.type === "turn.ended" && (event.outcome.ended.how === "completed" || event.outcome.ended.how === "question"),
  messages: event.type === "turn.ended" ? (event.outcome.messages ?? []) : [],
}));
const tellFailed = tell(({ context }) => ({ type: "member.failed", ...claimOf(context), reason: context.reason }));
const tellEvidence = tell(({ context }) => ({ type: "member.evidence", ...claimOf(context), commit: context.head, checks: context.checks, summary: context.summary }));
const tellAnswered = tell(({ context, event }) => ({
  type: "member.answered", member: context.name, token: held(context).token, text: context.summary,
  ...(event.type === "turn.ended" ? { plan: event.outcome.plan ?? null, criteria: event.outcome.criteria ?? null, verdict: event.outcome.verdict } : { plan: null, criteria: null, verdict: null }),
}));
const tellAsks = tell(({ context }) => ({ type: "member.asks", member: context.name, question: context.question ?? "" }));
const tellDied = tell(({ context }) => ({ type: "member.died", member: context.name, died: context.died, reason: context.reason }));
const tellDeclined = tell(({ context, event }) => ({ type: "member.declined", member: context.name, task: event.type === "member.granted" ? event.grant.task : 0, token: event.type === "member.granted" ? event.grant.token : 0 }));
const tellEnded = (outcome: MemberEnded["outcome"]) => tell(({ context }) => ({ type: "member.ended", member: context.name, outcome, failure: context.failure, reason: context.reason, costUsd: context.costUsd }));

/** Where the worktree is to begin from: the same task goes on where it stood. */
const syncFrom = ({ grant, lastTask }: MemberContext): SyncFrom => {
  if (grant === null || grant.duty !== "work") return "team";
  if (grant.task === lastTask || (grant.conflict !== null && grant.conflict.task === lastTask)) return "here";
  return grant.conflict === null ? "team" : { commit: grant.conflict.commit };
};

const brief = (context: MemberContext): TurnBrief => {
  const grant = held(context);
  return {
    ...emptyBrief, feedback: context.feedback, failingChecks: [...context.failing], checks: grant.checks, answer: context.answer, again: grant.again,
    team: { duty: grant.duty, member: context.name, ...grant.brief, conflicts: [...context.conflicts], messages: [...context.inbox] },
  };
};

const startTurn = {
  type: "effect" as const,
  params: ({ context: c }: Args) => {
    const { duty, task } = held(c);
    return {
      kind: "turn" as const, item: c.item, attempt: c.attempt, stage: duty === "work" ? "coder" as const : "critic" as const, iteration: c.iteration, tryNumber: c.tryNumber, adapter: c.adapter, model: c.model,
      workspace: required(c.workspace), repository: c.repository, sessionId: c.session.id, sessionCostUsd: c.session.costUsd, ...(c.session.usage === undefined ? {} : { sessionUsage: c.session.usage }), ...(c.session.adapter === undefined ? {} : { sessionAdapter: c.session.adapter }), timeoutMs: c.timeoutMs, stallMs: c.policy.stallMs, playbook: c.playbook,
      brief: brief(c), team: c.teamName, seat: c.name, ...(c.screen && duty === "work" ? { screen: true } : {}), duty, task, aliveEveryMs: Math.max(1, Math.floor(c.leaseMs / 4)),
    };
  },
};

/** Thrice within a lease, so that one lost look costs nothing. */
const armRenewal = { type: "alarm" as const, params: ({ context, event }: Args) => ({ name: "renew", at: context.role === "worker" ? event.at + Math.max(1, Math.floor(context.leaseMs / 3)) : null }) };
const clearRenewal = { type: "alarm" as const, params: { name: "renew", at: null } };
const armRetry = { type: "alarm" as const, params: ({ context }: Args) => ({ name: "retry", at: context.retryAt }) };
const clearRetry = { type: "alarm" as const, params: { name: "retry", at: null } };

const down = (failure: MemberFailure, outcome: "failed" | "exhausted") => ({ type: "goDown" as const, params: { failure, outcome } });

/** The end of a turn is taken in; team and ledger hear of it in the same step. */
const takenTurn = ["takeTurn", tellTurn, tellSpent] as const;

/** An effect is under way: what is heard meanwhile is remembered until its answer (I2). */
const whileBusy = {
  "member.revoked": { guard: "current", actions: "revoke" },
  "member.stop": { actions: "stop" },
} as const;

export const memberMachine = setup({
  types: {} as { context: MemberContext; events: MemberEvent; input: MemberInput },
  actions: {
    ...hostActions,
    takeWorkspace: assign(({ event }) => (event.type === "workspace.ready" ? { workspace: event.workspace, head: event.workspace.base } : {})),
    takeGrant: assign(({ context, event }) => {
      if (event.type !== "member.granted") return {};
      const { grant } = event;
      return {
        grant, seen: { ...context.seen, [grant.task]: grant.token }, iteration: 1, tryNumber: grant.attempt, infraFailures: 0, refused: 0, feedback: "", failing: [], answer: null, question: null, conflicts: [], checks: "", summary: "", reason: "", revoked: false, since: event.at,
        // A conversation is about one task.
        ...(grant.task === context.lastTask && grant.task !== 0 ? {} : { session: { id: null, costUsd: 0 } }),
      };
    }),
    dropGrant: assign({ grant: null, revoked: false, question: null, answer: null, alive: false }),
    takeSync: assign(({ context, event }) => (event.type === "workspace.synced" ? { head: event.head, conflicts: event.conflicts.slice(0, 50), lastTask: context.grant?.task ?? 0 } : {})),
    carry: assign(({ context }) => ({ carried: context.inbox.map(({ id }) => id), alive: true, place: null })),
    takeMail: assign(({ context, event }) => (event.type === "member.mail" && !context.inbox.some(({ id }) => id === event.mail.id) ? { inbox: [...context.inbox, event.mail].slice(-50) } : {})),
    takeTurn: assign(({ context, event }) => {
      if (event.type !== "turn.ended") return {};
      const { outcome } = event, well = outcome.ended.how === "completed" || outcome.ended.how === "question";
      return {
        turns: context.turns + 1, costUsd: context.costUsd + outcome.costUsd, cost: addCost(context.cost ?? { ...noCost, usd: context.costUsd }, outcome.spend?.amount.cost ?? { ...noCost, usd: outcome.costUsd }),
        session: sessionOnwards(context.session, outcome),
        ...(outcome.ended.how === "completed" ? { summary: outcome.ended.text.slice(0, 4_000), answer: null } : {}),
        question: outcome.ended.how === "question" ? outcome.ended.text : null,
      ...(well ? { inbox: context.inbox.filter(({ id }) => !context.carried.includes(id)) } : {}),
      };
    }),
    startAfresh: assign({ lastTask: 0 }),
    nextTry: assign(({ context }) => ({ tryNumber: context.tryNumber + 1 })),
    nextIteration: assign(({ context }) => ({ iteration: context.iteration + 1, tryNumber: context.tryNumber + 1 })),
    takeAnswer: assign(({ context, event }) => (event.type === "answer" && context.question !== null ? { question: null, answer: { question: context.question, answer: event.text } } : {})),
    takeHead: assign(({ event }) => (event.type === "workspace.committed" ? { head: event.head } : {})),
    takeChecks: assign(({ event }) => (event.type === "verify.done" ? { checks: `${passed(event.report.base.results)} → ${passed(event.report.head.results)}`, failing: event.report.newFailures.slice(0, 50) } : {})),
    feedbackUnchanged: assign({ feedback: "You reported success, but nothing in the worktree changed. Make the change; if the task needs none because it is done already, say so and why.", failing: [] }),
    feedbackChecks: assign({ feedback: "The project's checks have failures that were not there before your change." }),
    feedbackUnresolved: assign(({ event }) => {
      if (event.type !== "workspace.committed") return {};
      const { unresolved = [], dropped = [] } = event;
      return { feedback: [...(unresolved.length === 0 ? [] : [`Conflict markers are left in ${unresolved.slice(0, 20).join(", ")}: resolve them.`]), ...(dropped.length === 0 ? [] : [`Your change takes back what the team did in ${dropped.slice(0, 20).join(", ")}: put it back.`])].join("\n"), failing: [] };
    }),
    noteUnresolved: assign({ reason: "the conflict was left unresolved" }),
    noteFailing: assign(({ context, event }) => (event.type === "verify.done" ? { reason: `after ${context.iteration} tries its checks still fail: ${event.report.newFailures.slice(0, 3).join("; ")}` } : {})),
    noteTrouble: assign(({ event }) => ({ reason: reasonOf(event) })),
    showLife: assign({ alive: true }),
    takePlace: assign(({ event }) => (event.type === "turn.placed" ? { place: event.place } : {})),
    restLife: assign({ alive: false }),
    revoke: assign({ revoked: true }),
    stop: assign(({ context, event }) => (event.type === "member.stop" ? { stopping: event.force || context.stopping === "force" ? "force" as const : "drain" as const, tidy: event.tidy } : {})),
    countInfra: assign(({ context }) => ({ infraFailures: context.infraFailures + 1 })),
    countRefused: assign(({ context }) => ({ refused: (context.refused ?? 0) + 1 })),
    setRetry: assign(({ context, event }) => {
      const failure = failureOf(event);
      return { retryAt: Math.max(event.at + backoffMs(context.policy, context.infraFailures), failure?.kind === "rateLimited" ? (failure.until ?? 0) : 0) };
    }),
    countDeath: assign(({ context, event }) => ({ died: context.died + 1, deaths: [...recentDeaths(context, event.at), event.at] })),
    setRestart: assign(({ context, event }) => ({ retryAt: event.at + backoffMs(context.policy, context.deaths.length) })),
    forgetRetry: assign({ retryAt: null }),
    goDown: assign((_, params: { readonly failure: MemberFailure; readonly outcome: "failed" | "exhausted" }) => ({ ending: params.outcome, failure: params.failure })),
    leave: assign(({ context }) => (context.ending === null ? { ending: context.stopping === "force" ? "cancelled" as const : "done" as const, reason: context.stopping === "force" ? "cancelled" : "" } : {})),
    noteUnsaved: assign(({ context, event }) => (event.type === "effect.failed" ? { reason: [context.reason, `no checkpoint of its work: ${event.message}`].filter((text) => text !== "").join("; ") } : {})),
    mark: assign(({ event }) => ({ since: event.at })),
  },
  guards: memberGuards,
}).createMachine({
  id: "member",
  options: chartOptions,
  context: ({ input }) => ({
    ...input, workspace: null, grant: null, lastTask: 0, seen: {}, conflicts: [], head: "", checks: "", summary: "", iteration: 1, tryNumber: 1, infraFailures: 0, deaths: [], died: 0, session: { id: null, costUsd: 0 }, question: null, answer: null,
    feedback: "", failing: [], inbox: [], carried: [], turns: 0, costUsd: 0, alive: false, revoked: false, stopping: "no" as const, tidy: false, retryAt: null, ending: null, failure: null, reason: "", since: 0,
  }),
  initial: "preparing",
  on: {
    // I1: one thing at a time; a grant that was taken before is an echo.
    "member.granted": { guard: "fresh", actions: tellDeclined },
    "member.mail": { actions: "takeMail" },
    "member.life": { guard: "current", actions: tellRenew },
    "alarm.renew": { guard: "leased", actions: [tellRenew, armRenewal] },
  },
  states: {
    preparing: {
      entry: { type: "effect", params: ({ context: c }) => ({ kind: "workspace.prepare", item: c.item.id, attempt: c.lineage, repository: c.repository, baseRef: c.base, member: c.name }) },
      on: {
        "workspace.ready": { target: "between", actions: "takeWorkspace" },
        "effect.failed": [
          { guard: "needsEnvironment", target: "between", actions: ["noteTrouble", down("environment", "failed")] },
          { target: "between", actions: ["noteTrouble", down("infra", "failed")] },
        ],
        "member.stop": { actions: "stop" },
      },
    },
    /** Nothing is under way. */
    between: {
      entry: ["dropGrant", clearRenewal],
      always: [{ guard: "ended", target: "leaving" }, { guard: "stopping", target: "leaving" }, { target: "idle" }],
    },
    idle: {
      entry: ["mark", tellReady],
      on: {
        "member.granted": { guard: "takes", target: "syncing", actions: ["takeGrant", armRenewal] },
        "member.stop": { target: "leaving", actions: "stop" },
      },
    },
    syncing: {
      entry: { type: "effect", params: ({ context: c }) => ({ kind: "workspace.sync", item: c.item.id, workspace: required(c.workspace), onto: held(c).head, from: syncFrom(c) }) },
      on: {
        ...whileBusy,
        "workspace.synced": [{ guard: "moot", target: "between", actions: "takeSync" }, { guard: "stopping", target: "between", actions: "takeSync" }, { target: "working", actions: "takeSync" }],
        "effect.failed": [
          { guard: "moot", target: "between" },
          { guard: "needsEnvironment", target: "between", actions: ["noteTrouble", down("environment", "failed")] },
          { guard: "refused", target: "between", actions: ["noteTrouble", "startAfresh", tellFailed] },
          { target: "dying", actions: "noteTrouble" },
        ],
      },
    },
    working: {
      entry: ["carry", startTurn, tellBegan],
      on: {
        "turn.alive": { actions: "showLife" },
        "turn.placed": { guard: "ofThisTry", actions: "takePlace" },
        "alarm.renew": [{ guard: "leasedAlive", actions: [tellRenew, "restLife", armRenewal] }, { actions: armRenewal }],
        // A turn that shows no life keeps no lease.
        "member.life": [{ guard: "currentAlive", actions: tellRenew }, {}],
        "turn.ended": [
          { guard: "completedDuty", target: "between", actions: [...takenTurn, tellAnswered] },
          { guard: "completed", target: "committing", actions: [...takenTurn] },
          { guard: "asksTooLate", target: "between", actions: [...takenTurn] },
          { guard: "asks", target: "asking", actions: [...takenTurn] },
          { guard: "stopping", target: "between", actions: [...takenTurn] },
          { guard: "wasInterrupted", target: "working", reenter: true, actions: [...takenTurn, "nextTry"] },
          { guard: "isCapped", target: "between", actions: [...takenTurn, "noteTrouble", down("cap", "exhausted")] },
          { guard: "refusedWithinCap", target: "waiting", actions: [...takenTurn, "noteTrouble", "countInfra", "countRefused", "setRetry", "nextTry"] },
          { guard: "infraWithinCap", target: "waiting", actions: [...takenTurn, "noteTrouble", "countInfra", "setRetry", "nextTry"] },
          { guard: "isInfra", target: "between", actions: [...takenTurn, "noteTrouble", down("infra", "exhausted")] },
          { guard: "isHopeless", target: "between", actions: [...takenTurn, "noteTrouble", down("auth", "failed")] },
          { target: "dying", actions: [...takenTurn, "noteTrouble"] },
        ],
        "effect.failed": [{ guard: "needsEnvironment", target: "between", actions: ["noteTrouble", tellTurn, down("environment", "failed")] }, { target: "dying", actions: ["noteTrouble", tellTurn] }],
        "member.revoked": { guard: "current", target: "cancelling" },
        "member.stop": [{ guard: "forced", target: "cancelling", actions: "stop" }, { actions: "stop" }],
      },
    },
    /** I3. */
    cancelling: {
      entry: { type: "effect", params: { kind: "turn.cancel" } },
      on: {
        "member.stop": { actions: "stop" },
        "turn.ended": { target: "between", actions: [...takenTurn] },
        "turn.cancel.sent": "between",
        "effect.failed": { guard: "turnGaveUp", target: "between" },
      },
    },
    waiting: {
      entry: armRetry,
      exit: ["forgetRetry", clearRetry],
      on: {
        "alarm.retry": "working",
        "member.revoked": { guard: "current", target: "between" },
        "member.stop": { target: "between", actions: "stop" },
      },
    },
    asking: {
      // A person takes as long as they take: no lease runs meanwhile.
      entry: [clearRenewal, tellAsks],
      on: {
        answer: [
          { guard: "leased", target: "working", actions: ["takeAnswer", "nextTry", tellRenew, armRenewal] },
          { target: "working", actions: ["takeAnswer", "nextTry"] },
        ],
        "member.revoked": { guard: "current", target: "between" },
        "member.stop": { target: "between", actions: "stop" },
      },
    },
    committing: {
      entry: { type: "effect", params: ({ context: c }) => ({ kind: "workspace.commit", item: c.item.id, workspace: required(c.workspace), message: commitMessage(c) }) },
      on: {
        ...whileBusy,
        "workspace.committed": [
          { guard: "moot", target: "between", actions: "takeHead" },
          { guard: "unresolvedWithinCap", target: "working", actions: ["takeHead", "feedbackUnresolved", "nextIteration"] },
          { guard: "unresolved", target: "between", actions: ["takeHead", "noteUnresolved", tellFailed] },
          { guard: "unchangedOnce", target: "working", actions: ["takeHead", "feedbackUnchanged", "nextIteration"] },
          { target: "checking", actions: "takeHead" },
        ],
        "effect.failed": [
          { guard: "moot", target: "between" },
          { guard: "needsEnvironment", target: "between", actions: ["noteTrouble", down("environment", "failed")] },
          { guard: "refused", target: "between", actions: ["noteTrouble", "startAfresh", tellFailed] },
          { target: "dying", actions: "noteTrouble" },
        ],
      },
    },
    checking: {
      entry: { type: "effect", params: ({ context: c }) => ({ kind: "verify", repository: c.repository, base: held(c).head, head: c.head }) },
      on: {
        ...whileBusy,
        "verify.done": [
          { guard: "moot", target: "between", actions: "takeChecks" },
          { guard: "newFailuresWithinCap", target: "working", actions: ["takeChecks", "feedbackChecks", "nextIteration"] },
          { guard: "newFailures", target: "between", actions: ["takeChecks", "noteFailing", tellFailed] },
          { target: "merging", actions: "takeChecks" },
        ],
        "effect.failed": [{ guard: "moot", target: "between" }, { guard: "needsEnvironment", target: "between", actions: ["noteTrouble", down("environment", "failed")] }, { target: "dying", actions: "noteTrouble" }],
      },
    },
    /** The team has the work; it says when it is dealt with. */
    merging: {
      entry: [clearRenewal, tellEvidence],
      on: {
        "member.settled": { guard: "current", target: "between" },
        "member.revoked": { guard: "current", target: "between" },
        "member.stop": { target: "between", actions: "stop" },
      },
    },
    dying: {
      entry: "countDeath",
      always: [{ guard: "overIntensity", target: "between", actions: down("crash", "exhausted") }, { target: "restarting" }],
    },
    /** I6. The task is the team's again. */
    restarting: {
      entry: ["dropGrant", clearRenewal, tellDied, "setRestart", armRetry],
      exit: ["forgetRetry", clearRetry],
      on: {
        "alarm.retry": "between",
        "member.stop": { target: "between", actions: "stop" },
      },
    },
    leaving: {
      entry: "leave",
      always: [{ guard: "tidiesUp", target: "tidying" }, { guard: "hasWorkspace", target: "saving" }, { target: "parted" }],
    },
    /** I7. */
    saving: {
      entry: { type: "effect", params: ({ context: c }) => ({ kind: "workspace.checkpoint", item: c.item.id, workspace: required(c.workspace), why: `${c.name} left` }) },
      on: {
        "workspace.checkpointed": "parted",
        "effect.failed": { target: "parted", actions: "noteUnsaved" },
      },
    },
    /** Everything is merged; removal makes a checkpoint first. */
    tidying: {
      entry: { type: "effect", params: ({ context: c }) => ({ kind: "workspace.remove", item: c.item.id, workspace: required(c.workspace), repository: c.repository }) },
      on: {
        "workspace.removed": "parted",
        "effect.failed": { target: "parted", actions: "noteUnsaved" },
      },
    },
    parted: {
      always: [
        { guard: { type: "ends", params: { as: "done" } }, target: "done" },
        { guard: { type: "ends", params: { as: "cancelled" } }, target: "cancelled" },
        { guard: { type: "ends", params: { as: "exhausted" } }, target: "exhausted" },
        { target: "failed" },
      ],
    },
    done: { type: "final", entry: tellEnded("done") },
    failed: { type: "final", entry: tellEnded("failed") },
    cancelled: { type: "final", entry: tellEnded("cancelled") },
    exhausted: { type: "final", entry: tellEnded("exhausted") },
  },
});

/** Titles are data: one line, cut, never split into arguments. */
const commitMessage = (context: MemberContext): string => {
  const { task, brief: { task: what } } = held(context);
  return `${context.item.id}: ${(what?.title ?? context.item.title).replaceAll(/\s+/g, " ").trim().slice(0, 60)}\n\nTask ${task}${context.teamName === null ? "" : ` of team ${context.teamName}`}, by ${context.name}.`;
};
