/** The data of the contract as schemas: what goes over HTTP and the WebSocket is checked with these on both sides. */
import { z } from "zod";
import { AdapterName } from "../domain/agent.ts";
import { WorkItemId } from "../domain/ids.ts";
import { SessionView } from "../domain/session.ts";
import { StopVerdict } from "../domain/stop-policy.ts";
import { OperatorLane } from "../domain/lane.ts";
import { AdapterLoad } from "../domain/routing.ts";
import { ChannelView } from "../domain/notice.ts";
import { CapState } from "../domain/ledger.ts";
import { Amount, Cost, Day } from "../domain/spend.ts";
import { TeamSpec, TeamView } from "../domain/team.ts";
import { LaneRunView, PipelineView, ProgressView, StageView, WorkItemView } from "../domain/view.ts";
import { WorkItemKind } from "../domain/work-item.ts";
import type * as contract from "./contract.ts";

const at = z.number();
/** Longer texts are a mistake or an attack; the longest field of a work item has a million characters. */
const text = (most: number) => z.string().max(most);
const path = text(4_096).regex(/^\//, "an absolute path");
/** `LOC-3/coder`, `alpha/worker-1`, `stage/LOC-1/1/coder.2`: data for a lookup, never part of a path or a command. */
export const AnyAddress = text(300).min(1);

export const ItemState: z.ZodType<contract.ItemState> = z.object({ item: WorkItemView, pipeline: PipelineView.nullable(), stage: StageView.nullable(), progress: ProgressView.nullable(), team: z.object({ phase: TeamView.shape.phase, done: z.number(), tasks: z.number() }).nullable(), lane: LaneRunView.nullable(), nested: LaneRunView.nullable().default(null), cost: Cost, updatedAt: at });
export const TeamState: z.ZodType<contract.TeamState> = z.object({ team: TeamView, item: WorkItemView.nullable(), cost: Cost, updatedAt: at });

export const FactoryDescription: z.ZodType<contract.FactoryDescription> = z.object({
  role: z.enum(["owner", "client", "offline"]), store: z.string(), stateDirectory: z.string(), configFile: z.string().nullable(), generation: z.number(), sandbox: z.string(),
});

export const FactoryStatus: z.ZodType<contract.FactoryStatus> = z.object({
  pid: z.number(), version: z.string(), startedAt: at, gateway: z.object({ host: z.string(), port: z.number() }).nullable(), automation: z.boolean(),
  slots: z.object({ used: z.number(), of: z.number() }), idle: z.string(),
  terminals: z.object({ backend: z.enum(["tmux", "pty", "none"]), detail: z.string(), panes: z.number() }), description: FactoryDescription, adapters: z.array(AdapterLoad), channels: z.array(ChannelView).default([]),
});

export const ProviderState: z.ZodType<contract.ProviderState> = z.object({ usual: AdapterName, chosen: AdapterName.nullable(), since: z.number() });

export const Submission: z.ZodType<contract.Submission> = z.strictObject({
  title: text(4_000).min(1), body: text(1_000_000), kind: WorkItemKind, priority: z.union([z.literal(1), z.literal(2), z.literal(3), z.literal(4)]),
  repository: path, sourceId: text(500).min(1), lane: OperatorLane, claim: z.boolean(), adapter: AdapterName.optional(), model: text(200).optional(), playbook: path.optional(),
  stages: z.enum(["configured", "coder", "full"]), team: TeamSpec.optional(),
});

export const ItemCommand: z.ZodType<contract.ItemCommand> = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal(["cancel", "retry", "approve", "pause"]) }),
  z.strictObject({ type: z.literal("resume"), session: text(200).min(1).optional() }),
  z.strictObject({ type: z.literal("claim"), session: text(200).min(1).optional(), lane: OperatorLane.optional() }),
  z.strictObject({ type: z.literal("advance"), session: text(200).min(1) }),
  z.strictObject({ type: z.literal("answer"), text: text(100_000).min(1) }),
  z.strictObject({ type: z.literal("reject"), reason: text(100_000) }),
  z.strictObject({ type: z.literal("acknowledgeClose"), reason: text(10_000).min(1) }),
  z.strictObject({ type: z.literal("lane"), lane: OperatorLane }),
]);

export const TeamCommand: z.ZodType<contract.TeamCommand> = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal("message"), to: text(100), text: text(100_000), id: text(200).min(1) }),
  z.strictObject({ type: z.literal("add"), adapter: AdapterName.nullable() }),
  z.strictObject({ type: z.literal("remove"), member: text(100) }),
  z.strictObject({ type: z.literal("shutdown"), force: z.boolean() }),
]);

export const SyncReport: z.ZodType<contract.SyncReport> = z.object({ source: z.string(), taken: z.number(), changed: z.number(), malformed: z.array(z.string()), trouble: z.string().nullable() });
export const PushReport: z.ZodType<contract.PushReport> = z.object({ drained: z.number(), errors: z.array(z.string()) });
export { SessionCommand, SessionView, StopAttempt } from "../domain/session.ts";
export { StopVerdict } from "../domain/stop-policy.ts";
export const CommandReceipt: z.ZodType<contract.CommandReceipt> = z.object({ delivered: z.enum(["now", "queued"]) });
export const SessionReceipt: z.ZodType<contract.SessionReceipt> = z.object({ delivered: z.enum(["now", "queued"]), session: SessionView, warning: StopVerdict.nullable() });
export const MessageReceipt: z.ZodType<contract.MessageReceipt> = z.object({ id: z.string(), state: z.enum(["delivered", "queued", "undelivered"]), detail: z.string() });

export const JournalLine: z.ZodType<contract.JournalLine> = z.object({ position: z.number(), actor: z.string(), seq: z.number(), at, type: z.string(), event: z.record(z.string(), z.unknown()) });
export const ItemEvidence: z.ZodType<contract.ItemEvidence> = z.object({
  effects: z.array(z.object({ key: z.string(), kind: z.string(), attempts: z.number(), at })),
  alarms: z.array(z.object({ actor: z.string(), name: z.string(), at })),
  deadLetters: z.array(z.object({ actor: z.string(), error: z.string(), at })),
  last: z.array(JournalLine),
});

export const SpendReport: z.ZodType<contract.SpendReport> = z.object({
  today: Day, day: Amount, caps: z.array(CapState), since: Day.nullable(), rows: z.array(z.object({ key: z.string(), says: z.string(), amount: Amount, at })), more: z.number(), total: Amount,
});

export const ProcessNode: z.ZodType<contract.ProcessNode> = z.lazy(() => z.object({
  id: z.string(), kind: z.string(), state: z.string(), restarts: z.number(), since: at, lastCrash: z.string().optional(), detail: z.string().optional(), children: z.array(ProcessNode).optional(),
}));

export { Undone, WorkChange } from "../domain/change.ts";
export { Envelope } from "../domain/receipt.ts";
export const Checkpoint = z.object({ ref: z.string(), commit: z.string() });

export const TerminalState: z.ZodType<contract.TerminalState> = z.object({
  address: z.string(), item: WorkItemId, team: z.string().nullable(), seat: z.string(), adapter: z.string(), state: z.enum(["running", "idle", "ended"]), size: z.number(), from: z.number(),
  columns: z.number(), rows: z.number(), lastLine: z.string(), updatedAt: at, pane: z.string().nullable(), attached: z.number(),
});
export const Attachment = z.object({ argv: z.tuple([z.string()], z.string()), env: z.record(z.string(), z.string()) });

const actorSummary = z.object({ address: z.string(), chart: z.string(), kind: z.enum(["durable", "live"]), state: z.string(), seq: z.number() });
export const ActorSummary: z.ZodType<contract.ActorSummary> = actorSummary;
export const ActorDetail: z.ZodType<contract.ActorDetail> = actorSummary.extend({
  definition: z.unknown(), value: z.unknown(), context: z.unknown(), transitions: z.array(z.object({ seq: z.number(), at, event: z.string(), from: z.unknown(), to: z.unknown() })),
});
export const InspectionEvent: z.ZodType<contract.InspectionEvent> = z.looseObject({
  type: z.enum(["@xstate.actor", "@xstate.event", "@xstate.snapshot", "@xstate.microstep"]), sessionId: z.string(), rootId: z.string(), createdAt: z.string(), id: z.string(), _version: z.string(), dropped: z.number().optional(),
});

export const LiveChange: z.ZodType<contract.LiveChange> = z.discriminatedUnion("type", [
  z.object({ type: z.literal("journal"), actor: z.string(), event: z.string(), at }),
  z.object({ type: z.literal("agent"), item: WorkItemId, stage: z.string(), line: z.string() }),
  z.object({ type: z.literal("lost"), reason: z.string() }),
  z.object({ type: z.literal("notice"), level: z.enum(["info", "warning", "error"]), text: z.string() }),
  z.object({ type: z.literal("resync") }),
]);

