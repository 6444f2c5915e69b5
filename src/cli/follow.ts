/**
 * Watches items until there is nothing left to watch for.
 *
 * I1 It looks again after every durable change; and now and then besides, as the watch beside another owner begins a moment later than
 * the first look. I2 It ends with its watch stopped, however it ends.
 */
import type { FactoryClient, ItemState, LiveChange } from "../client/contract.ts";
import type { WorkItemId } from "../domain/ids.ts";

export interface FollowOptions<T> {
  readonly client: FactoryClient;
  /** The items to look at; asked anew each time, as automation may take in more. */
  readonly pick: (items: readonly ItemState[]) => readonly ItemState[];
  /** Called with each new look. A value ends the watch; a promise is awaited first. */
  readonly decide: (items: readonly ItemState[]) => T | undefined | Promise<T | undefined>;
  /** Ends the watch: the reason of the signal is thrown. */
  readonly stop?: AbortSignal;
  readonly onChange?: (change: LiveChange) => void;
}

const besidesMs = 1_000;

export const follow = async <T>(options: FollowOptions<T>): Promise<T> => {
  let changed = Promise.withResolvers<void>();
  const stopWatching = options.client.watch((change) => {
    options.onChange?.(change);
    if (change.type !== "agent") changed.resolve();
  });
  const onStop = (): void => changed.resolve();
  const besides = setInterval(onStop, besidesMs);
  options.stop?.addEventListener("abort", onStop);
  try {
    for (;;) {
      options.stop?.throwIfAborted();
      changed = Promise.withResolvers<void>();
      const value = await options.decide(options.pick(await options.client.items()));
      if (value !== undefined) return value;
      if (options.stop?.aborted !== true) await changed.promise;
    }
  } finally {
    clearInterval(besides);
    stopWatching();
    options.stop?.removeEventListener("abort", onStop);
  }
};

export const only = (ids: readonly WorkItemId[]) => (items: readonly ItemState[]): readonly ItemState[] => items.filter(({ item }) => ids.includes(item.id));
