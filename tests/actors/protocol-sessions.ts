/**
 * Two agent sessions, one that nobody heard of, and a person beside the owner, in a simulated life. They speak to the factory with what it ships: the tools of
 * its MCP server, its client over an owner and over mail, and the code of its hooks, which reads the store and leaves mail.
 *
 * Owns: what each of them did and was told. I1 What was answered is judged against the journal (protocol-sessions-judge.ts, protocol-stops.ts), never against views. I2 A call
 * may be held before it is delivered or before its answer comes, for as long as the tape says, or die there with its process. I3 With an empty tape
 * everything is answered at once, whoever drives a run goes on with it, a person sees to what waits, and all of them end.
 */
import { Effect } from "effect";
import { HostStopped } from "../../actors/durable-host.ts";
import { policy } from "../../machines/exploration/fixtures.ts";
import { asksHuman, causeOf, HookInput } from "../../src/cli/hook-input.ts";
import { ClientProblem, type FactoryClient } from "../../src/client/contract.ts";
import { offlineLive } from "../../src/client/offline-live.ts";
import { sessionClient, type SessionsOptions } from "../../src/client/sessions.ts";
import { storeClient } from "../../src/client/store-client.ts";
import { type Address, laneAddress, WorkItemId } from "../../src/domain/ids.ts";
import { lanes } from "../../src/domain/lane.ts";
import { isTerminal } from "../../src/domain/work-item.ts";
import { laneTools } from "../../src/mcp/lane-tools.ts";
import { sessionTools } from "../../src/mcp/session-tools.ts";
import type { Tool } from "../../src/mcp/tool.ts";
import { openMemoryReader } from "../../src/store/memory.ts";
import { settled } from "../support/clock.ts";
import { eventOf } from "./protocol-audit.ts";
import type { Guests, Place } from "./protocol-life.ts";
import { Judge, type Truth } from "./protocol-sessions-judge.ts";
import { type Seen, type Session, stopLimits, stopping } from "./protocol-stops.ts";

/** What happened in a life, to see that something did. */
export interface Company extends Guests { readonly seen: Seen & Record<"handovers" | "refused" | "killed", number>; readonly judge: Judge }

/** The process that made a call is gone. */
class Killed extends Error { override readonly name = "Killed"; }

const tools = new Map([...laneTools, ...sessionTools].map((tool): [string, Tool] => [tool.name, tool]));
/** What a CLI says when it is done, mostly, and when a turn of it has failed. */
const done = { hook_event_name: "Stop", last_assistant_message: "It is done." };
const hookWords = [
  done, done, done, done, done, done, done, { hook_event_name: "Stop", last_assistant_message: "Shall I go on?" },
  { hook_event_name: "StopFailure", error: "authentication failed, 401" }, { hook_event_name: "StopFailure", error: "429 rate limit" }, { hook_event_name: "StopFailure", error: "prompt is too long" }, { hook_event_name: "StopFailure", error: "interrupted" },
];

export const company = (place: Place): Company => {
  const { clock, state, draw } = place, judge = new Judge(state, place.cancelled), reader = openMemoryReader(state);
  const seen: Company["seen"] = { stops: 0, denials: 0, held: 0, excused: 0, breakers: 0, acknowledged: 0, handovers: 0, refused: 0, killed: 0 };
  const { stop, waysOut } = stopping(place, judge, seen);
  const sessions = ["session-a", "session-b", "session-c"].map((id): Session => ({ id, asked: new Set(), drives: null, acknowledged: "no", turn: 0, denied: [], tries: [], ended: false }));
  const [a, b] = sessions, stray = sessions[2];
  if (!a || !b || !stray) throw new Error("three sessions");
  const pick = <T>(list: readonly T[]): T | undefined => list[draw() % Math.max(1, list.length)];
  const now = (): number => clock.now();

  /** Calls under way, and those that are held (I2). */
  let underWay = 0;
  const held: { readonly go: () => void; readonly die: () => void }[] = [];
  const hold = (): Promise<void> => (draw() % 6 === 5
    ? new Promise((resolve, reject) => {
        underWay--;
        const leave = (then: () => void) => () => { underWay++; then(); };
        held.push({ go: leave(resolve), die: leave(() => reject(new Killed())) });
      })
    : Promise.resolve());
  const begin = (call: () => Promise<unknown>): void => {
    underWay++;
    call().catch((error: unknown) => {
      if (error instanceof ClientProblem) seen.refused++;
      else if (error instanceof Killed) seen.killed++;
      else if (!(error instanceof HostStopped) && !(typeof error === "object" && error !== null && "_tag" in error)) judge.faults.push(`a call broke: ${error instanceof Error ? error.stack : String(error)}`);
    }).finally(() => { underWay--; });
  };

  const enqueue = (to: Address, event: object): Promise<void> => Effect.runPromise(reader.enqueue(to, JSON.stringify(event), now()));
  /** Denials that were left as mail: the same once more counts once. */
  const left: { readonly to: Address; readonly event: object }[] = [];
  const byMail: SessionsOptions["deliver"] = async (to, event) => {
    await hold();
    await enqueue(to, event);
    if (event.type === "stop.denied") left.push({ to, event });
    if (draw() % 3 !== 2) place.takeMail();
    await hold();
    return { delivered: "queued" };
  };
  const atOwner: SessionsOptions["deliver"] = async (to, event) => {
    await hold();
    await place.deliver(to, event);
    await hold();
    return { delivered: "now" };
  };
  const nothingThere = async (): Promise<never> => { throw new ClientProblem("there is no repository here", ""); };
  const clientOver = (deliver: SessionsOptions["deliver"]): FactoryClient => storeClient({
    reader, deliver, now, stop: stopLimits, today: () => "2026-11-30", policy: () => policy, projectOf: () => "demo", adapters: { usual: "scripted", known: ["scripted"] }, nextChange: settled, watch: () => () => {}, tree: async () => [], checkpoints: async () => [], restore: async () => "", diff: nothingThere, undo: nothingThere, sign: nothingThere, live: offlineLive,
    describe: async () => ({ role: "client", store: "memory", stateDirectory: "/state", configFile: null, generation: state.generation, sandbox: "" }),
  });
  const daemon = clientOver(atOwner), mail = clientOver(byMail), hook = sessionClient({ reader, deliver: byMail, now, stop: stopLimits });
  const call = (name: string, input: object, client: FactoryClient = draw() % 4 === 3 ? mail : daemon): Promise<unknown> => {
    const tool = tools.get(name);
    if (!tool) throw new Error(`there is no tool ${name}`);
    return tool.call(input, { client, skills: { list: async () => [], read: async () => { throw new Error("no skill"); } }, scope: "all", repository: "/repository", now });
  };

  /** What may change a session's links: what was known of them is not, while it is under way, and afterwards only what it says. */
  const linking = async (session: Session, names: readonly string[], change: () => Promise<unknown>): Promise<boolean> => {
    for (const name of names) session.asked.add(name);
    const turn = ++session.turn, before = session.drives;
    session.drives = null;
    try {
      await change();
    } catch (error) {
      // Refused, and nothing else was said meanwhile: it drives what it drove.
      if (error instanceof ClientProblem && session.turn === turn) session.drives = before;
      // What was linked is unlinked again, and an acknowledgement with it.
      if (session.acknowledged === "yes") session.acknowledged = "maybe";
      throw error;
    } finally {
      session.turn++;
    }
    return session.turn === turn + 1;
  };

  const startRun = (session: Session, id: WorkItemId, lane: string, drive: "session" | "factory") => begin(async () => {
    const before = session.drives;
    const certain = await linking(session, [id], () => call(`factory_${lane}_start`, { workItemId: id, sessionId: session.id, ...(lane === "ralph" ? { drive } : {}) }));
    if (certain) session.drives = drive === "session" ? id : before;
  });

  const advance = (session: Session, id: WorkItemId) => begin(async () => {
    const run = judge.item(id)?.run;
    if (run) judge.means(session.id, run.address);
    await call("factory_ralph_advance", { workItemId: id, sessionId: session.id });
  });

  /** By mail of another process, that may be late: the client's own refusals are not all there is. */
  const advanceBlindly = (session: Session, id: WorkItemId) => begin(async () => {
    const run = judge.item(id)?.run;
    if (run === undefined || run === null || run.chart !== "ralph" || run.driver === session.id) return;
    await byMail(run.address, { type: "advance", session: session.id, round: run.round, generation: run.generation });
  });

  const tryToStop = (session: Session): void => {
    const n = draw(), said = HookInput.parse({ session_id: session.id, ...(hookWords[n % hookWords.length] ?? done) });
    const words = n >= 90 ? { cause: n % 2 === 0 ? "cancelled" as const : "aborted" as const, asks: false } : { cause: causeOf(said), asks: asksHuman(said) };
    begin(async () => {
      const { decision } = await stop(session, words, n >= 85 ? mail : n >= 70 ? daemon : hook);
      if (decision === "deny" && draw() % 2 === 1) await waysOut(session);
    });
    // Now and then the CLI has the hook twice.
    if (n % 5 === 0) begin(() => stop(session, words, hook));
  };

  const linkStray = (lane: Address): Promise<unknown> => linking(stray, [lane], async () => {
    if ((await hook.sessions()).some(({ sessionId }) => sessionId === stray.id)) await hook.session({ type: "unlink", sessionId: stray.id, lane: true });
    return hook.session({ type: "start", sessionId: stray.id, cli: "claude", cwd: "/repository", lane });
  });

  const person = (id: WorkItemId, by: FactoryClient) => begin(async () => {
    const type = pick(["retry", "pause", "resume", "retry", "approve", "cancel", "answer", "acknowledgeClose", "lane", "retry", "claim", "reject"] as const);
    switch (type) {
      case "cancel": {
        const run = judge.item(id)?.run;
        place.cancelled.add(id);
        // Somebody who knows the run alone.
        if (run && draw() % 2 === 0) await linkStray(run.address);
        await by.command(id, { type });
        return stop(stray, { cause: "normal", asks: false }, hook);
      }
      case "answer": return by.command(id, { type, text: "the first" });
      case "acknowledgeClose": case "reject": return by.command(id, { type, reason: "as agreed" });
      case "lane": return by.command(id, { type, lane: pick(lanes.filter((lane) => lane !== "team")) ?? "none" });
      case "claim": case "pause": case "resume": case "retry": case "approve": return by.command(id, { type });
      case undefined: return undefined;
    }
  });

  const unlink = (session: Session) => begin(async () => {
    session.acknowledged = session.acknowledged === "no" ? "no" : "maybe";
    await linking(session, [], () => call("factory_ralph_unlink_workitem", { sessionId: session.id }));
  });

  const acknowledge = (session: Session) => begin(async () => {
    const { turn } = session;
    if (session.acknowledged === "no") session.acknowledged = "maybe";
    await call("factory_stop_acknowledge", { sessionId: session.id, reason: "a person said so" });
    session.acknowledged = session.turn === turn ? "yes" : "maybe";
    await stop(session, { cause: "normal", asks: false }, hook);
  });

  /** What was said before, once more: the end of a step, or that a round is done. */
  const sayAgain = (type: "pipeline.ended" | "advance"): void => {
    const said = pick(state.journal.filter(({ actor, event }) => /^(item|ralph|autopilot)\//.test(actor) && event.startsWith(`{"type":"${type}"`)));
    if (said) begin(() => place.deliver(said.actor, { ...eventOf(said.event) }));
  };

  /** What an agent would do that wants to work; false: nothing, just now. */
  const sensibly = (session: Session, all: readonly Truth[]): boolean => {
    const own = all.find(({ run }) => run?.driver === session.id), ready = pick(all.filter(({ status }) => status === "ready"));
    if (own) {
      const working = own.run?.state === "executing" || own.run?.state === "fixing";
      if (working && draw() % 2 === 0) advance(session, own.id);
      else if (working && draw() % 4 === 0) sayAgain("advance");
      else if (own.status === "paused") handOver(pick([session, session === a ? b : a]), own.id);
      else if (draw() % 16 === 15) acknowledge(session);
      else if (draw() % 8 === 7) begin(() => call("factory_ralph_pause", { workItemId: own.id }));
      else tryToStop(session);
      return true;
    }
    const other = all.find(({ run }) => run !== null && run.driver !== null && run.driver !== session.id);
    if (other && draw() % 6 === 5) {
      advanceBlindly(session, other.id);
      return true;
    }
    // It is over, and begins anew with whoever comes first; the session is linked as it was.
    const past = all.find(({ id, status }) => session.asked.has(id) && isTerminal(status));
    if (past && draw() % 4 === 3) {
      begin(async () => {
        await daemon.command(past.id, { type: "retry" });
        await stop(session, { cause: "normal", asks: false }, hook);
      });
      return true;
    }
    // Its run has ended, and the item has not.
    if (all.some(({ id, status }) => session.asked.has(id) && (status === "review" || status === "verifying" || status === "retryAt")) && draw() % 2 === 0) {
      tryToStop(session);
      return true;
    }
    if (!ready) return false;
    if (session.asked.size > 0 && draw() % 2 === 0) unlink(session);
    else startRun(session, ready.id, "ralph", "session");
    return true;
  };

  const handOver = (to: Session | undefined, id: WorkItemId) => begin(async () => {
    const before = to?.drives ?? null;
    if (!to) return call("factory_ralph_resume", { workItemId: id });
    if (await linking(to, [id], () => call("factory_ralph_resume", { workItemId: id, sessionId: to.id }))) to.drives = before ?? id;
    seen.handovers++;
    return undefined;
  });

  const act = (): void => {
    if (held.length > 0 && draw() % 3 !== 0) {
      const [one] = held.splice(draw() % held.length, 1);
      return draw() % 8 === 7 ? one?.die() : one?.go();
    }
    const what = draw(), all = judge.items(), session = draw() % 2 === 0 ? a : b, other = session === a ? b : a;
    const driven = all.filter(({ run }) => run?.driver === session.id), over = all.filter(({ status }) => isTerminal(status));
    // Whoever is linked to what is being cancelled may go, at once.
    if (all.some(({ status }) => status === "cancelling") && draw() % 2 === 0) {
      for (const each of sessions) begin(() => stop(each, { cause: "normal", asks: false }, hook));
      return;
    }
    if (draw() % 3 !== 0 && sensibly(session, all)) return;
    const id = (driven.length > 0 && draw() % 3 !== 0 ? pick(driven) : over.length > 0 && draw() % 3 === 0 ? pick(over) : pick(all))?.id;
    if (id === undefined) return;
    if (what < 12) return startRun(session, id, "ralph", "session");
    if (what < 17) return startRun(session, id, pick(["ralph", "autopilot", "ultrawork"]) ?? "ralph", "factory");
    if (what < 30) return advance(session, id);
    if (what < 34) return advanceBlindly(session, id);
    if (what < 62) return tryToStop(session);
    if (what < 65) return begin(() => stop(stray, { cause: "normal", asks: false }, hook));
    if (what < 68) {
      // Now and then to a run that nobody knows, which nobody need have asked for.
      const run = judge.item(id)?.run, known = run && draw() % 4 !== 0 ? run.address : undefined;
      return begin(() => (known ? linkStray(known) : hook.session({ type: "start", sessionId: stray.id, cli: "claude", cwd: "/repository", lane: laneAddress("ralph", id, 77) })));
    }
    if (what < 69) return acknowledge(session);
    if (what < 72) return begin(() => linking(session, [id], () => call(`factory_${pick(["ralph", "autopilot", "ultrawork"]) ?? "ralph"}_link_workitem`, { workItemId: id, sessionId: session.id })));
    if (what < 75) return unlink(session);
    if (what < 79) return begin(() => call("factory_ralph_pause", { workItemId: id }));
    if (what < 83) return handOver(pick([session, other, other, undefined]), id);
    if (what < 86) return begin(() => hook.session({ type: "start", sessionId: session.id, cli: "claude", cwd: draw() % 3 === 0 ? "/elsewhere" : "/repository" }));
    if (what < 88) return begin(() => hook.session({ type: draw() % 2 === 0 ? "end" : "waits", sessionId: session.id }));
    if (what < 90) return begin(() => {
      const lane = laneAddress(pick(["ralph", "ralph", "autopilot", "ultrawork"]) ?? "ralph", id, 1);
      return linking(session, [lane], () => call("factory_session_start", { sessionId: session.id, cli: "codex", laneRun: lane }));
    });
    if (what < 92) return place.offerAgain(draw() % 2, pick(lanes) ?? "none");
    if (what < 94) {
      if (draw() % 2 === 0) return sayAgain("pipeline.ended");
      const again = pick(left);
      return again && begin(() => enqueue(again.to, again.event));
    }
    return person(id, what % 2 === 0 ? mail : daemon);
  };

  const quiet = async (): Promise<void> => {
    for (let n = 0; underWay > 0; n++) {
      if (n > 200) return void judge.faults.push("a call never came to rest");
      await place.rest();
    }
  };

  /** How often a person has helped an item in a status. */
  const helped = new Map<string, number>();
  const settle = ({ id, status }: Truth): boolean => {
    const key = `${id} ${status}`, times = helped.get(key) ?? 0;
    helped.set(key, times + 1);
    const by = daemon;
    if (times < 2) switch (status) {
      case "awaitingApproval": begin(() => by.command(id, { type: "approve" })); return true;
      case "review": begin(() => by.command(id, { type: "approve" }).catch(() => by.command(id, { type: "acknowledgeClose", reason: "all of it is released" }))); return true;
      case "paused": begin(() => by.command(id, { type: "resume" })); return true;
      case "blocked": begin(() => by.command(id, { type: "retry" }).catch(() => by.command(id, { type: "answer", text: "the first" }))); return true;
      default:
    }
    place.cancelled.add(id);
    begin(() => by.command(id, { type: "cancel" }));
    return true;
  };

  const goOn = async (): Promise<boolean> => {
    if (held.length > 0) {
      for (const one of held.splice(0)) one.go();
      return true;
    }
    if (state.mail.size > 0) {
      place.takeMail();
      return true;
    }
    const all = judge.items();
    for (const { id, run } of all) {
      const driver = sessions.find((session) => session.id === run?.driver);
      if (!driver || (run?.state !== "executing" && run?.state !== "fixing")) continue;
      advance(driver, id);
      return true;
    }
    const open = all.find(({ status }) => !isTerminal(status));
    if (open) return settle(open);
    const known = new Set((await hook.sessions()).map(({ sessionId }) => sessionId)), last = sessions.find((session) => !session.ended && known.has(session.id));
    if (last) {
      last.ended = true;
      begin(() => hook.session({ type: "end", sessionId: last.id }));
      return true;
    }
    clock.advance(stopLimits.withinMs);
    for (const session of sessions) {
      const verdict = await stop(session, { cause: "normal", asks: false }, hook);
      if (verdict.decision === "deny") judge.fault("over", `${session.id}: ${verdict.reason}`);
    }
    for (const cwd of ["/repository", "/elsewhere"]) {
      const { warning } = await hook.session({ type: "start", sessionId: `newcomer in ${cwd}`, cli: "claude", cwd });
      if (warning) judge.fault("over", `a newcomer is told of ${warning.reason}`);
    }
    for (const what of judge.leftovers()) judge.fault("over", what);
    place.takeMail();
    await place.rest();
    return false;
  };

  return { act, quiet, goOn, faults: judge.faults, seen, judge };
};
