/**
 * The task board of a team: who owns which task, by a renewable, fenced lease. Pure; every operation gives the next board or a typed refusal.
 *
 * I1 A task has at most one owner. I2 A claim's token is the task's fence, which rises with every claim: who comes with another token changes
 * nothing. I3 A task is claimed only when all it depends on is done. I4 Done, failed and cancelled absorb. I5 No task is ever taken off the
 * board: what cannot be done any more is failed or cancelled, and says why. I6 A task is done only with evidence, after its work was merged.
 * I7 A lease that ran out is doubted once: its owner has a moment to show life before the task goes to another.
 */
import type { PlannedTask } from "./team-answers.ts";
import type { taskStates } from "./team.ts";

export type TaskState = (typeof taskStates)[number];
export type TaskKind = "work" | "fix" | "conflict";

/** What a task cannot be completed without. */
export interface Evidence { readonly commit: string; readonly checks: string; readonly summary: string }

export interface Task {
  readonly id: number;
  readonly title: string;
  readonly description: string;
  readonly acceptance: readonly string[];
  readonly kind: TaskKind;
  readonly dependsOn: readonly number[];
  readonly state: TaskState;
  readonly owner: string | null;
  /** The token of the present or last claim; 0 before the first. */
  readonly fence: number;
  readonly leaseUntil: number | null;
  /** The lease ran out and its owner was asked (I7). */
  readonly doubted: boolean;
  /** Claims that count: those that were given back unharmed do not. */
  readonly attempts: number;
  readonly evidence: Evidence | null;
  readonly reason: string;
  /** Of a conflict: the task whose work it brings in. */
  readonly resolves: number | null;
  /** Of a conflict: the commit that could not be merged, the files, and who had made it. */
  readonly conflict: { readonly commit: string; readonly files: readonly string[]; readonly by: string; readonly depth: number } | null;
  /** Failed or cancelled, and put on the board anew: the task that does it now. */
  readonly replacedBy: number | null;
}

export interface Board { readonly tasks: readonly Task[] }

export type Refusal =
  | { readonly kind: "unknownTask"; readonly task: number }
  | { readonly kind: "notOpen"; readonly state: TaskState }
  | { readonly kind: "blockedDependency"; readonly on: readonly number[] }
  | { readonly kind: "notClaimed"; readonly state: TaskState }
  | { readonly kind: "staleToken"; readonly token: number; readonly fence: number }
  | { readonly kind: "notOwner"; readonly owner: string | null }
  | { readonly kind: "missingEvidence"; readonly what: keyof Evidence }
  | { readonly kind: "terminal"; readonly state: TaskState }
  | { readonly kind: "unknownDependency"; readonly task: number; readonly on: number }
  | { readonly kind: "cycle"; readonly tasks: readonly number[] }
  | { readonly kind: "tooMany"; readonly most: number }
  | { readonly kind: "empty" };

export type Outcome<T = object> = ({ readonly ok: true; readonly board: Board } & T) | { readonly ok: false; readonly refusal: Refusal };

/** More tasks than this are a plan that nobody reads. */
export const mostTasks = 50;
/** Fixes and conflicts come on top, within caps of their own. */
const mostEver = 400;
const mostFiles = 50;

const terminal: ReadonlySet<TaskState> = new Set(["done", "failed", "cancelled"]);
export const isOver = (task: Task): boolean => terminal.has(task.state);
export const taskOf = (board: Board, id: number): Task | undefined => board.tasks.find((task) => task.id === id);

const refuse = (refusal: Refusal) => ({ ok: false, refusal }) as const;
const done = (board: Board) => ({ ok: true, board }) as const;
const free = { owner: null, leaseUntil: null, doubted: false } as const;

const put = (board: Board, id: number, change: Partial<Task>): Board => ({ tasks: board.tasks.map((task) => (task.id === id ? { ...task, ...change } : task)) });

/** The numbers of a cycle, when there is one. */
const cycleIn = (edges: ReadonlyMap<number, readonly number[]>): readonly number[] | undefined => {
  const over = new Set<number>();
  const walk = (at: number, path: readonly number[]): readonly number[] | undefined => {
    if (path.includes(at)) return path.slice(path.indexOf(at));
    if (over.has(at)) return undefined;
    for (const next of edges.get(at) ?? []) {
      const found = walk(next, [...path, at]);
      if (found) return found;
    }
    over.add(at);
    return undefined;
  };
  for (const at of edges.keys()) {
    const found = walk(at, []);
    if (found) return found;
  }
  return undefined;
};

const fresh = (id: number, kind: TaskKind, task: PlannedTask): Task => ({
  id, kind, title: task.title, description: task.description, acceptance: task.acceptance, dependsOn: [...new Set(task.dependsOn)], state: "open", ...free, fence: 0, attempts: 0, evidence: null, reason: "",
  resolves: null, conflict: null, replacedBy: null,
});

/** A board of a plan: unknown numbers, cycles, too many and no tasks at all are refused. */
export const boardOf = (plan: readonly PlannedTask[]): Outcome => {
  if (plan.length === 0) return refuse({ kind: "empty" });
  if (plan.length > mostTasks) return refuse({ kind: "tooMany", most: mostTasks });
  for (const [n, { dependsOn }] of plan.entries()) for (const on of dependsOn) if (on > plan.length) return refuse({ kind: "unknownDependency", task: n + 1, on });
  const cycle = cycleIn(new Map(plan.map(({ dependsOn }, n) => [n + 1, dependsOn])));
  return cycle ? refuse({ kind: "cycle", tasks: cycle }) : done({ tasks: plan.map((task, n) => fresh(n + 1, "work", task)) });
};

export const emptyBoard: Board = { tasks: [] };

/** More work for a board: what a review, a failing check or a failed task asks for. `replaces`: the task whose place it takes. */
export const addFix = (board: Board, task: PlannedTask, replaces: number | null = null): Outcome<{ readonly id: number }> => {
  if (board.tasks.length >= mostEver) return refuse({ kind: "tooMany", most: mostEver });
  const id = board.tasks.length + 1;
  const missing = task.dependsOn.find((on) => on >= id);
  if (missing !== undefined) return refuse({ kind: "unknownDependency", task: id, on: missing });
  const old = replaces === null ? undefined : taskOf(board, replaces);
  const tasks = board.tasks.map((each) => (each === old && isOver(each) && each.state !== "done" ? { ...each, replacedBy: id } : each));
  return { ok: true, board: { tasks: [...tasks, fresh(id, "fix", task)] }, id };
};

const blockers = (board: Board, task: Task): readonly number[] => task.dependsOn.filter((on) => taskOf(board, on)?.state !== "done");

/** True while the worker whose merge it was may still resolve it first. */
const isKeptFor = (task: Task, worker: string, living: ReadonlySet<string>): boolean => task.conflict !== null && task.conflict.by !== worker && living.has(task.conflict.by);

/** What `worker` may claim next: its own conflict first, then other conflicts, then by number. */
export const nextFor = (board: Board, worker: string, living: ReadonlySet<string>): Task | undefined => {
  const open = board.tasks.filter((task) => task.state === "open" && blockers(board, task).length === 0 && !isKeptFor(task, worker, living));
  return open.find(({ conflict }) => conflict?.by === worker) ?? open.find(({ kind }) => kind === "conflict") ?? open[0];
};

export const claim = (board: Board, worker: string, id: number, at: number, leaseMs: number): Outcome<{ readonly token: number; readonly leaseUntil: number }> => {
  const task = taskOf(board, id);
  if (!task) return refuse({ kind: "unknownTask", task: id });
  if (isOver(task)) return refuse({ kind: "terminal", state: task.state });
  if (task.state !== "open") return refuse({ kind: "notOpen", state: task.state });
  const on = blockers(board, task);
  if (on.length > 0) return refuse({ kind: "blockedDependency", on });
  const token = task.fence + 1, leaseUntil = at + leaseMs;
  return { ok: true, board: put(board, id, { state: "claimed", owner: worker, fence: token, leaseUntil, doubted: false, attempts: task.attempts + 1, reason: "" }), token, leaseUntil };
};

/** The task, if this worker holds it by this token (I2). */
const held = (board: Board, worker: string, id: number, token: number): { readonly ok: true; readonly task: Task } | { readonly ok: false; readonly refusal: Refusal } => {
  const task = taskOf(board, id);
  if (!task) return refuse({ kind: "unknownTask", task: id });
  if (isOver(task)) return refuse({ kind: "terminal", state: task.state });
  if (task.fence !== token) return refuse({ kind: "staleToken", token, fence: task.fence });
  if (task.state !== "claimed") return refuse({ kind: "notClaimed", state: task.state });
  if (task.owner !== worker) return refuse({ kind: "notOwner", owner: task.owner });
  return { ok: true, task };
};

export const renew = (board: Board, worker: string, id: number, token: number, at: number, leaseMs: number): Outcome => {
  const found = held(board, worker, id, token);
  return found.ok ? done(put(board, id, { leaseUntil: Math.max(found.task.leaseUntil ?? 0, at + leaseMs), doubted: false })) : found;
};

/** Its owner waits for a person: as long as that takes, the claim needs no sign of life. The next renewal ends it. */
export const hold = (board: Board, worker: string): Board => ({ tasks: board.tasks.map((task) => (task.owner === worker && task.state === "claimed" ? { ...task, leaseUntil: null, doubted: false } : task)) });

/** Given back unharmed: it does not count as an attempt. */
export const release = (board: Board, worker: string, id: number, token: number): Outcome => {
  const found = held(board, worker, id, token);
  return found.ok ? done(put(board, id, { state: "open", ...free, attempts: found.task.attempts - 1 })) : found;
};

/** The work is committed and checked; it waits to be merged, without a lease: it is the team's now. */
export const complete = (board: Board, worker: string, id: number, token: number, evidence: Evidence): Outcome => {
  const found = held(board, worker, id, token);
  if (!found.ok) return found;
  const what = (["commit", "checks", "summary"] as const).find((part) => evidence[part].trim() === "");
  if (what) return refuse({ kind: "missingEvidence", what });
  return done(put(board, id, { state: "merging", leaseUntil: null, doubted: false, evidence }));
};

/** The work was not done: the next attempt, or the end of them. */
export const fail = (board: Board, worker: string, id: number, token: number, reason: string, attempts: number): Outcome => {
  const found = held(board, worker, id, token);
  return found.ok ? done(settle(put(board, id, undone(found.task, reason, attempts)))) : found;
};

const undone = (task: Task, reason: string, attempts: number): Partial<Task> =>
  task.attempts >= attempts ? { state: "failed", ...free, reason } : { state: "open", ...free, reason };

/** What depends on something that will never be done is cancelled; a conflict that cannot be resolved fails the task it is about. */
const settle = (board: Board): Board => {
  for (let next = board; ;) {
    const lost = next.tasks.find((task) => !isOver(task) && (task.dependsOn.some((on) => isLost(next, on)) || (task.state === "merging" && conflictOf(next, task) !== undefined && isLost(next, conflictOf(next, task)?.id ?? 0))));
    if (!lost) return next;
    const conflict = lost.state === "merging" ? conflictOf(next, lost) : undefined;
    next = conflict
      ? put(next, lost.id, { state: "failed", ...free, reason: `its work could not be merged: ${conflict.reason}` })
      : put(next, lost.id, { state: "cancelled", ...free, reason: `task ${lost.dependsOn.find((on) => isLost(next, on))}, which it depends on, was not done` });
  }
};

const isLost = (board: Board, id: number): boolean => { const state = taskOf(board, id)?.state; return state === "failed" || state === "cancelled"; };
/** The conflict that stands between this task's work and the team's branch. */
const conflictOf = (board: Board, { id }: Task): Task | undefined => board.tasks.find((task) => task.resolves === id);

/** The next work to merge: in the order of `queue`, without those that wait for a conflict. */
export const isMergeable = (board: Board, id: number): boolean => { const task = taskOf(board, id); return task?.state === "merging" && conflictOf(board, task) === undefined; };

/** I6. With a conflict, the task it resolves is done too. */
export const merged = (board: Board, id: number): Outcome<{ readonly also: readonly number[] }> => {
  const task = taskOf(board, id);
  if (!task) return refuse({ kind: "unknownTask", task: id });
  if (isOver(task)) return refuse({ kind: "terminal", state: task.state });
  if (task.state !== "merging") return refuse({ kind: "notClaimed", state: task.state });
  let next = board;
  const also: number[] = [];
  for (let at: Task | undefined = task; at; at = at.resolves === null ? undefined : taskOf(next, at.resolves)) {
    next = put(next, at.id, { state: "done", ...free });
    if (at !== task) also.push(at.id);
  }
  return { ok: true, board: next, also };
};

/** The work does not merge: a task of its own, for its worker first, as often as `depth` allows. */
export const conflicted = (board: Board, id: number, files: readonly string[], description: string, depth: number): Outcome<{ readonly conflict: number | null }> => {
  const task = taskOf(board, id);
  if (!task) return refuse({ kind: "unknownTask", task: id });
  if (isOver(task)) return refuse({ kind: "terminal", state: task.state });
  if (task.state !== "merging" || !task.evidence || task.owner === null) return refuse({ kind: "notClaimed", state: task.state });
  const deeper = (task.conflict?.depth ?? 0) + 1;
  if (deeper > depth || board.tasks.length >= mostEver) return { ok: true, board: settle(put(board, id, { state: "failed", ...free, reason: `it conflicts with other work for the ${deeper}. time` })), conflict: null };
  const made: Task = {
    ...fresh(board.tasks.length + 1, "conflict", { title: `Merge: ${task.title.replace(/^Merge: /, "")}`.slice(0, 200), description, acceptance: [], dependsOn: [] }),
    resolves: id, conflict: { commit: task.evidence.commit, files: files.slice(0, mostFiles), by: task.owner, depth: deeper },
  };
  return { ok: true, board: { tasks: [...board.tasks, made] }, conflict: made.id };
};

export interface Lapsed { readonly board: Board; /** Owners to be asked for a sign of life. */ readonly doubted: readonly Task[]; /** As they were: who had them has them no more. */ readonly reclaimed: readonly Task[] }

/** I7. `graceMs`: how long a doubted owner has. */
export const expire = (board: Board, at: number, graceMs: number, attempts: number): Lapsed => {
  const due = board.tasks.filter((task) => task.state === "claimed" && task.leaseUntil !== null && task.leaseUntil <= at);
  const doubted = due.filter((task) => !task.doubted), reclaimed = due.filter((task) => task.doubted);
  let next = board;
  for (const task of doubted) next = put(next, task.id, { doubted: true, leaseUntil: at + graceMs });
  for (const task of reclaimed) next = put(next, task.id, undone(task, `${task.owner} showed no life for a whole lease`, attempts));
  return { board: settle(next), doubted, reclaimed };
};

/** Who is gone holds nothing: a death counts as an attempt, leaving does not. */
export const reclaim = (board: Board, worker: string, why: { readonly counts: boolean; readonly reason: string; readonly attempts: number }): { readonly board: Board; readonly reclaimed: readonly Task[] } => {
  const reclaimed = board.tasks.filter((task) => task.owner === worker && task.state === "claimed");
  let next = board;
  for (const task of reclaimed) next = put(next, task.id, why.counts ? undone(task, why.reason, why.attempts) : { state: "open", ...free, attempts: task.attempts - 1 });
  return { board: settle(next), reclaimed };
};

export const cancel = (board: Board, id: number, reason: string): Outcome => {
  const task = taskOf(board, id);
  if (!task) return refuse({ kind: "unknownTask", task: id });
  if (isOver(task)) return refuse({ kind: "terminal", state: task.state });
  return done(settle(put(board, id, { state: "cancelled", ...free, reason })));
};

export const cancelAll = (board: Board, reason: string): Board => ({ tasks: board.tasks.map((task) => (isOver(task) ? task : { ...task, state: "cancelled", ...free, reason })) });

/** The earliest end of a lease. */
export const nextLapse = (board: Board): number | null => {
  const times = board.tasks.flatMap(({ state, leaseUntil }) => (state === "claimed" && leaseUntil !== null ? [leaseUntil] : []));
  return times.length === 0 ? null : Math.min(...times);
};

export const unfinished = (board: Board): readonly Task[] => board.tasks.filter((task) => !isOver(task));
/** What was given up and nobody does instead. */
export const givenUp = (board: Board): readonly Task[] => board.tasks.filter((task) => (task.state === "failed" || task.state === "cancelled") && task.replacedBy === null && task.kind !== "conflict");

/** One sentence, for people and for the agent who asked. */
export const refusalText = (refusal: Refusal): string => {
  switch (refusal.kind) {
    case "unknownTask": return `there is no task ${refusal.task}`;
    case "notOpen": return `the task is ${refusal.state} already`;
    case "blockedDependency": return `it waits for task ${refusal.on.join(", ")}`;
    case "notClaimed": return `the task is ${refusal.state}`;
    case "staleToken": return `the claim ${refusal.token} is of the past; the task is at ${refusal.fence}`;
    case "notOwner": return refusal.owner === null ? "nobody has claimed the task" : `${refusal.owner} has the task`;
    case "missingEvidence": return `a task is complete with commit, checks and summary; ${refusal.what} is missing`;
    case "terminal": return `the task is ${refusal.state}, for good`;
    case "unknownDependency": return `task ${refusal.task} depends on task ${refusal.on}, which is not there`;
    case "cycle": return `tasks ${refusal.tasks.join(", ")} wait for each other`;
    case "tooMany": return `there are more than ${refusal.most} tasks`;
    case "empty": return "there are no tasks";
  }
};
