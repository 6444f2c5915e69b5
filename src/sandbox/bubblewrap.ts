import { lstatSync, readlinkSync } from "node:fs";
import * as fs from "node:fs/promises";
import { join } from "node:path";
import { type Sandbox, fixedEnv } from "./sandbox.ts";
import type { Tools } from "./tools.ts";

/** Where the export is inside: the same on base and head, so that paths in output are equal. */
const inside = "/project";
/** Files of /etc that programs read to start at all; nothing that names accounts or keys. */
const etc = ["ld.so.cache", "ld.so.conf", "ld.so.conf.d", "alternatives", "ssl/certs", "ssl/openssl.cnf", "ca-certificates", "pki/tls/certs", "localtime", "nsswitch.conf", "mime.types"];

/**
 * Linux namespaces: no network but loopback, own process table (killed with bubblewrap), private /tmp and home, only the export writable,
 * no capability, no new user namespace when `sealed`. Limits are set inside: set outside they do not bind when the owner is root.
 */
export const bubblewrap = (tools: Tools, sealed: boolean): Sandbox => ({
  name: "bubblewrap",
  confines: true,
  inside,
  launch: async ({ argv, directory, temporary, env, dependencies, readOnly, guarded }) => {
    const args: string[] = [
      "--unshare-user", "--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try", ...(sealed ? ["--disable-userns"] : []),
      "--die-with-parent", "--new-session", "--cap-drop", "ALL", "--uid", "1000", "--gid", "1000", "--hostname", "check", "--clearenv",
      "--ro-bind", "/usr", "/usr", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--dir", "/home/check", "--dir", "/etc",
    ];
    for (const top of ["/bin", "/sbin", "/lib", "/lib64", "/lib32"]) {
      const stat = lstatSync(top, { throwIfNoEntry: false });
      if (stat?.isSymbolicLink() === true) args.push("--symlink", readlinkSync(top), top);
      else if (stat !== undefined) args.push("--ro-bind", top, top);
    }
    args.push("--ro-bind-try", "/nix/store", "/nix/store");
    for (const name of etc) args.push("--ro-bind-try", join("/etc", name), join("/etc", name));
    const passwd = join(temporary, "passwd"), group = join(temporary, "group"), hosts = join(temporary, "hosts");
    await Promise.all([fs.writeFile(passwd, "check:x:1000:1000::/home/check:/bin/sh\n"), fs.writeFile(group, "check:x:1000:\n"), fs.writeFile(hosts, "127.0.0.1 localhost check\n::1 localhost\n")]);
    args.push("--ro-bind", passwd, "/etc/passwd", "--ro-bind", group, "/etc/group", "--ro-bind", hosts, "/etc/hosts");
    for (const path of tools.directories) args.push("--ro-bind", path, path);
    args.push(readOnly === true ? "--ro-bind" : "--bind", directory, inside, "--chdir", inside);
    for (const name of guarded ?? []) {
      const stat = lstatSync(join(directory, name), { throwIfNoEntry: false });
      if (stat?.isFile() === true) args.push("--ro-bind", join(directory, name), join(inside, name));
      if (stat?.isDirectory() === true) args.push("--tmpfs", join(inside, name));
    }
    // At their own place too: virtual environments name themselves by absolute path.
    for (const { from, at } of dependencies) args.push("--ro-bind", from, at === "" ? inside : join(inside, at), "--ro-bind", from, from);
    for (const [name, value] of Object.entries({ ...fixedEnv("/home/check", "/tmp", tools.path), ...tools.env, ...env })) args.push("--setenv", name, value);
    return { argv: ["bwrap", ...args, "--", "prlimit", "--core=0", "--nproc=4096", "--nofile=16384", "--fsize=4294967296", "--", ...argv], env: { PATH: process.env.PATH ?? "/usr/bin:/bin" }, cwd: directory };
  },
});
