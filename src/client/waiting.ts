import { pendingGates } from "../domain/gate.ts";
import type { WorkItemView } from "../domain/view.ts";
import type { ItemState } from "./contract.ts";

/** What an item waits for, from its views alone: one truth for the progress line, `task list` and `why`. Pure. */
export interface Waiting {
  readonly on: "nothing" | "agent" | "checks" | "git" | "time" | "slot" | "person" | "factory";
  /** Follows "waits for". */
  readonly text: string;
  /** When it goes on by itself, milliseconds since the epoch. */
  readonly until: number | null;
  /** Commands with which a person moves it on; arguments of `enact-factory`. */
  readonly commands: readonly (readonly string[])[];
}

/** Everything is settled but its closing, which is a person's alone. */
export const isDeferred = (item: Pick<WorkItemView, "status" | "needs" | "gates">): boolean => item.status === "review" && pendingGates(item.needs, item.gates).join() === "closureEvidence";

const waiting = (on: Waiting["on"], text: string, more: { readonly until?: number | null; readonly commands?: readonly (readonly string[])[] } = {}): Waiting => ({ on, text, until: more.until ?? null, commands: more.commands ?? [] });

const teamText = (team: ItemState["team"]): string => (team === null ? "its team" : `its team: ${team.phase}${team.tasks === 0 ? "" : `, ${team.done} of ${team.tasks} tasks done`}`);

/** Who works on which part, and how many are done. */
const workersText = ({ state, stories, workers = [] }: NonNullable<ItemState["lane"]>): string => {
  if (state === "starting") return "its worktree";
  const busy = workers.filter(({ task }) => task !== null).map(({ name, task, state: does }) => `${name} ${does === "working" ? "" : `${does} `}on ${task}`);
  return `its workers: ${stories.filter(({ passes }) => passes).length} of ${stories.length} parts done${busy.length === 0 ? "" : `, ${busy.slice(0, 5).join(", ")}${busy.length > 5 ? ", …" : ""}`}`;
};

export const waitingFor = (state: ItemState): Waiting => {
  const { item } = state;
  const { id } = item;
  switch (item.status) {
    case "done":
    case "failed":
    case "cancelled":
    case "exhausted":
      return waiting("nothing", "nothing: it has ended", { commands: item.status === "done" ? [] : [["task", "retry", id]] });
    case "discovered":
    case "claimed":
      return waiting("factory", "its next step");
    case "awaitingApproval":
      return waiting("person", "your approval", { commands: [["task", "approve", id], ["task", "reject", id, "--reason", "…"]] });
    case "ready":
      return item.operatorLane === "manual"
        ? waiting("person", "a command: automation leaves manual items alone", { commands: [["resume", id]] })
        : waiting("slot", "a free slot", { commands: [["resume", id]] });
    case "operating":
      if (state.lane?.session != null && !state.lane.running && (state.lane.state === "executing" || state.lane.state === "fixing")) return waiting("agent", `session ${state.lane.session}, which does this round of work itself`, { commands: [["task", "pause", id]] });
      if (state.lane?.state === "pausing" || (state.lane === null && state.team?.phase === "pausing")) return waiting("agent", "its agent to end: it is being paused");
      if (state.lane?.workers !== undefined && state.pipeline === null) return waiting("agent", workersText(state.lane));
      return (item.operatorLane === "team" || state.team !== null) && state.pipeline === null ? waiting("agent", teamText(state.team), { commands: [["team", "status"]] }) : inPipeline(state);
    case "verifying":
      return waiting("checks", "the last checks of the finished work");
    case "review":
      if (isDeferred(item)) return waiting("person", "a person to close it: it spans several projects (§I4 closure-evidence-missing)", { commands: [["task", "close", id, "--reason", "…"], ["task", "reject", id, "--reason", "…"]] });
      return waiting("person", "your review", { commands: [["task", "approve", id], ["task", "reject", id, "--reason", "…"]] });
    case "publishing":
      return waiting("git", "its result to be published");
    case "tidying":
      return waiting("git", "its worktree to be removed; the result is published");
    case "retryAt":
      return waiting("time", "its next try", { until: item.retryAt, commands: [["task", "retry", id], ["task", "cancel", id]] });
    case "paused":
      return waiting("person", state.lane?.state === "paused" ? `you: it is paused in ${state.lane.phase}` : "you: it is paused", { commands: [["task", "resume", id]] });
    case "cancelling":
      return waiting("agent", "its agents to end");
    case "blocked":
      return blocked(state);
  }
};

const blocked = ({ item }: ItemState): Waiting => {
  const { id } = item;
  switch (item.blocked) {
    case "needsHuman": return item.running ? waiting("person", "your answer", { commands: [["task", "answer", id, "…"]] }) : waiting("person", "your advice: it is stuck", { commands: [["task", "answer", id, "…"], ["task", "retry", id]] });
    case "needsSpec": return waiting("person", "a clearer task", { commands: [["task", "cancel", id]] });
    case "needsReconcile": return waiting("person", "you to look: an event could not be processed", { commands: [["log", id], ["task", "retry", id]] });
    case "needsEnvironment":
    case null:
      return waiting("person", "its surroundings to be mended", { commands: [["doctor"], ["task", "retry", id]] });
  }
};

const inPipeline = ({ pipeline, stage, lane }: ItemState): Waiting => {
  // A planner's stage is in no pipeline.
  if (pipeline === null && stage !== null) return inStage(stage.stage, stage);
  switch (pipeline?.state) {
    case undefined: return lane?.state === "starting" ? waiting("git", "its worktree") : waiting("factory", "its pipeline to start");
    case "preparing": return waiting("git", "its worktree");
    case "committing": return waiting("git", "the change to be committed");
    case "checking": return waiting("checks", "the checks on base and head");
    case "saving": return waiting("git", "a checkpoint of the work");
    case "cancelling": return waiting("agent", "the agent to end");
    case "settling": return waiting("agent", `the ${pipeline?.stage ?? "stage"} to end, stopped by rule ${pipeline?.rule ?? ""}`);
    case "coding":
    case "criticising":
    case "testing":
    case "documenting":
    case "auditing":
    case "reporting":
      break;
    default: return waiting("factory", "its next step");
  }
  return inStage(pipeline?.stage ?? "agent", stage);
};

const inStage = (name: string, stage: ItemState["stage"]): Waiting => {
  switch (stage?.state) {
    case "working": if (stage.waitsForPlace) return waiting("slot", `a place at ${stage.adapter} for the ${name}: as many turns run there, or began within the hour, as may`, { commands: [["adapters", "list"]] });
      return waiting("agent", `the ${name} (${stage.adapter}${stage.model === null ? "" : ` ${stage.model}`}${stage.tryNumber > 1 ? `, try ${stage.tryNumber}` : ""})`);
    case "waiting": return waiting("time", `the ${name}'s next try${stage.reason === "" ? "" : `: ${stage.reason.slice(0, 200)}`}`, { until: stage.retryAt });
    case "asking": return waiting("person", "your answer");
    case "enforcing": return waiting("git", `what the ${name} may not change to be put back`);
    case "cancelling": return waiting("agent", `the ${name} to end`);
    // Between two stages: the one that ended is still the one in view.
    default: return waiting("factory", "its next step");
  }
};
