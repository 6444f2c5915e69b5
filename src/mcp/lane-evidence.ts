import type { LaneRunView } from "../domain/view.ts";
import { terminalStatuses } from "../domain/work-item.ts";

const commit = "a commit that changes something and breaks no check";
const approval = "good checks on base and head, an approval of the whole, and the later stages";

/** What ends each phase; the tables of docs/lanes.md. */
const evidence: Readonly<Record<LaneRunView["lane"], Readonly<Record<string, string>>>> = {
  ralph: { executing: commit, fixing: commit, verifying: "good checks on base and head, and an approval of the commit that was claimed" },
  autopilot: {
    expansion: "the planner's acceptance criteria", planning: "a plan whose tasks can be put in order", execution: "the end of the run that does the plan's tasks, with a commit",
    qa: "good checks on base and head, and the tester's end where there is one", mending: commit, validation: approval,
  },
  ultrawork: { executing: "every part merged, or given up", fixing: "every part merged, or given up", verifying: approval },
};

const over: ReadonlySet<string> = new Set<string>(terminalStatuses);

/** What a run lacks for its next phase; empty when it has ended. */
export const lacks = ({ lane, state, phase }: LaneRunView): string => {
  if (over.has(state)) return "";
  if (state === "pausing" || state === "paused") return `a resume; then ${evidence[lane][phase] ?? "its phase"}`;
  return state === "starting" ? "its worktree" : (evidence[lane][phase] ?? "");
};
