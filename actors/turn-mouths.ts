import { Effect } from "effect";
import type { Address } from "../src/domain/ids.ts";
import type { Said } from "../src/domain/message.ts";
import type { Adapter } from "../src/ports/adapter.ts";
import type { RunHandle } from "../src/ports/agent-process.ts";
import type { EffectHandler } from "./effect-runner.ts";

/**
 * How a running turn is spoken to: the effect `turn.message` finds the turn, and the turn finds its agent.
 *
 * Owns: the mouths of turns under way, by actor. Talks to: turns (which open and close them).
 * I1 A message reaches the turn of the try it names. I2 `true` only once the agent itself has confirmed it: what was written to an agent that
 * ended without reading it is not lost, it waits for the next turn.
 */
export interface Mouth {
  readonly tryNumber: number;
  /** True: the agent has it. False: this agent takes none while it works. Does not answer while neither is certain. */
  readonly say: (message: Said) => Effect.Effect<boolean>;
}

export class Mouths {
  readonly #open = new Map<Address, Mouth>();
  readonly #waiting = new Set<() => void>();

  /** Opens an actor's mouth. Returns how to close it. */
  open(actor: Address, mouth: Mouth): () => void {
    this.#open.set(actor, mouth);
    for (const look of this.#waiting) look();
    return () => { if (this.#open.get(actor) === mouth) this.#open.delete(actor); };
  }

  /** The mouth of that try, once it is open. */
  of(actor: Address, tryNumber: number): Effect.Effect<Mouth> {
    return Effect.callback<Mouth>((resume) => {
      const look = (): void => {
        const mouth = this.#open.get(actor);
        if (mouth?.tryNumber !== tryNumber) return;
        this.#waiting.delete(look);
        resume(Effect.succeed(mouth));
      };
      this.#waiting.add(look);
      look();
      return Effect.sync(() => { this.#waiting.delete(look); });
    });
  }
}

export const messageHandler = (mouths: Mouths): EffectHandler<"turn.message", never> => ({ id, text, tryNumber }, { actor }) =>
  mouths.of(actor, tryNumber).pipe(
    Effect.flatMap((mouth) => mouth.say({ id, text })),
    Effect.map((delivered) => ({ type: "turn.message.sent", id, delivered })),
  );

/** How a run is spoken to that reads its input. What an earlier owner said and the agent heard is known once its output was read. */
export const mouthOf = (handle: RunHandle, message: Adapter["message"], caughtUp: Effect.Effect<void>, heard: ReadonlySet<string>, listeners: Map<string, () => void>) => (said: Said): Effect.Effect<boolean> => {
  if (!message) return Effect.succeed(false);
  const confirmed = Effect.callback<boolean>((resume) => {
    if (heard.has(said.id)) resume(Effect.succeed(true));
    else listeners.set(said.id, () => resume(Effect.succeed(true)));
    return Effect.sync(() => { listeners.delete(said.id); });
  });
  return caughtUp.pipe(
    Effect.andThen(Effect.suspend(() => (heard.has(said.id) ? Effect.void : handle.write(message(said), `message ${said.id}`)))),
    Effect.andThen(confirmed),
    Effect.catch(() => Effect.succeed(false)),
  );
};
