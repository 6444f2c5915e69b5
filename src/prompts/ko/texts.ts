/** All Korean texts. A key that English has and Korean lacks does not compile. */
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
import type { Texts } from "../translated.ts";

export const korean: Texts = { coder, critic, tester, documenter, auditor, "stage-documenter": stageDocumenter, planner, team, answers, material, agent };
