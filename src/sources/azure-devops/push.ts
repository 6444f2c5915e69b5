/**
 * Tells Azure DevOps what has become of an item: its state, its gates as fields or tags, and one comment that says all of it.
 *
 * I1 Only fields that this word is about are written, against the revision they were read at (`test /rev`); who was faster is read and merged, never written over.
 * I2 A state is changed only from where this factory could have left it; a value that somebody took back since our last word stays taken back, so a comment stands before the first. I3 The same word
 * again finds nothing to write, whenever its teller died. I4 The comment comes last and names the revision: until then the word counts as not said.
 */
import { Effect } from "effect";
import { Gate } from "../../domain/gate.ts";
import { PushRefused, SourceConflict, SourceMisread, type SourcePush, type SourceTrouble, SourceUnavailable } from "../../ports/source.ts";
import { type Mark, markWith, readMark, renderMark } from "../mark.ts";
import { readRecord, tagsOf } from "./read.ts";
import { type AzureRest, isRefusal, type PatchOperation, type Refusal, sourceName } from "./rest.ts";
import type { AzureSettings } from "./settings.ts";
import type { Item } from "./wire.ts";

/** Times that others may be faster. */
const patience = 5;
const blocked = "Blocked";
const gateTag = (gate: Gate): string => `gate:${gate}`;
const same = (a: string, b: string): boolean => a.toLowerCase() === b.toLowerCase();

export const azurePush = (settings: AzureSettings, rest: AzureRest) => ({ item: id, sourceId, set }: SourcePush): Effect.Effect<void, SourceTrouble | PushRefused> => Effect.gen(function* () {
  for (let n = 0, begun = false; n < patience; n++) {
    const item = yield* itemNow(rest, sourceId), me = yield* rest.me;
    const ours = (yield* rest.comments(sourceId)).flatMap(({ id: comment, text, createdBy, isDeleted }) => (createdBy.id === me && isDeleted !== true && readMark(text) !== undefined ? [{ comment, mark: readMark(text) }] : [])).at(-1);
    if (ours === undefined) {
      if (begun) return yield* Effect.fail(new SourceUnavailable({ source: sourceName, message: `${sourceName} does not show our comment on ${sourceId} yet` }));
      begun = true;
      // From here on it can be told what others have changed since.
      yield* say(rest, sourceId, ours, { id, gates: [], revision: item.rev });
      continue;
    }
    const next = markWith(ours.mark, id, set);
    const wanted = yield* wantedOf(settings, rest, item, set), changes = yield* notTakenBack(rest, sourceId, item, wanted.fields, ours.mark?.revision ?? 0);
    const written = yield* write(rest, sourceId, item, changes);
    if (written === "faster") continue;
    // A rule of theirs against a state leaves the state; what else this word is about is said again without it.
    if (typeof written === "object" && "refused" in written) {
      const { "System.State": _, ...others } = changes;
      const again = "System.State" in changes ? yield* write(rest, sourceId, item, others) : written;
      if (again === "faster") continue;
      if (typeof again === "object" && "refused" in again) return yield* Effect.fail(new PushRefused({ message: again.message }));
      return yield* say(rest, sourceId, ours, { ...next, left: item.fields["System.State"], revision: again });
    }
    const left = wanted.left ?? ("System.State" in wanted.fields && !("System.State" in changes) ? item.fields["System.State"] : undefined);
    return yield* say(rest, sourceId, ours, { ...next, revision: written, ...(left === undefined ? {} : { left }) }, written !== item.rev);
  }
  return yield* Effect.fail(new SourceConflict({ source: sourceName, message: `${sourceName} ${sourceId} was changed by others ${patience} times while it was to be told something` }));
});

const itemNow = (rest: AzureRest, sourceId: string): Effect.Effect<Item, SourceTrouble | PushRefused> => Effect.flatMap(rest.item(sourceId), (record): Effect.Effect<Item, SourceTrouble | PushRefused> => {
  if (isRefusal(record)) return Effect.fail(new PushRefused({ message: record.message }));
  const read = readRecord(record);
  return read.ok ? Effect.succeed(read.item) : Effect.fail(new SourceMisread({ source: sourceName, message: `${sourceName} ${sourceId}: ${read.problem}` }));
});

type Fields = Readonly<Record<string, unknown>>;

/** What the fields should be after this word: only those that it is about, and that are not so already. `left`: a state that others have chosen. */
const wantedOf = (settings: AzureSettings, rest: AzureRest, item: Item, { gates, status }: SourcePush["set"]): Effect.Effect<{ readonly fields: Fields; readonly left?: string }, SourceTrouble> => Effect.gen(function* () {
  const { fields } = item, state = fields["System.State"], wanted: Record<string, unknown> = {};
  const add = new Set<string>(), drop = new Set<string>();
  for (const gate of Gate.options) {
    const told = gates?.[gate], field = settings.gateFields[gate];
    if (told === undefined) continue;
    if (field === undefined) (told ? add : drop).add(gateTag(gate));
    else if ((fields[field] ?? false) !== told) wanted[field] = told;
  }
  let left: string | undefined;
  const target = status === "done" ? settings.states.done : status === "failed" || status === "exhausted" ? settings.states.failed : undefined;
  if (status === "done") drop.add(blocked);
  if (target !== undefined && !same(state, target)) {
    const states = yield* rest.states(fields["System.WorkItemType"], target);
    // A process may call it otherwise, or have no such state.
    const there = states.find(({ name }) => same(name, target)) ?? (status === "done" ? states.find(({ category }) => category === "Completed") : undefined);
    const mayMove = settings.states.open.some((open) => same(open, state)) || same(state, settings.states.failed);
    if (there === undefined) add.add(blocked);
    else if (same(there.name, state)) {/* It is there. */}
    else if (mayMove) wanted["System.State"] = there.name;
    else left = state;
  }
  const tags = tagsOf(item), kept = [...tags.filter((tag) => ![...drop].some((each) => same(each, tag))), ...[...add].filter((tag) => !tags.some((each) => same(each, tag)))];
  if (kept.join() !== tags.join()) wanted["System.Tags"] = kept.join("; ");
  return { fields: wanted, ...(left === undefined ? {} : { left }) };
});

/** I2. Since our last word somebody, likely this word's own first try, had it so, and somebody else has it otherwise now. */
const notTakenBack = (rest: AzureRest, sourceId: string, item: Item, wanted: Fields, since: number): Effect.Effect<Fields, SourceTrouble> => Effect.gen(function* () {
  const names = Object.keys(wanted).filter((name) => name !== "System.Tags");
  if (names.length === 0 || item.rev <= since) return wanted;
  const updates = yield* rest.updatesAfter(sourceId, since);
  const takenBack = names.filter((name) => updates.some(({ fields }) => fields?.[name]?.newValue === wanted[name]));
  return Object.fromEntries(Object.entries(wanted).filter(([name]) => !takenBack.includes(name)));
});

/** The revision that came of it. */
const write = (rest: AzureRest, sourceId: string, { rev, fields }: Item, changes: Fields): Effect.Effect<number | "faster" | Refusal, SourceTrouble> => {
  const entries = Object.entries(changes);
  if (entries.length === 0) return Effect.succeed(rev);
  const operations: readonly PatchOperation[] = [{ op: "test", path: "/rev", value: rev }, ...entries.map(([name, value]): PatchOperation => (value === "" && fields[name] !== undefined ? { op: "remove", path: `/fields/${name}` } : { op: "add", path: `/fields/${name}`, value }))];
  return Effect.flatMap(rest.patch(sourceId, operations), (answer): Effect.Effect<number | "faster" | Refusal, SourceTrouble> => {
    if (isRefusal(answer)) return Effect.succeed(answer.refused === 409 || answer.refused === 412 ? "faster" : answer);
    const read = readRecord(answer);
    return read.ok ? Effect.succeed(read.item.rev) : Effect.fail(new SourceMisread({ source: sourceName, message: `${sourceName} ${sourceId}: ${read.problem}` }));
  });
};

/** I4. A comment that says so already is not written again, unless something else was. */
const say = (rest: AzureRest, sourceId: string, ours: { readonly comment: number; readonly mark: Mark | undefined } | undefined, mark: Mark, changed = false): Effect.Effect<void, SourceTrouble | PushRefused> => {
  if (!changed && ours?.mark !== undefined && renderMark({ ...ours.mark, revision: 0 }) === renderMark({ ...mark, revision: 0 })) return Effect.void;
  return Effect.flatMap(rest.writeComment(sourceId, ours?.comment, renderMark(mark)), (refused): Effect.Effect<void, PushRefused> => (refused === undefined ? Effect.void : Effect.fail(new PushRefused({ message: refused.message }))));
};
