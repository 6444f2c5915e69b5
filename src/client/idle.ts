import { noCost } from "../domain/spend.ts";
import type { WorkItemView } from "../domain/view.ts";
import { isTerminal, usesSlot } from "../domain/work-item.ts";
import { compareIds } from "./item-state.ts";
import { waitingFor } from "./waiting.ts";

/**
 * Why no further item is started just now, in one sentence; empty while one is about to be. Pure: `status`, the daemon's log and every other
 * client say the same.
 */
export interface IdleSettings {
  /** Work is picked up without being asked for. */
  readonly automation: boolean;
  readonly slots: number;
  readonly slotsPerProject: number;
  readonly claimUnassigned: boolean;
  /** Why nothing is begun in a project today; empty while it may. */
  readonly held?: (project: string) => string;
}

export const idleReason = (all: readonly WorkItemView[], settings: IdleSettings): string => {
  const items = all.filter(({ status }) => !isTerminal(status)).toSorted((a, b) => compareIds(a.id, b.id));
  if (!settings.automation) return "nothing is picked up by itself here: only what is asked for by command runs";
  const busy = items.filter(({ status }) => usesSlot(status));
  const claimable = items.filter((item) => item.status === "ready" && item.operatorLane !== "manual" && (item.operatorLane !== "none" || settings.claimUnassigned));
  if (claimable.length > 0) {
    if (busy.length >= settings.slots) return `${settings.slots === 1 ? "the only slot is" : `all ${settings.slots} slots are`} in use${named(busy)}; ${counted(claimable, "waits", "wait")}`;
    const inProject = (project: string): number => busy.filter((item) => item.project === project).length;
    const capped = claimable.filter(({ project }) => (settings.held?.(project) ?? "") !== "");
    const [first] = capped;
    if (first && capped.length === claimable.length) return `${settings.held?.(first.project)}; ${counted(claimable, "waits", "wait")}`;
    const held = claimable.filter((item) => !capped.includes(item) && inProject(item.project) >= settings.slotsPerProject);
    if (held.length + capped.length < claimable.length) return "";
    const full = [...new Set(held.map(({ project }) => project))].toSorted();
    const theirs = settings.slotsPerProject === 1 ? "only slot" : `${settings.slotsPerProject} slots`;
    return `${full.length === 1 ? `project ${full.join()} uses its ${theirs}` : `projects ${full.join(", ")} each use their ${theirs}`}; ${counted(claimable, "waits", "wait")}`;
  }
  const groups = new Map<string, WorkItemView[]>();
  for (const item of items) {
    const kind = kindOf(item);
    groups.set(kind, [...(groups.get(kind) ?? []), item]);
  }
  const parts = kinds.flatMap(({ kind, one, many }) => {
    const found = groups.get(kind);
    return found === undefined ? [] : [counted(found, one, many)];
  });
  return `no item is ready: ${parts.length === 0 ? "none is open" : parts.join(", ")}`;
};

const kinds = [
  { kind: "working", one: "is worked on", many: "are worked on" },
  { kind: "person", one: "waits for a person", many: "wait for a person" },
  { kind: "manual", one: "is manual", many: "are manual" },
  { kind: "unassigned", one: "has no operator", many: "have no operator" },
  { kind: "time", one: "waits for its next try", many: "wait for their next try" },
  { kind: "factory", one: "is between two steps", many: "are between two steps" },
] as const;

const kindOf = (item: WorkItemView): (typeof kinds)[number]["kind"] => {
  if (usesSlot(item.status)) return "working";
  if (item.status === "ready") return item.operatorLane === "manual" ? "manual" : "unassigned";
  // Nobody works on it, so its pipeline says nothing that it does not say itself.
  const { on } = waitingFor({ item, pipeline: null, stage: null, progress: null, team: null, lane: null, nested: null, cost: noCost, updatedAt: 0 });
  return on === "person" || on === "time" ? on : "factory";
};

const shown = 5;
const named = (items: readonly WorkItemView[]): string => ` (${items.slice(0, shown).map(({ id }) => id).join(", ")}${items.length > shown ? ", …" : ""})`;
const counted = (items: readonly WorkItemView[], one: string, many: string): string => `${items.length} ${items.length === 1 ? one : many}${named(items)}`;
