import { z } from "zod";
import { TeamDuty } from "./team-answers.ts";

const Line = z.object({ id: z.number(), title: z.string(), state: z.string(), kind: z.string(), owner: z.string().nullable(), reason: z.string(), summary: z.string() });

/** What a member of a team is told beyond the item itself. */
export const TeamBrief = z.object({
  duty: TeamDuty,
  member: z.string(),
  /** Whom it may write to. */
  others: z.array(z.string()),
  task: z.object({ id: z.number(), kind: z.enum(["work", "fix", "conflict"]), title: z.string(), description: z.string(), acceptance: z.array(z.string()) }).nullable(),
  /** The board as it is; for the leader. */
  board: z.array(Line),
  /** Files in which this worker's work and the team's contradict each other. */
  conflicts: z.array(z.string()),
  messages: z.array(z.object({ id: z.string(), from: z.string(), text: z.string() })),
});
export type TeamBrief = z.infer<typeof TeamBrief>;
export type BoardLine = z.infer<typeof Line>;
