/** What runs in a room, found by its environment or its directory: agents, launchers, commands, whatever they left behind. Linux only. */
import { readFileSync, readdirSync, readlinkSync } from "node:fs";

export interface RoomProcess { readonly pid: number; readonly argv: readonly string[]; /** The file that it runs. */ readonly program: string }

const orNothing = (read: () => string): string => {
  try { return read(); } catch { return ""; }
};

/** Zombies have neither environment nor directory, so they do not count. This process is nobody's. */
export const processesIn = (room: string): readonly RoomProcess[] => readdirSync("/proc").filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid).flatMap((pid) => {
  const inRoom = orNothing(() => readFileSync(`/proc/${pid}/environ`, "utf8")).includes(room) || `${orNothing(() => readlinkSync(`/proc/${pid}/cwd`))}/`.startsWith(`${room}/`);
  return inRoom ? [{ pid: Number(pid), argv: orNothing(() => readFileSync(`/proc/${pid}/cmdline`, "utf8")).split("\0").slice(0, -1), program: orNothing(() => readlinkSync(`/proc/${pid}/exe`)) }] : [];
});

/** Their command lines, short enough for a message. */
export const commandsIn = (room: string): readonly string[] => processesIn(room).map(({ argv }) => argv.join(" ").slice(0, 200));
