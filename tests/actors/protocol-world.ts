/** What the world answers to an effect: a pure function of the request and a number drawn from the tape. 0 is always what goes well. */
import type { EventObject } from "xstate";
import type { AgentFailure, TurnOutcome } from "../../src/domain/agent.ts";
import type { EffectRequest, TurnEffect } from "../../src/domain/effects.ts";
import { parseAddress, RunId } from "../../src/domain/ids.ts";
import type { Charge } from "../../src/domain/spend.ts";
import { charge, report } from "../../machines/exploration/fixtures.ts";

type Result = EventObject & Readonly<Record<string, unknown>>;

const trouble = (kind: string, klass: "io" | "environment"): Result => ({ type: "effect.failed", kind, class: klass, message: `${kind} failed`, mend: "mend it" });

const message = "simulated";
const failures = (now: number): readonly AgentFailure[] => [
  { kind: "crashed", exitCode: 1, signal: null, message }, { kind: "noResult", message }, { kind: "badSession", message }, { kind: "contextFull", message }, { kind: "overlong", message }, { kind: "rateLimited", until: now + 90_000, message }, { kind: "rateLimited", until: null, message },
  { kind: "overloaded", message }, { kind: "network", message }, { kind: "spawn", message }, { kind: "timeout", afterMs: 1 }, { kind: "stalled", afterMs: 1 }, { kind: "interrupted" }, { kind: "auth", message }, { kind: "model", message },
];

const runOf = (key: string): RunId => RunId.parse(`run-${key.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-")}`);

/** A turn that had no process used nothing. */
const used = (key: string, run: RunId, ended: TurnOutcome["ended"]): { readonly spend?: Charge } => {
  const item = parseAddress(key.split(":")[0] ?? "")?.item;
  return item === undefined || (ended.how === "failed" && ended.failure.kind === "spawn") ? {} : { spend: { ...charge, run, item } };
};

const outcome = (key: string, ended: TurnOutcome["ended"], more: Partial<TurnOutcome> = {}): Result => ({
  type: "turn.ended",
  outcome: { runId: runOf(key), ...used(key, runOf(key), ended), ended, sessionId: "session", sessionCostUsd: 0.1, costUsd: 0.1, usage: { inputTokens: 1, outputTokens: 1, cachedTokens: 0 }, verdict: null, audit: null, permissionDenials: [], swept: 0, ...more } satisfies TurnOutcome,
});

export const cancelledTurn = (key: string, heard: readonly string[]): Result => outcome(key, { how: "cancelled" }, { heard: [...heard] });

/** What a team's member answers; 0 is what goes well. */
const member = ({ duty }: TurnEffect, key: string, drawn: number): Result => {
  const completed = { how: "completed", text: "finished" } as const, messages = drawn % 7 === 3 ? [{ to: drawn % 2 === 0 ? "all" : "leader", text: `number ${drawn}` }] : [];
  switch (duty) {
    case "plan": return outcome(key, completed, drawn >= 70 ? { messages } : { messages, plan: { tasks: drawn >= 60 ? [{ title: "round", description: "", acceptance: [], dependsOn: [1] }] : [1, 2, 3].slice(0, 1 + (drawn % 3)).map((n) => ({ title: `task ${n}`, description: "", acceptance: drawn % 2 === 0 ? ["it works"] : [], dependsOn: n > 1 && drawn % 4 === 0 ? [n - 1] : [] })) } });
    case "criteria": return outcome(key, completed, drawn >= 70 ? { messages } : { messages, criteria: { criteria: [{ task: drawn >= 60 ? 9 : 1, acceptance: ["it works"] }] } });
    case "verdict": return outcome(key, completed, drawn >= 80 ? {} : { verdict: drawn >= 76 ? { decision: "reject", feedback: "not wanted", findings: [] } : drawn >= 50 ? { decision: "revise", feedback: `not yet, see number ${drawn}`, findings: [] } : { decision: "approve", feedback: "", findings: [] } });
    default: return outcome(key, completed, { messages });
  }
};

/** Failures before the CLI has taken its prompt. */
const before: ReadonlySet<AgentFailure["kind"]> = new Set(["badSession", "spawn", "auth"]);

/** `live`: messages that the agent took while it worked. */
const turn = (asked: TurnEffect, key: string, drawn: number, now: number, live: readonly string[]): Result => {
  const { stage, brief } = asked;
  const all = [...brief.messages.map(({ id }) => id), ...live];
  if (drawn >= 90) {
    const failure = failures(now)[drawn % failures(now).length];
    if (failure) return outcome(key, { how: "failed", failure }, { heard: before.has(failure.kind) && live.length === 0 ? [] : all });
  }
  if (drawn >= 84) return outcome(key, { how: "question", text: "which one?" }, { heard: all });
  if (asked.duty !== undefined) return member(asked, key, drawn);
  const completed = { how: "completed", text: "finished" } as const;
  switch (stage) {
    case "critic": {
      if (drawn >= 80) return outcome(key, completed, { heard: all });
      return outcome(key, completed, { heard: all, verdict: drawn >= 76 ? { decision: "reject", feedback: "not wanted", findings: [] } : drawn >= 45 ? { decision: "revise", feedback: `not yet, see number ${drawn}`, findings: [] } : { decision: "approve", feedback: "", findings: [] } });
    }
    case "auditor": {
      if (drawn >= 80) return outcome(key, completed, { heard: all });
      return outcome(key, completed, { heard: all, audit: { findings: drawn >= 60 ? [{ severity: "critical", message: "a hole" }] : [] } });
    }
    default: return outcome(key, completed, { heard: all });
  }
};

/** `serial` makes every commit another one. */
export const resultOf = (request: EffectRequest, key: string, drawn: number, serial: number, now: number, live: readonly string[]): Result => {
  switch (request.kind) {
    case "workspace.prepare": return drawn >= 95 ? trouble(request.kind, drawn >= 98 ? "environment" : "io") : { type: "workspace.ready", workspace: { path: `/worktrees/${request.item}${request.member ?? ""}`, branch: `enact/${request.item}${request.member === undefined ? "" : `--${request.member}`}`, base: "base0" } };
    case "workspace.commit": {
      if (drawn >= 96) return trouble(request.kind, "io");
      const empty = drawn >= 88;
      return { type: "workspace.committed", head: empty ? "base0" : `head${serial}`, empty, diffHash: `diff${drawn % 5}`, changed: [], summary: "1 file changed" };
    }
    case "workspace.sync": return drawn >= 95 ? trouble(request.kind, drawn >= 98 ? "environment" : "io") : { type: "workspace.synced", head: request.onto, conflicts: typeof request.from === "object" || drawn >= 90 ? ["a.ts"] : [] };
    case "workspace.merge": return drawn >= 97 ? trouble(request.kind, "io") : drawn >= 75 ? { type: "workspace.conflicted", files: ["a.ts"] } : { type: "workspace.merged", head: `merged${serial}` };
    case "notify": return { type: "notify.told" };
    case "workspace.checkpoint": return drawn >= 90 ? trouble(request.kind, "io") : { type: "workspace.checkpointed", ref: "refs/enact/checkpoints/1" };
    case "workspace.remove": return drawn >= 90 ? trouble(request.kind, "io") : { type: "workspace.removed" };
    case "workspace.enforce": return drawn >= 94 ? trouble(request.kind, "environment") : { type: "workspace.enforced", undone: drawn >= 70 ? ["src/a.ts"] : [] };
    case "verify": return drawn >= 94 ? trouble(request.kind, drawn >= 97 ? "environment" : "io") : { type: "verify.done", report: report(drawn >= 65 ? [`test: ${drawn % 4}`] : [], request.head) };
    case "source.push": return drawn >= 95 ? { type: "source.refused", message: "it does not want that" } : { type: "source.pushed" };
    case "publish": return drawn >= 85 ? trouble(request.kind, "environment") : { type: "published", where: `branch ${request.branch}` };
    case "turn": return turn(request, key, drawn, now, live);
    case "turn.cancel": return { type: "turn.cancel.sent", ...(request.tryNumber === undefined ? {} : { tryNumber: request.tryNumber }) };
    // Only one whose turn is over comes here.
    case "turn.message": return { type: "turn.message.sent", id: request.id, delivered: live.includes(request.id) };
  }
};
