/**
 * The interactive HUD: joins the contract, the model and the screen.
 *
 * Owns the watch of the factory, the terminal that is followed, and the timers. Talks to the factory by the contract alone.
 *
 * I1 One read is under way at a time; changes during it cause one more. I2 A terminal is followed only while it is on the screen.
 * I3 However it ends, watches and timers are stopped and the screen is closed. I4 An effect that fails is said, never thrown.
 */
import { randomUUID } from "node:crypto";
import type { ReadStream, WriteStream } from "node:tty";
import { ClientProblem, type FactoryClient, type LiveChange } from "../client/contract.ts";
import { oneLine } from "../client/text/safe-text.ts";
import { type Frame, frame, hitAt } from "./frame.ts";
import { actionOf } from "./keys.ts";
import { begin, noticeMs, sameView, step } from "./model.ts";
import { openPane, type Pane } from "./pane.ts";
import { readAgain, readKnown, readLiveAgain } from "./reading.ts";
import { type HudScreen, openHudScreen } from "./screen.ts";
import { actorOf, type Effect, type HudEvent, type HudModel, terminalOf } from "./state.ts";

export interface HudSession {
  readonly client: FactoryClient;
  readonly version: string;
  readonly now: () => number;
  readonly input: ReadStream;
  readonly output: WriteStream;
  readonly colour: boolean;
  /** Runs a program with the terminal as its own; its exit code. */
  readonly launch: (argv: readonly [string, ...string[]], env: Readonly<Record<string, string>>) => Promise<number>;
  /** Ends it from outside. */
  readonly stop: AbortSignal;
}

/** Changes come in bursts; a person does not see the difference. */
const settleMs = 100;
/** What the store does not announce is asked for this often. */
const liveMs = 2_000;
/** While nobody touches a key and nothing is new, less and less often; not less than this. */
const restingMs = 6_000;
const tickMs = 10_000;
/** An item with more events than this shows its last ones. */
const journalPage = 5_000;

export const runHud = async (session: HudSession): Promise<void> => {
  const { client, now } = session;
  const ended = Promise.withResolvers<void>();
  let model: HudModel = begin(session.version, await readKnown(client), now(), randomUUID());
  let drawn: Frame | undefined;
  let screen: HudScreen | undefined;
  let over = false;
  let forget: NodeJS.Timeout | undefined;

  const happen = (event: HudEvent): void => {
    if (over) return;
    const before = model;
    const next = step(model, event, now());
    model = next.model;
    for (const effect of next.effects) void carryOut(effect);
    if (!sameView(before.detail, model.detail)) look();
    if (model.notice !== null && model.notice !== before.notice) {
      clearTimeout(forget);
      forget = setTimeout(() => happen({ type: "tick" }), noticeMs);
    }
    screen?.invalidate();
  };
  const problem = (error: unknown): string => (error instanceof ClientProblem ? `${error.message}${error.next === "" ? "" : `; ${error.next}`}` : error instanceof Error ? error.message : String(error));

  // What the factory has.
  let reading = false, stale = false, staleLive = false;
  let soon: NodeJS.Timeout | undefined;
  const read = async (): Promise<void> => {
    if (reading || over) return;
    reading = true;
    try {
      while ((stale || staleLive) && !over) {
        const whole = stale;
        stale = staleLive = false;
        const known = whole ? await readAgain(client, model.known) : await readLiveAgain(client, model.known);
        const moved = known !== model.known && (known.description.role !== model.known.description.role || known.description.generation !== model.known.description.generation);
        if (moved && !whole) stale = true;
        if (known !== model.known) happen({ type: "known", known });
        if (whole) readDetail();
        else followTerminal();
      }
    } catch (error) {
      happen({ type: "notice", level: "error", text: problem(error) });
    } finally {
      reading = false;
    }
  };
  const readSoon = (): void => {
    stale = true;
    soon ??= setTimeout(() => {
      soon = undefined;
      void read();
    }, settleMs);
  };
  const onChange = (change: LiveChange): void => {
    if (change.type === "journal" || change.type === "resync") readSoon();
    if (change.type === "notice") happen({ type: "notice", level: change.level, text: oneLine(change.text) });
    if (change.type === "lost") {
      happen({ type: "notice", level: "error", text: oneLine(change.reason) });
      readSoon();
    }
  };

  // What the open view needs besides.
  let followed: { readonly address: string; readonly stop: () => void; pane?: Pane } | undefined;
  const unfollow = (): void => {
    followed?.stop();
    followed?.pane?.dispose();
    followed = undefined;
  };
  const followTerminal = (): void => {
    const { detail } = model;
    const terminal = detail?.tab === "terminal" ? terminalOf(model, detail.subject) : undefined;
    if (terminal?.address === followed?.address) return;
    unfollow();
    if (detail === null || terminal === undefined) return;
    const { address } = terminal;
    let stopped = false, stopWatch = (): void => {};
    const mine: NonNullable<typeof followed> = { address, stop: () => { stopped = true; stopWatch(); } };
    followed = mine;
    void openPane(terminal, () => {
      const { pane } = mine;
      if (followed === mine && pane !== undefined && model.detail !== null) happen({ type: "detail", of: model.detail, known: { pane: pane.screen() } });
    }).then((pane) => {
      if (stopped) return pane.dispose();
      mine.pane = pane;
      stopWatch = client.watchTerminal(address, { ready: pane.ready }, pane.feed);
    }).catch((error: unknown) => happen({ type: "notice", level: "error", text: problem(error) }));
  };
  const readDetail = (): void => {
    followTerminal();
    const { detail } = model;
    if (detail === null) return;
    const fill = async (): Promise<void> => {
      if (detail.tab === "journal" && detail.subject.item !== null) {
        const had = model.detailKnown.journal;
        const news = await client.journal({ id: detail.subject.item, after: had.at(-1)?.position ?? 0 });
        if (had === model.detailKnown.journal && news.length > 0) happen({ type: "detail", of: detail, known: { journal: [...had, ...news].slice(-journalPage) } });
      }
      if (detail.tab === "chart") {
        const address = actorOf(model, detail.subject);
        happen({ type: "detail", of: detail, known: { actor: address === undefined ? null : ((await client.actor(address)) ?? null) } });
      }
    };
    void fill().catch((error: unknown) => happen({ type: "notice", level: "error", text: problem(error) }));
  };
  const look = (): void => {
    unfollow();
    readDetail();
  };

  // What the person asked for.
  const carryOut = async (effect: Effect): Promise<void> => {
    try {
      switch (effect.type) {
        case "quit": return ended.resolve();
        case "command": {
          const { delivered } = await client.command(effect.id, effect.command);
          return happen({ type: "notice", level: "info", text: `${effect.id}: ${effect.command.type}, ${delivered === "now" ? "done" : "noted; the factory takes it up at once, or when one runs"}` });
        }
        case "team": {
          const { delivered } = await client.team(effect.name, effect.command);
          return happen({ type: "notice", level: "info", text: `${effect.name}: ${effect.command.type}, ${delivered === "now" ? "done" : "noted; the factory takes it up at once, or when one runs"}` });
        }
        case "message": {
          const receipt = await client.message(effect.address, effect.text, { interrupt: effect.interrupt });
          return happen(receipt.state === "undelivered" ? { type: "refused", text: `${effect.address} did not get it: ${oneLine(receipt.detail)}`, ...(effect.restore === undefined ? {} : { restore: effect.restore }) } : { type: "notice", level: "info", text: `${effect.address}: ${receipt.state}${receipt.detail === "" ? "" : `, ${oneLine(receipt.detail)}`}` });
        }
        case "attach": {
          const { argv, env } = await client.attachment(effect.address, { write: effect.write });
          const code = await screen?.suspend(() => session.launch(argv, env));
          return happen({ type: "notice", level: code === 0 ? "info" : "warning", text: code === 0 ? `back from ${effect.address}` : `${effect.address}: the terminal ended with code ${code}` });
        }
      }
    } catch (error) {
      happen({ type: "refused", text: oneLine(problem(error)), ...("restore" in effect && effect.restore !== undefined ? { restore: effect.restore } : {}) });
    } finally {
      readSoon();
    }
  };

  const stopWatch = client.watch(onChange);
  const tick = setInterval(() => happen({ type: "tick" }), tickMs);
  let waitMs = liveMs;
  let live: NodeJS.Timeout | undefined;
  const readLive = async (): Promise<void> => {
    const before = model.known;
    staleLive = true;
    await read();
    waitMs = model.known === before ? Math.min(restingMs, waitMs * 1.5) : liveMs;
    if (!over) live = setTimeout(() => void readLive(), waitMs);
  };
  live = setTimeout(() => void readLive(), liveMs);
  const onStop = (): void => ended.resolve();
  session.stop.addEventListener("abort", onStop);
  session.input.on("end", onStop);
  try {
    if (session.stop.aborted) return;
    screen = await openHudScreen({
      input: session.input, output: session.output, colour: session.colour,
      draw: (size) => {
        drawn = frame(model, size, { interactive: true });
        model = step(model, { type: "drawn", reach: drawn.reach, tops: drawn.tops }, now()).model;
        return drawn;
      },
      onInput: (typed) => {
        waitMs = liveMs;
        const action = actionOf(typed, model, (x, y) => (drawn === undefined ? undefined : hitAt(drawn, x, y)));
        if (action !== undefined) happen({ type: "action", action });
      },
    });
    await ended.promise;
  } finally {
    over = true;
    clearInterval(tick);
    clearTimeout(live);
    clearTimeout(forget);
    clearTimeout(soon);
    unfollow();
    stopWatch();
    session.input.off("end", onStop);
    session.stop.removeEventListener("abort", onStop);
    screen?.close();
  }
};
