/**
 * A factory of its own in this process: the real composition root, store, launcher, git and scripted agent over small repositories
 * without checks, so that each row costs seconds.
 *
 * I1 Everything lies in one temporary directory that goes with the factory. I2 Its agents have ended when it is disposed of.
 */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { execaSync } from "execa";
import { expect } from "vitest";
import { z } from "zod";
import type { FactoryClient, ItemState, JournalLine, LiveChange, Submission } from "../../src/client/contract.ts";
import type { Connection } from "../../src/client/local-tools.ts";
import { createLocalTools } from "../../src/daemon/tools.ts";
import type { WorkItemId } from "../../src/domain/ids.ts";
import { isTerminal } from "../../src/domain/work-item.ts";

/** A guard against hanging, not a measure: the machine may be busy. */
export const guardMs = 240_000;

export const quick = `
adapter = "scripted"
[verify]
sandbox = "off"
[limits]
retryBaseMs = 50
interruptGraceMs = 300
itemFailures = 0
`;

export interface Place {
  readonly directory: string;
  readonly configFile: string;
  readonly stateDirectory: string;
  readonly put: (path: string, text: string) => string;
  readonly repository: (name: string) => string;
  readonly git: (repository: string, ...argv: readonly string[]) => string;
  readonly runs: (item: string) => readonly Run[];
  readonly remove: () => void;
}

/** One agent run as its directory tells it. */
export interface Run { readonly stage: string; readonly iteration: number; readonly adapter: string; readonly argv: readonly string[]; readonly stdin: string; readonly out: string }

const gitEnvironment = { GIT_CONFIG_GLOBAL: "/dev/null", GIT_CONFIG_NOSYSTEM: "1", GIT_AUTHOR_NAME: "T", GIT_AUTHOR_EMAIL: "t@localhost", GIT_COMMITTER_NAME: "T", GIT_COMMITTER_EMAIL: "t@localhost" };

export const makePlace = (config: string): Place => {
  const directory = realpathSync(mkdtempSync(join(tmpdir(), "enact-rows-")));
  const put = (path: string, text: string): string => {
    const file = join(directory, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
    return file;
  };
  const git = (repository: string, ...argv: readonly string[]): string =>
    execaSync("git", argv, { cwd: repository, env: { PATH: process.env["PATH"] ?? "", HOME: directory, ...gitEnvironment }, extendEnv: false, stdin: "ignore" }).stdout;
  // The real environment wins over the file, so the machine's own must not be there.
  delete process.env["XDG_STATE_HOME"];
  put(".env", `XDG_STATE_HOME=${join(directory, "xdg")}\n`);
  const stateDirectory = join(directory, ".enact", "factory");
  return {
    directory, configFile: put("config.toml", config), stateDirectory, put, git,
    repository: (name) => {
      put(`${name}/README.md`, `# ${name}\n`);
      const repository = join(directory, name);
      git(repository, "init", "-q", "-b", "main");
      git(repository, "add", "-A");
      git(repository, "commit", "-q", "-m", "start");
      return repository;
    },
    runs: (item) => runsIn(join(stateDirectory, "runs"), item),
    remove: () => rmSync(directory, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 }),
  };
};

const Spec = z.looseObject({ argv: z.array(z.string()), labels: z.looseObject({ item: z.string(), stage: z.string(), iteration: z.string(), adapter: z.string() }) });

export const runsIn = (root: string, item: string): readonly Run[] => {
  const text = (run: string, name: string): string => (existsSync(join(root, run, name)) ? readFileSync(join(root, run, name), "utf8") : "");
  return readdirSync(root, { withFileTypes: true }).filter((entry) => entry.isDirectory() && existsSync(join(root, entry.name, "spec.json"))).flatMap(({ name }): Run[] => {
    const { argv, labels } = Spec.parse(JSON.parse(text(name, "spec.json")));
    return labels.item === item ? [{ stage: labels.stage, iteration: Number(labels.iteration), adapter: labels.adapter, argv, stdin: text(name, "stdin"), out: text(name, "out") }] : [];
  }).toSorted((one, two) => one.iteration - two.iteration);
};

export interface Factory extends Place {
  readonly client: FactoryClient;
  readonly notices: readonly string[];
  readonly submit: (title: string, more: Partial<Submission> & { readonly repository: string }) => Promise<WorkItemId>;
  /** Waits until all have ended, or wait for a person. */
  readonly ended: (...ids: readonly WorkItemId[]) => Promise<readonly ItemState[]>;
  readonly journal: (id?: WorkItemId) => Promise<readonly JournalLine[]>;
  /** Stages of an item in the order in which they were started. */
  readonly stages: (id: WorkItemId) => Promise<readonly string[]>;
  readonly [Symbol.asyncDispose]: () => Promise<void>;
}

export const makeFactory = async (place: Place, options: { readonly automation?: boolean; /** Another factory is made there afterwards. */ readonly keep?: boolean } = {}): Promise<Factory> => {
  const connection: Connection = await createLocalTools().connect({ configFile: place.configFile, directory: place.directory, as: "own", automation: options.automation ?? false });
  const { client } = connection;
  const notices: string[] = [];
  const stop = client.watch((change: LiveChange) => { if (change.type === "notice") notices.push(change.text); });
  const journal = (id?: WorkItemId): Promise<readonly JournalLine[]> => client.journal(id === undefined ? { limit: 100_000 } : { id, limit: 100_000 });
  let submitted = 0;
  return {
    ...place, client, notices, journal,
    submit: (title, more) => client.submit({ title, body: "", kind: "chore", priority: 2, sourceId: `row-${++submitted}`, lane: "none", claim: true, stages: "configured", ...more }),
    ended: async (...ids) => {
      const found = async (): Promise<readonly ItemState[]> => (await client.items()).filter(({ item }) => ids.includes(item.id));
      await expect.poll(async () => (await found()).filter(({ item }) => isTerminal(item.status) || item.status === "blocked").length, { timeout: guardMs }).toBe(ids.length);
      return ids.flatMap((id) => client.item(id)).reduce<Promise<readonly ItemState[]>>(async (all, next) => {
        const state = await next;
        return state === undefined ? all : [...(await all), state];
      }, Promise.resolve([]));
    },
    stages: async (id) => stagesOf(await journal(id)),
    [Symbol.asyncDispose]: async () => {
      stop();
      await connection.close("suspend");
      if (options.keep !== true) place.remove();
    },
  };
};

export const stagesOf = (lines: readonly JournalLine[]): readonly string[] =>
  lines.filter(({ actor, type }) => type === "actor.start" && actor.startsWith("stage/")).map(({ actor }) => (actor.split("/")[3] ?? "").replace(/\.\d+$/, ""));

/** One `[[turn]]` of a playbook. */
export const turn = (stage: string, steps: string, more = ""): string => `[[turn]]\nstage = "${stage}"\n${more}\nsteps = [ ${steps} ]\n`;
