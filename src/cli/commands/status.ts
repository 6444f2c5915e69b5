import type { FactoryStatus, ItemState } from "../../client/contract.ts";
import { waitingFor } from "../../client/waiting.ts";
import { capText } from "../../domain/ledger.ts";
import { channelText } from "../../domain/notice-text.ts";
import { costText } from "../../domain/spend.ts";
import { isTerminal } from "../../domain/work-item.ts";
import { type Command, printJson, reading } from "../context.ts";
import { again } from "../place.ts";
import { exitCode } from "../problem.ts";
import { oneLine } from "../../client/text/safe-text.ts";
import { paint } from "../screen.ts";
import { isoTime, localTime } from "../../client/text/time-text.ts";

/** Somebody must do something before it goes on; what only waits for its command to be run is no such thing. */
const needsPerson = (state: ItemState): boolean => !isTerminal(state.item.status) && state.item.status !== "ready" && waitingFor(state).on === "person";

export const status: Command<object> = (context) =>
  reading(context, async (client) => {
    const [description, items] = await Promise.all([client.describe(), client.items()]);
    const spend = await client.spend({});
    // Only a gateway tells; beside a command, with nobody, or when it has gone meanwhile, the store says what can be said.
    const factory: FactoryStatus | undefined = description.role === "client" ? await client.status().catch(() => undefined) : undefined;
    const owner = factory === undefined ? await context.tools.daemon.owner(context.place) : { pid: factory.pid, daemon: true };
    const states: Record<string, number> = {};
    for (const { item } of items) states[item.status] = (states[item.status] ?? 0) + 1;
    const people = items.filter(needsPerson);
    if (context.json) {
      printJson(context, {
        running: owner !== undefined, pid: owner?.pid ?? null, daemon: factory !== undefined, since: factory === undefined ? null : isoTime(factory.startedAt), address: addressOf(factory),
        slots: factory?.slots ?? null, idle: factory?.idle ?? null, terminals: factory?.terminals ?? null, channels: factory?.channels ?? null, workItems: states, needsPerson: people.map(({ item }) => item.id), spend: { today: spend.today, day: spend.day, caps: spend.caps }, factory: description,
      });
      return exitCode.ok;
    }
    const { out } = context.terminal;
    const rows: (readonly [string, string])[] = [
      ["store", `${description.store}${description.sandbox === "" ? "" : `; sandbox ${description.sandbox}`}`],
      ["state", description.stateDirectory],
      ["items", items.length === 0 ? "none yet" : Object.entries(states).map(([name, count]) => `${count} ${name}`).join(", ")],
      ["today", [costText(spend.day.cost), ...spend.caps.map(capText)].join("; ")],
      ["needs you", people.length === 0 ? "nothing" : `${people.length}: ${people.slice(0, 8).map(({ item }) => item.id).join(", ")}${people.length > 8 ? ", …" : ""}; see ${await again(context.place, context.terminal, context.tools, ["task", "list", "--open"])}`],
    ];
    if (factory !== undefined) {
      const { slots, terminals, idle, channels } = factory;
      rows.unshift(["address", addressOf(factory) ?? "none"], ["since", localTime(factory.startedAt)], ["slots", `${slots.used} of ${slots.of} in use`], ["terminals", terminals.backend === "none" ? terminals.detail : `${terminals.backend} ${terminals.detail}, ${terminals.panes} panes`]);
      const silent = channels.filter((channel) => channelText(channel) !== "");
      if (channels.length > 0) rows.push(["told by", silent.length === 0 ? channels.map(({ channel }) => channel).join(", ") : silent.map((channel) => `${channel.channel} ${channelText(channel)}`).join("; ")]);
      rows.push(["next", idle === "" ? "starting more work" : idle]);
    }
    const title = factory !== undefined ? `A daemon runs: process ${factory.pid}` : owner === undefined ? "No daemon runs here." : owner.daemon ? `A daemon (process ${owner.pid}) is on its way up or down, or hangs` : `A command works here: process ${owner.pid}`;
    out.write(`${paint(out, "bold", title)}\n${rows.map(([name, value]) => `  ${paint(out, "dim", name.padEnd(10))} ${oneLine(value)}\n`).join("")}`);
    if (owner === undefined) out.write(`  start it with: ${await again(context.place, context.terminal, context.tools, ["start"])}\n`);
    return exitCode.ok;
  });

const addressOf = (factory: FactoryStatus | undefined): string | null => (factory?.gateway ? `http://${factory.gateway.host}:${factory.gateway.port}` : null);
