/** `session …`: sessions of agent CLIs, what they work on, and what was decided about their stops. */
import { randomUUID } from "node:crypto";
import type { FactoryClient, ItemState, SessionView, StopVerdict } from "../../client/contract.ts";
import { relativeTime } from "../../client/explain.ts";
import { oneLine } from "../../client/text/safe-text.ts";
import { isoTime } from "../../client/text/time-text.ts";
import { SessionCommand } from "../../domain/session.ts";
import { type Command, type CommandContext, itemId, printJson, reading } from "../context.ts";
import { CliProblem, exitCode } from "../problem.ts";
import { paint } from "../screen.ts";
import { table } from "../table.ts";

export interface IdOptions { readonly id?: string }

/** The one that is named, by its id or the beginning of it; else the newest open one of this directory. */
const find = (context: CommandContext, sessions: readonly SessionView[], id: string | undefined): SessionView | undefined => {
  if (id === undefined) return sessions.find(({ state, cwd }) => state === "open" && cwd === context.place.directory);
  const exact = sessions.find(({ sessionId }) => sessionId === id), alike = sessions.filter(({ sessionId }) => sessionId.startsWith(id));
  if (exact ?? alike[0] === undefined) return exact;
  if (alike.length > 1) throw new CliProblem(`${alike.length} sessions begin with ${JSON.stringify(id.slice(0, 80))}.`, "Write more of its id; see them with: enact-factory session list");
  return alike[0];
};

const must = (context: CommandContext, sessions: readonly SessionView[], id: string | undefined): SessionView => {
  const found = find(context, sessions, id);
  if (found !== undefined) return found;
  throw new CliProblem(id === undefined ? `No open session is known in ${context.place.directory}.` : `There is no session ${JSON.stringify(id.slice(0, 80))}.`, "See them with: enact-factory session list --all; name one by its id");
};

/** Which lane drives what it works on, and how far that is. */
const workOf = (session: SessionView, item: ItemState | undefined): { readonly lane: string | null; readonly phase: string | null } => ({
  lane: item?.item.operatorLane ?? (session.lane === null ? null : session.lane.slice(0, session.lane.indexOf("/"))),
  phase: item === undefined ? null : item.lane?.phase ?? item.team?.phase ?? (item.item.status === "operating" ? item.pipeline?.stage : undefined) ?? item.item.status,
});

const verdictText = (verdict: StopVerdict, now: number): string => `${verdict.decision === "deny" ? "denied" : "allowed"} ${relativeTime(verdict.at, now)}: ${verdict.reason}`;

const sessionJson = (session: SessionView, item: ItemState | undefined): Readonly<Record<string, unknown>> => {
  const { key: _key, startedAt, endedAt, denials, lane, ...rest } = session;
  return { ...rest, laneRun: lane, ...workOf(session, item), startedAt: isoTime(startedAt), endedAt: endedAt === null ? null : isoTime(endedAt), denials: denials.length };
};

const itemOf = async (client: FactoryClient, session: SessionView): Promise<ItemState | undefined> => (session.item === null ? undefined : client.item(session.item));

export const status: Command<IdOptions> = (context, { id }) =>
  reading(context, async (client) => {
    const sessions = await client.sessions();
    const session = id === undefined ? find(context, sessions, id) : must(context, sessions, id);
    const { out } = context.terminal;
    if (session === undefined) {
      if (context.json) printJson(context, { session: null });
      else out.write(`Session: none. No agent CLI works in ${oneLine(context.place.directory)}${sessions.length === 0 ? "" : `; ${sessions.length} elsewhere or ended: enact-factory session list --all`}.\n`);
      return exitCode.ok;
    }
    const item = await itemOf(client, session);
    if (context.json) {
      printJson(context, { session: sessionJson(session, item) });
      return exitCode.ok;
    }
    const now = context.tools.now(), { lane, phase } = workOf(session, item);
    const rows: readonly (readonly [string, string])[] = [
      ["cli", session.cli], ["directory", session.cwd === "" ? "unknown" : session.cwd], ["item", session.item ?? "none"], ["lane", session.lane === null ? lane ?? "none" : `${lane ?? "none"} (${session.lane})`], ["phase", phase ?? "none"],
      ["stop", session.verdict === null ? "never tried" : verdictText(session.verdict, now)],
      ...(session.acknowledged === null ? [] : [["silenced", `${relativeTime(session.acknowledged.at, now)}: ${session.acknowledged.reason}`] as const]),
      ...(session.waiting ? [["waits", "for a person"] as const] : []),
    ];
    out.write(`${paint(out, "bold", `Session ${oneLine(session.sessionId)}`)} ${session.state}, began ${relativeTime(session.startedAt, now)}\n${rows.map(([name, value]) => `  ${paint(out, "dim", name.padEnd(10))} ${oneLine(value)}\n`).join("")}`);
    return exitCode.ok;
  });

export const list: Command<{ readonly all?: boolean }> = (context, { all }) =>
  reading(context, async (client) => {
    const [every, items] = await Promise.all([client.sessions(), client.items()]);
    const shown = all === true ? every : every.filter(({ state }) => state === "open");
    const itemFor = (session: SessionView): ItemState | undefined => items.find(({ item }) => item.id === session.item);
    if (context.json) {
      printJson(context, { sessions: shown.map((session) => sessionJson(session, itemFor(session))) });
      return exitCode.ok;
    }
    const now = context.tools.now();
    if (shown.length === 0) context.terminal.out.write(`No open sessions${every.length === 0 ? "" : `; ${every.length} ended: enact-factory session list --all`}.\n`);
    else context.terminal.out.write(table(context.terminal.out, ["SESSION", "CLI", "STATE", "ITEM", "LANE", "PHASE", "BEGAN", "STOP"], shown.map((session) => {
      const { lane, phase } = workOf(session, itemFor(session));
      return [session.sessionId, session.cli, session.waiting ? "waits" : session.state, session.item ?? "-", lane ?? "-", phase ?? "-", relativeTime(session.startedAt, now), session.verdict === null ? "-" : verdictText(session.verdict, now)];
    })));
    return exitCode.ok;
  });

/** What a person wrote, before it goes anywhere. */
const checked = (command: SessionCommand): SessionCommand => {
  const { error } = SessionCommand.safeParse(command);
  const [issue] = error?.issues ?? [];
  if (issue !== undefined) throw new CliProblem(`${String(issue.path[0] ?? "it")}: ${issue.message}.`, "See its options with: enact-factory session start --help");
  return command;
};

export interface StartOptions { readonly id?: string; readonly item?: string; readonly cli?: string }

export const start: Command<StartOptions> = (context, { id, item, cli }) =>
  reading(context, async (client) => {
    const { session, delivered, warning } = await client.session(checked({ type: "start", sessionId: id ?? randomUUID(), cli: cli ?? "other", cwd: context.place.directory, ...(item === undefined ? {} : { item: itemId(item) }) }));
    if (context.json) printJson(context, { session: sessionJson(session, await itemOf(client, session)), delivered, warning });
    else {
      context.terminal.out.write(`${session.sessionId}\n`);
      if (warning !== null) context.terminal.err.write(`An earlier session here was denied its stop: ${oneLine(warning.reason)}\n`);
    }
    return exitCode.ok;
  });

const told = (context: CommandContext, session: SessionView, what: string, delivered: string): number => {
  if (context.json) printJson(context, { sessionId: session.sessionId, delivered });
  else context.terminal.out.write(`Session ${oneLine(session.sessionId)}: ${what}${delivered === "now" ? "" : ". Noted; a running factory takes it up at once, and it holds already"}.\n`);
  return exitCode.ok;
};

export const end: Command<IdOptions> = (context, { id }) =>
  reading(context, async (client) => {
    const { session, delivered } = await client.session({ type: "end", sessionId: must(context, await client.sessions(), id).sessionId });
    return told(context, session, "ended", delivered);
  });

export interface LinkOptions extends IdOptions { readonly item: string }

export const link: Command<LinkOptions> = (context, { id, item }) =>
  reading(context, async (client) => {
    const { session, delivered } = await client.session({ type: "link", sessionId: must(context, await client.sessions(), id).sessionId, item: itemId(item) });
    return told(context, session, `works on ${session.item ?? "nothing"}`, delivered);
  });

export const unlink: Command<IdOptions> = (context, { id }) =>
  reading(context, async (client) => {
    const { session, delivered } = await client.session({ type: "unlink", sessionId: must(context, await client.sessions(), id).sessionId, item: true, lane: true });
    return told(context, session, "works on nothing", delivered);
  });

export interface AcknowledgeOptions extends IdOptions { readonly reason: string }

export const acknowledge: Command<AcknowledgeOptions> = (context, { id, reason }) => {
  if (reason.trim() === "") throw new CliProblem("The reason is empty.", 'enact-factory session acknowledge --reason "why it may stop"');
  return reading(context, async (client) => {
    const { session, delivered } = await client.session(checked({ type: "acknowledge", sessionId: must(context, await client.sessions(), id).sessionId, reason }));
    return told(context, session, "may stop now; the reason is kept", delivered);
  });
};
