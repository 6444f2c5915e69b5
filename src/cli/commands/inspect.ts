import type { ActorDetail, ActorSummary, FactoryClient, InspectionEvent } from "../../client/contract.ts";
import { oneLine } from "../../client/text/safe-text.ts";
import { clockTime, isoTime } from "../../client/text/time-text.ts";
import { possibleEvents } from "../../client/chart-text.ts";
import { valueText } from "../../domain/chart.ts";
import { parseAddress, WorkItemId } from "../../domain/ids.ts";
import { actorLines, type Pending, type Transition, transitionText } from "../actor-view.ts";
import { type Command, type CommandContext, printJson, reading } from "../context.ts";
import { isSocket, openReceiver, type Receiver } from "../inspection-receiver.ts";
import { codeOf, listenForInterrupts } from "../interrupts.ts";
import { pathFrom } from "../place.ts";
import { CliProblem, exitCode } from "../problem.ts";
import { redrawn } from "../redraw.ts";
import { table } from "../table.ts";

export interface InspectOptions { readonly address?: string; readonly follow?: boolean; readonly receiver?: string }

/** The statecharts that run: a list, one of them drawn, or either followed. With --json an object, or with --follow a message a line. */
export const inspect: Command<InspectOptions> = (context, options) =>
  reading(context, async (client) => {
    const address = options.address === undefined ? undefined : await addressOf(client, options.address);
    if (options.follow === true || options.receiver !== undefined) return follow(context, client, address, options);
    return address === undefined ? list(context, client) : show(context, client, address);
  });

const list = async (context: CommandContext, client: FactoryClient): Promise<number> => {
  const actors = await client.actors();
  if (context.json) printJson(context, { actors });
  else if (actors.length === 0) context.terminal.out.write("No statechart is under way here.\n");
  else context.terminal.out.write(table(context.terminal.out, ["ADDRESS", "CHART", "KIND", "SEQ", "STATE"], actors.map(({ address, chart, kind, seq, state }) => [address, chart, kind, kind === "durable" ? String(seq) : "", state])));
  return exitCode.ok;
};

const show = async (context: CommandContext, client: FactoryClient, address: string): Promise<number> => {
  const [actor, pending] = await Promise.all([detail(client, address), pendingOf(client, address)]);
  if (context.json) {
    printJson(context, {
      ...actor, transitions: actor.transitions.map((step) => ({ ...step, at: isoTime(step.at) })), possible: possibleEvents(actor.definition, actor.value),
      effects: pending.effects.map((effect) => ({ ...effect, at: isoTime(effect.at) })), alarms: pending.alarms.map((alarm) => ({ ...alarm, at: isoTime(alarm.at) })),
    });
  } else context.terminal.out.write(actorLines(context.terminal.out, actor, pending, context.tools.now()).map((line) => `${line}\n`).join(""));
  return exitCode.ok;
};

/** An address as it stands; the id of an item means its chart. */
const addressOf = async (client: FactoryClient, given: string): Promise<string> => {
  const id = WorkItemId.safeParse(given.toUpperCase());
  const state = id.success ? await client.item(id.data) : undefined;
  return state === undefined ? given : `item/${state.item.id}/${state.item.lineage}`;
};

const detail = async (client: FactoryClient, address: string): Promise<ActorDetail> => {
  const actor = await client.actor(address);
  if (actor !== undefined) return actor;
  const known: readonly ActorSummary[] = await client.actors();
  const some = known.slice(0, 6).map((each) => each.address).join(", ");
  throw new CliProblem(`There is no statechart ${JSON.stringify(address.slice(0, 120))} here.`, known.length === 0 ? "None is under way; those of ended items can be named too, e.g. item/RUN-3/1." : `There are ${some}${known.length > 6 ? ", …" : ""}; \`enact-factory inspect\` lists them all.`);
};

const pendingOf = async (client: FactoryClient, address: string): Promise<Pending> => {
  const id = parseAddress(address)?.item;
  if (id === undefined) return { effects: [], alarms: [] };
  const { effects, alarms } = await client.evidence(id);
  return { effects: effects.filter(({ key }) => key.startsWith(`${address}:`)), alarms: alarms.filter(({ actor }) => actor === address) };
};

/** Steps kept for the picture; the view shows the last of them. */
const keptTransitions = 20;

/** A state as a message tells it. */
const snapshotIn = (message: InspectionEvent): { readonly value: unknown; readonly status: unknown } | undefined => {
  const { snapshot } = message;
  return typeof snapshot === "object" && snapshot !== null ? { value: "value" in snapshot ? snapshot.value : undefined, status: "status" in snapshot ? snapshot.status : "active" } : undefined;
};

const eventIn = ({ event }: InspectionEvent): string => (typeof event === "object" && event !== null && "type" in event ? String(event.type) : "");

/** Goes on until the one actor has ended, or for ever. */
const follow = async (context: CommandContext, client: FactoryClient, address: string | undefined, options: InspectOptions): Promise<number> => {
  using interrupts = listenForInterrupts();
  const first = address === undefined ? undefined : await detail(client, address);
  const ended = Promise.withResolvers<void>();
  const end = (): void => ended.resolve();
  interrupts.first.addEventListener("abort", end);
  let lost: string | undefined;
  const receiver = options.receiver === undefined ? undefined : await openReceiver(isSocket(options.receiver) ? options.receiver : pathFrom(context.place, options.receiver, context.terminal), (reason) => {
    lost = reason;
    end();
  });
  const watcher = receiver ? sending(context, receiver, options.receiver ?? "") : context.json ? printing(context) : first && context.terminal.out.isTty ? drawing(context, client, first) : lining(context, client, first);
  // One after another, whoever tells: not all wait for what they are given back.
  let last: Promise<void> = Promise.resolve();
  const stop = client.inspect(address === undefined ? {} : { address }, (message) => (last = last.then(async () => {
    await watcher.hear(message);
    if (address !== undefined && message.type !== "@xstate.microstep" && message.sessionId === message.rootId && (snapshotIn(message)?.status ?? "active") !== "active") end();
  }).catch(ended.reject)));
  try {
    await ended.promise;
  } finally {
    stop();
    await watcher.end();
  }
  if (lost !== undefined) throw new CliProblem(`The receiver ${options.receiver ?? ""} is gone: ${lost}.`, "Start it again, then this command.");
  return interrupts.first.aborted ? codeOf(interrupts.first.reason) : exitCode.ok;
};

interface Watcher { readonly hear: (message: InspectionEvent) => Promise<void>; readonly end: () => Promise<void> }

const printing = (context: CommandContext): Watcher => ({ hear: async (message) => printJson(context, message), end: async () => {} });

const sending = (context: CommandContext, receiver: Receiver, to: string): Watcher => {
  let sent = 0, dropped = 0;
  context.terminal.err.write(`sending inspection messages to ${oneLine(to)}\n`);
  return {
    hear: async (message) => {
      dropped += message.dropped ?? 0;
      sent++;
      await receiver.send(message);
    },
    end: async () => {
      await receiver.close();
      context.terminal.err.write(`${sent} message${sent === 1 ? "" : "s"} sent${dropped > 0 ? `; ${dropped} steps were dropped, as the receiver was too slow` : ""}\n`);
    },
  };
};

const missed = (dropped: number): string => `${dropped} step${dropped === 1 ? "" : "s"} not shown: they came faster than they could be told`;

/** A line for each step. */
const lining = (context: CommandContext, client: FactoryClient, first: ActorDetail | undefined): Watcher => {
  const { out } = context.terminal;
  const names = new Map<string, string>();
  const values = new Map<string, unknown>();
  const line = (at: number, name: string, step: Pick<Transition, "event" | "from" | "to">): void => out.write(`${clockTime(at)} ${oneLine(name)} ${transitionText(step)}\n`);
  let told = 0;
  /** What happened before the steps come by themselves. */
  const catchUp = (actor: ActorDetail): void => {
    for (const step of actor.transitions.filter(({ seq }) => seq > told)) line(step.at, actor.address, step);
    told = Math.max(told, actor.seq);
  };
  return {
    hear: async (message) => {
      if (message.dropped !== undefined) out.write(`${clockTime(Number(message.createdAt))} ${missed(message.dropped)}\n`);
      const { name, sessionId } = message;
      const snapshot = snapshotIn(message);
      if (message.type === "@xstate.actor") {
        if (typeof name === "string") names.set(sessionId, name);
        values.set(sessionId, snapshot?.value);
        if (first?.kind === "durable") catchUp(await detail(client, first.address));
        return;
      }
      if (message.type !== "@xstate.snapshot" || snapshot?.value === undefined || (first && seqOf(message) <= told && first.kind === "durable")) return;
      line(Number(message.createdAt), names.get(sessionId) ?? sessionId, { event: eventIn(message), from: values.get(sessionId), to: snapshot.value });
      values.set(sessionId, snapshot.value);
    },
    end: async () => {},
  };
};

/** Of a durable actor's message. */
const seqOf = (message: InspectionEvent): number => Number(/:(\d+):snapshot$/.exec(message.id)?.[1] ?? 0);

/** The picture, redrawn in place; the last one stays on the screen. */
const drawing = (context: CommandContext, client: FactoryClient, first: ActorDetail): Watcher => {
  let actor = first;
  let note = "";
  const picture = redrawn(context.terminal.out, async () => {
    const lines = actorLines(context.terminal.out, actor, await pendingOf(client, actor.address), context.tools.now());
    return note === "" ? lines : [...lines, "", note];
  });
  return {
    hear: async (message) => {
      const snapshot = snapshotIn(message);
      if (message.sessionId !== message.rootId || snapshot?.value === undefined || message.type === "@xstate.microstep") return;
      if (message.dropped !== undefined) note = missed(message.dropped);
      const { value } = snapshot;
      if (message.type === "@xstate.actor" && actor.kind === "durable") actor = await detail(client, actor.address);
      else if (message.type === "@xstate.actor") actor = { ...actor, value, state: valueText(value) };
      else if (actor.kind === "live" || seqOf(message) > actor.seq) {
        const seq = actor.kind === "durable" ? seqOf(message) : 0;
        const step: Transition = { seq, at: Number(message.createdAt), event: eventIn(message), from: actor.value, to: value };
        actor = { ...actor, seq, value, state: valueText(value), transitions: [...actor.transitions, step].slice(-keptTransitions) };
      }
      picture.soon();
    },
    end: () => picture.end(),
  };
};
