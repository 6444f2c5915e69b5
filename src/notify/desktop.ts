import { access, constants } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { Effect } from "effect";
import { execa } from "execa";
import type { NoticeMessage } from "../domain/notice.ts";
import { cut, noteLines, subjectText } from "../domain/notice-text.ts";
import { type NoticeChannel, NotifyFailed } from "../ports/notifier.ts";
import { timeoutMs } from "./post.ts";

/**
 * Notifications of this machine's desktop; where there are none, the bell of the terminal that the factory runs in.
 *
 * I1 Texts are arguments, never part of a script or of a markup.
 */
export interface DesktopOptions {
  readonly name: string;
  readonly platform: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Rings the terminal of this process; absent where there is none. */
  readonly bell?: () => void;
}

/** What a program needs to find the desktop. */
const passed = ["PATH", "HOME", "LANG", "DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY", "DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR"] as const;
const programs: Readonly<Record<string, string>> = { linux: "notify-send", darwin: "osascript" };

const argvOf = (program: string, message: NoticeMessage): readonly string[] => {
  const subject = subjectText(message), body = cut(message.notes.flatMap((note) => noteLines(note).slice(message.total === 1 ? 1 : 0)).map((line) => line.trim()).join("\n"), 500);
  if (program === "osascript") return ["-e", "on run argv", "-e", "display notification (item 2 of argv) with title (item 1 of argv)", "-e", "end run", subject, body];
  const markup = body.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
  return ["--app-name=Enact Factory", `--urgency=${message.severity === "urgent" ? "critical" : message.severity === "info" ? "low" : "normal"}`, "--", subject, markup];
};

const findProgram = async (name: string | undefined, path: string | undefined): Promise<string | undefined> => {
  if (name === undefined) return undefined;
  for (const directory of (path ?? "").split(delimiter)) {
    const file = join(directory, name);
    if (directory !== "" && await access(file, constants.X_OK).then(() => true, () => false)) return file;
  }
  return undefined;
};

export const desktop = ({ name, platform, env, bell }: DesktopOptions): NoticeChannel => {
  const program = programs[platform], find = (): Promise<string | undefined> => findProgram(program, env["PATH"]);
  return {
    name,
    probe: async () => {
      const file = await find();
      if (file !== undefined) return { ok: true, detail: `notifications by ${program}` };
      if (bell) return { ok: true, detail: `no ${program ?? "program for notifications"}: the terminal's bell` };
      return { ok: false, detail: `no ${program ?? "program for notifications"} on PATH; without it the bell rings only where the factory runs in a terminal`, ...(platform === "linux" ? { mend: "apt-get install libnotify-bin" } : {}) };
    },
    send: (message) => Effect.tryPromise({
      try: async () => {
        const file = await find();
        const done = file === undefined ? undefined : await execa(file, argvOf(program ?? "", message), { stdin: "ignore", reject: false, timeout: timeoutMs, extendEnv: false, env: Object.fromEntries(passed.flatMap((key) => (env[key] === undefined ? [] : [[key, env[key]]]))) });
        if (done && !done.failed) return;
        if (!bell) throw new Error(done ? `${program} does not work: ${cut(String(done.stderr).split("\n")[0] || (done.shortMessage ?? ""), 200)}` : `there is no ${program ?? "program for notifications"}, and no terminal`);
        bell();
      },
      catch: (error) => new NotifyFailed({ message: error instanceof Error ? error.message : String(error), retryAfterMs: null }),
    }),
  };
};
