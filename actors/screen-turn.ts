import { Effect } from "effect";
import type { AgentEvent, AgentFailure } from "../src/domain/agent.ts";
import type { ScreenMode } from "../src/ports/adapter.ts";
import type { RunExit, RunHandle, RunIo, RunScreen } from "../src/ports/agent-process.ts";
import type { ClockShape } from "../src/ports/clock.ts";
import { openScreen, readSeatLog, type Screen, type Terminals } from "../tmux/index.ts";
import { defaultSize } from "./seats.ts";

/**
 * One turn of an agent in its own screen: answers what the CLI asks at its start, types the prompt in as a transaction, and ends the CLI when the
 * turn is over.
 *
 * Owns: how far the conversation with the screen has come. Talks to: the pane of the seat, the turn (events in, a failure out).
 *
 * I1 The prompt is given once: who takes over a run whose prompt may stand in its input line ends it instead. I2 A dialog is answered once; a screen that
 * shows none of the known ones gets no keys. I3 A prompt that is not taken is a failure with the phase that did not come about, never silence.
 * I4 A turn that is over is over, however its CLI then ends.
 * I5 The whole prompt is pasted, however long: an agent may not be allowed to read a file outside of its worktree, and inside it would be part of the work.
 */
export interface ScreenSeat { readonly terminals: Terminals; readonly session: string; readonly name: string; /** Its log, and what was typed. */ readonly directory: string }

export interface ScreenTurn {
  readonly screen: RunScreen;
  /** Everything that is heard of the run, in order. */
  readonly heard: (event: AgentEvent) => void;
  /** The run was begun by an earlier owner. Before anything is heard of it. */
  readonly adopt: () => void;
  /** All that it had said by then was heard. */
  readonly caughtUp: () => void;
  /** Types something into the running turn. True: the CLI took it. */
  readonly say: (text: string) => Promise<boolean>;
  /** Why the turn cannot come about, once that is so. */
  readonly failed: Promise<AgentFailure>;
  /** The agent has said its last word. */
  readonly isOver: () => boolean;
  readonly over: Promise<void>;
  /** The turn is done with, or its owner goes. */
  readonly close: () => void;
}

export interface ScreenTurnOptions {
  readonly seat: ScreenSeat;
  readonly dialogs: ScreenMode["dialogs"];
  readonly files: Readonly<Record<string, string>>;
  readonly prompt: string;
}

const closing: ReadonlySet<AgentEvent["type"]> = new Set(["result", "question", "failure"]);
const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

export const screenTurn = ({ seat, dialogs, files, prompt }: ScreenTurnOptions): ScreenTurn => {
  const failure = Promise.withResolvers<AgentFailure>(), accepted = Promise.withResolvers<void>(), over = Promise.withResolvers<void>();
  const closed = new AbortController();
  let stage: "starting" | "adopted" | "prompting" | "working" | "over" = "starting";
  let stopDialogs = (): void => {};

  const fail = (message: string): void => failure.resolve({ kind: "spawn", message });
  const pane = () => seat.terminals.find(seat.session, seat.name);

  const give = async (): Promise<void> => {
    const found = await pane();
    if (!found) return fail("its terminal is gone");
    const delivery = await found.deliver(prompt, { accepted: accepted.promise, pointerBytes: Infinity, signal: closed.signal });
    if (delivery.state === "undelivered" && !closed.signal.aborted) fail(`the prompt did not get into the terminal (${delivery.phase}): ${delivery.detail}`);
  };

  const answer = async (drawn: Screen, answered: Set<number>): Promise<void> => {
    const text = drawn.text(defaultSize.rows).join("\n");
    const n = dialogs.findIndex(({ shows }, at) => !answered.has(at) && shows.test(text));
    const dialog = dialogs[n];
    if (!dialog || stage !== "starting") return;
    answered.add(n);
    await (await pane())?.keys(...dialog.keys);
  };

  /** Looks at the screen for what the CLI asks, until it takes a prompt. */
  const lookForDialogs = async (): Promise<void> => {
    const drawn = await openScreen(defaultSize);
    const answered = new Set<number>();
    const log = readSeatLog(seat.directory);
    const { to } = await log.window();
    const stop = log.follow(to, async (data) => {
      await drawn.write(data);
      await answer(drawn, answered);
    }, () => undefined);
    stopDialogs = () => {
      stop();
      drawn.dispose();
      stopDialogs = () => {};
    };
    if (stage !== "starting") stopDialogs();
  };

  return {
    screen: {
      files,
      start: async ({ argv, env, cwd, mark }) => {
        const before = await pane();
        // What an earlier turn left on the screen makes way.
        await before?.remove();
        await lookForDialogs();
        await seat.terminals.show({ kind: "program", session: seat.session, name: seat.name, directory: seat.directory, ...defaultSize, argv, env, cwd, mark });
      },
    },
    heard: (event) => {
      if (event.type === "session" && stage === "starting") {
        stage = "prompting";
        stopDialogs();
        give().catch((error: unknown) => fail(messageOf(error)));
      } else if (event.type === "prompted") {
        stage = "working";
        accepted.resolve();
      } else if (closing.has(event.type)) {
        stage = "over";
        over.resolve();
      }
    },
    adopt: () => { stage = "adopted"; },
    caughtUp: () => {
      if (stage === "adopted") failure.resolve({ kind: "interrupted" });
    },
    say: async (text) => {
      const found = stage === "working" ? await pane() : undefined;
      return (await found?.deliver(text, { pointerBytes: Infinity, signal: closed.signal }))?.state === "accepted";
    },
    failed: failure.promise,
    isOver: () => stage === "over",
    over: over.promise,
    close: () => {
      closed.abort();
      stopDialogs();
    },
  };
};

/** Ends a CLI whose turn is over: SIGTERM, then SIGKILL. */
export const endScreen = (handle: RunHandle, clock: ClockShape, graceMs: number): Effect.Effect<RunExit, RunIo> => Effect.gen(function* () {
  const grace = Effect.callback<undefined>((resume) => {
    const cancel = clock.at(clock.now() + graceMs, () => resume(Effect.succeed(undefined)));
    return Effect.sync(cancel);
  });
  yield* handle.signal("SIGTERM");
  const exit = yield* Effect.raceFirst(handle.exit, grace);
  if (exit) return exit;
  yield* handle.signal("SIGKILL");
  return yield* handle.exit;
});
