/**
 * Issues of GitHub repositories. Owns nothing but what its requests remember of unchanged lists; docs/sources.md says what of an issue counts here.
 *
 * I1 Pull requests, which GitHub lists as issues, are none. I2 What the list selects and what an issue says of itself are the same rule.
 */
import { Effect } from "effect";
import type { ClockShape } from "../../ports/clock.ts";
import { type Absent, type Found, type Malformed, SourceMisread, type SourceShape, type SourceTrouble } from "../../ports/source.ts";
import { readMark } from "../mark.ts";
import { gitHubPush } from "./push.ts";
import { foundOf, placeOf } from "./read.ts";
import { makeRest, sourceName } from "./rest.ts";
import type { GitHubSettings } from "./settings.ts";
import { Issue } from "./wire.ts";

export const gitHub = (settings: GitHubSettings, clock: ClockShape, timeoutMs?: number): SourceShape => {
  const rest = makeRest(settings, clock, timeoutMs);
  const readIn = (repo: string, record: unknown, me: string): { readonly id: string; readonly read: Found | { readonly problem: string } } | undefined => {
    const number = typeof record === "object" && record !== null && "number" in record ? String(record.number) : "?", id = `${repo}#${number}`;
    if (typeof record === "object" && record !== null && "pull_request" in record && record.pull_request !== undefined) return undefined;
    const parsed = Issue.safeParse(record);
    return { id, read: parsed.success ? foundOf(settings, repo, parsed.data, me) : { problem: `its record cannot be read: ${parsed.error.issues.slice(0, 3).map(({ path, message }) => `${path.join(".")}: ${message}`).join("; ")}` } };
  };
  return {
    name: sourceName, kind: "github", followed: true, watch: () => () => {},
    byStates: (wanted) => Effect.gen(function* () {
      const found = new Map<string, Found>(), malformed: Malformed[] = [];
      if (wanted.length === 0) return { found: [], malformed };
      const me = (yield* rest.me).login, onlyOpen = wanted.every((standing) => standing === "open");
      for (const { name } of settings.repos) {
        const [owner = "", repo = ""] = name.split("/");
        const filter = { state: onlyOpen ? "open" : "all", ...(onlyOpen && settings.labels.length > 0 ? { labels: settings.labels.join(",") } : {}), ...(onlyOpen && settings.assignedTo !== "*" ? { assignee: settings.assignedTo === "@me" ? me : settings.assignedTo } : {}) };
        for (const record of yield* rest.issues(owner, repo, filter)) {
          const one = readIn(name, record, me);
          if (one === undefined) continue;
          if ("problem" in one.read) malformed.push({ sourceId: one.id, problem: one.read.problem });
          else if (wanted.includes(one.read.standing)) found.set(one.id, one.read);
        }
      }
      return { found: [...found.values()], malformed };
    }),
    byIds: (ids) => (ids.length === 0 ? Effect.succeed(new Map()) : Effect.gen(function* () {
      const answers = new Map<string, Found | Absent>(), me = (yield* rest.me).login;
      for (const id of ids) answers.set(id, yield* one(id, me));
      return answers;
    })),
    recall: (sourceId) => Effect.gen(function* () {
      const place = placeOf(sourceId), { id: me } = yield* rest.me;
      // Others can write what looks like ours.
      return place === undefined ? undefined : (yield* rest.comments(place)).flatMap(({ user, body = "" }) => (user?.id === me ? [readMark(body)] : [])).filter((mark) => mark !== undefined).at(-1);
    }),
    push: gitHubPush(settings, rest),
  };

  function one(id: string, me: string): Effect.Effect<Found | Absent, SourceTrouble> {
    return Effect.gen(function* () {
      const place = placeOf(id);
      if (place === undefined) return { absent: "it is written OWNER/NAME#NUMBER" };
      if (!settings.repos.some(({ name }) => name.toLowerCase() === `${place.owner}/${place.repo}`.toLowerCase())) return { absent: "its repository is no source any more" };
      const { status, data } = yield* rest.issue(place);
      if (status === 404 || status === 410) return { absent: status === 410 ? "it was deleted" : "there is no such issue, or we may not see it" };
      if (status >= 300) return { absent: "it was moved to another repository" };
      const found = readIn(`${place.owner}/${place.repo}`, data, me);
      if (found === undefined) return { absent: "it is a pull request" };
      return "problem" in found.read ? yield* Effect.fail(new SourceMisread({ source: sourceName, message: `${sourceName} ${id}: ${found.read.problem}` })) : found.read;
    });
  }
};
