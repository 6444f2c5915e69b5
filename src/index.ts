/**
 * The library entry: the contract of a factory's clients and the words it is written in. Importing it starts nothing and reads nothing.
 */
export { ClientProblem } from "./client/contract.ts";
export type {
  CommandReceipt, FactoryClient, FactoryDescription, ItemCommand, ItemEvidence, ItemState, JournalLine, LiveChange, ProcessNode, Submission,
} from "./client/contract.ts";
export { AdapterName } from "./domain/agent.ts";
export { WorkItemId } from "./domain/ids.ts";
export { lanes, OperatorLane } from "./domain/lane.ts";
export { Stage, stages } from "./domain/stage.ts";
export { Audit, Finding, Verdict } from "./domain/verdict.ts";
export { BlockedReason, isTerminal, terminalStatuses, WorkItem, WorkItemKind, WorkItemStatus } from "./domain/work-item.ts";
export type { PipelineView, ProgressView, StageView, WorkItemView } from "./domain/view.ts";
