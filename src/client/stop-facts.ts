/** What the store's views say to the stop policy of a session's work item and lane run. */
import { z } from "zod";
import { type Address, parseAddress, type WorkItemId } from "../domain/ids.ts";
import { OperatorLane } from "../domain/lane.ts";
import type { StopItem, StopLane } from "../domain/stop-policy.ts";
import { TeamView } from "../domain/team.ts";
import { WorkItemView } from "../domain/view.ts";
import { terminalStatuses } from "../domain/work-item.ts";
import type { ViewRow } from "../ports/store.ts";

/** The newest lineage of an item; only its own rows are read. */
export const stopItem = (rows: readonly ViewRow[], id: WorkItemId): StopItem | null => {
  const newest = rows.filter(({ actor }) => actor.startsWith(`item/${id}/`)).reduce<ViewRow | undefined>((best, row) => (best === undefined || lineage(best) < lineage(row) ? row : best), undefined);
  const parsed = newest && WorkItemView.safeParse(JSON.parse(newest.view));
  if (parsed?.success !== true) return null;
  const { status, needs, gates } = parsed.data;
  return { id, status, needs, gates, blocked: status === "blocked" || status === "awaitingApproval" };
};

const lineage = ({ actor }: ViewRow): number => parseAddress(actor)?.attempt ?? 0;

const LaneView = z.looseObject({ lane: OperatorLane, phase: z.string(), paused: z.boolean().catch(false), session: z.string().nullable().catch(null) });
const over: ReadonlySet<string> = new Set<string>([...terminalStatuses, "complete"]);

/** A lane run, or a team. What says nothing of a phase holds nobody back. */
export const stopLane = (rows: readonly ViewRow[], address: Address): StopLane | null => {
  const row = rows.find(({ actor }) => actor === address);
  if (row === undefined) return null;
  const view: unknown = JSON.parse(row.view);
  const team = parseAddress(address)?.chart === "team" ? TeamView.safeParse(view) : undefined;
  if (team?.success === true) return { lane: "team", phase: team.data.phase, ended: isOver(team.data.phase), paused: false, session: null };
  const lane = LaneView.safeParse(view);
  return lane.success ? { lane: lane.data.lane, phase: lane.data.phase, ended: isOver(lane.data.phase), paused: lane.data.paused, session: lane.data.session } : null;
};

const isOver = (phase: string): boolean => over.has(phase);
