import * as fs from "node:fs/promises";
import { join } from "node:path";
import { linkDependencies } from "./link-dependencies.ts";
import { type Sandbox, fixedEnv } from "./sandbox.ts";
import type { Tools } from "./tools.ts";

const quote = (path: string): string => `"${path.replaceAll("\\", "\\\\").replaceAll("\"", "\\\"")}"`;

/** macOS `sandbox-exec`. Written to its documented profile language; not run by us on macOS. Home is unreadable but for tools and dependencies, nothing but the export and its own temporary directory is writable. */
export const seatbelt = (tools: Tools, home: string): Sandbox => ({
  name: "sandbox-exec",
  confines: true,
  launch: async (command) => {
    await linkDependencies(command);
    const own = join(command.temporary, "home");
    await fs.mkdir(own, { recursive: true });
    const [directory, temporary] = await Promise.all([fs.realpath(command.directory), fs.realpath(command.temporary)]);
    const readable = [...tools.directories, ...command.dependencies.map(({ from }) => from), directory, temporary].map((path) => `(subpath ${quote(path)})`).join(" ");
    const writable = [...(command.readOnly === true ? [] : [directory]), temporary].map((path) => `(subpath ${quote(path)})`).join(" ");
    const guarded = (command.guarded ?? []).map((name) => `(subpath ${quote(join(directory, name))})`).join(" ");
    const profile = [
      "(version 1)", "(allow default)", "(deny network*)", "(allow network* (local ip \"localhost:*\"))", "(allow network-outbound (remote ip \"localhost:*\"))",
      "(deny file-write*)", `(allow file-write* ${writable} (literal "/dev/null") (literal "/dev/tty") (literal "/dev/dtracehelper"))`,
      `(deny file-read* (subpath ${quote(home)}))`, `(allow file-read* ${readable})`, `(allow file-read-metadata)`,
      // The last rule that fits holds.
      ...(guarded === "" ? [] : [`(deny file-write* ${guarded})`, `(deny file-read-data ${guarded})`]),
    ].join("\n");
    return { argv: ["sandbox-exec", "-p", profile, ...command.argv], env: { ...fixedEnv(own, temporary, tools.path), ...tools.env, ...command.env }, cwd: directory };
  },
});
