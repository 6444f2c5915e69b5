import { createHash } from "node:crypto";
import type { RunId } from "../domain/ids.ts";

/** The mark that a run's processes carry (tmux/process-table.ts): run ids are unique in one state directory only, so the place of the runs is part of it. */
export const runMark = (root: string, runId: RunId): string => `${runId}@${createHash("sha256").update(root).digest("hex").slice(0, 12)}`;
