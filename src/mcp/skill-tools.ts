/** `factory_skill_activate`: a lane for a work item, or a text that says how one kind of work is done. */
import { z } from "zod";
import { ClientProblem } from "../client/contract.ts";
import { OperatorLane } from "../domain/lane.ts";
import { itemNamed } from "./item-answer.ts";
import { laneOfSkill, laneSkills } from "./lane-skills.ts";
import { startLane } from "./lane-start.ts";
import { delivered, InvalidInput, tool, workItemId } from "./tool.ts";

const Output = z.object({
  skill: z.string(),
  workItemId: z.string().nullable(),
  operatorLane: OperatorLane.nullable().describe("The lane that drives the item now; null where the skill is a text."),
  started: z.boolean().describe("This call started it; false when it ran in that lane already."),
  delivered: delivered.nullable(),
  text: z.string().nullable().describe("How the work is done; null where the skill is a lane."),
  from: z.enum(["packaged", "project"]).nullable().describe("project: this repository's own version of the skill."),
});

const activate = tool({
  name: "factory_skill_activate", title: "Activate a skill", scope: "session", readOnly: false, destructive: false, idempotent: true,
  description: `Activates a skill. ${laneSkills.join(", ")}: that lane drives the work item from now on, and starts. Packaged skills (executor, reviewer, tester, documenter, auditor, planner): gives the text that says how that work is done here; follow it. factory_workitem_observe proposes calls.`,
  input: z.strictObject({ skill: z.string().min(1).max(64), workItemId: workItemId.optional().describe("Needed for a lane; for a text it chooses the repository whose own version counts.") }),
  output: Output,
  answer: async ({ skill, workItemId: id }, context) => {
    const lane = laneOfSkill(skill);
    if (lane === undefined) {
      const repository = id === undefined ? context.repository : (await itemNamed(context.client, id)).item.repository;
      const { text, from } = await context.skills.read(skill, repository).catch((error: unknown) => { throw error instanceof ClientProblem ? new ClientProblem(error.message, `${error.next}; the lanes are ${laneSkills.join(", ")}`) : error; });
      return { structured: { skill, workItemId: id ?? null, operatorLane: null, started: false, delivered: null, text, from }, text: `skill ${skill}: follow its text` };
    }
    if (context.scope !== "all") throw new ClientProblem(`a session of the factory's own agent starts no lane`, "say in your answer that it should be started; a person does it");
    if (id === undefined) throw new InvalidInput("workItemId", `lane ${lane} needs the work item that it drives`);
    const how = await startLane(context.client, lane, id);
    return {
      structured: { skill: lane, workItemId: id, operatorLane: lane, started: how !== null, delivered: how, text: null, from: null },
      text: how === null ? `lane ${lane} drives ${id} already` : how === "now" ? `lane ${lane} drives ${id} now` : `lane ${lane} for ${id} is noted; it waits until a factory runs`,
    };
  },
});

export const skillTools = [activate];
