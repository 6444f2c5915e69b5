/** `factory_workItem_…`: look at work items, hand one in, tell one something, and see what might be started. */
import { randomUUID } from "node:crypto";
import { z } from "zod";
import type { FactoryClient, ItemCommand } from "../client/contract.ts";
import { compareIds } from "../client/item-state.ts";
import { AdapterName } from "../domain/agent.ts";
import type { WorkItemId } from "../domain/ids.ts";
import { lanes, OperatorLane } from "../domain/lane.ts";
import { isTerminal, WorkItemKind } from "../domain/work-item.ts";
import { descriptionOf, ItemAnswer, itemAnswer, itemNamed, ItemRow, itemRow, itemText } from "./item-answer.ts";
import { laneOfSkill } from "./lane-skills.ts";
import { mustRun, repositoryOf } from "./surroundings.ts";
import { cut, delivered, InvalidInput, strangers, tool, workItemId } from "./tool.ts";

const longestDescription = 20_000;

const get = tool({
  name: "factory_workItem_get", title: "Work item", scope: "read", readOnly: true, destructive: false, idempotent: true,
  description: `One work item: what was asked, state, operator lane, stage, checks, result, and what it waits for. Use it when you know the id. ${strangers}`,
  input: z.strictObject({ workItemId }),
  output: ItemAnswer.extend({
    description: z.string().describe(`What was asked, at most ${longestDescription} characters of it.`),
    descriptionLength: z.number().describe("Characters of the whole description."),
  }),
  answer: async (input, { client }) => {
    const state = await itemNamed(client, input.workItemId);
    const description = await descriptionOf(client, state.item.id) ?? "";
    return { structured: { ...itemAnswer(state), description: cut(description, longestDescription), descriptionLength: description.length }, text: itemText(state) };
  },
});

const list = tool({
  name: "factory_workItem_list", title: "Work items", scope: "read", readOnly: true, destructive: false, idempotent: true,
  description: `Work items in order of their ids, a short row each: state, lane, stage, what each waits for. Use it to find an id. \`next\` is the id to go on after, null at the end. ${strangers}`,
  input: z.strictObject({
    open: z.boolean().default(true).describe("Only those that have not ended."),
    operatorLane: OperatorLane.optional().describe("Only those of this lane."),
    project: z.string().max(100).optional().describe("Only those of this project."),
    after: workItemId.optional().describe("Go on after this id."),
    limit: z.int().min(1).max(200).default(50),
  }),
  output: z.object({ workItems: z.array(ItemRow), total: z.number().describe("How many there are on all pages."), next: z.string().nullable() }),
  answer: async ({ open, operatorLane, project, after, limit }, { client }) => {
    const found = (await client.items()).filter(({ item }) => !(open && isTerminal(item.status)) && (operatorLane === undefined || item.operatorLane === operatorLane) && (project === undefined || item.project === project));
    const from = found.filter(({ item }) => after === undefined || compareIds(item.id, after) > 0);
    const page = from.slice(0, limit);
    const next = from.length > page.length ? (page.at(-1)?.item.id ?? null) : null;
    return { structured: { workItems: page.map(itemRow), total: found.length, next }, text: `${page.length} of ${found.length} work items${open ? " that have not ended" : ""}` };
  },
});

const create = tool({
  name: "factory_workItem_create", title: "New work item", scope: "all", readOnly: false, destructive: false, idempotent: false,
  description: "Hands in one piece of work for the factory's agents, and gives its id. It needs a running factory. Say what is wanted, where, and how one sees that it is done. With `sourceId`, a second call with the same one makes no second item.",
  input: z.strictObject({
    title: z.string().min(1).max(200).describe("What is to be done, in one line."),
    description: z.string().max(100_000).default("").describe("The whole of it."),
    kind: WorkItemKind.default("chore"),
    priority: z.union([z.literal(1), z.literal(2), z.literal(3), z.literal(4)]).default(3).describe("1 first, 4 last."),
    operatorLane: OperatorLane.default("none").describe(`Who drives it: ${lanes.join(", ")}.`),
    repository: z.string().max(4_096).optional().describe("Absolute path of the git repository; the one that the server was started in when absent."),
    sourceId: z.string().min(1).max(200).optional().describe("A key of your own for this piece of work."),
    start: z.boolean().default(false).describe("Begin at once, whatever the scheduler thinks."),
    adapter: AdapterName.optional().describe("What runs its agents; as configured when absent."),
  }),
  output: ItemAnswer.extend({ workItemId: z.string() }),
  answer: async ({ title, description, kind, priority, operatorLane, sourceId, start, adapter, ...where }, context) => {
    if (title.trim() === "") throw new InvalidInput("title", "it is empty");
    const repository = repositoryOf(where.repository, context);
    await mustRun(context.client, "take the work in");
    const id = await context.client.submit({
      title: title.trim(), body: description, kind, priority, repository, sourceId: `mcp-${sourceId ?? randomUUID()}`, lane: operatorLane, claim: start, stages: "configured", ...(adapter === undefined ? {} : { adapter }),
    });
    const state = await itemNamed(context.client, id);
    return { structured: { workItemId: id, ...itemAnswer(state) }, text: itemText(state) };
  },
});

const actions = ["cancel", "retry", "answer", "approve", "reject", "pause", "resume", "start"] as const;

const update = tool({
  name: "factory_workItem_update", title: "Change a work item", scope: "all", readOnly: false, destructive: true, idempotent: false,
  description: "Sets the operator lane of a work item, or does one thing to it: cancel, retry, answer (with text), approve, reject (with text), pause, resume, start. Approving and rejecting are a person's decisions: do it only when one told you to. What makes no sense for its state is refused with what would work.",
  input: z.strictObject({
    workItemId,
    operatorLane: OperatorLane.optional().describe(`Who drives it from now on: ${lanes.join(", ")}.`),
    action: z.enum(actions).optional(),
    text: z.string().max(100_000).optional().describe("The answer, or why it is rejected."),
  }),
  output: ItemAnswer.extend({ delivered }),
  answer: async ({ workItemId: id, operatorLane, action, text }, { client }) => {
    if ((operatorLane === undefined) === (action === undefined)) throw new InvalidInput("action", "give either action or operatorLane");
    if (text !== undefined && action !== "answer" && action !== "reject") throw new InvalidInput("text", "only answer and reject take one");
    const command = action === undefined ? { type: "lane" as const, lane: operatorLane ?? "none" } : commandOf(action, text?.trim() ?? "");
    return told(client, id, command);
  },
});

/** Tells an item something, and gives it as it stands then. */
const told = async (client: FactoryClient, id: WorkItemId, command: ItemCommand) => {
  await itemNamed(client, id);
  const receipt = await client.command(id, command);
  const state = await itemNamed(client, id);
  return { structured: { ...itemAnswer(state), delivered: receipt.delivered }, text: receipt.delivered === "queued" ? `${id}: noted; it waits until a factory runs` : itemText(state) };
};

const commandOf = (action: (typeof actions)[number], text: string): ItemCommand => {
  if ((action === "answer" || action === "reject") && text === "") throw new InvalidInput("text", action === "answer" ? "say the answer" : "say why it is rejected");
  switch (action) {
    case "answer": return { type: "answer", text };
    case "reject": return { type: "reject", reason: text };
    case "start": return { type: "claim" };
    case "cancel": case "retry": case "approve": case "pause": case "resume": return { type: action };
  }
};

const acknowledgeClose = tool({
  name: "factory_workitem_acknowledge_close", title: "Close an epic", scope: "all", readOnly: false, destructive: true, idempotent: false,
  description: "Closes a work item that may not close by itself: an epic that spans several projects, whose work is verified and which stays in review. The reason is kept with it. A person's decision: do it only when one told you to.",
  input: z.strictObject({ workItemId, operatorOverrideReason: z.string().min(1).max(10_000).describe("Why it may be closed.") }),
  output: ItemAnswer.extend({ delivered }),
  answer: async ({ workItemId: id, operatorOverrideReason: reason }, { client }) => {
    if (reason.trim() === "") throw new InvalidInput("operatorOverrideReason", "say why it may be closed");
    return told(client, id, { type: "acknowledgeClose", reason: reason.trim() });
  },
});

const drain = tool({
  name: "factory_workitem_drain_push_queue", title: "Tell the sources", scope: "all", readOnly: false, destructive: false, idempotent: true,
  description: "Tells the sources of work items at once what they are still to be told (gates, states), one try each. It needs a running factory, which also does it by itself; use it to see what could not be told and why.",
  input: z.strictObject({}),
  output: z.object({ drained: z.number().describe("How many were told."), errors: z.array(z.string()).describe("What could not be told, by item; it is tried again.") }),
  answer: async (_, { client }) => {
    const { drained, errors } = await client.drain();
    return { structured: { drained, errors: [...errors] }, text: drained + errors.length === 0 ? "nothing waits to be told" : `${drained} told, ${errors.length} not` };
  },
});

const mostProposals = 50;

const observe = tool({
  name: "factory_workitem_observe", title: "What could be started", scope: "read", readOnly: true, destructive: false, idempotent: true,
  description: `Work items whose operator lane was asked for and does not run yet, each with the call of factory_skill_activate that would start it. Nothing is started by this. ${strangers}`,
  input: z.strictObject({}),
  output: z.object({
    proposals: z.array(z.object({ tool: z.literal("factory_skill_activate"), arguments: z.object({ skill: z.string(), workItemId: z.string() }), title: z.string(), why: z.string() })),
    total: z.number(),
  }),
  answer: async (_, { client }) => {
    const found = await proposals(client);
    return { structured: { proposals: found.slice(0, mostProposals), total: found.length }, text: found.length === 0 ? "no lane was asked for that does not run" : found.slice(0, 5).map(({ arguments: given }) => `${given.skill} for ${given.workItemId}`).join(", ") };
  },
});

const proposals = async (client: FactoryClient) => (await client.items()).flatMap(({ item }) => {
  const skill = laneOfSkill(item.operatorLane);
  if (item.status !== "ready" || skill === undefined) return [];
  return [{ tool: "factory_skill_activate" as const, arguments: { skill, workItemId: item.id }, title: cut(item.title, 200), why: `${item.source} asks for lane ${skill}, and it waits to be started` }];
});

export const itemTools = [get, list, create, update, observe, acknowledgeClose, drain];
