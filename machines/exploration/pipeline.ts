import type { AnyMachineSnapshot } from "xstate";
import { itemAddress, pipelineAddress, progressAddress, stageAddress } from "../../src/domain/ids.ts";
import type { Policy } from "../../src/domain/policy.ts";
import type { Stage } from "../../src/domain/stage.ts";
import type { Audit, Verdict } from "../../src/domain/verdict.ts";
import type { Edge, Exploration } from "../catalog.ts";
import type { PipelineContext, PipelineEvent, PipelineFailure, PipelineInput } from "../pipeline-context.ts";
import type { StageEnded, StageFailure } from "../stage.ts";
import { id, item, plan, policy, report, workspace } from "./fixtures.ts";
import { asked, at, ignored, implies, same, spawned, stamped, told } from "./reading.ts";

const attempt = 3, lineage = 1;
const owner = itemAddress(id, lineage);
const watcherOf = ({ leg }: Pick<PipelineInput, "leg">) => progressAddress(id, attempt, leg?.n);

const input = (stages: Policy["stages"], failing: readonly string[] = [], leg?: PipelineInput["leg"]): PipelineInput => ({ owner, item, attempt, lineage, failing, policy: { ...policy, maxIterations: 2, stages }, ...(leg ? { leg } : {}) });
const leg = { n: "4.1", round: 2, feedback: "This is about part 2", findings: [{ severity: "minor" as const, message: "a nit" }], session: { id: "session-0", costUsd: 1 } };
const large = { ...plan, escalateModel: "large" }, other = { ...plan, escalateAdapter: "claude" as const };

const approve: Verdict = { decision: "approve", feedback: "", findings: [] };
const revise: Verdict = { decision: "revise", feedback: "Handle the empty list", findings: [{ severity: "major", message: "the empty list" }] };
const reject: Verdict = { decision: "reject", feedback: "Not wanted", findings: [] };
const clean: Audit = { findings: [{ severity: "minor", message: "a nit" }] };
const critical: Audit = { findings: [{ severity: "critical", message: "a hole" }] };

type Ended = Pick<StageEnded, "outcome"> & Partial<StageEnded>;
const ended = (stage: Stage, how: Ended) => [1, 2].map((iteration) => stamped({
  type: "stage.ended" as const, stage, iteration, failure: null, reason: how.outcome === "done" ? "" : `it was ${how.failure ?? how.outcome}`, verdict: null, audit: null, text: "the summary", undone: [], denials: [],
  session: { id: "session-1", costUsd: 0.4 }, costUsd: 0.25, ...how,
}));
const failed = (failure: StageFailure): Ended => ({ outcome: "failed", failure });
/** Too much for one turn: trouble with the work. */
const isTooMuch = (failure: StageFailure | null): boolean => failure === "timeout" || failure === "stalled" || failure === "context" || failure === "overlong";
const exhausted = (failure: StageFailure): Ended => ({ outcome: "exhausted", failure });
const done = { outcome: "done" } as const, cancelled = { outcome: "cancelled" } as const;

/** For whoever works, or for the critic alone: whichever is first counts. */
const open = { id: "m0", text: "use tabs", to: null }, aimed = { id: "m0", text: "look at the tests", to: "critic" as const };

const results = [
  stamped({ type: "workspace.ready", workspace }),
  stamped({ type: "workspace.committed", head: "head1", empty: false, diffHash: "diff1", changed: ["src/a.ts"], summary: "1 file changed" }),
  stamped({ type: "workspace.committed", head: "head2", empty: false, diffHash: "diff2", changed: ["src/a.ts", "docs/a.md"], summary: "2 files changed" }),
  stamped({ type: "workspace.committed", head: "base0", empty: true, diffHash: "none", changed: [], summary: "" }),
  stamped({ type: "workspace.checkpointed", ref: "refs/enact/checkpoints/LOC-7/1" }),
  stamped({ type: "verify.done", report: report([]) }),
  stamped({ type: "verify.done", report: report(["test: a", "test: b"]) }),
  ...[{ ...done, undone: ["other.ts"], denials: ["Bash: rm -rf"] }, failed("timeout"), failed("stalled"), failed("context"), failed("overlong"), failed("auth"), failed("environment"), exhausted("infra"), exhausted("crash"), cancelled].flatMap((how) => ended("coder", how)),
  ...[{ ...done, verdict: approve }, { ...done, verdict: revise }, { ...done, verdict: reject }, failed("noAnswer"), failed("timeout"), exhausted("infra")].flatMap((how) => ended("critic", how)),
  ...[done, failed("timeout"), failed("model"), exhausted("infra")].flatMap((how) => ended("tester", how)),
  ...[done, failed("timeout"), cancelled].flatMap((how) => ended("documenter", how)),
  ...[{ ...done, audit: clean }, { ...done, audit: critical }, failed("noAnswer"), exhausted("infra")].flatMap((how) => ended("auditor", how)),
  ...[done, failed("timeout")].flatMap((how) => ended("stage-documenter", how)),
  ...(["io", "environment", "refused", "defect"] as const).map((klass) => stamped({ type: "effect.failed", kind: "verify" as const, class: klass, message: "it broke", mend: "mend it" })),
  stamped({ type: "stuck", rule: "sameError", says: "the same failure again" }),
  stamped({ type: "stage.heard", ids: ["m0", "other"] }),
  ...ended("coder", { ...done, heard: ["m0"] }), ...ended("critic", { ...done, verdict: approve, heard: ["m0"] }),
] satisfies readonly PipelineEvent[];

const alphabet: readonly PipelineEvent[] = [
  ...results, stamped({ type: "stage.asks", stage: "coder", question: "which one?", heard: ["m0"] }), stamped({ type: "answer", text: "the first" }), stamped({ type: "cancel" }),
  stamped({ type: "message", ...open, interrupt: true }), stamped({ type: "message", ...aimed, interrupt: false }),
];

const contextOf = (snapshot: AnyMachineSnapshot): PipelineContext => snapshot.context;
const isEvent = (event: { readonly type: string }): event is PipelineEvent => alphabet.some((each) => each === event);

interface Reading { readonly state: string; readonly from: PipelineContext; readonly to: PipelineContext; readonly event: PipelineEvent | undefined; readonly stage: StageEnded | undefined }
const read = (edge: Edge): Reading => {
  const event = isEvent(edge.event) ? edge.event : undefined, from = contextOf(edge.from);
  // Word of a stage that is not the current one counts as nothing at all.
  const stage = event?.type === "stage.ended" && event.stage === from.stage && event.iteration === from.iteration ? event : undefined;
  return { state: String(edge.from.value), from, to: contextOf(edge.to), event, stage };
};

const stageIn: Readonly<Record<string, Stage>> = { coding: "coder", criticising: "critic", testing: "tester", documenting: "documenter", auditing: "auditor", reporting: "stage-documenter" };
const stateOf = (stage: Stage): string => Object.entries(stageIn).find(([, each]) => each === stage)?.[0] ?? "?";
const later = ["tester", "documenter", "auditor", "stage-documenter"] as const;

const hasMore = ({ policy: { stages: { coder } } }: PipelineContext): boolean => coder !== undefined && (coder.escalateModel !== null || coder.escalateAdapter !== null);
/** Where a pipeline goes whose work holds so far. */
const onward = (context: PipelineContext, approved: boolean): string => {
  if (!approved && context.policy.stages.critic) return "criticising";
  const next = later.slice(later.findIndex((stage) => stage === context.stage) + 1).find((stage) => context.policy.stages[stage]);
  return next ? stateOf(next) : "done";
};
/** Nothing at all, or nothing since it was found wanting. */
const unchanged = ({ leg: step }: PipelineContext, event: { readonly empty: boolean; readonly head: string }): boolean => event.empty || event.head === step?.since;
const again = (context: PipelineContext): string => (context.iteration < context.policy.maxIterations ? "coding" : "exhausted");

/** A session belongs to the CLI that opened it. */
const changesAdapter = ({ from, to }: { readonly from: PipelineContext; readonly to: PipelineContext }): boolean => to.escalated && !from.escalated && from.policy.stages.coder?.escalateAdapter === "claude";

/** What must become of the current stage's end. */
const afterStage = ({ state, from, stage }: Reading): string | undefined => {
  if (!stage || !(state in stageIn)) return undefined;
  const finished = stage.outcome === "done", wrong = stage.outcome === "failed" && isTooMuch(stage.failure);
  const ends = stage.outcome === "exhausted" ? "exhausted" : "failed";
  switch (stage.stage) {
    case "coder": case "tester": return finished ? "committing" : wrong ? again(from) : ends;
    case "critic": return finished && stage.verdict ? { approve: onward(from, true), revise: again(from), reject: "failed" }[stage.verdict.decision] : ends;
    case "documenter": return finished ? "committing" : wrong && !from.documenterRetried ? "documenting" : onward(from, true);
    case "auditor": return finished ? (stage.audit?.findings.some((f) => f.severity === "critical") ? again(from) : onward(from, true)) : ends;
    case "stage-documenter": return "done";
    case "planner": return undefined;
  }
};

const stageFailure = (failure: StageFailure | null): PipelineFailure => {
  switch (failure) {
    case "infra": case "crash": return "infra";
    case "auth": case "model": return "auth";
    case "environment": return "environment";
    default: return "work";
  }
};

const observed = (edge: Edge): readonly unknown[] => told(edge, "observe").map(({ event }) => event["seen"]);
const kinds = (edge: Edge): readonly string[] => observed(edge).map((seen) => (typeof seen === "object" && seen !== null && "kind" in seen ? String(seen.kind) : "?"));
/** A stage was started on this edge. */
const started = (edge: Edge): boolean => spawned(edge, "stage").length > 0;
const enters = (edge: Edge, state: string): boolean => at(edge.to, state) && !at(edge.from, state);

/** What waits for a stage, as its brief has it. */
const waiting = (messages: PipelineContext["messages"], stage: Stage): readonly unknown[] => messages.filter(({ state, to }) => state === "queued" && (to === null || to === stage)).map(({ id, text }) => ({ id, text }));
const stateOfMessage = ({ messages }: PipelineContext): string | undefined => (messages.length > 1 ? "twice" : messages[0]?.state);
/** Warnings of the work; those of messages have their own invariant. */
const warningsOf = ({ warnings }: PipelineContext): readonly string[] => warnings.filter((warning) => !warning.startsWith("a message was not delivered"));

/** What work whose checks hold has to show for itself. */
const gatesMust = (to: PipelineContext, last: Stage): unknown => {
  const { stages } = to.policy, met = (evidence: string) => ({ state: "met", evidence }), passed = (stage: (typeof later)[number]): boolean => later.findIndex((each) => each === last) >= later.indexOf(stage);
  const gaveUp = warningsOf(to).find((warning) => warning.startsWith("documenter: "));
  return {
    implementationComplete: met(`commit ${to.head}: ${to.changeSummary}`),
    ...(stages.tester && !passed("tester") ? {} : { testsPassed: met("before 0/1, now 1/1") }),
    ...(to.approved ? { reviewPassed: met(`approved by the critic in iteration ${to.iteration}`) } : {}),
    ...(stages.documenter && passed("documenter") ? { docsUpdated: gaveUp !== undefined && to.undocumented !== undefined ? { state: "waived", evidence: gaveUp.replace("documenter: ", "the documenter gave up: ") } : met(`commit ${to.head}`) } : {}),
  };
};

const hears: Readonly<Record<string, readonly PipelineEvent["type"][]>> = {
  preparing: ["workspace.ready", "effect.failed", "cancel"], committing: ["workspace.committed", "effect.failed", "cancel", "stuck"], checking: ["verify.done", "effect.failed", "cancel", "stuck"],
  settling: ["stage.ended", "workspace.committed", "verify.done", "effect.failed", "cancel"], cancelling: ["stage.ended", "workspace.ready", "workspace.committed", "verify.done", "effect.failed"],
  saving: ["workspace.checkpointed", "effect.failed"],
  ...Object.fromEntries(Object.keys(stageIn).map((state) => [state, ["stage.ended", "stage.asks", "answer", "stuck", "cancel"]])),
};

export const exploration: Exploration = {
  inputs: [
    { name: "coder alone", input: input({ coder: plan }) },
    { name: "coder and critic, escalating on evidence", input: input({ coder: large, critic: plan }) },
    { name: "escalating to another adapter", input: input({ coder: other }) },
    { name: "escalating after the first iteration", input: input({ coder: { ...large, escalateAfterIteration: 1 } }) },
    { name: "all stages", input: input({ coder: plan, critic: plan, tester: plan, documenter: plan, auditor: plan, "stage-documenter": plan }) },
    { name: "a leg of a lane that works", input: input({ coder: large }, ["test: a"], { ...leg, begin: "work", escalated: true, since: "head1" }) },
    { name: "a leg of a lane that judges", input: input({ coder: plan, critic: plan, documenter: plan }, [], { ...leg, begin: "review", escalated: false, watched: true }) },
    { name: "with a person's guidance", input: { ...input({ coder: plan }, ["test: a"]), guidance: "use a stack" } },
    { name: "tester without critic, taken up again", input: input({ coder: plan, tester: plan, auditor: plan }, ["test: a"]) },
  ],
  events: [...alphabet],
  unattended: [...results],
  abstraction: (snapshot) => {
    const c = contextOf(snapshot), messages = c.messages.map(({ to, state }) => (state === "queued" ? `queued for ${to ?? "all"}` : state));
    if (snapshot.status !== "active") return { failure: c.failure, messages };
    if (snapshot.matches("cancelling") || snapshot.matches("saving")) return { workspace: c.workspace !== null, stage: c.stage, iteration: c.iteration, messages };
    return {
      messages, iteration: c.iteration, stage: c.stage, approved: c.approved, escalated: c.escalated, escalateNow: c.escalateNow, retried: c.documenterRetried, asks: c.question !== null, failing: c.newFailures.length > 0 };
  },
  restStates: ["done", "failed", "cancelled", "exhausted"],
  states: [
    { name: "I1 at most maxIterations coder turns", holds: (s) => contextOf(s).iteration >= 1 && contextOf(s).iteration <= contextOf(s).policy.maxIterations },
    { name: "I2 nothing goes on to review or later stages, and nothing is done, whose last checks had new failures", holds: (s) => !at(s, "criticising", "testing", "documenting", "auditing", "reporting", "done") || (contextOf(s).newFailures.length === 0 && contextOf(s).checks !== null && contextOf(s).head.startsWith("head")) },
    { name: "I2 nothing is done that the critic did not approve", holds: (s) => !at(s, "testing", "documenting", "auditing", "reporting", "done") || contextOf(s).policy.stages.critic === undefined || contextOf(s).approved },
    { name: "I4 only a coder with another model or adapter escalates", holds: (s) => !(contextOf(s).escalated || contextOf(s).escalateNow) || hasMore(contextOf(s)) },
    { name: "I6 failed and exhausted carry a reason and its kind, a cap only at the cap; done and cancelled carry no trouble; a rule that fired is the reason while it settles", holds: (s) => {
      const c = contextOf(s);
      if (at(s, "settling")) return c.failure === null && c.rule !== "" && c.reason.includes(c.rule);
      if (at(s, "exhausted")) return c.reason !== "" && (c.failure === "infra" || c.failure === "stuck" || (c.failure === "cap" && c.iteration === c.policy.maxIterations && c.feedback !== "" && c.reason.includes(c.feedback)));
      return at(s, "failed") ? c.reason !== "" && c.failure !== null : at(s, "cancelled") ? c.reason === "cancelled" && c.failure === null : c.failure === null && (c.reason === "" || (c.rule !== "" && at(s, "settling", "cancelling", "saving")));
    } },
    { name: "I9 no message waits in a pipeline that has ended, and each that nobody read is a warning; none was closed before", holds: (s) => contextOf(s).messages.every(({ text, state }) => (s.status === "active" ? state !== "undelivered" : state !== "queued" && (state === "delivered" || contextOf(s).warnings.some((w) => w.includes(text))))) },
    { name: "the stage is the one that the state names", holds: (s) => (stageIn[String(s.value)] ?? contextOf(s).stage) === contextOf(s).stage },
  ],
  first: [
    { name: "a leg goes on with what its lane gives it", holds: (first) => { const c = contextOf(first.to), given = c.leg; return c.iteration === (given ? 2 : 1) && c.escalated === (given?.escalated ?? false) && same(c.coderSession, given?.session ?? { id: null, costUsd: 0 }) && same(c.findings, given?.findings ?? []) && (given === undefined ? c.feedback.includes(c.guidance ?? "") && c.feedback.includes("final check") === (c.failing.length > 0) : c.feedback === given.feedback); } },
    { name: "the first step starts the watch and asks for the workspace, once each", holds: (first) => {
      const watch = spawned(first, "progress"), prepare = asked(first, "workspace.prepare");
      return at(first.to, "preparing") && first.actions.length === 2 && same(watch, [{ address: watcherOf(contextOf(first.to)), input: { pipeline: pipelineAddress(id, attempt, contextOf(first.to).leg?.n), limits: policy.progress } }])
        && same(prepare, [{ kind: "workspace.prepare", item: id, attempt: lineage, repository: item.repository, baseRef: policy.baseRef }]);
    } },
  ],
  edges: [
    { name: "each end of the current stage leads where it must", holds: (e) => { const r = read(e), must = afterStage(r); return must === undefined || (at(e.to, must) && started(e) === must in stageIn); } },
    { name: "what a failing stage was, the pipeline names by kind", holds: (e) => { const r = read(e), { stage, to } = r; return !stage || !(r.state in stageIn) || !at(e.to, "failed", "exhausted") || to.failure === "cap" || (stage.verdict?.decision === "reject" ? to.failure === "rejected" && to.reason.includes(stage.verdict.feedback) : to.failure === stageFailure(stage.failure) && to.reason === `${stage.stage}: ${stage.reason}`); } },
    { name: "I7 trouble with infrastructure, accounts or the environment ends the pipeline as such; work trouble at the cap is the cap", holds: (e) => { const { stage, to } = read(e); return !stage || !at(e.from, "coding", "testing") || !at(e.to, "exhausted") || (to.failure === "cap") === isTooMuch(stage.failure); } },
    { name: "a workspace, then the first turn", holds: (e) => implies(at(e.from, "preparing") && e.event.type === "workspace.ready", () => at(e.to, "coding", "committing") && contextOf(e.to).iteration === contextOf(e.from).iteration && same(contextOf(e.to).workspace, workspace) && contextOf(e.to).head === workspace.base) },
    { name: "work is committed, then checked; no change at all goes back to the coder", holds: (e) => { const { state, event, from, to } = read(e); return state !== "committing" || event?.type !== "workspace.committed" || (at(e.to, unchanged(from, event) ? again(from) : "checking") && same([to.head, to.diffHash, to.empty, to.changeSummary], [event.head, event.diffHash, event.empty, event.summary])); } },
    { name: "checks: new failures go back to the coder, otherwise onward", holds: (e) => { const { state, event, from, to } = read(e); return state !== "checking" || event?.type !== "verify.done" || (at(e.to, event.report.newFailures.length > 0 ? again(from) : onward(from, from.approved)) && same(to.newFailures, event.report.newFailures) && same(to.checks, { base: "0/1", head: event.report.newFailures.length > 0 ? "0/1" : "1/1" }) && event.report.warnings.every((w) => to.warnings.includes(w))); } },
    { name: "an effect that cannot be done fails the pipeline with its kind and how to mend it", holds: (e) => { const { state, event, to } = read(e); return !["preparing", "committing", "checking", "settling"].includes(state) || event?.type !== "effect.failed" || (at(e.to, "failed") && to.failure === (event.class === "environment" || event.class === "refused" ? "environment" : "infra") && to.reason === "it broke (mend it)"); } },
    { name: "entering a state asks for its effect, once, with the workspace and head as they are", holds: (e) => {
      const { to } = read(e), commit = asked(e, "workspace.commit"), verify = asked(e, "verify"), save = asked(e, "workspace.checkpoint");
      return commit.length === (enters(e, "committing") ? 1 : 0) && verify.length === (enters(e, "checking") ? 1 : 0) && save.length === (enters(e, "saving") ? 1 : 0)
        && [...commit, ...save].every((f) => same(f["workspace"], to.workspace)) && verify.every((f) => f["base"] === workspace.base && f["head"] === to.head);
    } },
    { name: "I5 entering a stage starts exactly one, under a new address, as the plan says; nothing else starts one", holds: (e) => {
      const { to, from } = read(e), stages = spawned(e, "stage"), entered = String(e.to.value) in stageIn && (!same(e.from.value, e.to.value) || to.started !== from.started);
      return stages.length === (entered ? 1 : 0) && to.started === from.started + stages.length && stages.every(({ address, input: i }) =>
        address === to.stageAddress && address === stageAddress(id, attempt, to.stage, to.started, to.leg?.n) && i["pipeline"] === pipelineAddress(id, attempt, to.leg?.n) && i["stage"] === stageIn[String(e.to.value)] && i["iteration"] === to.iteration
        && same(i["workspace"], to.workspace) && i["since"] === to.head && same(i["session"], to.stage === "coder" ? to.coderSession : { id: null, costUsd: 0 }) && i["leg"] === (to.leg?.begin === "review" ? to.leg.n : undefined));
    } },
    { name: "I3 the last feedback and the failing checks are in the next brief", holds: (e) => spawned(e, "stage").every(({ input: i }) => { const { to } = read(e); return same(i["brief"], { feedback: to.feedback, findings: to.findings, failingChecks: to.newFailures, checks: to.checks ? `before ${to.checks.base}, now ${to.checks.head}` : "", answer: null, again: "", messages: waiting(to.messages, to.stage) }); }) },
    { name: "I3 feedback says what sent the work back, and approval clears it", holds: (e) => {
      const { state, event, stage, to, from } = read(e);
      const back = to.iteration !== from.iteration || (at(e.to, "exhausted") && to.failure === "cap");
      if (event?.type === "stuck" && at(e.to, "settling")) return to.feedback.includes(event.says) && to.findings.length === 0 && to.rule === event.rule;
      if (!back || at(e.from, "settling") || e.from.status !== "active") return stage?.verdict?.decision === "approve" && state === "criticising" ? to.feedback === "" && to.findings.length === 0 && to.approved : same([to.feedback, to.findings], [from.feedback, from.findings]);
      if (stage?.verdict) return to.feedback === stage.verdict.feedback && same(to.findings, stage.verdict.findings);
      if (stage?.audit) return to.feedback.includes("audit") && same(to.findings, stage.audit.findings);
      if (stage) return to.feedback.includes(stage.reason) && to.findings.length === 0;
      if (event?.type === "workspace.committed") return to.feedback.includes("nothing in the repository changed") && to.findings.length === 0;
      return event?.type !== "verify.done" || (to.feedback.includes("failures") && to.findings.length === 0);
    } },
    { name: "I1 an iteration counts exactly when the coder is asked again", holds: (e) => { const { to, from } = read(e); return to.iteration === from.iteration + (at(e.to, "coding") && started(e) && !at(e.from, "preparing") ? 1 : 0); } },
    { name: "a new iteration is not approved, and only the critic approves", holds: (e) => { const { to, from, stage } = read(e); return to.approved === (to.iteration !== from.iteration ? false : from.approved || (at(e.from, "criticising") && stage?.verdict?.decision === "approve")); } },
    { name: "I4 escalation is by evidence or by iteration, for good, and decides the coder's model", holds: (e) => {
      const { to, from } = read(e), coder = from.policy.stages.coder;
      const escalates = to.iteration !== from.iteration && (from.escalateNow || (hasMore(from) && to.iteration > (coder?.escalateAfterIteration ?? 0)));
      return to.escalated === (from.escalated || escalates) && spawned(e, "stage").every(({ input: i }) => same([i["adapter"], i["model"]], to.stage !== "coder" || !to.escalated ? ["scripted", "small"] : coder?.escalateAdapter === "claude" ? ["claude", null] : ["scripted", "large"]));
    } },
    { name: "I4 a rule brings escalation forward when there is one left", holds: (e) => { const { to, from } = read(e); return enters(e, "settling") ? to.escalateNow === (!from.escalated && hasMore(from)) : to.escalateNow === (to.iteration === from.iteration && from.escalateNow); } },
    { name: "stuck: the stage or effect under way is ended first, unless it waits for a person or is only worth a warning", holds: (e) => {
      const { state, from, to, event } = read(e), cancels = told(e, "cancel"), resets = told(e, "reset");
      if (event?.type !== "stuck" || !(hears[state] ?? []).includes("stuck")) return true;
      if (state in stageIn && from.question !== null) return at(e.to, state) && cancels.length === 0 && resets.length === 1;
      if (at(e.from, "documenting", "reporting")) return at(e.to, state) && cancels.length === 1 && resets.length === 1 && to.rule === event.rule && (to.warnings.at(-1) ?? "").includes(event.says);
      return at(e.to, "settling") && cancels.length === (state in stageIn ? 1 : 0) && resets.length === 0;
    } },
    { name: "settled: another approach if escalation allows and an iteration is left, else exhausted by the rule; the watch is armed again", holds: (e) => {
      const { state, event, from, to, stage } = read(e), settles = stage !== undefined || event?.type === "workspace.committed" || event?.type === "verify.done";
      if (state !== "settling" || !settles) return true;
      const goesOn = from.escalateNow && from.iteration < from.policy.maxIterations;
      return at(e.to, goesOn ? "coding" : "exhausted") && told(e, "reset").length === (goesOn ? 1 : 0) && (goesOn || (to.failure === "stuck" && to.reason.includes(from.rule)))
        && (event?.type !== "workspace.committed" || to.head === event.head) && (event?.type !== "verify.done" || same(to.newFailures, event.report.newFailures));
    } },
    { name: "I5 a cancel ends what is under way first", holds: (e) => implies(e.event.type === "cancel" && e.from.status === "active" && !at(e.from, "cancelling", "saving"), () => at(e.to, "cancelling")) && told(e, "cancel").every(({ to }) => to === contextOf(e.from).stageAddress)
      && told(e, "cancel").length === (String(e.from.value) in stageIn && (e.event.type === "cancel" || (e.event.type === "stuck" && contextOf(e.from).question === null)) ? 1 : 0) },
    { name: "I5 cancelled only after the stage or effect ended and the work was saved", holds: (e) => {
      const { state, event, stage, to } = read(e);
      if (state === "cancelling") {
        const over = event?.type === "workspace.ready" || event?.type === "effect.failed" || (contextOf(e.from).workspace !== null && (stage !== undefined || event?.type === "workspace.committed" || event?.type === "verify.done"));
        if (!over) return ignored(e) || event?.type === "message" || event?.type === "stage.heard";
        if (event?.type === "workspace.committed" && to.head !== event.head) return false;
        if (event?.type === "verify.done" && !same(to.newFailures, event.report.newFailures)) return false;
        return at(e.to, to.workspace ? "saving" : "cancelled");
      }
      if (state === "saving") return event?.type === "workspace.checkpointed" ? at(e.to, "cancelled") : event?.type !== "effect.failed" || (at(e.to, "cancelled") && (warningsOf(to).at(-1) ?? "").includes(event.message));
      return !at(e.to, "cancelled") || e.from.status !== "active";
    } },
    { name: "cancelled says so", holds: (e) => !at(e.to, "cancelled") || (contextOf(e.to).reason === "cancelled" && contextOf(e.to).failure === null) },
    { name: "I9 a message is taken once, waits, and is delivered once, when an agent has it; only the end closes it", holds: (e) => {
      const { event, from, to, stage, state } = read(e), over = e.to.status !== "active", takes = stage !== undefined && (state in stageIn || state === "settling" || (state === "cancelling" && from.workspace !== null));
      const heard = event?.type === "stage.heard" ? event.ids : event?.type === "stage.asks" && state in stageIn ? (event.heard ?? []) : takes ? (stage.heard ?? []) : [];
      const before = stateOfMessage(from), after = before === undefined ? (event?.type === "message" ? "queued" : undefined) : before === "queued" && heard.includes(open.id) ? "delivered" : before;
      return e.from.status !== "active" || stateOfMessage(to) === (over && after === "queued" ? "undelivered" : after);
    } },
    { name: "I9 the stage at work is told of a message that it may hear, once, with its text", holds: (e) => {
      const { event, from, state } = read(e), tells = told(e, "message"), must = state in stageIn && event?.type === "message" && stateOfMessage(from) === undefined && (event.to === null || event.to === from.stage);
      return tells.length === (must ? 1 : 0) && tells.every(({ to: whom, event: said }) => event?.type === "message" && whom === from.stageAddress && same(said, { type: "message", id: event.id, text: event.text, interrupt: event.interrupt }));
    } },
    { name: "a question goes up to the item, an answer down to the stage; it is open in between", holds: (e) => {
      const { state, event, to, from } = read(e), up = told(e, "pipeline.asks"), down = told(e, "answer"), inStage = state in stageIn;
      const asks = inStage && event?.type === "stage.asks", answers = inStage && event?.type === "answer";
      return up.length === (asks ? 1 : 0) && up.every(({ to: whom, event: ask }) => whom === owner && ask["question"] === "which one?" && ask["leg"] === from.leg?.n) && down.length === (answers ? 1 : 0) && down.every(({ to: whom, event: say }) => whom === from.stageAddress && say["text"] === "the first")
        && (!asks || (to.question === "which one?" && at(e.to, state))) && (!answers || (to.question === null && at(e.to, state)));
    } },
    { name: "a stage's cost, session, summary and forbidden writes and wishes are taken once, and its question is closed", holds: (e) => {
      const { state, stage, to, from } = read(e), takes = stage !== undefined && (state in stageIn || state === "settling" || (state === "cancelling" && from.workspace !== null));
      return to.costUsd === from.costUsd + (takes ? stage.costUsd : 0) && (!takes || to.question === null) && same(to.coderSession, changesAdapter({ from, to }) ? { id: null, costUsd: 0 } : takes && stage.stage === "coder" ? stage.session : from.coderSession)
        && to.summary === (takes && stage.stage === "coder" ? stage.text : from.summary)
        && (!takes || stage.undone.length === 0 || to.warnings.some((w) => w.includes(stage.undone.join(", "))))
        && (!takes || stage.denials.every((denial) => to.warnings.some((w) => w.includes(denial))));
    } },
    { name: "a documenter or reporter that finished leaves no warning", holds: (e) => { const { state, stage, to, from } = read(e); return stage?.outcome !== "done" || !["documenting", "reporting"].includes(state) || same(warningsOf(to), warningsOf(from)); } },
    { name: "a documenter's or reporter's trouble is a warning, once the documenter had its one new try", holds: (e) => {
      const { state, stage, from, to } = read(e), retries = state === "documenting" && at(e.to, "documenting") && stage !== undefined;
      return to.documenterRetried === (from.documenterRetried || retries) && (!stage || stage.outcome === "done" || !["documenting", "reporting"].includes(state) || (retries ? same(warningsOf(to), warningsOf(from)) : warningsOf(to).at(-1) === `${stage.stage}: ${stage.reason}`));
    } },
    { name: "the watch sees each error, diff of the coder, mended check and feedback, and nothing else", holds: (e) => {
      const { state, event, stage, from } = read(e), back = at(e.to, "coding");
      const must = state === "coding" && stage && back ? ["error"]
        : state === "committing" && event?.type === "workspace.committed" ? (back ? ["error"] : !unchanged(from, event) && from.stage === "coder" ? ["diff"] : [])
        : state === "checking" && event?.type === "verify.done" ? (back ? ["error"] : event.report.newFailures.length === 0 ? ["fixed"] : [])
        : state === "criticising" && stage && back ? ["feedback"] : [];
      return same(kinds(e), must) && told(e, "observe").every(({ to }) => to === watcherOf(contextOf(e.to))) && observed(e).every((seen) => !/"fingerprint":""|"hash":""|"words":\[\]/.test(JSON.stringify(seen)));
    } },
    { name: "the owner hears the end once, as it was, and the watch is ended with it", holds: (e) => {
      const over = e.from.status === "active" && e.to.status !== "active", ends = told(e, "pipeline.ended"), { to } = read(e), watch = told(e, "end");
      return ends.length === (over ? 1 : 0) && watch.length === ends.length && watch.every(({ to: whom }) => whom === watcherOf(to)) && ends.every(({ to: whom, event }) => whom === owner && event["outcome"] === e.to.value && event["attempt"] === attempt
        && event["failure"] === to.failure && event["reason"] === to.reason && event["head"] === to.head && event["iterations"] === to.iteration && same(event["workspace"], to.workspace) && same(event["checks"], to.checks) && event["costUsd"] === to.costUsd && event["summary"] === to.summary && same(event["warnings"], to.warnings)
        && same(event["leg"], to.leg && { n: to.leg.n, feedback: to.feedback, findings: to.findings, failing: to.newFailures, session: to.coderSession, diffHash: to.diffHash }));
    } },
    { name: "the owner is told of the gates whenever the work holds, and that none is settled when it changes again", holds: (e) => {
      const { event, stage, state, from, to } = read(e), tells = told(e, "pipeline.gates");
      // Through the place where the next stage is chosen: after good checks, an approval, a clean audit, and a documenter that gave up.
      const holds = (state === "checking" && event?.type === "verify.done" && event.report.newFailures.length === 0) || (state === "criticising" && stage?.verdict?.decision === "approve" && stage.outcome === "done")
        || (state === "auditing" && stage?.outcome === "done" && !at(e.to, "coding", "exhausted")) || (state === "documenting" && stage !== undefined && stage.outcome !== "done" && !at(e.to, "documenting"));
      const again = at(e.to, "coding") && started(e) && to.iteration > 1;
      return tells.length === (holds || again ? 1 : 0) && tells.every(({ to: whom, event: said }) => whom === owner && said["attempt"] === attempt && said["leg"] === to.leg?.n && same(said["gates"], again ? {} : gatesMust(to, from.stage)));
    } },
    { name: "each round leaves a line of what was wrong with it, and who goes on after a rule reads them", holds: (e) => {
      const { state, event, from, to } = read(e), before = from.tried ?? [], rises = to.iteration > from.iteration, line = to.tried?.at(-1) ?? "";
      const settles = event?.type === "stuck" && !at(e.from, "settling") && at(e.to, "settling");
      return (to.tried ?? []).length === before.length + (rises ? 1 : 0) && (!rises || (line.startsWith(`round ${from.iteration}: `) && (to.feedback === "" || state === "settling" || line.includes(to.feedback.slice(0, 20))))) && (!settles || before.every((each) => to.feedback.includes(each)));
    } },
    { name: "a leg that judges begins with what is there; the others with the coder", holds: (e) => { const { state, event, from } = read(e); return state !== "preparing" || event?.type !== "workspace.ready" || at(e.to, from.leg?.begin === "review" ? "committing" : "coding"); } },
    { name: "word of another stage or iteration, and misplaced events, change nothing", holds: (e) => {
      const { state, event, stage } = read(e);
      return e.from.status !== "active" || !event || event.type === "message" || event.type === "stage.heard" ? same(e.from.value, e.to.value) || e.from.status !== "active" : ((hears[state] ?? []).includes(event.type) && (event.type !== "stage.ended" || stage !== undefined)) || ignored(e);
    } },
  ],
};
