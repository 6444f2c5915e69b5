/** What a tool needs around it: a factory that runs, a repository that is there. */
import { statSync } from "node:fs";
import { isAbsolute } from "node:path";
import { ClientProblem, type FactoryClient } from "../client/contract.ts";
import { InvalidInput, type ToolContext } from "./tool.ts";

/** Work is taken in by a running factory only; without one the caller would wait for an id that nobody gives. */
export const mustRun = async (client: FactoryClient, what: string): Promise<void> => {
  if ((await client.describe()).role === "offline") throw new ClientProblem(`no factory runs here that could ${what}`, "start it with: enact-factory start");
};

export const repositoryOf = (given: string | undefined, { repository }: Pick<ToolContext, "repository">): string => {
  const path = given ?? repository;
  if (path === null) throw new InvalidInput("repository", "name the git repository: this server stands in none");
  if (!isAbsolute(path)) throw new InvalidInput("repository", "write an absolute path");
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory() !== true) throw new InvalidInput("repository", "there is no such directory");
  return path;
};
