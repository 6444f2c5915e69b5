import { expect, test } from "vitest";
import { idleReason, type IdleSettings } from "../../src/client/idle.ts";
import type { WorkItemView } from "../../src/domain/view.ts";
import { itemState } from "../gateway/stand-in.ts";

const settings: IdleSettings = { automation: true, slots: 2, slotsPerProject: 2, claimUnassigned: true };
const item = (n: number, more: Partial<WorkItemView> = {}): WorkItemView => ({ ...itemState(n).item, ...more });
const busy = (n: number, more: Partial<WorkItemView> = {}): WorkItemView => item(n, { status: "operating", ...more });

test.for<readonly [says: string, items: readonly WorkItemView[], settings?: Partial<IdleSettings>]>([
  ["no item is ready: none is open", []],
  ["no item is ready: none is open", [item(1, { status: "done" }), item(2, { status: "exhausted" })]],
  // About to be started.
  ["", [item(1)]],
  ["", [busy(1), item(2)]],
  ["all 2 slots are in use (LOC-2, LOC-10); 1 waits (LOC-3)", [busy(10), busy(2), item(3)]],
  ["the only slot is in use (LOC-1); 2 wait (LOC-2, LOC-3)", [busy(1), item(2), item(3)], { slots: 1 }],
  ["project app uses its only slot; 1 waits (LOC-2)", [busy(1), item(2)], { slotsPerProject: 1 }],
  ["", [busy(1), item(2, { project: "other" })], { slotsPerProject: 1 }],
  ["no item is ready: 2 wait for a person (LOC-1, LOC-3), 1 is manual (LOC-2)", [item(1, { status: "blocked", blocked: "needsHuman" }), item(2, { operatorLane: "manual" }), item(3, { status: "awaitingApproval" })]],
  ["no item is ready: 1 is worked on (LOC-1), 1 waits for its next try (LOC-2)", [busy(1), item(2, { status: "retryAt", retryAt: 1 })]],
  ["no item is ready: 1 has no operator (LOC-1)", [item(1)], { claimUnassigned: false }],
  ["", [item(1, { operatorLane: "ralph" })], { claimUnassigned: false }],
  ["the day is used up; 2 wait (LOC-1, LOC-2)", [item(1), item(2)], { held: () => "the day is used up" }],
  ["", [item(1), item(2, { project: "other" })], { held: (project) => (project === "app" ? "its day is used up" : "") }],
  ["no item is ready: 2 are between two steps (LOC-1, LOC-2)", [item(1, { status: "tidying" }), item(2, { status: "discovered" })]],
  ["nothing is picked up by itself here: only what is asked for by command runs", [item(1)], { automation: false }],
  ["no item is ready: 7 wait for a person (LOC-1, LOC-2, LOC-3, LOC-4, LOC-5, …)", [1, 2, 3, 4, 5, 6, 7].map((n) => item(n, { status: "paused" }))],
])("%s", ([says, items, more]) => {
  expect(idleReason(items, { ...settings, ...more })).toBe(says);
});
