/** One test's own world: a worktree, a provider, a directory of runs. Every request of it was in order when it is left. */
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect } from "vitest";
import { responses } from "../../../src/adapters/responses/adapter.ts";
import type { AgentEvent, TurnRequest } from "../../../src/domain/agent.ts";
import type { McpServer } from "../../../src/domain/mcp.ts";
import type { Adapter, ProjectCommands } from "../../../src/ports/adapter.ts";
import type { RunHandle } from "../../../src/ports/agent-process.ts";
import { rig } from "../../process/rig.ts";
import { marker, type ResponsesServer, type Scenario, startResponsesServer } from "../../support/responses-server.ts";
import { playTurn, type Played, turnRequest } from "../play.ts";

export interface RoomOptions {
  readonly files?: Readonly<Record<string, string>>;
  /** The worktree is one of git, with these files committed. */
  readonly git?: boolean;
  readonly env?: Readonly<Record<string, string>>;
  readonly project?: Partial<ProjectCommands>;
  readonly mcp?: readonly McpServer[];
  readonly key?: string;
  /** Said in one piece with the request. */
  readonly said?: { readonly id: string; readonly text: string };
}

export interface Room extends AsyncDisposable {
  readonly server: ResponsesServer;
  readonly work: string;
  readonly file: (path: string) => string;
  readonly turn: (scenario: string, more?: Partial<TurnRequest>) => TurnRequest;
  readonly play: (scenario: string, more?: Partial<TurnRequest>, onEvent?: (event: AgentEvent, handle: RunHandle) => void) => Promise<Played>;
  /** The log of a session, as text. */
  readonly log: (sessionId: string | null) => string;
  readonly root: string;
}

export const openRoom = async (scenarios: Readonly<Record<string, Scenario>>, options: RoomOptions = {}): Promise<Room> => {
  const it = rig(), work = join(it.directory, "work"), key = options.key ?? "test-key";
  mkdirSync(work);
  for (const [path, text] of Object.entries(options.files ?? {})) {
    mkdirSync(dirname(join(work, path)), { recursive: true });
    writeFileSync(join(work, path), text);
  }
  if (options.git === true) for (const args of [["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-q", "--allow-empty", "-m", "start"]]) {
    execFileSync("git", ["-c", "user.name=t", "-c", "user.email=t@localhost", ...args], { cwd: work, env: { PATH: process.env["PATH"], HOME: it.directory, GIT_CONFIG_NOSYSTEM: "1" } });
  }
  const server = await startResponsesServer(scenarios, key);
  const env: Readonly<Record<string, string | undefined>> = { PATH: process.env["PATH"], ENACT_GATEWAY_BASE_URL: server.url, ENACT_GATEWAY_API_KEY: key, ENACT_RESPONSES_RETRY_BASE_MS: "1", ENACT_RESPONSES_RETRY_MAX_MS: "5", ...options.env };
  const project: ProjectCommands = { sandbox: "auto", checks: [], checkTimeoutMs: 60_000, env: [], ...options.project };
  const adapter: Adapter = { ...responses, plan: (turn, host) => {
    const plan = responses.plan(turn, { ...host, env, project, ...(options.mcp === undefined ? {} : { mcp: options.mcp }) });
    return "kind" in plan || options.said === undefined ? plan : { ...plan, stdin: `${plan.stdin}${responses.message?.(options.said) ?? ""}` };
  } };
  const sessions = join(it.root, ".responses-sessions");
  let count = 0;
  const turn: Room["turn"] = (scenario, more = {}) => turnRequest(it, `run-${++count}`, { adapter: "responses", model: "gpt-5", prompt: `Do the work. ${marker(scenario)}`, ...more });
  return {
    server, work, turn, root: it.root,
    file: (path) => readFileSync(join(work, path), "utf8"),
    play: (scenario, more, onEvent) => playTurn(it, adapter, turn(scenario, more), onEvent === undefined ? {} : { onEvent }),
    log: (sessionId) => readFileSync(join(sessions, `${sessionId ?? ""}.jsonl`), "utf8"),
    [Symbol.asyncDispose]: async () => {
      await it.dispose();
      await server.close();
      expect(server.complaints).toEqual([]);
    },
  };
};

export const toolEnds = (played: Played): readonly Extract<AgentEvent, { type: "tool" }>[] => played.events.filter((event) => event.type === "tool" && event.phase === "end").filter((event) => event.type === "tool");
export const outputOf = (played: Played, name: string, n = 0): string => toolEnds(played).filter((event) => event.name === name)[n]?.output ?? "";
