import type { ChildSpec, Exit, SupervisorEvent } from "../../actors/child.ts";
import { Supervisor, type SupervisorOptions } from "../../actors/supervisor.ts";
import { SimulatedClock } from "../support/clock.ts";

/** A child that does what the test says, and keeps an account of its lives. */
export class ScriptedChild {
  readonly id: string;
  readonly log: string[];
  lives = 0;
  stops = 0;
  #exit: ((exit: Exit) => void) | undefined;
  #finish: (() => void) | undefined;
  /** What the next start does. */
  onStart: (exit: (exit: Exit) => void) => void = () => {};
  /** Whether `stop` resolves by itself, or when the test calls `finishStop`. */
  slowStop = false;

  constructor(id: string, log: string[]) { this.id = id; this.log = log; }

  spec(more: Partial<ChildSpec> = {}): ChildSpec {
    return {
      id: this.id, ...more,
      start: (onExit) => {
        this.lives++;
        this.#exit = onExit;
        this.log.push(`start ${this.id}`);
        this.onStart(onExit);
        return {
          stop: () => {
            this.stops++;
            this.log.push(`stop ${this.id}`);
            if (!this.slowStop) return Promise.resolve();
            return new Promise((resolve) => { this.#finish = resolve; });
          },
          describe: () => `life ${this.lives}`,
        };
      },
    };
  }

  crash(message = "boom"): void { this.#exit?.({ kind: "crashed", error: new Error(message) }); }
  done(): void { this.#exit?.({ kind: "done" }); }
  /** The exit of this life, to be called later, when it may be stale. */
  exitOfThisLife(): (exit: Exit) => void { return this.#exit ?? (() => {}); }
  finishStop(): void { this.#finish?.(); }
}

/** A supervisor over scripted children a, b, c … on a simulated clock. */
export const supervised = (options: Partial<SupervisorOptions>, ...more: readonly Partial<ChildSpec>[]) => {
  const clock = new SimulatedClock(1_000), log: string[] = [], events: SupervisorEvent[] = [], escalations: unknown[] = [];
  const children = more.map((_, i) => new ScriptedChild(String.fromCharCode(97 + i), log));
  const supervisor = new Supervisor({
    id: "root", clock, strategy: "one_for_one", intensity: { max: 3, withinMs: 1_000 },
    children: children.map((child, i) => child.spec(more[i])),
    observe: (event) => { events.push(event); }, onEscalate: (error) => { escalations.push(error); }, ...options,
  });
  const child = (id: string): ScriptedChild => {
    const found = children.find((each) => each.id === id);
    if (!found) throw new Error(`no child ${id}`);
    return found;
  };
  const states = (): Readonly<Record<string, string>> => Object.fromEntries(supervisor.tree().map(({ id, state }) => [id, state]));
  return { clock, log, events, escalations, children, supervisor, child, states };
};
