/**
 * What needs a human now, from the views alone. Pure: every client shows the same list in the same order.
 *
 * The order. First what waits for a person, then what has ended at a cap and waits for nobody. Within each, the longest wait and the
 * highest cost first, in one number: `score` = hours waited + dollars known to be spent, so a dollar weighs as much as an hour. Equal scores: by kind
 * as in `inboxKinds`, then by reference.
 *
 * I1 Two entries never change places while they last: all of them age alike. I2 Every entry has at least one key that settles it and a
 * command that does the same. I3 An item gives at most one entry; one that waits for a person gives exactly one, unless it was paused or
 * left to manual start on purpose, or its agent has only just asked and the item does not know yet. One that goes on with fewer workers than it began
 * with gives one too. I4 References are unique.
 */
import type { WorkItemId } from "../domain/ids.ts";
import { type Cost, noCost } from "../domain/spend.ts";
import type { TeamView } from "../domain/team.ts";
import type { WorkItemView } from "../domain/view.ts";
import type { ItemCommand, ItemState, TeamCommand, TeamState, TerminalState } from "./contract.ts";
import { compareIds } from "./item-state.ts";
import { memberCost } from "./item-cost.ts";
import { isRunning } from "./team-state.ts";
import { shellWord } from "./text/safe-text.ts";
import { isDeferred, waitingFor } from "./waiting.ts";

export const inboxKinds = ["question", "approval", "review", "closing", "conflict", "down", "reconcile", "blocked", "undelivered", "cap"] as const;
export type InboxKind = (typeof inboxKinds)[number];

/** `a` approve, `r` reject, `e` answer, `t` try again, `c` cancel, `o` open. */
export type InboxKey = "a" | "r" | "e" | "t" | "c" | "o";

export interface InboxEntry {
  /** What `inbox show` takes: the item's id, or `TEAM/MEMBER`, `TEAM/task-3`, `TEAM/message-…`. */
  readonly ref: string;
  readonly kind: InboxKind;
  readonly item: WorkItemId;
  readonly team: string | null;
  readonly member: string | null;
  /** Untrusted, like `text` and most of the evidence. */
  readonly title: string;
  /** What is asked, or what happened. */
  readonly text: string;
  /** Since when it waits, milliseconds since the epoch. */
  readonly since: number;
  readonly cost: Cost;
  readonly score: number;
  /** Nothing goes on before a person has spoken; false: it has ended. */
  readonly waits: boolean;
  readonly evidence: InboxEvidence;
  /** Arguments of `enact-factory` that settle it. */
  readonly commands: readonly (readonly string[])[];
  readonly keys: readonly { readonly key: InboxKey; readonly label: string }[];
  /** Where its agent can be watched. */
  readonly terminal: string | null;
}

/** Empty text: not known, or there is none. */
export interface InboxEvidence {
  /** `1/6 → 2/6`, base and head. */
  readonly checks: string;
  readonly newFailures: readonly string[];
  /** The critic's last. */
  readonly feedback: string;
  readonly changes: string;
  readonly summary: string;
  /** The stop rule that fired. */
  readonly rule: string;
  readonly reason: string;
  readonly iterations: string;
  readonly repository: string;
  readonly branch: string | null;
  readonly worktree: string | null;
  readonly base: string | null;
  readonly head: string | null;
}

export interface InboxFacts {
  readonly items: readonly ItemState[];
  readonly teams: readonly TeamState[];
  readonly terminals: readonly TerminalState[];
}

/** A cap that was reached longer ago is no news. */
export const recentMs = 24 * 3_600_000;

export const inbox = ({ items, teams, terminals }: InboxFacts, now: number): readonly InboxEntry[] => {
  const watched = (item: WorkItemId, team: string | null, seat: string | null): string | null => {
    const own = terminals.filter((terminal) => terminal.item === item && terminal.team === team && (seat === null || terminal.seat === seat));
    return (own.find(({ state }) => state === "running") ?? own.toSorted((a, b) => b.updatedAt - a.updatedAt)[0])?.address ?? null;
  };
  const drafts = [...items.flatMap((state) => ofItem(state, now)), ...teams.filter(isRunning).flatMap((state) => ofTeam(state, items))];
  // A member's question that its item asks too is answered once, at the item.
  const asked = new Set(drafts.filter(({ kind, member }) => kind === "question" && member === null).map(({ item, text }) => `${item}\n${text}`));
  return drafts
    .filter(({ kind, member, item, text }) => kind !== "question" || member === null || !asked.has(`${item}\n${text}`))
    .map((draft): InboxEntry => ({ ...draft, score: Math.max(0, now - draft.since) / 3_600_000 + draft.cost.usd, terminal: watched(draft.item, draft.team, draft.member) }))
    .sort(byUrgency);
};

type Draft = Omit<InboxEntry, "score" | "terminal">;

/** Free of the time of day, so that the order holds still (I1). */
const byUrgency = (a: InboxEntry, b: InboxEntry): number =>
  Number(b.waits) - Number(a.waits) || a.since - a.cost.usd * 3_600_000 - (b.since - b.cost.usd * 3_600_000) || inboxKinds.indexOf(a.kind) - inboxKinds.indexOf(b.kind) || compareIds(a.ref, b.ref) || (a.ref < b.ref ? -1 : 1);

const labels = { a: "approve", r: "reject", e: "answer", t: "try again", c: "cancel", o: "open" } as const satisfies Record<InboxKey, string>;
const keys = (...chosen: readonly InboxKey[]): InboxEntry["keys"] => chosen.map((key) => ({ key, label: labels[key] }));

export const checksText = (checks: WorkItemView["checks"]): string => (checks === null ? "" : `${checks.base} → ${checks.head}`);

/** What is asked of a person, in words; of one that does not ask, nothing. */
export const askedText = ({ item, pipeline }: ItemState): string => {
  if (item.status === "awaitingApproval") return `May work on this begin?\n${item.title}`;
  if (isDeferred(item)) return `The work is verified and spans several projects (§I4 closure-evidence-missing). May it be closed, and why?\n${item.summary}`;
  if (item.status === "review") return `${item.reason === "" ? "" : `${item.reason}\n`}The work is verified. Publish it?\n${item.summary}`;
  return item.question ?? pipeline?.question ?? "";
};

/** Workers of its run that are not started any more, while the others go on. */
const downOf = ({ lane }: ItemState): NonNullable<NonNullable<ItemState["lane"]>["down"]> => lane?.down ?? [];
const downText = ({ name, restarts, reason }: { readonly name: string; readonly restarts: number; readonly reason: string }): string => `${name} is down after ${restarts} restart(s)${reason === "" ? "" : `: ${reason}`}`;

const kindOf = (state: ItemState): InboxKind | null => {
  const { item } = state;
  switch (item.status) {
    case "operating": return downOf(state).length > 0 && state.lane?.state !== "pausing" ? "down" : null;
    case "awaitingApproval": return "approval";
    case "review": return isDeferred(item) ? "closing" : "review";
    case "blocked": return item.blocked === "needsHuman" ? "question" : item.blocked === "needsReconcile" ? "reconcile" : "blocked";
    case "failed":
    case "exhausted": return "cap";
    default: return null;
  }
};

const keysOf: Readonly<Record<Exclude<InboxKind, "conflict" | "undelivered">, InboxEntry["keys"]>> = {
  question: keys("e", "c", "o"), approval: keys("a", "r", "c", "o"), review: keys("a", "r", "c", "o"), closing: [{ key: "e", label: "close, with a reason" }, ...keys("r", "c", "o")], reconcile: keys("t", "c", "o"), blocked: keys("t", "c", "o"), cap: keys("t", "o"), down: keys("c", "o"),
};

const ofItem = (state: ItemState, now: number): readonly Draft[] => {
  const kind = kindOf(state);
  const { item, pipeline, progress } = state, down = kind === "down" ? downOf(state) : [];
  if (kind === null || kind === "conflict" || kind === "undelivered" || (kind === "cap" && now - state.updatedAt > recentMs)) return [];
  return [{
    ref: item.id, kind, item: item.id, team: null, member: null, title: item.title,
    text: kind === "down" ? down.map(downText).join("; ") : askedText(state) || item.reason || waitingFor(state).text,
    since: kind === "down" ? Math.min(...down.map(({ since }) => since)) : state.updatedAt, cost: state.cost, waits: kind !== "cap",
    evidence: {
      checks: checksText(item.checks ?? pipeline?.checks ?? null), newFailures: pipeline?.newFailures ?? [], feedback: pipeline?.feedback ?? "", changes: pipeline?.changeSummary ?? "", summary: item.summary,
      rule: pipeline?.rule || progress?.rule || "", reason: item.reason, iterations: pipeline === null ? String(item.iterations) : `${Math.max(item.iterations, pipeline.iteration)} of ${pipeline.maxIterations}`,
      repository: item.repository, branch: item.branch ?? pipeline?.branch ?? null, worktree: item.worktree ?? pipeline?.worktree ?? null, base: item.base, head: item.head ?? pipeline?.head ?? null,
    },
    // A resume hires as many workers as it began with.
    commands: kind === "down" ? [["task", "pause", item.id], ["task", "resume", item.id]] : waitingFor(state).commands,
    // Work that is stuck may also be tried again as it is.
    keys: kind === "question" && !item.running ? keys("e", "t", "c", "o") : keysOf[kind],
  }];
};

type Member = TeamView["members"][number];

const ofTeam = ({ team, item, cost, updatedAt }: TeamState, items: readonly ItemState[]): readonly Draft[] => {
  const draft = (part: string, kind: InboxKind, more: Pick<Draft, "text" | "since" | "cost" | "keys" | "commands"> & { readonly member?: Member | undefined; readonly reason?: string }): Draft => ({
    ref: `${team.name}/${part}`, kind, item: team.item, team: team.name, member: more.member?.name ?? null, title: item?.title ?? team.name, waits: true,
    text: more.text, since: more.since, cost: more.cost, keys: more.keys, commands: [...more.commands, ["team", "status", team.name]],
    evidence: {
      checks: checksText(team.checks), newFailures: [], feedback: "", changes: "", summary: item?.summary ?? "", rule: "", reason: more.reason ?? more.member?.reason ?? "",
      iterations: "", repository: item?.repository ?? items.find((state) => state.item.id === team.item)?.item.repository ?? "",
      branch: more.member?.branch ?? team.branch, worktree: more.member?.worktree ?? null, base: item?.base ?? null, head: team.head,
    },
  });
  const nameOf = (owner: string | null): Member | undefined => team.members.find(({ name }) => name === owner);
  return [
    ...team.members.filter(({ state }) => state === "asking").map((member) => draft(member.name, "question", {
      member, text: member.question ?? `${member.name} asks`, since: member.since, cost: memberCost(member), keys: keys("e", "o"), commands: [["inbox", "answer", `${team.name}/${member.name}`, "…"]],
    })),
    ...team.members.filter(({ state }) => state === "down").map((member) => draft(member.name, "down", {
      member, text: downText(member), since: member.since, cost: memberCost(member),
      keys: [{ key: "t", label: "add another" }, { key: "c", label: "remove it" }, { key: "o", label: "open" }], commands: [["inbox", "retry", `${team.name}/${member.name}`]],
    })),
    // A conflict that somebody works on is the team's business; one that failed, or that nobody can work on, is a person's.
    ...team.tasks.filter((task) => task.kind === "conflict" && (task.state === "failed" || (task.owner !== null && ["down", "gone"].includes(nameOf(task.owner)?.state ?? "gone") && task.state !== "done" && task.state !== "cancelled"))).map((task) => draft(`task-${task.id}`, "conflict", {
      text: `${task.title}${task.reason === "" ? "" : `: ${task.reason}`}`, reason: task.reason, since: updatedAt, cost, member: nameOf(task.owner),
      keys: [{ key: "e", label: "tell the leader" }, { key: "o", label: "open" }], commands: [["inbox", "answer", `${team.name}/task-${task.id}`, "…"]],
    })),
    ...team.messages.filter(({ state }) => state === "undelivered").map((message) => draft(`message-${message.id}`, "undelivered", {
      text: `a message of ${message.from} to ${message.to} was not delivered: ${message.text}`, since: updatedAt, cost: noCost, member: nameOf(message.to),
      keys: [{ key: "t", label: "send again" }, { key: "o", label: "open" }], commands: [["inbox", "retry", `${team.name}/message-${message.id}`]],
    })),
  ];
};

/** How to see what was changed, for people to copy; running git is not a client's business. */
export const diffCommand = (repository: string, base: string | null, branch: string): string => `git -C ${shellWord(repository)} diff ${base === null ? "" : `${shellWord(base.slice(0, 12))}...`}${shellWord(branch)}`;

/** What a key asks of the factory; `open` and `show` are the client's own. */
export type InboxRequest =
  | { readonly to: "item"; readonly id: WorkItemId; readonly command: ItemCommand }
  | { readonly to: "team"; readonly name: string; readonly command: TeamCommand };

/**
 * The request behind a key, or undefined where the entry does not have it. `text` is the answer or the reason; `messageId` makes a
 * message unique, so that sending it twice is once.
 */
export const requestOf = (entry: InboxEntry, key: InboxKey, given: { readonly text: string; readonly messageId: string }, teams: readonly TeamState[]): InboxRequest | undefined => {
  if (key === "o" || !entry.keys.some((each) => each.key === key)) return undefined;
  const { text, messageId } = given;
  if (entry.team === null) return { to: "item", id: entry.item, command: entry.kind === "closing" && key === "e" ? { type: "acknowledgeClose", reason: text } : itemCommand(key, text) };
  const name = entry.team;
  const team = teams.find((state) => state.team.name === name)?.team;
  const say = (to: string, said: string): InboxRequest => ({ to: "team", name, command: { type: "message", to, text: said, id: messageId } });
  switch (entry.kind) {
    case "question": return say(entry.member ?? "leader", text);
    case "conflict": return say("leader", text);
    case "undelivered": {
      const message = team?.messages.find(({ id }) => entry.ref === `${name}/message-${id}`);
      return message === undefined ? undefined : say(message.to, message.text);
    }
    case "down": return key === "c" ? { to: "team", name, command: { type: "remove", member: entry.member ?? "" } } : { to: "team", name, command: { type: "add", adapter: null } };
    default: return undefined;
  }
};

const itemCommand = (key: Exclude<InboxKey, "o">, text: string): ItemCommand => {
  switch (key) {
    case "a": return { type: "approve" };
    case "r": return { type: "reject", reason: text };
    case "e": return { type: "answer", text };
    case "t": return { type: "retry" };
    case "c": return { type: "cancel" };
  }
};
