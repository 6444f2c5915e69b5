// `npm run setup`: says which system parts of the tests are here. `npm run setup -- --install` installs the missing ones with apt.
import { execa } from "execa";
import { installCommand, type Probed, probeParts } from "../tests/support/system-parts.ts";

/** One line a part. */
export const report = (probed: readonly Probed[]): string =>
  probed.map(({ part, ok, detail }) => (ok ? `  ${part.name}: ${detail}` : `  ${part.name}: MISSING (${detail})\n    not tested without it: ${part.tests}\n    install: ${installCommand(part)}`)).join("\n");

/** apt, as root or by a sudo that asks nothing. Fails with a reason rather than wait for a password. */
export const install = async (missing: readonly Probed[]): Promise<void> => {
  const root = process.getuid?.() === 0;
  const apt = async (...args: readonly string[]): Promise<void> => {
    const [program = "", ...argv] = [...(root ? [] : ["sudo", "-n"]), "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", ...args];
    await execa(program, argv, { stdin: "ignore", stdout: "inherit", stderr: "inherit", timeout: 600_000 });
  };
  if (process.platform !== "linux") throw new Error("only apt is used by itself; the commands above are for your package manager");
  await apt("update", "-q");
  await apt("install", "-y", "-q", "--no-install-recommends", ...missing.map(({ part }) => part.apt));
};

if (import.meta.main) {
  const before = await probeParts();
  console.log(report(before));
  const missing = before.filter(({ ok }) => !ok);
  if (missing.length > 0 && process.argv.includes("--install")) {
    await install(missing);
    const after = await probeParts();
    console.log(report(after));
    process.exitCode = after.every(({ ok }) => ok) ? 0 : 1;
  } else process.exitCode = missing.length === 0 ? 0 : 1;
}
