import { oneLine, shellWord } from "../../client/text/safe-text.ts";
import { type Command, itemId, itemState, printJson, reading } from "../context.ts";
import { exitCode } from "../problem.ts";

export interface UndoOptions { readonly id: string; readonly onto?: string }

/** Takes back what an item published, and says how to have it back. */
export const undo: Command<UndoOptions> = (context, options) => {
  const id = itemId(options.id);
  return reading(context, async (client) => {
    const { item } = await itemState(client, id);
    const undone = await client.undo(item.id, { onto: options.onto ?? null });
    const { how, already, branch, commit, from, checkpoint } = undone;
    const again = how === "moved" ? `git -C ${shellWord(item.repository)} branch -f ${branch} ${checkpoint.ref}` : `git -C ${shellWord(item.repository)} branch -D ${branch}`;
    if (context.json) {
      printJson(context, { id: item.id, ...undone, ...(how === "reverted" ? { next: `git merge ${branch}` } : {}), takeBack: again });
      return exitCode.ok;
    }
    const had = already ? " already" : "";
    context.terminal.out.write(oneLine(how === "moved"
      ? `${item.id}: ${branch} is${had} back at ${commit.slice(0, 12)}, where the work began; it was published nowhere else.`
      : `${item.id}: ${branch}${had} takes it back from ${from} (commit ${commit.slice(0, 12)}).`) + "\n");
    if (how === "reverted") context.terminal.out.write(`  Put it to use, standing on ${oneLine(from)}: git merge ${oneLine(branch)}\n`);
    context.terminal.out.write(`  The work is kept in ${checkpoint.ref}. To have it as it was: ${oneLine(again)}\n`);
    return exitCode.ok;
  });
};
