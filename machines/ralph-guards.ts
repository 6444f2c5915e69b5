import { isStuck, isWrong } from "./lane-run.ts";
import { mayEscalate } from "./pipeline-context.ts";
import { isLast, legName, type RalphContext, type RalphEvent } from "./ralph-context.ts";

/** The guards of the ralph chart. Those `…WithinCap` stand before their namesakes in the chart and ask for an iteration that is left (I1). */
interface Asked { readonly context: RalphContext; readonly event: RalphEvent }

const legOf = ({ event }: Asked): string | undefined => (event.type === "pipeline.ended" ? event.leg?.n : event.type === "pipeline.asks" || event.type === "pipeline.gates" ? event.leg : undefined);
const isCurrent = (asked: Asked): boolean => asked.context.running && legOf(asked) === legName(asked.context);
const isDone = ({ event }: Asked): boolean => event.type === "pipeline.ended" && event.outcome === "done";
const hasMore = ({ context }: Asked): boolean => context.iteration < context.maxIterations;

export const ralphGuards = {
  /** Late word of a leg that was replaced; it changes nothing. */
  notCurrent: (asked: Asked) => !isCurrent(asked),
  isCurrent,
  nothingRuns: ({ context }: Asked) => !context.running,
  legRuns: ({ context }: Asked) => context.running,
  /** I9. */
  ofDriver: ({ context, event }: Asked) => event.type === "advance" && !context.running && context.driver !== undefined && event.session === context.driver
    && (event.round ?? context.iteration) === context.iteration && (event.generation ?? context.generation) === context.generation,
  legDone: isDone,
  /** I3. */
  wholePasses: (asked: Asked) => isDone(asked) && isLast(asked.context),
  storyPassesWithinCap: (asked: Asked) => isDone(asked) && hasMore(asked),
  wrongWithinCap: (asked: Asked) => isWrong(asked) && hasMore(asked),
  wrong: isWrong,
  /** A rule stopped the leg, and the coder's plan has something else to offer. */
  stuckMayEscalate: (asked: Asked) => isStuck(asked) && hasMore(asked) && mayEscalate(asked.context),
  exhaustedLeg: ({ event }: Asked) => event.type === "pipeline.ended" && event.outcome === "exhausted",
  cancelledLeg: ({ event }: Asked) => event.type === "pipeline.ended" && event.outcome === "cancelled",
  verifies: ({ context }: Asked) => context.phase === "verifying",
  mends: ({ context }: Asked) => context.phase === "fixing",
  hasQuestion: ({ context }: Asked) => context.question !== null,
  /** A rule had stopped the leg before the pause was wanted; what that means is not lost. */
  settlesAndMayGoOn: (asked: Asked) => asked.context.reason !== "" && asked.context.escalateNow && hasMore(asked),
  settles: ({ context }: Asked) => context.reason !== "",
  mayGoOn: (asked: Asked) => asked.context.escalateNow && hasMore(asked),
  verifiedWhole: (asked: Asked) => asked.context.phase === "verifying" && isDone(asked) && isLast(asked.context),
  verifiedStory: (asked: Asked) => asked.context.phase === "verifying" && isDone(asked),
  claimed: (asked: Asked) => asked.context.phase !== "verifying" && isDone(asked),
  /** The whole is judged: the leg's evidence is the item's. */
  judgesWhole: (asked: Asked) => isCurrent(asked) && asked.context.phase === "verifying" && isLast(asked.context),
};
