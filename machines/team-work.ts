/**
 * What a team does with its board, its mail and its members: pure steps from one context to the next, with what they ask of the host.
 *
 * I1 Whatever changes the context may make something possible elsewhere: `carryOn` then grants, merges and sets the one alarm; it does nothing
 * that was done already. I2 Work is merged in the order in which its evidence came, one at a time.
 */
import { addFix, type Board, boardOf, cancelAll, claim, complete, conflicted, expire, fail, givenUp, hold, isMergeable, merged, nextFor, nextLapse, reclaim, refusalText, release, renew, type Task, taskOf, unfinished } from "../src/domain/board.ts";
import type { EffectRequest } from "../src/domain/effects.ts";
import { laneAddress, memberAddress } from "../src/domain/ids.ts";
import { bounce, deliver, type Letter, post, settleMail } from "../src/domain/mailbox.ts";
import type { BoardLine } from "../src/domain/team-brief.ts";
import type { Finding, Verdict } from "../src/domain/verdict.ts";
import type { PlannedTask } from "../src/domain/team-answers.ts";
import { mostWorkers } from "../src/domain/team.ts";
import type { Alarm, Spawn, Tell } from "./durable.ts";
import type { Grant, MemberInput } from "./member-context.ts";
import { type PipelineEnded, required } from "./pipeline-context.ts";
import type { RalphInput } from "./ralph-context.ts";
import { isLiving, livingNames, type Member, memberOf, type TeamContext, type TeamEvent, workersOf } from "./team-context.ts";

export type Asked =
  | { readonly type: "tell"; readonly params: Tell }
  | { readonly type: "spawn"; readonly params: Spawn }
  | { readonly type: "effect"; readonly params: EffectRequest }
  | { readonly type: "alarm"; readonly params: Alarm };

export interface Step { readonly context: TeamContext; readonly asked: readonly Asked[] }

export const itself = ({ lane, item, attempt }: TeamContext) => laneAddress(lane ?? "team", item.id, attempt);
const addressOf = (context: TeamContext, member: string) => memberAddress(context.item.id, context.attempt, member);
export const say = (context: TeamContext, member: string, event: Tell["event"]): Asked => ({ type: "tell", params: { to: addressOf(context, member), event } });

const quiet = (context: TeamContext): Step => ({ context, asked: [] });
const member = (context: TeamContext, name: string, change: Partial<Member>): TeamContext => ({ ...context, members: context.members.map((each) => (each.name === name ? { ...each, ...change } : each)) });

/** Kept for people; newest last. */
export const noted = (context: TeamContext, at: number, text: string): TeamContext => ({ ...context, events: [...context.events, { at, text: text.slice(0, 500) }].slice(-30) });

/** Puts a letter into the box and sends it on to who reads it. */
export const posted = (context: TeamContext, posting: { readonly id: string; readonly from: string; readonly to: string; readonly text: string }): Step => {
  const { box, fresh } = post(context.mailbox, posting, livingNames(context));
  return { context: { ...context, mailbox: box }, asked: fresh.map((letter) => send(context, letter)) };
};
const send = (context: TeamContext, { id, from, to, text }: Letter): Asked => say(context, to, { type: "member.mail", mail: { id, from, text } });

/** The leader, where there is one, hears what befalls its team; the list of events too. */
const reported = (context: TeamContext, at: number, text: string): Step => {
  const next = noted(context, at, text);
  if (!memberOf(next, "leader")) return quiet(next);
  return posted({ ...next, letters: next.letters + 1 }, { id: `team-${next.letters + 1}`, from: "team", to: "leader", text });
};

// ---- Members

const inputOf = (context: TeamContext, name: string, role: Member["role"], adapter: Member["adapter"]): MemberInput => {
  const { policy, item, limits } = context, { id, title, body, kind } = item;
  const plan = role === "leader" ? (policy.stages.critic ?? policy.stages.coder) : policy.stages.coder;
  if (!plan) throw new Error("a team needs a coder");
  return {
    team: itself(context), teamName: context.lane === undefined ? context.spec.name : null, name, role, item: { id, title, body, kind }, attempt: context.attempt, lineage: context.lineage, repository: item.repository, adapter,
    // Another adapter does not know the first one's models.
    model: adapter === plan.adapter ? plan.model : null, timeoutMs: plan.timeoutMs, playbook: item.playbook ?? null, screen: context.spec.interactive && role === "worker", base: required(context.workspace).base, leaseMs: limits.leaseMs, restarts: limits.memberRestarts,
    policy: { maxIterations: policy.maxIterations, infraRetries: policy.infraRetries, ...(policy.refusedRetries === undefined ? {} : { refusedRetries: policy.refusedRetries }), retryBaseMs: policy.retryBaseMs, retryMaxMs: policy.retryMaxMs, stallMs: policy.stallMs },
  };
};

const joined = (context: TeamContext, name: string, role: Member["role"], adapter: Member["adapter"], at: number): Step => {
  const made: Member = { name, role, adapter, state: "starting", task: null, turns: 0, died: 0, costUsd: 0, question: null, reason: "", failure: null, since: at };
  return { context: { ...context, members: [...context.members, made] }, asked: [{ type: "spawn", params: { address: addressOf(context, name), chart: "member", input: { ...inputOf(context, name, role, adapter) } } }] };
};

const after = (first: Step, next: (context: TeamContext) => Step): Step => { const { context, asked } = next(first.context); return { context, asked: [...first.asked, ...asked] }; };

const configured = ({ policy: { stages } }: TeamContext): Member["adapter"] => stages.coder?.adapter ?? "scripted";

/** The leader and the workers of the start. */
export const gather = (context: TeamContext, at: number): Step =>
  after(joined(context, "leader", "leader", (context.policy.stages.critic ?? context.policy.stages.coder)?.adapter ?? "scripted", at), (next) => hired(next, at));

/** As many workers as asked for, beside those there are; names are never given twice. */
export const hired = (context: TeamContext, at: number): Step => {
  const { spec } = context, known = workersOf(context).length;
  let step = quiet(context);
  for (let n = known + 1; n <= known + spec.workers; n++) step = after(step, (next) => joined(next, `worker-${n}`, "worker", spec.adapters[(n - 1) % spec.adapters.length] ?? configured(context), at));
  return step;
};

/** One more worker, unless the team is full. */
export const added = (context: TeamContext, event: Extract<TeamEvent, { type: "team.add" }>): Step => {
  if (workersOf(context).filter(isLiving).length >= mostWorkers) return quiet(noted(context, event.at, `no more workers: ${mostWorkers} are the most`));
  const n = workersOf(context).length + 1;
  return after(joined(context, `worker-${n}`, "worker", event.adapter ?? configured(context), event.at), (next) => quiet(noted(next, event.at, `worker-${n} joined`)));
};

export const removed = (context: TeamContext, event: Extract<TeamEvent, { type: "team.remove" }>): Step => ({
  context: noted(member(context, event.member, { state: "draining" }), event.at, `${event.member} was asked to leave`),
  asked: [say(context, event.member, { type: "member.stop", force: false, tidy: false })],
});

/** Everybody is told to leave; whoever does something may finish it, unless forced. */
export const dismissed = (context: TeamContext): Step => ({
  context: { ...context, members: context.members.map((each) => (isLiving(each) ? { ...each, state: "draining" } : each)) },
  asked: context.members.filter(isLiving).map(({ name }) => say(context, name, { type: "member.stop", force: context.force, tidy: context.ending === "done" && !context.policy.keepWorktree })),
});

export const died = (context: TeamContext, event: Extract<TeamEvent, { type: "member.died" }>): Step => {
  const { board, reclaimed } = reclaim(context.board, event.member, { counts: true, reason: `${event.member} died: ${event.reason}`, attempts: context.limits.taskAttempts });
  const known = memberOf(context, event.member);
  const duty = context.duty && known?.role === "leader" && context.duty.given ? { ...context.duty, given: false, token: context.duties + 1 } : context.duty;
  const next = member({ ...context, board, duty, duties: duty === context.duty ? context.duties : context.duties + 1 }, event.member, { died: event.died, task: null, state: known?.state === "draining" ? "draining" : "waiting", reason: event.reason, since: event.at });
  const lost = reclaimed.length === 0 ? "" : `; task ${reclaimed.map(({ id }) => id).join(", ")} is taken back`;
  return reported(withoutQuestion(next, event.member), event.at, `${event.member} died (${event.died}): ${event.reason}${lost}`);
};

const withoutQuestion = (context: TeamContext, name: string): TeamContext => ({ ...member(context, name, { question: null }), asking: context.asking.filter((each) => each !== name) });

export const leftTeam = (context: TeamContext, event: Extract<TeamEvent, { type: "member.ended" }>): Step => {
  const isDown = event.outcome === "failed" || event.outcome === "exhausted";
  const { board, reclaimed } = reclaim(context.board, event.member, { counts: isDown, reason: `${event.member} is down: ${event.reason}`, attempts: context.limits.taskAttempts });
  const next = withoutQuestion(member({ ...context, board, mailbox: bounce(context.mailbox, event.member) }, event.member, { state: isDown ? "down" : "gone", task: null, reason: event.reason, failure: event.failure, since: event.at }), event.member);
  const counted = costed(next, event.member, event.costUsd);
  const back = reclaimed.length === 0 ? "" : `; task ${reclaimed.map(({ id }) => id).join(", ")} is taken back`;
  return isDown ? reported(counted, event.at, `${event.member} is down for good: ${event.reason}${back}`) : quiet(noted(counted, event.at, `${event.member} left${back}`));
};

/** Totals, so an echo counts once. */
const costed = (context: TeamContext, name: string, costUsd: number): TeamContext => {
  const before = memberOf(context, name)?.costUsd ?? 0, more = Math.max(0, costUsd - before);
  return more === 0 ? context : { ...member(context, name, { costUsd }), costUsd: context.costUsd + more };
};

export const turned = (context: TeamContext, event: Extract<TeamEvent, { type: "member.turn" }>): Step => {
  const known = memberOf(context, event.member);
  if (!known || event.turns <= known.turns) return quiet(context);
  let step = quiet(member(costed({ ...context, mailbox: settleMail(context.mailbox, event.member, event.mail, event.well) }, event.member, event.costUsd), event.member, { turns: event.turns }));
  event.messages.forEach(({ to, text }, n) => { step = after(step, (next) => posted(next, { id: `${event.member}-${event.turns}-${n + 1}`, from: event.member, to, text })); });
  return step;
};

export const began = (context: TeamContext, event: Extract<TeamEvent, { type: "member.began" }>): TeamContext => ({ ...context, mailbox: deliver(context.mailbox, event.member, event.mail) });

/** It wants something to do. One that was dismissed gets nothing more, and one that holds something is an echo. */
export const ready = (context: TeamContext, event: Extract<TeamEvent, { type: "member.ready" }>): TeamContext => {
  const known = memberOf(context, event.member);
  // What it held when the pause came is over.
  if (context.held && known && known.state !== "draining") return withoutQuestion(member({ ...context, board: unheld(context, event.member) }, event.member, { state: "idle", task: null, since: event.at }), event.member);
  return known && (known.state === "starting" || known.state === "waiting" || (known.state === "working" && known.task === null)) ? member(context, event.member, { state: "idle", task: null, since: event.at }) : context;
};

const unheld = ({ board, limits }: TeamContext, name: string): Board => reclaim(board, name, { counts: false, reason: "", attempts: limits.taskAttempts }).board;

/** A pause: whoever holds something gives it back and keeps what it did; what was brought before counts. */
export const held = (context: TeamContext): Step => ({
  context: { ...context, held: true, duty: null, asking: [], members: context.members.map((each) => ({ ...each, question: null })) },
  asked: [
    ...context.board.tasks.flatMap(({ id, state, owner, fence }) => (state === "claimed" && owner !== null ? [say(context, owner, { type: "member.revoked", task: id, token: fence })] : [])),
    ...(context.duty?.given ? [say(context, "leader", { type: "member.revoked", task: 0, token: context.duty.token })] : []),
  ],
});

/** What it held is over, one way or another; it will ask for more. */
const freed = (context: TeamContext, name: string): TeamContext => {
  const known = memberOf(context, name);
  return known && known.state !== "draining" && isLiving(known) ? member(context, name, { state: "waiting", task: null }) : member(context, name, { task: null });
};

// ---- Questions

export const asks = (context: TeamContext, event: Extract<TeamEvent, { type: "member.asks" }>): Step => {
  // It is told to give back what it asks about.
  if (context.held) return quiet(context);
  const next = { ...member({ ...context, board: hold(context.board, event.member) }, event.member, { question: event.question }), asking: [...context.asking.filter((each) => each !== event.member), event.member] };
  return { context: next, asked: next.asking[0] === event.member ? putQuestion(next) : [] };
};
/** The item has room for one question at a time. */
export const putQuestion = (context: TeamContext): readonly Asked[] => {
  const first = context.asking[0], question = first === undefined ? null : (memberOf(context, first)?.question ?? null);
  return first === undefined || question === null ? [] : [{ type: "tell", params: { to: context.owner, event: { type: "pipeline.asks", question: `${first} asks: ${question}`, ...(context.leg ? { leg: context.leg.n } : {}) } } }];
};
export const answered = (context: TeamContext, text: string): Step => {
  const first = context.asking[0];
  if (first === undefined) return quiet(context);
  const next = withoutQuestion(context, first);
  return { context: next, asked: [say(context, first, { type: "answer", text }), ...putQuestion(next)] };
};

// ---- The board

/** The task is this member's by this token. */
export const holds = (board: Board, event: { readonly member: string; readonly task: number; readonly token: number }): boolean => renew(board, event.member, event.task, event.token, 0, 0).ok;

const boardAfter = (context: TeamContext, outcome: { readonly ok: boolean; readonly board?: Board }): TeamContext => (outcome.board ? { ...context, board: outcome.board } : context);

export const renewed = (context: TeamContext, event: Extract<TeamEvent, { type: "member.renew" }>): TeamContext => {
  const outcome = renew(context.board, event.member, event.task, event.token, event.at, context.limits.leaseMs);
  // It answered a doubt, and still waits for a person.
  if (outcome.ok && memberOf(context, event.member)?.question !== null) return { ...context, board: hold(outcome.board, event.member) };
  return boardAfter(context, outcome);
};
export const declined = (context: TeamContext, event: Extract<TeamEvent, { type: "member.declined" }>): TeamContext => {
  if (event.task === 0) return context.duty && context.duty.token === event.token ? { ...freed(context, event.member), duty: { ...context.duty, given: false, token: context.duties + 1 }, duties: context.duties + 1 } : context;
  const outcome = release(context.board, event.member, event.task, event.token);
  return outcome.ok ? boardAfter(freed(context, event.member), outcome) : context;
};
export const taskFailed = (context: TeamContext, event: Extract<TeamEvent, { type: "member.failed" }>): Step => {
  const outcome = fail(context.board, event.member, event.task, event.token, event.reason, context.limits.taskAttempts);
  if (!outcome.ok) return quiet(context);
  return reported(boardAfter(freed(context, event.member), outcome), event.at, `${event.member} did not do task ${event.task}: ${event.reason}`);
};

export const evidenced = (context: TeamContext, event: Extract<TeamEvent, { type: "member.evidence" }>): Step => {
  const { commit, checks, summary } = event;
  const outcome = complete(context.board, event.member, event.task, event.token, { commit, checks, summary: summary.trim() || "no summary was given" });
  if (!outcome.ok) {
    // What is of the past is refused for good; who lacks something may not keep the task either.
    const refused = { context: noted(context, event.at, `evidence of ${event.member} for task ${event.task} was refused: ${refusalText(outcome.refusal)}`), asked: [say(context, event.member, { type: "member.revoked", task: event.task, token: event.token })] };
    return outcome.refusal.kind === "missingEvidence" ? after(taskFailed(refused.context, { ...event, type: "member.failed", reason: refusalText(outcome.refusal) }), (next) => ({ context: next, asked: refused.asked })) : refused;
  }
  return quiet({ ...boardAfter(member(context, event.member, { state: memberOf(context, event.member)?.state === "draining" ? "draining" : "merging" }), outcome), queue: [...context.queue, event.task] });
};

const settled = (context: TeamContext, task: Task): Step => {
  const owner = task.owner ?? "";
  const known = memberOf(context, owner);
  // Who has something else meanwhile keeps it.
  return known && isLiving(known) ? { context: known.task === task.id ? freed(context, owner) : context, asked: [say(context, owner, { type: "member.settled", task: task.id, token: task.fence })] } : quiet(context);
};

export const mergeTaken = (context: TeamContext, event: Extract<TeamEvent, { type: "workspace.merged" }>): Step => {
  const task = taskOf(context.board, context.merging ?? 0);
  const past = { ...context, head: event.head, merging: null, queue: context.queue.filter((id) => id !== context.merging) };
  if (!task) return quiet(past);
  const outcome = merged(context.board, task.id);
  const also = outcome.ok ? outcome.also : [];
  return settled({ ...noted(boardAfter(past, outcome), event.at, `task ${[task.id, ...also].join(" and ")} is done: ${task.title}`), queue: past.queue.filter((id) => !also.includes(id)) }, task);
};

/** Both sides' intent, for whoever resolves it. */
const bothSides = (context: TeamContext, task: Task, files: readonly string[]): string => {
  const mine = rootOf(context.board, task);
  const theirs = context.board.tasks.filter((each) => each.state === "done" && each.kind !== "conflict");
  const line = (each: Task): string => `- task ${each.id}, ${each.title}: ${each.description}`.slice(0, 1_500);
  return [
    `The work of task ${mine.id} contradicts what the team has merged meanwhile, in ${files.slice(0, 20).join(", ")}.`,
    "What this side wants:", line(mine), "What the team's side wants:", ...theirs.slice(-10).map(line),
    "Bring both together: keep what each side is for, leave no conflict marker, and take back nothing of the team's work.",
  ].join("\n").slice(0, 18_000);
};
const rootOf = (board: Board, task: Task): Task => { const under = task.resolves === null ? undefined : taskOf(board, task.resolves); return under ? rootOf(board, under) : task; };

export const conflictTaken = (context: TeamContext, event: Extract<TeamEvent, { type: "workspace.conflicted" }>): Step => {
  const task = taskOf(context.board, context.merging ?? 0);
  const past = { ...context, merging: null, queue: context.queue.filter((id) => id !== context.merging) };
  if (!task) return quiet(past);
  const outcome = conflicted(context.board, task.id, event.files, bothSides(context, task, event.files), context.limits.taskAttempts);
  const text = `the work of task ${task.id} (${task.owner}) conflicts in ${event.files.slice(0, 5).join(", ")}${outcome.ok && outcome.conflict !== null ? `: task ${outcome.conflict}` : ": it is given up"}`;
  return after(settled(boardAfter(past, outcome), task), (next) => reported(next, event.at, text));
};

/** Leases that ran out: owners are asked once, then the task is another's. */
export const lapsed = (context: TeamContext, at: number): Step => {
  if (context.held) return quiet({ ...context, lapse: null });
  const { board, doubted, reclaimed } = expire(context.board, at, Math.max(1, Math.floor(context.limits.leaseMs / 4)), context.limits.taskAttempts);
  let step: Step = { context: { ...context, board, lapse: null }, asked: doubted.map((task) => say(context, task.owner ?? "", { type: "member.life", task: task.id, token: task.fence })) };
  for (const task of reclaimed) {
    const owner = task.owner ?? "";
    step = after(step, (next) => ({ context: withoutQuestion(freed(next, owner), owner), asked: [say(next, owner, { type: "member.revoked", task: task.id, token: task.fence })] }));
    step = after(step, (next) => reported(next, at, `${owner} showed no life for a whole lease: task ${task.id} is taken back`));
  }
  return step;
};

/** Everything that was planned is done, and something was. */
export const allDone = (context: TeamContext): boolean => context.board.tasks.length > 0 && unfinished(context.board).length === 0 && givenUp(context.board).length === 0;
export const isSettled = (context: TeamContext): boolean => context.board.tasks.length > 0 && unfinished(context.board).length === 0;

export const planTaken = (context: TeamContext, tasks: readonly PlannedTask[]): TeamContext => ({ ...context, planned: tasks });
export const boardPut = (context: TeamContext): TeamContext => { const outcome = boardOf(context.planned); return outcome.ok && context.board.tasks.length === 0 ? { ...context, board: outcome.board } : context; };
export const planProblem = (tasks: readonly PlannedTask[]): string => { const outcome = boardOf(tasks); return outcome.ok ? "" : refusalText(outcome.refusal); };

interface Asks { readonly title: string; readonly details: string }
const fixPut = (context: TeamContext, title: string, description: string, more: { readonly replaces?: Task; readonly dependsOn?: readonly number[] } = {}): TeamContext => {
  const outcome = addFix(context.board, { title: title.slice(0, 200), description: description.slice(0, 20_000), acceptance: [...(more.replaces?.acceptance ?? [])], dependsOn: [...(more.dependsOn ?? [])] }, more.replaces?.id ?? null);
  return boardAfter(context, outcome);
};
/** What was given up gets a new place on the board, behind what now stands for the things it depends on. */
export const failedPutAgain = (context: TeamContext): TeamContext => givenUp(context.board).reduce((next, task) => fixPut(
  next, `Again: ${task.title.replace(/^Again: /, "")}`, `${task.description}\n\nAn earlier try was given up: ${task.reason}`,
  { replaces: task, dependsOn: task.dependsOn.flatMap((on) => { const known = taskOf(next.board, on); return known?.state === "done" ? [on] : known?.replacedBy ? [known.replacedBy] : []; }) },
), context);
const checksAsk = (context: TeamContext): Asks => ({ title: "Mend the checks", details: `The project's checks fail on the team's branch and did not before:\n${context.newFailures.slice(0, 50).map((name) => `- ${name}`).join("\n")}` });
const reviewAsks = (feedback: string, findings: readonly Finding[]): Asks =>
  ({ title: "Do what the review asks", details: [feedback, ...findings.slice(0, 50).map(({ severity, message, file, line }) => `- ${severity}: ${message}${file === undefined ? "" : ` (${file}${line === undefined ? "" : `:${line}`})`}`)].filter((text) => text !== "").join("\n") });
export const checksPut = (context: TeamContext): TeamContext => { const { title, details } = checksAsk(context); return fixPut(context, title, details); };
export const reviewPut = (context: TeamContext, feedback: string, findings: readonly Finding[]): TeamContext => { const { title, details } = reviewAsks(feedback, findings); return fixPut(context, title, details); };

// ---- The run that mends

/** It belongs to this fix. */
export const runName = ({ leg, run }: Pick<TeamContext, "leg" | "run">): string => `${leg ? `${leg.n}.` : ""}${run?.n ?? 0}`;
export const runAddress = (context: TeamContext) => laneAddress("ralph", context.item.id, context.attempt, runName(context));
const tellRun = (context: TeamContext, event: Tell["event"]): Asked => ({ type: "tell", params: { to: runAddress(context), event } });

/** One story: what the checks found, or what the review asked for. It works where the team's work is merged. */
export const runBegun = (before: TeamContext, verdict: Verdict | null): Step => {
  const context: TeamContext = { ...before, run: { n: before.fixes, paused: false } }, { item, attempt, lineage, policy, newFailures } = context, { coder, critic } = policy.stages;
  const asked = verdict ? reviewAsks(verdict.feedback, verdict.findings) : checksAsk(context);
  const input: RalphInput = {
    owner: itself(context), item, attempt, lineage, failing: newFailures, policy: { ...policy, stages: { coder, ...(critic === undefined ? {} : { critic }) } }, stories: [{ title: asked.title, details: asked.details.slice(0, 20_000) }],
    leg: { n: runName(context), round: 1, begin: "work", feedback: "", findings: [], session: { id: null, costUsd: 0 }, escalated: false, ...(verdict ? { since: context.head } : {}) },
  };
  return { context, asked: [{ type: "spawn", params: { address: runAddress(context), chart: "ralph", input: { ...input } } }] };
};
export const runTold = (context: TeamContext, event: Tell["event"]): Step => ({ context, asked: context.run ? [tellRun(context, event)] : [] });
export const runTaken = (context: TeamContext, ended: PipelineEnded): TeamContext => ({
  ...context, run: null, costUsd: context.costUsd + ended.costUsd, head: ended.head || context.head, checks: ended.checks ?? context.checks, warnings: [...new Set([...context.warnings, ...ended.warnings])].slice(-20),
});

/** The leader's answer is taken; it will ask for more. */
export const dutyDone = (context: TeamContext): TeamContext => ({ ...freed(context, "leader"), duty: null });
/** A new thing that the leader owes, or the same once more. */
export const dutyPut = (context: TeamContext, kind: NonNullable<TeamContext["duty"]>["kind"], again = "", asked = 1): TeamContext => ({ ...context, duty: { kind, token: context.duties + 1, asked, again, given: false }, duties: context.duties + 1 });
export const dutyPutAgain = (context: TeamContext, why: string): TeamContext => { const { duty } = context; return duty ? dutyPut(freed(context, "leader"), duty.kind, why, duty.asked + 1) : context; };

export const boardClosed = (context: TeamContext): TeamContext => ({ ...context, board: cancelAll(context.board, context.reason || "the team ended"), queue: [] });

// ---- What becomes possible

const lineOf = ({ id, title, state, kind, owner, reason, evidence }: Task): BoardLine => ({ id, title, state, kind, owner, reason: reason.slice(0, 300), summary: (evidence?.summary ?? "").slice(0, 500) });

const grantOf = (context: TeamContext, to: string, task: Task): Grant => ({
  task: task.id, token: task.fence, duty: "work", head: context.head, attempt: task.attempts, conflict: task.conflict && task.resolves !== null ? { task: task.resolves, commit: task.conflict.commit } : null,
  brief: { task: { id: task.id, kind: task.kind, title: task.title, description: task.description, acceptance: [...task.acceptance] }, board: [], others: livingNames(context).filter((name) => name !== to) },
  checks: "", again: "",
});

const dutyGrant = (context: TeamContext, { kind, token, asked, again }: NonNullable<TeamContext["duty"]>): Grant => ({
  // After every fix there is another verdict.
  task: 0, token, duty: kind, head: context.head, attempt: asked + context.fixes, conflict: null,
  brief: { task: null, board: context.board.tasks.length > 0 ? context.board.tasks.map(lineOf) : context.planned.map(({ title, description }, n) => ({ id: n + 1, title, state: "open", kind: "work", owner: null, reason: "", summary: description.slice(0, 500) })), others: livingNames(context).filter((name) => name !== "leader") },
  checks: context.checks ? `before ${context.checks.base}, now ${context.checks.head}` : "", again,
});

const grants = (context: TeamContext, at: number): Step => {
  let step = quiet(context);
  if (context.held) return step;
  const living = new Set(livingNames(context));
  for (const { name, role, state } of context.members) {
    if (role !== "worker" || state !== "idle") continue;
    step = after(step, (next) => {
      const task = nextFor(next.board, name, living), outcome = task && claim(next.board, name, task.id, at, next.limits.leaseMs);
      if (!task || !outcome?.ok) return quiet(next);
      const taken = taskOf(outcome.board, task.id) ?? task;
      return { context: member({ ...next, board: outcome.board }, name, { state: "working", task: task.id, since: at }), asked: [say(next, name, { type: "member.granted", grant: grantOf(next, name, taken) })] };
    });
  }
  const { duty } = step.context;
  if (!duty || duty.given || memberOf(step.context, "leader")?.state !== "idle") return step;
  return after(step, (next) => ({ context: member({ ...next, duty: { ...duty, given: true } }, "leader", { state: "working", task: 0, since: at }), asked: [say(next, "leader", { type: "member.granted", grant: dutyGrant(next, duty) })] }));
};

/** I2. */
const merges = (context: TeamContext): Step => {
  if (context.merging !== null) return quiet(context);
  const id = context.queue.find((each) => isMergeable(context.board, each)), task = id === undefined ? undefined : taskOf(context.board, id);
  if (!task?.evidence) return quiet(context);
  const title = task.title.replaceAll(/\s+/g, " ").trim().slice(0, 60);
  return {
    context: { ...context, merging: task.id },
    asked: [{ type: "effect", params: { kind: "workspace.merge", item: context.item.id, workspace: required(context.workspace), commit: task.evidence.commit, message: `${context.item.id}: merge task ${task.id} of ${task.owner}\n\n${title}` } }],
  };
};

const leases = (context: TeamContext): Step => {
  const lapse = context.held ? null : nextLapse(context.board);
  return lapse === context.lapse ? quiet(context) : { context: { ...context, lapse }, asked: [{ type: "alarm", params: { name: "lease", at: lapse } }] };
};

/** I1. */
export const carryOn = (context: TeamContext, at: number): Step => after(after(grants(context, at), merges), leases);
