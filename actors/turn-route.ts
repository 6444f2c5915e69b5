/** Which adapter runs a turn, and its place there: settled before the turn is asked anything else. */
import { Deferred, Effect } from "effect";
import { AdapterName, type AgentFailure } from "../src/domain/agent.ts";
import type { TurnEffect } from "../src/domain/effects.ts";
import type { RunId } from "../src/domain/ids.ts";
import type { RunHandle } from "../src/ports/agent-process.ts";
import { Clock } from "../src/ports/clock.ts";
import type { AdapterGate, Route } from "./adapter-gate.ts";
import type { EffectContext, EndReason } from "./effect-runner.ts";

/** `refused`: nobody can run it now. `unwanted`: while it waited for a place its actor, or the factory, wanted it no more. In both cases it has no place. */
export interface TurnRoute extends Route { readonly refused?: AgentFailure; readonly unwanted?: EndReason }

/** A run of an earlier owner is whoever's it was, and holds its place. What is learnt of an adapter while a turn waits for it counts: then it waits for the next one. */
export const turnRoute = (routing: AdapterGate, request: TurnEffect, context: EffectContext, runId: RunId, adopted: RunHandle | undefined): Effect.Effect<TurnRoute, never, Clock> => Effect.gen(function* () {
  if (adopted !== undefined) {
    const adapter = AdapterName.safeParse((yield* adopted.labels)["adapter"]).data ?? request.adapter;
    routing.adopt(adapter, runId);
    return { adapter, model: adapter === request.adapter ? request.model : null };
  }
  const keep = request.brief.answer === null ? undefined : request.sessionAdapter;
  /** Told where it is not as it was asked for. */
  const tell = (route: Route, waits: boolean): void => context.tell(context.actor, { type: "turn.placed", tryNumber: request.tryNumber, place: { adapter: route.adapter, model: route.model, waits } });
  const now = () => routing.route({ stage: request.stage, adapter: request.adapter, model: request.model, keep });
  for (let route = now(); ;) {
    if (route.refused !== undefined) return route;
    const entered = routing.enter(route.adapter, runId), waits = routing.waits(runId);
    if (waits || route.adapter !== request.adapter) tell(route, waits);
    const unwanted = yield* placeAt(routing, entered, context, request.aliveEveryMs, runId);
    if (unwanted !== undefined) return { ...route, unwanted };
    const then = now();
    if (then.refused === undefined && then.adapter === route.adapter) {
      if (waits) tell(then, false);
      return then;
    }
    routing.forgo(runId);
    route = then;
  }
});

/** A wait is a sign of life. */
const placeAt = (routing: AdapterGate, entered: Promise<void>, context: EffectContext, aliveEveryMs: number | undefined, runId: RunId): Effect.Effect<EndReason | undefined, never, Clock> => Effect.gen(function* () {
  const clock = yield* Clock, unwanted = yield* Deferred.make<EndReason>();
  context.onEnd((reason) => { Deferred.doneUnsafe(unwanted, Effect.succeed(reason)); });
  let cancel = (): void => {};
  const show = (): void => { if (aliveEveryMs !== undefined) cancel = clock.at(clock.now() + aliveEveryMs, () => { context.tell(context.actor, { type: "turn.alive" }); show(); }); };
  show();
  return yield* Effect.raceFirst(Effect.as(Effect.promise(() => entered), undefined), Deferred.await(unwanted)).pipe(
    Effect.tap((reason) => Effect.sync(() => { if (reason !== undefined) routing.forgo(runId); })),
    Effect.ensuring(Effect.sync(() => cancel())),
  );
});
