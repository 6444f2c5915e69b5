/** `diff`, `undo`, `receipt`: what came of an item, how it is taken back, and proof of how it came about. */
import type { Registrar } from "../registrar.ts";

export const receiptCommands = ({ program, add, run }: Registrar): void => {
  add(program, "diff <id>", "the change of an item: base to head of its branch, or as its worktree stands while it runs", "diff RUN-3", "diff RUN-3 --stat", "diff RUN-3 > run-3.patch")
    .option("--stat", "only the files, with lines added and removed")
    .action((id: string, options: object, command) => run(async () => (await import("../commands/diff.ts")).diff)(command, { ...options, id }));
  add(program, "undo <id>", "take back what an item published; a checkpoint keeps it, and no worktree is touched", "undo RUN-3", "undo RUN-3 --onto main")
    .option("--onto <branch>", "the branch that has the change (default: the branch that is checked out when it was merged there, else the item's own)")
    .action((id: string, options: object, command) => run(async () => (await import("../commands/undo.ts")).undo)(command, { ...options, id }));
  const commands = () => import("../commands/receipt.ts");
  const receipt = add(program, "receipt [id]", "the signed receipt of what an item published: commits, checks, verdicts, turns, cost, approvals", "receipt RUN-3", "receipt RUN-3 --output run-3.receipt.json", "receipt verify run-3.receipt.json")
    .option("-o, --output <file>", "write it there (never over another file), and say in a few lines what it tells");
  receipt.action((id: string | undefined, options: object, command) => run(async () => (await commands()).show)(command, { ...options, ...(id === undefined ? {} : { id }) }));
  add(receipt, "verify <file>", "does its signature hold, and does the repository have what it tells of? Needs no factory: exit 0 yes, 1 no, 2 could not look", "receipt verify run-3.receipt.json --key factory.pem", "receipt verify run-3.receipt.json --keyid ID --repository ~/my/repo")
    .option("--key <file>", "the signer's public key (PEM; default: this factory's own)")
    .option("--keyid <id>", "the signer's key by its id, which `receipt key` prints; the receipt brings the key along")
    .option("--repository <dir>", "look for its commits there, too")
    .action((file: string, options: object, command) => run(async () => (await commands()).verify)(command, { ...options, file }));
  add(receipt, "key", "this factory's public key, for whoever verifies its receipts; made when there is none", "receipt key > factory.pem")
    .action((_: object, command) => run(async () => (await commands()).key)(command, {}));
};
