/**
 * One simulated life of a factory: the real host and scheduler over the store in memory, and a world that answers as a tape says.
 *
 * Owns: the world (results, runs, what was published), which survives every crash of the owner as agents and git do.
 * I1 Everything that happens is drawn from the tape; an empty tape draws what goes well, so every life ends.
 * I2 An effect's result is decided once and told again for the same key: ports are idempotent by key.
 */
import { Effect, Exit, Scope } from "effect";
import type { EventObject } from "xstate";
import { DurableHost } from "../../actors/durable-host.ts";
import { Scheduler } from "../../actors/scheduler.ts";
import { policy } from "../../machines/exploration/fixtures.ts";
import { catalog } from "../../machines/index.ts";
import { intakeAddress } from "../../machines/intake.ts";
import { ledgerKeeps, spendAddress } from "../../machines/spend.ts";
import { EffectRequest, type TurnEffect } from "../../src/domain/effects.ts";
import { itemAddress, type Address, memberAddress, parseAddress, pipelineAddress, progressAddress, teamAddress } from "../../src/domain/ids.ts";
import type { Board } from "../../src/domain/board.ts";
import type { OperatorLane } from "../../src/domain/lane.ts";
import type { Policy } from "../../src/domain/policy.ts";
import type { TeamSpec } from "../../src/domain/team.ts";
import { WorkItemView } from "../../src/domain/view.ts";
import { isTerminal } from "../../src/domain/work-item.ts";
import { type OutboxRow, StoreFull, StoreUnavailable } from "../../src/ports/store.ts";
import { type MemoryState, memoryState, type MemoryStore, openMemoryOwner } from "../../src/store/memory.ts";
import { settled, SimulatedClock } from "../support/clock.ts";
import { cancelledTurn, resultOf } from "./protocol-world.ts";

export interface Plan { readonly lane: OperatorLane; readonly claim: boolean; readonly policy: Partial<Policy>; /** What the item says; empty when absent. */ readonly body?: string; /** Of an epic. */ readonly spans?: readonly string[]; /** Of lane `team`. */ readonly team?: TeamSpec }
export interface Life { readonly items: readonly Plan[]; readonly tape: readonly number[] }

export interface Lived {
  readonly state: MemoryState;
  readonly views: readonly WorkItemView[];
  /** Outbox keys under which each item's results went out. */
  readonly published: ReadonlyMap<string, ReadonlySet<string>>;
  /** Promises broken where only the world sees it. */
  readonly faults: readonly string[];
  /** What the last owner believes of each actor, as saved text. */
  readonly believed: ReadonlyMap<Address, string>;
  readonly crashes: number;
  /** Which turns have heard a message, by its id: the agents' own truth. */
  readonly heard: ReadonlyMap<string, ReadonlySet<string>>;
}

const turnIn = (row: OutboxRow): TurnEffect => {
  const request = EffectRequest.parse(JSON.parse(row.payload));
  if (request.kind !== "turn") throw new Error(`${row.key} is no turn`);
  return request;
};

const heardIn = (result: EventObject & { readonly outcome?: unknown }): readonly string[] => {
  const { outcome } = result;
  return typeof outcome === "object" && outcome !== null && "heard" in outcome && Array.isArray(outcome.heard) ? outcome.heard.map(String) : [];
};

type Message = EventObject & Readonly<Record<string, unknown>>;

/** What others than the owner find in a life. */
export interface Place {
  readonly clock: SimulatedClock;
  readonly state: MemoryState;
  /** The next number of the tape. */
  readonly draw: () => number;
  /** To the present owner: resolves when it is durable and nothing of it is left to do, rejects when that owner has gone. */
  readonly deliver: (to: Address, event: Message) => Promise<void>;
  /** The present owner looks into its mail. */
  readonly takeMail: () => void;
  /** Whatever the present owner has begun is over. */
  readonly rest: () => Promise<void>;
  /** The source has an item of the life once more, in a lane that may be another. */
  readonly offerAgain: (n: number, lane: OperatorLane) => void;
  /** Items that anybody has asked to cancel, as far as the world knows. */
  readonly cancelled: Set<string>;
}

/** Others who live beside the owner and outlive each of them. */
export interface Guests {
  /** Does something of its own; what takes long is still under way when it returns. */
  readonly act: () => void;
  /** Nothing of theirs is under way but what waits for others. */
  readonly quiet: () => Promise<void>;
  /** Nothing else happens any more: goes on with what is theirs; false when there is nothing. */
  readonly goOn: () => Promise<boolean>;
  readonly faults: readonly string[];
}

interface Owner { readonly host: DurableHost; readonly store: MemoryStore; readonly scope: Scope.Closeable; gone: boolean }

/** What a person does about an item that waits for one. */
const help: Readonly<Record<string, Message>> = { awaitingApproval: { type: "approve" }, review: { type: "approve" }, paused: { type: "resume" }, ready: { type: "claim", explicit: true } };

const offerOf = (plan: Plan, n: number): Message => ({
  type: "offer", claim: plan.claim, policy: { ...policy, ...plan.policy },
  item: { source: "local", sourceId: `${n}.md`, title: `item ${n}`, body: plan.body ?? "", kind: "bug", priority: 3, createdAt: n, project: "demo", repository: "/repository", operatorLane: plan.lane, ...(plan.spans === undefined ? {} : { spans: plan.spans }), ...(plan.team === undefined ? {} : { team: plan.team }) },
});

/** More steps than any life of a few items needs. */
const stepLimit = 4_000;

export const live = async (life: Life, invite?: (place: Place) => Guests): Promise<Lived> => {
  const clock = new SimulatedClock(1_000_000), state = memoryState();
  const faults: string[] = [], published = new Map<string, Set<string>>();
  /** Which turns have heard a message: the agents' own truth. */
  const heard = new Map<string, Set<string>>();
  /** Messages that a running turn has taken. */
  const live = new Map<string, readonly string[]>();
  const said: { readonly to: Address; readonly id: string }[] = [];
  const results = new Map<string, EventObject>(), told: { readonly row: OutboxRow; readonly event: EventObject }[] = [];
  /** Rows that the present owner was given and has not answered. */
  const open = new Map<string, OutboxRow>();
  const views = new Map<Address, WorkItemView>(), cancelled = new Set<string>();
  const fenced: Owner[] = [];
  let drawn = 0, crashes = 0;
  const draw = (): number => life.tape[drawn++] ?? 0;
  const pause = () => Effect.promise(async () => { for (let hops = draw() % 4; hops > 0; hops--) await Promise.resolve(); });
  const exhausted = (): boolean => drawn >= life.tape.length;
  const itemOf = (row: OutboxRow): string => parseAddress(row.actor)?.item ?? "?";

  /** An item's pipeline has one turn at a time, each member of a team too. */
  const workerOf = (row: OutboxRow): string => (parseAddress(row.actor)?.chart === "member" ? row.actor : itemOf(row));

  const given = (row: OutboxRow): void => {
    if (row.kind === "turn" && !results.has(row.key))
      for (const other of open.values()) if (other.kind === "turn" && other.key !== row.key && !results.has(other.key) && workerOf(other) === workerOf(row)) faults.push(`two live turns of ${itemOf(row)}: ${other.key} and ${row.key}`);
    open.set(row.key, row);
  };

  const start = async (takeOver: boolean): Promise<Owner> => {
    const scope = Scope.makeUnsafe();
    const opened = await Effect.runPromise(Scope.provide(openMemoryOwner(state, takeOver), scope));
    // A database answers later than memory does: things arrive in the meantime.
    const store: MemoryStore = {
      ...opened,
      load: (actor) => Effect.andThen(pause(), opened.load(actor)),
      mail: (after) => Effect.flatMap(opened.mail(after), (rows) => Effect.as(pause(), rows)),
      commit: (commits) => Effect.andThen(pause(), Effect.andThen(opened.commit(commits), pause())),
    };
    const scheduler = new Scheduler({ slots: 2, slotsPerProject: 2, claimUnassigned: true, claim: (item) => { send(item, { type: "claim", explicit: false }); } });
    const host = new DurableHost({
      store, clock, catalog, residents: 3,
      onEffect: (row) => { if (!owner.gone) given(row); },
      observer: {
        committed: ({ actor, chart, view }) => {
          if (owner.gone || chart !== "work-item" || view === undefined) return;
          const item = WorkItemView.parse(view);
          views.set(actor, item);
          scheduler.note(actor, item);
        },
      },
    });
    const owner: Owner = { host, store, scope, gone: false };
    const send = (to: Address, event: Message): void => { host.send(to, event).catch(() => undefined); };
    for (const row of await Effect.runPromise(store.views("item"))) {
      const item = WorkItemView.parse(JSON.parse(row.view));
      views.set(row.actor, item);
      scheduler.note(row.actor, item);
    }
    await host.recover();
    scheduler.start();
    return owner;
  };

  /** Nothing is under way in the owner; a refused commit is waited out. */
  const quiet = async (): Promise<void> => {
    for (let n = 0; n < 100; n++) {
      let idle = false;
      owner.host.idle().then(() => { idle = true; }, (error: unknown) => { idle = true; faults.push(`the host broke: ${String(error)}`); });
      await settled();
      if (idle) return;
      clock.advanceTo(clock.next ?? clock.now());
    }
    faults.push("the host never came to rest");
  };

  const crash = async (hard: boolean): Promise<void> => {
    crashes++;
    const before = owner;
    before.gone = true;
    if (!hard) {
      await before.host.stop();
      await Effect.runPromise(Scope.close(before.scope, Exit.void));
    }
    open.clear();
    owner = await start(hard);
    if (hard) {
      // The old owner wakes up, thaws and finds itself fenced.
      before.host.send(intakeAddress, { type: "nothing" }).then(() => faults.push("a fenced owner wrote"), () => undefined);
      fenced.push(before);
    }
  };

  const tell = (to: Address, event: Message): void => { owner.host.send(to, event).catch(() => undefined); };
  const cancel = (item: Address): Message => {
    cancelled.add(parseAddress(item)?.item ?? "");
    return { type: "cancel" };
  };

  const conclude = (row: OutboxRow, result: EventObject & Readonly<Record<string, unknown>>): EventObject => {
    results.set(row.key, result);
    if (row.kind === "turn") for (const id of heardIn(result)) heard.set(id, (heard.get(id) ?? new Set()).add(row.key));
    return result;
  };

  const decide = (row: OutboxRow): EventObject => {
    const before = results.get(row.key);
    if (before) return before;
    const request = EffectRequest.parse(JSON.parse(row.payload));
    const result = resultOf(request, row.key, draw(), results.size, clock.now(), live.get(row.key) ?? []);
    if (result.type === "published") published.set(itemOf(row), (published.get(itemOf(row)) ?? new Set()).add(row.key));
    return conclude(row, result);
  };

  /** The open turn that a row is about. */
  const turnOf = (row: OutboxRow, tryNumber: number | undefined): OutboxRow | undefined =>
    [...open.values()].find((each) => each.kind === "turn" && each.actor === row.actor && (tryNumber === undefined || turnIn(each).tryNumber === tryNumber));

  /** True: the agent takes it now, or took it before. Undefined: its turn ends first. */
  const say = (row: OutboxRow): true | undefined => {
    const request = EffectRequest.parse(JSON.parse(row.payload));
    if (request.kind !== "turn.message") return undefined;
    const turn = turnOf(row, request.tryNumber), took = turn && (live.get(turn.key) ?? []);
    if (!turn || !took) return undefined;
    if (took.includes(request.id)) return true;
    if (results.has(turn.key) || draw() >= 60) return undefined;
    live.set(turn.key, [...took, request.id]);
    heard.set(request.id, (heard.get(request.id) ?? new Set()).add(turn.key));
    return true;
  };

  const deliver = (row: OutboxRow): void => {
    if (row.kind === "turn.cancel") {
      const request = EffectRequest.parse(JSON.parse(row.payload)), turn = turnOf(row, request.kind === "turn.cancel" ? request.tryNumber : undefined);
      if (turn && !results.has(turn.key)) conclude(turn, cancelledTurn(turn.key, [...(draw() % 4 === 3 ? [] : turnIn(turn).brief.messages.map(({ id }) => id)), ...(live.get(turn.key) ?? [])]));
      // As the effect runner does: answered once what it ended is journaled.
      if (turn) return deliver(turn);
    }
    if (row.kind === "turn.message" && !results.has(row.key)) {
      const request = EffectRequest.parse(JSON.parse(row.payload)), turn = turnOf(row, request.kind === "turn.message" ? request.tryNumber : undefined);
      if (say(row)) conclude(row, { type: "turn.message.sent", id: request.kind === "turn.message" ? request.id : "", delivered: true });
      // Answered when its turn is over, or never by this owner.
      else if (turn) return deliver(turn);
    }
    // Now and then the news comes ahead of the result.
    if (row.kind === "turn" && !results.has(row.key) && draw() % 5 === 4) {
      const ids = turnIn(row).brief.messages.map(({ id }) => id);
      if (ids.length > 0) {
        live.set(row.key, [...new Set([...(live.get(row.key) ?? []), ...ids])]);
        for (const id of ids) heard.set(id, (heard.get(id) ?? new Set()).add(row.key));
        return tell(row.actor, { type: "turn.heard", ids });
      }
    }
    const event = decide(row), to = owner;
    to.host.send(row.actor, event, { row: "outbox", key: row.key }).then(() => { if (!to.gone) open.delete(row.key); }, () => undefined);
    told.push({ row, event });
  };

  const pick = <T>(list: readonly T[]): T | undefined => list[draw() % Math.max(1, list.length)];
  const items = (where: (view: WorkItemView) => boolean): readonly Address[] => [...views].filter(([, view]) => where(view)).map(([address]) => address);

  /** People, and what members said before, once more or much later: an echo carries the numbers it had. */
  const disturbTeam = async (team: Address, { id, attempt, lineage, status }: WorkItemView): Promise<void> => {
    const member = pick(["leader", "worker-1", "worker-2", "worker-3"]) ?? "leader", address = memberAddress(id, attempt, member);
    const found = await owner.host.state(team).catch(() => undefined);
    const { board }: { readonly board: Board } = found?.state.context ?? { board: { tasks: [] } };
    // Of the past, as an echo is: nobody forges what was not said yet.
    const known = pick(board.tasks), task = known?.id ?? 1, token = known?.fence ?? 1;
    const echo = pick<Message>([
      { type: "member.ready", member }, { type: "member.renew", member, task, token }, { type: "member.declined", member, task, token: token - 1 },
      { type: "member.evidence", member, task, token: token - 1, commit: "stale", checks: "1/1 → 1/1", summary: "stale" }, { type: "member.failed", member, task, token: token - 1, reason: "stale" }, { type: "member.answered", member: "leader", token: 0, plan: null, criteria: null, verdict: { decision: "approve", feedback: "", findings: [] }, text: "stale" },
      { type: "member.turn", member, turns: 0, costUsd: 0, well: true, mail: [], messages: [] },
    ]);
    const said = pick<Message>([{ type: "member.settled", task, token: token - 1 }, { type: "member.revoked", task, token: token - 1 }, { type: "member.life", task, token }, { type: "turn.alive" }]);
    switch (draw() % 12) {
      case 10: case 11: return tell(itemAddress(id, lineage), { type: status === "paused" && draw() % 3 > 0 ? "resume" : "pause" });
      case 0: return tell(team, { type: "team.message", to: pick(["all", member, "nobody"]) ?? "all", text: "use tabs", id: `m${draw() % 5}` });
      case 1: return tell(team, { type: "team.remove", member });
      case 2: return tell(team, { type: "team.add", adapter: null });
      case 3: return tell(team, { type: "team.shutdown", force: draw() % 3 === 0 });
      case 4: case 5: if (said && state.actors.has(address)) tell(address, said); return;
      default: if (echo) tell(team, echo);
    }
  };

  const disturb = async (what: number): Promise<void> => {
    const anyone = pick(items(() => true));
    const one = anyone ? views.get(anyone) : undefined;
    if (what < 2) return crash(false);
    if (what < 4) return crash(true);
    if (what < 5) return owner.store.failNext(draw() % 2 === 0 ? new StoreFull({ message: "no room" }) : new StoreUnavailable({ message: "gone for a moment" }));
    if (!anyone || !one) return;
    if (what < 6) return tell(anyone, cancel(anyone));
    if (what < 12) {
      const waiting = pick(items((view) => !isTerminal(view.status) && atRest(view))), view = waiting && views.get(waiting);
      if (view) tell(waiting, help[view.status] ?? (view.question ? { type: "answer", text: "the first" } : { type: "retry" }));
      return;
    }
    if (what < 16) {
      // As another process would: by mail in the store.
      const type = pick(["answer", "approve", "retry", "resume", "answer", "approve", "retry", "cancel"]) ?? "retry";
      await Effect.runPromise(Effect.result(owner.store.enqueue(anyone, JSON.stringify({ ...(type === "cancel" ? cancel(anyone) : { type }), text: "the first" }), clock.now())));
      return void owner.host.takeMail().catch(() => undefined);
    }
    if (what < 17) return tell(anyone, { type: pick(["pause", "resume", "retry"]) ?? "retry" });
    if (what < 18) return tell(anyone, { type: "lane", lane: draw() % 2 === 0 ? "manual" : "none" });
    if (what < 20) return tell(anyone, { type: "pipeline.ended", attempt: one.attempt - 1, outcome: "done", failure: null, reason: "", workspace: null, head: "stale", iterations: 1, checks: null, summary: "stale", warnings: [], costUsd: 0 });
    if (state.actors.has(teamAddress(one.id, one.attempt))) return disturbTeam(teamAddress(one.id, one.attempt), one);
    // Only actors that exist are ever spoken to. In a lane of steps it is one of them, the last or an earlier one.
    const steps = [...state.actors.keys()].filter((address) => address === pipelineAddress(one.id, one.attempt) || address.startsWith(`${pipelineAddress(one.id, one.attempt)}/`));
    const pipeline = draw() % 4 === 0 ? pick(steps) : steps.at(-1), begun = pipeline !== undefined && state.actors.has(progressAddress(one.id, one.attempt));
    if (what < 22 && begun) return tell(pipeline, { type: "stage.ended", stage: "coder", iteration: 99, outcome: "done", failure: null, reason: "", verdict: null, audit: null, text: "stale", undone: [], denials: [], session: { id: null, costUsd: 0 }, costUsd: 0 });
    if (what < 25 && begun) return tell(progressAddress(one.id, one.attempt), { type: "observe", seen: { kind: "tool", repeats: draw() % 6 } });
    if (what >= 25 && what < 30 && steps.some((address) => address.includes("/leg"))) return tell(anyone, { type: one.status === "paused" && draw() % 2 === 0 ? "resume" : "pause" });
    if (what >= 30 && begun) {
      const to = pipeline, again = draw() % 4 === 3 ? pick(said.filter((each) => each.to === to)) : undefined;
      const message: Message = { type: "message", id: again?.id ?? `m${said.length}`, text: `word ${said.length}`, to: pick([null, null, null, "coder", "critic", "tester"]) ?? null, interrupt: draw() % 2 === 1 };
      said.push({ to, id: String(message["id"]) });
      if (draw() % 2 === 0) return tell(to, message);
      await Effect.runPromise(Effect.result(owner.store.enqueue(to, JSON.stringify(message), clock.now())));
      return void owner.host.takeMail().catch(() => undefined);
    }
    // The same result once more, perhaps much later.
    const again = draw() % 3 === 0 ? pick(told) : told.at(-1 - (draw() % 3));
    if (again) owner.host.send(again.row.actor, again.event, { row: "outbox", key: again.row.key }).catch(() => undefined);
  };

  let owner = await start(false);
  const guests = invite?.({
    clock, state, draw, cancelled,
    deliver: (to, event) => owner.host.sendInTurn(to, event),
    takeMail: () => { owner.host.takeMail().catch(() => undefined); },
    rest: () => quiet(),
    offerAgain: (n, lane) => {
      const plan = life.items[n];
      if (plan) tell(intakeAddress, offerOf({ ...plan, lane }, n));
    },
  });
  tell(intakeAddress, { type: "actor.start", chart: "intake", version: 1, input: {} });
  tell(spendAddress, { type: "actor.start", chart: "spend", version: 1, input: { keep: ledgerKeeps } });
  life.items.forEach((plan, n) => tell(intakeAddress, offerOf(plan, n)));

  // What was offered is durable before anything can be lost: a sender that is not answered asks again.
  await quiet();

  let steps = 0;
  for (; steps < stepLimit; steps++) {
    // Sometimes the next thing happens while the owner is still busy with the one before.
    if (exhausted() || draw() % 4 !== 0) {
      await quiet();
      await guests?.quiet();
    } else for (let hops = draw() % 6; hops > 0; hops--) await Promise.resolve();
    const what = draw();
    if (what >= 80) await disturb(draw() % 44);
    else if (what >= 74 && clock.next !== undefined) clock.advanceTo(clock.next);
    else if (guests && what >= 40) guests.act();
    else {
      const row = pick([...open.values()]);
      if (row && what >= 68) decide(row);
      else if (row) deliver(row);
      else if (exhausted()) {
        await quiet();
        await guests?.quiet();
        if (open.size > 0) continue;
        if (clock.next === undefined) {
          if (guests && await guests.goOn()) continue;
          break;
        }
        clock.advanceTo(clock.next);
      }
    }
  }
  if (steps === stepLimit) faults.push(`not over after ${stepLimit} steps`);
  faults.push(...(guests?.faults ?? []));
  await quiet();
  await owner.host.takeMail();
  await quiet();

  const believed = new Map<Address, string>();
  for (const actor of state.actors.keys()) {
    const found = await owner.host.state(actor);
    if (found) believed.set(actor, JSON.stringify([found.seq, found.state.value, found.state.context]));
  }
  for (const each of [...fenced, owner]) {
    await each.host.stop();
    await Effect.runPromise(Scope.close(each.scope, Exit.void));
  }
  return { state, views: [...views.values()], published, faults, believed, crashes, heard };
};

/** Ended, or waits for a person. */
export const atRest = ({ status, operatorLane }: WorkItemView): boolean => isTerminal(status) || ["awaitingApproval", "review", "blocked", "paused"].includes(status) || (status === "ready" && operatorLane === "manual");
