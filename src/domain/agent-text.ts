/**
 * An agent's stream as people read it in a terminal: its events become lines of text with colours.
 *
 * I1 No clock, no width, no randomness: the same header and events give the same text, so a stream that is rendered again gives the same bytes.
 * I2 Escape sequences are ours alone: whatever an agent, a tool or a person wrote is made plain first.
 * I3 Every line ends with CR LF and leaves no colour on. I4 No event makes more than a bounded number of lines; what is cut says how much it was.
 */
import type { AgentEvent, AgentFailure, ToolDiff } from "./agent.ts";
import type { Usage } from "./spend.ts";
import type { Said } from "./message.ts";
import { plainLine, plainText } from "./plain-text.ts";
import type { Finding } from "./verdict.ts";

export interface TurnHeader {
  readonly seat: string;
  readonly item: string;
  readonly title: string;
  readonly stage: string;
  readonly iteration: number;
  readonly tryNumber: number;
  readonly adapter: string;
  readonly model: string | null;
  readonly resumed: boolean;
  readonly messages: readonly Said[];
}

/** Lines of what an agent says, of its thinking, of a tool's output, of one place of an edit. */
const lineCaps = { text: 400, thinking: 40, output: 12, diff: 24, message: 60 } as const;
/** Characters of one line. A terminal folds it; a line of megabytes it would fold for minutes. */
const columnCap = 2_000;

const codes = { bold: "1", dim: "2", italic: "3", red: "31", green: "32", yellow: "33", blue: "34", magenta: "35", cyan: "36" } as const;
type Style = keyof typeof codes;

const escape = String.fromCodePoint(0x1b);
/** I2: `text` must be plain. */
const styled = (text: string, ...styles: readonly Style[]): string => (text === "" || styles.length === 0 ? text : `${escape}[${styles.map((style) => codes[style]).join(";")}m${text}${escape}[0m`);

const cutLine = (line: string): string => (line.length > columnCap ? `${line.slice(0, columnCap).toWellFormed()}… ${line.length - columnCap} more characters` : line);
const more = (count: number): string => `… ${count} more line${count === 1 ? "" : "s"}`;

/** The first lines; the last one that is given says how many there were beyond. */
const head = (lines: readonly string[], cap: number): readonly string[] => (lines.length <= cap ? lines : [...lines.slice(0, cap - 1), more(lines.length - cap + 1)]);
/** The last lines: errors stand there. */
const tail = (lines: readonly string[], cap: number): readonly string[] => (lines.length <= cap ? lines : [`… ${lines.length - cap + 1} lines before`, ...lines.slice(1 - cap)]);

const linesOf = (text: string): readonly string[] => {
  const lines = plainText(text).split("\n").map((line) => cutLine(line.trimEnd()));
  while (lines.at(-1) === "") lines.pop();
  while (lines[0] === "") lines.shift();
  return lines;
};
const print = (lines: readonly string[]): string => lines.map((line) => `${line}\r\n`).join("");
const one = (text: string): string => cutLine(plainLine(text));

const messageLines = ({ text, from }: Pick<Said, "text" | "from">): readonly string[] => {
  const [first = "", ...rest] = head(linesOf(text), lineCaps.message);
  return [`${styled(`${from === undefined ? "you" : one(from)} ▸`, "bold", "magenta")} ${first}`, ...rest.map((line) => `      ${line}`)];
};

/** What a turn begins with. */
export const headerText = (turn: TurnHeader): string => print([
  "",
  styled(`── ${[turn.seat, ...(turn.seat.startsWith(`${turn.item}/`) ? [] : [turn.item]), ...(turn.seat.endsWith(`/${turn.stage}`) ? [] : [turn.stage])].map(one).join(" · ")}${turn.iteration > 1 ? ` · iteration ${turn.iteration}` : ""}${turn.tryNumber > 1 ? ` · try ${turn.tryNumber}` : ""} · ${one(turn.adapter)}${turn.model === null ? "" : ` ${one(turn.model)}`}${turn.resumed ? " · session resumed" : ""} ──`, "bold", "cyan"),
  ...(one(turn.title) === "" ? [] : [styled(one(turn.title), "dim")]),
  ...turn.messages.flatMap(messageLines),
]);

/** A remark of the factory itself. */
export const noteText = (text: string): string => print([styled(`·· ${one(text)}`, "yellow")]);

const marks: Readonly<Record<Extract<AgentEvent, { type: "tool" }>["kind"], string>> = { read: "○", edit: "✎", run: "$", other: "◆" };

const diffLines = ({ removed, added, cut }: ToolDiff): readonly string[] => {
  const side = (lines: readonly string[], sign: string, style: Style): readonly string[] => head(lines.flatMap((line) => linesOf(line === "" ? " " : line)), lineCaps.diff / 2).map((line) => `  ${styled(`${sign} ${line}`, style)}`);
  return [...side(removed, "-", "red"), ...side(added, "+", "green"), ...(cut > 0 ? [`  ${styled(more(cut), "dim")}`] : [])];
};

const failureLine = (failure: AgentFailure): string => {
  switch (failure.kind) {
    case "interrupted": return "interrupted: the factory was stopped";
    case "timeout": return `took longer than ${seconds(failure.afterMs)}`;
    case "stalled": return `no output and no CPU use for ${seconds(failure.afterMs)}`;
    default: return `${failure.kind}: ${failure.message}`;
  }
};
const seconds = (ms: number): string => `${Math.round(ms / 1_000)} s`;

const findingLines = (findings: readonly Finding[]): readonly string[] =>
  head(findings.map(({ severity, message, file, line }) => `  ${styled(severity, severity === "critical" || severity === "major" ? "red" : "yellow")} ${one(message)}${file === undefined ? "" : styled(` ${one(file)}${line === undefined ? "" : `:${line}`}`, "dim")}`), 50);

const decisionStyle = { approve: "green", revise: "yellow", reject: "red" } as const satisfies Readonly<Record<string, Style>>;

/** Renders one turn. State lives here only: what was used and cost is said once, at the end. */
export interface TurnText {
  readonly event: (event: AgentEvent) => string;
  readonly end: () => string;
}

export const turnText = (): TurnText => {
  let usage: Usage | undefined;
  let usd: number | undefined;
  /** What a tool was called with; its end names it again only when something else was said in between. */
  let openTool = "";
  let lastText = "";

  const event = (what: AgentEvent): string => {
    const before = openTool;
    if (what.type !== "usage" && what.type !== "cost") openTool = "";
    switch (what.type) {
      case "session": return what.model === undefined ? "" : print([styled(`session ${one(what.sessionId)} · ${one(what.model)}`, "dim")]);
      case "text":
        lastText = what.text;
        return print(head(linesOf(what.text), lineCaps.text));
      case "thinking": return print(head(linesOf(what.text), lineCaps.thinking).map((line) => styled(line, "dim", "italic")));
      case "tool": {
        if (what.phase === "start") {
          openTool = what.id;
          return print([`${styled(`${marks[what.kind]} ${one(what.name)}`, "bold", "blue")} ${one(what.summary)}`, ...(what.diff ? diffLines(what.diff) : [])]);
        }
        const output = what.kind === "read" && what.ok !== false ? [] : tail(linesOf(what.output ?? ""), lineCaps.output).map((line) => `  ${styled(line, "dim")}`);
        const name = before === what.id ? "" : `${one(what.name)} `;
        return print([...(what.ok === false ? [`  ${styled(`✗ ${name}failed`, "red")}`] : name === "" || output.length === 0 ? [] : [`  ${styled(`${name}said`, "dim")}`]), ...(what.kind === "edit" && what.ok !== false ? [] : output)]);
      }
      case "usage": usage = what.usage; return "";
      case "cost": usd = what.usd; return "";
      case "rateLimit": return print([styled(`⏳ the provider makes it wait: ${one(what.message)}`, "yellow")]);
      case "permissionDenied": return print([styled(`✗ was not let: ${one(what.tool)}${what.detail === "" ? "" : ` ${one(what.detail)}`}`, "red")]);
      case "question": {
        const [first = "", ...rest] = head(linesOf(what.text), lineCaps.message);
        return print([`${styled("? asks", "bold", "magenta")} ${first}`, ...rest.map((line) => `       ${line}`)]);
      }
      case "prompted": return "";
      case "heard": return what.text === undefined ? "" : print(messageLines({ text: what.text }));
      case "verdict": return print([`${styled(`⚖ ${what.verdict.decision}`, "bold", decisionStyle[what.verdict.decision])}${what.verdict.feedback === "" ? "" : ` ${one(what.verdict.feedback)}`}`, ...findingLines(what.verdict.findings)]);
      case "audit": return print([styled(`⚖ audit: ${what.audit.findings.length === 0 ? "nothing found" : `${what.audit.findings.length} finding${what.audit.findings.length === 1 ? "" : "s"}`}`, "bold", what.audit.findings.length === 0 ? "green" : "yellow"), ...findingLines(what.audit.findings)]);
      case "plan": return print([styled(`⚖ plan: ${what.plan.tasks.length} task${what.plan.tasks.length === 1 ? "" : "s"}`, "bold"), ...what.plan.tasks.map((task, n) => `  ${n + 1}. ${one(task.title)}`)]);
      case "criteria": return print([styled("⚖ criteria", "bold"), ...what.criteria.criteria.flatMap(({ task, acceptance }) => acceptance.map((line) => `  ${task}. ${one(line)}`))]);
      case "message": return print([`${styled(`→ ${one(what.message.to)}`, "bold")} ${one(what.message.text)}`]);
      // Most CLIs repeat here what they said before.
      case "result": return lastText.includes(what.text.trim()) ? "" : print(head(linesOf(what.text), lineCaps.text));
      case "failure": return print([styled(`✗ ${one(failureLine(what.failure))}`, "bold", "red")]);
      case "garbage": return print([styled(one(what.line), "dim")]);
    }
  };

  const end = (): string => {
    const parts = [
      ...(usage === undefined ? [] : [`${usage.inputTokens} tokens in (${usage.cachedTokens} cached), ${usage.outputTokens} out`]),
      // What cost nothing need not say so.
      ...(usd === undefined || usd === 0 ? [] : [`$${usd.toFixed(4)}`]),
    ];
    return print([styled(`── end of turn${parts.length === 0 ? "" : ` · ${parts.join(" · ")}`} ──`, "dim")]);
  };
  return { event, end };
};
