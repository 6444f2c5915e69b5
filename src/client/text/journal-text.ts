import { Amount, costText, isNothing, noCost } from "../../domain/spend.ts";
import type { JournalLine } from "../contract.ts";
import { oneLine } from "./safe-text.ts";
import { clockTime } from "./time-text.ts";
import { cut, pad } from "./width.ts";

/** Facts of an event that a person wants on its one line, in this order. */
const telling = ["stage", "iteration", "outcome", "failure", "reason", "rule", "says", "question", "text", "message", "lane", "head", "summary", "where", "ref", "kind", "class"] as const;

const short = 160;

const detailOf = (event: Readonly<Record<string, unknown>>): string => {
  const outcome = event["outcome"];
  if (event["type"] === "turn.ended" && isRecord(outcome)) return turnDetail(outcome);
  if (event["type"] === "verify.done" && isRecord(event["report"])) return checkDetail(event["report"]);
  if (event["type"] === "observe" && isRecord(event["seen"])) return Object.entries(event["seen"]).filter(([, value]) => typeof value !== "object").map(([key, value]) => (key === "kind" ? String(value) : `${key} ${cut(oneLine(String(value)), 40)}`)).join(", ");
  if (event["type"] === "claim") return event["explicit"] === true ? "by a command" : "by automation";
  const parts: string[] = [];
  for (const key of telling) {
    const value = event[key];
    if (value === null || value === undefined || value === "" || typeof value === "object") continue;
    parts.push(key === "head" ? `head ${String(value).slice(0, 12)}` : key === "iteration" ? `iteration ${String(value)}` : cut(oneLine(String(value)), short));
  }
  if (isRecord(event["verdict"])) parts.push(`verdict ${String(event["verdict"]["decision"])}`);
  if (isRecord(event["workspace"]) && event["type"] === "workspace.ready") parts.push(String(event["workspace"]["branch"]));
  return parts.join(", ");
};

const turnDetail = (outcome: Readonly<Record<string, unknown>>): string => {
  const ended = outcome["ended"];
  if (!isRecord(ended)) return "";
  const failure = ended["failure"];
  const how = isRecord(failure) ? `failed: ${String(failure["kind"])}${typeof failure["message"] === "string" ? `: ${failure["message"]}` : ""}` : `${String(ended["how"])}${typeof ended["text"] === "string" ? `: ${ended["text"]}` : ""}`;
  const verdict = outcome["verdict"];
  const spend = outcome["spend"], usd = outcome["costUsd"];
  const cost = Amount.safeParse(isRecord(spend) ? spend["amount"] : undefined).data?.cost ?? { ...noCost, usd: typeof usd === "number" ? usd : 0 };
  return `${cut(oneLine(how), short)}${isRecord(verdict) ? `; verdict ${String(verdict["decision"])}` : ""}${isNothing(cost) ? "" : `; ${costText(cost)}`}${typeof outcome["promptVersion"] === "string" ? `; prompt ${outcome["promptVersion"]}` : ""}`;
};

const checkDetail = (report: Readonly<Record<string, unknown>>): string => {
  const count = (key: string): string => (Array.isArray(report[key]) ? String(report[key].length) : "0");
  const side = (key: string): string => {
    const found = report[key];
    const results: readonly unknown[] = isRecord(found) && Array.isArray(found["results"]) ? found["results"] : [];
    return `${results.filter((result) => isRecord(result) && result["status"] === "passed").length}/${results.length}`;
  };
  return `${side("base")} → ${side("head")}, ${count("newFailures")} new failures, ${count("fixed")} fixed`;
};

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> => typeof value === "object" && value !== null && !Array.isArray(value);

/** One journaled event on one line: time, actor, event, what matters of it. */
export const journalLine = (line: JournalLine): string => {
  const detail = detailOf(line.event);
  return `${clockTime(line.at)} ${pad(oneLine(line.actor), 26)} ${oneLine(line.type)}${detail === "" ? "" : `: ${oneLine(detail)}`}`;
};
