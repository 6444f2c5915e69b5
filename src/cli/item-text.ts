import type { ItemState } from "../client/contract.ts";
import { gatesText } from "../client/text/gates-text.ts";
import { iterationsOf } from "../client/text/item-text.ts";
import { block, indented, oneLine } from "../client/text/safe-text.ts";
import { isoTime } from "../client/text/time-text.ts";
import { waitingFor } from "../client/waiting.ts";
import { costText, isNothing } from "../domain/spend.ts";
import { isTerminal, type WorkItemStatus } from "../domain/work-item.ts";
import { paint, type Screen, type Tone } from "./screen.ts";

const tones: Partial<Readonly<Record<WorkItemStatus, Tone>>> = { done: "green", failed: "red", exhausted: "red", cancelled: "dim", blocked: "yellow", awaitingApproval: "yellow", review: "yellow", paused: "yellow", retryAt: "yellow" };

export const statusText = (screen: Screen, status: WorkItemStatus): string => {
  const tone = tones[status];
  return tone === undefined ? status : paint(screen, tone, status);
};

/** An item as `--json` gives it; instants in ISO. */
export const itemJson = (state: ItemState): Readonly<Record<string, unknown>> => {
  const { item, pipeline, stage } = state;
  const waiting = waitingFor(state);
  return {
    id: item.id, status: item.status, iterations: iterationsOf(state), branch: item.branch, commit: item.head, base: item.base, checks: item.checks,
    title: item.title, kind: item.kind, priority: item.priority, project: item.project, repository: item.repository, source: item.source, sourceId: item.sourceId,
    operatorLane: item.operatorLane, stage: pipeline !== null && !isTerminal(item.status) ? { name: pipeline.stage, iteration: pipeline.iteration, maxIterations: pipeline.maxIterations, state: stage?.state ?? pipeline.state } : null,
    waitsFor: { on: waiting.on, text: waiting.text, until: waiting.until === null ? null : isoTime(waiting.until) },
    blocked: item.blocked, question: item.question, reason: item.reason, summary: item.summary, warnings: item.warnings, needs: item.needs, gates: item.gates, ledger: item.ledger.map((entry) => ({ ...entry, at: isoTime(entry.at) })), costUsd: state.cost.usd, cost: state.cost,
    worktree: item.worktree, published: item.published, failures: item.failures, infraFailures: item.infraFailures,
    createdAt: isoTime(item.createdAt), updatedAt: isoTime(state.updatedAt), retryAt: item.retryAt === null ? null : isoTime(item.retryAt),
  };
};

/** What came out, for a person. */
export const summaryText = (screen: Screen, state: ItemState): string => {
  const { item } = state;
  const facts: [string, string][] = [["iterations", String(iterationsOf(state))]];
  if (item.branch !== null) facts.push(["branch", item.branch]);
  if (item.head !== null) facts.push(["commit", item.head.slice(0, 12)]);
  if (item.checks !== null) facts.push(["checks", item.checks.head === "0/0" ? "none found; see verify.checks" : `${item.checks.base} → ${item.checks.head}`]);
  if (item.needs.length > 0) facts.push(["gates", gatesText(item)]);
  if (!isNothing(state.cost)) facts.push(["cost", costText(state.cost)]);
  if (item.published !== "") facts.push(["published", item.published]);
  if (item.reason !== "") facts.push(["reason", item.reason]);
  if (item.question !== null) facts.push(["question", item.question]);
  for (const warning of item.warnings) facts.push(["warning", warning]);
  const lines = facts.map(([name, value]) => `  ${paint(screen, "dim", name.padEnd(11))}${oneLine(value)}\n`);
  const summary = item.summary === "" ? "" : `\n${indented(block(item.summary), "  ")}\n`;
  return `${paint(screen, "bold", item.id)} ${statusText(screen, item.status)}: ${oneLine(item.title)}\n${lines.join("")}${summary}`;
};
