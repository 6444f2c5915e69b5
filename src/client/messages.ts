import { randomUUID } from "node:crypto";
import { type Address, isAddress, pipelineAddress } from "../domain/ids.ts";
import { hasRoom, messageCap, queueCap } from "../domain/message.ts";
import { addresseeOf } from "./address.ts";
import { ClientProblem, type CommandReceipt, type FactoryClient, type ItemState, type MessageReceipt } from "./contract.ts";

/** Says something to an agent, over whatever carries events to actors. */
export interface MessageOptions extends Pick<FactoryClient, "items" | "teams" | "team"> {
  readonly deliver: (to: Address, event: { readonly type: string } & Readonly<Record<string, unknown>>) => Promise<CommandReceipt>;
  readonly now: () => number;
  readonly nextChange: () => Promise<void>;
}

/** An agent that can be spoken to while it works answers within this; milliseconds. */
const liveMs = 3_000;

/** `id`: of a message that may have been said before, so that it is not said twice. */
export const sayTo = async (options: MessageOptions, address: string, text: string, { interrupt, id = randomUUID() }: { readonly interrupt: boolean; readonly id?: string }): Promise<MessageReceipt> => {
  const said = text.trim();
  if (said === "") throw new ClientProblem("the message is empty", "say something");
  if (said.length > messageCap) throw new ClientProblem(`the message has ${said.length} characters; an agent takes ${messageCap} at once`, "put the long part into a file of the repository, and say where it is");
  const [items, teams] = await Promise.all([options.items(), options.teams()]);
  const whom = addresseeOf(address, { items, teams });
  if (whom.kind === "member") {
    if (interrupt) throw new ClientProblem("a member of a team is not interrupted by a message", "send it without --interrupt; it is in the member's next turn");
    const { delivered } = await options.team(whom.team, { type: "message", to: whom.member, text: said, id });
    return { id, state: "queued", detail: delivered === "now" ? `${whom.team}/${whom.member} gets it with the next turn` : offline };
  }
  if (whom.kind === "worker") {
    if (interrupt) throw new ClientProblem("a worker is not interrupted by a message", "send it without --interrupt; it is in the worker's next turn");
    const { delivered } = await options.deliver(whom.lane, { type: "team.message", to: whom.worker, text: said, id });
    return { id, state: "queued", detail: delivered === "now" ? `${whom.item}/${whom.worker} gets it with the next turn` : offline };
  }
  const state = items.find(({ item }) => item.id === whom.item), queue = state?.pipeline?.messages ?? [];
  // In a lane with steps: to the one at work. A message does not outlive its step.
  const leg = state?.nested?.leg ?? state?.lane?.leg, to = leg !== undefined && isAddress(leg) ? leg : pipelineAddress(whom.item, whom.attempt);
  if (!hasRoom(queue)) throw new ClientProblem(`${queueCap} messages wait for ${whom.item} already`, "wait until its agent has read some");
  const { delivered } = await options.deliver(to, { type: "message", id, text: said, to: whom.to, interrupt });
  const until = options.now() + liveMs;
  for (;;) {
    const now = (await options.items()).find(({ item }) => item.id === whom.item);
    const known = now?.pipeline?.messages?.find((message) => message.id === id);
    if (known?.state === "delivered") return { id, state: "delivered", detail: `${who(now, whom.to)} has it` };
    if (known?.state === "undelivered" || (delivered === "now" && !known)) return { id, state: "undelivered", detail: `the work on ${whom.item} ended before anybody could read it` };
    if (options.now() >= until) return { id, state: "queued", detail: known ? waitsFor(now, whom.to) : offline };
    await options.nextChange();
  }
};

const offline = "no factory runs here now; it is taken up when one does";

const who = (state: ItemState | undefined, to: string | null): string => `the ${to ?? state?.pipeline?.stage ?? "agent"}`;

const waitsFor = (state: ItemState | undefined, to: string | null): string => {
  const pipeline = state?.pipeline, stage = state?.stage, id = state?.item.id ?? "";
  if (!pipeline || !stage) return "the next agent gets it";
  if (to !== null && to !== pipeline.stage) return `the ${to} gets it when its turn comes; the ${pipeline.stage} works now`;
  switch (stage.state) {
    case "working": return `the ${pipeline.stage} is at work and does not take messages now; it is in the next turn. To end this turn for it, send it with --interrupt`;
    case "interrupting": return `the turn of the ${pipeline.stage} is being ended; the next one begins with it`;
    case "waiting": return `the ${pipeline.stage} waits for its provider; it is in the next turn`;
    case "asking": return `the ${pipeline.stage} waits for an answer; it is in the turn after that. Answer with: enact-factory task answer ${id} TEXT`;
    default: return "the next agent gets it";
  }
};
