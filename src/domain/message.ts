import { z } from "zod";
import { Stage } from "./stage.ts";

/** What a person says to an agent. `to` null: whoever works on the item now, or next. */
export const Message = z.object({
  /** Given by the sender; a second message with it is the same one. */
  id: z.string().min(1).max(100),
  text: z.string(),
  to: Stage.nullable(),
  /** The turn under way is ended, and the next one begins with the message. */
  interrupt: z.boolean(),
});
export type Message = z.infer<typeof Message>;

/** `queued`: no agent has it yet. `delivered`: an agent has it. `undelivered`: none ever will. */
export const MessageState = z.enum(["queued", "delivered", "undelivered"]);
export type MessageState = z.infer<typeof MessageState>;

/** A message as a brief carries it. */
export const Said = z.object({
  id: z.string(),
  text: z.string(),
  /** Another agent, by its name; absent: a person. */
  from: z.string().optional(),
});
export type Said = z.infer<typeof Said>;

/** Characters of one message; longer ones are refused by clients and cut by charts. */
export const messageCap = 8_000;
/** Messages that wait for an agent at the same time. */
export const queueCap = 20;
/** Messages that are remembered, waiting ones included, so that the same one is not taken twice. */
const memoryCap = 50;
/** Characters that are kept of a message that waits no more. */
const excerptCap = 200;

export interface QueuedMessage { readonly id: string; readonly text: string; readonly to: Stage | null; readonly state: MessageState }
export type Queue = readonly QueuedMessage[];

const isQueued = ({ state }: QueuedMessage): boolean => state === "queued";
const closed = (message: QueuedMessage, state: MessageState): QueuedMessage => ({ ...message, text: message.text.slice(0, excerptCap), state });

/** True for a message that is not known yet. */
export const isNew = (queue: Queue, { id }: Pick<Message, "id">): boolean => queue.every((known) => known.id !== id);

/** True when one more message can wait. */
export const hasRoom = (queue: Queue): boolean => queue.filter(isQueued).length < queueCap;

/** With the message at its end: waiting, or where there is no room, undelivered. A known one changes nothing. */
export const enqueue = (queue: Queue, { id, text, to }: Message): Queue => {
  if (!isNew(queue, { id })) return queue;
  const fresh: QueuedMessage = { id, text: text.slice(0, messageCap), to, state: "queued" };
  const next = [...queue, hasRoom(queue) ? fresh : closed(fresh, "undelivered")];
  // The oldest that waits no more is forgotten; one that waits never is.
  const over = next.length - memoryCap;
  const forgotten = new Set(next.filter((each) => !isQueued(each)).slice(0, Math.max(0, over)));
  return next.filter((each) => !forgotten.has(each));
};

/** What waits for this stage. */
export const waitingFor = (queue: Queue, stage: Stage): readonly Said[] =>
  queue.filter((message) => isQueued(message) && (message.to === null || message.to === stage)).map(({ id, text }) => ({ id, text }));

/** True when one of these still waits. */
export const anyWaits = (queue: Queue, ids: readonly string[]): boolean => queue.some((message) => isQueued(message) && ids.includes(message.id));

export const deliver = (queue: Queue, ids: readonly string[]): Queue =>
  anyWaits(queue, ids) ? queue.map((message) => (isQueued(message) && ids.includes(message.id) ? closed(message, "delivered") : message)) : queue;

/** Nobody will read what still waits. */
export const closeQueue = (queue: Queue): Queue => (queue.some(isQueued) ? queue.map((message) => (isQueued(message) ? closed(message, "undelivered") : message)) : queue);

/** For people, one line each: what was said and never read. */
export const unread = (before: Queue, after: Queue): readonly string[] =>
  after.filter(({ id, state }) => state === "undelivered" && before.find((each) => each.id === id)?.state !== "undelivered")
    .map(({ text, to }) => `a message was not delivered${to === null ? "" : ` to the ${to}`}: ${JSON.stringify(text.length > 80 ? `${text.slice(0, 79)}…` : text)}`);
