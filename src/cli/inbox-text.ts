import type { FactoryClient, TeamState } from "../client/contract.ts";
import { relativeTime } from "../client/explain.ts";
import { inbox, type InboxEntry } from "../client/inbox.ts";
import { compareIds } from "../client/item-state.ts";
import { block, indented, oneLine } from "../client/text/safe-text.ts";
import { isoTime } from "../client/text/time-text.ts";
import { costText } from "../domain/spend.ts";
import { CliProblem } from "./problem.ts";
import { paint, type Screen } from "./screen.ts";

/** An entry as `--json` gives it; instants in ISO. */
export const inboxJson = (entry: InboxEntry): Readonly<Record<string, unknown>> => ({ ...entry, since: isoTime(entry.since), score: Number(entry.score.toFixed(2)) });

export interface Inbox { readonly entries: readonly InboxEntry[]; readonly teams: readonly TeamState[] }

export const readInbox = async (client: FactoryClient, now: number): Promise<Inbox> => {
  const [items, teams, terminals] = await Promise.all([client.items(), client.teams(), client.terminals()]);
  return { entries: inbox({ items, teams, terminals }, now), teams };
};

/** `run-3` is meant as RUN-3; parts of teams are small letters anyway. */
export const entryNamed = ({ entries }: Inbox, ref: string): InboxEntry => {
  const found = entries.find((entry) => entry.ref.toLowerCase() === ref.toLowerCase());
  if (found !== undefined) return found;
  const refs = entries.map((entry) => entry.ref).toSorted(compareIds);
  throw new CliProblem(`${oneLine(ref.slice(0, 80))} is not in the inbox: it needs nobody now.`, refs.length === 0 ? "Nothing needs you." : `In it are ${refs.slice(0, 8).map(oneLine).join(", ")}${refs.length > 8 ? ", …" : ""}; see them with: enact-factory inbox`);
};

/** What is known of an entry, for a person who has to decide. `commands` are whole lines to copy. */
export const entryText = (screen: Screen, entry: InboxEntry, commands: readonly string[], now: number): string => {
  const { evidence } = entry;
  const facts: readonly (readonly [string, string])[] = [
    entry.waits ? ["waits", `for you, since ${relativeTime(entry.since, now)}`] : ["ended", `${relativeTime(entry.since, now)}; it waits for nobody`], ["cost", costText(entry.cost)], ["iterations", evidence.iterations], ["checks", evidence.checks],
    ["failures", evidence.newFailures.join(", ")], ["changes", evidence.changes], ["review", evidence.feedback], ["rule", evidence.rule], ["reason", evidence.reason === entry.text ? "" : evidence.reason],
    ["branch", evidence.branch ?? ""], ["worktree", evidence.worktree ?? ""], ["terminal", entry.terminal ?? ""],
  ];
  return [
    `${paint(screen, "bold", oneLine(entry.ref))} ${paint(screen, "yellow", entry.kind)}: ${oneLine(entry.title)}\n`, `${indented(block(entry.text), "  ")}\n`,
    ...facts.filter(([, value]) => value !== "").map(([name, value]) => `  ${paint(screen, "dim", name.padEnd(11))}${oneLine(value)}\n`),
    ...commands.map((line) => `  ${paint(screen, "dim", "settle".padEnd(11))}${line}\n`),
  ].join("");
};
