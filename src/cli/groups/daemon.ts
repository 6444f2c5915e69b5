/** `start`, `stop`, `restart`, `status`, `logs`: the daemon. */
import { Option } from "commander";
import type { Registrar } from "../registrar.ts";

export const daemonCommands = ({ program, add, run }: Registrar): void => {
  const daemon = () => import("../commands/daemon.ts");
  add(program, "start", "start the daemon: it picks up work, and serves its API on this machine only", "start", "start --foreground", "start --port 0")
    .option("--foreground", "in this terminal; Ctrl-C stops it")
    .option("--port <port>", "instead of gateway.port; 0 takes a free one")
    .addOption(new Option("--background", "started by another start").hideHelp())
    .action((options, command) => run(async () => (await daemon()).start)(command, options));
  add(program, "stop", "stop the daemon; agents are asked to end, their work is kept", "stop", "stop --keep-agents")
    .option("--keep-agents", "let agents go on; the next start takes them over")
    .option("--timeout <seconds>", "how long to wait until it has ended", "60")
    .action((options, command) => run(async () => (await daemon()).stop)(command, options));
  add(program, "restart", "stop the daemon and start it again; agents go on meanwhile", "restart")
    .option("--port <port>", "another port than before")
    .option("--timeout <seconds>", "how long to wait until the old one has ended", "60")
    .action((options, command) => run(async () => (await daemon()).restart)(command, options));
  add(program, "status", "what runs, what waits and for what, what needs you", "status", "status --json")
    .action((_, command) => run(async () => (await import("../commands/status.ts")).status)(command, {}));
  add(program, "logs [address]", "the daemon's log, or what an agent's terminal shows", "logs --follow", "logs LOC-3/coder --follow")
    .option("-f, --follow", "go on")
    .option("-n, --lines <count>", "so many lines of the daemon's log first", "100")
    .action((address: string | undefined, options: object, command) => run(async () => (await import("../commands/logs.ts")).logs)(command, { ...options, ...(address === undefined ? {} : { address }) }));
};
