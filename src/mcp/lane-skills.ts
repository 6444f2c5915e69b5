import type { OperatorLane } from "../domain/lane.ts";

/** Skills whose activation means: this lane drives the work item from now on. */
export const laneSkills = ["ralph", "autopilot", "ultrawork", "team"] as const satisfies readonly OperatorLane[];
export type LaneSkill = (typeof laneSkills)[number];

export const laneOfSkill = (name: string): LaneSkill | undefined => laneSkills.find((lane) => lane === name);
