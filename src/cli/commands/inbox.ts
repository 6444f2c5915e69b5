/** `inbox …`: what needs a human now, and the words that settle it. What `task` can do is done by `task`. */
import { randomUUID } from "node:crypto";
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import type { FactoryClient } from "../../client/contract.ts";
import { relativeTime } from "../../client/explain.ts";
import { diffCommand, type InboxKey, requestOf } from "../../client/inbox.ts";
import { block, indented, oneLine } from "../../client/text/safe-text.ts";
import { costText } from "../../domain/spend.ts";
import { type Command, type CommandContext, itemId, itemState, printJson, reading } from "../context.ts";
import { entryNamed, entryText, inboxJson, readInbox } from "../inbox-text.ts";
import { again } from "../place.ts";
import { CliProblem, exitCode } from "../problem.ts";
import { table } from "../table.ts";
import * as task from "./task.ts";

export const list: Command<object> = (context) =>
  reading(context, async (client) => {
    const { entries } = await readInbox(client, context.tools.now());
    if (context.json) {
      printJson(context, { inbox: entries.map(inboxJson) });
      return exitCode.ok;
    }
    const { out } = context.terminal;
    if (entries.length === 0) {
      out.write("Nothing needs you.\n");
      return exitCode.ok;
    }
    const now = context.tools.now();
    out.write(table(out, ["WHAT", "KIND", "WAITS", "COST", "TEXT"], entries.map((entry) => [entry.ref, entry.kind, entry.waits ? relativeTime(entry.since, now) : `ended ${relativeTime(entry.since, now)}`, costText(entry.cost), entry.text])));
    const [first] = entries;
    if (first !== undefined) context.terminal.err.write(`\nOne of them with its evidence: ${await again(context.place, context.terminal, context.tools, ["inbox", "show", first.ref])}\n`);
    return exitCode.ok;
  });

export interface RefOptions { readonly ref: string }

export const show: Command<RefOptions> = (context, { ref }) =>
  reading(context, async (client) => {
    const entry = entryNamed(await readInbox(client, context.tools.now()), ref);
    if (context.json) printJson(context, inboxJson(entry));
    else context.terminal.out.write(entryText(context.terminal.out, entry, await Promise.all(entry.commands.map((words) => again(context.place, context.terminal, context.tools, words))), context.tools.now()));
    return exitCode.ok;
  });

/** An item's entry goes the way of `task`; a team's is sent to the team. */
const settle = async (context: CommandContext, ref: string, key: InboxKey, text: string, byTask: (id: string) => Promise<number>): Promise<number> => {
  if (!ref.includes("/")) return byTask(ref);
  return reading(context, async (client) => {
    const found = await readInbox(client, context.tools.now());
    const entry = entryNamed(found, ref);
    const request = requestOf(entry, key, { text, messageId: randomUUID() }, found.teams);
    if (request?.to !== "team") throw new CliProblem(`${oneLine(entry.ref)} cannot be settled that way.`, `It takes: ${entry.keys.map(({ label }) => label).join(", ")}. See it with: enact-factory inbox show ${oneLine(entry.ref)}`);
    const { delivered } = await client.team(request.name, request.command);
    if (context.json) printJson(context, { ref: entry.ref, team: request.name, command: request.command.type, delivered });
    else context.terminal.out.write(`${oneLine(entry.ref)}: ${delivered === "now" ? "settled" : "noted. A running factory takes it up at once; without one it waits"}.\n`);
    return exitCode.ok;
  });
};

export interface AnswerOptions extends RefOptions { readonly text: string }
export const answer: Command<AnswerOptions> = (context, { ref, text, ...more }) => {
  if (text.trim() === "") throw new CliProblem("The answer is empty.", `enact-factory inbox answer ${oneLine(ref)} "your answer"`);
  return settle(context, ref, "e", text, (id) => task.answer(context, { ...more, id, text }));
};
export interface RejectOptions extends RefOptions { readonly reason: string }
export const reject: Command<RejectOptions> = (context, { ref, reason, ...more }) => settle(context, ref, "r", reason, (id) => task.reject(context, { ...more, id, reason }));
export const approve: Command<RefOptions> = (context, { ref, ...more }) => settle(context, ref, "a", "", (id) => task.approve(context, { ...more, id }));
export const retry: Command<RefOptions> = (context, { ref, ...more }) => settle(context, ref, "t", "", (id) => task.retry(context, { ...more, id }));

export interface OpenOptions extends RefOptions { readonly print?: boolean }

/** Where the work is: worktree, branch, how to see the difference. On a terminal with an editor named, in it. */
export const open: Command<OpenOptions> = async (context, options) => {
  const place = await reading(context, (client) => placeOfWork(client, context, options.ref));
  const { terminal } = context;
  if (context.json) {
    printJson(context, place);
    return exitCode.ok;
  }
  const editor = terminal.env["VISUAL"] ?? terminal.env["EDITOR"] ?? "";
  if (options.print !== true && terminal.out.isTty && terminal.canAsk && editor.trim() !== "" && place.worktree !== null && existsSync(place.worktree)) return edit(editor, place.worktree);
  const facts: readonly (readonly [string, string | null])[] = [["worktree", place.worktree === null ? null : `${place.worktree}${existsSync(place.worktree) ? "" : " (removed; the branch has it all)"}`], ["branch", place.branch], ["base", place.base], ["head", place.head], ["diff", place.diff]];
  const known = facts.filter(([, value]) => value !== null);
  terminal.out.write(known.length === 0 ? `${oneLine(place.ref)} has done nothing yet: no worktree, no branch.\n` : known.map(([name, value]) => `${indented(block(`${name.padEnd(9)} ${value}`), "")}\n`).join(""));
  return exitCode.ok;
};

interface PlaceOfWork { readonly ref: string; readonly repository: string; readonly worktree: string | null; readonly branch: string | null; readonly base: string | null; readonly head: string | null; readonly diff: string | null }

/** Also of an item that needs nobody. */
const placeOfWork = async (client: FactoryClient, context: CommandContext, ref: string): Promise<PlaceOfWork> => {
  const found = await readInbox(client, context.tools.now());
  const entry = ref.includes("/") ? entryNamed(found, ref) : found.entries.find((each) => each.ref === ref.toUpperCase());
  const { repository, worktree, branch, base, head } = entry?.evidence ?? (await workOf(client, ref));
  return { ref: entry?.ref ?? itemId(ref), repository, worktree, branch, base, head, diff: branch === null ? null : diffCommand(repository, base, branch) };
};

const workOf = async (client: FactoryClient, ref: string): Promise<Omit<PlaceOfWork, "ref" | "diff">> => {
  const { item, pipeline } = await itemState(client, itemId(ref));
  return { repository: item.repository, worktree: item.worktree ?? pipeline?.worktree ?? null, branch: item.branch ?? pipeline?.branch ?? null, base: item.base, head: item.head ?? pipeline?.head ?? null };
};

/** As git starts an editor: its words are the shell's, the path is not. */
const edit = (editor: string, path: string): Promise<number> => new Promise((resolve, reject) => {
  const child = spawn("/bin/sh", ["-c", `${editor} "$1"`, "editor", path], { stdio: "inherit", cwd: path });
  child.on("error", reject);
  child.on("close", (code) => resolve(code ?? exitCode.failed));
});
