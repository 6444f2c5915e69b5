/**
 * Stands in for an agent CLI that shows what it should not: it tells its own keys and a token that it has found, in its stream and on its error output.
 * Beside it, any program of the PATH that is started says with what environment and arguments: `DIRECTORY/PROGRAM.PID.{environ,cmdline}`.
 */
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";

export interface Recorded { readonly program: string; readonly environ: Readonly<Record<string, string>>; readonly cmdline: readonly string[] }

export interface Recorder {
  /** To be put before everything else of the PATH. */
  readonly bin: string;
  readonly recorded: () => readonly Recorded[];
}

/** What a CLI is told beyond its adapter: it stands in its own text, since its environment is the adapter's. */
export interface Script { readonly leaks: readonly string[]; readonly found: string }

const program = (record: string, name: string, then: string): string => `#!/bin/sh\ncat /proc/$$/environ >'${record}/${name}.'$$.environ\ntr '\\0' '\\n' </proc/$$/cmdline >'${record}/${name}.'$$.cmdline\n${then}\n`;

const onPath = (name: string, path: string): string | undefined => path.split(delimiter).map((folder) => join(folder, name)).find((file) => existsSync(file));

export const installRecorder = (directory: string, path: string, clis: Readonly<Record<string, Script>>, programs: readonly string[]): Recorder => {
  const bin = join(directory, "bin"), record = join(directory, "recorded");
  for (const folder of [bin, record]) mkdirSync(folder);
  const put = (name: string, then: string): void => {
    writeFileSync(join(bin, name), program(record, name, then));
    chmodSync(join(bin, name), 0o755);
  };
  for (const [name, script] of Object.entries(clis)) {
    writeFileSync(join(bin, `${name}.json`), JSON.stringify(script));
    put(name, `exec '${process.execPath}' '${import.meta.filename}' '${name}' '${bin}/${name}.json' '${bin}/${name}-child' "$@"`);
    put(`${name}-child`, "exit 0");
  }
  for (const name of programs) {
    const real = onPath(name, path);
    if (real !== undefined) put(name, `exec '${real}' "$@"`);
  }
  return {
    bin,
    recorded: () => readdirSync(record).filter((file) => file.endsWith(".environ")).map((file): Recorded => ({
      program: file.replace(/\.\d+\.environ$/, ""),
      environ: Object.fromEntries(readFileSync(join(record, file), "utf8").split("\0").filter((entry) => entry !== "").map((entry) => [entry.slice(0, entry.indexOf("=")), entry.slice(entry.indexOf("=") + 1)])),
      cmdline: readFileSync(join(record, file.replace(/environ$/, "cmdline")), "utf8").split("\n"),
    })),
  };
};

/** A turn of each CLI's own protocol; claude's works, the others fail while they tell why. */
const says: Readonly<Record<string, (text: string) => readonly string[]>> = {
  claude: (text) => [
    JSON.stringify({ type: "system", subtype: "init", session_id: "a4647ff0-283d-86cf-b783-480bed8b66cd", model: "claude-haiku-4-5", tools: [] }),
    JSON.stringify({ type: "assistant", message: { id: "m1", type: "message", role: "assistant", model: "claude-haiku-4-5", content: [{ type: "text", text }, { type: "tool_use", id: "t1", name: "Bash", input: { command: `env # ${text}` } }], usage: { input_tokens: 1, output_tokens: 1 } }, parent_tool_use_id: null, session_id: "a4647ff0-283d-86cf-b783-480bed8b66cd" }),
    JSON.stringify({ type: "user", message: { role: "user", content: [{ tool_use_id: "t1", type: "tool_result", content: text, is_error: true }] }, parent_tool_use_id: null, session_id: "a4647ff0-283d-86cf-b783-480bed8b66cd" }),
    JSON.stringify({ type: "assistant", message: { id: "m2", type: "message", role: "assistant", model: "claude-haiku-4-5", content: [{ type: "text", text }], usage: { input_tokens: 1, output_tokens: 1 } }, parent_tool_use_id: null, session_id: "a4647ff0-283d-86cf-b783-480bed8b66cd" }),
    JSON.stringify({ type: "result", subtype: "success", is_error: false, result: text, session_id: "a4647ff0-283d-86cf-b783-480bed8b66cd", total_cost_usd: 0.01, num_turns: 1, usage: { input_tokens: 1, output_tokens: 1 } }),
  ],
  codex: (text) => [
    JSON.stringify({ type: "thread.started", thread_id: "01a22eab-abec-7413-9a29-2488bf4dc0b5" }), JSON.stringify({ type: "turn.started" }),
    JSON.stringify({ type: "item.completed", item: { id: "item_0", type: "command_execution", command: `env # ${text}`, aggregated_output: text, exit_code: 1, status: "failed" } }),
    JSON.stringify({ type: "error", message: `unexpected status 401 Unauthorized: Incorrect API key provided: ${text}` }),
    JSON.stringify({ type: "turn.failed", error: { message: `unexpected status 401 Unauthorized: Incorrect API key provided: ${text}` } }),
  ],
  opencode: (text) => [JSON.stringify({ type: "error", timestamp: 1, sessionID: "ses_dd119b3aeffeKHKNsrDSWBWPFe", error: { name: "APIError", data: { message: `Incorrect API key provided: ${text}`, statusCode: 401, isRetryable: false } } })],
};

const play = async ([name = "", file = "", child = ""]: readonly string[]): Promise<void> => {
  const { leaks, found }: Script = JSON.parse(readFileSync(file, "utf8"));
  process.stdin.resume();
  await once(process.stdin, "end");
  spawnSync(child, { stdio: "ignore" });
  const text = `my keys are ${leaks.map((variable) => process.env[variable] ?? "?").join(" and ")}, and I found ${found}`;
  if (name === "claude") writeFileSync("src/sum.js", "export const sum = (list) => list.reduce((a, b) => a + b, 0);\n");
  for (const line of says[name]?.(text) ?? [text]) process.stdout.write(`${line}\n`);
  process.stderr.write(`Error: 401: authorization: Bearer ${text}\n`);
  process.exitCode = name === "claude" ? 0 : 1;
};

if (process.argv[1] === import.meta.filename && process.argv[2] !== "--version") await play(process.argv.slice(2));
