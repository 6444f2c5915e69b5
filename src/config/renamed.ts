/** Names of older configurations and what replaced them. */
import { lanes } from "../domain/lane.ts";
import { renamedStages, stages } from "../domain/stage.ts";
import type { KeyPath } from "./toml-positions.ts";

/** Lanes that never were, or no longer are. The plain pipeline is what an item of lane `none` gets. */
const renamedLanes: Readonly<Record<string, (typeof lanes)[number]>> = { pipeline: "none", swarm: "team", ultrapilot: "team", executor: "none", reviewer: "none" };

const renamedKeys: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  "autonomous.defaultStages": renamedStages,
  projects: { operatorLane: "lane", path: "projectPath", heartbeatInterval: "heartbeatMs", heartbeatIntervalMs: "heartbeatMs" },
  discord: { botToken: "token", webhook: "webhookUrl", channel: "channelId" },
  azdo: { organization: "org", pat: "apiKey", team: "teamId" },
  github: { repositories: "repos" },
};

/** Array positions do not matter to a name. */
const tableName = (path: KeyPath): string => path.filter((step) => typeof step === "string").join(".");

/** The new name of a key in the table at `path`. */
export const renamedKey = (path: KeyPath, key: string): string | undefined => {
  const names = renamedKeys[tableName(path)];
  return names !== undefined && Object.hasOwn(names, key) ? names[key] : undefined;
};

/** The stage that a key means, by its old name or its own. */
export const stageNamed = (key: string): string | undefined => (Object.hasOwn(renamedStages, key) ? renamedStages[key] : stages.find((name) => name === key));

export const renamedLane = (value: unknown): string | undefined =>
  typeof value === "string" && Object.hasOwn(renamedLanes, value) ? renamedLanes[value] : undefined;

/** The same value with every old key and lane name replaced. */
export const modernised = (value: unknown, path: KeyPath = []): unknown => {
  if (Array.isArray(value)) return value.map((item, index) => modernised(item, [...path, index]));
  if (typeof value === "object" && value !== null && !(value instanceof Date)) {
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => {
      const name = renamedKey(path, key) ?? key;
      return [name, modernised(inner, [...path, name])];
    }));
  }
  return path.at(-1) === "lane" ? renamedLane(value) ?? value : value;
};
