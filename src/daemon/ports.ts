import { dirname, join } from "node:path";
import { Effect, Layer } from "effect";
import { claude } from "../adapters/claude/adapter.ts";
import { codex } from "../adapters/codex/adapter.ts";
import { cursor } from "../adapters/cursor/adapter.ts";
import { hermes } from "../adapters/hermes/adapter.ts";
import { opencode } from "../adapters/opencode/adapter.ts";
import { adaptersLayer } from "../adapters/registry.ts";
import { responses } from "../adapters/responses/adapter.ts";
import { scriptedAdapter } from "../adapters/scripted/adapter.ts";
import { type Config, type SandboxSetting, settingsOfRepository } from "../domain/config.ts";
import type { Adapter, Adapters } from "../ports/adapter.ts";
import type { AgentProcess } from "../ports/agent-process.ts";
import type { Prompts } from "../ports/prompts.ts";
import type { Publisher } from "../ports/publisher.ts";
import { SourcePushes } from "../ports/source.ts";
import type { Verifier } from "../ports/verifier.ts";
import { Workspaces, type WorkspacesShape } from "../ports/workspaces.ts";
import type { Notifier } from "../ports/notifier.ts";
import { makeChannels, notifierLayer } from "../notify/channels.ts";
import { agentProcessLayer } from "../process/agent-process.ts";
import { promptsLayer } from "../prompts/prompts.ts";
import { localPublisherLayer } from "../publish/local.ts";
import { probeSandbox } from "../sandbox/probe.ts";
import { verifierLayer } from "../verify/service.ts";
import { defaultScopes } from "../workspaces/scope.ts";
import { wallClock } from "./system-clock.ts";
import { makeWorkspaces } from "../workspaces/service.ts";
import { composeSources, type Sources } from "./sources.ts";

/** The implementations behind the ports, one place: a new adapter, source or sandbox is registered here and nowhere else. */
export const adapters: readonly Adapter[] = [claude, codex, responses, opencode, cursor, hermes, scriptedAdapter];

export interface Place {
  readonly config: Config;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stateDirectory: string;
  readonly worktrees: string;
}

/** Milliseconds for each of the project's own hooks; installing dependencies takes minutes. */
const hookTimeoutMs = 600_000;

/** Milliseconds one exchange with a git remote may take. */
const pushTimeoutMs = 120_000;

export const makeOwnWorkspaces = ({ config, worktrees }: Pick<Place, "config" | "worktrees">): WorkspacesShape =>
  makeWorkspaces({
    root: worktrees,
    project: (repository) => {
      const { hooks, copy, env } = settingsOfRepository(config, repository);
      return { hooks, hookTimeoutMs, copy, env, scopes: defaultScopes };
    },
  });

export type OwnPorts = AgentProcess | Adapters | Prompts | Workspaces | Verifier | Publisher | SourcePushes | Notifier;

/** Where notices come from: this machine, and the terminal of this process, where it has one. */
export const noticeSurroundings = (env: Place["env"]): Parameters<typeof makeChannels>[1] => ({
  env, platform: process.platform, now: wallClock, ...(process.stderr.isTTY ? { bell: () => { process.stderr.write("\u0007"); } } : {}),
});

export const composePorts = async (place: Place): Promise<{ readonly layer: Layer.Layer<OwnPorts>; readonly sandbox: string; readonly sources: Sources }> => {
  const { config, env, stateDirectory } = place, sources = composeSources(place);
  // Exports stand outside every repository, as worktrees do: tools that look upwards must not find the user's.
  const exports = join(dirname(place.worktrees), "exports");
  const layer = Layer.mergeAll(
    agentProcessLayer({ root: join(stateDirectory, "runs") }),
    adaptersLayer(adapters),
    promptsLayer({ language: config.language, maxBytes: config.prompts.maxBytes }),
    Layer.succeed(Workspaces, makeOwnWorkspaces(place)),
    verifierLayer({
      scratch: exports, cache: join(stateDirectory, "cache", "verify"),
      project: (repository) => {
        const { checks, checkTimeoutMs, shareDependencies, env, sandbox } = settingsOfRepository(config, repository);
        return { checks: checks.map(({ name, argv, timeoutMs }) => ({ name, argv, timeoutMs })), checkTimeoutMs, shareDependencies, env, sandbox };
      },
    }),
    notifierLayer(makeChannels(config, noticeSurroundings(env))),
    Layer.succeed(SourcePushes, sources.pushes),
    localPublisherLayer({ reports: join(stateDirectory, "reports"), remote: () => config.publish.remote ?? null, timeoutMs: pushTimeoutMs }),
  );
  return { layer, sources, sandbox: await sandboxName(config.verify.sandbox, join(dirname(place.worktrees), "probe")) };
};

/** What checks will run in, for people: the sandbox's name, or why there is none. */
export const sandboxName = (setting: SandboxSetting, scratch: string): Promise<string> =>
  Effect.runPromise(probeSandbox(setting, scratch).pipe(Effect.map(({ name }) => name), Effect.catch(({ message }) => Effect.succeed(`none: ${message}`))));
