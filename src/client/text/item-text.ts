import { isTerminal } from "../../domain/work-item.ts";
import type { ItemState } from "../contract.ts";
import { relativeTime } from "../explain.ts";
import { waitingFor } from "../waiting.ts";
import { oneLine } from "./safe-text.ts";
import { clockTime } from "./time-text.ts";

/** `ralph fixing 3/10`, and which part of how many; where all are worked on at once, how many are done. */
const laneText = ({ lane, phase, iteration, maxIterations, stories }: NonNullable<ItemState["lane"]>): string =>
  lane === "ultrawork" ? `${lane} ${phase}, ${stories.filter(({ passes }) => passes).length} of ${stories.length} parts` : `${lane} ${phase} ${iteration}/${maxIterations}${stories.length > 1 ? `, part ${Math.min(stories.length, stories.filter(({ passes }) => passes).length + 1)} of ${stories.length}` : ""}`;

/** `coder 2/5`; of a lane with phases where its run stands; empty while no stage is under way. */
export const stageText = ({ item, pipeline, lane, nested }: ItemState): string =>
  lane !== null && !isTerminal(item.status) ? (nested === null ? laneText(lane) : `${lane.lane} ${lane.phase}, ${laneText(nested)}`) : pipeline === null || isTerminal(item.status) || item.attempt < item.lineage ? "" : `${pipeline.stage} ${pipeline.iteration}/${pipeline.maxIterations}`;

/** What it waits for, with the instant when it goes on by itself. For an item that has ended: how. */
export const waitText = (state: ItemState, now: number): string => {
  if (isTerminal(state.item.status)) return oneLine(state.item.reason || (state.item.status === "done" ? "published" : state.item.status));
  const { text, until } = waitingFor(state);
  const why = (state.item.status === "retryAt" || (state.item.status === "blocked" && state.item.blocked !== "needsHuman")) && state.item.reason !== "" ? `: ${oneLine(state.item.reason)}` : "";
  return `waits for ${oneLine(text)}${why}${until === null ? "" : ` ${relativeTime(until, now)} (${clockTime(until)})`}`;
};

/** The coder's rounds: those of ended pipelines and of the one under way. */
export const iterationsOf = ({ item, pipeline }: ItemState): number => (isTerminal(item.status) ? item.iterations : Math.max(item.iterations, pipeline?.iteration ?? 0));
