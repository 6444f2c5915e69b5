/** The rows of every panel: what they are about, and their line at a width. Lines are made only for rows that are seen. Pure. */
import type { ItemState, ProcessNode, TeamState, TerminalState } from "../client/contract.ts";
import { explain } from "../client/explain.ts";
import { recentMs, type InboxKind } from "../client/inbox.ts";
import { memberCost } from "../client/item-cost.ts";
import { iterationsOf, stageText, waitText } from "../client/text/item-text.ts";
import { journalLine } from "../client/text/journal-text.ts";
import { oneLine } from "../client/text/safe-text.ts";
import { isRunning } from "../client/team-state.ts";
import { pendingGates } from "../domain/gate.ts";
import { parseAddress } from "../domain/ids.ts";
import { type Cost, isNothing, shortCostText } from "../domain/spend.ts";
import { isTerminal, type WorkItemStatus } from "../domain/work-item.ts";
import { column, type Line, line, type Span, span, type Tone } from "./line.ts";
import { type HudModel, inboxOf, nothing, type Panel, type Subject } from "./state.ts";

export interface PanelRow {
  /** Stays the same while the thing lives. */
  readonly key: string;
  /** null: it cannot be opened. */
  readonly subject: Subject | null;
  /** What a search looks at. */
  readonly words: () => string;
  readonly line: (columns: number) => Line;
}

/** `now`, `40s`, `12m`, `3h`, `2d`. Not finer than the ticks of the session, so that a screen left alone has nothing to draw. */
export const ageText = (ms: number): string => {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  return seconds < 10 ? "now" : seconds < 60 ? `${Math.floor(seconds / 10)}0s` : seconds < 3_600 ? `${Math.floor(seconds / 60)}m` : seconds < 172_800 ? `${Math.floor(seconds / 3_600)}h` : `${Math.floor(seconds / 86_400)}d`;
};
/** Empty while nothing was spent. */
const costOrNothing = (cost: Cost): string => (isNothing(cost) ? "" : shortCostText(cost));
const sizeText = (bytes: number): string => (bytes < 1_000 ? `${bytes}B` : bytes < 1_000_000 ? `${Math.round(bytes / 1_000)}kB` : `${(bytes / 1_000_000).toFixed(1)}MB`);

export const kindTones: Readonly<Record<InboxKind, Tone>> = { question: "warn", approval: "warn", review: "warn", closing: "warn", conflict: "bad", down: "bad", reconcile: "bad", blocked: "bad", undelivered: "bad", cap: "bad" };
const statusTones: Partial<Readonly<Record<WorkItemStatus, Tone>>> = { done: "good", failed: "bad", exhausted: "bad", cancelled: "dim", blocked: "warn", awaitingApproval: "warn", review: "warn", paused: "dim", retryAt: "warn", operating: "accent", verifying: "accent", publishing: "accent", tidying: "accent" };
export const statusTone = (status: WorkItemStatus): Tone => statusTones[status] ?? "plain";

/** Phases in the order of the work panel: what needs a person, what runs, what waits, what has ended. */
const phases: readonly WorkItemStatus[] = ["blocked", "awaitingApproval", "review", "operating", "verifying", "publishing", "tidying", "cancelling", "claimed", "discovered", "ready", "retryAt", "paused", "exhausted", "failed", "done", "cancelled"];

/** Asked for several times a key and a frame: what was made last for a panel is kept beside what it was made from. */
interface Made { readonly now: number; readonly filter: string; readonly rows: readonly PanelRow[] }
const made = new WeakMap<HudModel["known"], Map<Panel, Made>>();

export const panelRows = (model: HudModel, panel: Panel): readonly PanelRow[] => {
  const { known, now, filter } = model;
  const kept = made.get(known) ?? new Map<Panel, Made>();
  made.set(known, kept);
  const last = kept.get(panel);
  if (last?.now === now && last.filter === filter) return last.rows;
  const sought = filter.normalize("NFC").toLowerCase();
  const rows = makers[panel](model).filter((row) => sought === "" || row.words().normalize("NFC").toLowerCase().includes(sought));
  kept.set(panel, { now, filter, rows });
  return rows;
};

const inboxRows = (model: HudModel): readonly PanelRow[] => inboxOf(model).map((entry) => ({
  key: entry.ref,
  subject: { item: entry.item, terminal: entry.terminal, team: entry.team, member: entry.member, entry: entry.ref },
  words: () => `${entry.ref} ${entry.kind} ${entry.title} ${entry.text}`,
  line: (columns) => {
    const ref = column(entry.ref, columns >= 100 ? 18 : 14, "bold");
    return line(ref, " ", column(entry.kind, 11, kindTones[entry.kind]), " ", column(ageText(model.now - entry.since), 4), " ", column(costOrNothing(entry.cost), 7, "dim"), " ", oneLine(entry.text), ...(columns >= 100 && entry.text !== entry.title ? [span(`  ${oneLine(entry.title)}`, "dim")] : []));
  },
}));

/** `2/4` gates settled. */
const gatesOf = (item: ItemState["item"]): string => (item.needs.length === 0 ? "" : `${item.needs.length - pendingGates(item.needs, item.gates).length}/${item.needs.length}`);

const workRows = ({ known, now }: HudModel): readonly PanelRow[] => known.items.toSorted((a, b) => phases.indexOf(a.item.status) - phases.indexOf(b.item.status)).map((state) => {
  const { item } = state;
  return {
    key: item.id,
    subject: { ...nothing, item: item.id },
    words: () => `${item.id} ${item.status} ${stageText(state)} ${item.operatorLane} ${item.project} ${item.title} ${waitText(state, now)}`,
    line: (columns) => line(
      column(item.id, 8, "bold"), column(item.status, columns >= 90 ? 17 : 11, statusTone(item.status)), column(stageText(state), 14, "accent"), column(item.operatorLane, 9, "dim"), " ",
      column(String(iterationsOf(state)), 2), " ", column(gatesOf(item), 4, "dim"), column(costOrNothing(state.cost), 7, "dim"), column(ageText(now - state.updatedAt), 5),
      ...(columns >= 150 ? [column(oneLine(item.title), 40), " "] : []), oneLine(waitText(state, now)), ...(columns >= 150 ? [] : [span(`  ${oneLine(item.title)}`, "dim")]),
    ),
  };
});

const memberTones: Partial<Readonly<Record<string, Tone>>> = { working: "accent", asking: "warn", down: "bad", idle: "dim", gone: "dim", waiting: "warn" };

const terminalSpans = (terminal: TerminalState | undefined, now: number): readonly Span[] =>
  terminal === undefined ? [] : [column(sizeText(terminal.size), 7, "dim"), column(ageText(now - terminal.updatedAt), 5), column(terminal.pane ?? "", 5, "dim"), column(terminal.attached > 0 ? `${terminal.attached}⌂` : "", 3, "warn"), span(oneLine(terminal.lastLine))];

const seatRows = ({ known, now }: HudModel): readonly PanelRow[] => {
  const byAddress = new Map(known.terminals.map((terminal) => [terminal.address, terminal]));
  const taken = new Set<string>();
  const teams = known.teams.filter((state) => isRunning(state) || now - state.updatedAt < recentMs).flatMap(({ team, cost, updatedAt }): PanelRow[] => [
    {
      key: `team ${team.name}`,
      subject: { ...nothing, item: team.item, team: team.name },
      words: () => `${team.name} ${team.phase} ${team.item}`,
      line: () => line(
        column(team.name, 17, "bold"), column(team.phase, 10, "accent"), `${team.tasks.filter(({ state }) => state === "done").length}/${team.tasks.length} tasks, fixes ${team.fixes}/${team.maxFixes}, ${shortCostText(cost)}, ${ageText(now - updatedAt)}`,
        ...(team.reason === "" ? [] : [span(`  ${oneLine(team.reason)}`, "dim")]),
      ),
    },
    ...team.members.map((member): PanelRow => {
      const address = `${team.name}/${member.name}`;
      const terminal = byAddress.get(address);
      if (terminal !== undefined) taken.add(address);
      return {
        key: `seat ${address}`,
        subject: { item: team.item, terminal: terminal?.address ?? null, team: team.name, member: member.name, entry: null },
        words: () => `${address} ${member.state} ${member.adapter} ${member.reason} ${terminal?.lastLine ?? ""}`,
        line: () => line("  ", column(member.name, 15), column(member.state, 10, memberTones[member.state] ?? "plain"), column(member.adapter, 9, "dim"), column(member.task === null ? "" : `#${member.task}`, 4), column(shortCostText(memberCost(member)), 7, "dim"), ...(member.restarts > 0 ? [span(`restarted ${member.restarts} `, "bad")] : []), ...terminalSpans(terminal, now), ...(terminal === undefined ? [span(`${ageText(now - member.since)} ${oneLine(member.reason)}`, "dim")] : [])),
      };
    }),
  ]);
  const rank = { running: 0, idle: 1, ended: 2 } as const;
  const others = known.terminals.filter(({ address }) => !taken.has(address)).toSorted((a, b) => rank[a.state] - rank[b.state]).map((terminal): PanelRow => ({
    key: `seat ${terminal.address}`,
    subject: { item: terminal.item, terminal: terminal.address, team: terminal.team, member: terminal.team === null ? null : terminal.seat, entry: null },
    words: () => `${terminal.address} ${terminal.state} ${terminal.adapter} ${terminal.lastLine}`,
    line: () => line(column(terminal.address, 17), column(terminal.state, 10, terminal.state === "running" ? "accent" : "dim"), column(terminal.adapter, 9, "dim"), ...terminalSpans(terminal, now)),
  }));
  return [...teams, ...others];
};

export const bar = (now: number, limit: number, columns: number): string => {
  const filled = limit <= 0 ? 0 : Math.max(0, Math.min(columns, Math.round((now / limit) * columns)));
  return "█".repeat(filled) + "░".repeat(columns - filled);
};
const capTone = (now: number, limit: number): Tone => (now > limit ? "bad" : now >= limit ? "warn" : "good");

/** Counters against caps: of what is open, and of what ended at a cap not long ago. */
const spendRows = ({ known, now }: HudModel): readonly PanelRow[] => {
  const items = known.items.filter((state) => !isTerminal(state.item.status) || (["exhausted", "failed"].includes(state.item.status) && now - state.updatedAt < recentMs)).map((state: ItemState): PanelRow => {
    const { item, pipeline } = state;
    const near = (): readonly Span[] => explain(state, { effects: [], alarms: [], deadLetters: [], last: [] }).rules.filter((rule) => rule.state !== "quiet" && (rule.scope === "stage" || rule.scope === "progress") && rule.now > 0).map((rule) => span(`${rule.id} ${rule.now}/${rule.limit}  `, rule.state === "fired" ? "bad" : "warn"));
    return {
      key: item.id,
      subject: { ...nothing, item: item.id },
      words: () => `${item.id} ${item.title}`,
      line: () => line(
        column(item.id, 8, "bold"), column(shortCostText(state.cost), 8),
        ...(pipeline === null ? [column("", 13)] : [span(bar(pipeline.iteration, pipeline.maxIterations, 5), capTone(pipeline.iteration, pipeline.maxIterations)), column(` ${pipeline.iteration}/${pipeline.maxIterations}`, 8)]), ...near(),
        column(`wrong ${item.failures}/${item.itemFailures}`, 11, item.failures === 0 ? "dim" : capTone(item.failures, item.itemFailures)), column(`infra ${item.infraFailures}/${item.infraRetries}`, 11, item.infraFailures === 0 ? "dim" : capTone(item.infraFailures, item.infraRetries)),
      ),
    };
  });
  const teams = known.teams.filter(isRunning).map(({ team, cost }: TeamState): PanelRow => ({
    key: `team ${team.name}`,
    subject: { ...nothing, item: team.item, team: team.name },
    words: () => team.name,
    line: () => line(column(team.name, 8, "bold"), column(shortCostText(cost), 8), span(bar(team.fixes, team.maxFixes, 5), capTone(team.fixes, team.maxFixes)), column(` ${team.fixes}/${team.maxFixes}`, 8), "fixes"),
  }));
  return [...items, ...teams];
};

const treeRows = ({ known, now }: HudModel): readonly PanelRow[] => {
  const rows: PanelRow[] = [];
  const add = (nodes: readonly ProcessNode[], stem: string, path: string): void => {
    for (const [index, node] of nodes.entries()) {
      const last = index === nodes.length - 1;
      const address = parseAddress(node.id);
      const key = `${path}/${node.id}`;
      rows.push({
        key,
        subject: address === undefined ? null : { ...nothing, item: address.item },
        words: () => `${node.id} ${node.kind} ${node.state} ${node.lastCrash ?? ""}`,
        line: () => line(span(`${stem}${last ? "└" : "├"} `, "dim"), span(oneLine(node.id), "bold"), span(` ${oneLine(node.kind)}`, "dim"), ` ${oneLine(node.state)} ${ageText(now - node.since)}`, ...(node.restarts > 0 ? [span(` ${node.restarts} restart${node.restarts === 1 ? "" : "s"}`, "warn")] : []), ...(node.lastCrash === undefined ? [] : [span(` ${oneLine(node.lastCrash)}`, "bad")]), ...(node.detail === undefined ? [] : [span(` ${oneLine(node.detail)}`, "dim")])),
      });
      add(node.children ?? [], `${stem}${last ? "  " : "│ "}`, key);
    }
  };
  add(known.tree, "", "");
  return rows;
};

/** Newest first: what just happened is at the top, however few rows there are. */
const eventRows = ({ known }: HudModel): readonly PanelRow[] => known.journal.toReversed().map((event): PanelRow => {
  const item = parseAddress(event.actor)?.item;
  return {
    key: String(event.position),
    subject: item === undefined ? null : { ...nothing, item },
    words: () => journalLine(event),
    line: () => {
      const text = journalLine(event);
      return line(span(text.slice(0, 8), "dim"), text.slice(8));
    },
  };
});

const makers: Readonly<Record<Panel, (model: HudModel) => readonly PanelRow[]>> = { inbox: inboxRows, work: workRows, seats: seatRows, spend: spendRows, tree: treeRows, events: eventRows };
