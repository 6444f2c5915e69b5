import { Effect } from "effect";
import { Clock } from "../src/ports/clock.ts";
import { Notifier } from "../src/ports/notifier.ts";
import type { Address } from "../src/domain/ids.ts";
import type { EffectHandler } from "./effect-runner.ts";

/**
 * Carries a message to its channel: an outbox row under way.
 *
 * Owns: the waits between its tries. Talks to: the port Notifier.
 *
 * I1 It is tried at least once, and again with the same id until it is taken, nobody needs it any more, or a day has passed. I2 Nothing waits for it but
 * its own channel. I3 Trouble is told to the channel's actor once for each new reason.
 */
export interface DeliveryOptions {
  /** Some of what the channel has under way holds still. */
  readonly isWanted: (actor: Address) => boolean;
  readonly onTrouble: (channel: string, why: string) => void;
  readonly onGivenUp: (channel: string, notes: number, why: string) => void;
}

const firstWaitMs = 1_000, longestWaitMs = 3_600_000;
/** Some 35 tries fit into it. */
export const giveUpMs = 24 * 3_600_000;

export const deliveryHandler = ({ isWanted, onTrouble, onGivenUp }: DeliveryOptions): EffectHandler<"notify", Notifier | Clock> => ({ channel, message }, { actor, tell }) => Effect.gen(function* () {
  const notifier = yield* Notifier, clock = yield* Clock;
  let said = "";
  for (let waitMs = firstWaitMs; ; waitMs = Math.min(longestWaitMs, waitMs * 2)) {
    const failed = yield* notifier.send(channel, message).pipe(Effect.as(null), Effect.catchTag("NotifyFailed", Effect.succeed));
    if (failed === null) return { type: "notify.told" };
    const next = clock.now() + Math.max(waitMs, failed.retryAfterMs ?? 0);
    if (next > message.at + giveUpMs) {
      onGivenUp(channel, message.total, failed.message);
      return { type: "notify.gaveUp", why: failed.message };
    }
    if (failed.message !== said) {
      said = failed.message;
      onTrouble(channel, said);
      tell(actor, { type: "notify.trouble", why: said });
    }
    yield* Effect.callback<void>((resume) => {
      const cancel = clock.at(next, () => resume(Effect.void));
      return Effect.sync(cancel);
    });
    if (!isWanted(actor)) return { type: "notify.dropped" };
  }
});
