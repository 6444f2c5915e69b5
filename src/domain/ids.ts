import { z } from "zod";

/** A work item's own id: two to eight capitals, a dash, a number (`LOC-12`). The source's id is kept beside it. */
export const WorkItemId = z.string().regex(/^[A-Z]{2,8}-[0-9]{1,12}$/, "a work item id looks like LOC-12").brand<"WorkItemId">();
export type WorkItemId = z.infer<typeof WorkItemId>;

/** One agent process: derived from the outbox key that asked for it, so that asking twice adopts instead of starting a second. */
export const RunId = z.string().regex(/^[a-z0-9][a-z0-9.-]{0,99}$/).brand<"RunId">();
export type RunId = z.infer<typeof RunId>;

/**
 * Where a durable actor lives: `chart/WORKITEM/attempt[/part]`, e.g. `item/LOC-1/1`, `stage/LOC-1/1/coder.2`.
 * The attempt rises when a finished item is tried again, so a late message for an old attempt meets an actor that absorbs it.
 */
export type Address = `${string}/${string}`;

export const itemAddress = (id: WorkItemId, attempt: number): Address => `item/${id}/${attempt}`;
/** `leg`: a pipeline that is a step of a lane, e.g. `pipeline/LOC-1/1/leg2`, of a lane within a lane `pipeline/LOC-1/1/leg2.3`; so of what belongs to it. */
export const pipelineAddress = (id: WorkItemId, attempt: number, leg?: string): Address => `pipeline/${id}/${attempt}${leg === undefined ? "" : `/leg${leg}`}`;
export const progressAddress = (id: WorkItemId, attempt: number, leg?: string): Address => `progress/${id}/${attempt}${leg === undefined ? "" : `/leg${leg}`}`;
export const stageAddress = (id: WorkItemId, attempt: number, stage: string, n: number, leg?: string): Address => `stage/${id}/${attempt}/${leg === undefined ? "" : `leg${leg}.`}${stage}.${n}`;
export const laneAddress = (lane: string, id: WorkItemId, attempt: number, leg?: string): Address => `${lane}/${id}/${attempt}${leg === undefined ? "" : `/leg${leg}`}`;
export const teamAddress = (id: WorkItemId, attempt: number): Address => `team/${id}/${attempt}`;
export const memberAddress = (id: WorkItemId, attempt: number, member: string): Address => `member/${id}/${attempt}/${member}`;

export const isAddress = (text: string): text is Address => text.includes("/");

/** The parts of an address; `undefined` when the text is no address of ours. */
export const parseAddress = (address: string): { readonly chart: string; readonly item: WorkItemId; readonly attempt: number; readonly part?: string } | undefined => {
  const [chart, id, attempt, part] = address.split("/");
  const item = WorkItemId.safeParse(id);
  const n = Number(attempt);
  if (!chart || !item.success || !Number.isInteger(n) || n < 1) return undefined;
  return { chart, item: item.data, attempt: n, ...(part === undefined ? {} : { part }) };
};
