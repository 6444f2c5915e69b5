import { type Config, settingsOfRepository, stageSettings } from "../domain/config.ts";
import type { AdapterName } from "../domain/agent.ts";
import type { Policy, StagePlan } from "../domain/policy.ts";
import { type Stage, stages } from "../domain/stage.ts";

export interface PolicyRequest { readonly stages: "configured" | "coder" | "full"; readonly adapter?: AdapterName; readonly model?: string; /** The item itself asks for it. */ readonly requireApproval?: boolean }

/** EXEC-04: what `--pipeline` runs, whatever the configuration enables. */
const full: ReadonlySet<Stage> = new Set(["coder", "critic", "tester", "documenter"]);

/** What the charts of one item need from the configuration, with the options of the command that asked for it. */
export const policyFor = (config: Config, repository: string, request: PolicyRequest): Policy => {
  const { limits, progress } = config;
  const plans = stages.map((name) => stageSettings(config, name)).flatMap((settings): [Stage, StagePlan][] => {
    const on = request.stages === "coder" ? settings.stage === "coder" : request.stages === "full" ? full.has(settings.stage) || settings.enabled : settings.enabled;
    if (!on) return [];
    const { adapter, model, escalateModel, escalateAdapter, escalateAfterIteration, timeoutMs } = settings;
    // An adapter named for this item is meant for all of it; a model that belongs to another one is no escalation then.
    const escalation = request.adapter !== undefined && escalateAdapter !== null ? { escalateModel: null, escalateAdapter: null } : { escalateModel, escalateAdapter };
    return [[settings.stage, {
      adapter: request.adapter ?? adapter,
      model: settings.stage === "coder" ? (request.model ?? model) : model,
      ...escalation, escalateAfterIteration, timeoutMs,
    }]];
  });
  return {
    stages: Object.fromEntries(plans),
    baseRef: settingsOfRepository(config, repository).baseRef,
    keepWorktree: config.workspace.keep === "always",
    requireApproval: config.autonomous.requireApproval || request.requireApproval === true,
    review: config.review,
    maxIterations: limits.maxIterations, itemFailures: limits.itemFailures, infraRetries: limits.infraRetries, refusedRetries: limits.refusedRetries, crashRetries: limits.crashRetries,
    retryBaseMs: limits.retryBaseMs, retryMaxMs: limits.retryMaxMs, stallMs: limits.stallMs,
    team: { workers: config.team.workers, leaseMs: config.team.leaseMs, maxFixes: config.team.maxFixes, memberRestarts: { ...config.team.memberRestarts }, taskAttempts: config.team.taskAttempts, mending: config.team.mending },
    lanes: { ralph: { maxIterations: config.lanes.ralph.maxIterations }, autopilot: { ...config.lanes.autopilot }, ultrawork: { ...config.lanes.ultrawork } },
    progress: {
      sameError: progress.sameError, sameFeedback: progress.sameFeedback, feedbackSimilarity: progress.feedbackSimilarity, repeatedTool: progress.repeatedTool,
      monologue: progress.monologue, sameDiff: progress.sameDiff, costWithoutChangeUsd: progress.costWithoutChangeUsd,
    },
  };
};
