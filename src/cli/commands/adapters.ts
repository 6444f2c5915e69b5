/** `adapters`: what runs the agents, whether it is here, and whether it works. */
import type { AdapterName } from "../../domain/agent.ts";
import type { AdapterLoad } from "../../domain/routing.ts";
import type { AdapterState } from "../../client/local-tools.ts";
import { oneLine } from "../../client/text/safe-text.ts";
import { type Command, printJson, reading } from "../context.ts";
import { exitCode } from "../problem.ts";
import { paint } from "../screen.ts";
import { loadsOf, loadText, nameOf } from "./provider.ts";

const limits = ({ concurrency, turnsPerHour }: AdapterState): string => [...(concurrency === null ? [] : [`${concurrency} at once`]), ...(turnsPerHour === null ? [] : [`${turnsPerHour} an hour`])].join(", ");
const abilities = ({ capabilities }: AdapterState): string => Object.entries(capabilities).flatMap(([name, can]) => (typeof can !== "boolean" ? can.length === 0 ? [] : [`effort ${can.join("|")}`] : can ? [name] : [])).join(", ");

/** Every adapter; exits 1 when the usual one cannot run. */
export const list: Command<object> = async (context) => {
  const [states, loads] = await Promise.all([context.tools.adapters(context.place), reading(context, (client) => loadsOf(client))]);
  const loadOf = (name: AdapterName): AdapterLoad | undefined => loads.find((load) => load.name === name);
  if (context.json) printJson(context, { adapters: states.map((state) => ({ ...state, load: loadOf(state.name) ?? null })) });
  else {
    const { out } = context.terminal, now = context.tools.now();
    for (const state of states) {
      const load = loadOf(state.name);
      out.write(`${paint(out, state.ok ? "green" : "red", state.ok ? "ok    " : "not ok")} ${paint(out, "bold", state.name)}${state.usual ? " (usual)" : ""}: ${oneLine(state.detail)}${state.verified ? "" : "; untested against the real program"}\n`);
      if (state.mend !== undefined) out.write(`         to mend it: ${oneLine(state.mend)}\n`);
      out.write(`         can: ${abilities(state)}${limits(state) === "" ? "" : `; limits: ${limits(state)}`}${state.model === null ? "" : `; model: ${oneLine(state.model)}`}${load === undefined ? "" : `; now: ${loadText(load, now)}`}\n`);
    }
  }
  return states.some(({ usual, ok }) => usual && !ok) ? exitCode.failed : exitCode.ok;
};

export interface VerifyOptions { readonly names: readonly string[]; readonly model?: string }

/** One small turn of each, for real; exits 1 when one does not work. */
export const verify: Command<VerifyOptions> = async (context, { names, model }) => {
  const wanted = names.length > 0 ? names.map(nameOf) : (await context.tools.adapters(context.place)).filter(({ usual }) => usual).map(({ name }) => name);
  const { out } = context.terminal, trials = [];
  for (const name of wanted) {
    if (!context.json) out.write(`${name}: one small turn …\n`);
    const trial = await context.tools.tryAdapter(context.place, name, model ?? null);
    trials.push(trial);
    const tokens = trial.usage === null ? "" : `, ${trial.usage.inputTokens} tokens in, ${trial.usage.outputTokens} out`;
    if (!context.json) out.write(`  ${paint(out, trial.ok ? "green" : "red", trial.ok ? "works" : "does not work")} (${(trial.tookMs / 1000).toFixed(1)} s${tokens}${trial.model === null ? "" : `, ${oneLine(trial.model)}`}): ${oneLine(trial.detail)}\n`);
  }
  if (context.json) printJson(context, { trials });
  return trials.every(({ ok }) => ok) ? exitCode.ok : exitCode.failed;
};

/** How to sign in, as the CLI itself has it. The factory stores no login. */
const logins: Readonly<Record<AdapterName, readonly string[]>> = {
  claude: ["claude auth login", "or set CLAUDE_CODE_OAUTH_TOKEN (from: claude setup-token) or ANTHROPIC_API_KEY where the factory is started"],
  codex: ["codex login", "or: printenv OPENAI_API_KEY | codex login --with-api-key", "or set CODEX_API_KEY where the factory is started"],
  responses: ["set ENACT_GATEWAY_BASE_URL and ENACT_GATEWAY_API_KEY (or ENACT_RESPONSES_BASE_URL and ENACT_RESPONSES_API_KEY, which win) where the factory is started"],
  cursor: ["cursor-agent login", "or set CURSOR_API_KEY where the factory is started"],
  hermes: ["see the CLI's own documentation"],
  opencode: ["opencode auth login"],
  scripted: ["it needs no account"],
};

export const loginHelp: Command<{ readonly name: string }> = async (context, { name }) => {
  const adapter = nameOf(name), steps = logins[adapter];
  if (context.json) printJson(context, { adapter, steps });
  else context.terminal.out.write(`${steps.join("\n")}\nThen: enact-factory adapters verify ${adapter}\n`);
  return exitCode.ok;
};
