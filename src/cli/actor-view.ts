/** One actor for people: its chart, what can happen, what happened, what it waits for. Lines, so that they can be redrawn. */
import { chartLegend, type ChartLine, chartText, type ChartTone, possibleEvents } from "../client/chart-text.ts";
import type { ActorDetail, ItemEvidence } from "../client/contract.ts";
import { relativeTime } from "../client/explain.ts";
import { oneLine } from "../client/text/safe-text.ts";
import { clockTime, localTime } from "../client/text/time-text.ts";
import { cut, pad, widthOf } from "../client/text/width.ts";
import { valueText } from "../domain/chart.ts";
import { paint, type Screen, type Tone } from "./screen.ts";

/** What an actor asked for and has no answer to, and its alarms. */
export type Pending = Pick<ItemEvidence, "effects" | "alarms">;
export type Transition = ActorDetail["transitions"][number];

const tones: Readonly<Record<ChartTone, Tone | null>> = { active: "green", around: "cyan", ended: "dim", plain: null };

/** Wide enough for any chart of ours; a file gets no endless lines. */
const fileColumns = 100;

/** Transitions shown under the drawing. */
const shownTransitions = 8;

const chartLine = (screen: Screen, { left, text, right, tone }: ChartLine): string => {
  const painted = tones[tone];
  return left + (painted === null ? text : paint(screen, painted, tone === "active" ? paint(screen, "bold", text) : text)) + right;
};

/** `turn.ended: working → leaving`; a step that stayed is told once. */
export const transitionText = ({ event, from, to }: Pick<Transition, "event" | "from" | "to">): string => {
  const [before, after] = [from === null || from === undefined ? "" : valueText(from), valueText(to)];
  return oneLine(`${event}: ${before === "" ? `begins in ${after}` : before === after ? `stays ${after}` : `${before} → ${after}`}`);
};

export const actorLines = (screen: Screen, actor: ActorDetail, pending: Pending, now: number): readonly string[] => {
  const columns = Math.min(screen.columns(), Number.isFinite(screen.columns()) ? Infinity : fileColumns);
  const section = (title: string, lines: readonly string[]): readonly string[] => (lines.length === 0 ? [] : ["", paint(screen, "bold", cut(title, columns)), ...lines.map((line) => `  ${cut(line, columns - 2)}`)]);
  const head = `${oneLine(actor.address)}: ${oneLine(actor.state)}`;
  const drawing = chartText(actor.definition, actor.value, { columns });
  return [
    paint(screen, "bold", cut(head, columns)),
    cut(`  chart ${oneLine(actor.chart)}, ${actor.kind}${actor.kind === "durable" ? `, ${actor.seq} event${actor.seq === 1 ? "" : "s"} journaled` : ""}`, columns),
    ...drawing.map((line) => chartLine(screen, line)),
    ...(drawing.length === 0 ? [] : [paint(screen, "dim", cut(chartLegend, columns))]),
    ...section("Can happen here", possibilities(actor)),
    ...section("Last transitions", actor.transitions.slice(-shownTransitions).map((step) => `${clockTime(step.at)}${step.seq > 0 ? ` ${String(step.seq).padStart(4)}` : ""} ${transitionText(step)}`)),
    ...section("Asked for and not yet answered", pending.effects.map(({ kind, attempts, at }) => `${oneLine(kind)} since ${clockTime(at)} (${relativeTime(at, now)})${attempts > 1 ? `, attempt ${attempts}` : ""}`)),
    ...section("Alarms", pending.alarms.map(({ name, at }) => `${oneLine(name)} ${localTime(at)} (${relativeTime(at, now)})`)),
  ];
};

/** One line for each way out: `turn.ended [completed] → leaving`. */
const possibilities = (actor: ActorDetail): readonly string[] => {
  const ways = possibleEvents(actor.definition, actor.value).map(({ trigger, guard, targets }) => ({ when: oneLine(`${trigger}${guard === null ? "" : ` [${guard}]`}`), then: targets.length === 0 ? "stays" : `→ ${oneLine(targets.join(", "))}` }));
  const width = Math.min(40, Math.max(0, ...ways.map(({ when }) => widthOf(when))));
  return [...new Set(ways.map(({ when, then }) => `${pad(when, width)}  ${then}`))];
};
