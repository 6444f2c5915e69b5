/**
 * Which living processes belong together. What starts them gives them a mark in the environment variable ENACT_RUN_ID, which a `setsid`
 * grandchild inherits although it left the process group; a pid alone proves nothing.
 * Known limit: a process that both left the group and emptied its environment is found only while its parent still belongs to the rest.
 */
import { readFileSync, readdirSync } from "node:fs";
import { execa } from "execa";

/** The variable that holds the mark. */
export const markVariable = "ENACT_RUN_ID";

export interface ProcessRow {
  readonly pid: number; readonly ppid: number; readonly group: number;
  /** CPU milliseconds of the process and of its children that ended and were waited for. */
  readonly cpuMs: number;
  /** Value of the mark's variable at exec. */
  readonly mark: string | undefined;
  /** Clock ticks between boot and the start of the process; with the pid it names one process. `undefined` where unknown. */
  readonly startedAt: number | undefined;
}

/** /proc counts CPU in USER_HZ ticks, 100 a second on every Linux that Node runs on. */
const msPerTick = 10;

const variable = `${markVariable}=`;
const markIn = (environ: Buffer): string | undefined => {
  for (let at = environ.indexOf(variable); at >= 0; at = environ.indexOf(variable, at + 1)) {
    if (at > 0 && environ[at - 1] !== 0) continue;
    const end = environ.indexOf(0, at);
    return environ.toString("utf8", at + variable.length, end < 0 ? environ.length : end);
  }
  return undefined;
};

const readRow = (pid: number): ProcessRow | undefined => {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    // The program name in parentheses may hold anything, blanks and parentheses too.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    if (fields[0] === "Z" || fields[0] === "X") return undefined;
    const field = (n: number): number => Number(fields[n]);
    const cpuMs = (field(11) + field(12) + field(13) + field(14)) * msPerTick;
    let mark: string | undefined;
    try {
      mark = markIn(readFileSync(`/proc/${pid}/environ`));
    } catch {
      // Another user's process: never ours.
    }
    return { pid, ppid: field(1), group: field(2), cpuMs, mark, startedAt: field(19) };
  } catch {
    return undefined; // Ended meanwhile.
  }
};

/** One living process; undefined when there is none of that pid. Where /proc is not (macOS), only that it lives is known. */
export const processRow = (pid: number): Pick<ProcessRow, "pid" | "startedAt"> | undefined => {
  if (process.platform === "linux") return readRow(pid);
  try {
    process.kill(pid, 0);
    return { pid, startedAt: undefined };
  } catch {
    return undefined;
  }
};

/** Lists of one look; where processes are born without end, the next look goes on. */
const mostLists = 10;

const scanProc = async (): Promise<readonly ProcessRow[]> => {
  const rows: ProcessRow[] = [], seen = new Set<string>();
  let sinceBreak = 0;
  // Who ended before it was read may have left a child that was born after the list was made: listed again until there is nobody new.
  for (let list = 0; list < mostLists; list++) {
    const fresh = readdirSync("/proc").filter((name) => /^\d+$/.test(name) && !seen.has(name));
    if (fresh.length === 0) break;
    for (const name of fresh) {
      seen.add(name);
      const row = readRow(Number(name));
      if (row) rows.push(row);
      // About a millisecond of reading, then others may run.
      if (++sinceBreak % 50 === 0) await new Promise<void>((resume) => setImmediate(resume));
    }
  }
  return rows;
};

/** `[[dd-]hh:]mm:ss[.cc]` in milliseconds. */
const psTime = (text: string): number => {
  const [clock = "", days = "0"] = text.split("-").reverse();
  const seconds = clock.split(":").reduce((sum, part) => sum * 60 + Number(part), 0);
  return Math.round((Number(days) * 86_400 + seconds) * 1_000);
};

const markInText = new RegExp(String.raw`(?:^|\s)${markVariable}=(\S+)`);

/** Rows of `ps` as macOS and the BSDs document it: `-E` appends the environment to the command. Not run on macOS by us (docs/platforms.md). */
export const parsePs = (text: string): readonly ProcessRow[] => text.split("\n").flatMap((line) => {
  const match = /^\s*(\d+)\s+(\d+)\s+(\d+)\s+(\S+)\s+(\S+)\s(.*)$/.exec(line);
  if (!match) return [];
  const [, pid, ppid, group, state = "", time = "", rest = ""] = match;
  if (state.startsWith("Z")) return [];
  return [{ pid: Number(pid), ppid: Number(ppid), group: Number(group), cpuMs: psTime(time), mark: markInText.exec(rest)?.[1], startedAt: undefined }];
});

const scanPs = async (): Promise<readonly ProcessRow[]> => {
  const { stdout } = await execa("/bin/ps", ["-A", "-E", "-ww", "-o", "pid=,ppid=,pgid=,state=,time=,command="], {
    stdin: "ignore", extendEnv: false, env: { PATH: "/usr/bin:/bin", LC_ALL: "C" }, timeout: 10_000, maxBuffer: 64 * 1024 * 1024,
  });
  return parsePs(stdout);
};

/** Every living process this user may look at. Zombies are not alive. */
export const scan: () => Promise<readonly ProcessRow[]> = process.platform === "linux" ? scanProc : scanPs;

let underWay: Promise<readonly ProcessRow[]> | undefined;
/** One look for all that ask while it is under way. It may have begun before the question: right for watching, wrong before a signal. */
export const scanTogether = (): Promise<readonly ProcessRow[]> => underWay ??= scan().finally(() => { underWay = undefined; });

/** Clock ticks between boot and the start of a living process; `undefined` where it is gone or the system does not tell. */
export const startTicks = (pid: number): number | undefined => (process.platform === "linux" ? readRow(pid)?.startedAt : undefined);

/** True while that process lives. Where starts are not told (macOS), any process with the pid counts. */
export const lives = (pid: number, ticks: number | null): boolean => {
  if (process.platform === "linux") {
    const row = readRow(pid);
    return row !== undefined && (ticks === null || row.startedAt === ticks);
  }
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

/** True while `row` still names the process it was read from. */
export const isSame = (row: ProcessRow): boolean => row.startedAt === undefined || readRow(row.pid)?.startedAt === row.startedAt;

/** True for a process that was stopped (SIGSTOP) and does nothing until it is let go on. Where /proc is not (macOS), always false. */
export const isStopped = (pid: number): boolean => {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    return stat.slice(stat.lastIndexOf(")") + 2).startsWith("T");
  } catch {
    return false;
  }
};

/** From the kernel's headers: the process is on its way out (PF_EXITING), was ended by a signal (PF_SIGNALED), or has SIGKILL waiting. */
const exiting = 0x4, signaled = 0x400, killPending = 1n << 8n;

/**
 * True when `row` is dying already and only needs the processor to finish: a SIGKILL is not obeyed by a process that is not scheduled.
 * Such a process has not outlived anything. Where /proc is not (macOS), always false: it then counts as living until it is gone.
 */
export const isDying = ({ pid }: Pick<ProcessRow, "pid">): boolean => {
  if (process.platform !== "linux") return false;
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    if ((Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[6]) & (exiting | signaled)) !== 0) return true;
    const pending = [...readFileSync(`/proc/${pid}/status`, "latin1").matchAll(/^S(?:ig|hd)Pnd:\s*([0-9a-f]+)$/gm)];
    return pending.some(([, set = "0"]) => (BigInt(`0x${set}`) & killPending) !== 0n);
  } catch {
    return true; // Ended meanwhile.
  }
};

/** One process's death is nobody's error: gone already, or another user's by now, and nothing of ours is left there. A negative pid is a process group. */
export const sendSignal = (pid: number, signal: NodeJS.Signals): void => {
  try {
    process.kill(pid, signal);
  } catch (cause) {
    if (!(cause instanceof Error && "code" in cause && (cause.code === "ESRCH" || cause.code === "EPERM"))) throw cause;
  }
};

/** Processes that belong together: a mark, and the leader of the process group they began in. */
export interface MarkedGroup { readonly mark: string; readonly leader: number | undefined; readonly leaderLives: boolean }

/** True when the process group of the leader is still theirs: the leader lives, or a member carries the mark. A pid used again is neither. */
export const groupIsOurs = (rows: readonly ProcessRow[], { mark, leader, leaderLives }: MarkedGroup): boolean =>
  leader !== undefined && (leaderLives || rows.some((row) => row.group === leader && row.mark === mark));

/** All of them but for the leader: marked ones, members of its group, and descendants of either. */
export const membersOf = (rows: readonly ProcessRow[], marked: MarkedGroup): readonly ProcessRow[] => {
  const group = groupIsOurs(rows, marked) ? marked.leader : undefined;
  const ours = new Set(rows.filter((row) => row.mark === marked.mark || (group !== undefined && row.group === group)).map((row) => row.pid));
  for (let before = -1; before !== ours.size;) {
    before = ours.size;
    for (const row of rows) if (ours.has(row.ppid)) ours.add(row.pid);
  }
  return rows.filter((row) => ours.has(row.pid) && row.pid !== marked.leader && row.pid !== process.pid);
};
