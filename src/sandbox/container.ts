import { lstatSync } from "node:fs";
import { join } from "node:path";
import { type Sandbox, fixedEnv } from "./sandbox.ts";

const guard = (directory: string, name: string): readonly string[] => {
  const stat = lstatSync(join(directory, name), { throwIfNoEntry: false });
  return stat?.isFile() === true ? ["--mount", `type=bind,source=${join(directory, name)},target=${join("/project", name)},readonly`] : stat?.isDirectory() === true ? ["--tmpfs", join("/project", name)] : [];
};

/** The owner's podman or docker with an image of their choice; tools come from the image. The container is removed when its client is killed only if the engine does so: `--init --rm` and a stop by name follow a timeout. */
export const container = (engine: "podman" | "docker", image: string): Sandbox => ({
  name: `${engine} ${image}`,
  confines: true,
  inside: "/project",
  launch: async ({ argv, directory, env, dependencies, readOnly, guarded }) => ({
    argv: [engine, "run", "--rm", "--init", "--network", "none", "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--pids-limit", "4096", "--read-only", "--tmpfs", "/tmp:exec", "--tmpfs", "/home/check",
      ...(engine === "podman" ? ["--userns", "keep-id"] : ["--user", `${process.getuid?.() ?? 1000}:${process.getgid?.() ?? 1000}`]),
      "--mount", `type=bind,source=${directory},target=/project${readOnly === true ? ",readonly" : ""}`, ...(guarded ?? []).flatMap((name) => guard(directory, name)), ...dependencies.flatMap(({ from, at }) => ["--mount", `type=bind,source=${from},target=${join("/project", at)},readonly`]),
      "--workdir", "/project", ...Object.entries({ ...fixedEnv("/home/check", "/tmp", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"), ...env }).flatMap(([name, value]) => ["--env", `${name}=${value}`]), image, ...argv],
    env: { PATH: process.env.PATH ?? "/usr/bin:/bin", HOME: process.env.HOME ?? "/" }, cwd: directory,
  }),
});
