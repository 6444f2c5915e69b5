import { isTerminal } from "../../domain/work-item.ts";
import type { ItemState } from "../contract.ts";
import { relativeTime } from "../explain.ts";
import { waitingFor } from "../waiting.ts";
import { oneLine } from "./safe-text.ts";
import { clockTime } from "./time-text.ts";

/** `coder 2/5`; empty while no stage is under way. */
export const stageText = ({ item, pipeline }: ItemState): string =>
  pipeline === null || isTerminal(item.status) || item.attempt < item.lineage ? "" : `${pipeline.stage} ${pipeline.iteration}/${pipeline.maxIterations}`;

/** What it waits for, with the instant when it goes on by itself. For an item that has ended: how. */
export const waitText = (state: ItemState, now: number): string => {
  if (isTerminal(state.item.status)) return oneLine(state.item.reason || (state.item.status === "done" ? "published" : state.item.status));
  const { text, until } = waitingFor(state);
  const why = (state.item.status === "retryAt" || (state.item.status === "blocked" && state.item.blocked !== "needsHuman")) && state.item.reason !== "" ? `: ${oneLine(state.item.reason)}` : "";
  return `waits for ${oneLine(text)}${why}${until === null ? "" : ` ${relativeTime(until, now)} (${clockTime(until)})`}`;
};

/** The coder's rounds: those of ended pipelines and of the one under way. */
export const iterationsOf = ({ item, pipeline }: ItemState): number => (isTerminal(item.status) || pipeline === null ? item.iterations : Math.max(item.iterations, pipeline.iteration));
