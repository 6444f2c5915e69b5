/** The sources of work items that are in use, and who tells which of them. */
import { join } from "node:path";
import { Effect } from "effect";
import { execa } from "execa";
import { type Config, projectSettings } from "../domain/config.ts";
import type { WorkItemSource } from "../domain/work-item.ts";
import { PushRefused, SourceNotSet, type SourcePushesShape, type SourceShape } from "../ports/source.ts";
import { azureDevOps } from "../sources/azure-devops/source.ts";
import { gitHub } from "../sources/github/source.ts";
import { localDirectory } from "../sources/local-directory.ts";
import { localStatus } from "../sources/local-status.ts";
import type { SourceProject } from "../sources/project-of.ts";
import { systemClock } from "./system-clock.ts";

/** A source in use, and how often it is looked at. */
export interface UsedSource { readonly source: SourceShape; readonly everyMs: number }
export interface Sources { readonly sources: readonly UsedSource[]; readonly pushes: SourcePushesShape; /** What the configuration should say otherwise. */ readonly notices: readonly string[] }

type Env = Readonly<Record<string, string | undefined>>;

export const composeSources = ({ config, env, stateDirectory }: { readonly config: Config; readonly env: Env; readonly stateDirectory: string }): Sources => {
  const projects = config.projects.map((each) => projectSettings(config, each)).map(({ name, repository, lane }) => ({ name, repository, lane }));
  const { directory, pollMs, project } = config.sources.local;
  // Also items of a directory that is watched no more are told.
  const local = localStatus(join(stateDirectory, "reports"));
  const azure = config.sources.azureDevOps.enabled ? azureSource(config, env, projects) : undefined;
  const { github: hub } = config.sources;
  const sources = [
    ...(directory === undefined ? [] : [{ source: localDirectory({ directory, projects, project }, local), everyMs: pollMs }]),
    ...(hub.repos.length === 0 ? [] : [{ source: gitHub({ url: hub.url, token: gitHubToken(env), repos: hub.repos.map(({ name, project }) => ({ name, project })), projects, labels: hub.labels, assignedTo: hub.assignedTo, close: hub.close }, systemClock), everyMs: hub.pollMs }]),
    ...(azure === undefined ? [] : [{ source: azure.source, everyMs: config.sources.azureDevOps.pollMs }]),
  ];
  const tellers = new Map<WorkItemSource, SourceShape["push"]>([["local", local], ...sources.map(({ source }): [WorkItemSource, SourceShape["push"]] => [source.kind, source.push])]);
  return {
    sources,
    notices: azure?.notices ?? [],
    pushes: {
      unusable: azure?.unusable === undefined ? [] : [azure.unusable],
      push: (push) => tellers.get(push.source)?.(push) ?? Effect.fail(new PushRefused({ message: `${push.source} is no source of this factory: nothing in the configuration says how to reach it` })),
    },
  };
};

/** Of the environment, else of gh where the user has it. */
const gitHubToken = (env: Env) => async (): Promise<string | undefined> => {
  const given = env["GITHUB_TOKEN"] || env["GH_TOKEN"];
  if (given) return given;
  const { failed, stdout } = await execa("gh", ["auth", "token"], { stdin: "ignore", reject: false, timeout: 10_000, env: { ...env }, extendEnv: false });
  return failed || stdout.trim() === "" ? undefined : stdout.trim();
};

/** The older name of the token is heard where the newer one is not there. */
const azureSource = (config: Config, env: Env, projects: readonly SourceProject[]): { readonly source: SourceShape; readonly unusable?: string; readonly notices: readonly string[] } => {
  const { azdo, sources: { azureDevOps: set } } = config, given = (name: string): string | undefined => (env[name] === "" ? undefined : env[name]);
  const notices = azdo.apiKey === undefined && given("AZDO_PAT") === undefined && given("AZDO_API_KEY") !== undefined ? ["AZDO_API_KEY is the older name of AZDO_PAT: it works, and AZDO_PAT wins where both are set"] : [];
  const org = azdo.org ?? given("AZDO_ORG"), project = azdo.project ?? given("AZDO_PROJECT"), pat = azdo.apiKey ?? given("AZDO_PAT") ?? given("AZDO_API_KEY"), team = azdo.teamId ?? given("AZDO_TEAM_ID");
  if (org === undefined || project === undefined || pat === undefined || team === undefined) {
    const missing = Object.entries({ AZDO_ORG: org, AZDO_PROJECT: project, AZDO_PAT: pat, AZDO_TEAM_ID: team }).flatMap(([name, value]) => (value === undefined ? [name] : []));
    const message = `Azure DevOps cannot be reached: ${missing.join(", ")} ${missing.length === 1 ? "is" : "are"} not set`;
    return { source: notSet("Azure DevOps", "azdo", message, missing), unusable: message, notices };
  }
  return {
    notices,
    source: azureDevOps({
      url: set.url, org, project, pat, team, projects, defaultProject: set.project, areas: set.areas, assignedTo: set.assignedTo, types: set.types,
      areaPath: set.areaPath, iterationPath: set.iterationPath, states: set.states, laneField: set.laneField, gateFields: set.gateFields,
    }, systemClock),
  };
};

/** Says what is missing, whatever it is asked. */
const notSet = (name: string, kind: WorkItemSource, message: string, missing: readonly string[]): SourceShape => {
  const fail = (): Effect.Effect<never, SourceNotSet> => Effect.fail(new SourceNotSet({ source: name, message, missing }));
  return { name, kind, followed: true, byStates: fail, byIds: fail, recall: fail, push: fail, watch: () => () => {} };
};
