/**
 * Sessions of agent CLIs and the stop policy, over a store: with an owner that takes events at once, or with none, when they wait as mail.
 *
 * I1 What waits as mail counts already: a denial that no owner has taken yet is a denial. I2 A denial that cannot be kept is none: the call rejects,
 * and who asked lets the agent go. I3 A stored denial is told to one later session, and only while what it was about is still missing.
 */
import { createHash, randomUUID } from "node:crypto";
import { Effect } from "effect";
import { pendingGates } from "../domain/gate.ts";
import { type Address, parseAddress } from "../domain/ids.ts";
import { denialsSince, SessionChange, type SessionCommand, sessionAddress, sessionAfter, SessionStart, sessionStarted, SessionView } from "../domain/session.ts";
import { decideStop, denialsOfRun, type StopFacts, type StopItem, type StopLane, type StopLimits, type StopVerdict } from "../domain/stop-policy.ts";
import { isTerminal } from "../domain/work-item.ts";
import type { MailRow, StoreReaderShape, ViewRow } from "../ports/store.ts";
import { ClientProblem, type CommandReceipt, type FactoryClient } from "./contract.ts";
import { stopItem, stopLane, stopRuns } from "./stop-facts.ts";

export interface SessionsOptions {
  readonly reader: Pick<StoreReaderShape, "views" | "mailTo">;
  readonly deliver: (to: Address, event: { readonly type: string } & Readonly<Record<string, unknown>>) => Promise<CommandReceipt>;
  readonly now: () => number;
  readonly stop: StopLimits;
}

/** Where a session lives: its id is text of the CLI's, of which only a hash goes into an address. */
export const sessionKey = (sessionId: string): string => createHash("sha256").update("enact-factory session ").update(sessionId).digest("hex").slice(0, 32);

export const sessionClient = ({ reader, deliver, now, stop }: SessionsOptions): Pick<FactoryClient, "sessions" | "session" | "stopCheck"> => {
  const all = async (): Promise<ReadonlyMap<string, SessionView>> => {
    // The mail first: what is taken between the two reads counts twice rather than never, and twice is once (domain/session.ts I2).
    const letters = await Effect.runPromise(reader.mailTo("session/"));
    return withMail(await Effect.runPromise(reader.views("session")), letters);
  };
  const itemOf = async (id: NonNullable<SessionView["item"]>): Promise<StopItem | null> => stopItem(await Effect.runPromise(reader.views("item")), id);
  const laneOf = async (session: Pick<SessionView, "item" | "lane" | "sessionId">): Promise<StopFacts["lane"]> => {
    const runs: StopLane[] = [];
    for (const address of stopRuns(session.item === null ? [] : await Effect.runPromise(reader.views("item")), session)) {
      const run = stopLane(await Effect.runPromise(reader.views(address.slice(0, address.indexOf("/")))), address);
      if (run !== null) runs.push(run);
    }
    // Its own before another's, and both before what is over.
    return runs.find(({ ended, session: driver }) => !ended && driver === session.sessionId) ?? runs.find(({ ended }) => !ended) ?? runs[0] ?? null;
  };

  /** Sends changes in order; of a session that is not known its beginning first. */
  const change = async (session: SessionView, isNew: boolean, changes: readonly SessionChange[]): Promise<{ readonly session: SessionView; readonly delivered: CommandReceipt["delivered"] }> => {
    const address = sessionAddress(session.key), at = now();
    let delivered: CommandReceipt["delivered"] = "now";
    const send = async (event: Parameters<typeof deliver>[1]): Promise<void> => { if ((await deliver(address, event)).delivered === "queued") delivered = "queued"; };
    if (isNew) await send({ type: "actor.start", chart: "session", version: 1, input: { key: session.key, sessionId: session.sessionId, cli: session.cli, cwd: session.cwd, at: session.startedAt } });
    for (const each of changes) await send({ ...each });
    return { session: changes.reduce((before, each) => sessionAfter(before, { ...each, at }), session), delivered };
  };

  /** The last denial that a session which begins here should hear of, and whose it was. */
  const warningFor = async (session: SessionView, known: Iterable<SessionView>): Promise<{ readonly of: SessionView; readonly verdict: StopVerdict } | undefined> => {
    const candidates = [...known].filter((each) => each.denied !== null && !each.warned && each.denied.ruleId !== "nothingChanged" && ((each.cwd !== "" && each.cwd === session.cwd) || (session.item !== null && each.denied.item === session.item)));
    for (const of of candidates.toSorted((a, b) => (b.denied?.at ?? 0) - (a.denied?.at ?? 0))) {
      const verdict = of.denied;
      if (verdict !== null && await stillStands(of, verdict)) return { of, verdict };
    }
    return undefined;
  };
  const stillStands = async (session: SessionView, verdict: StopVerdict): Promise<boolean> => {
    if (verdict.ruleId === "laneActive") return (await laneOf(session))?.ended === false;
    const item = verdict.item === null ? null : await itemOf(verdict.item);
    return item !== null && (item.status === "done" || !isTerminal(item.status)) && pendingGates(item.needs, item.gates).length > 0;
  };

  const checkLinks = async (session: SessionView, { item, lane }: { readonly item?: SessionView["item"] | undefined; readonly lane?: Address | undefined }): Promise<void> => {
    const lead = session.lane !== null && parseAddress(session.lane)?.chart === "ultrawork" ? "Ultrawork" : `session ${session.sessionId} is`;
    const refuse = (kept: string): never => { throw new ClientProblem(`${lead} already linked to "${kept}"`, "a session has one work item and one lane run; unlink it first"); };
    if (item !== undefined && item !== null) {
      if (session.item !== null && session.item !== item) refuse(session.item);
      if (session.item === null && await itemOf(item) === null) throw new ClientProblem(`there is no work item ${item}`, "list them with: enact-factory task list");
    }
    if (lane !== undefined && session.lane !== null && session.lane !== lane) refuse(session.lane);
  };

  return {
    sessions: async () => [...(await all()).values()].toSorted((a, b) => b.startedAt - a.startedAt || (a.key < b.key ? -1 : 1)),

    session: async (command) => {
      const known = await all();
      const key = sessionKey(command.sessionId), found = known.get(key);
      if (found === undefined && (command.type === "end" || command.type === "unlink")) throw new ClientProblem(`there is no session ${command.sessionId}`, "list them with: enact-factory session list");
      const begin = command.type === "start" ? { cli: command.cli, cwd: command.cwd } : { cli: "other", cwd: "" };
      const session = found ?? sessionStarted({ key, sessionId: command.sessionId, ...begin, at: now() });
      if (command.type === "start" || command.type === "link") await checkLinks(session, command);
      const done = await change(session, found === undefined, changesOf(command, found !== undefined));
      const warning = command.type === "start" ? await warningFor(done.session, known.values()) : undefined;
      if (warning) await change(warning.of, false, [{ type: "warned" }]);
      return { ...done, warning: warning?.verdict ?? null };
    },

    stopCheck: async (attempt) => {
      const { sessionId, cli, cwd, cause, asksHuman, run } = attempt;
      const at = now(), key = sessionKey(sessionId);
      const found = sessionId === "" ? undefined : (await all()).get(key);
      const item = found?.item == null ? null : await itemOf(found.item);
      const facts: StopFacts = {
        enabled: stop.enabled, attempt: { sessionId, cause, asksHuman }, acknowledged: found?.acknowledged != null,
        denials: found ? denialsSince(found, at - stop.withinMs) : 0, breaker: run === null ? stop.denials : Math.min(stop.denials, denialsOfRun),
        lane: found === undefined ? null : await laneOf(found), item, run: run && { stage: run.stage, changed: run.changed },
      };
      const verdict: StopVerdict = { ...decideStop(facts), item: item?.id ?? run?.item ?? null, at };
      const session = found ?? sessionStarted({ key, sessionId, cli, cwd, at });
      if (verdict.decision === "deny") await change(session, found === undefined, [{ type: "stop.denied", id: randomUUID(), verdict }]);
      else if (found !== undefined && (found.waiting || found.verdict?.decision !== "allow" || found.verdict.ruleId !== verdict.ruleId)) await change(session, false, [{ type: "stop.allowed", verdict }]);
      return verdict;
    },
  };
};

const changesOf = (command: SessionCommand, isKnown: boolean): readonly SessionChange[] => {
  const link = (names: { readonly item?: SessionView["item"] | undefined; readonly lane?: Address | undefined }): readonly SessionChange[] =>
    names.item == null && names.lane === undefined ? [] : [{ type: "link", ...(names.item == null ? {} : { item: names.item }), ...(names.lane === undefined ? {} : { lane: names.lane }) }];
  switch (command.type) {
    case "start": return [...(isKnown ? [{ type: "started" as const, cli: command.cli, cwd: command.cwd }] : []), ...link(command)];
    case "link": return link(command);
    case "unlink": return [{ type: "unlink", ...(command.item === undefined ? {} : { item: command.item }), ...(command.lane === undefined ? {} : { lane: command.lane }) }];
    case "acknowledge": return [{ type: "acknowledge", reason: command.reason }];
    case "waits":
    case "end": return [{ type: command.type }];
  }
};

/** The records as they will be once an owner has taken the mail. What is no event of ours is left to the owner, who keeps it as a dead letter. */
const withMail = (rows: readonly ViewRow[], letters: readonly MailRow[]): ReadonlyMap<string, SessionView> => {
  const sessions = new Map<string, SessionView>();
  for (const { view } of rows) {
    const parsed = SessionView.safeParse(JSON.parse(view));
    if (parsed.success) sessions.set(parsed.data.key, parsed.data);
  }
  for (const { to, event, at } of letters) {
    const key = to.slice(to.indexOf("/") + 1), value: unknown = JSON.parse(event), known = sessions.get(key);
    if (known === undefined) {
      const start = typeof value === "object" && value !== null && "input" in value ? SessionStart.safeParse(value.input) : undefined;
      if (start?.success === true) sessions.set(key, sessionStarted(start.data));
      continue;
    }
    const changed = SessionChange.safeParse(value);
    if (changed.success) sessions.set(key, sessionAfter(known, { ...changed.data, at }));
  }
  return sessions;
};
