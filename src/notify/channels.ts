import { Effect, Layer } from "effect";
import { type Config, type NotifyChannel, notifyChannels } from "../domain/config.ts";
import { type NoticeChannel, Notifier, NotifyFailed } from "../ports/notifier.ts";
import { desktop } from "./desktop.ts";
import { discord } from "./discord.ts";
import { isLoopback, smtp } from "./smtp.ts";
import { webhook } from "./webhook.ts";

/** The configured ways to reach people. */
export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly platform: string;
  readonly now: () => number;
  readonly bell?: () => void;
}

const make = (channel: NotifyChannel & { readonly name: string }, around: Surroundings): NoticeChannel => {
  const { name, url = "", secret = "", host = "", port, user, password = "", from = "", to } = channel;
  switch (channel.kind) {
    case "webhook": return webhook({ name, url, secret, now: around.now });
    case "discord": return discord({ name, url, now: around.now });
    case "smtp": return smtp({ name, host, port, from, to, tls: channel.tls ?? (isLoopback(host) ? "off" : "required"), auth: user === undefined ? null : { user, pass: password } });
    case "desktop": return desktop({ name, platform: around.platform, env: around.env, ...(around.bell ? { bell: around.bell } : {}) });
  }
};

export const makeChannels = (config: Config, around: Surroundings): readonly NoticeChannel[] => notifyChannels(config).map((channel) => make(channel, around));

/** A message for a channel that is no longer configured waits for nobody. */
export const notifierLayer = (channels: readonly NoticeChannel[]): Layer.Layer<Notifier> => Layer.succeed(Notifier, {
  send: (name, message) => channels.find((channel) => channel.name === name)?.send(message) ?? Effect.fail(new NotifyFailed({ message: `no channel ${name} is configured`, retryAfterMs: Infinity })),
});
