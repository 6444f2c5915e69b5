/**
 * Where the gateway of a state directory is: `state/gateway.json`, and its token in `state/gateway.token` (both 0600).
 *
 * I1 The files are only a hint: a gateway counts as there when it proves that it knows the token. A file left by a killed daemon, a pid or a port
 * that somebody else has by now prove nothing. I2 The token is sent to nobody who has not proved it. I3 Who ends takes away its own files only.
 */
import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { health } from "../client/api.ts";
import type { GatewayAddress } from "../client/live-socket.ts";

const GatewayNote = z.object({
  pid: z.int().positive(),
  /** Clock ticks between boot and the start of the process, where the system tells: with the pid it names one process. */
  startTicks: z.number().nullable(),
  host: z.string(),
  port: z.int().min(1).max(65_535),
  /** The port that was asked for; null: whichever is free. */
  asked: z.int().nullable(),
  generation: z.number(),
  version: z.string(),
  startedAt: z.number(),
});
export type GatewayNote = z.infer<typeof GatewayNote>;
export interface Gateway { readonly note: GatewayNote; readonly address: GatewayAddress }

const noteFile = (stateDirectory: string): string => join(stateDirectory, "state", "gateway.json");
const tokenFile = (stateDirectory: string): string => join(stateDirectory, "state", "gateway.token");

/** Milliseconds. A gateway that lives answers within one or two, on a machine that is overloaded within a second; one that is frozen never. */
const proofMs = 4_000;

export const newToken = (): string => randomBytes(32).toString("hex");

const put = (file: string, text: string): void => {
  writeFileSync(`${file}.new`, text, { mode: 0o600 });
  renameSync(`${file}.new`, file);
};

/** The token first: who reads a new note finds its token. */
export const announceGateway = (stateDirectory: string, note: GatewayNote, token: string): void => {
  put(tokenFile(stateDirectory), `${token}\n`);
  put(noteFile(stateDirectory), `${JSON.stringify(note)}\n`);
};

/** Takes the files away if they are still of this token (I3). */
export const forgetGateway = (stateDirectory: string, token: string): void => {
  if (read(stateDirectory)?.address.token !== token) return;
  rmSync(noteFile(stateDirectory), { force: true });
  rmSync(tokenFile(stateDirectory), { force: true });
};

const read = (stateDirectory: string): Gateway | undefined => {
  try {
    const note = GatewayNote.parse(JSON.parse(readFileSync(noteFile(stateDirectory), "utf8")));
    return { note, address: { host: note.host, port: note.port, token: readFileSync(tokenFile(stateDirectory), "utf8").trim() } };
  } catch {
    // None, or one that is just being written; who looks again finds it.
    return undefined;
  }
};

/** The gateway that runs for this state directory, proven (I1). */
export const locateGateway = async (stateDirectory: string): Promise<Gateway | undefined> => {
  const found = read(stateDirectory);
  return found !== undefined && await proves(found.address) ? found : undefined;
};

const proves = async ({ host, port, token }: GatewayAddress): Promise<boolean> => {
  const challenge = randomBytes(16).toString("hex");
  try {
    const response = await fetch(`http://${host}:${port}${health.path}?challenge=${challenge}`, { signal: AbortSignal.timeout(proofMs), redirect: "error" });
    const { proof = "" } = health.result.parse(await response.json());
    const expected = createHmac("sha256", token).update(`${health.prefix}${challenge}`).digest();
    const given = Buffer.from(proof, "hex");
    return given.length === expected.length && timingSafeEqual(given, expected);
  } catch {
    return false;
  }
};
