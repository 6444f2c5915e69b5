/** A factory whose owner has secrets of every kind, and a search for them in everything that it leaves, says and starts. */
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { routes } from "../../src/client/api.ts";
import { type DaemonRoom, makeDaemonRoom, processesIn } from "../daemon/room.ts";
import { dial, type Wire } from "../gateway/open.ts";
import { overHttp } from "../mcp/room.ts";
import { installRecorder, type Recorder, type Script } from "./recording-cli.ts";

/** In every secret of the owner, and in nothing else: a piece of one is found as well. */
export const mark = "Zq9Planted";
/** In every token that came from outside: a work item, a tool's output. */
export const foreignMark = "0utsideT0ken";
/** It has the shape of one. */
export const foreign = `ghp_${foreignMark.repeat(3)}`;

const named = (names: readonly string[]): Readonly<Record<string, string>> => Object.fromEntries(names.map((name) => [name, `${mark}-${name.toLowerCase().replaceAll("_", "-")}-4711`]));
/** The owner's environment. */
export const planted: Readonly<Record<string, string>> = {
  ...named([
    "ANTHROPIC_API_KEY", "OPENAI_API_KEY", "OPENROUTER_API_KEY", "GEMINI_API_KEY", "CODEX_API_KEY", "CURSOR_API_KEY", "OPENCODE_API_KEY", "AZURE_OPENAI_API_KEY", "ENACT_GATEWAY_API_KEY",
    "GITHUB_TOKEN", "AZDO_PAT", "AZDO_API_KEY", "DISCORD_TOKEN", "BILLING_SECRET", "AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "NPM_TOKEN", "PGPASSWORD",
  ]),
  DATABASE_URL: `postgres://app:${mark}-of-the-database@db.invalid:5432/app`,
  ANTHROPIC_CUSTOM_HEADERS: `X-Team: seven\nAuthorization: Bearer ${mark}-of-a-header`,
  SSH_AUTH_SOCK: `/run/${mark}/agent.sock`,
};
/** Nobody is there: no test may reach the real one. */
const webhook = `http://127.0.0.1:9/api/webhooks/4711/${mark}-of-the-webhook`;
const fileToken = `${mark}-of-the-env-file`;

/** In the processes of the owner: a defect, at a signal. */
const crashing = 'process.on("SIGUSR2", () => { Promise.reject(new Error(`crashed with ${process.env.GITHUB_TOKEN}`)); });\n';

export interface SecretsRoom extends DaemonRoom {
  readonly recorder: Recorder;
  /** A command of the owner; what it says is searched too. */
  readonly owner: (...argv: readonly string[]) => Promise<{ readonly exitCode: number | undefined; readonly stdout: string; readonly stderr: string }>;
  /** Everything that a client of the gateway can be told. */
  readonly listen: () => Promise<{ readonly wire: Wire; readonly watchTerminals: () => Promise<void>; readonly readAll: (ids: readonly string[]) => Promise<void>; readonly [Symbol.dispose]: () => void }>;
  /** Environments and arguments of all that runs here now. */
  readonly processes: () => readonly { readonly pid: number; readonly cmdline: string; readonly environ: string }[];
  /** Where a text stands: files, Git objects, answers, frames, outputs, arguments. */
  readonly found: (text: string) => readonly string[];
}

export const makeSecretsRoom = (clis: Readonly<Record<string, Script>>, more: { readonly rest?: string; readonly limits?: string; readonly env?: Readonly<Record<string, string>> } = {}): SecretsRoom => {
  const room = makeDaemonRoom({ ...more, rest: `${more.rest ?? ""}\n[discord]\ntoken = "\${FILE_TOKEN}"\nwebhookUrl = "${webhook}"\n` });
  writeFileSync(join(room.directory, ".env"), `FILE_TOKEN=${fileToken}\n`);
  const recorder = installRecorder(room.directory, room.env["PATH"] ?? "", clis, ["git", "tmux", "node"]);
  const env = {
    ...planted, PATH: `${recorder.bin}:${room.env["PATH"] ?? ""}`, ...more.env,
    NODE_OPTIONS: `--import=${join(recorder.bin, "crashing.mjs")}`,
  };
  writeFileSync(join(recorder.bin, "crashing.mjs"), crashing);
  const said: { readonly where: string; readonly text: string }[] = [];
  const say = (where: string, text: string): void => { said.push({ where, text }); };

  const processes: SecretsRoom["processes"] = () => processesIn(room.directory).flatMap((pid) => {
    try {
      return [{ pid, cmdline: readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " "), environ: readFileSync(`/proc/${pid}/environ`, "utf8") }];
    } catch {
      return [];
    }
  });

  return {
    ...room, recorder, processes,
    owner: async (...argv) => {
      const { exitCode, stdout, stderr } = await room.cli(argv, { env });
      say(`the output of ${argv.join(" ").slice(0, 60)}`, stdout + stderr);
      return { exitCode, stdout, stderr };
    },
    listen: async () => {
      const { port, token } = room.note();
      const wire = await dial(port, { authorization: `Bearer ${token}` });
      wire.socket.on("message", (data) => { if (data instanceof Buffer) say("the WebSocket", data.toString("latin1")); });
      wire.say({ type: "subscribe", snapshot: true });
      wire.say({ type: "inspect", inspection: 1 });
      const watched = new Set<string>();
      const get = async (path: string): Promise<string> => {
        const text = await (await fetch(`http://127.0.0.1:${port}${path}`, { headers: { authorization: `Bearer ${token}` } })).text();
        say(`GET ${path}`, text);
        return text;
      };
      return {
        wire,
        watchTerminals: async () => {
          const terminals: readonly { readonly address: string }[] = JSON.parse(await get(routes.terminals.path));
          for (const { address } of terminals) if (!watched.has(address)) wire.say({ type: "watch", terminal: watched.add(address).size, address });
        },
        readAll: async (ids) => {
          for (const { method, path } of Object.values(routes)) {
            if (method !== "GET" || path === routes.actor.path) continue;
            for (const id of path.includes(":id") ? ids : [""]) await get(path.replace(":id", id));
          }
          const actors: readonly { readonly address: string }[] = JSON.parse(await get(routes.actors.path));
          for (const { address } of actors) await get(`${routes.actor.path}?address=${encodeURIComponent(address)}`);
          await using tools = await overHttp(`http://127.0.0.1:${port}/mcp`, token);
          for (const [name, given] of [["factory_workItem_list", {}], ...ids.map((workItemId) => ["factory_workItem_get", { workItemId }] as const)] as const) say(`the tool ${name}`, JSON.stringify(await tools.client.callTool({ name, arguments: { ...given } })));
        },
        [Symbol.dispose]: () => wire[Symbol.dispose](),
      };
    },
    found: (text) => [
      ...filesWith(room.directory, text, new Set(["config.toml", ".env", "playbooks", "bin", "recorded", "repo/.git"])),
      ...objectsWith(room.repository, text),
      ...said.flatMap(({ where, text: heard }) => (heard.includes(text) ? [where] : [])),
      ...recorder.recorded().flatMap(({ program, cmdline }) => (cmdline.some((argument) => argument.includes(text)) ? [`the arguments of ${program}`] : [])),
      ...processes().flatMap(({ cmdline }) => (cmdline.includes(text) ? [`the arguments of ${cmdline.slice(0, 80)}`] : [])),
    ].toSorted(),
  };
};

/** Files below a directory that hold a text, as they lie: of a database that is every page and its log. */
const filesWith = (root: string, text: string, without: ReadonlySet<string>): readonly string[] => {
  const within = (directory: string): readonly string[] => readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
    const path = join(directory, entry.name), name = relative(root, path);
    if (without.has(name)) return [];
    if (entry.isDirectory()) return within(path);
    try {
      return entry.isFile() && statSync(path).size > 0 && readFileSync(path).includes(text) ? [name.replace(/[0-9a-f]{12,}/g, "HASH")] : [];
    } catch {
      return []; // Gone meanwhile.
    }
  });
  return within(root);
};

/** Objects of every kind, those that nothing names included. */
const objectsWith = (repository: string, text: string): readonly string[] =>
  execFileSync("git", ["cat-file", "--batch", "--batch-all-objects", "--unordered"], { cwd: repository, maxBuffer: 1 << 28 }).includes(text) ? ["an object of Git"] : [];
