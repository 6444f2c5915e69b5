/** The words of the HUD: what it knows, what the person at it is doing, what they may ask for. Pure. */
import type { ActorDetail, FactoryDescription, FactoryStatus, ItemCommand, ItemState, JournalLine, ProcessNode, SpendReport, TeamCommand, TeamState, TerminalState } from "../client/contract.ts";
import { inbox, type InboxEntry } from "../client/inbox.ts";
import { type Address, isAddress, itemAddress, pipelineAddress, teamAddress, type WorkItemId } from "../domain/ids.ts";
import { isTerminal } from "../domain/work-item.ts";
import type { PaneScreen } from "./pane.ts";
import type { Edit, TextField } from "./text-field.ts";

export const panels = ["inbox", "work", "seats", "spend", "tree", "events"] as const;
export type Panel = (typeof panels)[number];
export const tabs = ["summary", "terminal", "chart", "journal", "diff"] as const;
export type Tab = (typeof tabs)[number];

/** The factory as it was last read. */
export interface Known {
  readonly description: FactoryDescription;
  /** null: no owner in reach. */
  readonly status: FactoryStatus | null;
  readonly items: readonly ItemState[];
  readonly teams: readonly TeamState[];
  /** Today, against the caps. */
  readonly spend: SpendReport;
  readonly terminals: readonly TerminalState[];
  readonly tree: readonly ProcessNode[];
  /** Newest last. */
  readonly journal: readonly JournalLine[];
}

/** What a row or a detail view is about. */
export interface Subject {
  readonly item: WorkItemId | null;
  /** Address of a terminal. */
  readonly terminal: string | null;
  readonly team: string | null;
  readonly member: string | null;
  /** Reference of an inbox entry. */
  readonly entry: string | null;
}
export const nothing: Subject = { item: null, terminal: null, team: null, member: null, entry: null };

/** What was read for the detail view that is open. */
export interface DetailKnown {
  readonly journal: readonly JournalLine[];
  /** Absent: not read yet. null: cannot be inspected. */
  readonly actor?: ActorDetail | null;
  readonly pane: PaneScreen | null;
}
export const nothingRead: DetailKnown = { journal: [], pane: null };

export interface Detail { readonly subject: Subject; readonly tab: Tab; /** Lines away from where the view begins (the end for terminals). */ readonly scroll: number; readonly pan: number }

export type Writing = "answer" | "reject" | "message" | "interrupt";
export type Mode =
  | { readonly type: "browse" }
  | { readonly type: "help" }
  | { readonly type: "search"; readonly field: TextField }
  | { readonly type: "write"; readonly what: Writing; readonly label: string; readonly subject: Subject; /** What was asked when the typing began; empty where nothing was. */ readonly asked: string; readonly field: TextField }
  | { readonly type: "confirm"; readonly question: string; readonly effect: Effect };

export interface Notice { readonly level: "info" | "warning" | "error"; readonly text: string; readonly at: number }

export interface HudModel {
  readonly version: string;
  /** Tells this HUD's messages from those of others. */
  readonly session: string;
  /** Messages sent so far. */
  readonly sent: number;
  readonly now: number;
  /** When the chosen row went away by itself and another took its place; 0: never. */
  readonly shiftedAt: number;
  readonly known: Known;
  readonly detailKnown: DetailKnown;
  readonly panel: Panel;
  readonly selected: Readonly<Record<Panel, { readonly key: string; readonly index: number }>>;
  readonly detail: Detail | null;
  readonly mode: Mode;
  /** The first row in view of each panel when it was drawn last. */
  readonly tops: Readonly<Partial<Record<Panel, number>>>;
  /** Shows only rows that contain it. */
  readonly filter: string;
  readonly notice: Notice | null;
}

/** What is to be done outside. */
export type Effect =
  | { readonly type: "quit" }
  | { readonly type: "command"; readonly id: WorkItemId; readonly command: ItemCommand; readonly restore?: Mode }
  | { readonly type: "team"; readonly name: string; readonly command: TeamCommand; readonly restore?: Mode }
  | { readonly type: "message"; readonly address: string; readonly text: string; readonly interrupt: boolean; readonly restore?: Mode }
  | { readonly type: "attach"; readonly address: string; readonly write: boolean };

export type HudEvent =
  | { readonly type: "action"; readonly action: Action }
  | { readonly type: "known"; readonly known: Known }
  | { readonly type: "detail"; readonly of: Detail; readonly known: Partial<DetailKnown> }
  | { readonly type: "tick" }
  /** What is known once it is drawn: how far the open detail view can be scrolled, which row is the first of each panel. */
  | { readonly type: "drawn"; readonly reach: number; readonly tops: HudModel["tops"] }
  | { readonly type: "notice"; readonly level: Notice["level"]; readonly text: string }
  /** An effect failed; what was typed for it comes back. */
  | { readonly type: "refused"; readonly text: string; readonly restore?: Mode };

/** What stands where the mouse is. */
export type Target = { readonly type: "row"; readonly panel: Panel; readonly key: string } | { readonly type: "panel"; readonly panel: Panel } | { readonly type: "tab"; readonly tab: Tab } | { readonly type: "detail" };

export type Deed = "approve" | "reject" | "answer" | "retry" | "cancel" | "pause" | "resume" | "show" | "attach" | "attachToWrite" | "message" | "interrupt";

export type Action =
  | { readonly type: "quit" } | { readonly type: "help" } | { readonly type: "search" } | { readonly type: "leave" } | { readonly type: "submit" } | { readonly type: "yes" } | { readonly type: "no" } | { readonly type: "open" }
  | { readonly type: "move"; readonly by: number }
  | { readonly type: "edge"; readonly to: "first" | "last" }
  | { readonly type: "pan"; readonly by: number }
  | { readonly type: "panel"; readonly to: Panel | "next" | "previous" }
  | { readonly type: "tab"; readonly by: 1 | -1 }
  | { readonly type: "edit"; readonly edit: Edit }
  | { readonly type: "point"; readonly at: Target }
  | { readonly type: "wheel"; readonly at: Target; readonly by: number }
  | { readonly type: "do"; readonly what: Deed };

/** Asked for several times a frame: what was answered last is kept beside what it was answered from. */
const answered = new WeakMap<Known, { readonly now: number; readonly entries: readonly InboxEntry[] }>();
export const inboxOf = ({ known, now }: Pick<HudModel, "known" | "now">): readonly InboxEntry[] => {
  const before = answered.get(known);
  if (before?.now === now) return before.entries;
  const entries = inbox(known, now);
  answered.set(known, { now, entries });
  return entries;
};

export const entryOf = (model: HudModel, subject: Subject): InboxEntry | undefined => {
  const entries = inboxOf(model);
  return entries.find(({ ref }) => ref === subject.entry) ?? entries.find(({ team, member, item }) => (subject.member === null ? team === null && item === subject.item : team === subject.team && member === subject.member));
};

/** The terminal to watch for a subject. */
export const terminalOf = ({ known }: HudModel, { terminal, item, team, member }: Subject): TerminalState | undefined => {
  if (terminal !== null) return known.terminals.find(({ address }) => address === terminal);
  const own = known.terminals.filter((each) => each.item === item && (member === null || (each.team === team && each.seat === member)));
  return own.find(({ state }) => state === "running") ?? own.toSorted((a, b) => b.updatedAt - a.updatedAt)[0];
};

export const stateOf = ({ known }: HudModel, id: WorkItemId | null): ItemState | undefined => known.items.find(({ item }) => item.id === id);

/** Whose chart is the telling one: the team's, the pipeline's while it works, else the item's. */
export const actorOf = (model: HudModel, { item, team }: Subject): Address | undefined => {
  const found = model.known.teams.find((state) => state.team.name === team)?.team;
  if (found !== undefined) return teamAddress(found.item, found.attempt);
  const state = stateOf(model, item);
  if (state === undefined) return undefined;
  const leg = state.nested?.leg ?? state.lane?.leg;
  if (leg !== undefined && isAddress(leg) && !isTerminal(state.item.status)) return leg;
  return state.pipeline !== null && !isTerminal(state.item.status) ? pipelineAddress(state.item.id, state.item.attempt) : itemAddress(state.item.id, state.item.lineage);
};
