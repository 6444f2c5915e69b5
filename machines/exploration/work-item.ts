import type { AnyMachineSnapshot } from "xstate";
import { type Gate, gates as allGates, type Gates } from "../../src/domain/gate.ts";
import { itemAddress, pipelineAddress, teamAddress } from "../../src/domain/ids.ts";
import { backoffMs, type Policy } from "../../src/domain/policy.ts";
import type { Edge, Exploration } from "../catalog.ts";
import type { PipelineEnded, PipelineGates } from "../pipeline-context.ts";
import type { WorkItemContext, WorkItemEvent, WorkItemInput } from "../work-item-context.ts";
import { id, item, policy, report, workspace } from "./fixtures.ts";
import { alarm, asked, asksNothing, at, ignored, now, same, spawned, stamped, told, when } from "./reading.ts";

const input = (more: Partial<Policy>, operatorLane: WorkItemInput["item"]["operatorLane"] = "none", attempt = 1, about: Partial<WorkItemInput["item"]> = {}): WorkItemInput => ({ item: { ...item, operatorLane, ...about }, attempt, policy: { ...policy, itemFailures: 0, infraRetries: 0, ...more } });

type End = Pick<PipelineEnded, "outcome" | "failure">;
const ends: readonly End[] = [
  { outcome: "done", failure: null }, { outcome: "cancelled", failure: null },
  { outcome: "failed", failure: "work" }, { outcome: "failed", failure: "infra" }, { outcome: "failed", failure: "environment" }, { outcome: "failed", failure: "auth" }, { outcome: "failed", failure: "rejected" },
  { outcome: "exhausted", failure: "cap" }, { outcome: "exhausted", failure: "infra" }, { outcome: "exhausted", failure: "stuck" },
];
/** Enough pipelines for every path within the caps; each is stale for all items that are at another. */
const attempts = [1, 2, 3, 4, 5];
const over = (end: End, attempt: number) => stamped({
  type: "pipeline.ended" as const, attempt, ...end, reason: end.outcome === "done" ? "" : `it ended ${end.outcome}, ${end.failure}`, workspace, head: "head1", iterations: 1, checks: { base: "0/1", head: "1/1" },
  summary: "the summary", warnings: ["a warning"], costUsd: 0.25,
});

const met = (evidence: string) => ({ state: "met" as const, evidence });
/** What a pipeline may have shown: nothing yet, its work, and its work with somebody's approval. */
const shown: readonly Gates[] = [{}, { implementationComplete: met("head1"), testsPassed: met("1/1") }, { implementationComplete: met("head1"), testsPassed: met("1/1"), reviewPassed: met("approved") }];
const gatesTold = (attempt: number): readonly (PipelineGates & { readonly at: number })[] => shown.map((gates) => stamped({ type: "pipeline.gates" as const, attempt, gates }));

const results = [
  ...[1, 2].flatMap(gatesTold), ...[1, 2].map((attempt) => stamped({ type: "pipeline.paused" as const, attempt })),
  ...attempts.flatMap((attempt) => ends.map((end) => over(end, attempt))),
  stamped({ type: "claim", explicit: false }),
  stamped({ type: "verify.done", report: report([]) }),
  stamped({ type: "verify.done", report: report(["test: a"]) }),
  stamped({ type: "published", where: "branch enact/LOC-7" }),
  stamped({ type: "workspace.removed" }),
  stamped({ type: "alarm.retry" }),
  ...(["io", "environment", "defect"] as const).map((klass) => stamped({ type: "effect.failed", kind: "verify" as const, class: klass, message: "it broke", mend: "mend it" })),
] satisfies readonly WorkItemEvent[];

const alphabet: readonly WorkItemEvent[] = [
  ...results,
  stamped({ type: "claim", explicit: true }), stamped({ type: "claim", explicit: true, session: "session-a", lane: "ralph" }), stamped({ type: "approve" }), stamped({ type: "reject", reason: "not wanted" }), stamped({ type: "answer", text: "the first" }),
  stamped({ type: "retry" }), stamped({ type: "pause" }), stamped({ type: "resume" }), stamped({ type: "resume", session: "session-a" }), stamped({ type: "cancel" }), stamped({ type: "lane", lane: "manual" }), stamped({ type: "lane", lane: "none" }), stamped({ type: "lane", lane: "ralph" }),
  stamped({ type: "acknowledgeClose", reason: "all parts are released" }), stamped({ type: "acknowledgeClose", reason: " " }), stamped({ type: "source.refused", message: "it is gone" }),
  stamped({ type: "source.lane", lane: "ralph" }), stamped({ type: "source.lane", lane: "none" }), stamped({ type: "source.state", standing: "open", says: "To Do" }), stamped({ type: "source.state", standing: "held", says: "On Hold" }), stamped({ type: "source.state", standing: "closed", says: "Removed" }),
  stamped({ type: "reconcile", reason: "an event was poisoned" }), stamped({ type: "reconcile", reason: "and another" }), stamped({ type: "pipeline.asks", question: "which one?" }), stamped({ type: "pipeline.asks", question: "and this?" }),
];

const contextOf = (snapshot: AnyMachineSnapshot): WorkItemContext => snapshot.context;
const operatorOf = ({ operator, attempt }: WorkItemContext) => (operator === "team" ? teamAddress(id, attempt) : operator === "ralph" || operator === "autopilot" || operator === "ultrawork" ? `${operator}/${id}/${attempt}` : pipelineAddress(id, attempt));
/** The lane keeps its phase over a pause. */
const pauses = ({ operator }: WorkItemContext): boolean => operator === "ralph" || operator === "autopilot" || operator === "ultrawork" || operator === "team";
const isEvent = (event: { readonly type: string }): event is WorkItemEvent => alphabet.some((each) => each === event);

interface Reading { readonly state: string; readonly from: WorkItemContext; readonly to: WorkItemContext; readonly event: WorkItemEvent | undefined; /** The end of the current pipeline. */ readonly end: PipelineEnded | undefined }
const read = (edge: Edge): Reading => {
  const event = isEvent(edge.event) ? edge.event : undefined, from = contextOf(edge.from);
  return { state: String(edge.from.value), from, to: contextOf(edge.to), event, end: event?.type === "pipeline.ended" && event.attempt === from.attempt && from.running ? event : undefined };
};

/** The pipeline's end decides what becomes of the item: at work, or while its question is open. */
const decides = ({ state, from, end }: Reading): boolean => end !== undefined && (state === "operating" || (state === "blocked" && from.blocked === "needsHuman"));
const isInfra = (end: End): boolean => end.failure === "infra";
const afterPipeline = (from: WorkItemContext, end: End): string => {
  if (end.outcome === "done") return "verifying";
  if (end.outcome === "cancelled") return "cancelled";
  if (end.failure === "stuck") return "blocked";
  if (isInfra(end)) return from.infraFailures < from.policy.infraRetries ? "retryAt" : "exhausted";
  if (end.outcome === "exhausted") return "exhausted";
  if (end.failure === "environment" || end.failure === "auth") return "blocked";
  return end.failure === "work" && from.failures < from.policy.itemFailures ? "retryAt" : "failed";
};

const counts = (r: Reading): { readonly failures: 0 | 1; readonly infra: 0 | 1 } => {
  const { state, event, from, end } = r;
  if (decides(r) && end) {
    const to = afterPipeline(from, end);
    return { failures: to === "failed" || (to === "retryAt" && !isInfra(end)) ? 1 : 0, infra: to === "retryAt" && isInfra(end) ? 1 : 0 };
  }
  if (state === "verifying" && event?.type === "verify.done") return { failures: event.report.newFailures.length > 0 ? 1 : 0, infra: 0 };
  if (state === "verifying" && event?.type === "effect.failed") return { failures: 0, infra: event.class === "io" && from.infraFailures < from.policy.infraRetries ? 1 : 0 };
  return { failures: state === "review" && event?.type === "reject" ? 1 : 0, infra: 0 };
};

const spans = ({ item: { spans: names = [], project } }: WorkItemContext): boolean => names.some((name) => name !== project);
/** Before publishing, and still without evidence. */
const open = ({ policy: { stages, review }, operator, gates }: WorkItemContext): readonly Gate[] => {
  const needs: Gate[] = ["implementationComplete", "testsPassed"];
  if (operator !== "pipeline" || stages.critic || review === "human") needs.push("reviewPassed");
  return needs.filter((gate) => !(gate in gates));
};
/** The gates as they must be after this step. */
const gatesMust = (e: Edge, { state, event, from, to }: Reading): Gates => {
  if (to.attempt > from.attempt) return {};
  switch (event?.type) {
    case "pipeline.gates": return event.attempt === from.attempt && from.running ? event.gates : from.gates;
    case "verify.done": return state === "verifying" && event.report.newFailures.length === 0 ? { ...from.gates, testsPassed: { state: "met", evidence: "before 0/1, at the end 1/1" } } : from.gates;
    case "approve": return state === "review" && !ignored(e) ? { ...from.gates, ...Object.fromEntries(open(from).map((gate) => [gate, { state: "waived", evidence: "a person approved the work without it" }])), reviewPassed: { state: "met", evidence: "approved by a person" } } : from.gates;
    case "acknowledgeClose": return state === "review" && at(e.to, "publishing") ? { ...from.gates, closureEvidence: { state: "met", evidence: `closed by a person: ${event.reason}` } } : from.gates;
    case "published": return state === "publishing" ? { ...from.gates, closureEvidence: from.gates.closureEvidence ?? { state: "met", evidence: event.where } } : from.gates;
    default: return from.gates;
  }
};

/** It is told that, once, and nothing else is asked. */
const tells = (e: Edge, what: string, from: WorkItemContext): boolean => e.actions.length === 1 && told(e, what).every(({ to }) => to === operatorOf(from)) && told(e, what).length === 1;

const hears: Readonly<Record<string, readonly WorkItemEvent["type"][]>> = {
  awaitingApproval: ["approve", "reject", "cancel"], ready: ["claim", "pause", "cancel"], operating: ["pipeline.ended", "pipeline.asks", "pipeline.paused", "pause", "cancel"], verifying: ["verify.done", "effect.failed", "cancel"],
  review: ["approve", "acknowledgeClose", "reject", "cancel"], publishing: ["published", "effect.failed"], tidying: ["workspace.removed", "effect.failed"], retryAt: ["alarm.retry", "retry", "pause", "cancel"], blocked: ["answer", "pipeline.ended", "pipeline.asks", "pipeline.paused", "retry", "cancel"],
  paused: ["pipeline.ended", "resume", "cancel"], cancelling: ["pipeline.ended"],
};

const past = ["implementationComplete", "testsPassed"] as const;
const restored = ({ endedBefore }: WorkItemContext): boolean => endedBefore !== undefined;
/** Its source has closed it, and that counts here. */
const isClosed = (event: WorkItemEvent | undefined): boolean => event?.type === "source.state" && event.standing === "closed";
/** The source names another lane than it did. */
const names = (event: WorkItemEvent | undefined, from: WorkItemContext): boolean => event?.type === "source.lane" && event.lane !== (from.sourceLane ?? from.item.operatorLane);
const isFreed = (event: WorkItemEvent | undefined, from: WorkItemContext): boolean => event?.type === "source.state" && event.standing === "open" && from.held === true;

export const exploration: Exploration = {
  inputs: [
    { name: "two more chances after wrong work", input: input({ itemFailures: 2, infraRetries: 1 }) },
    { name: "two waits for the surroundings, in lane team", input: input({ infraRetries: 2 }, "team") },
    { name: "approval and human review", input: input({ requireApproval: true, review: "human" }) },
    { name: "in lane ultrawork, without a second try", input: input({}, "ultrawork") },
    { name: "manual lane", input: input({ infraRetries: 1, keepWorktree: true }, "manual") },
    { name: "an epic over two projects, reviewed by a person and by nobody else", input: input({ review: "human", stages: { coder: policy.stages.coder } }, "none", 1, { spans: ["demo", "other"] }) },
    { name: "an epic of a command", input: input({ stages: { coder: policy.stages.coder } }, "none", 1, { source: "command", spans: ["other"] }) },
    { name: "lane autopilot, no second chance", input: input({}, "autopilot") },
    ...(["done", "failed", "cancelled", "exhausted"] as const).map((status) => ({ name: `${status} before the state was lost`, input: { ...input({ requireApproval: true }), remembered: { id, status, gates: [...past], ...(status === "done" ? { published: "branch enact/LOC-7" } : {}) } } })),
    { name: "under way before the state was lost", input: { ...input({}, "ralph"), remembered: { id, status: "operating", gates: [...past] } } },
    { name: "a later lineage, one more chance", input: input({ itemFailures: 1, requireApproval: true }, "none", 3) },
  ],
  events: [...alphabet],
  unattended: [...results],
  abstraction: (snapshot) => {
    const c = contextOf(snapshot);
    if (snapshot.status !== "active") return { trouble: c.reason !== "" };
    if (snapshot.matches("cancelling")) return {};
    return {
      lane: c.operatorLane, operator: c.running ? c.operator : null, begun: c.attempt >= c.lineage, running: c.running, worked: c.worked, byCommand: c.byCommand, failures: c.failures, infraFailures: c.infraFailures, retryAt: when(c.retryAt),
      blocked: c.blocked, asks: c.question !== null, held: c.held === true, gates: Object.keys(c.gates).length === 0 ? "none" : !(c.running || c.worked) ? "some" : open(c).length > 0 ? "some" : "enough",
    };
  },
  restStates: ["awaitingApproval", "ready", "review", "blocked", "paused", "done", "failed", "cancelled", "exhausted"],
  states: [
    { name: "I1 failures and infraFailures keep to caps of their own", holds: (s) => contextOf(s).infraFailures <= contextOf(s).policy.infraRetries && contextOf(s).failures <= contextOf(s).policy.itemFailures + (at(s, "failed") ? 1 : 0) },
    { name: "I2 only a head whose last check had no new failures is reviewed, published or done", holds: (s) => restored(contextOf(s)) || !at(s, "review", "publishing", "tidying", "done") || (contextOf(s).failing.length === 0 && same(contextOf(s).checks, { base: "0/1", head: "1/1" }) && contextOf(s).head === "head1") },
    { name: "I14 what had ended before is ended at once, with what its source knows", holds: (s) => !restored(contextOf(s)) || (at(s, "done", "failed", "cancelled", "exhausted") && s.value === contextOf(s).endedBefore && same(Object.keys(contextOf(s).gates), past) && contextOf(s).published === (at(s, "done") ? "branch enact/LOC-7" : "")) },
    { name: "I10 nothing is published without the evidence that it needs", holds: (s) => restored(contextOf(s)) || !at(s, "publishing", "tidying", "done") || (open(contextOf(s)).length === 0 && (!spans(contextOf(s)) || contextOf(s).gates.closureEvidence !== undefined) && (at(s, "publishing") || contextOf(s).gates.closureEvidence !== undefined)) },
    { name: "I4 a pipeline runs only where the item waits for it", holds: (s) => contextOf(s).running === at(s, "operating", "cancelling") || (at(s, "paused") && pauses(contextOf(s))) || (at(s, "blocked") && (!contextOf(s).running || contextOf(s).blocked !== "needsEnvironment")) },
    { name: "I5 every end but done says why; done says where", holds: (s) => (s.status === "active" || at(s, "done") ? true : contextOf(s).reason !== "") && (!at(s, "tidying", "done") || (contextOf(s).published !== "" && contextOf(s).reason === "")) },
    { name: "an item waits for approval only where the policy asks for it", holds: (s) => !at(s, "awaitingApproval") || contextOf(s).policy.requireApproval },
    { name: "a time to retry is set exactly in retryAt", holds: (s) => at(s, "retryAt") === (contextOf(s).retryAt !== null) },
    { name: "blocked says for what, and has its question exactly while a person is asked", holds: (s) => at(s, "blocked") === (contextOf(s).blocked !== null) && (contextOf(s).blocked === "needsHuman") === (contextOf(s).question !== null) && (!at(s, "blocked") || contextOf(s).reason !== "") },
  ],
  first: [asksNothing],
  edges: [
    { name: "I3 automation never claims a manual item; any other claim of a ready one counts", holds: (e) => { const { event, state, from } = read(e); return event?.type !== "claim" || state !== "ready" || (event.explicit || from.operatorLane !== "manual" ? at(e.to, "operating") : ignored(e)); } },
    { name: "I7 I8 done work goes on to its check, an item claimed by a command by itself, others wait to be claimed", holds: (e) => { const { event, state, from } = read(e); return !((state === "retryAt" && (event?.type === "alarm.retry" || event?.type === "retry")) || (state === "paused" && (event?.type === "resume" || isFreed(event, from)))) || at(e.to, from.running ? "operating" : from.worked ? "verifying" : from.byCommand ? "operating" : "ready"); } },
    { name: "I8 done work is repeated only when the last check found it wrong", holds: (e) => { const { event, from, to, state, end } = read(e); return e.from.status !== "active" || to.worked === (end && to.iterations > from.iterations ? end.outcome === "done" : event?.type === "verify.done" && state === "verifying" && event.report.newFailures.length > 0 ? false : at(e.to, "operating") && to.attempt > from.attempt ? false : from.worked); } },
    { name: "I3 who claimed is remembered until the lane changes hands", holds: (e) => { const { event, from, to, state } = read(e); return e.from.status !== "active" || to.byCommand === (event?.type === "lane" || names(event, from) ? false : event?.type === "claim" && state === "ready" && at(e.to, "operating") ? event.explicit : from.byCommand); } },
    { name: "the lane is set by its event, or by a claim that names one", holds: (e) => { const { event, from, to } = read(e), lane = (event?.type === "lane" || (event?.type === "source.lane" && names(event, from))) && e.from.status === "active"; const claims = event?.type === "claim" && event.lane !== undefined && read(e).state === "ready";
      return to.operatorLane === (lane || claims ? event.lane : from.operatorLane) && (!lane || (same(e.from.value, e.to.value) && e.actions.length === 0)); } },
    { name: "I4 a new pipeline (in a lane with a chart of its own, that) is the next attempt of this lineage, and only when none runs", holds: (e) => {
      const { from, to } = read(e), lane = to.operatorLane, must = lane === "team" || lane === "ralph" || lane === "autopilot" || lane === "ultrawork" ? lane : "pipeline", started = ["pipeline", "team", "ralph", "autopilot", "ultrawork"].flatMap((chart) => spawned(e, chart)), rises = at(e.to, "operating") && !from.running;
      return started.length === (rises ? 1 : 0) && to.attempt === from.attempt + started.length && started.every(({ address, input: i }) => to.running && to.operator === must && spawned(e, to.operator).length === 1 && address === operatorOf(to) && i["owner"] === itemAddress(id, to.lineage) && i["attempt"] === to.attempt
        && i["lineage"] === to.lineage && same(i["failing"], to.failing) && i["guidance"] === to.guidance && i["driver"] === (to.operator === "ralph" ? to.driver : undefined) && same(i["item"], to.item) && same(i["policy"], to.policy) && to.reason === "" && to.blocked === null && to.question === null);
    } },
    { name: "each end of the current pipeline leads where it must", holds: (e) => { const r = read(e); return !decides(r) || !r.end || (at(e.to, afterPipeline(r.from, r.end)) && (!at(e.to, "blocked") || r.to.blocked === (r.end.failure === "stuck" ? "needsHuman" : "needsEnvironment"))); } },
    { name: "a run that ends in a pause is done, cancelled, or waits to be begun anew", holds: (e) => { const r = read(e); return r.state !== "paused" || !r.end || at(e.to, r.end.outcome === "done" ? "verifying" : r.end.outcome === "cancelled" ? "cancelled" : "paused"); } },
    { name: "I1 work failures and infrastructure failures are counted apart, once each", holds: (e) => { const r = read(e), { failures, infra } = counts(r); return r.to.failures === r.from.failures + failures && r.to.infraFailures === r.from.infraFailures + infra; } },
    { name: "what a pipeline left is taken once, whatever became of it", holds: (e) => {
      const r = read(e), { from, to, end } = r, takes = end !== undefined && (decides(r) || r.state === "cancelling" || r.state === "paused" || (r.state === "blocked" && from.blocked === "needsReconcile" && from.running));
      return takes ? !to.running && to.iterations === from.iterations + 1 && to.costUsd === from.costUsd + 0.25 && same(to.workspace, workspace) && to.head === "head1" && to.summary === end.summary && to.warnings.includes("a warning")
        && (decides(r) || r.state === "paused" ? end.outcome === "cancelled" || to.reason === end.reason : r.state === "cancelling" || (to.reason === from.reason && to.blocked === from.blocked && at(e.to, "blocked")))
        : to.iterations === from.iterations && to.costUsd === from.costUsd && to.head === from.head;
    } },
    { name: "the end of another attempt changes nothing", holds: (e) => { const { event, end } = read(e); return event?.type !== "pipeline.ended" || end !== undefined || ignored(e); } },
    { name: "I2 the final head is checked once more, exactly on entering verifying", holds: (e) => { const { to } = read(e), checks = asked(e, "verify"); return checks.length === (at(e.to, "verifying") && !at(e.from, "verifying") ? 1 : 0) && checks.every((f) => f["head"] === to.head && f["base"] === workspace.base && f["repository"] === item.repository); } },
    { name: "I2 the final check decides: new failures are work, the rest is reviewed or published", holds: (e) => {
      const { state, event, from, to } = read(e);
      if (state !== "verifying" || event?.type !== "verify.done") return same(to.failing, from.failing);
      const wrong = event.report.newFailures;
      const must = wrong.length > 0 ? (from.failures < from.policy.itemFailures ? "retryAt" : "failed") : from.policy.review === "human" || spans(from) || open(to).length > 0 ? "review" : "publishing";
      return at(e.to, must) && same(to.failing, wrong) && to.warnings.includes("a flaky check") && to.checks?.head === (wrong.length > 0 ? "0/1" : "1/1") && (wrong.length === 0 || to.reason.includes(wrong.join("; ")));
    } },
    { name: "a check that could not run is tried later within the cap, else a person mends it; so is a failed publication", holds: (e) => {
      const { state, event, from, to } = read(e);
      if (event?.type !== "effect.failed" || (state !== "verifying" && state !== "publishing")) return true;
      const later = state === "verifying" && event.class === "io" && from.infraFailures < from.policy.infraRetries;
      return at(e.to, later ? "retryAt" : "blocked") && to.blocked === (later ? null : "needsEnvironment") && to.reason === "it broke (mend it)";
    } },
    { name: "published once, exactly on entering publishing: the checked head", holds: (e) => {
      const { to } = read(e), sent = asked(e, "publish");
      return sent.length === (at(e.to, "publishing") && !at(e.from, "publishing") ? 1 : 0) && sent.every((f) => f["head"] === to.head && f["branch"] === workspace.branch && f["base"] === workspace.base && f["summary"] === to.summary && f["attempt"] === to.attempt);
    } },
    { name: "I6 publishing ends with its answer, and then only; a poisoned event is kept as a warning", holds: (e) => {
      const { state, event, to } = read(e);
      if (state !== "publishing") return !at(e.to, "done") || state === "tidying" || e.from.status !== "active";
      if (event?.type === "published") return at(e.to, to.policy.keepWorktree ? "done" : "tidying") && to.published === event.where;
      return event?.type === "effect.failed" || (at(e.to, "publishing") && (event?.type !== "reconcile" || to.warnings.at(-1) === event.reason));
    } },
    { name: "I9 the worktree of published work is removed once, unless it is to be kept; trouble with that is a warning", holds: (e) => {
      const { state, event, from, to } = read(e), removals = asked(e, "workspace.remove");
      if (removals.length !== (at(e.to, "tidying") && !at(e.from, "tidying") ? 1 : 0) || !removals.every((f) => same(f["workspace"], workspace) && f["repository"] === item.repository && f["item"] === id)) return false;
      if (to.tidied !== (from.tidied || (state === "tidying" && event?.type === "workspace.removed"))) return false;
      if (state !== "tidying") return true;
      const over = event?.type === "workspace.removed" || event?.type === "effect.failed" || event?.type === "reconcile";
      return at(e.to, over ? "done" : "tidying") && to.published === from.published && (event?.type === "workspace.removed" || !over || (to.warnings.at(-1) ?? "").includes(event.type === "reconcile" ? event.reason : "it broke"));
    } },
    { name: "the alarm is set on entering retryAt, later with every failure, and cleared on leaving it", holds: (e) => {
      const { from, to } = read(e);
      if (at(e.to, "retryAt") && !at(e.from, "retryAt")) return alarm(e, "retry") === to.retryAt && to.retryAt === now + backoffMs(from.policy, to.failures + to.infraFailures);
      return alarm(e, "retry") === (at(e.from, "retryAt") && !at(e.to, "retryAt") ? null : undefined);
    } },
    { name: "who claims, or resumes what was begun, says whose session does the work", holds: (e) => {
      const { state, event, from, to } = read(e);
      return to.driver === (event?.type === "claim" && state === "ready" && at(e.to, "operating") ? event.session : event?.type === "resume" && state === "paused" && from.running ? event.session : from.driver) && told(e, "resume").every(({ event: said }) => (event?.type === "resume" ? said["session"] === event.session : isFreed(event, from) && said["session"] === undefined));
    } },
    { name: "I12 work that is stuck asks a person, with the rule", holds: (e) => { const r = read(e); return !(decides(r) && r.end?.failure === "stuck") || (at(e.to, "blocked") && !r.to.running && (r.to.question ?? "").includes(r.end.reason) && r.to.reason === r.end.reason); } },
    { name: "a question blocks the item until it is answered, and a newer one replaces it", holds: (e) => { const { state, event, from, to } = read(e); return event?.type !== "pipeline.asks" || !(state === "operating" || (state === "blocked" && from.blocked === "needsHuman" && from.running)) || (at(e.to, "blocked") && to.blocked === "needsHuman" && to.question === event.question && to.reason === event.question); } },
    { name: "an answer goes to the pipeline that asked, and only there", holds: (e) => {
      const { state, event, from, to } = read(e), said = told(e, "answer"), waits = state === "blocked" && from.blocked === "needsHuman" && event?.type === "answer", must = waits && from.running;
      // Of work that has ended stuck the next attempt is told.
      if (waits && !from.running) return said.length === 0 && at(e.to, "operating") && to.guidance === "the first" && to.attempt === from.attempt + 1;
      return to.guidance === from.guidance && said.length === (must ? 1 : 0) && said.every(({ to: whom, event: say }) => whom === operatorOf(from) && say["text"] === "the first") && (!must || (at(e.to, "operating") && to.question === null && to.blocked === null && to.reason === "")) && (event?.type !== "answer" || must || ignored(e));
    } },
    { name: "I4 a cancel stops the pipeline first when one runs, ends the item at once when none does, and comes too late for publishing", holds: (e) => {
      const { state, event, from } = read(e), stops = told(e, "cancel"), poisoned = event?.type === "reconcile" && from.running && state !== "cancelling" && !(state === "blocked" && from.blocked === "needsReconcile");
      const cancels = (event?.type === "cancel" || (isClosed(event) && state !== "review")) && e.from.status === "active" && state !== "publishing" && state !== "tidying" && state !== "cancelling";
      return stops.length === (poisoned || (cancels && from.running) ? 1 : 0) && stops.every(({ to }) => to === operatorOf(from)) && (!cancels || at(e.to, from.running ? "cancelling" : "cancelled")) && (event?.type !== "cancel" || cancels || ignored(e));
    } },
    { name: "I13 what its source closes under review or later is a person's, or too late: a warning", holds: (e) => { const { state, event, from, to } = read(e); return !(event?.type === "source.state" && event.standing === "closed" && (state === "review" || state === "publishing" || state === "tidying" || state === "cancelling")) || (same(e.from.value, e.to.value) && e.actions.length === 0 && to.warnings.includes(`${from.item.source} says: Removed`)); } },
    { name: "I13 what its source holds is begun no more; a lane that runs is paused once; anything else goes on with a warning", holds: (e) => {
      const { state, event, from, to } = read(e);
      if (event?.type !== "source.state" || event.standing !== "held" || e.from.status !== "active") return true;
      const why = `${from.item.source} holds it: On Hold`;
      if (state === "ready" || state === "retryAt") return at(e.to, "paused") && to.held === true && to.reason === why && asked(e, "source.push").length === 0;
      if (state === "operating" && pauses(from) && from.held !== true) return at(e.to, "operating") && to.held === true && to.reason === why && tells(e, "pause", from);
      return state === "paused" || state === "awaitingApproval" ? same(e.from.value, e.to.value) && e.actions.length === 0 && to.held === from.held : same(e.from.value, e.to.value) && e.actions.length === 0 && to.held === from.held && to.warnings.includes(`${from.item.source} says: On Hold`);
    } },
    { name: "I13 it goes on by itself when the source lets it, and what a person has paused stays so", holds: (e) => {
      const { state, event, from, to } = read(e);
      if (event?.type !== "source.state" || event.standing !== "open" || e.from.status !== "active") return true;
      if (state === "paused" && from.held === true) return to.held !== true && to.reason === "" && (!from.running || (at(e.to, "operating") && tells(e, "resume", from)));
      return same(e.from.value, e.to.value) && e.actions.length === 0 && (state === "awaitingApproval" || to.held !== true) && (from.held === true || ignored(e) || from.held !== to.held);
    } },
    { name: "I13 a person's resume lets it go on whatever its source says", holds: (e) => { const { state, event, to } = read(e); return !(state === "paused" && event?.type === "resume") || to.held !== true; } },
    { name: "I4 cancelling ends as cancelled when the pipeline has ended, or the host gave up on it", holds: (e) => { const { state, event, end } = read(e); return state !== "cancelling" || (end || event?.type === "reconcile" ? at(e.to, "cancelled") : at(e.to, "cancelling")); } },
    { name: "cancelled says so, or why", holds: (e) => { const { event, to, from } = read(e); return !at(e.to, "cancelled") || e.from.status !== "active" || (to.blocked === null && to.reason === (to.closed !== undefined ? "local has closed it: Removed".replace("local", from.item.source) : event?.type === "reject" ? `rejected: ${event.reason}` : event?.type === "reconcile" ? event.reason : "cancelled") && from.published === ""); } },
    { name: "a poisoned event blocks the item for a person; a second one gives up on the pipeline", holds: (e) => {
      const { state, event, from, to } = read(e);
      if (event?.type !== "reconcile" || e.from.status !== "active" || state === "publishing" || state === "tidying" || state === "cancelling") return true;
      return at(e.to, "blocked") && to.blocked === "needsReconcile" && to.reason === event.reason && to.running === (from.running && from.blocked !== "needsReconcile");
    } },
    { name: "a retry of a blocked item waits for its pipeline, and leads back to where it may be claimed, or goes on when a command had claimed it", holds: (e) => {
      const { state, event, from, to } = read(e);
      if (event?.type !== "retry" || state !== "blocked") return true;
      if (from.running) return ignored(e);
      return at(e.to, from.attempt < from.lineage ? (from.policy.requireApproval ? "awaitingApproval" : "ready") : from.worked ? "verifying" : from.byCommand ? "operating" : "ready") && to.blocked === null && to.reason === "";
    } },
    { name: "people approve, reject, pause and resume", holds: (e) => {
      const { state, event, from, to } = read(e);
      switch (event?.type) {
        case "approve": return state === "awaitingApproval" ? at(e.to, "ready") : state === "review" ? (spans(e.from.context) ? at(e.to, "review") && (open(e.from.context).length > 0 || ignored(e)) : at(e.to, "publishing")) : ignored(e);
        case "acknowledgeClose": return state === "review" && spans(e.from.context) && open(e.from.context).length === 0 && event.reason.trim() !== "" ? at(e.to, "publishing") && to.reason === "" : ignored(e);
        case "reject": return state === "awaitingApproval" ? at(e.to, "cancelled") : state === "review" ? at(e.to, "failed") && to.reason.includes(event.reason) : ignored(e);
        case "pause": return state === "ready" || state === "retryAt" ? at(e.to, "paused") : state === "operating" && pauses(from) ? at(e.to, "operating") && tells(e, "pause", from) : ignored(e);
        case "pipeline.paused": return from.running && pauses(from) && event.attempt === from.attempt && (state === "operating" || (state === "blocked" && from.blocked === "needsHuman")) ? at(e.to, "paused") && to.running && to.question === null && to.blocked === null && e.actions.length === 0 : ignored(e);
        case "resume": return state !== "paused" ? ignored(e) : !from.running || (at(e.to, "operating") && tells(e, "resume", from));
        default: return true;
      }
    } },
    { name: "approval is never passed by", holds: (e) => { const { event, from } = read(e); return !(at(e.from, "awaitingApproval") || (from.attempt < from.lineage && at(e.from, "blocked") && from.policy.requireApproval)) || !at(e.to, "ready", "operating") || event?.type === "approve"; } },
    { name: "I10 gates change by what the pipeline shows, the last check, a person and the publication, and begin anew with each attempt", holds: (e) => { const r = read(e); return e.from.status !== "active" || same(r.to.gates, gatesMust(e, r)); } },
    { name: "I11 the source is told of every change of a gate, and of the end, once; a command's item has none", holds: (e) => {
      const { from, to } = read(e), changed = allGates.filter((gate) => (gate in from.gates) !== (gate in to.gates)), ends = e.from.status === "active" && e.to.status !== "active";
      const sets = [...(changed.length > 0 ? [{ gates: Object.fromEntries(changed.map((gate) => [gate, gate in to.gates])) }] : []), ...(ends ? [{ status: e.to.value, ...(at(e.to, "done") ? { published: to.published } : {}) }] : [])];
      return same(asked(e, "source.push"), from.item.source === "command" ? [] : sets.map((set) => ({ kind: "source.push", item: id, source: "local", sourceId: item.sourceId, set })));
    } },
    { name: "what a source refuses is a warning", holds: (e) => { const { event, from, to } = read(e); return event?.type !== "source.refused" || e.from.status !== "active" || (same(e.from.value, e.to.value) && e.actions.length === 0 && to.warnings.at(-1) === "local was not told: it is gone".replace("local", from.item.source)); } },
    { name: "the ledger says when closing was deferred, and who closed it why", holds: (e) => {
      const { state, event, from, to } = read(e), defers = state === "verifying" && event?.type === "verify.done" && event.report.newFailures.length === 0 && spans(from), closes = state === "review" && event?.type === "acknowledgeClose" && at(e.to, "publishing");
      const entry = to.ledger.at(-1);
      return to.ledger.length === from.ledger.length + (defers || closes ? 1 : 0) && (!defers || (entry?.what === "deferred" && entry.reason.includes("other") && to.reason.includes("closure-evidence-missing"))) && (!closes || (entry?.what === "acknowledged" && entry.reason === event.reason)) && (!(defers || closes) || entry?.at === now);
    } },
    { name: "who waits for review without evidence says for which", holds: (e) => { const { state, to } = read(e); return !(state === "verifying" && at(e.to, "review")) || spans(to) || to.policy.review === "human" || open(to).every((gate) => to.reason.includes(gate)); } },
    { name: "misplaced events change nothing", holds: (e) => { const { state, event } = read(e); return e.from.status !== "active" || !event || event.type === "lane" || event.type === "reconcile" || event.type === "pipeline.gates" || event.type === "source.refused" || event.type === "source.state" || (event.type === "source.lane" && names(event, read(e).from)) || (hears[state] ?? []).includes(event.type) || ignored(e); } },
  ],
};
