/** One record of Azure DevOps to what this factory makes of it. Pure; the texts are hostile. */
import { OperatorLane } from "../../domain/lane.ts";
import type { Standing, WorkItemKind } from "../../domain/work-item.ts";
import type { Found } from "../../ports/source.ts";
import { looksLikeHtml, plainOf } from "../html.ts";
import { cutBody, cutTitle } from "../item-text.ts";
import { projectOf } from "../project-of.ts";
import type { AzureSettings } from "./settings.ts";
import { Item, type States } from "./wire.ts";

export type Read = { readonly ok: true; readonly item: Item } | { readonly ok: false; readonly problem: string };

/** A record that lacks what it must have says nothing. */
export const readRecord = (record: unknown): Read => {
  const parsed = Item.safeParse(record);
  return parsed.success ? { ok: true, item: parsed.data } : { ok: false, problem: `its record cannot be read: ${parsed.error.issues.slice(0, 3).map(({ path, message }) => `${path.join(".")}: ${message}`).join("; ")}` };
};

export const tagsOf = ({ fields }: Item): readonly string[] => (fields["System.Tags"] ?? "").split(";").map((tag) => tag.trim()).filter((tag) => tag !== "");
/** `lane:ralph` → `ralph`. */
const tagged = (tags: readonly string[], key: string): readonly string[] => tags.flatMap((tag) => (tag.toLowerCase().startsWith(`${key}:`) ? [tag.slice(key.length + 1).trim()] : []));

const same = (a: string, b: string): boolean => a.toLowerCase() === b.toLowerCase();
const isUnder = (path: string, area: string): boolean => same(path, area) || path.toLowerCase().startsWith(`${area.toLowerCase()}\\`);

/** The longest area path that holds it decides. */
const projectName = ({ areas, defaultProject }: AzureSettings, item: Item): string | undefined => {
  const [named] = tagged(tagsOf(item), "project"), path = item.fields["System.AreaPath"] ?? "";
  const area = areas.filter((each) => isUnder(path, each.path)).sort((a, b) => b.path.length - a.path.length)[0];
  return named ?? area?.project ?? defaultProject;
};
export const projectOfItem = (settings: AzureSettings, item: Item) => projectOf(projectName(settings, item), settings.projects, "write a tag project:NAME, or map its area path");

/** How it stands, by the category of its state and by whom it is assigned to. */
export const standingOf = (settings: AzureSettings, { fields }: Item, states: States, me: string): { readonly standing: Standing; readonly says: string } => {
  const state = fields["System.State"], category = states.find(({ name }) => name === state)?.category ?? "", owner = fields["System.AssignedTo"];
  if (category === "Completed" || category === "Removed") return { standing: "closed", says: state };
  if (!settings.states.open.some((open) => same(open, state))) return { standing: "held", says: state };
  const { assignedTo } = settings;
  if (assignedTo === "*") return { standing: "open", says: state };
  const ours = owner !== undefined && (same(assignedTo, "@me") ? owner.id === me : same(owner.uniqueName ?? "", assignedTo) || same(owner.displayName ?? "", assignedTo));
  return ours ? { standing: "open", says: state } : { standing: "held", says: `${state}, assigned to ${owner?.displayName ?? owner?.uniqueName ?? "nobody"}` };
};

const kinds: Readonly<Record<string, WorkItemKind>> = { bug: "bug", task: "chore", chore: "chore", documentation: "docs" };
const kindOf = (item: Item): WorkItemKind => (tagsOf(item).some((tag) => same(tag, "docs")) ? "docs" : (kinds[item.fields["System.WorkItemType"].toLowerCase()] ?? "feature"));

const plain = (text: string | undefined): string => (text === undefined ? "" : looksLikeHtml(text) || /&(?:nbsp|lt|gt|amp|quot);/.test(text) ? plainOf(text) : text.trim());
const bodyOf = ({ fields }: Item): string => [
  plain(fields["System.Description"]), plain(fields["Microsoft.VSTS.TCM.ReproSteps"]),
  ...[plain(fields["Microsoft.VSTS.Common.AcceptanceCriteria"])].flatMap((criteria) => (criteria === "" ? [] : [`## Acceptance criteria\n\n${criteria}`])),
].filter((part) => part !== "").join("\n\n");

/** `spans`: projects that the children of an epic are in. */
export const foundOf = (settings: AzureSettings, item: Item, states: States, me: string, spans: readonly string[]): Found | { readonly problem: string } => {
  const { fields } = item, tags = tagsOf(item);
  const project = projectOfItem(settings, item);
  if (typeof project === "string") return { problem: project };
  const named = settings.laneField === undefined ? undefined : fields[settings.laneField], lanes = [...(typeof named === "string" && named.trim() !== "" ? [named.trim()] : []), ...tagged(tags, "lane")];
  if (new Set(lanes).size > 1) return { problem: `it names several lanes: ${[...new Set(lanes)].join(", ")}` };
  const lane = OperatorLane.optional().safeParse(lanes[0]);
  if (!lane.success) return { problem: lane.error.issues[0]?.message ?? "its lane cannot be read" };
  const title = cutTitle(fields["System.Title"]), priority = fields["Microsoft.VSTS.Common.Priority"];
  if (title === "") return { problem: "the title is empty" };
  return {
    ...standingOf(settings, item, states, me), laneNamed: lane.data !== undefined, spoken: (fields["System.CommentCount"] ?? 0) > 0,
    item: {
      source: "azdo", sourceId: String(item.id), title, body: cutBody(bodyOf(item), `work item ${item.id}`), kind: kindOf(item),
      priority: priority === 1 || priority === 2 || priority === 3 || priority === 4 ? priority : 3, createdAt: Math.max(0, Date.parse(fields["System.CreatedDate"])),
      project: project.name, repository: project.repository, operatorLane: lane.data ?? project.lane,
      ...(spans.length === 0 ? {} : { spans: [...spans] }), ...(tags.some((tag) => same(tag, "approval")) ? { requireApproval: true } : {}),
    },
  };
};
