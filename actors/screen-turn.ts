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
 * I1 The prompt is given once: who takes over a run whose prompt may stand in its input line ends it instead. I2 A key is pressed again only while the
 * same question stands there, a few times; a screen that shows none of the known ones gets no keys. I3 A prompt that is not taken is a failure with the phase that did not come about, never silence.
 * I4 A turn that is over is over, however its CLI then ends. I5 The whole prompt is pasted, however long: an agent may not be allowed to read a file
 * outside of its worktree, and inside it would be part of the work. I6 An adopted CLI whose terminal is gone is ended.
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
  /** What stands at the end of its screen, as one line; empty when there are no words. */
  readonly lastWords: () => Promise<string>;
  /** The turn is done with, or its owner goes. */
  readonly close: () => void;
}

export interface ScreenTurnOptions {
  readonly seat: ScreenSeat;
  readonly dialogs: ScreenMode["dialogs"];
  readonly files: Readonly<Record<string, string>>;
  readonly prompt: string;
}

/** Between two looks at a CLI that may ask something; how often the same question is answered. */
const lookMs = 300, mostPresses = 5;
/** Of the log, for the last words; and of those, how many lines and characters. */
const wordsBytes = 64 * 1024, wordsLines = 5, wordsLength = 400;
/** What the shell around the CLI says of its end is none of its words. */
const ofShell = /^(Terminated|Killed|Hangup)$/;

const closing: ReadonlySet<AgentEvent["type"]> = new Set(["result", "question", "failure"]);
const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

export const screenTurn = ({ seat, dialogs, files, prompt }: ScreenTurnOptions): ScreenTurn => {
  const failure = Promise.withResolvers<AgentFailure>(), accepted = Promise.withResolvers<void>(), over = Promise.withResolvers<void>();
  const closed = new AbortController();
  let stage: "starting" | "adopted" | "prompting" | "working" | "over" = "starting";
  let stopDialogs = (): void => {};
  /** Where in the log the screen of this turn begins, as far as that is known. */
  let begun = 0;

  const fail = (message: string): void => failure.resolve({ kind: "spawn", message });
  const pane = () => seat.terminals.find(seat.session, seat.name);

  const give = async (): Promise<void> => {
    const found = await pane();
    if (!found) return fail("its terminal is gone");
    const delivery = await found.deliver(prompt, { accepted: accepted.promise, pointerBytes: Infinity, signal: closed.signal });
    if (delivery.state === "undelivered" && !closed.signal.aborted) fail(`the prompt did not get into the terminal (${delivery.phase}): ${delivery.detail}`);
  };

  /** One key at a time, and only when the screen has stood still since the look before: keys that come while a CLI draws are lost to it. */
  const answerer = (drawn: Screen): (() => Promise<void>) => {
    const pressed = new Map<number, number>();
    let before = "";
    return async () => {
      const text = drawn.text(defaultSize.rows).join("\n"), still = text === before;
      before = text;
      const n = dialogs.findIndex(({ shows }) => shows.test(text)), dialog = dialogs[n];
      if (!dialog || !still || stage !== "starting") return;
      const times = pressed.get(n) ?? 0;
      if (times === mostPresses) return fail(`its terminal goes on asking: ${dialog.shows.exec(text)?.[0].replaceAll(/\s+/g, " ") ?? ""}`);
      pressed.set(n, times + 1);
      before = "";
      await (await pane())?.keys(dialog.key);
    };
  };

  /** Looks at the screen for what the CLI asks, until it takes a prompt. */
  const lookForDialogs = async (): Promise<void> => {
    const drawn = await openScreen(defaultSize);
    const answer = answerer(drawn);
    const log = readSeatLog(seat.directory);
    const { to } = await log.window();
    begun = to;
    const stop = log.follow(to, (data) => drawn.write(data), () => undefined);
    // Without its terminal nothing is pressed, and the turn ends with it.
    const looking = dialogs.length === 0 ? undefined : setInterval(() => { answer().catch(() => undefined); }, lookMs);
    stopDialogs = () => {
      clearInterval(looking);
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
      // Its terminal went while there was no owner: nobody sees it or can type to it any more. Where that cannot be asked it goes on.
      else if (stage === "working") pane().then((found) => { if (!found) failure.resolve({ kind: "interrupted" }); }, () => undefined);
    },
    say: async (text) => {
      const found = stage === "working" ? await pane() : undefined;
      return (await found?.deliver(text, { pointerBytes: Infinity, signal: closed.signal }))?.state === "accepted";
    },
    failed: failure.promise,
    isOver: () => stage === "over",
    over: over.promise,
    lastWords: async () => {
      const log = readSeatLog(seat.directory), drawn = await openScreen(defaultSize);
      try {
        const { to } = await log.window();
        for (let from = Math.max(begun, to - wordsBytes); from < to;) {
          const read = await log.read(from, to - from);
          if (read.data.length === 0) break;
          await drawn.write(read.data);
          from = read.from + read.data.length;
        }
        const lines = drawn.text(defaultSize.rows).map((line) => line.trim()).filter((line) => /\p{L}{2}/u.test(line) && !ofShell.test(line));
        return lines.slice(-wordsLines).join(" ").slice(0, wordsLength).toWellFormed();
      } finally {
        drawn.dispose();
      }
    },
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
