/** What the world answers to an effect: a pure function of the request and a number drawn from the tape. 0 is always what goes well. */
import type { EventObject } from "xstate";
import type { AgentFailure, TurnOutcome } from "../../src/domain/agent.ts";
import type { EffectRequest, TurnEffect } from "../../src/domain/effects.ts";
import { RunId } from "../../src/domain/ids.ts";
import { report } from "../../machines/exploration/fixtures.ts";

type Result = EventObject & Readonly<Record<string, unknown>>;

const trouble = (kind: string, klass: "io" | "environment"): Result => ({ type: "effect.failed", kind, class: klass, message: `${kind} failed`, mend: "mend it" });

const message = "simulated";
const failures = (now: number): readonly AgentFailure[] => [
  { kind: "crashed", exitCode: 1, signal: null, message }, { kind: "noResult", message }, { kind: "badSession", message }, { kind: "rateLimited", until: now + 90_000, message }, { kind: "rateLimited", until: null, message },
  { kind: "overloaded", message }, { kind: "network", message }, { kind: "spawn", message }, { kind: "timeout", afterMs: 1 }, { kind: "stalled", afterMs: 1 }, { kind: "interrupted" }, { kind: "auth", message },
];

const outcome = (key: string, ended: TurnOutcome["ended"], more: Partial<TurnOutcome> = {}): Result => ({
  type: "turn.ended",
  outcome: { runId: RunId.parse(`run-${key.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-")}`), ended, sessionId: "session", sessionCostUsd: 0.1, costUsd: 0.1, usage: { inputTokens: 1, outputTokens: 1, cachedTokens: 0 }, verdict: null, audit: null, permissionDenials: [], swept: 0, ...more } satisfies TurnOutcome,
});

export const cancelledTurn = (key: string, heard: readonly string[]): Result => outcome(key, { how: "cancelled" }, { heard: [...heard] });

/** Failures before the CLI has taken its prompt. */
const before: ReadonlySet<AgentFailure["kind"]> = new Set(["badSession", "spawn", "auth"]);

/** `live`: messages that the agent took while it worked. */
const turn = ({ stage, brief }: TurnEffect, key: string, drawn: number, now: number, live: readonly string[]): Result => {
  const all = [...brief.messages.map(({ id }) => id), ...live];
  if (drawn >= 90) {
    const failure = failures(now)[drawn % failures(now).length];
    if (failure) return outcome(key, { how: "failed", failure }, { heard: before.has(failure.kind) && live.length === 0 ? [] : all });
  }
  if (drawn >= 84) return outcome(key, { how: "question", text: "which one?" }, { heard: all });
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
    case "workspace.prepare": return drawn >= 95 ? trouble(request.kind, drawn >= 98 ? "environment" : "io") : { type: "workspace.ready", workspace: { path: `/worktrees/${request.item}`, branch: `enact/${request.item}`, base: "base0" } };
    case "workspace.commit": {
      if (drawn >= 96) return trouble(request.kind, "io");
      const empty = drawn >= 88;
      return { type: "workspace.committed", head: empty ? "base0" : `head${serial}`, empty, diffHash: `diff${drawn % 5}`, changed: [], summary: "1 file changed" };
    }
    case "workspace.checkpoint": return drawn >= 90 ? trouble(request.kind, "io") : { type: "workspace.checkpointed", ref: "refs/enact/checkpoints/1" };
    case "workspace.remove": return drawn >= 90 ? trouble(request.kind, "io") : { type: "workspace.removed" };
    case "workspace.enforce": return drawn >= 94 ? trouble(request.kind, "environment") : { type: "workspace.enforced", undone: drawn >= 70 ? ["src/a.ts"] : [] };
    case "verify": return drawn >= 94 ? trouble(request.kind, drawn >= 97 ? "environment" : "io") : { type: "verify.done", report: report(drawn >= 65 ? [`test: ${drawn % 4}`] : [], request.head) };
    case "publish": return drawn >= 85 ? trouble(request.kind, "environment") : { type: "published", where: `branch ${request.branch}` };
    case "turn": return turn(request, key, drawn, now, live);
    case "turn.cancel": return { type: "turn.cancel.sent", ...(request.tryNumber === undefined ? {} : { tryNumber: request.tryNumber }) };
    // Only one whose turn is over comes here.
    case "turn.message": return { type: "turn.message.sent", id: request.id, delivered: live.includes(request.id) };
  }
};
