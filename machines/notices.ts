import { assign, setup } from "xstate";
import type { Address } from "../src/domain/ids.ts";
import type { NoticeMessage } from "../src/domain/notice.ts";
import { chartOptions, type EffectFailed, hostActions, type Stamp } from "./durable.ts";

/**
 * What one channel has told people: one actor a channel, for as long as the factory lives.
 *
 * What there is to tell is no message but a state of other actors ("asks", "waits for review"), so nothing has to be sent here to be kept: what is
 * wanted and not in `told` is told. So a crash between an item's change and its notice loses nothing, and nothing is told twice.
 *
 * I1 A key is told once, until it was forgotten because it no longer held. I2 One message is under way at a time; it is an outbox row, so it is tried until
 * it is answered, by this owner or the next, with the same id. I3 A message that was given up frees the channel, and says so.
 */
export const noticesAddress = (channel: string): Address => `notices/${channel}`;

export interface NoticesContext {
  readonly channel: string;
  /** Since when it is there; what ended before is not told. */
  readonly since: number;
  /** Messages so far; the number of the last is in its id. */
  readonly count: number;
  /** Keys, those under way included. */
  readonly told: readonly string[];
  /** How many notes are under way, since when, and what is wrong. */
  readonly open: { readonly notes: number; readonly since: number; readonly trouble: string } | null;
  /** When the last messages went, oldest first. */
  readonly times: readonly number[];
  readonly lastAt: number | null;
  readonly lost: { readonly at: number; readonly notes: number; readonly why: string } | null;
}
export interface NoticesInput { readonly channel: string; readonly since: number }

/** `message` has its id from whoever sends it: `noticeId`. */
export type NoticesEvent =
  | { readonly type: "batch"; readonly keys: readonly string[]; readonly message: NoticeMessage } & Stamp
  /** These hold no more. */
  | { readonly type: "forgot"; readonly keys: readonly string[] } & Stamp
  | { readonly type: "notify.told" } & Stamp
  /** Nothing of it holds any more. */
  | { readonly type: "notify.dropped" } & Stamp
  | { readonly type: "notify.gaveUp"; readonly why: string } & Stamp
  | { readonly type: "notify.trouble"; readonly why: string } & Stamp
  | EffectFailed & Stamp;

/** At least as many as the rate cap may count. */
export const keptTimes = 50;

export const noticesMachine = setup({
  types: {} as { context: NoticesContext; input: NoticesInput; events: NoticesEvent },
  actions: {
    effect: hostActions.effect,
    begin: assign(({ context, event }) => (event.type !== "batch" ? {} : { count: context.count + 1, told: [...context.told, ...event.keys], open: { notes: event.keys.length, since: event.at, trouble: "" }, times: [...context.times, event.at].slice(-keptTimes) })),
    forget: assign(({ context, event }) => (event.type !== "forgot" ? {} : { told: context.told.filter((key) => !event.keys.includes(key)) })),
    note: assign(({ context, event }) => (event.type !== "notify.trouble" || context.open === null ? {} : { open: { ...context.open, trouble: event.why.slice(0, 300) } })),
    succeed: assign(({ event }) => ({ open: null, lastAt: event.at })),
    drop: assign({ open: null }),
    lose: assign(({ context, event }) => ({ open: null, lost: { at: event.at, notes: context.open?.notes ?? 0, why: (event.type === "notify.gaveUp" ? event.why : event.type === "effect.failed" ? event.message : "").slice(0, 300) } })),
  },
  guards: {
    /** A repeated batch, or one that was made before the last one was known, tells nothing twice. */
    isNew: ({ context, event }) => event.type === "batch" && event.keys.length > 0 && event.keys.every((key) => !context.told.includes(key)),
  },
}).createMachine({
  id: "notices",
  options: chartOptions,
  context: ({ input }) => ({ channel: input.channel, since: input.since, count: 0, told: [], open: null, times: [], lastAt: null, lost: null }),
  initial: "quiet",
  on: { forgot: { actions: "forget" } },
  states: {
    quiet: {
      on: { batch: { guard: "isNew", target: "telling", actions: ["begin", { type: "effect", params: ({ context, event }) => ({ kind: "notify" as const, channel: context.channel, message: event.message }) }] } },
    },
    telling: {
      on: {
        "notify.told": { target: "quiet", actions: "succeed" },
        "notify.dropped": { target: "quiet", actions: "drop" },
        "notify.gaveUp": { target: "quiet", actions: "lose" },
        "effect.failed": { target: "quiet", actions: "lose" },
        "notify.trouble": { actions: "note" },
      },
    },
  },
});
