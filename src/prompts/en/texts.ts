/** All English texts, a set for each stage and what they share. They are the pattern: other languages have the same keys and variables. */
import { agent } from "./agent.ts";
import { answers } from "./answers.ts";
import { auditor } from "./auditor.ts";
import { coder } from "./coder.ts";
import { critic } from "./critic.ts";
import { documenter } from "./documenter.ts";
import { planner } from "./planner.ts";
import { material } from "./material.ts";
import { stageDocumenter } from "./stage-documenter.ts";
import { team } from "./team.ts";
import { tester } from "./tester.ts";

export const english = { coder, critic, tester, documenter, auditor, "stage-documenter": stageDocumenter, planner, team, answers, material, agent } as const;
export type English = typeof english;
