/** The playbook: what the scripted agent does in each turn of an item. Format: docs/adapters/scripted.md. */
import { parse, TomlError } from "smol-toml";
import { z } from "zod";
import { Stage } from "../../domain/stage.ts";
import { PlannedTask, TeamCriteria, TeamDuty, TeamMessage } from "../../domain/team-answers.ts";
import { Finding, Verdict } from "../../domain/verdict.ts";
import { locate } from "./playbook-lines.ts";

const ms = z.number().int().nonnegative();
const count = z.number().int().positive();
const hostile = { escape: z.boolean().default(false) };
const signal = z.enum(["SIGINT", "SIGTERM", "SIGHUP", "SIGKILL", "SIGSEGV", "SIGABRT", "SIGBUS", "SIGFPE"]);

/** One schema a step, under the key that names it. */
const schemas = {
  say: z.strictObject({ say: z.string() }),
  think: z.strictObject({ think: z.string() }),
  read: z.strictObject({ read: z.string().min(1), ...hostile }),
  write: z.strictObject({ write: z.string().min(1), text: z.string(), append: z.boolean().default(false), ...hostile }),
  patch: z.strictObject({ patch: z.string().min(1), find: z.string().min(1), replace: z.string(), ...hostile }),
  run: z.strictObject({ run: z.array(z.string()).min(1), "timeout-ms": count.default(600_000) }),
  usage: z.strictObject({ usage: z.strictObject({ input: z.number().nonnegative().default(0), output: z.number().nonnegative().default(0), cached: z.number().nonnegative().default(0) }) }),
  cost: z.strictObject({ cost: z.number().nonnegative() }),
  session: z.strictObject({ session: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/, "a session id has letters, digits, `.`, `_` and `-` only") }),
  question: z.strictObject({ question: z.string().min(1) }),
  verdict: z.strictObject({ verdict: Verdict.shape.decision, feedback: z.string().default(""), findings: z.array(Finding).default([]) }),
  audit: z.strictObject({ audit: z.array(Finding) }),
  plan: z.strictObject({ plan: z.array(PlannedTask).min(1) }),
  criteria: z.strictObject({ criteria: TeamCriteria.shape.criteria }),
  tell: z.strictObject({ tell: TeamMessage.shape.to, text: z.string().min(1) }),
  result: z.strictObject({ result: z.string() }),
  deny: z.strictObject({ deny: z.string().min(1), detail: z.string().default("") }),
  "rate-limit": z.strictObject({ "rate-limit": ms, message: z.string().default("rate limited; waiting") }),
  fail: z.strictObject({ fail: z.enum(["rateLimited", "overloaded", "network", "auth", "model", "badSession", "contextFull", "overlong"]), message: z.string().default("as the playbook says"), "retry-after-ms": ms.optional() }),
  sleep: z.strictObject({ sleep: ms }),
  burn: z.strictObject({ burn: ms }),
  "wait-for-file": z.strictObject({ "wait-for-file": z.string().min(1) }),
  touch: z.strictObject({ touch: z.string().min(1) }),
  listen: z.strictObject({ listen: z.literal(true) }),
  crash: z.strictObject({ crash: z.union([z.number().int().min(1).max(255), signal]) }),
  hang: z.strictObject({ hang: z.literal(true) }),
  ignore: z.strictObject({ ignore: z.array(z.enum(["SIGINT", "SIGTERM", "SIGHUP"])).min(1) }),
  orphan: z.strictObject({ orphan: z.literal(true) }),
  flood: z.strictObject({ flood: count, as: z.enum(["text", "garbage", "line"]).default("text") }),
  garbage: z.strictObject({ garbage: z.string() }),
  "half-line": z.strictObject({ "half-line": z.number().int().min(0).max(255) }),
  "no-result": z.strictObject({ "no-result": z.literal(true) }),
  "malformed-verdict": z.strictObject({ "malformed-verdict": z.unknown() }),
  oscillate: z.strictObject({ oscillate: z.string().min(1), a: z.string(), b: z.string(), times: count }),
} as const;

type SchemaStep = { [V in keyof typeof schemas]: { readonly verb: V } & Readonly<z.infer<(typeof schemas)[V]>> }[keyof typeof schemas];
/** The only step that holds steps. */
export interface RepeatStep { readonly verb: "repeat"; readonly repeat: number; readonly steps: readonly Step[] }
export type Step = SchemaStep | RepeatStep;
export type Verb = Step["verb"];
export const verbs: readonly Verb[] = [...(Object.keys(schemas) as (keyof typeof schemas)[]), "repeat"];

export interface Turn { readonly stage: Stage; readonly attempt?: number; readonly iteration?: number; readonly try?: number; /** Of a team's member. */ readonly seat?: string; readonly duty?: TeamDuty; readonly task?: number; readonly steps: readonly Step[] }
export interface Playbook {
  /** Factor on the natural length of steps; 0 plays without delay. */
  readonly pace: number;
  /** Cost and usage are reported as totals of the session instead of the run. */
  readonly cumulative: boolean;
  readonly turns: readonly Turn[];
}
/** A problem of the playbook, ready to be shown: where, and what to write instead. */
export interface PlaybookProblem { readonly line?: number; readonly where: string; readonly message: string }
export type ParsedPlaybook = { readonly ok: true; readonly playbook: Playbook } | { readonly ok: false; readonly problems: readonly PlaybookProblem[] };

export const showProblem = ({ line, where, message }: PlaybookProblem): string => `${line === undefined ? "" : `line ${line}: `}${where === "" ? "" : `${where}: `}${message}`;

const isTable = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Date);
const issuesOf = (error: z.ZodError): string => error.issues.map((issue) => `${issue.path.length === 0 ? "" : `\`${issue.path.join(".")}\` `}${issue.message}`).join("; ");

const parseStep = (raw: unknown, fail: (verb: string, message: string) => void): Step | undefined => {
  if (!isTable(raw)) return void fail("", "a step is a table such as { say = \"hello\" }");
  const named = verbs.filter((verb) => verb in raw);
  // `usage` inside another step cannot happen: every step names itself by exactly one of these keys.
  const [verb] = named;
  if (verb === undefined) return void fail("", `no known step in { ${Object.keys(raw).join(", ")} }; the steps are ${verbs.join(", ")}`);
  if (named.length > 1) return void fail(named.join(" + "), "one table is one step; write two tables");
  if (verb === "repeat") {
    const outer = z.strictObject({ repeat: count, steps: z.array(z.unknown()).min(1) }).safeParse(raw);
    if (!outer.success) return void fail(verb, issuesOf(outer.error));
    const steps = outer.data.steps.map((inner, n) => parseStep(inner, (innerVerb, message) => fail(verb, `step ${n + 1} in it${innerVerb === "" ? "" : ` (${innerVerb})`}: ${message}`)));
    return { verb, repeat: outer.data.repeat, steps: steps.filter((step) => step !== undefined) };
  }
  const parsed = schemas[verb].safeParse(raw);
  if (!parsed.success) return void fail(verb, issuesOf(parsed.error));
  // The schema under `verb` gave this data; TypeScript does not follow the pair through the union.
  const step = { verb, ...parsed.data } as SchemaStep;
  if (step.verb === "verdict" && step.verdict !== "approve" && step.feedback.trim() === "" && step.findings.length === 0) return void fail(verb, `${step.verdict} needs \`feedback\` or \`findings\``);
  return step;
};

const Head = z.strictObject({
  pace: z.number().nonnegative().default(0),
  cumulative: z.boolean().default(false),
  turn: z.array(z.record(z.string(), z.unknown())).default([]),
});
const TurnHead = z.strictObject({ stage: Stage, attempt: count.optional(), iteration: count.optional(), try: count.optional(), seat: z.string().min(1).optional(), duty: TeamDuty.optional(), task: count.optional(), steps: z.array(z.unknown()).default([]) });

/** Reads a playbook; names every problem at once, by line, turn and step. */
export const parsePlaybook = (toml: string): ParsedPlaybook => {
  const problems: PlaybookProblem[] = [];
  let document: unknown;
  try {
    document = parse(toml);
  } catch (cause) {
    if (!(cause instanceof TomlError)) throw cause;
    return { ok: false, problems: [{ line: cause.line, where: "", message: `not TOML: ${cause.message.split("\n")[0] ?? ""}` }] };
  }
  const head = Head.safeParse(document);
  if (!head.success) return { ok: false, problems: [{ where: "", message: issuesOf(head.error) }] };
  const places = locate(toml);
  const seen = new Map<string, number>();
  const turns = head.data.turn.flatMap((raw, n): Turn[] => {
    const place = places[n];
    const report = (line: number | undefined, where: string, message: string): void => void problems.push({ ...(line === undefined ? {} : { line }), where, message });
    const turn = TurnHead.safeParse(raw);
    if (!turn.success) {
      report(place?.line, `turn ${n + 1}`, issuesOf(turn.error));
      return [];
    }
    const { stage, attempt, iteration, try: tryNumber, seat, duty, task } = turn.data;
    const key = JSON.stringify([stage, attempt, iteration, tryNumber, seat, duty, task]);
    const twin = seen.get(key);
    if (twin !== undefined) report(place?.line, `turn ${n + 1}`, `it is for the same moment as turn ${twin}; give one of them another \`iteration\` or \`try\``);
    else seen.set(key, n + 1);
    const steps = turn.data.steps.map((step, m) => parseStep(step, (verb, message) => report(place?.steps[m] ?? place?.line, `turn ${n + 1}, step ${m + 1}${verb === "" ? "" : ` (${verb})`}`, message)));
    if (steps.some((step, m) => step?.verb === "session" && m > 0)) report(place?.line, `turn ${n + 1}`, "`session` must be the first step: an agent names its session before it does anything");
    return [{
      stage, steps: steps.filter((step) => step !== undefined),
      ...(attempt === undefined ? {} : { attempt }), ...(iteration === undefined ? {} : { iteration }), ...(tryNumber === undefined ? {} : { try: tryNumber }),
      ...(seat === undefined ? {} : { seat }), ...(duty === undefined ? {} : { duty }), ...(task === undefined ? {} : { task }),
    }];
  });
  return problems.length > 0 ? { ok: false, problems } : { ok: true, playbook: { pace: head.data.pace, cumulative: head.data.cumulative, turns } };
};

/** What a stage does that no turn of the playbook is for: the harmless thing. */
const defaults: Readonly<Record<Stage, readonly Step[]>> = {
  coder: [{ verb: "result", result: "The playbook has no turn for the coder; nothing was changed." }],
  critic: [{ verb: "verdict", verdict: "approve", feedback: "", findings: [] }, { verb: "result", result: "Approved." }],
  tester: [{ verb: "result", result: "No new tests." }],
  documenter: [{ verb: "result", result: "No documentation to change." }],
  auditor: [{ verb: "audit", audit: [] }, { verb: "result", result: "Nothing found." }],
  "stage-documenter": [{ verb: "result", result: "Nothing to report." }],
  planner: [{ verb: "result", result: "The playbook has no turn for the planner." }],
};

export interface Moment { readonly stage: Stage; readonly attempt: number; readonly iteration: number; readonly try: number; readonly seat?: string | undefined; readonly duty?: TeamDuty | undefined; readonly task?: number | undefined }

/** What a member of a team, or a planner, does that no turn is for. */
const dutyDefaults: Readonly<Record<TeamDuty, readonly Step[]>> = {
  plan: [{ verb: "result", result: "The playbook has no plan." }],
  criteria: [{ verb: "result", result: "The playbook has no criteria." }],
  work: defaults.coder,
  verdict: defaults.critic,
};

/**
 * The steps for a moment. A turn that names a seat, a duty or a task is for that alone. Of the turns whose keys all equal the moment the most
 * specific wins (task over duty over seat over attempt over iteration over try); if there is none, the last one that lies before it is played
 * again; if the stage has none either, its default.
 */
export const stepsFor = (playbook: Playbook, moment: Moment): readonly Step[] => {
  const names = ["task", "duty", "seat"] as const, counts = ["attempt", "iteration", "try"] as const, keys = [...names, ...counts];
  const ofStage = playbook.turns.filter((turn) => turn.stage === moment.stage && names.every((key) => turn[key] === undefined || turn[key] === moment[key]));
  const weight = (turn: Turn): number => keys.reduce((sum, key) => sum * 2 + (turn[key] === undefined ? 0 : 1), 0);
  const exact = ofStage.filter((turn) => counts.every((key) => turn[key] === undefined || turn[key] === moment[key]));
  const [best] = exact.toSorted((one, two) => weight(two) - weight(one));
  if (best) return best.steps;
  const before = ofStage.filter((turn) => counts.every((key) => (turn[key] ?? 1) <= moment[key]));
  const order = (one: Turn, two: Turn): number => counts.map((key) => (two[key] ?? 0) - (one[key] ?? 0)).find((difference) => difference !== 0) ?? weight(two) - weight(one);
  return before.toSorted(order)[0]?.steps ?? (moment.duty === undefined ? defaults[moment.stage] : dutyDefaults[moment.duty]);
};
