/** Which project an item belongs to. Never a guess: what is not known is said. */
import type { OperatorLane } from "../domain/lane.ts";

/** What a source has to know of a project. */
export interface SourceProject { readonly name: string; readonly repository: string; readonly lane: OperatorLane }

/** `how`: what to write there so that the item names one. */
export const projectOf = (name: string | undefined, projects: readonly SourceProject[], how: string): SourceProject | string => {
  const known = projects.map((project) => project.name).join(", ");
  if (name === undefined) {
    const [only, ...others] = projects;
    if (only !== undefined && others.length === 0) return only;
    return projects.length === 0 ? "the configuration has no project to work on" : `it names no project; ${how}, one of ${known}`;
  }
  return projects.find((project) => project.name === name) ?? `no project is called ${JSON.stringify(name)}${known === "" ? "" : `; write one of ${known}`}`;
};
