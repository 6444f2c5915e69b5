import { parseAddress, type WorkItemId } from "../domain/ids.ts";
import { mostWorkers, TeamView } from "../domain/team.ts";
import { noCost } from "../domain/spend.ts";
import { MemberView } from "../domain/view.ts";
import type { ViewRow } from "../ports/store.ts";
import { ClientProblem, type ItemState, type TeamCommand, type TeamState } from "./contract.ts";

const over: ReadonlySet<TeamView["phase"]> = new Set(["done", "failed", "cancelled", "exhausted"]);

/** The newest attempt of every team, running ones first, then by name. */
export const teamStates = (rows: readonly ViewRow[], items: readonly ItemState[]): readonly TeamState[] => {
  const members = new Map<string, { readonly view: MemberView; readonly updatedAt: number }>();
  for (const row of rows) {
    if (parseAddress(row.actor)?.chart !== "member") continue;
    const parsed = MemberView.safeParse(JSON.parse(row.view));
    if (parsed.success) members.set(row.actor, { view: parsed.data, updatedAt: row.updatedAt });
  }
  const newest = new Map<WorkItemId, { readonly team: TeamView; readonly updatedAt: number }>();
  for (const row of rows) {
    if (parseAddress(row.actor)?.chart !== "team") continue;
    const parsed = TeamView.safeParse(JSON.parse(row.view));
    if (!parsed.success) continue;
    const known = newest.get(parsed.data.item);
    if (!known || known.team.attempt < parsed.data.attempt) newest.set(parsed.data.item, { team: parsed.data, updatedAt: row.updatedAt });
  }
  return [...newest.values()]
    .map(({ team, updatedAt }): TeamState => {
      const own = items.find(({ item }) => item.id === team.item);
      return { ...withMembers(team, updatedAt, members), item: own?.item ?? null, cost: own?.cost ?? { ...noCost, usd: team.costUsd }, updatedAt };
    })
    .sort((a, b) => Number(over.has(a.team.phase)) - Number(over.has(b.team.phase)) || a.team.name.localeCompare(b.team.name, "en", { numeric: true }));
};

/** What each member does just now, it knows best itself; that it has left the team, the team. */
const withMembers = (team: TeamView, updatedAt: number, known: ReadonlyMap<string, { readonly view: MemberView; readonly updatedAt: number }>): Pick<TeamState, "team" | "updatedAt"> => {
  let latest = updatedAt;
  const members = team.members.map((member) => {
    const own = known.get(member.address);
    if (!own) return member;
    latest = Math.max(latest, own.updatedAt);
    const { view } = own, left = member.state === "down" || member.state === "gone";
    return { ...member, state: left ? member.state : view.state, task: left ? null : view.task, turns: view.turns, restarts: view.restarts, costUsd: view.costUsd, ...(view.cost === undefined ? {} : { cost: view.cost }), branch: view.branch, worktree: view.worktree, reason: view.reason || member.reason, since: left ? member.since : view.since, question: left ? null : view.question };
  });
  return { team: { ...team, members }, updatedAt: latest };
};

/** A command that the team would refuse, with what would work. */
export const refuseForTeam = ({ team }: TeamState, command: TeamCommand): void => {
  const status = `see it with: enact-factory team status ${team.name}`;
  const living = team.members.filter(({ state }) => state !== "down" && state !== "gone");
  const refuse = (why: string, next: string): never => { throw new ClientProblem(why, next); };
  switch (command.type) {
    case "message":
      if (command.to !== "all" && !living.some(({ name }) => name === command.to)) refuse(`team ${team.name} has no ${JSON.stringify(command.to)} who could read it`, `there are ${living.map(({ name }) => name).join(", ")} and all`);
      return;
    case "add":
      if (living.filter(({ role }) => role === "worker").length >= mostWorkers) refuse(`team ${team.name} has ${mostWorkers} workers already`, `send one away with: enact-factory team remove ${team.name} worker-1`);
      return;
    case "remove": {
      const member = living.find(({ name }) => name === command.member);
      if (!member) refuse(`team ${team.name} has no ${JSON.stringify(command.member)}`, status);
      if (member?.role === "leader") refuse("a team cannot be without its leader", `end the whole team with: enact-factory team shutdown ${team.name}`);
      if (living.filter(({ role, state }) => role === "worker" && state !== "draining").length < 2) refuse("the last worker cannot be sent away", `add one first: enact-factory team add ${team.name}; or end the team: enact-factory team shutdown ${team.name}`);
      return;
    }
    case "shutdown": {
      const open = team.tasks.filter(({ state }) => state === "open" || state === "claimed" || state === "merging");
      if (!command.force && open.length > 0) refuse(`team ${team.name} has open tasks:\n${open.slice(0, 20).map(({ id, title, state, owner }) => `  task ${id}, ${state}${owner === null ? "" : ` by ${owner}`}: ${title}`).join("\n")}`, `end it all the same, its work kept in checkpoints, with: enact-factory team shutdown ${team.name} --force`);
    }
  }
};

/** True while the team may still do something. */
export const isRunning = ({ team }: TeamState): boolean => !over.has(team.phase);
