/**
 * Which session drives a lane on which work item. The session keeps it (one item and one lane run at a time, refused in the client's own words
 * until it is unlinked); the run's address names the item, so each side says the other.
 */
import { z } from "zod";
import type { FactoryClient, ItemState } from "../client/contract.ts";
import { parseAddress, type WorkItemId } from "../domain/ids.ts";
import { LaneAddress } from "../domain/session.ts";
import type { LaneRunView } from "../domain/view.ts";
import { itemNamed } from "./item-answer.ts";
import { ofHere, SessionAnswer, sessionAnswer, sessionHere } from "./session-tools.ts";
import { delivered, tool, type Tool, workItemId } from "./tool.ts";

type Lane = LaneRunView["lane"];

/** Links the item, and its run in that lane once there is one. The same again changes nothing. */
export const linkSession = async (client: FactoryClient, lane: Lane, sessionId: string, state: ItemState) => {
  const known = (await client.sessions()).find((session) => session.sessionId === sessionId);
  const run = state.lane?.lane === lane && known?.lane == null ? LaneAddress.parse(state.lane.address) : undefined;
  return client.session({ type: "link", sessionId, item: state.item.id, ...(run === undefined ? {} : { lane: run }) });
};

/**
 * Links before `begin` and takes back what was linked when that fails, so that a start that is refused leaves nothing behind. A session that drives the run
 * all the same (it asked twice at once, or the answer was lost) stays linked.
 */
export const linkedWhile = async <T>(client: FactoryClient, lane: Lane, sessionId: string, id: WorkItemId, begin: () => Promise<T>): Promise<T> => {
  const record = async () => (await client.sessions()).find((session) => session.sessionId === sessionId);
  const before = await record();
  await linkSession(client, lane, sessionId, await itemNamed(client, id));
  const result = await begin().catch(async (error: unknown) => {
    // Only what is new and of this item: another call may have linked something else meanwhile.
    const now = await record(), item = before?.item !== id && now?.item === id, run = now?.lane != null && before?.lane !== now.lane && parseAddress(now.lane)?.item === id;
    if ((item || run) && (await client.item(id))?.lane?.session !== sessionId) await client.session({ type: "unlink", sessionId, item, lane: run });
    throw error;
  });
  await linkSession(client, lane, sessionId, await itemNamed(client, id));
  return result;
};

export const linkTools = (lane: Lane, driven: (client: FactoryClient, id: WorkItemId) => Promise<ItemState>): readonly Tool[] => [
  tool({
    name: `factory_${lane}_link_workitem`, title: `Link ${lane}`, scope: "all", readOnly: false, destructive: false, idempotent: true,
    description: `Notes that a session of an agent CLI drives lane ${lane} on a work item; its stops are then asked for that item. One item a session: another is refused until factory_${lane}_unlink_workitem, the same again is harmless.`,
    input: z.strictObject({ workItemId, sessionId: ofHere }),
    output: z.object({ session: SessionAnswer, delivered }),
    answer: async ({ workItemId: id, sessionId: given }, context) => {
      const state = await driven(context.client, id);
      const receipt = await linkSession(context.client, lane, await sessionHere(given, context), state);
      return { structured: { session: sessionAnswer(receipt.session, state), delivered: receipt.delivered }, text: `session ${receipt.session.sessionId} drives ${lane} on ${id}` };
    },
  }),
  tool({
    name: `factory_${lane}_unlink_workitem`, title: `Unlink ${lane}`, scope: "all", readOnly: false, destructive: true, idempotent: true,
    description: `Takes a session's link to a work item and its run of lane ${lane} away; the run itself goes on. Without a link nothing happens. What it was held back by holds it back no more, so do it only when a person told you to.`,
    input: z.strictObject({ sessionId: ofHere }),
    output: z.object({ session: SessionAnswer, delivered: delivered.nullable().describe("null: there was no link.") }),
    answer: async ({ sessionId: given }, context) => {
      const sessionId = await sessionHere(given, context);
      const known = (await context.client.sessions()).find((session) => session.sessionId === sessionId);
      if (known !== undefined && known.item === null && known.lane === null) return { structured: { session: sessionAnswer(known, undefined), delivered: null }, text: `session ${sessionId} was not linked` };
      const receipt = await context.client.session({ type: "unlink", sessionId, item: true, lane: true });
      return { structured: { session: sessionAnswer(receipt.session, undefined), delivered: receipt.delivered }, text: `session ${sessionId} is linked to nothing` };
    },
  }),
];
