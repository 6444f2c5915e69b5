/** What the store's views say to the stop policy of a session's work item and lane run. */
import { type Address, laneAddress, parseAddress, type WorkItemId } from "../domain/ids.ts";
import type { SessionView } from "../domain/session.ts";
import type { StopItem, StopLane } from "../domain/stop-policy.ts";
import { TeamView } from "../domain/team.ts";
import { LaneRunView, WorkItemView } from "../domain/view.ts";
import { terminalStatuses } from "../domain/work-item.ts";
import type { ViewRow } from "../ports/store.ts";

/** The newest lineage of an item; only its own rows are read. */
const newestOf = (rows: readonly ViewRow[], id: WorkItemId): WorkItemView | undefined => {
  const newest = rows.filter(({ actor }) => actor.startsWith(`item/${id}/`)).reduce<ViewRow | undefined>((best, row) => (best === undefined || lineage(best) < lineage(row) ? row : best), undefined);
  return newest && WorkItemView.safeParse(JSON.parse(newest.view)).data;
};

export const stopItem = (rows: readonly ViewRow[], id: WorkItemId): StopItem | null => {
  const view = newestOf(rows, id);
  if (view === undefined) return null;
  const { status, needs, gates, running } = view;
  return { id, status, needs, gates, blocked: status === "blocked" || status === "awaitingApproval", running };
};

/**
 * Runs that a session's stop may be about: the one that it is linked to, unless that is of an earlier attempt of its item, and those of its item's present
 * attempt, whoever drives them (a link is as old as the run it was made with, and a run begins after the command that asks for it).
 */
export const stopRuns = (rows: readonly ViewRow[], { item: id, lane }: Pick<SessionView, "item" | "lane">): readonly Address[] => {
  const view = id === null ? undefined : newestOf(rows, id), linked = lane === null ? undefined : parseAddress(lane);
  const kept = lane === null || (view !== undefined && linked?.item === id && linked?.attempt !== view.attempt) ? [] : [lane];
  return view === undefined ? kept : [...kept, ...LaneRunView.shape.lane.options.map((name) => laneAddress(name, view.id, view.attempt))];
};

const lineage = ({ actor }: ViewRow): number => parseAddress(actor)?.attempt ?? 0;

const over: ReadonlySet<string> = new Set<string>(terminalStatuses);

/** A lane run, or a team. What cannot be read holds nobody back. */
export const stopLane = (rows: readonly ViewRow[], address: Address): StopLane | null => {
  const row = rows.find(({ actor }) => actor === address);
  if (row === undefined) return null;
  const view: unknown = JSON.parse(row.view);
  const team = parseAddress(address)?.chart === "team" ? TeamView.safeParse(view).data : undefined;
  if (team !== undefined) return { lane: "team", phase: team.phase, ended: over.has(team.phase), paused: team.phase === "pausing" || team.phase === "paused", cancelled: team.phase === "cancelled", session: null, next: "" };
  const lane = LaneRunView.safeParse(view).data;
  return lane === undefined ? null : { lane: lane.lane, phase: lane.phase, ended: over.has(lane.state), paused: lane.state === "pausing" || lane.state === "paused", cancelled: lane.state === "cancelling" || lane.state === "cancelled", session: lane.session, next: lane.session === null ? "" : nextFor(lane) };
};

/** What a session that drives a run does next. */
const nextFor = ({ lane, phase, worktree, feedback }: LaneRunView): string =>
  phase === "verifying"
    ? `Its work is being checked and judged: wait for it with factory_${lane}_status.`
    : `Work in ${worktree ?? "its worktree"}; when this round is done, call factory_${lane}_advance: what is there is then committed, checked and judged.${feedback === "" ? "" : ` What was wrong with the last round: ${feedback.replaceAll(/\s+/g, " ").slice(0, 600)}`}`;
