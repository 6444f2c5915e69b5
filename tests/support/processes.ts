/** What runs in a room, found by its environment, its directory or its parent: agents, launchers, commands, whatever they left behind. Linux only. */
import { readFileSync, readdirSync, readlinkSync } from "node:fs";

export interface RoomProcess { readonly pid: number; readonly argv: readonly string[]; /** The file that it runs. */ readonly program: string }

const orNothing = (read: () => string): string => {
  try { return read(); } catch { return ""; }
};

/** Zombies have neither environment nor directory, so they do not count; nor does this process. A sandbox hides both, but not whose child it is. */
export const processesIn = (room: string): readonly RoomProcess[] => {
  const all = readdirSync("/proc").filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid).map((name) => ({
    pid: Number(name), argv: orNothing(() => readFileSync(`/proc/${name}/cmdline`, "utf8")).split("\0").slice(0, -1), program: orNothing(() => readlinkSync(`/proc/${name}/exe`)),
    parent: Number(orNothing(() => readFileSync(`/proc/${name}/stat`, "utf8")).split(") ").at(-1)?.split(" ")[1]),
    marked: orNothing(() => readFileSync(`/proc/${name}/environ`, "utf8")).includes(room) || `${orNothing(() => readlinkSync(`/proc/${name}/cwd`))}/`.startsWith(`${room}/`),
  }));
  const pids = new Set(all.filter(({ marked }) => marked).map(({ pid }) => pid));
  for (let before = -1; before !== pids.size;) {
    before = pids.size;
    for (const { pid, parent, program } of all) if (pids.has(parent) && program !== "") pids.add(pid);
  }
  return all.filter(({ pid }) => pids.has(pid));
};

/** Their command lines, short enough for a message. */
export const commandsIn = (room: string): readonly string[] => processesIn(room).map(({ argv }) => argv.join(" ").slice(0, 200));
