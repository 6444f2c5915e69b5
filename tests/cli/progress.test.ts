import { expect, test } from "vitest";
import type { ItemState } from "../../src/client/contract.ts";
import { progressView } from "../../src/cli/progress-view.ts";
import type { Screen } from "../../src/cli/screen.ts";
import { WorkItemId } from "../../src/domain/ids.ts";
import { noCost } from "../../src/domain/spend.ts";

const state = (id: string, status: "ready" | "operating" | "done", stage = "coder"): ItemState => ({
  item: {
    id: WorkItemId.parse(id), source: "local", sourceId: "1", title: "漢字 \u001b[2J", kind: "bug", priority: 1, createdAt: 0, project: "p", repository: "/r", operatorLane: "none", status, lineage: 1, attempt: 1,
    iterations: 1, failures: 0, itemFailures: 1, infraFailures: 0, infraRetries: 5, retryAt: null, blocked: null, question: null, reason: "", branch: null, worktree: null, base: null, head: null, checks: null, summary: "", warnings: [], costUsd: 0, published: "", running: false, needs: [], gates: {}, ledger: [],
  },
  pipeline: { state: stage === "coder" ? "coding" : "criticising", stage: stage === "coder" ? "coder" : "critic", stageAddress: "stage/LOC-1/1/coder.1", iteration: 1, maxIterations: 5, branch: null, worktree: null, head: null, changeSummary: "", checks: null, newFailures: [], feedback: "", escalated: false, question: null, costUsd: 0, rule: "", reason: "" },
  stage: { state: "working", stage: stage === "coder" ? "coder" : "critic", iteration: 1, tryNumber: 1, adapter: "claude", model: null, waitsForPlace: false, infraFailures: 0, infraRetries: 5, refused: 0, refusedRetries: 288, crashes: 0, crashRetries: 2, retryAt: null, question: null, reason: "", costUsd: 0 },
  progress: null, team: null, lane: null, nested: null, cost: noCost, updatedAt: 0,
});

/** What a terminal of that width shows in the end: enough of one for our own sequences. */
const shown = (written: string): readonly string[] => {
  const lines: string[] = [""];
  // oxlint-disable-next-line no-control-regex
  for (const [part] of written.matchAll(/\u001b\[[?\d;]*[A-Za-z]|\n|[^\n\u001b]+/g)) {
    // oxlint-disable-next-line no-control-regex
    const up = /^\u001b\[(\d+)A$/.exec(part);
    if (up !== null) lines.splice(lines.length - 1 - Number(up[1]), Number(up[1]) + 1, "");
    else if (part === "\n") lines.push("");
    else if (!part.startsWith("\u001b")) lines[lines.length - 1] += part;
  }
  return lines.slice(0, -1);
};

const screenOf = (isTty: boolean): Screen & { readonly text: () => string } => {
  let text = "";
  return { write: (part) => { text += part; }, isTty, colour: false, columns: () => (isTty ? 72 : Infinity), rows: () => (isTty ? 24 : Infinity), text: () => text };
};

test("on a terminal there is one line an item, in place, and what is said stands above them", () => {
  const screen = screenOf(true);
  const view = progressView(screen, () => 0);
  view.show([state("LOC-1", "operating"), state("LOC-2", "ready")]);
  view.say("first");
  view.show([state("LOC-1", "operating", "critic"), state("LOC-2", "operating")]);
  view.say("second");
  view.show([state("LOC-1", "done"), state("LOC-2", "operating", "critic")]);
  view.end();
  const lines = shown(screen.text());
  expect(lines.slice(0, 2)).toEqual(["first", "second"]);
  expect(lines.slice(2).map((line) => line.split(/\s+/).slice(0, 3))).toEqual([["LOC-1", "0:00", "done"], ["LOC-2", "0:00", "critic"]]);
  for (const line of lines) expect(line.length).toBeLessThan(72);
  expect(screen.text().lastIndexOf("\u001b[?25h")).toBeGreaterThan(screen.text().lastIndexOf("\u001b[?25l"));
  expect(screen.text()).not.toContain("\u001b[2J");
});

test("elsewhere there is a plain line for each change and none for what stayed the same", () => {
  const screen = screenOf(false);
  const view = progressView(screen, () => 0);
  view.show([state("LOC-1", "ready")]);
  view.show([state("LOC-1", "ready")]);
  view.show([state("LOC-1", "operating")]);
  view.show([state("LOC-1", "operating")]);
  view.show([state("LOC-1", "done")]);
  view.end();
  expect(screen.text().trimEnd().split("\n").map((line) => line.replace(/^\S+ /, ""))).toEqual(["LOC-1 ready coder 1/5: waits for a free slot", "LOC-1 operating coder 1/5: waits for the coder (claude)", "LOC-1 done: published"]);
  // oxlint-disable-next-line no-control-regex
  expect(screen.text()).not.toMatch(/\u001b/);
});
