/** A work item as tools give it: the views with instants in ISO, and what it waits for. */
import { z } from "zod";
import type { FactoryClient, ItemState } from "../client/contract.ts";
import { ClientProblem } from "../client/contract.ts";
import { compareIds } from "../client/item-state.ts";
import { stageText } from "../client/text/item-text.ts";
import { isoTime } from "../client/text/time-text.ts";
import { waitingFor } from "../client/waiting.ts";
import type { WorkItemId } from "../domain/ids.ts";
import { OperatorLane } from "../domain/lane.ts";
import { plainLine } from "../domain/plain-text.ts";
import { TeamView } from "../domain/team.ts";
import { LaneRunView, LedgerEntry, WorkItemView } from "../domain/view.ts";
import { isTerminal, WorkItem, WorkItemKind, WorkItemStatus } from "../domain/work-item.ts";
import { cut, instant } from "./tool.ts";

export const ItemAnswer = z.object({
  workItem: WorkItemView.extend({ createdAt: instant, retryAt: instant.nullable(), ledger: z.array(LedgerEntry.extend({ at: instant })) }),
  stage: z.object({ name: z.string(), state: z.string(), iteration: z.number(), maxIterations: z.number(), feedback: z.string(), newFailures: z.array(z.string()) }).nullable().describe("What works on it now; null: nothing does."),
  lane: LaneRunView.nullable().describe("The run of a lane that has phases of its own."),
  team: z.object({ phase: TeamView.shape.phase, done: z.number(), tasks: z.number() }).nullable(),
  waitsFor: z.object({ on: z.string(), text: z.string(), until: instant.nullable(), commands: z.array(z.string()).describe("With which a person moves it on.") }),
  updatedAt: instant,
});

export const itemAnswer = (state: ItemState): z.input<typeof ItemAnswer> => {
  const { item, pipeline, stage, lane, team, updatedAt } = state;
  const waiting = waitingFor(state);
  return {
    workItem: { ...item, createdAt: isoTime(item.createdAt), retryAt: item.retryAt === null ? null : isoTime(item.retryAt), ledger: item.ledger.map((entry) => ({ ...entry, at: isoTime(entry.at) })) },
    stage: pipeline === null || isTerminal(item.status) ? null : {
      name: pipeline.stage, state: stage?.state ?? pipeline.state, iteration: pipeline.iteration, maxIterations: pipeline.maxIterations, feedback: pipeline.feedback, newFailures: pipeline.newFailures,
    },
    lane, team,
    waitsFor: { on: waiting.on, text: waiting.text, until: waiting.until === null ? null : isoTime(waiting.until), commands: waiting.commands.map((words) => ["enact-factory", ...words].join(" ")) },
    updatedAt: isoTime(updatedAt),
  };
};

export const ItemRow = z.object({
  id: z.string(), title: z.string(), status: WorkItemStatus, operatorLane: OperatorLane, kind: WorkItemKind, priority: z.number(), project: z.string(), stage: z.string(), waitsFor: z.string(), updatedAt: instant,
});

export const itemRow = (state: ItemState): z.input<typeof ItemRow> => {
  const { id, title, status, operatorLane, kind, priority, project } = state.item;
  return { id, title: cut(title, 200), status, operatorLane, kind, priority, project, stage: stageText(state), waitsFor: isTerminal(status) ? "" : waitingFor(state).text, updatedAt: isoTime(state.updatedAt) };
};

/** `LOC-3 is ready: Mend the sum` */
export const itemText = ({ item }: ItemState): string => `${item.id} is ${item.status}: ${plainLine(cut(item.title, 120))}`;

export const itemNamed = async (client: FactoryClient, id: WorkItemId): Promise<ItemState> => {
  const state = await client.item(id);
  if (state !== undefined) return state;
  const known = (await client.items()).map(({ item }) => item.id).toSorted(compareIds);
  throw new ClientProblem(`there is no work item ${id}`, known.length === 0 ? "there is none at all here yet; factory_workItem_create makes one" : `there are ${known.slice(-8).join(", ")}${known.length > 8 ? " and older ones" : ""}; factory_workItem_list has them all`);
};

/** What the source said, from the first line of its journal; undefined when that cannot be read. */
export const descriptionOf = async (client: FactoryClient, id: WorkItemId): Promise<string | undefined> => {
  const [first] = await client.journal({ id, limit: 1 });
  return Start.safeParse(first?.event).data?.input.item.body;
};
const Start = z.object({ input: z.object({ item: WorkItem.pick({ body: true }) }) });
