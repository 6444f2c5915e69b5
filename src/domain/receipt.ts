/**
 * What a receipt says of a published work item: an in-toto statement, made of the item's journal and of nothing else. Pure.
 *
 * I1 The same journal gives the same bytes, whoever asks and whenever: what came after the publication is not looked at, and nothing else is (no clock, no version
 * of ours). I2 What the journal does not know is null, never a guess. I3 Nothing is stored for a receipt: gates, warnings and the word on closing
 * are the item's own view of its journal.
 */
import { z } from "zod";
import { AdapterName, TurnOutcome } from "./agent.ts";
import { CheckReport, CheckResult } from "./check.ts";
import { Gate, Gates } from "./gate.ts";
import { parseAddress, WorkItemId } from "./ids.ts";
import { OperatorLane } from "./lane.ts";
import { addAmount, Amount, Cost, noAmount, Usage } from "./spend.ts";
import { Stage } from "./stage.ts";
import { StopVerdict } from "./stop-policy.ts";
import { Finding, Verdict } from "./verdict.ts";
import { LedgerEntry, type WorkItemView } from "./view.ts";
import { WorkItem, WorkItemKind, WorkItemSource } from "./work-item.ts";

export const statementType = "https://in-toto.io/Statement/v1";
export const receiptType = "https://enact-factory.dev/receipt/v1";
export const receiptPayload = "application/vnd.in-toto+json";

const Commit = z.string().regex(/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/, "a full commit id");
const Time = z.iso.datetime();

const ReceiptTurn = z.strictObject({
  run: z.string(), attempt: z.number(), stage: Stage.nullable(), member: z.string().nullable(), iteration: z.number().nullable(),
  adapter: z.string(), model: z.string().nullable(),
  /** As the CLI names its version itself; null: it does not. */
  cliVersion: z.string().nullable(),
  /** Stage, language, and the first digits of the SHA-256 of its templates (docs/prompts.md); null: not on record, and the text itself is in no journal to make it up from. */
  prompt: z.string().nullable(),
  ended: z.enum(["completed", "question", "failed", "cancelled"]), failure: z.string().nullable(), endedAt: Time,
  /** null: no process ran. */
  used: z.strictObject({ tokens: Usage, cost: Cost, wallMs: z.number() }).nullable(),
});

const severities = Finding.shape.severity.options;
const FindingCount = z.record(Finding.shape.severity, z.number());
const ReceiptCheck = z.strictObject({ name: z.string(), status: CheckResult.shape.status, exitCode: z.number().nullable(), failures: z.number(), flaky: z.boolean() });
const Who = z.enum(["person", "automation"]);

export const Receipt = z.strictObject({
  item: z.strictObject({ id: WorkItemId, lineage: z.number(), source: WorkItemSource, sourceId: z.string(), title: z.string(), kind: WorkItemKind, lane: OperatorLane, project: z.string() }),
  change: z.strictObject({
    base: Commit, head: Commit, branch: z.string(),
    /** SHA-256 of `git diff-tree -r -z --raw --no-renames --full-index --no-abbrev BASE HEAD`; null: the journal has none for this head. */
    diffSha256: z.string().nullable(),
  }),
  published: z.strictObject({ where: z.string(), at: Time }),
  approvals: z.array(z.strictObject({ what: z.enum(["begin", "publish", "close"]), by: Who, at: Time, reason: z.string().nullable() })),
  needs: z.array(Gate), gates: Gates, closing: z.array(z.strictObject({ at: Time, what: LedgerEntry.shape.what, reason: z.string() })),
  checks: z.strictObject({ sandbox: z.string(), base: z.array(ReceiptCheck), head: z.array(ReceiptCheck), newFailures: z.array(z.string()), fixed: z.array(z.string()) }),
  verdicts: z.array(z.strictObject({ by: z.string(), run: z.string(), attempt: z.number(), iteration: z.number().nullable(), decision: z.enum(["approve", "revise", "reject", "audited"]), findings: FindingCount, at: Time })),
  rules: z.array(z.strictObject({ kind: z.enum(["progress", "stop", "cap"]), rule: z.string(), says: z.string(), at: Time })),
  attempts: z.array(z.strictObject({ attempt: z.number(), outcome: z.string(), failure: z.string().nullable(), reason: z.string(), iterations: z.number(), at: Time })),
  turns: z.array(ReceiptTurn),
  /** Of all turns. `cost` keeps what is unknown beside what is known; `withoutProcess`: turns that used nothing, as none of them ran. */
  total: z.strictObject({ turns: z.number(), withoutProcess: z.number(), tokens: Usage, cost: Cost, wallMs: z.number() }),
  warnings: z.array(z.string()),
});
export type Receipt = z.infer<typeof Receipt>;

export const Statement = z.strictObject({
  _type: z.literal(statementType),
  subject: z.tuple([z.strictObject({ name: z.string(), digest: z.strictObject({ gitCommit: Commit }) })]),
  predicateType: z.literal(receiptType),
  predicate: Receipt,
});
export type Statement = z.infer<typeof Statement>;

const Base64 = z.string().regex(/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/, "base64");

/** DSSE. `publicKey` (SPKI) beside a signature is vouched for by nothing but `keyid`, its SHA-256. */
export const Envelope = z.strictObject({
  payloadType: z.string(), payload: Base64.min(1),
  signatures: z.array(z.strictObject({ keyid: z.string().regex(/^[0-9a-f]{64}$/), sig: Base64.min(1), publicKey: Base64.min(1) })).min(1).max(20),
});
export type Envelope = z.infer<typeof Envelope>;

/** How a receipt stands up to a look. */
export const ReceiptCheckup = z.discriminatedUnion("verified", [
  z.object({ verified: z.literal(true), keyid: z.string(), statement: Statement, /** The repository was looked at, too. */ repository: z.boolean() }),
  z.object({ verified: z.literal(false), why: z.enum(["malformed", "unknownKey", "signature", "commitMissing", "history"]), detail: z.string() }),
]);
export type ReceiptCheckup = z.infer<typeof ReceiptCheckup>;

/** JSON with its members in order: equal values are equal texts. */
export const canonical = (value: unknown): string => {
  if (Array.isArray(value)) return `[${value.map((each) => canonical(each ?? null)).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "null";
  return `{${Object.entries(value).filter(([, each]) => each !== undefined).toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)).map(([name, each]) => `${JSON.stringify(name)}:${canonical(each)}`).join(",")}}`;
};

/** A line of the journal, in commit order. */
export interface ReceiptLine { readonly position: number; readonly actor: string; readonly at: number; readonly type: string; readonly event: Readonly<Record<string, unknown>> }

const time = (at: number): string => new Date(at).toISOString();
const counts = (findings: readonly Finding[]): z.infer<typeof FindingCount> => {
  const count = { info: 0, minor: 0, major: 0, critical: 0 };
  for (const { severity } of findings) count[severity]++;
  return count;
};

const ItemStart = z.object({ input: z.object({ item: WorkItem }) });
const WorkerStart = z.object({ input: z.object({ stage: Stage.optional(), name: z.string().optional(), iteration: z.number().optional(), adapter: AdapterName, model: z.string().nullable().optional() }) });
const End = z.object({ attempt: z.number(), outcome: z.string(), failure: z.string().nullable(), reason: z.string(), iterations: z.number(), head: z.string(), workspace: z.object({ branch: z.string(), base: z.string() }).nullable() });
const Committed = z.object({ head: z.string(), diffHash: z.string() });
const Turn = z.object({ outcome: TurnOutcome });
const Stuck = z.object({ rule: z.string(), says: z.string() });
const Denied = z.object({ verdict: StopVerdict });

/** Charts whose turns are an item's. */
const turnOf = (line: ReceiptLine, starts: ReadonlyMap<string, z.infer<typeof WorkerStart>["input"]>): { readonly turn: z.infer<typeof ReceiptTurn>; readonly outcome: TurnOutcome } | undefined => {
  const { outcome } = Turn.safeParse(line.event).data ?? {}, address = parseAddress(line.actor);
  if (outcome === undefined || address === undefined) return undefined;
  const start = starts.get(line.actor), { spend, ended } = outcome;
  return {
    outcome,
    turn: {
      run: outcome.runId, attempt: address.attempt, stage: spend?.stage ?? start?.stage ?? null, member: spend?.member ?? start?.name ?? null, iteration: start?.iteration ?? null,
      adapter: spend?.adapter ?? outcome.adapter ?? start?.adapter ?? "unknown", model: spend?.model ?? (outcome.adapter === undefined ? start?.model : undefined) ?? null,
      cliVersion: outcome.cliVersion ?? null, prompt: outcome.promptVersion ?? null,
      ended: ended.how, failure: ended.how === "failed" ? ended.failure.kind : null, endedAt: time(line.at),
      used: spend === undefined ? null : { tokens: spend.amount.usage, cost: spend.amount.cost, wallMs: spend.amount.wallMs },
    },
  };
};

const checksOf = (results: readonly CheckResult[]): z.infer<typeof ReceiptCheck>[] => results.map(({ name, status, exitCode, failures, flaky }) => ({ name, status, exitCode, failures: failures.length, flaky }));

/** Of a person there is no name: whoever may command the factory is one. */
const approvalsOf = (own: readonly ReceiptLine[], published: ReceiptLine): Receipt["approvals"] => {
  const begun = own.find(({ type }) => type === "claim")?.position ?? published.position, checked = own.findLast(({ type }) => type === "verify.done")?.position ?? published.position;
  const said = own.flatMap(({ type, position, at, event }): Receipt["approvals"] => {
    if (type === "approve" && (position < begun || position > checked)) return [{ what: position < begun ? "begin" : "publish", by: "person", at: time(at), reason: null }];
    if (type === "acknowledgeClose") return [{ what: "close", by: "person", at: time(at), reason: typeof event["reason"] === "string" ? event["reason"] : null }];
    return [];
  });
  const began = own.find(({ type }) => type === "claim");
  return [
    ...(began === undefined || said.some(({ what }) => what === "begin") ? [] : [{ what: "begin" as const, by: began.event["explicit"] === true ? "person" as const : "automation" as const, at: time(began.at), reason: null }]),
    ...said,
    // Nobody had to be asked: every gate it needs was settled by evidence.
    ...(said.some(({ what }) => what !== "begin") ? [] : [{ what: "publish" as const, by: "automation" as const, at: time(published.at), reason: null }]),
  ];
};

/**
 * The receipt of the publication in this journal, the item's own lines and those of sessions that were denied a stop because of it; `undefined`: nothing was
 * published, or the journal does not tell how. `view`: of the same lineage.
 */
export const receiptOf = (view: WorkItemView, lines: readonly ReceiptLine[]): Statement | undefined => {
  const address = `item/${view.id}/${view.lineage}`;
  const published = lines.find(({ actor, type }) => actor === address && type === "published");
  const where = published?.event["where"];
  if (published === undefined || typeof where !== "string") return undefined;
  const before = lines.filter(({ position }) => position <= published.position);
  const own = before.filter(({ actor }) => actor === address);
  const start = ItemStart.safeParse(own.find(({ type }) => type === "actor.start")?.event).data?.input.item;
  const report = CheckReport.safeParse(own.findLast(({ type }) => type === "verify.done")?.event["report"]).data;
  const ends = own.flatMap(({ type, at, event }) => {
    const end = type === "pipeline.ended" ? End.safeParse(event).data : undefined;
    return end === undefined ? [] : [{ ...end, at }];
  });
  const head = ends.findLast((end) => end.head !== "")?.head, workspace = ends.findLast((end) => end.workspace !== null)?.workspace;
  if (start === undefined || report === undefined || head === undefined || workspace === undefined || workspace === null) return undefined;

  // An item that is begun again counts its attempts on.
  const work = before.filter(({ actor }) => (parseAddress(actor)?.attempt ?? 0) >= view.lineage && parseAddress(actor)?.item === view.id);
  const starts = new Map(work.flatMap(({ actor, type, event }) => {
    const parsed = type === "actor.start" && /^(stage|member)\//.test(actor) ? WorkerStart.safeParse(event).data : undefined;
    return parsed === undefined ? [] : [[actor, parsed.input] as const];
  }));
  const turns = work.flatMap((line) => (line.type === "turn.ended" ? [turnOf(line, starts) ?? []].flat() : []));
  const amount = turns.map(({ outcome }) => outcome.spend?.amount).filter((each): each is Amount => each !== undefined).reduce(addAmount, noAmount);
  const committed = work.flatMap(({ type, event }) => (type === "workspace.committed" ? [Committed.safeParse(event).data ?? []].flat() : [])).findLast((each) => each.head === head);
  const rules = before.flatMap(({ actor, type, at, event }): Receipt["rules"] => {
    const stuck = type === "stuck" ? Stuck.safeParse(event).data : undefined, denied = type === "stop.denied" && actor.startsWith("session/") ? Denied.safeParse(event).data?.verdict : undefined;
    const failure = type === "turn.ended" ? Turn.safeParse(event).data?.outcome.ended : undefined;
    if (stuck !== undefined) return [{ kind: "progress", rule: stuck.rule, says: stuck.says, at: time(at) }];
    if (denied?.item === view.id) return [{ kind: "stop", rule: denied.ruleId, says: denied.reason, at: time(at) }];
    return failure?.how === "failed" && failure.failure.kind === "capReached" ? [{ kind: "cap", rule: `spend.${failure.failure.cap}`, says: failure.failure.message, at: time(at) }] : [];
  });
  const { id, source, sourceId, title, kind, project, repository } = start;
  return Statement.parse({
    _type: statementType,
    subject: [{ name: repository.split("/").findLast((part) => part !== "") ?? project, digest: { gitCommit: head } }],
    predicateType: receiptType,
    predicate: {
      item: { id, lineage: view.lineage, source, sourceId, title, kind, lane: view.operatorLane, project },
      change: { base: workspace.base, head, branch: workspace.branch, diffSha256: committed?.diffHash ?? null },
      published: { where, at: time(published.at) },
      approvals: approvalsOf(own, published),
      needs: view.needs, gates: view.gates, closing: view.ledger.map(({ at, what, reason }) => ({ at: time(at), what, reason })),
      checks: { sandbox: report.sandbox, base: checksOf(report.base.results), head: checksOf(report.head.results), newFailures: report.newFailures, fixed: report.fixed },
      verdicts: turns.flatMap(({ turn: { run, attempt, iteration, stage, member, endedAt: at }, outcome }) => {
        const by = member ?? stage ?? "unknown", verdict = outcome.verdict satisfies Verdict | null;
        return [
          ...(verdict === null ? [] : [{ by, run, attempt, iteration, decision: verdict.decision, findings: counts(verdict.findings), at }]),
          ...(outcome.audit === null ? [] : [{ by, run, attempt, iteration, decision: "audited", findings: counts(outcome.audit.findings), at }]),
        ];
      }),
      rules,
      attempts: ends.map(({ attempt, outcome, failure, reason, iterations, at }) => ({ attempt, outcome, failure, reason, iterations, at: time(at) })),
      turns: turns.map(({ turn }) => turn),
      total: { turns: amount.turns, withoutProcess: turns.filter(({ turn }) => turn.used === null).length, tokens: amount.usage, cost: amount.cost, wallMs: amount.wallMs },
      warnings: view.warnings,
    },
  });
};

/** Of a count of findings, for people: `1 major, 2 minor`; empty: none. */
export const findingsText = (findings: z.infer<typeof FindingCount>): string => severities.toReversed().filter((severity) => (findings[severity] ?? 0) > 0).map((severity) => `${findings[severity]} ${severity}`).join(", ");
