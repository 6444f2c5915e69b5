import { Effect, Stream } from "effect";
import type { AgentEvent } from "../src/domain/agent.ts";
import { headerText, turnText } from "../src/domain/agent-text.ts";
import { seatOf, type TurnEffect } from "../src/domain/effects.ts";
import type { StreamEnd, StreamReader } from "../src/ports/adapter.ts";
import type { RunHandle } from "../src/ports/agent-process.ts";
import type { SeatRun } from "./seats.ts";

/** Tells a seat what a run does. */
export interface Narrator {
  /** One more line of output begins, or the end is reached. */
  readonly line: () => void;
  readonly event: (event: AgentEvent) => void;
  readonly end: () => Promise<boolean>;
}

/** Tells a seat what a run does, the same text for the same run. */
export const narrator = (seat: SeatRun, request: TurnEffect): Narrator => {
  const text = turnText();
  let lines = 0;
  seat.write(headerText({
    seat: seatOf(request), item: request.item.id, title: request.item.title, stage: request.stage, iteration: request.iteration, tryNumber: request.tryNumber,
    adapter: request.adapter, model: request.model, resumed: request.sessionId !== null, messages: request.brief.messages,
  }));
  return {
    line: () => seat.advance(lines++),
    event: (event) => seat.write(text.event(event)),
    end: () => {
      seat.write(text.end());
      return seat.settle("over");
    },
  };
};

/** Completes a log that could not be written while the run was read. What does not work now is left. `shown`: what is told of it. */
export const showAgain = (openSeat: () => Promise<SeatRun>, request: TurnEffect, handle: RunHandle, makeReader: () => StreamReader, end: StreamEnd, shown: (event: AgentEvent) => boolean): Effect.Effect<void> => Effect.gen(function* () {
  const seat = yield* Effect.promise(openSeat);
  const show = narrator(seat, request), reader = makeReader();
  yield* handle.lines(0).pipe(Stream.runForEach((line) => Effect.suspend(() => {
    show.line();
    for (const event of reader.line(line.text)) if (shown(event)) show.event(event);
    const room = seat.room();
    return room ? Effect.promise(() => room) : Effect.void;
  })), Effect.ignore);
  show.line();
  for (const event of reader.end(end)) if (shown(event)) show.event(event);
  yield* Effect.promise(() => show.end());
});
