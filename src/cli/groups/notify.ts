/** `notify`: how people are told what needs them. */
import type { Command } from "commander";
import type { Registrar } from "../registrar.ts";

export const notifyCommands = ({ program, add, run }: Registrar): void => {
  const notify = add(program, "notify", "how people are told what needs them", "notify test", "notify test on-call --json");
  add(notify, "test [channel]", "send a message by way of trial on one channel, or on all of them; exits 1 when one does not take it", "notify test", "notify test on-call --json")
    .action((channel: string | undefined, _: object, command: Command) => run(async () => (await import("../commands/notify.ts")).test)(command, channel === undefined ? {} : { channel }));
};
