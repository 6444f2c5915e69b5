/**
 * What the factory asks a person while somebody watches: an agent's question, an approval, a review.
 *
 * Owns: which questions were put already. I1 One prompt at a time. I2 A question that was settled elsewhere loses its prompt.
 * I3 The same question is put once; where nobody can be asked, the command that answers it is printed once.
 */
import { createInterface } from "node:readline/promises";
import type { FactoryClient, ItemState } from "../client/contract.ts";
import { askedText } from "../client/inbox.ts";
import { block, indented } from "../client/text/safe-text.ts";
import type { CommandContext } from "./context.ts";
import { again } from "./place.ts";
import type { ProgressView } from "./progress-view.ts";
import { paint } from "./screen.ts";

export interface Questions {
  readonly consider: (states: readonly ItemState[]) => Promise<void>;
  /** Aborts when a prompt or the sending of an answer failed; the reason is the error. */
  readonly failed: AbortSignal;
  readonly stop: () => void;
}

/** A person's word would move it on, and `run` may ask for it. */
export const asksPerson = ({ item }: ItemState): boolean => item.status === "awaitingApproval" || item.status === "review" || (item.status === "blocked" && item.blocked === "needsHuman");

const keyOf = ({ item, stage }: ItemState): string => [item.id, item.attempt, item.status, item.question ?? "", stage?.tryNumber ?? 0, stage?.iteration ?? 0].join("\u0000");

export const questions = (context: CommandContext, client: FactoryClient, view: ProgressView): Questions => {
  const put = new Set<string>();
  const failed = new AbortController();
  let prompt: { readonly key: string; readonly cancel: AbortController } | undefined;

  const tell = async (state: ItemState): Promise<void> => {
    const { id, status } = state.item;
    const commands = status === "blocked" ? [["task", "answer", id, "…"]] : [["task", "approve", id], ["task", "reject", id, "--reason", "…"]];
    const lines = await Promise.all(commands.map((words) => again(context.place, context.terminal, context.tools, words)));
    view.say(`${paint(context.terminal.err, "yellow", `${id} asks:`)}\n${indented(block(askedText(state)), "  ")}\n${lines.map((line) => `  ${line}`).join("\n")}`);
  };

  const ask = async (state: ItemState, cancel: AbortSignal): Promise<void> => {
    const { id, status } = state.item;
    const { terminal } = context;
    view.hold();
    const lines = createInterface({ input: terminal.input, output: terminal.prompt });
    // Raw mode swallows Ctrl-C; it means the same here as everywhere.
    lines.on("SIGINT", () => process.kill(process.pid, "SIGINT"));
    // Ctrl-D on an empty line: nobody will answer here any more.
    const closed = new AbortController();
    lines.on("close", () => closed.abort());
    const signal = AbortSignal.any([cancel, closed.signal]);
    const answer = async (mark: string): Promise<string> => {
      for (;;) {
        const text = (await lines.question(mark, { signal })).trim();
        if (text !== "") return text;
      }
    };
    try {
      terminal.err.write(`${paint(terminal.err, "yellow", `${id} asks:`)}\n${indented(block(askedText(state)), "  ")}\n`);
      if (status === "blocked") {
        await client.command(id, { type: "answer", text: await answer("your answer> ") });
      } else if (/^y/i.test(await answer("approve? [y/n]> "))) {
        await client.command(id, { type: "approve" });
      } else {
        await client.command(id, { type: "reject", reason: await answer("why not> ") });
      }
    } catch (error) {
      if (cancel.aborted) return;
      if (closed.signal.aborted) await tell(state);
      else failed.abort(error);
    } finally {
      lines.removeAllListeners("close");
      lines.close();
      view.release();
    }
  };

  return {
    failed: failed.signal,
    consider: async (states) => {
      const open = states.filter(asksPerson);
      if (prompt !== undefined && !open.some((state) => keyOf(state) === prompt?.key)) prompt.cancel.abort();
      for (const state of open) {
        const key = keyOf(state);
        if (put.has(key) || (context.terminal.canAsk && prompt !== undefined)) continue;
        put.add(key);
        if (!context.terminal.canAsk || context.json) {
          await tell(state);
          continue;
        }
        const mine = { key, cancel: new AbortController() };
        prompt = mine;
        void ask(state, mine.cancel.signal).finally(() => {
          if (prompt === mine) prompt = undefined;
        });
      }
    },
    stop: () => prompt?.cancel.abort(),
  };
};
