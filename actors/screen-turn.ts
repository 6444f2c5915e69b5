import type { AgentEvent, AgentFailure } from "../src/domain/agent.ts";
import type { ScreenMode } from "../src/ports/adapter.ts";
import type { RunScreen } from "../src/ports/agent-process.ts";
import { openScreen, type Pane, type PaneSpec, readSeatLog, type Screen, type Terminals } from "../tmux/index.ts";

/**
 * One turn of an agent in its own screen: answers what the CLI asks at its start, types the prompt in as a transaction, and ends the CLI when the
 * turn is over.
 *
 * Owns: the pane of the run while the turn lasts, and how far the conversation with the screen has come. Talks to: the fabric, the turn (events in, a failure out).
 *
 * I1 The prompt is given once: who takes over a run whose prompt may stand in its input line ends it instead. I2 A dialog is answered once; a screen that
 * shows none of the known ones gets no keys. I3 A prompt that is not taken is a failure with the phase that did not come about, never silence.
 */
export interface ScreenSeat {
  readonly terminals: Terminals;
  readonly session: string;
  readonly name: string;
  /** The seat's directory: its log and what was typed. */
  readonly directory: string;
  readonly columns: number;
  readonly rows: number;
}

export interface ScreenTurn {
  readonly screen: RunScreen;
  /** To be called with everything that is heard of the run, in order. */
  readonly heard: (event: AgentEvent) => void;
  /** After the start: a run that was taken over, and what its hooks had said. */
  readonly adopted: (prompted: boolean) => void;
  /** Rejects never; resolves with why the turn cannot come about, if so. */
  readonly failed: Promise<AgentFailure>;
  /** The turn is over, or its owner goes. */
  readonly close: () => void;
}

const closing: ReadonlySet<AgentEvent["type"]> = new Set(["result", "question", "failure"]);

export interface ScreenTurnOptions {
  readonly seat: ScreenSeat;
  readonly mode: Pick<ScreenMode, "dialogs">;
  readonly files: Readonly<Record<string, string>>;
  readonly prompt: string;
  /** Where a prompt goes that is too long to be typed: a place the agent may read. */
  readonly pointerDirectory: string;
  /** Ends the CLI: its work is done. */
  readonly quit: () => void;
}

export const screenTurn = ({ seat, mode, files, prompt, pointerDirectory, quit }: ScreenTurnOptions): ScreenTurn => {
  const failure = Promise.withResolvers<AgentFailure>();
  const accepted = Promise.withResolvers<void>();
  const over = new AbortController();
  let stage: "starting" | "prompting" | "working" = "starting";
  let stopDialogs = (): void => {};

  const fail = (message: string): void => failure.resolve({ kind: "spawn", message });
  const pane = (): Promise<Pane | undefined> => seat.terminals.find(seat.session, seat.name, seat.directory);

  const give = async (): Promise<void> => {
    const found = await pane();
    if (!found) return fail("its terminal is gone");
    const delivery = await found.deliver(prompt, { accepted: accepted.promise, pointerDirectory, signal: over.signal });
    if (delivery.state === "undelivered" && !over.signal.aborted) fail(`the prompt did not get into the terminal (${delivery.phase}): ${delivery.detail}`);
  };

  const begin = async (): Promise<void> => {
    const size = { columns: seat.columns, rows: seat.rows };
    const drawn = await openScreen(size);
    const answered = new Set<number>();
    const log = readSeatLog(seat.directory);
    const { to } = await log.window();
    // What was on the screen before this run is in the log too, and its screen begins cleared.
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

  const answer = async (drawn: Screen, answered: Set<number>): Promise<void> => {
    const text = drawn.text(seat.rows).join("\n");
    const n = mode.dialogs.findIndex(({ shows }, at) => !answered.has(at) && shows.test(text));
    const dialog = mode.dialogs[n];
    if (!dialog || stage !== "starting") return;
    answered.add(n);
    const found = await pane();
    await found?.keys(...dialog.keys);
  };

  return {
    screen: {
      files,
      start: async ({ argv, env, cwd, mark }) => {
        await begin();
        const spec: PaneSpec = { kind: "program", session: seat.session, name: seat.name, directory: seat.directory, columns: seat.columns, rows: seat.rows, argv, env, cwd, mark };
        await seat.terminals.show(spec);
      },
    },
    heard: (event) => {
      if (event.type === "session" && stage === "starting") {
        stage = "prompting";
        stopDialogs();
        give().catch((error: unknown) => fail(error instanceof Error ? error.message : String(error)));
      } else if (event.type === "prompted") {
        stage = "working";
        accepted.resolve();
      } else if (closing.has(event.type)) quit();
    },
    adopted: (prompted) => {
      stage = "working";
      if (!prompted) failure.resolve({ kind: "interrupted" });
    },
    failed: failure.promise,
    close: () => {
      over.abort();
      stopDialogs();
    },
  };
};
