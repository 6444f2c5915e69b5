/** Channels from outside of a running factory: how they stand, whether they could work, and a message by way of trial. */
import { Effect } from "effect";
import { ClientProblem } from "../client/contract.ts";
import type { ChannelTrial, DoctorCheck } from "../client/local-tools.ts";
import { secretValues } from "../config/redact.ts";
import { type Config, notifyChannels } from "../domain/config.ts";
import { ChannelView, messageOf, type Note } from "../domain/notice.ts";
import { channelText } from "../domain/notice-text.ts";
import { makeChannels } from "../notify/channels.ts";
import type { StoreReaderShape } from "../ports/store.ts";
import { openReader } from "../store/open.ts";
import { noticeSurroundings } from "./ports.ts";
import { redactedText, redactor, secretsIn } from "./secrets.ts";
import type { Setting } from "./setting.ts";
import { wallClock } from "./system-clock.ts";

/** Those that are configured, also before they ever told anything. */
export const channelViews = async (config: Config, store: StoreReaderShape): Promise<readonly ChannelView[]> => {
  const names = notifyChannels(config).map(({ name }) => name);
  if (names.length === 0) return [];
  const known = (await Effect.runPromise(store.views("notices"))).flatMap(({ view }) => ChannelView.safeParse(JSON.parse(view)).data ?? []);
  return names.map((channel) => known.find((each) => each.channel === channel) ?? { channel, lastAt: null, open: null, lost: null });
};

/** For `doctor`: each channel, and what the factory that ran last knows of it. Nobody is told anything. */
export const channelChecks = async ({ config, env, location }: Setting): Promise<readonly DoctorCheck[]> => {
  const channels = makeChannels(config, noticeSurroundings(env));
  if (channels.length === 0) return [];
  // A store that cannot be read has its own check.
  const views = await Effect.runPromise(Effect.scoped(openReader(location).pipe(Effect.flatMap((reader) => Effect.promise(() => channelViews(config, reader))))).pipe(Effect.orElseSucceed((): readonly ChannelView[] => [])));
  return Promise.all(channels.map(async ({ name, probe }): Promise<DoctorCheck> => {
    const { ok, detail, mend } = await probe(), view = views.find(({ channel }) => channel === name), trouble = view ? channelText(view) : "";
    return { name: `notify ${name}`, state: ok && trouble === "" ? "ok" : "warning", detail: trouble === "" ? detail : `${detail}; ${trouble}`, without: "people are not told by it; work goes on", ...(ok && trouble === "" ? {} : { mend: mend ?? `enact-factory notify test ${name}` }) };
  }));
};

export const tryChannels = async ({ config, env }: Setting, name: string | null): Promise<readonly ChannelTrial[]> => {
  const channels = makeChannels(config, noticeSurroundings(env)), redact = redactor(secretsIn(env, secretValues(config)));
  const chosen = channels.filter((channel) => name === null || channel.name === name);
  if (chosen.length === 0) {
    if (channels.length === 0) throw new ClientProblem("no channel is configured", "add a [[notify.channels]] table to the configuration; docs/notifications.md has one of each kind");
    throw new ClientProblem(`there is no channel ${name}`, `there are ${channels.map((channel) => channel.name).join(", ")}`);
  }
  return Promise.all(chosen.map(async ({ name: channel, send }): Promise<ChannelTrial> => {
    const begun = wallClock();
    const note: Note = { key: `factory|trial|${begun}|`, kind: "done", severity: "info", ref: "notify test", item: null, title: "this channel works", text: "Somebody asked for this message.", commands: ["enact-factory inbox"], since: begun, ended: true };
    const trouble = await Effect.runPromise(send(messageOf(`trial-${channel}-${begun.toString(36)}-${process.pid}`, [note], begun, false)).pipe(Effect.as(""), Effect.catchTag("NotifyFailed", ({ message }) => Effect.succeed(message))));
    return { channel, ok: trouble === "", detail: trouble === "" ? "it took the message" : redactedText(redact, trouble), tookMs: wallClock() - begun };
  }));
};
