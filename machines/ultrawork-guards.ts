import { isLiving } from "./team-context.ts";
import { teamGuards } from "./team-guards.ts";
import type { UltraworkContext, UltraworkEvent } from "./ultrawork-context.ts";

/** The guards of the ultrawork chart; those about the board and the workers are a team's. */
interface Asked { readonly context: UltraworkContext; readonly event: UltraworkEvent }

const isCurrent = ({ context, event }: Asked): boolean => context.checking && (event.type === "pipeline.ended" ? event.leg?.n : event.type === "pipeline.asks" || event.type === "pipeline.gates" ? event.leg : undefined) === String(context.legs);
const ended = ({ event }: Asked, outcome: "done" | "exhausted" | "cancelled"): boolean => event.type === "pipeline.ended" && event.outcome === outcome;
/** The work was wrong, and the leg said what of it. */
const isWrong = (asked: Asked): boolean => ended(asked, "exhausted") && asked.event.type === "pipeline.ended" && asked.event.failure === "cap";

const { ofStranger, isHeld, renews, brought, merges, nothingDone, allDone, mayFixGivenUp, givenUp, workersCapped, noWorkers, ends } = teamGuards;

export const ultraworkGuards = {
  ofStranger, isHeld, renews, brought, merges, nothingDone, allDone, mayFixGivenUp, givenUp, workersCapped, noWorkers, ends,
  /** Late word of a leg that was replaced; it changes nothing. */
  notCurrent: (asked: Asked) => !isCurrent(asked),
  isCurrent,
  legDone: (asked: Asked) => ended(asked, "done"),
  wrongMayFix: (asked: Asked) => isWrong(asked) && asked.context.fixes < asked.context.limits.maxFixes,
  wrong: isWrong,
  legExhausted: (asked: Asked) => ended(asked, "exhausted"),
  legCancelled: (asked: Asked) => ended(asked, "cancelled"),
  /** Nobody works, and nothing is under way. */
  isQuiet: ({ context }: Asked) => !context.members.some(isLiving) && context.merging === null && !context.checking,
  verifies: ({ context }: Asked) => context.phase === "verifying",
  mends: ({ context }: Asked) => context.phase === "fixing",
};
