/** The requests of Azure DevOps that are used here, each checked on the way back. Owns: what seldom changes there, read once. */
import { Effect } from "effect";
import type { z } from "zod";
import type { ClockShape } from "../../ports/clock.ts";
import { SourceMisread, type SourceTrouble, SourceUnavailable } from "../../ports/source.ts";
import { type Answer, makeHttp, messageOf, type Sent } from "../http.ts";
import type { AzureSettings } from "./settings.ts";
import { Batch, type Comment, Comments, Connection, States, TeamAreas, Updates, Wiql } from "./wire.ts";

export const sourceName = "Azure DevOps";
/** Ids of one batch; the service refuses more. */
const mostIds = 200;
/** Ids of one page of a query; one that would give 20 000 or more is refused as a whole. */
const mostQueried = 5_000;
const stable = "7.1", comments = "7.1-preview.4";

/** A refusal that its caller knows what to do with. */
export interface Refusal { readonly refused: number; readonly typeKey: string; readonly message: string }
export interface PatchOperation { readonly op: "test" | "add" | "replace" | "remove"; readonly path: string; readonly value?: unknown }

export type AzureRest = ReturnType<typeof makeRest>;

export const makeRest = (settings: AzureSettings, clock: ClockShape, timeoutMs?: number) => {
  const http = makeHttp({
    source: sourceName, clock, headers: { authorization: `Basic ${Buffer.from(`:${settings.pat}`).toString("base64")}`, "x-tfs-fedauthredirect": "Suppress" },
    mend: "make a new personal access token with the scope Work Items (read & write), and set AZDO_PAT to it", ...(timeoutMs === undefined ? {} : { timeoutMs }),
  });
  const org = `${settings.url}/${encodeURIComponent(settings.org)}`, project = `${org}/${encodeURIComponent(settings.project)}`, team = `${project}/${encodeURIComponent(settings.team)}`;

  const ask = (sent: Omit<Sent, "url"> & { readonly at: string; readonly query?: Readonly<Record<string, string>>; readonly version?: string }): Effect.Effect<Answer, SourceTrouble> => {
    const { at, query = {}, version = stable, ...rest } = sent;
    return http({ ...rest, url: `${at}?${new URLSearchParams({ ...query, "api-version": version }).toString()}` });
  };
  const refusalOf = ({ status, json }: Answer): Refusal => ({ refused: status, typeKey: typeof json === "object" && json !== null && "typeKey" in json ? String(json.typeKey) : "", message: messageOf(json) });
  /** An answer of 2xx as what it must be; any other fails. */
  const must = <A>(schema: z.ZodType<A>, what: string) => (answer: Answer): Effect.Effect<A, SourceTrouble> => {
    if (answer.status >= 300) return Effect.fail(new SourceUnavailable({ source: sourceName, message: `${sourceName} does not give ${what} (${answer.status}): ${messageOf(answer.json)}` }));
    const parsed = schema.safeParse(answer.json);
    return parsed.success ? Effect.succeed(parsed.data) : Effect.fail(new SourceMisread({ source: sourceName, message: `${sourceName} gave ${what} in another form: ${parsed.error.issues.slice(0, 3).map(({ path, message }) => `${path.join(".")}: ${message}`).join("; ")}` }));
  };
  /** Read once; a failure is not kept. */
  const once = <A>(read: Effect.Effect<A, SourceTrouble>): Effect.Effect<A, SourceTrouble> => {
    let known: { readonly value: A } | undefined;
    return Effect.suspend(() => (known === undefined ? Effect.tap(read, (value) => Effect.sync(() => { known = { value }; })) : Effect.succeed(known.value)));
  };
  const statesByType = new Map<string, States>();

  return {
    /** Ids of all that a condition holds of, ascending: page after page from the last id on, so that what comes and goes meanwhile moves no page. */
    query: (condition: string): Effect.Effect<readonly number[], SourceTrouble> => Effect.gen(function* () {
      const ids: number[] = [];
      for (;;) {
        const from = ids.at(-1) ?? 0;
        const query = `SELECT [System.Id] FROM WorkItems WHERE [System.TeamProject] = @project AND [System.Id] > ${from} AND ${condition} ORDER BY [System.Id]`;
        const { workItems } = yield* Effect.flatMap(ask({ method: "POST", at: `${team}/_apis/wit/wiql`, query: { $top: String(mostQueried) }, body: { query } }), must(Wiql, "the list of work items"));
        const page = workItems.map(({ id }) => id);
        if (page.some((id, n) => id <= (page[n - 1] ?? from))) return yield* Effect.fail(new SourceMisread({ source: sourceName, message: `${sourceName} gave a page of the list again` }));
        ids.push(...page);
        if (page.length < mostQueried) return ids;
      }
    }),

    /** Records as they came; those that there are none of are not among them. */
    batch: (ids: readonly number[], what: { readonly fields: readonly string[] } | { readonly $expand: "relations" }): Effect.Effect<readonly unknown[], SourceTrouble> => Effect.gen(function* () {
      const records: unknown[] = [];
      for (let from = 0; from < ids.length; from += mostIds) {
        const page = ids.slice(from, from + mostIds);
        const { value } = yield* Effect.flatMap(ask({ method: "POST", at: `${project}/_apis/wit/workitemsbatch`, body: { ids: page, ...what, errorPolicy: "omit" } }), must(Batch, "work items"));
        for (const record of value) {
          if (record === null) continue;
          const id = typeof record === "object" && record !== null && "id" in record ? record.id : undefined;
          // Nothing of an answer to another question is used.
          if (typeof id === "number" && !page.includes(id)) return yield* Effect.fail(new SourceMisread({ source: sourceName, message: `${sourceName} answered with work item ${id}, which was not asked for` }));
          records.push(record);
        }
      }
      return records;
    }),

    item: (id: string): Effect.Effect<unknown, SourceTrouble> => Effect.flatMap(ask({ method: "GET", at: `${project}/_apis/wit/workitems/${encodeURIComponent(id)}` }), (answer): Effect.Effect<unknown, SourceTrouble> =>
      (answer.status === 404 ? Effect.succeed(refusalOf(answer)) : answer.status >= 300 ? Effect.fail(new SourceUnavailable({ source: sourceName, message: `${sourceName} does not give work item ${id} (${answer.status}): ${messageOf(answer.json)}` })) : Effect.succeed(answer.json))),

    /** A refusal of 400, 404, 409 and 412 is its caller's. */
    patch: (id: string, operations: readonly PatchOperation[]): Effect.Effect<unknown, SourceTrouble> => Effect.map(
      ask({ method: "PATCH", at: `${project}/_apis/wit/workitems/${encodeURIComponent(id)}`, body: operations, contentType: "application/json-patch+json" }),
      (answer) => (answer.status >= 300 ? refusalOf(answer) : answer.json),
    ),

    comments: (id: string): Effect.Effect<readonly z.infer<typeof Comment>[], SourceTrouble> => Effect.gen(function* () {
      const all: z.infer<typeof Comment>[] = [], seen = new Set<string>();
      for (let token: string | undefined; ;) {
        const page = yield* Effect.flatMap(ask({ method: "GET", at: `${project}/_apis/wit/workItems/${encodeURIComponent(id)}/comments`, version: comments, query: { $top: "200", order: "asc", ...(token === undefined ? {} : { continuationToken: token }) } }), must(Comments, `the comments of ${id}`));
        all.push(...page.comments);
        const next: string | undefined = page.continuationToken ?? undefined;
        if (next === undefined) return all;
        if (seen.has(next)) return yield* Effect.fail(new SourceMisread({ source: sourceName, message: `${sourceName} gave a page of the comments of ${id} again` }));
        seen.add(next);
        token = next;
      }
    }),

    writeComment: (id: string, comment: number | undefined, text: string): Effect.Effect<Refusal | undefined, SourceTrouble> => Effect.map(
      ask({ method: comment === undefined ? "POST" : "PATCH", at: `${project}/_apis/wit/workItems/${encodeURIComponent(id)}/comments${comment === undefined ? "" : `/${comment}`}`, version: comments, query: { format: "markdown" }, body: { text } }),
      (answer) => (answer.status >= 300 ? refusalOf(answer) : undefined),
    ),

    /** What was changed after a revision, oldest first. */
    updatesAfter: (id: string, revision: number): Effect.Effect<z.infer<typeof Updates>["value"], SourceTrouble> => Effect.gen(function* () {
      const all: z.infer<typeof Updates>["value"] = [];
      for (let skip = 0; ;) {
        const { value } = yield* Effect.flatMap(ask({ method: "GET", at: `${project}/_apis/wit/workItems/${encodeURIComponent(id)}/updates`, query: { $top: "200", $skip: String(skip) } }), must(Updates, `the changes of ${id}`));
        all.push(...value.filter(({ rev }) => rev > revision));
        if (value.length < 200) return all;
        skip += value.length;
      }
    }),

    /** The states of a type, with their categories; a state that is not among them makes it read again. */
    states: (type: string, state: string): Effect.Effect<States, SourceTrouble> => Effect.suspend(() => {
      const known = statesByType.get(type);
      if (known?.some(({ name }) => name === state) === true) return Effect.succeed(known);
      return ask({ method: "GET", at: `${project}/_apis/wit/workitemtypes/${encodeURIComponent(type)}/states` }).pipe(
        Effect.flatMap(must(States, `the states of ${type}`)), Effect.map(({ value }) => value), Effect.tap((value) => Effect.sync(() => { statesByType.set(type, value); })),
      );
    }),

    /** Id of the person whose token it is. */
    me: once(Effect.map(Effect.flatMap(ask({ method: "GET", at: `${org}/_apis/connectionData`, version: "7.1-preview" }), must(Connection, "whose token it is")), ({ authenticatedUser }) => authenticatedUser.id)),
    teamAreas: once(Effect.map(Effect.flatMap(ask({ method: "GET", at: `${team}/_apis/work/teamsettings/teamfieldvalues` }), must(TeamAreas, "the team's areas")), ({ values }) => values)),
  };
};

export const isRefusal = (answer: unknown): answer is Refusal => typeof answer === "object" && answer !== null && "refused" in answer;
