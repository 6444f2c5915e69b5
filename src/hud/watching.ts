/** The HUD without keys: one frame, or a frame after every change. */
import type { FactoryClient } from "../client/contract.ts";
import { readAgain, readKnown } from "./reading.ts";
import type { Known } from "./state.ts";

/** A burst of changes is one. */
const settleMs = 100;

/** What is shown at first, then again after every change, until it is stopped. */
export const watchKnown = async (client: FactoryClient, stop: AbortSignal, show: (known: Known) => void): Promise<void> => {
  let changed = Promise.withResolvers<void>();
  const wake = (): void => changed.resolve();
  const stopWatch = client.watch((change) => {
    if (change.type !== "agent") wake();
  });
  stop.addEventListener("abort", wake);
  try {
    let known = await readKnown(client);
    show(known);
    while (!stop.aborted) {
      await changed.promise;
      if (stop.aborted) return;
      await new Promise<void>((resolve) => { setTimeout(resolve, settleMs); });
      changed = Promise.withResolvers<void>();
      const next = await readAgain(client, known);
      // The first event of a watch says where the journal ends, not that it went on.
      if (JSON.stringify(next) !== JSON.stringify(known)) show(next);
      known = next;
    }
  } finally {
    stopWatch();
    stop.removeEventListener("abort", wake);
  }
};
