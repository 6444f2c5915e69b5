import type { StepAction } from "../catalog.ts";
import type { CrewEvent } from "../crew.ts";
import { isLiving, memberOf, type TeamContext, workersOf } from "../team-context.ts";
import * as work from "../team-work.ts";
import type { MemberEnded } from "../member-context.ts";
import { same, stamped } from "./reading.ts";

/** What must become of an event, said as a function, for charts that give a board's tasks to workers: they must agree with it in state, data and everything they ask for. */
export interface Told<C extends TeamContext = TeamContext> { readonly path: string; readonly context: C; readonly asked: readonly StepAction[] }
export type Do = (context: TeamContext) => TeamContext | work.Step;

export const does = <C extends TeamContext>(given: Told<C>, ...list: readonly Do[]): Told<C> => list.reduce<Told<C>>((told, next) => {
  const result = next(told.context), step = "asked" in result ? result : { context: result, asked: [] };
  return { ...told, context: { ...told.context, ...step.context }, asked: [...told.asked, ...step.asked] };
}, given);
export const asks = <C extends TeamContext>(told: Told<C>, type: "effect" | "tell" | "spawn" | "alarm", params: Readonly<Record<string, unknown>>): Told<C> => ({ ...told, asked: [...told.asked, { type, params }] });

/** `alive.verify.checks` */
export const pathOf = (value: unknown): string => (typeof value === "string" ? value : Object.entries(value as Readonly<Record<string, unknown>>).map(([key, inner]) => `${key}.${pathOf(inner)}`).join());

export const kindOf = { infra: "infra", crash: "infra", auth: "auth", environment: "environment", cap: "work" } as const;
export const noted = (when: number, text: string): Do => (c) => work.noted(c, when, text);
export const carryOn = (when: number): Do => (c) => work.carryOn(c, when);

/** Of somebody who is not there, or has left. */
export const isStrangers = (c: TeamContext, event: CrewEvent): boolean => { const known = "member" in event && event.type.startsWith("member.") ? memberOf(c, event.member) : undefined; return "member" in event && event.type.startsWith("member.") && (known === undefined || !isLiving(known)); };

/** What is heard of members and their work in any phase; `undefined`: it is none of these. */
export const heard = (c: TeamContext, event: CrewEvent): readonly Do[] | undefined => {
  const on = carryOn(event.at), question: Do = (context) => ({ context, asked: work.putQuestion(context) });
  switch (event.type) {
    case "member.ready": return [(context) => work.ready(context, event), on];
    case "member.began": return [(context) => work.began(context, event)];
    case "member.turn": return [(context) => work.turned(context, event)];
    case "member.renew":
      if (c.board.tasks.some((task) => task.id === event.task && task.state === "merging" && task.owner === event.member && task.fence === event.token)) return [];
      return work.holds(c.board, event) ? [(context) => work.renewed(context, event), on] : [(context) => ({ context, asked: [work.say(context, event.member, { type: "member.revoked", task: event.task, token: event.token })] })];
    case "member.evidence": return [(context) => work.evidenced(context, event), on];
    case "member.failed": return [(context) => work.taskFailed(context, event), on];
    case "member.declined": return [(context) => work.declined(context, event), on];
    case "member.died": return [(context) => work.died(context, event), on, question];
    case "member.ended": return [(context) => work.leftTeam(context, event), on, question];
    case "member.asks": return [(context) => work.asks(context, event), on];
    case "answer": return [(context) => work.answered(context, event.text)];
    case "alarm.lease": return [(context) => work.lapsed(context, event.at), on, question];
    case "workspace.merged": return c.merging === null ? [] : [(context) => work.mergeTaken(context, event), on];
    case "workspace.conflicted": return c.merging === null ? [] : [(context) => work.conflictTaken(context, event), on];
    case "team.message": return [(context) => work.posted(context, { id: event.id, from: "you", to: event.to, text: event.text })];
    default: return undefined;
  }
};

/** Why nobody works any more, of the last one that left. */
export const nobodyLeft = (c: TeamContext): Pick<TeamContext, "reason" | "failure"> | undefined => {
  if (workersOf(c).some(isLiving)) return undefined;
  const last = workersOf(c).toSorted((a, b) => a.since - b.since).at(-1);
  return { reason: `no worker is left: ${last?.name}: ${last?.reason || "it left"}`, failure: kindOf[last?.failure ?? "crash"] };
};
export const givenUpSays = (c: TeamContext): string => `${c.fixes} of ${c.limits.maxFixes} fixes used; given up: ${c.board.tasks.filter((task) => task.state === "failed" && task.replacedBy === null).map((task) => `task ${task.id} (${task.reason})`).join("; ")}`;

/** Everybody is told to leave; the path is the caller's. */
export const left = <C extends TeamContext>(given: Told<C>, ending: NonNullable<TeamContext["ending"]>, why: Partial<Pick<TeamContext, "reason" | "failure" | "force">>): Told<C> => {
  const decided: C = { ...given.context, ...why, ending, ...(ending === "done" ? { reason: "" } : {}), asking: [], duty: null };
  const forced: C = { ...decided, force: decided.force || ending === "failed" || ending === "exhausted" };
  const told = does({ ...given, path: "draining", context: forced }, (c) => (ending === "done" ? c : work.boardClosed(c)), work.dismissed);
  const lines = told.context.board.tasks.flatMap(({ id: n, title, evidence, state }) => (state === "done" && evidence ? [`${n}. ${title}: ${evidence.summary}`] : [])).join("\n");
  const stopped = told.context.run ? asks(told, "tell", { to: work.runAddress(told.context), event: { type: "cancel" } }) : told;
  return asks({ ...stopped, context: { ...told.context, summary: told.context.summary === "" ? lines : told.context.summary } }, "alarm", { name: "lease", at: null });
};

/** The end, when everybody left and nothing is under way. */
export const over = <C extends TeamContext>(told: Told<C>): Told<C> => {
  const { context: c } = told;
  if (c.members.some(isLiving) || c.merging !== null || c.checking || c.run || c.ending === null) return told;
  const event = { type: "pipeline.ended", attempt: c.attempt, outcome: c.ending, failure: c.failure, reason: c.reason, workspace: c.workspace, head: c.head, iterations: c.fixes + 1, checks: c.checks, summary: c.summary, warnings: c.warnings, costUsd: c.costUsd };
  return asks({ ...told, path: c.ending }, "tell", { to: c.owner, event });
};

/** By key: what nobody touched is the same thing. */
export const sameContext = (a: TeamContext, b: TeamContext): boolean => {
  const [mine, yours] = [Object.entries(a), new Map(Object.entries(b))];
  return mine.length === yours.size && mine.every(([key, value]) => value === yours.get(key) || same(value, yours.get(key)));
};
export const ownerOf = (c: TeamContext, task: number): string | null => c.board.tasks.find((each) => each.id === task)?.owner ?? null;

/** A member's event for each claim: member, task, token. */
export const claimed = <const T extends { readonly type: string }>(given: T, list: readonly (readonly [string, number, number])[]) => list.map(([member, task, token]) => stamped({ ...given, member, task, token }));
export const memberEnded = (member: string, outcome: MemberEnded["outcome"], failure: MemberEnded["failure"] = null) => stamped({ type: "member.ended" as const, member, outcome, failure, reason: failure === null ? "" : `it was ${failure}`, costUsd: 0.5 });
