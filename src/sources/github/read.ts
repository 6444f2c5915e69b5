/** One issue of GitHub to what this factory makes of it. Pure; the texts are hostile. */
import { OperatorLane } from "../../domain/lane.ts";
import type { Standing, WorkItemKind } from "../../domain/work-item.ts";
import type { Found } from "../../ports/source.ts";
import { cutBody, cutTitle } from "../item-text.ts";
import { projectOf } from "../project-of.ts";
import type { Place } from "./rest.ts";
import type { GitHubSettings } from "./settings.ts";
import type { Issue } from "./wire.ts";

/** `octocat/hello#12`. */
export const placeOf = (sourceId: string): Place | undefined => {
  const [, owner, repo, number] = /^([\w.-]+)\/([\w.-]+)#([1-9]\d{0,11})$/.exec(sourceId) ?? [];
  return owner === undefined || repo === undefined ? undefined : { owner, repo, number: Number(number) };
};

export const labelsOf = ({ labels }: Issue): readonly string[] => labels.flatMap((label) => (typeof label === "string" ? [label] : (label.name ?? [])));
const same = (a: string, b: string): boolean => a.toLowerCase() === b.toLowerCase();
const tagged = (labels: readonly string[], key: string): readonly string[] => labels.flatMap((label) => (label.toLowerCase().startsWith(`${key}:`) ? [label.slice(key.length + 1).trim()] : []));
const kindOf = (labels: readonly string[]): WorkItemKind => (labels.some((label) => same(label, "bug")) ? "bug" : labels.some((label) => same(label, "documentation") || same(label, "docs")) ? "docs" : labels.some((label) => same(label, "chore")) ? "chore" : "feature");

const standingOf = ({ labels: needed, assignedTo }: GitHubSettings, issue: Issue, me: string): { readonly standing: Standing; readonly says: string } => {
  if (issue.state === "closed") return { standing: "closed", says: `closed${issue.state_reason ? ` as ${issue.state_reason.replaceAll("_", " ")}` : ""}` };
  const labels = labelsOf(issue), lacks = needed.find((name) => !labels.some((label) => same(label, name))), who = assignedTo === "@me" ? me : assignedTo;
  if (lacks !== undefined) return { standing: "held", says: `open, without the label ${lacks}` };
  if (who !== "*" && !(issue.assignees ?? []).some(({ login }) => same(login, who))) return { standing: "held", says: `open, not assigned to ${who}` };
  return { standing: "open", says: "open" };
};

export const foundOf = (settings: GitHubSettings, repo: string, issue: Issue, me: string): Found | { readonly problem: string } => {
  const labels = labelsOf(issue), id = `${repo}#${issue.number}`;
  const project = projectOf(tagged(labels, "project")[0] ?? settings.repos.find(({ name }) => same(name, repo))?.project, settings.projects, "write a label project:NAME, or map its repository");
  if (typeof project === "string") return { problem: project };
  const lanes = [...new Set(tagged(labels, "lane"))], lane = OperatorLane.optional().safeParse(lanes[0]);
  if (lanes.length > 1) return { problem: `it names several lanes: ${lanes.join(", ")}` };
  if (!lane.success) return { problem: lane.error.issues[0]?.message ?? "its lane cannot be read" };
  const title = cutTitle(issue.title), priority = Number(tagged(labels, "priority")[0] ?? 3), spans = tagged(labels, "spans");
  if (title === "") return { problem: "the title is empty" };
  return {
    ...standingOf(settings, issue, me), laneNamed: lane.data !== undefined, spoken: issue.comments > 0,
    item: {
      source: "github", sourceId: id, title, body: cutBody((issue.body ?? "").trim(), id), kind: kindOf(labels), priority: priority === 1 || priority === 2 || priority === 4 ? priority : 3, createdAt: Math.max(0, Date.parse(issue.created_at)),
      project: project.name, repository: project.repository, operatorLane: lane.data ?? project.lane, ...(spans.length === 0 ? {} : { spans: spans.slice(0, 100) }), ...(labels.some((label) => same(label, "approval")) ? { requireApproval: true } : {}),
    },
  };
};
