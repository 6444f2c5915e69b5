import { type AutopilotContext, type AutopilotEvent, type AutopilotPhase, planProblem } from "./autopilot-context.ts";
import { isStuck, isWrong } from "./lane-run.ts";
import { mayEscalate } from "./pipeline-context.ts";

/** The guards of the autopilot chart. Those `…WithinCap` stand before their namesakes in the chart and ask for what is left of the caps (I1). */
interface Asked { readonly context: AutopilotContext; readonly event: AutopilotEvent }

const plans = ({ context: { phase } }: Asked): boolean => phase === "expansion" || phase === "planning";
const legOf = ({ event }: Asked): string | undefined => (event.type === "pipeline.ended" ? event.leg?.n : event.type === "pipeline.asks" || event.type === "pipeline.gates" || event.type === "pipeline.paused" ? event.leg : undefined);
/** Of the child under way. */
const isCurrent = (asked: Asked): boolean => {
  const { context, event } = asked;
  if (!context.running) return false;
  if (event.type === "stage.ended") return plans(asked) && event.stage === "planner" && event.iteration === context.children;
  return event.type === "stage.asks" ? plans(asked) : !plans(asked) && legOf(asked) === String(context.children);
};
const isDone = ({ event }: Asked): boolean => (event.type === "pipeline.ended" || event.type === "stage.ended") && event.outcome === "done";
const hasHead = ({ event }: Asked): boolean => event.type === "pipeline.ended" && event.head !== "";
const hasCycle = ({ context }: Asked): boolean => context.cycles < context.caps.qaCycles;
const hasRound = ({ context }: Asked): boolean => context.rounds < context.caps.validationRounds;
const hasPlan = (asked: Asked): boolean => isDone(asked) && asked.event.type === "stage.ended" && (asked.event.plan ?? null) !== null;
const usable = ({ event }: Asked): boolean => event.type === "stage.ended" && planProblem(event.plan?.tasks ?? []) === "";
const criteriaGiven = (asked: Asked): boolean => isDone(asked) && asked.event.type === "stage.ended" && (asked.event.criteria ?? null) !== null;
const inPhase = ({ context }: Asked, phase: AutopilotPhase): boolean => context.phase === phase;

export const autopilotGuards = {
  /** Late word of a child that was replaced; it changes nothing. */
  notCurrent: (asked: Asked) => !isCurrent(asked),
  isCurrent,
  nothingRuns: ({ context }: Asked) => !context.running,
  somethingRuns: ({ context }: Asked) => context.running,
  in: (asked: Asked, params: { readonly phase: AutopilotPhase }) => inPhase(asked, params.phase),
  criteriaGiven,
  planGiven: (asked: Asked) => hasPlan(asked) && usable(asked),
  unusableWithinCap: (asked: Asked) => hasPlan(asked) && asked.context.plans < asked.context.caps.plans,
  unusable: hasPlan,
  /** I2: work is there, and its checks held. */
  legDone: (asked: Asked) => isDone(asked) && hasHead(asked),
  wrongWithinCycles: (asked: Asked) => isWrong(asked) && hasCycle(asked),
  wrongWithinCaps: (asked: Asked) => isWrong(asked) && hasRound(asked) && hasCycle(asked),
  wrongWithinRounds: (asked: Asked) => isWrong(asked) && hasRound(asked),
  wrong: isWrong,
  /** A rule stopped the leg that mends, and the coder's plan has something else to offer. */
  stuckMayEscalate: (asked: Asked) => isStuck(asked) && mayEscalate(asked.context),
  exhaustedChild: ({ event }: Asked) => (event.type === "pipeline.ended" || event.type === "stage.ended") && event.outcome === "exhausted",
  cancelledChild: ({ event }: Asked) => (event.type === "pipeline.ended" || event.type === "stage.ended") && event.outcome === "cancelled",
  hasQuestion: ({ context }: Asked) => context.question !== null,
  mayGoOn: ({ context }: Asked) => context.escalateNow,
  // What ended before the pause, or the rule, could stop it counts.
  expanded: (asked: Asked) => inPhase(asked, "expansion") && criteriaGiven(asked),
  planned: (asked: Asked) => inPhase(asked, "planning") && hasPlan(asked) && usable(asked),
  ran: (asked: Asked) => inPhase(asked, "execution") && isDone(asked) && hasHead(asked),
  runPaused: (asked: Asked) => inPhase(asked, "execution") && isCurrent(asked),
  runCancelled: (asked: Asked) => inPhase(asked, "execution") && asked.event.type === "pipeline.ended" && asked.event.outcome === "cancelled",
  runExhausted: (asked: Asked) => inPhase(asked, "execution") && asked.event.type === "pipeline.ended" && asked.event.outcome === "exhausted",
  checked: (asked: Asked) => inPhase(asked, "qa") && isDone(asked) && hasHead(asked),
  mended: (asked: Asked) => inPhase(asked, "mending") && isDone(asked) && hasHead(asked),
  validated: (asked: Asked) => inPhase(asked, "validation") && isDone(asked) && hasHead(asked),
};
