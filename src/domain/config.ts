/**
 * What config.toml may say: the one owner of its keys, defaults and descriptions.
 * The template of `init`, config.toml.example, `validate` and the redaction of secrets are all derived from these schemas.
 *
 * I1 every key has a one-line description, and a default or an example.
 * I2 objects are strict: an unknown key is an error.
 * I3 an empty file is a valid configuration.
 * I4 every progress rule can fire within the default caps.
 */
import { z } from "zod";
import { AdapterName, Effort } from "./agent.ts";
import { McpServer } from "./mcp.ts";
import { NoticeKind, Severity } from "./notice.ts";
import { isZone } from "./calendar.ts";
import { Language } from "./language.ts";
import { OperatorLane } from "./lane.ts";
import { mostDenials } from "./session.ts";
import { CapName, type Caps } from "./ledger.ts";
import type { Gate } from "./gate.ts";
import type { Stage } from "./stage.ts";
import { defaultLanePolicy, defaultRefusedRetries, executors } from "./policy.ts";
import { defaultStopLimits } from "./stop-policy.ts";
import { defaultTeamPolicy, menders, mostWorkers } from "./team.ts";

/** Room for everything of a prompt that is never left out. */
const leastPromptBytes = 32_768;
const count = z.int().nonnegative();
const positive = z.int().positive();
const milliseconds = z.int().positive();
const dollars = z.number().positive().optional();
const tokens = positive.optional();
const price = z.number().nonnegative();
/** An empty text (`"${VAR:-}"` with VAR unset) counts as not given. */
const text = z.string().transform((value) => (value === "" ? undefined : value)).optional();
const path = z.string().min(1, "a path cannot be empty");
const argv = z.array(z.string()).min(1, "a command is an array of its words, e.g. [\"npm\", \"ci\"]");
const relativePath = z.string().regex(/^(?!\/)(?!(.*\/)?\.\.(\/|$)).+$/, "a path inside the repository, without ..");
const environmentName = z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, "the name of an environment variable, without its value");

/** A token goes over it: in the clear to this machine alone. */
const trackerUrl = z.string().regex(/^(https:\/\/[^\s?#]+|http:\/\/(localhost|127\.0\.0\.1|\[::1\])(:\d+)?(\/[^\s?#]*)?)$/, "an address that begins with https://").transform((url) => url.replace(/\/+$/, ""));
const repoName = z.string().regex(/^[\w.-]+\/[\w.-]+$/, "a repository is written OWNER/NAME");
const fieldName = z.string().regex(/^([A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)+)?$/, "the reference name of a field, e.g. Custom.OperatorLane").transform((name) => (name === "" ? undefined : name)).optional();
const gateField = (name: string) => fieldName.meta({ description: "Reference name of that field.", examples: [`Custom.${name}`] });

/** `container` runs checks with the user's podman or docker in that image. */
export const SandboxSetting = z.union([z.enum(["auto", "off"]), z.strictObject({ container: z.string().min(1, "the name of an image") })], { error: 'write "auto", "off" or { container = "IMAGE" }' });
export type SandboxSetting = z.infer<typeof SandboxSetting>;

export const CheckSetting = z.strictObject({
  name: z.string().min(1).meta({ description: "Shown in reports; unique within the project.", examples: ["test"] }),
  argv: argv.meta({ description: "The command as an array of words; no shell reads it.", examples: [["npm", "test"]] }),
  timeoutMs: milliseconds.optional().meta({ description: "Milliseconds; verify.timeoutMs when absent.", examples: [600_000] }),
});
export type CheckSetting = z.infer<typeof CheckSetting>;

const checks = z.array(CheckSetting);
const hooks = z.strictObject({
  after_create: argv.optional().meta({ description: "Once, in a new worktree; a failure blocks the item.", examples: [["npm", "ci"]] }),
  before_run: argv.optional().meta({ description: "Before each agent turn; a failure blocks the item.", examples: [["npm", "run", "generate"]] }),
  after_run: argv.optional().meta({ description: "After each agent turn; a failure is a warning.", examples: [["npm", "run", "format"]] }),
  before_remove: argv.optional().meta({ description: "Before a worktree is removed; a failure is a warning.", examples: [["docker", "compose", "down"]] }),
});
export type Hooks = z.infer<typeof hooks>;

export const ProjectConfig = z.strictObject({
  name: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, "letters, digits, dot, dash and underscore; at most 64").meta({ description: "How items, commands and reports name it.", examples: ["app"] }),
  projectPath: path.meta({ description: "The git repository; ~ and paths relative to this file are fine.", examples: ["."] }),
  heartbeatMs: milliseconds.default(10_000).describe("Milliseconds between two looks for work in this project."),
  lane: OperatorLane.default("none").describe("Operator lane of its items that name none: manual, none, autopilot, ralph, ultrawork or team."),
  baseRef: text.meta({ description: "Branch or commit that work starts from; the checked-out commit when absent.", examples: ["main"] }),
  checks: checks.optional().meta({ description: "Instead of verify.checks.", examples: [[{ name: "test", argv: ["npm", "test"] }]] }),
  hooks: hooks.optional().meta({ description: "Instead of the hooks of the same name in workspace.hooks.", examples: [{ after_create: ["npm", "ci"] }] }),
  copy: z.array(relativePath).optional().meta({ description: "Instead of workspace.copy.", examples: [[".env.test"]] }),
  env: z.array(environmentName).optional().meta({ description: "Instead of workspace.env.", examples: [["DATABASE_URL"]] }),
  sandbox: SandboxSetting.optional().meta({ description: "Instead of verify.sandbox.", examples: ["auto"] }),
});
export type ProjectConfig = z.infer<typeof ProjectConfig>;

/** Words of each kind of channel that it cannot do without. */
const channelNeeds = { webhook: ["url", "secret"], discord: ["url"], smtp: ["host", "from", "to"], desktop: [] } as const;
const clockTime = z.string().regex(/^([01]\d|2[0-3]):[0-5]\d$/, "a time of day: 22:00");
const httpUrl = text.refine((value) => value === undefined || (/^https?:/i.test(value) && URL.canParse(value)), "an http or https URL");

export const NotifyChannel = z.strictObject({
  kind: z.enum(["webhook", "discord", "smtp", "desktop"]).meta({ description: "webhook (signed JSON), discord (a webhook of a Discord channel), smtp (e-mail) or desktop (this machine's notifications).", examples: ["desktop"] }),
  name: z.string().regex(/^[a-z0-9][a-z0-9-]{0,31}$/, "lower-case letters, digits and dashes; at most 32").optional().meta({ description: "How commands and reports name it; its kind when absent.", examples: ["on-call"] }),
  min: Severity.default("attention").describe("The least it is told: info (work is done), attention (somebody is needed), urgent (also in quiet hours)."),
  events: z.array(NoticeKind).default([]).meta({ description: `Only these: ${NoticeKind.options.join(", ")}; all when empty.`, examples: [["question", "approval", "review"]] }),
  url: httpUrl.meta({ description: "Of webhook and discord: where messages go.", examples: ["${NOTIFY_URL:-}"], secret: true }),
  secret: text.meta({ description: "Of webhook: key of the signature, HMAC-SHA256.", examples: ["${NOTIFY_SECRET:-}"], secret: true }),
  host: text.meta({ description: "Of smtp: the mail server.", examples: ["smtp.example.org"] }),
  port: z.int().min(1).max(65_535).default(587).describe("Of smtp: 587 (STARTTLS) or 465 (TLS from the start)."),
  tls: z.enum(["required", "off"]).optional().meta({ description: "Of smtp: off sends in the clear; when absent required, but off on loopback.", examples: ["required"] }),
  user: text.meta({ description: "Of smtp: who signs in; nobody does when absent.", examples: ["${SMTP_USER:-}"] }),
  password: text.meta({ description: "Of smtp: of that user.", examples: ["${SMTP_PASSWORD:-}"], secret: true }),
  from: text.meta({ description: "Of smtp: the sender.", examples: ["factory@example.org"] }),
  to: z.array(z.string().regex(/^[^\s@<>,;]+@[^\s@<>,;]+$/, "an e-mail address")).default([]).meta({ description: "Of smtp: who gets it.", examples: [["me@example.org"]] }),
}).superRefine((channel, context) => {
  for (const key of channelNeeds[channel.kind]) if (channel[key] === undefined || channel[key].length === 0) context.addIssue({ code: "custom", path: [key], message: `a channel of kind ${channel.kind} needs it` });
});
export type NotifyChannel = z.infer<typeof NotifyChannel>;

/** The keys of one stage; `enabled` differs, so it is added where the stage is named. */
const stageKeys = (timeoutMs: number) => ({
  adapter: AdapterName.optional().meta({ description: "Runs this stage; the top-level adapter when absent.", examples: ["claude", "codex"] }),
  model: text.meta({ description: "Passed to the adapter as it is; the CLI's own default when absent.", examples: ["claude-haiku-4-5-20251001", "o4-mini"] }),
  effort: Effort.optional().meta({ description: `How much its model thinks: ${Effort.options.join(", ")}, of which each adapter takes those that its CLI knows (enact-factory adapters list); the CLI's own measure when absent.`, examples: ["high"] }),
  escalateModel: text.meta({ description: "The model after escalation; the coder never escalates when neither this nor escalateAdapter is there.", examples: ["claude-sonnet-4-20250514"] }),
  escalateAdapter: AdapterName.optional().meta({ description: "The adapter after escalation; it starts a session of its own. The same adapter when absent.", examples: ["claude", "codex"] }),
  escalateAfterIteration: positive.default(3).describe("Iterations before escalation; the next one takes escalateModel and escalateAdapter."),
  timeoutMs: milliseconds.default(timeoutMs).describe("Milliseconds one turn may take."),
  fallback: z.array(AdapterName).optional().meta({ description: "Instead of routing.fallback.", examples: [["codex"]] }),
});
/** The keys of one adapter. */
const adapterKeys = (model: string) => z.strictObject({
  model: text.meta({ description: "The model where a stage names none, also when another adapter's work moves on to this one; the CLI's own default when absent.", examples: [model] }),
  concurrency: positive.optional().meta({ description: "Turns of this adapter at the same time, over all items; no limit of its own when absent.", examples: [4] }),
  turnsPerHour: positive.optional().meta({ description: "Turns of this adapter that begin within any hour; no limit when absent.", examples: [60] }),
}).prefault({}).describe("Limits of one adapter.");
const switched = (on: boolean, what: string) => z.boolean().default(on).describe(what);
const coderEnabled = z.literal(true, { error: "the coder cannot be switched off; write enabled = true or leave it out" }).default(true).describe("Always true.");

const defaultStages = z.strictObject({
  coder: z.strictObject({ ...stageKeys(1_800_000), enabled: coderEnabled }).prefault({}).describe("Writes the change."),
  critic: z.strictObject({ ...stageKeys(600_000), enabled: switched(true, "Review each iteration; false takes the coder's work when the checks pass.") }).prefault({}).describe("Reviews it."),
  tester: z.strictObject({ ...stageKeys(600_000), enabled: switched(false, "Write tests after approval.") }).prefault({}).describe("Writes tests."),
  documenter: z.strictObject({ ...stageKeys(600_000), enabled: switched(false, "Write documentation after approval.") }).prefault({}).describe("Writes documentation."),
  auditor: z.strictObject({ ...stageKeys(600_000), enabled: switched(false, "Look for security and risk findings; a critical one goes back to the coder.") }).prefault({}).describe("Looks for security and risk findings."),
  "stage-documenter": z.strictObject({ ...stageKeys(600_000), enabled: switched(false, "Write the run's report.") }).prefault({}).describe("Writes the run's report."),
  planner: z.strictObject({ ...stageKeys(600_000), enabled: switched(true, "Plan in lane autopilot as set here; false plans as the coder is set.") }).prefault({}).describe("Sets criteria and plans, in lanes that plan."),
} satisfies Record<Stage, z.ZodType>).prefault({});

export const Config = z.strictObject({
  adapter: AdapterName.default("claude").describe(`What runs the agents: ${AdapterName.options.join(", ")}.`),
  language: Language.default("en").describe("Language that agents are spoken to in: en or ko. Messages to people are in English as yet."),
  review: z.enum(["none", "human"]).default("none").describe("human: verified work waits in the inbox for a person before it is published."),

  store: z.strictObject({
    url: z.string().regex(/^(postgres(ql)?:\/\/.+)?$/, "a PostgreSQL URL: postgres://user:password@host:port/database").transform((value) => (value === "" ? undefined : value)).optional()
      .meta({ description: "PostgreSQL of a shared or long-lived factory; an SQLite file in the state directory when absent.", examples: ["postgres://enact:enact@localhost:45432/enact_factory_dev"], secret: true }),
  }).prefault({}).describe("Where the factory keeps its state."),

  sources: z.strictObject({
    local: z.strictObject({
      directory: path.optional().meta({ description: "Directory with one .md or .toml file per work item; none is watched when absent.", examples: ["work-items"] }),
      project: text.meta({ description: "Project of items that name none; needed with more than one project.", examples: ["app"] }),
      pollMs: milliseconds.default(2_000).describe("Milliseconds between two looks into the directory."),
    }).prefault({}).describe("Work items from files."),
    azureDevOps: z.strictObject({
      enabled: z.boolean().default(false).describe("Take work items from Azure DevOps; org, project, token and team are in [azdo], or in AZDO_ORG, AZDO_PROJECT, AZDO_PAT and AZDO_TEAM_ID."),
      url: trackerUrl.default("https://dev.azure.com").describe("A server of your own instead; its collection is the org."),
      pollMs: milliseconds.default(30_000).describe("Milliseconds between two looks at it."),
      project: text.meta({ description: "Project of items that neither a tag project:NAME nor an area gives one; needed with more than one project.", examples: ["app"] }),
      assignedTo: z.string().min(1).default("@me").describe("Whose items are work: @me (the token's owner), * (anybody's, also nobody's), or a person's name or address."),
      types: z.array(z.string().min(1)).default([]).meta({ description: "Types of work items that are work; all when empty.", examples: [["Bug", "User Story", "Task"]] }),
      areaPath: text.meta({ description: "Only below this area path; the team's areas when absent.", examples: ["Fabrikam\\Web"] }),
      iterationPath: text.meta({ description: "Only below this iteration path, or @CurrentIteration.", examples: ["@CurrentIteration"] }),
      states: z.strictObject({
        open: z.array(z.string().min(1)).min(1, "at least one state must be work").default(["Todo", "To Do", "In Progress"]).describe("States in which an item may be worked on. Completed and removed ones end it, all others hold it."),
        done: z.string().min(1).default("Done").describe("Set when it is done; the process's own completed state where there is no such one."),
        failed: z.string().min(1).default("Blocked").describe("Set when it failed or is exhausted; a tag Blocked where there is no such state."),
      }).prefault({}).describe("Names of states, which depend on the process."),
      laneField: fieldName.meta({ description: "Field that names the operator lane; a tag such as lane:ralph does it too.", examples: ["Custom.OperatorLane"] }),
      gateFields: z.strictObject({
        implementationComplete: gateField("ImplementationComplete"), reviewPassed: gateField("ReviewPassed"), testsPassed: gateField("TestsPassed"), docsUpdated: gateField("DocsUpdated"), closureEvidence: gateField("ClosureEvidence"),
      } satisfies Record<Gate, z.ZodType>).prefault({}).describe("Fields (yes or no) that show the gates; a tag such as gate:testsPassed where there is none."),
      areas: z.array(z.strictObject({
        path: z.string().min(1).meta({ description: "Area path; what lies below it belongs to it too, and the longest one counts.", examples: ["Fabrikam\\Web"] }),
        project: z.string().min(1).meta({ description: "Name of the [[projects]] entry that its items belong to.", examples: ["app"] }),
      })).default([]).describe("Which area path is which project."),
    }).prefault({}).describe("Work items of Azure DevOps."),
    github: z.strictObject({
      url: trackerUrl.default("https://api.github.com").describe("The interface of a server of your own instead, e.g. https://github.example.com/api/v3."),
      pollMs: milliseconds.default(60_000).describe("Milliseconds between two looks at it; a list that is as it was costs nothing there."),
      labels: z.array(z.string().min(1)).default([]).meta({ description: "Labels that an issue must have, all of them, to be work.", examples: [["agent"]] }),
      assignedTo: z.string().min(1).default("@me").describe("Whose issues are work: @me (the token's owner), * (anybody's, also nobody's), or a login."),
      close: z.boolean().default(true).describe("Close an issue once its work is done."),
      repos: z.array(z.strictObject({
        name: repoName.meta({ description: "Repository whose issues are work.", examples: ["octocat/hello-world"] }),
        project: text.meta({ description: "Project of its issues that name none by a label project:NAME; needed with more than one project.", examples: ["app"] }),
      })).default([]).describe("Repositories on GitHub whose issues are work items; the token is in GITHUB_TOKEN, GH_TOKEN, or of gh."),
    }).prefault({}).describe("Issues of GitHub."),
  }).prefault({}).describe("Where work items come from."),

  projects: z.array(ProjectConfig).default([]).describe("The repositories this factory works on, one table each."),

  workspace: z.strictObject({
    keep: z.enum(["unpublished", "always"]).default("unpublished").describe('Which worktrees stay when their item ended: "unpublished" (failed, cancelled, exhausted; after publishing the branch holds everything) or "always".'),
    hooks: hooks.prefault({}).describe("Your own commands around a worktree, as arrays of words; no shell reads them."),
    copy: z.array(relativePath).default([]).meta({ description: "Files copied from the repository into each new worktree, e.g. ignored ones that tests need.", examples: [[".env.test"]] }),
    env: z.array(environmentName).default([]).meta({ description: "Names of environment variables that hooks, checks and agents may see, besides the basic ones.", examples: [["DATABASE_URL"]] }),
  }).prefault({}).describe("How worktrees are made, for all projects."),

  verify: z.strictObject({
    sandbox: SandboxSetting.default("auto").describe('Where checks run: "auto" (bubblewrap, or sandbox-exec on macOS; refuses when neither works), "off", or { container = "IMAGE" }.'),
    checks: checks.default([]).meta({ description: "Checks of every project; found by themselves when empty (npm, cargo, go, pytest, ruff).", examples: [[{ name: "test", argv: ["npm", "test"] }]] }),
    timeoutMs: milliseconds.default(600_000).describe("Milliseconds one check may take."),
    shareDependencies: z.boolean().default(true).describe("Let checks use the dependencies installed in the repository (node_modules and the like), read-only."),
  }).prefault({}).describe("The project's own checks, run on base and head."),

  publish: z.strictObject({
    remote: text.meta({ description: "Git remote that finished branches are pushed to; they stay local when absent.", examples: ["origin"] }),
  }).prefault({}).describe("Where results go."),

  prompts: z.strictObject({
    maxBytes: z.int().min(leastPromptBytes).max(1_048_576).default(262_144).describe("Bytes one prompt may have; of longer ones parts are left out, and the prompt says which. Smaller for models with a short context."),
  }).prefault({}).describe("What agents are told."),

  routing: z.strictObject({
    fallback: z.array(AdapterName).default([]).meta({ description: "Adapters that take over, the first that can, while a stage's own is rate-limited, out of quota or not signed in; without any, work waits.", examples: [["codex"]] }),
  }).prefault({}).describe("Which adapter runs a turn when the one asked for cannot."),

  adapters: z.strictObject({
    claude: adapterKeys("claude-sonnet-4-5"), codex: adapterKeys("gpt-5.5"), responses: adapterKeys("gpt-5"), cursor: adapterKeys("auto"), hermes: adapterKeys("default"), opencode: adapterKeys("anthropic/claude-sonnet-4-5"), scripted: adapterKeys("any"),
  } satisfies Record<AdapterName, z.ZodType>).prefault({}).describe("Limits of each adapter."),

  scheduler: z.strictObject({
    slots: positive.default(2).describe("Items worked on at the same time."),
    slotsPerProject: positive.default(2).describe("The same, for each project."),
  }).prefault({}).describe("How much runs at once."),

  limits: z.strictObject({
    maxIterations: positive.default(5).describe("Coder and critic rounds of one item; then it is exhausted."),
    infraRetries: count.default(5).describe("Retries of one turn after network and start failures; these never count as iterations."),
    refusedRetries: count.default(defaultRefusedRetries).describe("Retries of one turn that its provider refused: rate limits, overload. The default waits about a day; these never count as iterations."),
    crashRetries: count.default(2).describe("Retries of one turn after its agent crashed, ended without a result, or filled its context."),
    itemFailures: count.default(1).describe("New tries of a whole item after its work was wrong; then it is failed."),
    retryBaseMs: milliseconds.default(5_000).describe("Milliseconds before the first retry; doubles with each further one."),
    retryMaxMs: milliseconds.default(300_000).describe("Milliseconds between two retries at most, unless a provider names a later time."),
    stallMs: milliseconds.default(600_000).describe("Milliseconds without output and without CPU use of the agent or its children: stalled."),
    interruptGraceMs: milliseconds.default(5_000).describe("Milliseconds each step of an interrupt (ask, SIGINT, SIGTERM, SIGKILL) waits for the next."),
    keepRunsDays: positive.default(14).describe("Days after which what an ended run left behind (its output, the session of an agent of ours) is removed; the journal stays."),
  }).prefault({}).describe("Caps. Each can be reached; none is ever taken for success."),

  progress: z.strictObject({
    sameError: z.int().min(2).default(3).describe("Iterations in a row with the same error fingerprint: stuck."),
    sameFeedback: z.int().min(2).default(2).describe("Reviews in a row with near-equal feedback: stuck."),
    feedbackSimilarity: z.number().gt(0).max(1).default(0.8).describe("Jaccard similarity of two feedbacks' words from which they are near-equal."),
    sameDiff: z.int().min(2).default(3).describe("Iterations in a row that end with the same diff: stuck."),
    repeatedTool: z.int().min(2).default(12).describe("The same tool call in a row within one turn: stuck."),
    monologue: z.int().min(2).default(12).describe("Messages in a row without a tool call within one turn: stuck."),
    costWithoutChangeUsd: z.number().positive().default(2).describe("US dollars spent since the diff last changed: stuck."),
  }).prefault({}).describe("When an agent that is busy is called stuck. A diff that goes A, B, A is stuck at once."),

  lanes: z.strictObject({
    ralph: z.strictObject({
      maxIterations: positive.default(defaultLanePolicy.ralph.maxIterations).describe("Rounds of work of one item, over all its parts; then it is exhausted."),
    }).prefault({}).describe("Lane ralph: one part after the other, until each has passed its review."),
    autopilot: z.strictObject({
      execution: z.enum(executors).default("ralph").describe("Who does the plan's tasks: ralph (one agent, task after task) or team (a leader and workers, at the same time)."),
      plans: positive.default(defaultLanePolicy.autopilot.plans).describe("Plans asked for until one can be used; then the item is exhausted."),
      qaCycles: positive.default(defaultLanePolicy.autopilot.qaCycles).describe("Checks of the whole work of one item, each after what was mended; then it is exhausted."),
      validationRounds: positive.default(defaultLanePolicy.autopilot.validationRounds).describe("Judgements of the whole work of one item; then it is exhausted."),
    }).prefault({}).describe("Lane autopilot: criteria, a plan, its tasks, checks and judgement of the whole."),
    ultrawork: z.strictObject({
      concurrency: positive.max(mostWorkers).default(defaultLanePolicy.ultrawork.concurrency).describe("Parts of one item that are worked on at the same time, each by an agent in a worktree of its own."),
      maxFixes: count.default(defaultLanePolicy.ultrawork.maxFixes).describe("How often what failed, or what checks or review ask for, is put on the list once more; then the item is exhausted."),
    }).prefault({}).describe("Lane ultrawork: all parts at once, merged one at a time, judged as a whole."),
  }).prefault({}).describe("Caps of the operator lanes."),
  stop: z.strictObject({
    enabled: z.boolean().default(true).describe("Ask before an agent's session ends: docs/stop-policy.md."),
    denials: positive.max(mostDenials).default(defaultStopLimits.denials).describe("Stops of one session that are denied within that time; the next one is allowed."),
    withinMs: milliseconds.default(defaultStopLimits.withinMs).describe("Milliseconds after which a denied stop no longer counts."),
  }).prefault({}).describe("When a session of an agent CLI may not stop yet."),
  spend: z.strictObject({
    itemUsd: dollars.meta({ description: "US dollars one item may use, retries of it included; no cap when absent.", examples: [10] }),
    itemTokens: tokens.meta({ description: "Tokens one item may use, input, cached input and output; no cap when absent.", examples: [5_000_000] }),
    itemTurns: positive.default(50).describe("Turns of agents one item may use, retries of it included; what a provider refused is none."),
    itemWallMs: milliseconds.optional().meta({ description: "Milliseconds agents may work on one item, those at the same time each their own; no cap when absent.", examples: [14_400_000] }),
    projectDayUsd: dollars.meta({ description: "US dollars one project may use in a calendar day; no cap when absent.", examples: [50] }),
    projectDayTokens: tokens.meta({ description: "Tokens one project may use in a calendar day; no cap when absent.", examples: [50_000_000] }),
    dayUsd: dollars.meta({ description: "US dollars the whole factory may use in a calendar day; no cap when absent.", examples: [100] }),
    dayTokens: tokens.meta({ description: "Tokens the whole factory may use in a calendar day; no cap when absent.", examples: [100_000_000] }),
    timeZone: text.refine((zone) => zone === undefined || isZone(zone), "the name of a time zone, e.g. Europe/Berlin").meta({ description: "Where a calendar day begins; this machine's zone when absent.", examples: ["Europe/Berlin"] }),
    prices: z.array(z.strictObject({
      model: z.string().min(1, "the name of a model, or a pattern").meta({ description: "The model as its CLI names it; * stands for any text. The first that fits counts.", examples: ["gpt-5*"] }),
      input: price.meta({ description: "US dollars for a million input tokens.", examples: [1.25] }),
      cachedInput: price.optional().meta({ description: "The same for input that was cached; as input when absent.", examples: [0.125] }),
      output: price.meta({ description: "US dollars for a million output tokens.", examples: [10] }),
    })).default([]).describe("What tokens cost where the CLI does not say it; unknown when no price fits."),
  }).prefault({}).describe("How much agents may use: a cap that is reached keeps new turns from beginning."),

  team: z.strictObject({
    workers: z.int().min(1).max(mostWorkers).default(defaultTeamPolicy.workers).describe("Workers of a team that names no number."),
    leaseMs: milliseconds.default(defaultTeamPolicy.leaseMs).describe("Milliseconds a worker keeps a task without a sign of life; a turn with output or CPU use renews it."),
    maxFixes: count.default(defaultTeamPolicy.maxFixes).describe("How often checks, review or failed tasks send work back; then the team is exhausted."),
    mending: z.enum(menders).default("workers").describe("Who does what checks or review ask for: workers (one more task) or ralph (one agent in the team's worktree, round after round until it is approved)."),
    memberRestarts: z.strictObject({
      max: count.default(defaultTeamPolicy.memberRestarts.max).describe("Restarts of one member within that time; one more and it is down."),
      withinMs: milliseconds.default(defaultTeamPolicy.memberRestarts.withinMs).describe("Milliseconds after which a crash no longer counts."),
    }).prefault({}).describe("How often a member whose agent crashed begins anew."),
    taskAttempts: positive.default(defaultTeamPolicy.taskAttempts).describe("Claims of one task before it is failed; giving it back unharmed does not count."),
  }).prefault({}).describe("Teams: items of lane team, and team init."),

  mcp: z.strictObject({
    servers: z.array(McpServer).default([]).describe("Servers of tools that agents get besides those of their CLI."),
  }).prefault({}).describe("Tools for agents by the Model Context Protocol."),

  autonomous: z.strictObject({
    claimUnassigned: z.boolean().default(true).describe("Claim items of lane none for the plain pipeline."),
    requireApproval: z.boolean().default(false).describe("Wait for a person before an item is claimed."),
    schedule: text.meta({ description: "Cron expression: automation claims work only at these times; always when absent.", examples: ["*/30 * * * *"] }),
    pairMode: z.boolean().default(true).describe("Let coder and critic work as a pair session that a person can watch."),
    decomposition: z.strictObject({
      enabled: z.boolean().default(false).describe("Split large items into smaller ones before work starts."),
      maxItems: positive.default(8).describe("Parts of one item at most."),
    }).prefault({}).describe("Splitting large items."),
    defaultStages: defaultStages.describe("Adapter, model, time and switch of each stage."),
  }).prefault({}).describe("What the factory does by itself."),

  terminal: z.strictObject({
    backend: z.enum(["auto", "tmux", "pty"]).default("auto").describe("auto: tmux when it works, else pseudo-terminals."),
  }).prefault({}).describe("Terminals of agents."),

  gateway: z.strictObject({
    port: z.int().min(0).max(65_535).optional().meta({ description: "Loopback port of dashboard and API; 0 takes a free one. When absent: 3847, or a free one when that is taken.", examples: [3847] }),
  }).prefault({}).describe("Dashboard and API."),

  notify: z.strictObject({
    channels: z.array(NotifyChannel).default([]).describe("Ways to reach people, one table each."),
    quietFrom: clockTime.optional().meta({ description: "From this time of day only what is urgent is told; no quiet hours when absent.", examples: ["22:00"] }),
    quietTo: clockTime.optional().meta({ description: "Until this time of day; what was held back comes then, in one message.", examples: ["07:00"] }),
    timeZone: z.string().refine(isZone, "the name of a time zone: Europe/Berlin").optional().meta({ description: "Whose time of day it is; that of this machine when absent.", examples: ["Europe/Berlin"] }),
    windowMs: z.int().min(0).max(4_000).default(2_000).describe("Milliseconds a message waits for others that happen at the same time; they become one."),
    burst: z.int().min(1).max(50).default(5).describe("Messages of one channel that may follow each other at once."),
    everyMs: milliseconds.default(60_000).describe("Milliseconds after which it may send one more; what happens meanwhile is in it."),
  }).prefault({}).describe("Telling people what needs them."),

  discord: z.strictObject({
    token: text.meta({ description: "Token of the bot.", examples: ["${DISCORD_TOKEN:-}"], secret: true }),
    channelId: text.meta({ description: "Channel of reports and commands.", examples: ["${DISCORD_CHANNEL_ID:-}"] }),
    webhookUrl: text.meta({ description: "Enough by itself for reports.", examples: ["${DISCORD_WEBHOOK_URL:-}"], secret: true }),
  }).prefault({}).describe("Reports to, and commands from, Discord."),

  azdo: z.strictObject({
    org: text.meta({ description: "Name of the organisation.", examples: ["${AZDO_ORG:-}"] }),
    project: text.meta({ description: "Name of the project there.", examples: ["${AZDO_PROJECT:-}"] }),
    apiKey: text.meta({ description: "Personal access token; AZDO_API_KEY is its older name.", examples: ["${AZDO_PAT:-${AZDO_API_KEY:-}}"], secret: true }),
    teamId: text.meta({ description: "Id of the team.", examples: ["${AZDO_TEAM_ID:-}"] }),
  }).prefault({}).describe("Work items of Azure DevOps."),

  github: z.strictObject({
    repos: z.array(repoName).default([]).meta({ description: "Repositories whose CI is watched.", examples: [["octocat/hello-world"]] }),
  }).prefault({}).describe("Repositories on GitHub."),
}).superRefine((config, context) => {
  const seen = new Map<string, number>();
  for (const [index, project] of config.projects.entries()) {
    const first = seen.get(project.name);
    if (first !== undefined) context.addIssue({ code: "custom", path: ["projects", index, "name"], message: `project ${first + 1} has this name already; give each project its own` });
    else seen.set(project.name, index);
  }
  const channels = notifyChannels(config).map(({ name }) => name);
  for (const [index, channel] of config.notify.channels.entries()) if (channels.indexOf(nameOfChannel(channel)) < index) context.addIssue({ code: "custom", path: ["notify", "channels", index, "name"], message: `channel ${channels.indexOf(nameOfChannel(channel)) + 1} has this name already; give each its own` });
  if ((config.notify.quietFrom === undefined) !== (config.notify.quietTo === undefined)) context.addIssue({ code: "custom", path: ["notify", config.notify.quietFrom === undefined ? "quietTo" : "quietFrom"], message: "quiet hours need both quietFrom and quietTo" });
  const servers = config.mcp.servers.map(({ name }) => name);
  for (const [index, name] of servers.entries()) if (servers.indexOf(name) < index) context.addIssue({ code: "custom", path: ["mcp", "servers", index, "name"], message: `server ${servers.indexOf(name) + 1} has this name already` });
  const { local, azureDevOps, github } = config.sources;
  const names: readonly (readonly [string | undefined, readonly (string | number)[]])[] = [
    [local.project, ["sources", "local", "project"]], [azureDevOps.project, ["sources", "azureDevOps", "project"]],
    ...github.repos.map(({ project }, index) => [project, ["sources", "github", "repos", index, "project"]] as const),
    ...azureDevOps.areas.map(({ project }, index) => [project, ["sources", "azureDevOps", "areas", index, "project"]] as const),
  ];
  for (const [named, path] of names) if (named !== undefined && !seen.has(named)) context.addIssue({ code: "custom", path: [...path], message: `no project is called ${JSON.stringify(named)}${seen.size === 0 ? "; add a [[projects]] table" : `; write one of ${[...seen.keys()].join(", ")}`}` });
});
export type Config = z.infer<typeof Config>;

const nameOfChannel = ({ name, kind }: NotifyChannel): string => name ?? kind;

/** Every channel with its name; Discord's own webhook is one, which is told how work ends too. */
export const notifyChannels = ({ notify, discord }: { readonly notify: { readonly channels: readonly NotifyChannel[] }; readonly discord: { readonly webhookUrl?: string | undefined } }): readonly (NotifyChannel & { readonly name: string })[] => {
  const named = notify.channels.map((channel) => ({ ...channel, name: nameOfChannel(channel) }));
  if (discord.webhookUrl === undefined || named.some(({ name }) => name === "discord")) return named;
  return [...named, { kind: "discord", name: "discord", min: "info", events: [], url: discord.webhookUrl, port: 587, to: [] }];
};

/** What validates but does nothing yet; doctor says so. Dotted keys. */
export const unservedSections: readonly string[] = ["discord.token", "discord.channelId", "github", "autonomous.schedule", "autonomous.pairMode", "autonomous.decomposition"];

/** A stage's settings with the fallbacks applied. */
export interface StageSettings {
  readonly stage: Stage;
  readonly adapter: AdapterName;
  readonly model: string | null;
  readonly escalateModel: string | null;
  readonly escalateAdapter: AdapterName | null;
  /** The last iteration before escalation. */
  readonly escalateAfterIteration: number;
  readonly timeoutMs: number;
  readonly enabled: boolean;
}
export const stageSettings = (config: Config, name: Stage): StageSettings => {
  const own = config.autonomous.defaultStages[name];
  return { stage: name, adapter: own.adapter ?? config.adapter, model: own.model ?? null, escalateModel: own.escalateModel ?? null, escalateAdapter: own.escalateAdapter ?? null, escalateAfterIteration: own.escalateAfterIteration, timeoutMs: own.timeoutMs, enabled: own.enabled };
};

/** A project's settings with the fallbacks of `workspace` and `verify` applied. */
export interface ProjectSettings {
  readonly name: string;
  /** Absolute after loading. */
  readonly repository: string;
  readonly heartbeatMs: number;
  readonly lane: OperatorLane;
  readonly baseRef: string | null;
  /** Empty: found by themselves. */
  readonly checks: readonly (CheckSetting & { readonly timeoutMs: number })[];
  readonly checkTimeoutMs: number;
  readonly shareDependencies: boolean;
  readonly hooks: Hooks;
  readonly copy: readonly string[];
  readonly env: readonly string[];
  readonly sandbox: SandboxSetting;
}
export const projectSettings = (config: Config, project: ProjectConfig): ProjectSettings => ({
  name: project.name,
  repository: project.projectPath,
  heartbeatMs: project.heartbeatMs,
  lane: project.lane,
  baseRef: project.baseRef ?? null,
  checks: (project.checks ?? config.verify.checks).map((check) => ({ ...check, timeoutMs: check.timeoutMs ?? config.verify.timeoutMs })),
  checkTimeoutMs: config.verify.timeoutMs,
  shareDependencies: config.verify.shareDependencies,
  hooks: { ...config.workspace.hooks, ...project.hooks },
  copy: project.copy ?? config.workspace.copy,
  env: project.env ?? config.workspace.env,
  sandbox: project.sandbox ?? config.verify.sandbox,
});

/** The settings of a repository by its absolute path, also of one that the configuration does not list (`run -p PATH`). */
export const settingsOfRepository = (config: Config, repository: string): ProjectSettings =>
  projectSettings(config, config.projects.find((project) => project.projectPath === repository) ?? ProjectConfig.parse({ name: repository.replace(/^.*\//, "").replace(/[^A-Za-z0-9._-]/g, "-").replace(/^[^A-Za-z0-9]+/, "").slice(0, 64) || "project", projectPath: repository }));

/** The caps that are set. */
export const capsOf = ({ spend }: Config): Caps => Object.fromEntries(CapName.options.flatMap((cap) => (spend[cap] === undefined ? [] : [[cap, spend[cap]]])));
