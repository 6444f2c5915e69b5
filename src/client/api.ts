/**
 * The REST half of the contract, one table: the gateway serves it, the HTTP client calls it, docs/api.md is made of it.
 * Everything live goes over the WebSocket (`live-protocol.ts`).
 *
 * I1 GET changes nothing. I2 Every member of `FactoryClient` is a route here or a subscription of the live protocol.
 * I3 Both sides check what they send and get with the schemas of the route.
 */
import { z } from "zod";
import { type FactoryClient, spendKinds } from "./contract.ts";
import {
  ActorDetail, ActorSummary, AnyAddress, Attachment, Checkpoint, CommandReceipt, Envelope, FactoryDescription, FactoryStatus, ItemCommand, ItemEvidence, ItemState, JournalLine, MessageReceipt, ProcessNode, ProviderState, PushReport,
  SessionCommand, SessionReceipt, SessionView, SpendReport, StopAttempt, StopVerdict, Submission, SyncReport, TeamCommand, TeamState, TerminalState, Undone, WorkChange,
} from "./wire.ts";
import { AdapterName } from "../domain/agent.ts";
import { WorkItemId } from "../domain/ids.ts";
import { TeamName } from "../domain/team.ts";

export interface Route {
  readonly method: "GET" | "POST";
  /** `:name` stands for a parameter. */
  readonly path: string;
  readonly params: z.ZodType;
  /** Values are texts on the wire. */
  readonly query: z.ZodType;
  readonly body: z.ZodType;
  readonly result: z.ZodType;
  /** One sentence. */
  readonly says: string;
  /** Only a running factory can answer; the rest the command line does on the store alone, too. */
  readonly owner: boolean;
  /** 404 means "there is none", which is no failure. */
  readonly mayLack: boolean;
  /** Bytes a body may have. */
  readonly bodyLimit: number;
}

const kilo = 1_024;
/** A page of the journal. */
export const journalPage = 10_000;
const none = z.strictObject({});
const read = { method: "GET", params: none, query: none, body: none, owner: false, mayLack: false, bodyLimit: 0 } as const;
const write = { ...read, method: "POST", bodyLimit: 512 * kilo } as const;

const byId = z.strictObject({ id: WorkItemId });
const byName = z.strictObject({ name: TeamName });
const whole = z.coerce.number().int().nonnegative();

export const routes = {
  describe: { ...read, path: "/api/factory", result: FactoryDescription, says: "Which state directory, configuration and store this is." },
  status: { ...read, path: "/api/status", owner: true, result: FactoryStatus, says: "The owner: pid, slots, terminals, and why nothing more is started just now." },
  stop: { ...write, path: "/api/stop", owner: true, body: z.strictObject({ keepAgents: z.boolean() }), result: none, says: "Ends the factory; its agents end politely, or are left running for the next one. Answers when it has begun to stop." },
  drain: { ...write, path: "/api/pushes/drain", owner: true, body: none, result: PushReport, says: "Tells the sources at once what they are still to be told of their items, one try each; what could not be told is tried again by itself." },
  sync: { ...write, path: "/api/sources/sync", owner: true, body: none, result: z.array(SyncReport), says: "Looks at every source once, now: new items are taken in, what was moved there is told to its item." },
  provider: { ...read, path: "/api/provider", result: ProviderState, says: "The usual adapter, and the one that was chosen in its place." },
  chooseProvider: { ...write, path: "/api/provider", body: z.strictObject({ adapter: AdapterName.nullable() }), result: CommandReceipt, says: "New turns of the usual adapter are this one's from now on; null is the usual one again." },
  tree: { ...read, path: "/api/tree", owner: true, result: z.array(ProcessNode), says: "The supervisor tree." },

  items: { ...read, path: "/api/items", result: z.array(ItemState), says: "All work items, newest lineage each, in order of their ids." },
  item: { ...read, path: "/api/items/:id", params: byId, result: ItemState, mayLack: true, says: "One work item." },
  submit: { ...write, path: "/api/items", body: Submission, result: z.object({ id: WorkItemId }), bodyLimit: 6_144 * kilo, says: "Hands in one piece of work; answers with its id once that is durable. The same sourceId again gives the same id." },
  command: { ...write, path: "/api/items/:id/commands", params: byId, body: ItemCommand, result: CommandReceipt, says: "Sends a command to an item; answers when it is durable. One that makes no sense for the item's state is refused." },
  evidence: { ...read, path: "/api/items/:id/evidence", params: byId, result: ItemEvidence, says: "Effects not yet answered, alarms, dead letters and the last events of one item." },
  checkpoints: { ...read, path: "/api/items/:id/checkpoints", params: byId, result: z.array(Checkpoint), says: "Checkpoints of an item's work, oldest first." },
  restore: { ...write, path: "/api/items/:id/restore", params: byId, body: z.strictObject({ ref: z.string().min(1).max(300), to: z.string().max(4_096).regex(/^\//, "an absolute path") }), result: z.object({ directory: z.string() }), says: "Puts a checkpoint's files into a new directory." },
  diff: { ...read, path: "/api/items/:id/diff", params: byId, result: WorkChange, says: "The change of an item: as its worktree stands while it runs, else base to head of its branch. A patch of more than 4 MiB is cut." },
  undo: { ...write, path: "/api/items/:id/undo", params: byId, body: z.strictObject({ onto: z.string().min(1).max(300).nullable() }), result: Undone, says: "Takes back what an item published: by a commit on a new branch, or by moving its own branch back; a checkpoint holds it before." },
  receipt: { ...write, path: "/api/items/:id/receipt", params: byId, body: none, result: Envelope, says: "The signed receipt of what an item published. Makes the factory's key when there is none." },
  journal: {
    ...read, path: "/api/journal", query: z.strictObject({ id: WorkItemId.optional(), after: whole.optional(), limit: whole.min(1).max(journalPage).optional() }), result: z.array(JournalLine),
    says: `The journal of one item or of everything, in commit order, from the position after \`after\` on; at most ${journalPage} lines, which is also the default.`,
  },

  spend: {
    ...read, path: "/api/spend", query: z.strictObject({ by: z.enum(spendKinds).optional(), since: z.string().max(40).optional(), item: WorkItemId.optional() }), result: SpendReport,
    says: "What agents used: today against the caps, and with `by` rows of the journal since a day (`2026-11-30`, `today`, `7d`; a month when absent), at most 500.",
  },

  teams: { ...read, path: "/api/teams", result: z.array(TeamState), says: "Every team, running ones first, then by name." },
  team: { ...write, path: "/api/teams/:name/commands", params: byName, body: TeamCommand, result: CommandReceipt, says: "Sends a command to a team." },

  sessions: { ...read, path: "/api/sessions", result: z.array(SessionView), says: "Sessions of agent CLIs that this factory knows, newest first." },
  session: { ...write, path: "/api/sessions/commands", body: SessionCommand, result: SessionReceipt, says: "Tells something about a session; one that is not known begins with it. The answer to a start may carry the denied stop of an earlier session." },
  stopCheck: { ...write, path: "/api/sessions/stop", body: StopAttempt, result: StopVerdict, says: "May this session stop now? A denial is kept with the session." },

  terminals: { ...read, path: "/api/terminals", result: z.array(TerminalState), says: "Where agents can be watched, also those that have ended." },
  attachment: { ...write, path: "/api/terminals/attachment", owner: true, body: z.strictObject({ address: AnyAddress, write: z.boolean() }), result: Attachment, says: "What to execute to be in the real terminal." },
  message: { ...write, path: "/api/messages", owner: true, body: z.strictObject({ address: AnyAddress, text: z.string().min(1).max(100_000), interrupt: z.boolean() }), result: MessageReceipt, says: "Says something to an agent; with `interrupt` its turn ends and the next one begins with it." },

  actors: { ...read, path: "/api/actors", owner: true, result: z.array(ActorSummary), says: "Every actor that can be inspected." },
  actor: { ...read, path: "/api/actor", owner: true, query: z.strictObject({ address: AnyAddress }), result: ActorDetail, mayLack: true, says: "One actor: its chart, state, context with secrets replaced, last transitions." },
} as const satisfies Partial<Record<keyof FactoryClient, Route>>;

export type Routes = typeof routes;
export type RouteName = keyof Routes;

/** Members of the contract that are no routes; they are subscriptions of the live protocol (I2). */
export type Subscription = Exclude<keyof FactoryClient, RouteName>;
export const subscriptions: Readonly<Record<Subscription, string>> = {
  watch: "subscribe or resume, then events",
  watchTerminal: "watch, then binary frames",
  inspect: "inspect, then inspection",
};

/** Needs no token and says nothing secret: that somebody is here, and a proof that it knows the token without telling it. */
export const health = {
  path: "/api/health",
  query: z.strictObject({ challenge: z.string().regex(/^[0-9a-f]{16,128}$/, "16 to 128 hexadecimal digits").optional() }),
  /** `proof`: HMAC-SHA256 of this prefix and the challenge, with the token as key, hexadecimal. */
  prefix: "health-of-enact-factory:",
  result: z.object({ ok: z.literal(true), proof: z.string().optional() }),
} as const;

/** Where the WebSocket is. */
export const livePath = "/api/live";

/** Where tools over MCP are served. */
export const mcp = { path: "/mcp", bodyLimit: 1_024 * kilo } as const;

/** Every failure's answer. `path`: where in the request, when that is what was wrong. */
export const Failure = z.object({ error: z.object({ message: z.string(), next: z.string(), path: z.string().optional() }) });
export type Failure = z.infer<typeof Failure>;
