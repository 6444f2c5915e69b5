import { ClientProblem } from "../../client/contract.ts";
import { relativeTime } from "../../client/explain.ts";
import { stageText } from "../../client/text/item-text.ts";
import { oneLine } from "../../client/text/safe-text.ts";
import { isTerminal } from "../../domain/work-item.ts";
import { type Command, itemId, itemState, printJson, reading } from "../context.ts";
import { exitCode } from "../problem.ts";
import { paint } from "../screen.ts";
import { table } from "../table.ts";

/** Runs of lanes with phases of their own; of one item its run with every story. */
export const status: Command<{ readonly id?: string }> = (context, { id: given }) => reading(context, async (client) => {
  const { out } = context.terminal;
  if (given === undefined) {
    const states = (await client.items()).filter(({ item, lane }) => lane !== null && !isTerminal(item.status));
    if (context.json) printJson(context, { runs: states.map(({ item, lane, nested }) => ({ id: item.id, status: item.status, run: lane, nested })) });
    else if (states.length === 0) out.write("No lane with phases of its own is at work.\n");
    else out.write(table(out, ["ID", "STATUS", "LANE", "DRIVEN BY", "CHANGED", "TITLE"], states.map((state) => [state.item.id, state.item.status, stageText(state), state.lane?.session ?? "the factory", relativeTime(state.updatedAt, context.tools.now()), state.item.title.slice(0, 60)])));
    return exitCode.ok;
  }
  const state = await itemState(client, itemId(given)), { item, lane, nested } = state;
  if (lane === null) throw new ClientProblem(`${item.id} has no run of a lane; it is ${item.status} in lane ${item.operatorLane}`, `give it one with: enact-factory lane set ${item.id} ralph`);
  if (context.json) {
    printJson(context, { id: item.id, status: item.status, run: lane, nested });
    return exitCode.ok;
  }
  const facts: readonly (readonly [string, string])[] = [
    ["state", `${lane.state}${lane.state === lane.phase ? "" : ` in ${lane.phase}`}${nested === null ? "" : `: ${nested.lane} ${nested.phase}`}`],
    ...(lane.counters ?? [{ id: "rounds", says: `round ${lane.iteration} of ${lane.maxIterations}` }]).map(({ says }, n) => [n === 0 ? "caps" : "", says] as const),
    ["driven by", lane.session === null ? "the factory's own agents" : `session ${lane.session}`],
    ...(lane.worktree === null ? [] : [["worktree", lane.worktree] as const]),
    ...(lane.feedback === "" ? [] : [["feedback", lane.feedback] as const]),
    ...(lane.reason === "" ? [] : [["because", lane.reason] as const]),
  ];
  out.write(`${paint(out, "bold", item.id)} ${lane.lane}: ${oneLine(item.title)}\n${facts.map(([name, value]) => `  ${paint(out, "dim", name.padEnd(11))}${oneLine(value)}\n`).join("")}`);
  for (const { id, title, passes, evidence } of nested?.stories ?? lane.stories) out.write(`  ${passes ? paint(out, "green", "passed") : paint(out, "yellow", "open  ")}     ${id}. ${oneLine(title)}${evidence === "" ? "" : paint(out, "dim", ` (${oneLine(evidence)})`)}\n`);
  return exitCode.ok;
});
