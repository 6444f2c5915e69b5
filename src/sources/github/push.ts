/**
 * Tells GitHub what has become of an issue: gates as labels, its end, and one comment that says all of it.
 *
 * I1 Labels are added and taken away one by one, never set as a whole: those of others stay. I2 What somebody took back since our last word (by the issue's events)
 * stays taken back, so a comment stands before the first. I3 The same word again finds nothing to write. I4 The comment comes last and names the last event.
 */
import { Effect } from "effect";
import { Gate } from "../../domain/gate.ts";
import { PushRefused, SourceMisread, type SourcePush, type SourceTrouble, SourceUnavailable } from "../../ports/source.ts";
import { type Mark, markWith, readMark, renderMark } from "../mark.ts";
import { labelsOf, placeOf } from "./read.ts";
import { type GitHubRest, type Place, sourceName } from "./rest.ts";
import type { GitHubSettings } from "./settings.ts";
import { type Event, Issue } from "./wire.ts";

const blocked = "blocked";

export const gitHubPush = (settings: GitHubSettings, rest: GitHubRest) => (push: SourcePush): Effect.Effect<void, SourceTrouble | PushRefused> => told(settings, rest, push, false);

/** `begun`: our comment was written just now. */
const told = (settings: GitHubSettings, rest: GitHubRest, { item: id, source, sourceId, set }: SourcePush, begun: boolean): Effect.Effect<void, SourceTrouble | PushRefused> => Effect.gen(function* () {
  const place = placeOf(sourceId);
  if (place === undefined) return yield* Effect.fail(new PushRefused({ message: `${sourceId} is no issue` }));
  const issue = yield* issueNow(rest, place), { id: me } = yield* rest.me;
  const ours = (yield* rest.comments(place)).flatMap(({ id: comment, user, body = "" }) => { const mark = user?.id === me ? readMark(body) : undefined; return mark === undefined ? [] : [{ comment, mark }]; }).at(-1);
  const events = yield* rest.events(place);
  // From here on it can be told what others have changed since.
  if (ours === undefined) {
    if (begun) return yield* Effect.fail(new SourceUnavailable({ source: sourceName, message: `${sourceName} does not show our comment on ${sourceId} yet` }));
    yield* say(rest, place, undefined, { id, gates: [], revision: lastOf(events) });
    return yield* told(settings, rest, { item: id, source, sourceId, set }, true);
  }
  const since = events.filter((event) => event.id > (ours.mark.revision ?? 0)), labels = labelsOf(issue);
  const has = (name: string): boolean => labels.some((label) => label.toLowerCase() === name.toLowerCase());
  const was = (event: string, name?: string): boolean => since.some((each) => each.event === event && (name === undefined || each.label?.name.toLowerCase() === name.toLowerCase()));
  const add = new Set<string>(), drop = new Set<string>();
  for (const gate of Gate.options) if (set.gates?.[gate] !== undefined) (set.gates[gate] === true ? add : drop).add(`gate:${gate}`);
  if (set.status === "failed" || set.status === "exhausted") add.add(blocked);
  if (set.status === "done") drop.add(blocked);
  const added = [...add].filter((name) => !has(name) && !was("labeled", name));
  let changed = added.length > 0;
  if (added.length > 0) yield* took(rest.addLabels(place, added));
  for (const name of drop) {
    if (!has(name) || was("unlabeled", name)) continue;
    changed = true;
    yield* took(rest.removeLabel(place, name), [404]);
  }
  const ends = set.status === "done" && settings.close && issue.state === "open", left = ends && was("closed") ? "open" : undefined;
  if (ends && left === undefined) {
    changed = true;
    yield* took(rest.close(place));
  }
  const next: Mark = { ...markWith(ours.mark, id, set), ...(left === undefined ? {} : { left }) };
  if (!changed && renderMark({ ...next, revision: 0 }) === renderMark({ ...ours.mark, revision: 0 })) return;
  yield* say(rest, place, ours.comment, { ...next, revision: lastOf(yield* rest.events(place)) });
});

const lastOf = (events: readonly Event[]): number => events.reduce((last, { id }) => Math.max(last, id), 0);

const issueNow = (rest: GitHubRest, place: Place): Effect.Effect<Issue, SourceTrouble | PushRefused> => Effect.flatMap(rest.issue(place), ({ status, data }): Effect.Effect<Issue, SourceTrouble | PushRefused> => {
  if (status >= 300) return Effect.fail(new PushRefused({ message: status === 410 ? "the issue was deleted" : status === 404 ? "there is no such issue, or we may not see it" : "the issue was moved" }));
  const parsed = Issue.safeParse(data);
  return parsed.success ? Effect.succeed(parsed.data) : Effect.fail(new SourceMisread({ source: sourceName, message: `${sourceName} ${place.owner}/${place.repo}#${place.number}: its record cannot be read` }));
});

const took = (write: Effect.Effect<number, SourceTrouble>, fine: readonly number[] = []): Effect.Effect<void, SourceTrouble | PushRefused> => Effect.flatMap(write, (status): Effect.Effect<void, SourceTrouble | PushRefused> => {
  if (status < 300 || fine.includes(status)) return Effect.void;
  return Effect.fail(status === 409 ? new SourceUnavailable({ source: sourceName, message: `${sourceName} is busy with the issue (409)` }) : new PushRefused({ message: `${sourceName} does not take it (${status})` }));
});

/** I4. */
const say = (rest: GitHubRest, place: Place, comment: number | undefined, mark: Mark): Effect.Effect<void, SourceTrouble | PushRefused> => took(rest.writeComment(place, comment, renderMark(mark)));
