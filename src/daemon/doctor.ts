import { access, constants, mkdir, statfs } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Effect, Result } from "effect";
import { execa } from "execa";
import type { DoctorCheck } from "../client/local-tools.ts";
import { capsOf, Config, ProjectConfig, stageSettings, unservedSections } from "../domain/config.ts";
import { capKinds, CapName } from "../domain/ledger.ts";
import { priceOf } from "../domain/spend.ts";
import { stages, writeScope } from "../domain/stage.ts";
import { openReader } from "../store/open.ts";
import { hookChecks as hooks } from "./hook-settings.ts";
import { channelChecks } from "./notify-tools.ts";
import type { Setting } from "./setting.ts";
import { adapters, sandboxName } from "./ports.ts";
import { composeSources } from "./sources.ts";

/** Looks at everything a run needs, one by one; changes nothing but an empty scratch directory for the sandbox probe. */
export const doctor = async (setting: Setting): Promise<readonly DoctorCheck[]> => [
  node(),
  configuration(setting),
  await program(setting, "git", ["--version"], "nothing works: work is done in git worktrees", "apt-get install git (macOS: xcode-select --install)", "failed"),
  await stateDirectory(setting),
  await room(setting),
  await store(setting),
  await sandbox(setting),
  ...(await agents(setting)),
  await program(setting, "tmux", ["-V"], "agents have no terminals to attach to; everything else works", "apt-get install tmux (macOS: brew install tmux)", "warning"),
  ...hooks({ home: setting.home, env: setting.env, directory: setting.repository }),
  spending(setting.config),
  ...(await trackers(setting)),
  ...(await channelChecks(setting)),
  ...unserved(setting.config),
];

const node = (): DoctorCheck => ({ name: "node", state: "ok", detail: process.version, without: "nothing starts below 22.19" });

const configuration = ({ loaded }: Setting): DoctorCheck => ({
  name: "configuration", state: loaded.warnings.length > 0 ? "warning" : "ok",
  detail: [loaded.file ?? "built-in defaults", ...loaded.warnings.map(({ message }) => message), ...loaded.skipped.map(({ file, why }) => `passed over ${file}: ${why}`)].join("; "),
  without: "the defaults are used", ...(loaded.file === null ? { mend: "enact-factory init" } : loaded.warnings.length > 0 ? { mend: "enact-factory validate" } : {}),
});

const program = async ({ env, home }: Setting, name: string, args: readonly string[], without: string, mend: string, missing: "failed" | "warning"): Promise<DoctorCheck> => {
  const found = await execa(name, args, { stdin: "ignore", reject: false, timeout: 10_000, extendEnv: false, env: { PATH: env["PATH"] ?? "", HOME: home } });
  return found.failed ? { name, state: missing, detail: `${name} does not run: ${found.shortMessage ?? "unknown"}`, without, mend } : { name, state: "ok", detail: found.stdout.split("\n")[0] ?? "", without };
};

const stateDirectory = async ({ stateDirectory: directory }: Setting): Promise<DoctorCheck> => {
  const without = "no work can be kept, so none is started";
  const existing = await nearestExisting(directory);
  try {
    await access(existing, constants.W_OK);
    return { name: "state directory", state: "ok", detail: directory, without };
  } catch {
    return { name: "state directory", state: "failed", detail: `${existing} cannot be written`, without, mend: `chmod u+w ${JSON.stringify(existing)}, or use another configuration with --config` };
  }
};

/** Below this a few checkpoints and logs may already fail. Bytes. */
const leastRoom = 500 * 1024 * 1024;

const room = async ({ stateDirectory: directory }: Setting): Promise<DoctorCheck> => {
  const { bavail, bsize } = await statfs(await nearestExisting(directory));
  const free = bavail * bsize;
  return { name: "disk", state: free < leastRoom ? "warning" : "ok", detail: `${Math.round(free / 1024 / 1024)} MiB free`, without: "work pauses until there is room; nothing is lost", ...(free < leastRoom ? { mend: "make room on the disk" } : {}) };
};

const store = async (setting: Setting): Promise<DoctorCheck> => {
  const { location } = setting;
  const kind = location.kind === "postgres" ? "PostgreSQL (store.url)" : "SQLite, embedded (no store.url is set)";
  const without = "no item can be run or looked at";
  return Effect.runPromise(Effect.scoped(openReader(location).pipe(
    Effect.map((reader): DoctorCheck => ({ name: "store", state: "ok", detail: `${kind}: ${reader.description}`, without })),
    Effect.catch((error): Effect.Effect<DoctorCheck> => Effect.succeed(
      error._tag === "StoreUnavailable" && location.kind === "sqlite"
        ? { name: "store", state: "ok", detail: `${kind}: ${join(location.directory, "factory.db")}, made by the first run`, without }
        : { name: "store", state: "failed", detail: `${kind}: ${error.message}`, without, mend: location.kind === "postgres" ? "start the server, or take store.url out of the configuration" : "enact-factory store restore FILE" })),
  )));
};

const sandbox = async ({ config, stateDirectory: directory }: Setting): Promise<DoctorCheck> => {
  const without = "checks of the work are refused, unless verify.sandbox is \"off\"";
  const scratch = join(await nearestExisting(directory), ".enact-doctor");
  const name = await withDirectory(scratch, () => sandboxName(config.verify.sandbox, scratch));
  if (name === "off") return { name: "sandbox", state: "warning", detail: "verify.sandbox is \"off\": checks run unconfined", without, mend: 'set verify.sandbox = "auto"' };
  if (name.startsWith("none")) return { name: "sandbox", state: "failed", detail: name, without, mend: process.platform === "linux" ? "apt-get install bubblewrap" : 'set verify.sandbox = { container = "IMAGE" }' };
  return { name: "sandbox", state: "ok", detail: name, without };
};

const agents = async ({ config, env, home, stateDirectory: directory }: Setting): Promise<readonly DoctorCheck[]> => {
  const enabled = stages.map((stage) => stageSettings(config, stage)).filter((settings) => settings.enabled);
  // Only the coder escalates.
  const used = new Set(enabled.flatMap(({ stage, adapter, escalateAdapter }) => (stage === "coder" && escalateAdapter !== null ? [adapter, escalateAdapter] : [adapter])));
  const reading = (name: string): readonly string[] => enabled.filter(({ stage, adapter }) => adapter === name && writeScope[stage] === "nothing").map(({ stage }) => stage);
  return Promise.all([...used].map(async (name): Promise<DoctorCheck> => {
    const adapter = adapters.find((each) => each.name === name);
    const without = `stages that use ${name} cannot run`;
    if (!adapter) return { name: `agent ${name}`, state: "failed", detail: "this version has no such adapter yet", without, mend: `set adapter to one of ${adapters.map((each) => each.name).join(", ")}` };
    const refused = adapter.capabilities.readOnly ? [] : reading(name);
    if (refused.length > 0) return { name: `agent ${name}`, state: "failed", detail: `it cannot be held to reading, so it refuses to be ${refused.join(" and ")}`, without: `${refused.join(" and ")} cannot run`, mend: `set another adapter for ${refused.join(" and ")}` };
    const toolless = adapter.capabilities.mcp ? [] : enabled.filter((settings) => settings.adapter === name && config.mcp.servers.some((server) => server.stages.includes(settings.stage))).map(({ stage }) => stage);
    if (toolless.length > 0) return { name: `agent ${name}`, state: "warning", detail: `it cannot be given the servers of mcp.servers`, without: `${toolless.join(" and ")} work without their tools`, mend: `set another adapter for ${toolless.join(" and ")}, or take them out of the servers' stages` };
    const untold = enabled.flatMap(({ stage, adapter: runs }) => { const { effort } = config.autonomous.defaultStages[stage]; return runs === name && effort !== undefined && !adapter.capabilities.effort.includes(effort) ? [stage] : []; });
    if (untold.length > 0) return { name: `agent ${name}`, state: "failed", detail: `it cannot be told the effort of ${untold.join(" and ")}`, without: `${untold.join(" and ")} cannot run`, mend: `set effort to ${adapter.capabilities.effort.join(", ") || "nothing"}, or another adapter` };
    const { ok, detail, mend } = await Effect.runPromise(adapter.probe({ env, home, runDirectory: join(directory, "runs") }));
    if (ok && !adapter.verified) return { name: `agent ${name}`, state: "warning", detail: `${detail}; this adapter is untested against the real program`, without, mend: `read docs/adapters/${name}.md, and watch its first turns` };
    return { name: `agent ${name}`, state: ok ? "ok" : "failed", detail, without, ...(mend === undefined ? {} : { mend }) };
  }));
};

/** Sources in use beyond this machine, asked for what is open there. */
const trackers = async ({ config, env, stateDirectory: directory }: Setting): Promise<readonly DoctorCheck[]> => {
  const { sources, notices } = composeSources({ config, env, stateDirectory: directory });
  return Promise.all(sources.filter(({ source }) => source.kind !== "local").map(async ({ source: { name: of, byStates } }): Promise<DoctorCheck> => {
    const name = `source ${of}`, without = "no work is taken from it, and it is told nothing";
    const answer = await Effect.runPromise(Effect.result(byStates(["open"])));
    if (Result.isFailure(answer)) return { name, state: "failed", detail: answer.failure.message, without, mend: answer.failure._tag === "SourceDenied" ? answer.failure.mend : answer.failure._tag === "SourceNotSet" ? `set ${answer.failure.missing.join(", ")} in .env` : "see docs/sources.md" };
    const { found, malformed } = answer.success;
    return { name, state: notices.length + malformed.length > 0 ? "warning" : "ok", detail: [`${found.length} open`, ...malformed.slice(0, 3).map(({ sourceId, problem }) => `${sourceId} is no work item: ${problem}`), ...notices].join("; "), without };
  }));
};

/** A cap in dollars is blind to what nobody can price. */
const spending = (config: Config): DoctorCheck => {
  const caps = capsOf(config), name = "spend", without = "caps of money count known prices only; tokens and turns are counted whatever they cost";
  const detail = CapName.options.flatMap((cap) => (caps[cap] === undefined ? [] : [`${cap} ${caps[cap]}`])).join(", ");
  if (!CapName.options.some((cap) => caps[cap] !== undefined && capKinds[cap].counts === "usd")) return { name, state: "ok", detail, without };
  const unpriced = stages.map((stage) => stageSettings(config, stage)).filter(({ enabled }) => enabled).flatMap(({ stage, adapter, model, escalateAdapter, escalateModel }) => [
    { adapter, model }, ...(stage === "coder" && (escalateAdapter ?? escalateModel) !== null ? [{ adapter: escalateAdapter ?? adapter, model: escalateModel }] : []),
  ]).filter(({ adapter, model }) => adapters.find((each) => each.name === adapter)?.capabilities.cost !== true && priceOf(model, config.spend.prices) === undefined);
  const named = [...new Set(unpriced.map(({ adapter, model }) => `${adapter}${model === null ? "" : ` ${model}`}`))];
  return named.length === 0 ? { name, state: "ok", detail, without }
    : { name, state: "warning", detail: `${detail}; but ${named.join(", ")} does not tell its cost and no price fits, so its tokens count for caps of tokens and turns alone`, without, mend: "add a [[spend.prices]] table for it, or set a cap of tokens" };
};

/** Sections that validate but do nothing yet, when somebody set them to something else than the default. */
const unserved = (config: Config): readonly DoctorCheck[] => {
  const untouched = Config.parse({});
  const paced = config.projects.some(({ heartbeatMs }) => heartbeatMs !== ProjectConfig.shape.heartbeatMs.parse(undefined));
  return unservedSections
    .filter((section) => JSON.stringify(at(config, section)) !== JSON.stringify(at(untouched, section)))
    .concat(paced ? ["projects.heartbeatMs"] : [])
    .map((section): DoctorCheck => ({ name: section, state: "warning", detail: "is set, but this version does not serve it yet", without: "it has no effect" }));
};

const at = (value: unknown, dotted: string): unknown => dotted.split(".").reduce((inner, key) => (typeof inner === "object" && inner !== null && key in inner ? Reflect.get(inner, key) : undefined), value);

const nearestExisting = async (path: string): Promise<string> => {
  for (let at = path; ; at = dirname(at)) {
    if (await access(at).then(() => true, () => false)) return at;
    if (dirname(at) === at) return at;
  }
};

const withDirectory = async <A>(directory: string, use: () => Promise<A>): Promise<A> => {
  const { rm } = await import("node:fs/promises");
  try {
    // The check itself finds out, and says, what is wrong with a directory that cannot be made.
    await mkdir(directory, { recursive: true }).catch(() => undefined);
    return await use();
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
};
