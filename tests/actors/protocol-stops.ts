/**
 * A session's tries to stop, in a simulated life, and what is said of each verdict.
 *
 * I1 Who may hold whom back is known from the journal and from what the session itself did, never from views or records. I2 What only holds while the world
 * stands still is judged only when it did: nothing but the denial itself was written between the question and the answer.
 */
import { Effect } from "effect";
import type { FactoryClient } from "../../src/client/contract.ts";
import { sessionClient } from "../../src/client/sessions.ts";
import { gates } from "../../src/domain/gate.ts";
import type { WorkItemId } from "../../src/domain/ids.ts";
import type { StopCause, StopLimits, StopVerdict } from "../../src/domain/stop-policy.ts";
import { openMemoryReader } from "../../src/store/memory.ts";
import type { Place } from "./protocol-life.ts";
import type { Judge, Truth } from "./protocol-sessions-judge.ts";

export const stopLimits: StopLimits = { enabled: true, denials: 3, withinMs: 60_000 };

/** What happened, to see that something did. */
export type Seen = Record<"stops" | "denials" | "held" | "excused" | "breakers" | "acknowledged", number>;

export interface Session {
  readonly id: string;
  /** Items and runs that it ever asked to be linked to. */
  readonly asked: Set<string>;
  /** What it has begun to drive, and nothing was said since that could have taken the link away. */
  drives: WorkItemId | null;
  /** `maybe`: it is not known whether an acknowledgement still holds. */
  acknowledged: "no" | "yes" | "maybe";
  /** Rises with what may change its links or its acknowledgement. */
  turn: number;
  /** When it was denied, and when it asked at all. */
  readonly denied: number[];
  readonly tries: number[];
  ended: boolean;
}

const recent = (times: readonly number[], at: number): number => times.filter((time) => time > at - stopLimits.withinMs).length;

/** Who is held back by nothing of their own, as the journal has it. */
const excuse = (session: Session, { status, run }: Truth): string | undefined =>
  status === "cancelling" || status === "cancelled" ? "cancelled" : status === "paused" ? "paused" : status === "blocked" || status === "awaitingApproval" ? "a person is waited for"
  : run !== null && run.driver !== session.id ? `${run.driver ?? "the factory"} drives it` : undefined;

/** How a try began. */
interface Asked { readonly cause: StopCause; readonly asks: boolean; readonly before: readonly Truth[]; readonly after: readonly Truth[]; readonly still: boolean; readonly denials: number; readonly tries: number; readonly acknowledged: Session["acknowledged"]; readonly turn: number; readonly drives: WorkItemId | null }

export const stopping = ({ clock, state }: Pick<Place, "clock" | "state">, judge: Judge, seen: Seen) => {
  const now = (): number => clock.now();

  const judged = (session: Session, verdict: StopVerdict, asked: Asked): void => {
    const { cause, asks, before, after, still } = asked, says = `${session.id} stopped (${cause}) at ${verdict.at}: ${verdict.reason.slice(0, 300)}`, { item } = verdict;
    seen.stops++;
    const steady = session.turn === asked.turn;
    if (verdict.decision === "allow") {
      if (verdict.ruleId === "breaker") {
        seen.breakers++;
        if (asked.tries < stopLimits.denials) judge.fault("held", `${says}, after ${asked.tries} tries`);
      }
      if (verdict.ruleId === "acknowledged") seen.acknowledged++;
      if (cause !== "normal" || asks) seen.excused++;
      const own = before.find(({ id }) => id === asked.drives), run = own?.run;
      if (!still || !steady || !own || !run || asks || cause !== "normal" || asked.acknowledged !== "no" || verdict.ruleId === "breaker" || own.status !== "operating" || run.driver !== session.id) return;
      if (["starting", "executing", "fixing", "verifying", "settling"].includes(run.state)) judge.fault("held", `${says}, and drives ${run.address}, which is ${run.state}`);
      return;
    }
    seen.denials++;
    session.denied.push(verdict.at);
    if (before.some(({ run }) => run?.driver === session.id)) seen.held++;
    if (cause !== "normal" || asks || (steady && asked.acknowledged === "yes")) judge.fault("excused", `${says}${asks ? ", a question" : ""}, acknowledged: ${asked.acknowledged}`);
    if (asked.denials >= stopLimits.denials) judge.fault("wayOut", `${says}, after ${asked.denials} denials`);
    if (item === null ? session.asked.size === 0 : !session.asked.has(item)) judge.fault("own", `${says}, and was never linked to ${item ?? "anything"}`);
    const was = before.find(({ id }) => id === item), is = after.find(({ id }) => id === item);
    if (item !== null && was && is) {
      const why = excuse(session, was), whyNow = excuse(session, is);
      if (why !== undefined && whyNow !== undefined) judge.fault(why.endsWith("drives it") ? "own" : "excused", `${says}, although ${why}`);
      const named = verdict.pendingGates.join();
      if (![was, is].some(({ pending }) => gates.filter((gate) => pending.includes(gate)).join() === named) && still) judge.fault("gates", `${says}: named ${named}, pending ${was.pending.join()}`);
    }
    if (item !== null || !still) return;
    // By a run alone: by one of those that it asked for.
    const runs = [...session.asked].flatMap((name) => judge.runs(name)), holds = runs.some(({ state: where, driver }) => (driver === null || driver === session.id) && where !== "cancelling" && where !== "pausing" && where !== "paused");
    if (!holds) judge.fault(runs.some(({ state: where }) => where === "cancelling") ? "excused" : "own", `${says}, although of its runs ${runs.map((run) => `${run.address} is ${run.state}, driven by ${run.driver ?? "the factory"}`).join(", ") || "none is at work"}`);
  };

  const stop = async (session: Session, words: { readonly cause: StopCause; readonly asks: boolean }, by: Pick<FactoryClient, "stopCheck">): Promise<StopVerdict> => {
    const at = now(), size = state.journal.length, waiting = state.lastMail;
    const asked = { ...words, before: judge.items(), denials: recent(session.denied, at), tries: recent(session.tries, at), acknowledged: session.acknowledged, turn: session.turn, drives: session.drives };
    session.tries.push(at);
    const verdict = await by.stopCheck({ sessionId: session.id, cli: "claude", cwd: "/repository", cause: words.cause, asksHuman: words.asks, run: null });
    // Its own denial is one row of mail, or one of the journal.
    const still = state.journal.length <= size + 2 && state.lastMail <= waiting + 2 && now() === at;
    judged(session, verdict, { ...asked, after: judge.items(), still });
    return verdict;
  };

  /** From where things are now, on a copy of the mail, each way out of a denial is tried. */
  const waysOut = async (session: Session): Promise<void> => {
    const fork = () => {
      const copy = { ...state, mail: new Map(state.mail), mailHints: new Set<() => void>() }, there = openMemoryReader(copy);
      return sessionClient({ reader: there, now, stop: stopLimits, deliver: async (to, event) => {
        await Effect.runPromise(there.enqueue(to, JSON.stringify(event), now()));
        return { delivered: "queued" };
      } });
    };
    const tries = async (by: ReturnType<typeof fork>, asksPerson = false): Promise<boolean> => (await by.stopCheck({ sessionId: session.id, cli: "claude", cwd: "/repository", cause: "normal", asksHuman: asksPerson, run: null })).decision === "allow";
    const stubborn = fork();
    let denials = 0;
    while (denials <= stopLimits.denials && !await tries(stubborn)) denials++;
    if (denials > stopLimits.denials) judge.fault("wayOut", `${session.id} was denied ${denials} times more`);
    const honest = fork();
    await honest.session({ type: "acknowledge", sessionId: session.id, reason: "a person said so" });
    if (!await tries(honest)) judge.fault("wayOut", `${session.id} acknowledged, and was denied`);
    if (!await tries(fork(), true)) judge.fault("wayOut", `${session.id} asked a person, and was denied`);
    const free = fork();
    if ((await free.sessions()).some(({ sessionId }) => sessionId === session.id)) await free.session({ type: "unlink", sessionId: session.id, item: true, lane: true });
    if (!await tries(free)) judge.fault("wayOut", `${session.id} was unlinked, and was denied`);
  };

  return { stop, waysOut };
};
