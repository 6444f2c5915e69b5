/**
 * Telling people, as the owner puts it together from the configuration: which changes may matter, what there is to tell, and the alarms of a factory that
 * cannot keep anything any more.
 *
 * I1 Nothing here holds up work: looks and messages have their own time. I2 An alarm needs no store: it is sent at once, a few tries, one of each kind in
 * ten minutes.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { Effect } from "effect";
import { z } from "zod";
import type { Child } from "../../actors/child.ts";
import type { Change } from "../../actors/durable-actor.ts";
import type { DurableHost } from "../../actors/durable-host.ts";
import { Herald, type HeraldChannel } from "../../actors/herald.ts";
import { deliveryHandler } from "../../actors/notice-delivery.ts";
import { poller } from "../../actors/poller.ts";
import { keptTimes, type NoticesContext } from "../../machines/notices.ts";
import { ledgerIn } from "../client/item-cost.ts";
import { itemStates } from "../client/item-state.ts";
import { teamStates } from "../client/team-state.ts";
import { localZone } from "../domain/calendar.ts";
import { type Config, notifyChannels } from "../domain/config.ts";
import { isAtLeast, messageOf, type Note } from "../domain/notice.ts";
import type { ClockShape } from "../ports/clock.ts";
import type { NotifierShape } from "../ports/notifier.ts";
import type { StoreShape } from "../ports/store.ts";
import { notesOf } from "./notes.ts";
import { redactedText } from "./secrets.ts";
import { calendarOf } from "./spend.ts";

export interface TellingOptions {
  readonly config: Config;
  readonly factory: string;
  readonly store: StoreShape;
  readonly clock: ClockShape;
  readonly redact: (json: string) => string;
  readonly host: () => DurableHost;
  readonly notice: (level: "info" | "warning" | "error", text: string) => void;
  readonly notify: (channel: string, message: Parameters<NotifierShape["send"]>[1]) => Promise<void>;
}

/** From a change to the look at it; of many in a row, one look. With `notify.windowMs` well within five seconds. */
const lookWithinMs = 500;
/** Without any change: what passes with time (a day ends). */
const lookEveryMs = 30_000;
const alarmAgainMs = 600_000;
const alarmWaitsMs = [1_000, 3_000] as const;

export const heraldChannels = (config: Config): readonly HeraldChannel[] => {
  const { quietFrom, quietTo, timeZone = localZone(), windowMs, burst, everyMs } = config.notify;
  const quiet = quietFrom === undefined || quietTo === undefined ? null : { from: quietFrom, to: quietTo, zone: timeZone };
  return notifyChannels(config).map(({ name, min, events }) => ({
    name, pace: { windowMs, burst: Math.min(burst, keptTimes), everyMs, quiet },
    takes: ({ severity, kind }) => isAtLeast(severity, min) && (events.length === 0 || events.includes(kind)),
  }));
};

/** The parts of a view that can bring something to tell, or end it. */
const concerns: Readonly<Record<string, z.ZodType>> = {
  item: z.object({ status: z.string(), blocked: z.string().nullable(), question: z.string().nullable(), attempt: z.number() }),
  team: z.object({ phase: z.string(), members: z.array(z.object({ state: z.string(), question: z.string().nullable() })), tasks: z.array(z.object({ kind: z.string(), state: z.string(), owner: z.string().nullable() })), messages: z.array(z.object({ state: z.string() })) }),
  member: z.object({ state: z.string(), question: z.string().nullable() }),
  ultrawork: z.object({ state: z.string(), down: z.array(z.object({ name: z.string(), since: z.number() })).optional() }),
  // What a turn cost may reach a cap.
  spend: z.object({ days: z.unknown(), caps: z.unknown() }),
};
/** Of an item: it was told in these. */
const toldIn = /"status":"(?:blocked|awaitingApproval|review|failed|exhausted|done)"/;

export class Telling {
  readonly #options: TellingOptions;
  readonly #channels: readonly HeraldChannel[];
  readonly #herald: Herald;
  readonly #last = new Map<string, string>();
  readonly #alarmed = new Map<string, number>();
  readonly #alarms = new Set<Promise<void>>();
  #stopped = new AbortController();

  constructor(options: TellingOptions) {
    this.#options = options;
    this.#channels = heraldChannels(options.config);
    this.#herald = new Herald({
      channels: this.#channels, clock: options.clock, factory: options.factory, wanted: () => this.#wanted(),
      memory: async (channel): Promise<NoticesContext | undefined> => (await options.host().state(channel))?.state.context,
      send: (to, event) => options.host().send(to, event),
    });
  }

  readonly handler = deliveryHandler({
    isWanted: (actor) => this.#herald.isWanted(actor),
    onTrouble: (channel, why) => this.#options.notice("warning", `channel ${channel} did not take a message: ${why}; it is tried again`),
    onGivenUp: (channel, notes, why) => this.#options.notice("error", `channel ${channel} did not take a message of ${notes} note(s) for a day, which is given up: ${why}`),
  });

  /** Once the store is taken up, before anything changes in it. */
  readonly begin = (): Promise<void> => this.#herald.begin();

  /** Makes the rounds; none where nobody is to be told. */
  child(): readonly Child[] {
    if (this.#channels.length === 0) return [];
    return [poller("notices", lookEveryMs, this.#options.clock, this.#herald.round, { subscribe: this.#herald.subscribe, withinMs: lookWithinMs })];
  }

  readonly committed = ({ actor, view }: Change): void => {
    if (this.#channels.length === 0) return;
    const [chart = "", subject = ""] = actor.split("/");
    if (chart === "notices") return this.#herald.changed();
    const shape = concerns[chart];
    if (view === undefined || shape === undefined) return;
    const now = JSON.stringify(shape.safeParse(view).data), before = this.#last.get(actor);
    if (now === before) return;
    this.#last.set(actor, now);
    if (chart === "item" && before !== undefined && toldIn.test(before)) this.#herald.left(subject);
    else this.#herald.changed();
  };

  readonly deadLettered = (): void => { this.#herald.changed(); };

  /** What cannot wait for the store. */
  alarm(kind: string, text: string): void {
    const { clock, factory, notify, redact } = this.#options, now = clock.now();
    if (now - (this.#alarmed.get(kind) ?? -Infinity) < alarmAgainMs) return;
    this.#alarmed.set(kind, now);
    const note: Note = { key: `factory|trouble|${kind}|${now}`, kind: "trouble", severity: "urgent", ref: "factory", item: null, title: kind, text: redactedText(redact, text).slice(0, 600), commands: ["enact-factory status", "enact-factory doctor"], since: now, ended: true };
    for (const { name, takes } of this.#channels) {
      if (!takes(note)) continue;
      const message = messageOf(`${factory}-${name}-alarm-${now.toString(36)}-${this.#alarmed.size}`, [note], now, false);
      const sent = (async () => {
        for (const waitMs of [...alarmWaitsMs, 0]) {
          if (await notify(name, message).then(() => true, () => false)) return;
          if (waitMs > 0) await sleep(waitMs, undefined, { signal: this.#stopped.signal });
        }
      })().catch(() => undefined);
      this.#alarms.add(sent);
      void sent.finally(() => this.#alarms.delete(sent));
    }
  }

  /** Tries under way may end; no further one is waited for. */
  async stop(): Promise<void> {
    this.#stopped.abort();
    await Promise.all(this.#alarms);
  }

  async #wanted(): Promise<readonly Note[]> {
    const { store, clock, config, redact } = this.#options;
    const [rows, deadLetters] = await Promise.all([Effect.runPromise(store.views()), Effect.runPromise(store.deadLetters)]);
    for (const row of rows) {
      // After a restart the first change must find what was before.
      const shape = concerns[row.actor.split("/")[0] ?? ""];
      if (shape !== undefined && !this.#last.has(row.actor)) this.#last.set(row.actor, JSON.stringify(shape.safeParse(JSON.parse(row.view)).data));
    }
    const items = itemStates(rows);
    return notesOf({ items, teams: teamStates(rows, items), ledger: ledgerIn(rows), today: calendarOf(config).today(), deadLetters, redact: (text) => redactedText(redact, text) }, clock.now());
  }
}
