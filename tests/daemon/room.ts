/** A room whose daemon ends with it, however the test went. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { join } from "node:path";
import { expect } from "vitest";
import { z } from "zod";
import { lastLine, makeRoom, type Room } from "../cli/room.ts";
import { config, leftIn } from "../faults/room.ts";

/** A guard against hanging, not a measure. */
export const guardMs = 60_000;

const Note = z.object({ pid: z.number(), host: z.string(), port: z.number(), generation: z.number() });
export interface Running { readonly pid: number; readonly host: string; readonly port: number; readonly generation: number; readonly token: string }

export interface DaemonRoom extends Room {
  readonly state: string;
  readonly note: () => Running;
  readonly hasNote: () => boolean;
  readonly log: () => string;
  /** An answer of the gateway, with the token. */
  readonly get: (path: string) => Promise<unknown>;
}

export const makeDaemonRoom = (more: { readonly rest?: string; readonly limits?: string } = {}): DaemonRoom => {
  const room = makeRoom({ config: config({ ...more, rest: `${more.rest ?? ""}\n[gateway]\nport = 0\n` }) });
  const state = join(room.directory, ".enact", "factory");
  const at = (...path: readonly string[]): string => join(state, ...path);
  const note = (): Running => ({ ...Note.parse(JSON.parse(readFileSync(at("state", "gateway.json"), "utf8"))), token: readFileSync(at("state", "gateway.token"), "utf8").trim() });
  return {
    ...room, state, note,
    hasNote: () => existsSync(at("state", "gateway.json")),
    log: () => (existsSync(at("logs", "daemon.log")) ? readFileSync(at("logs", "daemon.log"), "utf8") : ""),
    get: async (path) => {
      const { host, port, token } = note();
      return (await fetch(`http://${host}:${port}${path}`, { headers: { authorization: `Bearer ${token}` } })).json();
    },
    [Symbol.asyncDispose]: async () => {
      // Whatever is left was started here: its environment names this room, which is a directory of ours alone.
      await expect.poll(() => {
        const left = pidsIn(room);
        for (const pid of left) end(pid);
        return left;
      }, { timeout: guardMs, interval: 100 }).toEqual([]);
      await room[Symbol.asyncDispose]();
    },
  };
};

const end = (pid: number): void => {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // Gone by itself.
  }
};

const pidsIn = (room: Room): readonly number[] => leftIn(room).length === 0 ? [] : processesIn(room.directory);

/** Pids of the processes whose environment names the room. */
export const processesIn = (directory: string): readonly number[] => readdirProc().filter((pid) => {
  try {
    return readFileSync(`/proc/${pid}/environ`, "utf8").includes(directory);
  } catch {
    return false;
  }
});
const readdirProc = (): readonly number[] => readdirSync("/proc").filter((name) => /^\d+$/.test(name)).map(Number).filter((pid) => pid !== process.pid);

const Started = z.object({ state: z.string(), pid: z.number(), address: z.string(), log: z.string() });
export const started = async (room: DaemonRoom, ...argv: readonly string[]): Promise<z.infer<typeof Started>> => {
  const done = await room.cli(["start", "--json", ...argv]);
  expect(done.exitCode, done.stderr).toBe(0);
  return Started.parse(lastLine(done.stdout));
};

export const gone = (pid: number): boolean => {
  try {
    return readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.startsWith("Z") ?? true;
  } catch {
    return true;
  }
};

/** What a command has said so far on its standard error. */
export const heard = (child: ReturnType<Room["cli"]>): (() => string) => {
  let said = "";
  child.stderr.on("data", (chunk: Buffer) => { said += chunk.toString(); });
  return () => said;
};

/** Holds a port of loopback; 0 takes a free one. `undefined`: somebody has it already. */
export const hold = (port: number): Promise<{ readonly port: number; readonly [Symbol.asyncDispose]: () => Promise<void> } | undefined> => new Promise((resolve) => {
  const server: Server = createServer();
  server.once("error", () => resolve(undefined));
  server.listen({ host: "127.0.0.1", port, exclusive: true }, () => {
    const address = server.address();
    resolve({ port: typeof address === "object" && address !== null ? address.port : 0, [Symbol.asyncDispose]: () => new Promise((done) => { server.close(() => done()); }) });
  });
});
