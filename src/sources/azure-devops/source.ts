/**
 * Work items of Azure DevOps, by its REST interface. Owns nothing: every read asks the service. Talks to the service only; docs/sources.md says what of it counts here.
 *
 * I1 An id that a list names and no record follows for is not concluded to be gone: `byIds` asks for that one alone. I2 What the query selects and what a record
 * says of itself are the same rule, so an item stands the same by either way.
 */
import { Effect } from "effect";
import type { ClockShape } from "../../ports/clock.ts";
import { type Absent, type Found, type Malformed, SourceMisread, type SourceShape, type SourceTrouble } from "../../ports/source.ts";
import { readMark } from "../mark.ts";
import { azurePush } from "./push.ts";
import { foundOf, projectOfItem, readRecord } from "./read.ts";
import { type AzureRest, isRefusal, makeRest, sourceName } from "./rest.ts";
import type { AzureSettings } from "./settings.ts";
import type { Item } from "./wire.ts";

const fieldsAsked = [
  "System.Id", "System.Rev", "System.Title", "System.State", "System.WorkItemType", "System.AreaPath", "System.IterationPath", "System.CreatedDate", "System.Tags", "System.AssignedTo", "System.Description", "System.CommentCount",
  "Microsoft.VSTS.Common.Priority", "Microsoft.VSTS.Common.AcceptanceCriteria", "Microsoft.VSTS.TCM.ReproSteps",
] as const;
/** Types whose children may be in other projects. */
const isEpic = ({ fields }: Item): boolean => /^(?:epic|feature)$/i.test(fields["System.WorkItemType"]);
const child = "System.LinkTypes.Hierarchy-Forward";

export const azureDevOps = (settings: AzureSettings, clock: ClockShape, timeoutMs?: number): SourceShape => {
  const rest = makeRest(settings, clock, timeoutMs);
  const fields = [...fieldsAsked, ...(settings.laneField === undefined ? [] : [settings.laneField])];
  return {
    name: `${sourceName} ${settings.org}/${settings.project}`, kind: "azdo", followed: true,
    byStates: (wanted) => (wanted.length === 0 ? Effect.succeed({ found: [], malformed: [] }) : Effect.gen(function* () {
      const ids = yield* rest.query(yield* conditionOf(settings, rest, wanted.some((standing) => standing !== "open")));
      const { found, malformed } = yield* readAll(settings, rest, fields, ids);
      return { found: [...found.values()].filter(({ standing }) => wanted.includes(standing)), malformed };
    })),
    byIds: (ids) => (ids.length === 0 ? Effect.succeed(new Map()) : Effect.gen(function* () {
      const answers = new Map<string, Found | Absent>(), numbers = ids.filter(isNumber).map(Number);
      for (const id of ids) if (!isNumber(id)) answers.set(id, { absent: "it has no number" });
      const { found, malformed } = yield* readAll(settings, rest, fields, numbers);
      const [first] = malformed;
      if (first !== undefined) return yield* Effect.fail(new SourceMisread({ source: sourceName, message: `${sourceName} ${first.sourceId}: ${first.problem}` }));
      for (const id of numbers.map(String)) answers.set(id, found.get(id) ?? (yield* alone(settings, rest, id)));
      return answers;
    })),
    watch: () => () => {},
    recall: (sourceId) => Effect.gen(function* () {
      const me = yield* rest.me;
      // Others can write what looks like ours.
      const marks = (yield* rest.comments(sourceId)).flatMap(({ createdBy, text, isDeleted }) => (createdBy.id === me && isDeleted !== true ? [readMark(text)] : [])).filter((mark) => mark !== undefined);
      return marks.at(-1);
    }),
    push: azurePush(settings, rest),
  };
};

const isNumber = (id: string): boolean => /^[1-9]\d{0,14}$/.test(id);
const quoted = (text: string): string => `'${text.replaceAll("'", "''")}'`;
const anyOf = (field: string, values: readonly string[]): string => `[${field}] IN (${values.map(quoted).join(", ")})`;

/** I2. `any`: whatever its state and whoever has it. */
const conditionOf = (settings: AzureSettings, rest: AzureRest, any: boolean): Effect.Effect<string, SourceTrouble> => Effect.gen(function* () {
  const { states, assignedTo, types, areaPath, iterationPath } = settings;
  const areas = areaPath === undefined ? yield* rest.teamAreas : [{ value: areaPath, includeChildren: true }];
  return [
    ...(any ? [] : [anyOf("System.State", states.open)]),
    ...(any || assignedTo === "*" ? [] : [assignedTo.toLowerCase() === "@me" ? "[System.AssignedTo] = @Me" : `[System.AssignedTo] = ${quoted(assignedTo)}`]),
    ...(types.length === 0 ? [] : [anyOf("System.WorkItemType", types)]),
    ...(areas.length === 0 ? [] : [`(${areas.map(({ value, includeChildren }) => `[System.AreaPath] ${includeChildren ? "UNDER" : "="} ${quoted(value)}`).join(" OR ")})`]),
    ...(iterationPath === undefined ? [] : [iterationPath.startsWith("@") ? `[System.IterationPath] = ${iterationPath.replace(/[^@A-Za-z0-9 +-]/g, "")}` : `[System.IterationPath] UNDER ${quoted(iterationPath)}`]),
  ].join(" AND ") || "[System.Id] > 0";
});

interface All { readonly found: ReadonlyMap<string, Found>; readonly malformed: readonly Malformed[] }

const readAll = (settings: AzureSettings, rest: AzureRest, fields: readonly string[], ids: readonly number[]): Effect.Effect<All, SourceTrouble> => Effect.gen(function* () {
  const found = new Map<string, Found>(), malformed: Malformed[] = [], items = new Map<number, Item>();
  if (ids.length === 0) return { found, malformed };
  for (const record of yield* rest.batch(ids, { fields })) {
    const read = readRecord(record);
    if (read.ok) items.set(read.item.id, read.item);
    else malformed.push({ sourceId: idOf(record), problem: read.problem });
  }
  const me = yield* rest.me, spans = yield* spansOf(settings, rest, [...items.values()].filter(isEpic));
  for (const item of items.values()) {
    const one = foundOf(settings, item, yield* rest.states(item.fields["System.WorkItemType"], item.fields["System.State"]), me, spans.get(item.id) ?? []);
    if ("problem" in one) malformed.push({ sourceId: String(item.id), problem: one.problem });
    else found.set(String(item.id), one);
  }
  return { found, malformed };
});

const idOf = (record: unknown): string => (typeof record === "object" && record !== null && "id" in record && (typeof record.id === "number" || typeof record.id === "string") ? String(record.id) : "a work item without an id");

/** The projects that an epic's children are in. One whose project nobody knows is in another. */
const spansOf = (settings: AzureSettings, rest: AzureRest, epics: readonly Item[]): Effect.Effect<ReadonlyMap<number, readonly string[]>, SourceTrouble> => Effect.gen(function* () {
  const spans = new Map<number, readonly string[]>();
  if (epics.length === 0) return spans;
  const children = new Map<number, readonly number[]>();
  for (const record of yield* rest.batch(epics.map(({ id }) => id), { $expand: "relations" })) {
    const read = readRecord(record);
    if (read.ok) children.set(read.item.id, (read.item.relations ?? []).flatMap(({ rel, url }) => (rel === child ? [Number(/\/(\d+)$/.exec(url)?.[1])] : [])).filter(Number.isInteger));
  }
  const names = new Map<number, string>();
  for (const record of yield* rest.batch([...new Set([...children.values()].flat())].toSorted((a, b) => a - b), { fields: fieldsAsked })) {
    const read = readRecord(record);
    if (!read.ok) continue;
    const project = projectOfItem(settings, read.item);
    names.set(read.item.id, typeof project === "string" ? (read.item.fields["System.AreaPath"] ?? "unknown").slice(0, 64) : project.name);
  }
  for (const [epic, ids] of children) spans.set(epic, [...new Set(ids.flatMap((id) => names.get(id) ?? []))].slice(0, 100));
  return spans;
});

/** I1. */
const alone = (settings: AzureSettings, rest: AzureRest, id: string): Effect.Effect<Found | Absent, SourceTrouble> => Effect.gen(function* () {
  const record = yield* rest.item(id);
  if (isRefusal(record)) return { absent: record.message };
  const read = readRecord(record);
  const found = read.ok ? foundOf(settings, read.item, yield* rest.states(read.item.fields["System.WorkItemType"], read.item.fields["System.State"]), yield* rest.me, []) : read;
  return "problem" in found ? yield* Effect.fail(new SourceMisread({ source: sourceName, message: `${sourceName} ${id}: ${found.problem}` })) : found;
});
