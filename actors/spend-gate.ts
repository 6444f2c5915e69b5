import type { AgentFailure, TurnOutcome, TurnRequest } from "../src/domain/agent.ts";
import { infraKinds } from "../src/domain/agent.ts";
import type { RunId } from "../src/domain/ids.ts";
import type { OperatorLane } from "../src/domain/lane.ts";
import { type CapState, capKinds, capsFor, capText, dayCaps, emptyLedger, type Ledger, projectCaps, type Subject } from "../src/domain/ledger.ts";
import { addAmount, type Amount, type Charge, costOf, noAmount, type Price, type Said } from "../src/domain/spend.ts";

/**
 * Asked by each turn before its agent is started: is there something left to spend?
 *
 * Owns: what is not in the ledger yet, of the turns of this owner: those under way, and those that have ended and wait to be charged. Talks to: the
 * turn (actors/agent-turn.ts), the ledger's durable state (`learn`, after each of its commits), the scheduler.
 *
 * I1 A turn is refused when as much as a cap allows is used. A turn under way is one try already, and may finish: of money and tokens a cap is
 * exceeded by what the turns under way use at most, of tries by none. I2 Every run is counted once: here or in the ledger, which changes in the same
 * breath (`learn`). I3 Nothing is answered before the mail that an earlier owner left has been taken in.
 */
export interface SpendGateOptions {
  readonly prices: readonly Price[];
  /** The project of a repository. */
  readonly projectOf: (repository: string) => string;
  /** The lane of an item now. */
  readonly laneOf: (item: Charge["item"]) => OperatorLane;
  readonly calendar: Calendar;
}

/** Days by the wall clock, where the user lives. */
export interface Calendar {
  readonly today: () => string;
  /** When today ends, for people. */
  readonly endText: () => string;
}

/** Of a run that is not in the ledger. `used` null: it is under way. */
interface Open { readonly subject: Subject; readonly used: Amount | null }

type Asked = Pick<TurnRequest, "runId" | "item"> & { readonly repository: string };
export type CapReached = Extract<AgentFailure, { kind: "capReached" }>;

const oneTry: Amount = { ...noAmount, turns: 1 };

export class SpendGate {
  readonly #options: SpendGateOptions;
  readonly #open = new Map<RunId, Open>();
  #ledger: Ledger = emptyLedger;
  readonly #ready = Promise.withResolvers<void>();

  constructor(options: SpendGateOptions) {
    this.#options = options;
  }

  /** The ledger as it is durable now; `charged`: the run that this commit was about (I2). */
  learn(ledger: Ledger, charged?: RunId): void {
    this.#ledger = ledger;
    if (charged !== undefined) this.#open.delete(charged);
  }

  /** What an earlier owner left is taken in (I3). */
  open(): void {
    this.#ready.resolve();
  }

  /** `undefined`: it may begin, and counts from now on. Asking again for the same run is asking once. */
  async ask(asked: Asked): Promise<CapReached | undefined> {
    await this.#ready.promise;
    const subject = this.#subject(asked);
    const cap = capsFor(this.#with(subject, asked.runId), subject).find(({ state }) => state === "reached");
    if (cap !== undefined) {
      this.#open.delete(asked.runId);
      return { kind: "capReached", cap: cap.cap, spent: cap.spent, limit: cap.limit, message: `the cap ${capText(cap)} is reached${this.#hope(cap)}` };
    }
    this.adopt(asked);
    return undefined;
  }

  /** A run of an earlier owner that goes on: it was asked for then. */
  adopt(asked: Asked): void {
    this.#open.set(asked.runId, { subject: this.#subject(asked), used: null });
  }

  /** Nothing ran after all. */
  release(run: RunId): void {
    this.#open.delete(run);
  }

  /** The turn has ended: what it used, for the ledger. */
  ended(turn: TurnRequest, repository: string, outcome: TurnOutcome, said: Said, wallMs: number): Charge {
    const subject = this.#subject({ runId: turn.runId, item: turn.item, repository });
    const model = said.model ?? turn.model;
    const amount: Amount = { usage: outcome.usage, cost: costOf({ ...said, model }, this.#options.prices), turns: isTry(outcome) ? 1 : 0, wallMs: Math.max(0, Math.round(wallMs)) };
    this.#open.set(turn.runId, { subject, used: amount });
    return {
      run: turn.runId, item: turn.item, attempt: turn.attempt, project: subject.project, lane: this.#options.laneOf(turn.item), stage: turn.stage,
      member: turn.team === undefined || turn.team === null ? null : (turn.seat ?? null), adapter: turn.adapter, model, day: subject.day, amount,
    };
  }

  /** Why automation begins nothing more in a project today; empty while it may. */
  held(project: string): string {
    const day = this.#options.calendar.today();
    const cap = [...projectCaps(this.#ledger, project, day), ...dayCaps(this.#ledger, day)].find(({ state }) => state === "reached");
    return cap === undefined ? "" : `the cap ${capText(cap)} is reached${this.#hope(cap)}`;
  }

  #hope(cap: CapState): string {
    return capKinds[cap.cap].of === "item" ? `; raise spend.${cap.cap} and try again` : `; the day ends ${this.#options.calendar.endText()}`;
  }

  #subject({ item, repository }: Asked): Subject {
    return { item, project: this.#options.projectOf(repository), day: this.#options.calendar.today() };
  }

  /** The ledger and what is not in it yet, as far as it concerns this subject. */
  #with({ item, project, day }: Subject, except: RunId): Ledger {
    const others = [...this.#open].flatMap(([run, open]) => (run === except ? [] : [open]));
    const sum = (of: (subject: Subject) => boolean, before: Amount | undefined): Amount => others.filter(({ subject }) => of(subject)).reduce((total, { used }) => addAmount(total, used ?? oneTry), before ?? noAmount);
    const { caps, items, days } = this.#ledger;
    const today = days.find((each) => each.day === day);
    return {
      caps,
      items: [{ id: item, warnings: [], amount: sum((of) => of.item === item, items.find(({ id }) => id === item)?.amount) }],
      days: [{
        day, amount: sum((of) => of.day === day, today?.amount),
        projects: [{ name: project, amount: sum((of) => of.day === day && of.project === project, today?.projects.find(({ name }) => name === project)?.amount) }],
      }],
    };
  }
}

/** What the provider refused, and what the factory itself ended, is no try: as with every other cap. */
const isTry = ({ ended }: TurnOutcome): boolean => ended.how !== "failed" || (!infraKinds.has(ended.failure.kind) && ended.failure.kind !== "interrupted");
