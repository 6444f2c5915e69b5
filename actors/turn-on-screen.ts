import { Deferred, Effect, type Scope } from "effect";
import type { AgentFailure, TurnRequest } from "../src/domain/agent.ts";
import type { TurnEffect } from "../src/domain/effects.ts";
import type { Said } from "../src/domain/message.ts";
import type { Adapter, HostEnvironment, LaunchPlan, ScreenMode } from "../src/ports/adapter.ts";
import type { RunHandle } from "../src/ports/agent-process.ts";
import type { ClockShape } from "../src/ports/clock.ts";
import type { Terminals } from "../tmux/index.ts";
import { EffectTrouble } from "./effect-runner.ts";
import { endScreen, screenTurn, type ScreenTurn } from "./screen-turn.ts";
import { directoryOf, paneOf, placeOf, sessionOf } from "./seat-file.ts";

/** A turn whose agent draws its own screen. */
export interface OnScreen { readonly mode: ScreenMode; readonly plan: LaunchPlan | AgentFailure; readonly turn: ScreenTurn }

/** What a turn on a screen of its own needs, or why there is none here. */
export const screenFor = (parts: { readonly open: (() => Promise<Terminals>) | undefined; readonly seatsRoot: string; readonly adapter: Adapter; readonly host: HostEnvironment }, request: TurnEffect, turn: TurnRequest): Effect.Effect<OnScreen, EffectTrouble> => Effect.gen(function* () {
  const { open, adapter, seatsRoot, host } = parts, { screen: mode } = adapter;
  if (!mode) return yield* new EffectTrouble({ class: "environment", message: `${adapter.name} has no screen that the factory can drive`, mend: "start the team without --interactive, or with another --adapter" });
  if (!open) return yield* new EffectTrouble({ class: "environment", message: "this process has no terminals for agents", mend: "start the factory with: enact-factory start" });
  const terminals = yield* Effect.tryPromise({ try: open, catch: (cause) => new EffectTrouble({ class: "environment", message: `there are no terminals here: ${cause instanceof Error ? cause.message : String(cause)}`, mend: "install tmux" }) });
  const plan = mode.plan(turn, host), place = placeOf(request);
  const seat = { terminals, session: sessionOf(place), name: paneOf(place), directory: directoryOf(seatsRoot, place) };
  return { mode, plan: "kind" in plan ? plan : { argv: plan.argv, env: plan.env, stdin: "", stdinMode: "close" }, turn: screenTurn({ seat, dialogs: mode.dialogs, files: "kind" in plan ? {} : plan.files, prompt: turn.prompt }) };
});

/** Ends the CLI when its turn is over or cannot come about. Gives a look at why it could not. */
export const watchScreen = (on: ScreenTurn, handle: RunHandle, clock: ClockShape, parts: { readonly stillOwner: Effect.Effect<void, unknown>; readonly graceMs: number }, caughtUp: Deferred.Deferred<void>): Effect.Effect<() => AgentFailure | undefined, never, Scope.Scope> => Effect.gen(function* () {
  let failure: AgentFailure | undefined;
  yield* Effect.addFinalizer(() => Effect.sync(on.close));
  if (handle.adopted) {
    on.adopt();
    yield* Effect.forkScoped(Effect.andThen(Deferred.await(caughtUp), Effect.sync(on.caughtUp)));
  }
  const ending = Effect.raceFirst(Effect.promise(() => on.over), Effect.map(Effect.promise(() => on.failed), (why) => { failure = why; }));
  yield* Effect.forkScoped(ending.pipe(Effect.tap(() => parts.stillOwner), Effect.andThen(endScreen(handle, clock, parts.graceMs)), Effect.ignore));
  return () => failure;
});

/** How a turn on its own screen is spoken to: by typing. */
export const mouthOnScreen = (on: ScreenTurn, heard: Set<string>) => (said: Said): Effect.Effect<boolean> =>
  Effect.promise(() => on.say(said.text).catch(() => false)).pipe(Effect.tap((delivered) => Effect.sync(() => { if (delivered) heard.add(said.id); })));
