import type { Command } from "commander";
import type { Registrar } from "../registrar.ts";

const body = () => import("../commands/inbox.ts");

export const registerInbox = ({ program, add, run }: Registrar): void => {
  const inbox = add(program, "inbox", "what needs you now: questions, approvals, reviews, what is blocked or down, caps reached", "inbox", 'inbox answer RUN-3 "Round half to even."')
    .action((_: object, command: Command) => run(async () => (await body()).list)(command, {}));
  add(inbox, "show <id>", "one of them with its evidence and the commands that settle it", "inbox show RUN-3", "inbox show alpha/worker-1")
    .action((ref: string, _: object, command: Command) => run(async () => (await body()).show)(command, { ref }));
  add(inbox, "answer <id> <text>", "answer a question; of a team, tell its member or leader", 'inbox answer RUN-3 "Round half to even."')
    .action((ref: string, text: string, _: object, command: Command) => run(async () => (await body()).answer)(command, { ref, text }));
  add(inbox, "approve <id>", "let it begin, or publish what was verified", "inbox approve RUN-3")
    .action((ref: string, _: object, command: Command) => run(async () => (await body()).approve)(command, { ref }));
  add(inbox, "reject <id>", "do not begin it, or do not publish it", 'inbox reject RUN-3 --reason "The API must not change."')
    .requiredOption("--reason <text>", "why; it is recorded with the item")
    .action((ref: string, options: { readonly reason: string }, command: Command) => run(async () => (await body()).reject)(command, { ref, ...options }));
  add(inbox, "retry <id>", "try again what is blocked or reached a cap; of a team, send again or add a member", "inbox retry RUN-3")
    .action((ref: string, _: object, command: Command) => run(async () => (await body()).retry)(command, { ref }));
  add(inbox, "open <id>", "its worktree in $VISUAL or $EDITOR; without one, where it is and how to see the difference", "inbox open RUN-3", "inbox open RUN-3 --print")
    .option("--print", "only say where it is")
    .action((ref: string, options: object, command: Command) => run(async () => (await body()).open)(command, { ref, ...options }));
};
