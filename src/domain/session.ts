import { z } from "zod";
import type { Address } from "./ids.ts";
import { WorkItemId } from "./ids.ts";
import { Stage } from "./stage.ts";
import { StopCause, StopVerdict } from "./stop-policy.ts";

/**
 * What is kept of one session of an agent CLI, and how each event changes it. One function, because two need it: the chart, and whoever reads a
 * record beside mail that no owner has taken yet.
 *
 * I1 A session has one work item and one lane run at most: a second, different one is not taken until the first is unlinked; the same again changes
 * nothing. I2 An event that comes twice counts once. I3 What was acknowledged holds for this session and its present links.
 */

/** The id that the CLI gave its session: hostile text of any form, never part of an address. */
export const CliSessionId = z.string().min(1).max(200);
/** `claude`, `codex`, or what else called. */
export const SessionCli = z.string().regex(/^[a-z][a-z0-9-]{0,29}$/, "a-z, 0-9 and -");
export const SessionKey = z.string().regex(/^[0-9a-f]{32}$/);
export const LaneAddress: z.ZodType<Address> = z.templateLiteral([z.string().regex(/^[a-z-]{1,40}$/), "/", z.string().regex(/^[A-Za-z0-9./-]{1,160}$/)]);

export const sessionAddress = (key: string): Address => `session/${key}`;

export const SessionView = z.object({
  key: SessionKey,
  sessionId: CliSessionId,
  cli: SessionCli,
  cwd: z.string(),
  state: z.enum(["open", "ended"]),
  startedAt: z.number(),
  endedAt: z.number().nullable(),
  item: WorkItemId.nullable(),
  lane: LaneAddress.nullable(),
  /** What was last decided about a stop. */
  verdict: StopVerdict.nullable(),
  /** The last denial; `warned`: a later session was told of it. */
  denied: StopVerdict.nullable(),
  warned: z.boolean(),
  /** The last denials, for the breaker. */
  denials: z.array(z.object({ id: z.string(), at: z.number() })),
  acknowledged: z.object({ reason: z.string(), at: z.number() }).nullable(),
  /** The CLI said that it waits for a person. */
  waiting: z.boolean(),
});
export type SessionView = z.infer<typeof SessionView>;

export const SessionStart = z.object({ key: SessionKey, sessionId: CliSessionId, cli: SessionCli, cwd: z.string(), at: z.number() });
export type SessionStart = z.infer<typeof SessionStart>;

export const SessionChange = z.discriminatedUnion("type", [
  z.object({ type: z.literal("started"), cli: SessionCli, cwd: z.string() }),
  z.object({ type: z.literal("link"), item: WorkItemId.optional(), lane: LaneAddress.optional() }),
  z.object({ type: z.literal("unlink"), item: z.boolean().optional(), lane: z.boolean().optional() }),
  z.object({ type: z.literal("stop.denied"), id: z.string(), verdict: StopVerdict }),
  z.object({ type: z.literal("stop.allowed"), verdict: StopVerdict }),
  z.object({ type: z.literal("acknowledge"), reason: z.string() }),
  z.object({ type: z.literal(["warned", "waits", "end"]) }),
]);
export type SessionChange = z.infer<typeof SessionChange>;

/** Denials that are kept; the breaker may not need more. */
export const mostDenials = 20;

export const sessionStarted = ({ key, sessionId, cli, cwd, at }: SessionStart): SessionView => ({
  key, sessionId, cli, cwd, state: "open", startedAt: at, endedAt: null, item: null, lane: null, verdict: null, denied: null, warned: false, denials: [], acknowledged: null, waiting: false,
});

export const sessionAfter = (session: SessionView, event: SessionChange & { readonly at: number }): SessionView => {
  switch (event.type) {
    case "started": return { ...session, cli: event.cli, cwd: event.cwd, state: "open", endedAt: null, waiting: false };
    case "link": return { ...session, item: session.item ?? event.item ?? null, lane: session.lane ?? event.lane ?? null };
    case "unlink": {
      const item = event.item === true ? null : session.item, lane = event.lane === true ? null : session.lane;
      return { ...session, item, lane, acknowledged: item === session.item && lane === session.lane ? session.acknowledged : null };
    }
    case "stop.denied":
      if (session.denials.some(({ id }) => id === event.id)) return session;
      return { ...session, verdict: event.verdict, denied: event.verdict, warned: false, waiting: false, denials: [...session.denials, { id: event.id, at: event.verdict.at }].slice(-mostDenials) };
    case "stop.allowed": return { ...session, verdict: event.verdict, waiting: false };
    case "acknowledge": return { ...session, acknowledged: session.acknowledged ?? { reason: event.reason, at: event.at } };
    case "warned": return { ...session, warned: true };
    case "waits": return { ...session, waiting: true };
    case "end": return { ...session, state: "ended", endedAt: session.endedAt ?? event.at, waiting: false };
  }
};

/** How many stops of it were denied since then. */
export const denialsSince = (session: Pick<SessionView, "denials">, since: number): number => session.denials.filter(({ at }) => at > since).length;

/** A try to stop, as a hook or a tool tells it. */
export const StopAttempt = z.strictObject({
  /** Empty: the CLI named none. */
  sessionId: z.string().max(200),
  cli: SessionCli,
  cwd: z.string().max(4_096),
  cause: StopCause,
  asksHuman: z.boolean(),
  /** A turn that the factory itself runs. */
  run: z.strictObject({ item: WorkItemId, stage: Stage, changed: z.boolean() }).nullable(),
});
export type StopAttempt = z.infer<typeof StopAttempt>;

const about = { sessionId: CliSessionId };
export const SessionCommand = z.discriminatedUnion("type", [
  /** A session begins or is resumed; what it works on may come at once. */
  z.strictObject({ type: z.literal("start"), ...about, cli: SessionCli, cwd: z.string().max(4_096), item: WorkItemId.optional(), lane: LaneAddress.optional() }),
  z.strictObject({ type: z.literal("end"), ...about }),
  z.strictObject({ type: z.literal("link"), ...about, item: WorkItemId.optional(), lane: LaneAddress.optional() }),
  z.strictObject({ type: z.literal("unlink"), ...about, item: z.boolean().optional(), lane: z.boolean().optional() }),
  /** Silences the stop policy for this session, with a reason. */
  z.strictObject({ type: z.literal("acknowledge"), ...about, reason: z.string().min(1).max(2_000) }),
  /** The CLI waits for a person. */
  z.strictObject({ type: z.literal("waits"), ...about }),
]);
export type SessionCommand = z.infer<typeof SessionCommand>;
