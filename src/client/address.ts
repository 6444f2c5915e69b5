/** Whom a person means: `LOC-3` (who works on it now), `LOC-3/critic`, `alpha/worker-1`. Pure; what cannot be meant is refused with what could be. */
import { type Address, isAddress, WorkItemId } from "../domain/ids.ts";
import { Stage } from "../domain/stage.ts";
import { isTerminal } from "../domain/work-item.ts";
import { ClientProblem, type ItemState, type TeamState, type TerminalState } from "./contract.ts";
import { isRunning } from "./team-state.ts";

export type Addressee =
  /** `to` null: whoever works on the item now, or next. */
  | { readonly kind: "agent"; readonly item: WorkItemId; readonly attempt: number; readonly to: Stage | null }
  | { readonly kind: "member"; readonly team: string; readonly member: string }
  /** Of a lane whose parts are worked on at once. */
  | { readonly kind: "worker"; readonly item: WorkItemId; readonly lane: Address; readonly worker: string };

export interface Known { readonly items: readonly ItemState[]; readonly teams: readonly TeamState[] }

const list = "list them with: enact-factory panes";
const quote = (text: string): string => JSON.stringify(text.length > 60 ? `${text.slice(0, 59)}…` : text);
const listed = (names: readonly string[]): string => names.slice(0, 8).join(", ") + (names.length > 8 ? ", …" : "");

/** `loc-3` and `3` mean `LOC-3` where nothing else is meant by them. */
const itemNamed = (text: string, items: readonly ItemState[]): ItemState | undefined => {
  const exact = items.find(({ item }) => item.id === text.toUpperCase());
  if (exact || !/^\d+$/.test(text)) return exact;
  const alike = items.filter(({ item }) => item.id.endsWith(`-${text}`));
  if (alike.length > 1) throw new ClientProblem(`${text} may mean ${listed(alike.map(({ item }) => item.id))}`, "say which one");
  return alike[0];
};

const ofItem = ({ item, pipeline, stage: at, lane, nested }: ItemState, seat: string | undefined, teams: readonly TeamState[]): Addressee => {
  const { id, status } = item;
  const team = teams.find((each) => each.team.item === id && isRunning(each))?.team;
  // While a run mends the whole, its agents are meant by their stages.
  if (team && !(nested && pipeline && (seat === undefined || pipeline.stages?.some((stage) => stage === seat)))) {
    if (seat !== undefined) return ofTeam(team.name, seat, teams);
    throw new ClientProblem(`${id} is the work of team ${team.name}, which has several agents: ${listed(team.members.map(({ name }) => `${team.name}/${name}`))}`, "say which one");
  }
  if (isTerminal(status)) throw new ClientProblem(`${id} is ${status}: no agent works on it any more`, `start it again with: enact-factory task retry ${id}`);
  const workers = lane?.workers?.map(({ name }) => name) ?? [];
  if (lane && isAddress(lane.address) && seat !== undefined && (workers.includes(seat) || (seat === "all" && workers.length > 0))) return { kind: "worker", item: id, lane: lane.address, worker: seat };
  if (!pipeline && workers.length > 0) throw new ClientProblem(seat === undefined ? `${id} has several agents` : `${id} has no agent ${quote(seat)}`, `say which one: ${listed(workers.map((name) => `${id}/${name}`))}`);
  if (!pipeline && at !== null && !isOver(at.state)) throw new ClientProblem(`the ${at.stage} of ${id} takes no messages`, `wait until its work is under way; see: enact-factory why ${id}`);
  if (!pipeline || isOver(pipeline.state)) throw new ClientProblem(`${id} is ${status}: no agent works on it now`, `see what it waits for with: enact-factory why ${id}`);
  const { stages } = pipeline;
  if (seat === undefined) return { kind: "agent", item: id, attempt: item.attempt, to: null };
  const stage = Stage.safeParse(seat).data;
  if (!stage || (stages !== undefined && !stages.includes(stage))) throw new ClientProblem(`${id} has no agent ${quote(seat)}`, `it has: ${listed((stages ?? [pipeline.stage]).map((each) => `${id}/${each}`))}`);
  return { kind: "agent", item: id, attempt: item.attempt, to: stage };
};

const finals: ReadonlySet<string> = new Set(["done", "failed", "cancelled", "exhausted"]);
const isOver = (state: string): boolean => finals.has(state);

const ofTeam = (name: string, member: string | undefined, teams: readonly TeamState[]): Addressee => {
  const state = teams.find((each) => each.team.name === name && isRunning(each)) ?? teams.find((each) => each.team.name === name);
  if (!state) throw new ClientProblem(`there is no team ${quote(name)}`, list);
  const { team } = state, members = team.members.map((each) => each.name);
  if (!isRunning(state)) throw new ClientProblem(`team ${name} is ${team.phase}: nobody of it works any more`, `see it with: enact-factory team status ${name}`);
  if (member === undefined) throw new ClientProblem(`team ${name} has several agents`, `say which one: ${listed(members.map((each) => `${name}/${each}`))}`);
  if (member !== "all" && !members.includes(member)) throw new ClientProblem(`team ${name} has no ${quote(member)}`, `it has: ${listed(members.map((each) => `${name}/${each}`))}`);
  return { kind: "member", team: name, member };
};

/** Whom a message is for. */
export const addresseeOf = (address: string, { items, teams }: Known): Addressee => {
  const [first = "", seat, ...rest] = address.trim().split("/");
  if (first === "" || seat === "" || rest.length > 0) throw new ClientProblem(`${quote(address)} is no address`, "an address is an item (LOC-3), an agent of one (LOC-3/critic, LOC-3/worker-2) or a member of a team (alpha/worker-1)");
  if (teams.some(({ team }) => team.name === first)) return ofTeam(first, seat, teams);
  const item = itemNamed(first, items);
  if (item) return ofItem(item, seat, teams);
  throw new ClientProblem(WorkItemId.safeParse(first.toUpperCase()).success ? `there is no work item ${first.toUpperCase()}` : `there is no work item or team ${quote(first)}`, list);
};

/** Which terminal is meant: its whole address, or an item's or team's only one or the one at work. */
export const terminalOf = (address: string, terminals: readonly TerminalState[]): TerminalState => {
  const wanted = address.trim();
  const exact = terminals.find((terminal) => terminal.address === wanted) ?? terminals.find((terminal) => terminal.address.toLowerCase() === wanted.toLowerCase());
  if (exact) return exact;
  const own = terminals.filter(({ address: each, item }) => each.toLowerCase().startsWith(`${wanted.toLowerCase()}/`) || item.toLowerCase() === wanted.toLowerCase());
  const running = own.filter(({ state }) => state === "running");
  const [only] = running.length > 0 ? running : own.toSorted((a, b) => b.updatedAt - a.updatedAt);
  if (running.length > 1) throw new ClientProblem(`${wanted} has several terminals: ${listed(running.map((each) => each.address))}`, "say which one");
  if (only) return only;
  throw new ClientProblem(`there is no terminal ${quote(wanted)}`, terminals.length === 0 ? "no agent has worked here yet" : `there are: ${listed(terminals.map((each) => each.address))}`);
};
