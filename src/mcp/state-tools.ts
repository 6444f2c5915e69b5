/** `factory_state_…`: the evidence behind what an item shows. */
import { z } from "zod";
import type { FactoryClient, ItemState, JournalLine } from "../client/contract.ts";
import { isoTime } from "../client/text/time-text.ts";
import { parseAddress } from "../domain/ids.ts";
import { LaneRunView, PipelineView, ProgressView, StageView } from "../domain/view.ts";
import { itemNamed } from "./item-answer.ts";
import { cut, instant, strangers, tool, workItemId } from "./tool.ts";

const list = tool({
  name: "factory_state_list", title: "What has state", scope: "read", readOnly: true, destructive: false, idempotent: true,
  description: "The charts that have not ended, each with its address and the state it is in; of one work item with `workItemId`. Use it to see what is under way before reading more with factory_state_read.",
  input: z.strictObject({ workItemId: workItemId.optional(), limit: z.int().min(1).max(500).default(100) }),
  output: z.object({
    running: z.boolean().describe("A factory runs; without one the state is what the last one left."),
    actors: z.array(z.object({ address: z.string(), chart: z.string(), state: z.string(), events: z.number().describe("How many events it has taken.") })),
    total: z.number(),
  }),
  answer: async ({ workItemId: id, limit }, { client }) => {
    if (id !== undefined) await itemNamed(client, id);
    const [{ role }, all] = await Promise.all([client.describe(), client.actors()]);
    const found = all.filter(({ address, kind }) => kind === "durable" && (id === undefined || parseAddress(address)?.item === id));
    return {
      structured: { running: role !== "offline", actors: found.slice(0, limit).map(({ address, chart, state, seq }) => ({ address, chart, state: cut(state, 200), events: seq })), total: found.length },
      text: `${found.length} charts have not ended${id === undefined ? "" : ` of ${id}`}; ${role === "offline" ? "no factory runs" : "a factory runs"}`,
    };
  },
});

const parts = ["views", "journal", "evidence"] as const;

const Event = z.object({ position: z.number(), actor: z.string(), type: z.string(), at: instant, event: z.record(z.string(), z.unknown()).describe("What happened; a long one is cut and says so.") });
const Evidence = z.object({
  effects: z.array(z.object({ kind: z.string(), attempts: z.number(), at: instant })).describe("Asked for and not yet answered."),
  alarms: z.array(z.object({ actor: z.string(), name: z.string(), at: instant })),
  deadLetters: z.array(z.object({ actor: z.string(), error: z.string(), at: instant })).describe("Events that could not be processed."),
});

const read = tool({
  name: "factory_state_read", title: "State of a work item", scope: "read", readOnly: true, destructive: false, idempotent: true,
  description: `What is kept of one work item. \`views\`: lane run, pipeline, stage and progress as they are. \`journal\`: what happened, oldest first, a page at a time; \`next\` goes into \`after\`, null at the end. \`evidence\`: effects under way, alarms, events that failed. ${strangers}`,
  input: z.strictObject({
    workItemId, part: z.enum(parts).default("views"),
    after: z.int().nonnegative().default(0).describe("Of the journal: the position to go on after."),
    limit: z.int().min(1).max(100).default(20).describe("Of the journal: events of one page."),
  }),
  output: z.object({
    workItemId: z.string(), part: z.enum(parts),
    views: z.object({ lane: LaneRunView.nullable(), pipeline: PipelineView.nullable(), stage: StageView.extend({ retryAt: instant.nullable() }).nullable(), progress: ProgressView.nullable() }).nullable(),
    journal: z.object({ events: z.array(Event), next: z.number().nullable() }).nullable(),
    evidence: Evidence.nullable(),
  }),
  answer: async ({ workItemId: id, part, after, limit }, { client }) => {
    const state = await itemNamed(client, id);
    const journal = part === "journal" ? await page(client, state, after, limit) : null;
    return {
      structured: { workItemId: id, part, views: part === "views" ? viewsOf(state) : null, journal, evidence: part === "evidence" ? await evidenceOf(client, state) : null },
      text: journal === null ? `${part} of ${id}` : `${journal.events.length} events of ${id}${journal.next === null ? ", the last ones" : ""}`,
    };
  },
});

const viewsOf = ({ lane, pipeline, stage, progress }: ItemState) => ({ lane, pipeline, stage: stage && { ...stage, retryAt: stage.retryAt === null ? null : isoTime(stage.retryAt) }, progress });

const page = async (client: FactoryClient, { item }: ItemState, after: number, limit: number) => {
  // One more tells whether there are more.
  const lines = await client.journal({ id: item.id, after, limit: limit + 1 });
  const shown = lines.slice(0, limit);
  return { events: shown.map(eventOf), next: lines.length > limit ? (shown.at(-1)?.position ?? null) : null };
};

const longestEvent = 2_000;

const eventOf = ({ position, actor, type, at, event }: JournalLine): z.input<typeof Event> => {
  const json = JSON.stringify(event);
  return { position, actor, type, at: isoTime(at), event: json.length <= longestEvent ? { ...event } : { cut: cut(json, longestEvent), characters: json.length } };
};

const most = 50;

const evidenceOf = async (client: FactoryClient, { item }: ItemState): Promise<z.input<typeof Evidence>> => {
  const { effects, alarms, deadLetters } = await client.evidence(item.id);
  return {
    effects: effects.slice(-most).map(({ kind, attempts, at }) => ({ kind, attempts, at: isoTime(at) })),
    alarms: alarms.slice(-most).map(({ actor, name, at }) => ({ actor, name, at: isoTime(at) })),
    // The rest of it is a stack, which is the log's.
    deadLetters: deadLetters.slice(-most).map(({ actor, error, at }) => ({ actor, error: cut(error.split("\n")[0] ?? "", 500), at: isoTime(at) })),
  };
};

export const stateTools = [list, read];
