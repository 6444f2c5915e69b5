/**
 * The requests of GitHub that are used here, over Octokit, each checked on the way back.
 *
 * Owns: the entity tags of lists and what they stood for, and how long GitHub asked to be left alone. I1 A list that is as it was costs no rate limit (ETag).
 * I2 A refusal to be asked again, and no other, is waited out. I3 No message of ours contains the token.
 */
import { Octokit } from "@octokit/rest";
import { Effect } from "effect";
import { z } from "zod";
import type { ClockShape } from "../../ports/clock.ts";
import { SourceDenied, SourceLimited, SourceMisread, SourceNotSet, type SourceTrouble, SourceUnavailable } from "../../ports/source.ts";
import type { GitHubSettings } from "./settings.ts";
import { Comment, Event, Me } from "./wire.ts";

export const sourceName = "GitHub";
const usualTimeoutMs = 60_000;
const longestDelayMs = 86_400_000;
const perPage = 100;
const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
const mend = "set GITHUB_TOKEN to a token that may read and write issues, or sign in with: gh auth login";

/** Refusals that their caller knows what to do with. */
interface Answer { readonly status: number; readonly data: unknown; readonly headers: Readonly<Record<string, string | number | undefined>> }
export interface Place { readonly owner: string; readonly repo: string; readonly number: number }
const Thrown = z.looseObject({ status: z.int(), message: z.string(), response: z.looseObject({ headers: z.record(z.string(), z.union([z.string(), z.number()]).optional()), data: z.unknown() }).optional() });

export type GitHubRest = ReturnType<typeof makeRest>;

export const makeRest = (settings: GitHubSettings, clock: ClockShape, timeoutMs = usualTimeoutMs) => {
  let client: Octokit | undefined, notBefore = 0;
  const tags = new Map<string, { readonly etag: string; readonly page: readonly unknown[]; readonly next: boolean }>();

  const octokit: Effect.Effect<Octokit, SourceTrouble> = Effect.suspend(() => (client === undefined ? Effect.flatMap(Effect.promise(settings.token), (token): Effect.Effect<Octokit, SourceTrouble> => {
    if (token === undefined) return Effect.fail(new SourceNotSet({ source: sourceName, missing: ["GITHUB_TOKEN"], message: "GitHub cannot be reached: neither GITHUB_TOKEN nor GH_TOKEN is set, and gh is not signed in" }));
    client = new Octokit({ auth: token, baseUrl: settings.url, log: silent, userAgent: "enact-factory" });
    return Effect.succeed(client);
  }) : Effect.succeed(client)));

  const ask = (route: string, parameters: Readonly<Record<string, unknown>> = {}): Effect.Effect<Answer, SourceTrouble> => Effect.flatMap(octokit, (octokit): Effect.Effect<Answer, SourceTrouble> => {
    if (notBefore > clock.now()) return Effect.fail(new SourceLimited({ source: sourceName, until: notBefore, message: `GitHub asked to be left alone for another ${Math.ceil((notBefore - clock.now()) / 1_000)} s` }));
    return Effect.tryPromise({
      try: async (signal): Promise<Answer> => {
        const { status, data, headers } = await octokit.request(route, { ...parameters, request: { signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]), redirect: "manual" } });
        return { status, data, headers };
      },
      catch: (error) => error,
    }).pipe(Effect.catch(refusal));
  });

  const refusal = (error: unknown): Effect.Effect<Answer, SourceTrouble> => {
    const parsed = Thrown.safeParse(error);
    // Octokit calls what has no answer a 500.
    if (!parsed.success || parsed.data.response === undefined && parsed.data.status === 500) return Effect.fail(new SourceUnavailable({ source: sourceName, message: `GitHub does not answer: ${error instanceof Error ? error.message.slice(0, 300) : "unknown"}` }));
    const { status, message, response } = parsed.data, headers = response?.headers ?? {}, after = Number(headers["retry-after"]), spent = String(headers["x-ratelimit-remaining"]) === "0", reset = Number(headers["x-ratelimit-reset"]) * 1_000;
    const asked = Number.isFinite(after) ? clock.now() + Math.min(longestDelayMs, Math.max(0, after * 1_000)) : undefined;
    if (status === 429 || (status === 403 && (asked !== undefined || spent))) {
      notBefore = asked ?? (reset > clock.now() ? Math.min(reset, clock.now() + longestDelayMs) : clock.now() + 60_000);
      return Effect.fail(new SourceLimited({ source: sourceName, until: notBefore, message: `GitHub was asked too often; it answers again in ${Math.ceil((notBefore - clock.now()) / 1_000)} s` }));
    }
    if (status === 401 || status === 403) {
      client = undefined;
      return Effect.fail(new SourceDenied({ source: sourceName, mend, message: status === 401 ? "GitHub does not know us (401): the token is wrong or has expired" : `GitHub does not let us do this (403): ${message.slice(0, 300)}` }));
    }
    if (status >= 500) return Effect.fail(new SourceUnavailable({ source: sourceName, message: `GitHub is in trouble (${status})`, ...(asked === undefined ? {} : { retryAt: asked }) }));
    return Effect.succeed({ status, data: response?.data, headers });
  };

  const must = <A>(schema: z.ZodType<A>, what: string) => ({ status, data }: Answer): Effect.Effect<A, SourceTrouble> => {
    if (status >= 300) return Effect.fail(new SourceUnavailable({ source: sourceName, message: `GitHub does not give ${what} (${status})` }));
    const parsed = schema.safeParse(data);
    return parsed.success ? Effect.succeed(parsed.data) : Effect.fail(new SourceMisread({ source: sourceName, message: `GitHub gave ${what} in another form: ${parsed.error.issues.slice(0, 3).map(({ path, message }) => `${path.join(".")}: ${message}`).join("; ")}` }));
  };
  const hasNext = ({ headers }: Answer): boolean => /rel="next"/.test(String(headers["link"] ?? ""));

  /** Page after page; records as they came. I1. */
  const list = (route: string, parameters: Readonly<Record<string, unknown>>, what: string): Effect.Effect<readonly unknown[], SourceTrouble> => Effect.gen(function* () {
    const all: unknown[] = [], key = JSON.stringify([route, parameters]);
    let page = 1;
    for (let next = true; next; page++) {
      const known = tags.get(`${key} ${page}`);
      const answer = yield* ask(route, { ...parameters, per_page: perPage, page, ...(known === undefined ? {} : { headers: { "if-none-match": known.etag } }) });
      if (answer.status === 304 && known !== undefined) {
        all.push(...known.page);
        next = known.next;
        continue;
      }
      const records = yield* must(z.array(z.unknown()), what)(answer);
      next = hasNext(answer);
      const etag = answer.headers["etag"];
      if (typeof etag === "string") tags.set(`${key} ${page}`, { etag, page: records, next });
      all.push(...records);
    }
    // Pages that the list has no more are not kept.
    for (; tags.delete(`${key} ${page}`); page++);
    return all;
  });
  const at = ({ owner, repo, number }: Place) => ({ owner, repo, issue_number: number });
  const plain = <A>(route: string, schema: z.ZodType<A>, place: Place, what: string): Effect.Effect<readonly A[], SourceTrouble> => Effect.gen(function* () {
    const all: A[] = [];
    for (let page = 1, next = true; next; page++) {
      const answer = yield* ask(route, { ...at(place), per_page: perPage, page });
      all.push(...(yield* must(z.array(schema), what)(answer)));
      next = hasNext(answer);
    }
    return all;
  });
  let myself: z.infer<typeof Me> | undefined;

  return {
    issues: (owner: string, repo: string, filter: Readonly<Record<string, string>>): Effect.Effect<readonly unknown[], SourceTrouble> => list("GET /repos/{owner}/{repo}/issues", { owner, repo, ...filter, sort: "created", direction: "asc" }, `the issues of ${owner}/${repo}`),
    /** A status of 301, 404 or 410 is its caller's. */
    issue: (place: Place): Effect.Effect<{ readonly status: number; readonly data: unknown }, SourceTrouble> => ask("GET /repos/{owner}/{repo}/issues/{issue_number}", at(place)),
    comments: (place: Place) => plain("GET /repos/{owner}/{repo}/issues/{issue_number}/comments", Comment, place, "comments"),
    events: (place: Place): Effect.Effect<readonly Event[], SourceTrouble> => plain("GET /repos/{owner}/{repo}/issues/{issue_number}/events", Event, place, "events"),
    writeComment: (place: Place, comment: number | undefined, body: string): Effect.Effect<number, SourceTrouble> => Effect.map(
      comment === undefined ? ask("POST /repos/{owner}/{repo}/issues/{issue_number}/comments", { ...at(place), body }) : ask("PATCH /repos/{owner}/{repo}/issues/comments/{comment_id}", { owner: place.owner, repo: place.repo, comment_id: comment, body }), ({ status }) => status),
    addLabels: (place: Place, labels: readonly string[]): Effect.Effect<number, SourceTrouble> => Effect.map(ask("POST /repos/{owner}/{repo}/issues/{issue_number}/labels", { ...at(place), labels }), ({ status }) => status),
    removeLabel: (place: Place, name: string): Effect.Effect<number, SourceTrouble> => Effect.map(ask("DELETE /repos/{owner}/{repo}/issues/{issue_number}/labels/{name}", { ...at(place), name }), ({ status }) => status),
    close: (place: Place): Effect.Effect<number, SourceTrouble> => Effect.map(ask("PATCH /repos/{owner}/{repo}/issues/{issue_number}", { ...at(place), state: "closed", state_reason: "completed" }), ({ status }) => status),
    me: Effect.suspend(() => (myself === undefined ? Effect.tap(Effect.flatMap(ask("GET /user"), must(Me, "whose token it is")), (me) => Effect.sync(() => { myself = me; })) : Effect.succeed(myself))),
  };
};
