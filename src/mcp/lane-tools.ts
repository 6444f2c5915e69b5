/** `factory_ralph_…`: the run of a lane that has phases of its own. A lane whose runs have a view gets these tools by that. */
import { z } from "zod";
import { ClientProblem, type FactoryClient, type ItemState } from "../client/contract.ts";
import { waitingFor } from "../client/waiting.ts";
import type { WorkItemId } from "../domain/ids.ts";
import { CliSessionId } from "../domain/session.ts";
import { LaneRunView } from "../domain/view.ts";
import { isTerminal, WorkItemStatus } from "../domain/work-item.ts";
import { itemNamed } from "./item-answer.ts";
import { lacks } from "./lane-evidence.ts";
import { linkedWhile, linkTools } from "./lane-links.ts";
import { startLane } from "./lane-start.ts";
import { delivered, InvalidInput, strangers, tool, type Tool, workItemId } from "./tool.ts";

type Lane = LaneRunView["lane"];

const RunAnswer = z.object({
  workItemId: z.string(), status: WorkItemStatus,
  run: LaneRunView.nullable().describe("null: nothing of it has begun yet."),
  waitsFor: z.string(),
});
const runAnswer = (state: ItemState): z.input<typeof RunAnswer> => ({ workItemId: state.item.id, status: state.item.status, run: state.lane, waitsFor: isTerminal(state.item.status) ? "" : waitingFor(state).text });
const Told = RunAnswer.extend({ delivered: delivered.nullable().describe("null: there was nothing to do.") });

const runText = (lane: Lane, { item, lane: run }: ItemState): string => (run === null ? `${item.id} is ${item.status} in lane ${item.operatorLane}` : `${lane} of ${item.id} is ${run.state}, round ${run.iteration} of ${run.maxIterations}`);

/** The item, if that lane drives it. */
const driven = async (client: FactoryClient, lane: Lane, id: WorkItemId): Promise<ItemState> => {
  const state = await itemNamed(client, id);
  if (state.item.operatorLane !== lane && state.lane?.lane !== lane) throw new ClientProblem(`${id} is in lane ${state.item.operatorLane}, not ${lane}`, `start it with factory_${lane}_start`);
  return state;
};

const mostRuns = 20;

/** A session of somebody's own CLI may do this lane's rounds of work. */
const canBeDriven = (lane: Lane): boolean => lane === "ralph";

const toolsOf = (lane: Lane): readonly Tool[] => {
  const tell = (action: "pause" | "resume" | "cancel", about: Pick<Tool, "title" | "description" | "destructive">): Tool => tool({
    ...about, name: `factory_${lane}_${action}`, scope: "all", readOnly: false, idempotent: false,
    input: z.strictObject({ workItemId, ...(action === "resume" && canBeDriven(lane) ? { sessionId: CliSessionId.optional().describe("That session does the rounds of work from then on, and is linked as by start; the factory's own agents do when absent.") } : {}) }),
    output: Told,
    answer: async (input, { client }) => {
      const { workItemId: id } = input, session = "sessionId" in input && typeof input.sessionId === "string" ? input.sessionId : undefined;
      await driven(client, lane, id);
      const receipt = await (session === undefined ? client.command(id, { type: action }) : linkedWhile(client, lane, session, id, () => client.command(id, { type: action, session })));
      const state = await itemNamed(client, id);
      return { structured: { ...runAnswer(state), delivered: receipt.delivered }, text: runText(lane, state) };
    },
  });
  return [
    tool({
      name: `factory_${lane}_start`, title: `Start ${lane}`, scope: "all", readOnly: false, destructive: false, idempotent: true,
      description: `Gives a work item to lane ${lane} and starts it. Again for the same item is harmless; one that another lane works on is refused. With \`sessionId\` that session is linked to the item and the run; one that is linked to another item is refused, and nothing starts.${canBeDriven(lane) ? ` With \`drive: "session"\` that session does the rounds of work itself, in the item's worktree, which status tells; its stops are denied until the run has ended.` : ""}`,
      input: z.strictObject({
        workItemId, sessionId: CliSessionId.optional().describe("The session of an agent CLI that is linked to it."),
        ...(canBeDriven(lane) ? { drive: z.enum(["factory", "session"]).default("factory").describe("Who does the rounds of work: the factory's own agents, or the session.") } : {}),
      }),
      output: Told,
      answer: async (input, { client }) => {
        const { workItemId: id, sessionId } = input, bySession = "drive" in input && input.drive === "session";
        if (bySession && sessionId === undefined) throw new InvalidInput("sessionId", "name the session that does the work");
        const begin = () => startLane(client, lane, id, bySession ? sessionId : undefined);
        const how = await (sessionId === undefined ? begin() : linkedWhile(client, lane, sessionId, id, begin));
        const state = await itemNamed(client, id);
        return { structured: { ...runAnswer(state), delivered: how }, text: runText(lane, state) };
      },
    }),
    tool({
      name: `factory_${lane}_status`, title: `State of ${lane}`, scope: "read", readOnly: true, destructive: false, idempotent: true,
      description: `The runs of lane ${lane} that have not ended: phase, rounds, stories, what each waits for; with \`workItemId\` the last run of that item, also when it has ended. ${strangers}`,
      input: z.strictObject({ workItemId: workItemId.optional() }),
      output: z.object({ runs: z.array(RunAnswer), total: z.number() }),
      answer: async ({ workItemId: id }, { client }) => {
        const found = id === undefined ? (await client.items()).filter(({ item, lane: run }) => run?.lane === lane && !isTerminal(item.status)) : [await driven(client, lane, id)];
        return { structured: { runs: found.slice(0, mostRuns).map(runAnswer), total: found.length }, text: found.length === 0 ? `lane ${lane} drives nothing now` : found.slice(0, 5).map((state) => runText(lane, state)).join("; ") };
      },
    }),
    tell("pause", { title: `Pause ${lane}`, destructive: false, description: `Pauses the run of lane ${lane} on a work item: the turn is ended, its work and the phase are kept, the slot is given back.` }),
    tool({
      name: `factory_${lane}_advance`, title: `Advance ${lane}`, scope: "session", readOnly: false, destructive: false, idempotent: false,
      description: `A run goes on by evidence alone (commits, checks, typed verdicts); no word of a session changes its phase. Answers what the present phase lacks.${canBeDriven(lane) ? ` For the session that drives the run: this round of work is done, and what is in the worktree is committed, checked on base and head, and judged; look at the outcome with factory_${lane}_status: phase fixing with feedback, the next story, or done.` : ""}`,
      input: z.strictObject({ workItemId, ...(canBeDriven(lane) ? { sessionId: CliSessionId.optional().describe("The session that drives it.") } : {}) }),
      output: Told.extend({ lacks: z.string().describe("What the present phase lacks; empty when the run has ended, or has not begun.") }),
      answer: async (input, { client }) => {
        const { workItemId: id } = input, session = "sessionId" in input && typeof input.sessionId === "string" ? input.sessionId : undefined;
        await driven(client, lane, id);
        const told = session === undefined ? null : (await client.command(id, { type: "advance", session })).delivered;
        const state = await itemNamed(client, id), missing = state.lane === null ? "" : lacks(state.lane);
        return { structured: { ...runAnswer(state), delivered: told, lacks: missing }, text: `${runText(lane, state)}${missing === "" ? "" : `; it lacks ${missing}`}` };
      },
    }),
    tell("resume", { title: `Resume ${lane}`, destructive: false, description: `Lets a paused run of lane ${lane} go on in the phase that it was in, at any age.` }),
    tell("cancel", { title: `Cancel ${lane}`, destructive: true, description: `Ends the run of lane ${lane} and its work item; the work is kept in a checkpoint. It can be tried again.` }),
    ...linkTools(lane, (client, id) => driven(client, lane, id)),
  ];
};

export const laneTools: readonly Tool[] = LaneRunView.shape.lane.options.flatMap(toolsOf);
