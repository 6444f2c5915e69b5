import { Deferred, Effect } from "effect";
import type { WorkItemId } from "../src/domain/ids.ts";
import { Clock } from "../src/ports/clock.ts";
import { SourcePushes, type SourcePush, type SourceTrouble } from "../src/ports/source.ts";
import type { EffectHandler } from "./effect-runner.ts";

/**
 * What sources are still to be told. Each entry is an outbox row under way: durable there, waited for here.
 *
 * Owns: the order of the pushes, and the waits between their tries. Talks to: the port SourcePushes.
 *
 * I1 Of one item a push is tried only after the one before it was taken or refused. I2 A source that does not answer is asked again for ever, ever more
 * rarely, and not before it said that it will answer; a `drain` asks every waiting one at once. I3 Nothing is dropped but what its source refuses, and that is told.
 */
export interface Drained { readonly drained: number; readonly errors: readonly string[] }

const firstWaitMs = 1_000;
const longestWaitMs = 300_000;

interface Waiting {
  readonly push: SourcePush;
  /** Done by a drain: the next try is now. */
  nudge: Deferred.Deferred<void>;
  /** Resolved by the next try with its trouble, `undefined` when it went well. */
  readonly tried: ((trouble: string | undefined) => void)[];
}

export class PushQueue {
  /** In the order in which they were asked for. */
  readonly #waiting = new Map<string, Waiting>();
  readonly #last = new Map<WorkItemId, Deferred.Deferred<void>>();

  readonly handler: EffectHandler<"source.push", SourcePushes | Clock> = (request, { key }) => Effect.gen({ self: this }, function* () {
    const { item, source, sourceId, set } = request;
    const entry: Waiting = { push: { item, source, sourceId, set }, nudge: Deferred.makeUnsafe(), tried: [] };
    const before = this.#last.get(item), done = Deferred.makeUnsafe<void>();
    this.#last.set(item, done);
    this.#waiting.set(key, entry);
    return yield* Effect.gen({ self: this }, function* () {
      if (before) yield* Deferred.await(before);
      const { push } = yield* SourcePushes;
      for (let waitMs = firstWaitMs; ; waitMs = Math.min(longestWaitMs, waitMs * 2)) {
        const result = yield* push(entry.push).pipe(
          Effect.as({ type: "source.pushed" as const }),
          Effect.catch((trouble) => Effect.succeed(trouble._tag === "PushRefused" ? { type: "source.refused" as const, message: trouble.message } : trouble)),
        );
        if ("type" in result) {
          answer(entry, result.type === "source.refused" ? result.message : undefined);
          return result;
        }
        // Those behind it wait for the same.
        for (const each of this.#waiting.values()) if (each.push.item === item) answer(each, result.message);
        entry.nudge = Deferred.makeUnsafe();
        const clock = yield* Clock;
        yield* Effect.raceFirst(sleep(Math.max(waitMs, notBefore(result) - clock.now())), Deferred.await(entry.nudge));
      }
    }).pipe(Effect.ensuring(Effect.sync(() => {
      answer(entry, "the factory stopped");
      this.#waiting.delete(key);
      if (this.#last.get(item) === done) this.#last.delete(item);
      Deferred.doneUnsafe(done, Effect.void);
    })));
  });

  /** How many are waiting. */
  get size(): number { return this.#waiting.size; }

  /** Tries all that wait now, once each, and tells what came of it. `unusable`: what keeps a source from being told anything at all. */
  async drain(unusable: readonly string[] = []): Promise<Drained> {
    const results = await Promise.all([...this.#waiting.values()].map((entry) => new Promise<string | undefined>((resolve) => {
      const { item, source, sourceId } = entry.push;
      entry.tried.push((trouble) => resolve(trouble === undefined ? undefined : `${item} (${source} ${sourceId}): ${trouble}`));
      Deferred.doneUnsafe(entry.nudge, Effect.void);
    })));
    const errors = results.filter((result) => result !== undefined);
    return { drained: results.length - errors.length, errors: [...unusable, ...errors] };
  }
}

/** When the source said that it will answer. */
const notBefore = (trouble: SourceTrouble): number => (trouble._tag === "SourceLimited" ? trouble.until : trouble._tag === "SourceUnavailable" ? (trouble.retryAt ?? 0) : 0);

const answer = (entry: Waiting, trouble: string | undefined): void => {
  for (const told of entry.tried.splice(0)) told(trouble);
};

const sleep = (ms: number): Effect.Effect<void, never, Clock> => Effect.flatMap(Clock, (clock) => Effect.callback<void>((resume) => {
  const cancel = clock.at(clock.now() + ms, () => resume(Effect.void));
  return Effect.sync(cancel);
}));
