/**
 * An Azure DevOps of one organisation and project on a free loopback port, by its public REST reference: it refuses what the service refuses, and keeps
 * revisions, histories and comments as the service does.
 *
 * Owns: its socket, its work items, the record of requests. I1 No write is done without `test /rev` of the present revision. I2 `fault` is asked before each
 * request; an `afterwards` is done after the request was carried out, as when an answer is lost. I3 `close` ends every connection, hung ones included.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { BadQuery, runQuery } from "./wiql.ts";

type Json = Readonly<Record<string, unknown>>;
export interface FakeComment { readonly id: number; text: string; readonly by: string }
export interface FakeItem { readonly id: number; rev: number; fields: Record<string, unknown>; readonly relations: { rel: string; url: string }[]; readonly comments: FakeComment[]; readonly updates: { id: number; rev: number; by: string; fields: Record<string, { oldValue?: unknown; newValue?: unknown }> }[] }
export interface Asked { readonly method: string; readonly path: string; readonly query: URLSearchParams; readonly body: unknown; readonly authorization: string }
export type Fault =
  | { readonly status: number; readonly headers?: Readonly<Record<string, string>>; readonly body?: string }
  | "hang" | "reset" | "signIn203" | "signIn302" | { readonly afterwards: "reset" }
  /** Changes what is answered. */
  | { readonly answer: (json: unknown) => unknown };

const categories = { Todo: "Proposed", "To Do": "Proposed", New: "Proposed", "In Progress": "InProgress", "On Hold": "InProgress", Blocked: "InProgress", Resolved: "Resolved", Done: "Completed", Removed: "Removed" };
const agile = { New: "Proposed", Active: "InProgress", Resolved: "Resolved", Closed: "Completed", Removed: "Removed" };
const known = ["System.Id", "System.Rev", "System.Title", "System.State", "System.WorkItemType", "System.TeamProject", "System.AreaPath", "System.IterationPath", "System.CreatedDate", "System.Tags", "System.AssignedTo", "System.Description", "System.CommentCount", "System.History",
  "Microsoft.VSTS.Common.Priority", "Microsoft.VSTS.Common.AcceptanceCriteria", "Microsoft.VSTS.TCM.ReproSteps", "Custom.OperatorLane", "Custom.ImplementationComplete", "Custom.ReviewPassed", "Custom.TestsPassed"];

export interface AzureDevOpsFake {
  readonly url: string;
  readonly org: string;
  readonly project: string;
  readonly team: string;
  /** Tokens that are good; take one out and it has expired. */
  readonly tokens: Set<string>;
  readonly items: Map<number, FakeItem>;
  readonly asked: readonly Asked[];
  fault: ((asked: Asked) => Fault | undefined) | undefined;
  /** The discussion is kept as HTML, as older servers do. */
  htmlComments: boolean;
  readonly add: (fields: Json, more?: { readonly children?: readonly number[] }) => FakeItem;
  /** Somebody changes it by hand. */
  readonly edit: (id: number, fields: Json, by?: string) => void;
  readonly comment: (id: number, text: string, by: string) => void;
  readonly close: () => Promise<void>;
}

export const me = { id: "11111111-0000-4000-8000-000000000001", displayName: "Factory", uniqueName: "factory@example.org" };
export const other = { id: "22222222-0000-4000-8000-000000000002", displayName: "Mona", uniqueName: "mona@example.org" };

class Refused extends Error {
  readonly status: number;
  readonly typeKey: string;
  constructor(status: number, typeKey: string, message: string) {
    super(message);
    this.status = status;
    this.typeKey = typeKey;
  }
}

export const azureDevOpsFake = async (): Promise<AzureDevOpsFake> => {
  const org = "fabrikam", project = "Web Shop", team = "Team Blue";
  const items = new Map<number, FakeItem>(), tokens = new Set(["good-token-0123456789"]), asked: Asked[] = [], sockets = new Set<ServerResponse>();
  let comments = 0;

  const change = (item: FakeItem, changes: Json, by: string): void => {
    const fields: Record<string, { oldValue?: unknown; newValue?: unknown }> = {};
    for (const [name, value] of Object.entries(changes)) {
      fields[name] = { ...(name in item.fields ? { oldValue: item.fields[name] } : {}), ...(value === undefined ? {} : { newValue: value }) };
      // What is empty is not in a record at all.
      if (value === undefined || value === "") delete item.fields[name];
      else item.fields[name] = value;
    }
    item.rev += 1;
    item.updates.push({ id: item.updates.length + 1, rev: item.rev, by, fields });
  };
  const itemOf = (id: string | number): FakeItem => {
    const item = items.get(Number(id));
    if (item === undefined) throw new Refused(404, "WorkItemUnauthorizedAccessException", `TF401232: Work item ${id} does not exist, or you do not have permissions to read it.`);
    return item;
  };
  const statesOf = (type: string): Readonly<Record<string, string>> => (type === "User Story" ? agile : categories);
  const shown = (item: FakeItem, names: readonly string[] | undefined, relations: boolean): unknown => ({
    id: item.id, rev: item.rev, url: `${server.url}/${org}/_apis/wit/workItems/${item.id}`, ...(relations ? { relations: item.relations } : {}),
    fields: Object.fromEntries(Object.entries({ ...item.fields, "System.Id": item.id, "System.Rev": item.rev, ...(item.comments.length === 0 ? {} : { "System.CommentCount": item.comments.length }) }).filter(([name]) => names === undefined || names.includes(name))),
  });
  const html = (text: string): string => (server.htmlComments ? `<div>${text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;").replaceAll("\n", "<br>")}</div>` : text);

  const answer = ({ method, path, query, body }: Asked, type: string): { readonly status: number; readonly json: unknown } => {
    if (method !== "GET" && !query.has("api-version")) throw new Refused(400, "VssVersionNotSpecifiedException", "No api-version was supplied for the request. The version must be supplied either as part of the Accept header or as a query parameter.");
    if (method === "PATCH" && /workitems\/\d+$/i.test(path) ? type !== "application/json-patch+json" : body !== undefined && type !== "application/json") throw new Refused(400, "VssRequestContentTypeNotSupportedException", `The request indicated a Content-Type of "${type}" for method type "${method}" which is not supported.`);
    const given: Json = typeof body === "object" && body !== null && !Array.isArray(body) ? { ...body } : {};
    const inProject = `/${org}/${encodeURIComponent(project)}`, inTeam = `${inProject}/${encodeURIComponent(team)}`;
    if (method === "GET" && path === `/${org}/_apis/connectionData`) return { status: 200, json: { authenticatedUser: { id: me.id, providerDisplayName: me.displayName } } };
    if (method === "GET" && path === `${inTeam}/_apis/work/teamsettings/teamfieldvalues`) return { status: 200, json: { field: { referenceName: "System.AreaPath" }, defaultValue: project, values: [{ value: project, includeChildren: true }] } };
    if (method === "POST" && path === `${inTeam}/_apis/wit/wiql`) {
      const ids = runQuery(String(given["query"]), [...items.values()], { project, me: me.uniqueName, iteration: `${project}\\Sprint 1`, fieldNames: new Set(known) });
      const top = query.has("$top") ? Number(query.get("$top")) : Number.POSITIVE_INFINITY;
      if (ids.length >= 20_000 && top >= 20_000) throw new Refused(400, "WorkItemTrackingQueryResultSizeLimitExceededException", "VS402337: The number of work items returned exceeds the size limit of 20000. Change the query to return fewer items.");
      return { status: 200, json: { queryType: "flat", queryResultType: "workItem", asOf: "2026-11-30T00:00:00Z", columns: [{ referenceName: "System.Id", name: "ID", url: "" }], workItems: ids.slice(0, top).map((id) => ({ id, url: "" })) } };
    }
    if (method === "POST" && path === `${inProject}/_apis/wit/workitemsbatch`) {
      const ids = Array.isArray(given["ids"]) ? given["ids"].map(Number) : [], fields = Array.isArray(given["fields"]) ? given["fields"].map(String) : undefined;
      if (ids.length === 0 || ids.length > 200) throw new Refused(400, "VssPropertyValidationException", `VS403474: You requested ${ids.length} work items which exceeds the limit of 200.`);
      if (fields !== undefined && given["$expand"] !== undefined) throw new Refused(400, "ConflictingParametersException", "TF401320: The expand parameter can not be used with the fields parameter.");
      const unknown = fields?.find((name) => !known.includes(name));
      if (unknown !== undefined) throw new Refused(400, "WorkItemTrackingFieldDefinitionNotFoundException", `TF51535: Cannot find field ${unknown}.`);
      if (given["errorPolicy"] !== "omit") for (const id of ids) itemOf(id);
      const value = ids.map((id) => { const item = items.get(id); return item === undefined ? null : shown(item, fields, given["$expand"] === "relations"); });
      return { status: 200, json: { count: value.length, value } };
    }
    const states = new RegExp(`^${inProject}/_apis/wit/workitemtypes/([^/]+)/states$`).exec(path)?.[1];
    if (method === "GET" && states !== undefined) return { status: 200, json: { count: 0, value: Object.entries(statesOf(decodeURIComponent(states))).map(([name, category]) => ({ name, color: "fff", category })) } };
    const [, id, what, which] = new RegExp(`^${inProject}/_apis/wit/workitems/(\\d+)(?:/(updates|comments)(?:/(\\d+))?)?$`, "i").exec(path) ?? [];
    if (id === undefined) throw new Refused(404, "VssServiceException", `The controller for path '${path}' was not found.`);
    const item = itemOf(id);
    if (what === "updates") {
      const skip = Number(query.get("$skip") ?? 0), top = Math.min(200, Number(query.get("$top") ?? 200));
      return { status: 200, json: { count: 0, value: item.updates.slice(skip, skip + top).map(({ by, ...update }) => ({ ...update, workItemId: item.id, revisedBy: { id: by }, revisedDate: "2026-11-30T00:00:00Z" })) } };
    }
    if (what === "comments") {
      if (!/^7\.\d-preview(\.\d)?$/.test(query.get("api-version") ?? "")) throw new Refused(400, "VssInvalidPreviewVersionException", "The requested version of the resource is under preview. The -preview flag must be supplied in the api-version for such requests.");
      if (method === "GET") {
        const from = Number(query.get("continuationToken") ?? 0), page = Math.min(200, Number(query.get("$top") ?? 200)), all = item.comments.slice(from, from + page);
        return { status: 200, json: { totalCount: item.comments.length, count: all.length, comments: all.map(({ by, ...comment }) => ({ ...comment, workItemId: item.id, version: 1, createdBy: { id: by }, createdDate: "2026-11-30T00:00:00Z" })), ...(from + page < item.comments.length ? { continuationToken: String(from + page) } : {}) } };
      }
      if (typeof given["text"] !== "string" || given["text"].trim() === "") throw new Refused(400, "ArgumentNullException", "Value cannot be null. Parameter name: text");
      const text = html(given["text"]);
      if (method === "POST" && which === undefined) item.comments.push({ id: ++comments, text, by: me.id });
      else {
        const comment = item.comments.find((each) => each.id === Number(which));
        if (method !== "PATCH" || comment === undefined) throw new Refused(404, "CommentNotFoundException", `TF401232: Comment ${which} does not exist.`);
        comment.text = text;
      }
      change(item, {}, me.id);
      return { status: 200, json: { id: which ?? comments, workItemId: item.id, version: 1, text } };
    }
    if (method === "GET") return { status: 200, json: shown(item, undefined, query.get("$expand") === "relations") };
    if (method !== "PATCH" || !Array.isArray(body)) throw new Refused(405, "VssServiceException", "The requested resource does not support this method.");
    const operations: readonly Json[] = body, test = operations.find(({ op, path: at }) => op === "test" && at === "/rev");
    // I1.
    if (test?.["value"] !== item.rev) throw new Refused(412, "TestPatchOperationFailedException", `VS403351: Test Operation for path /rev failed, value ${item.rev} was not equal to test value ${String(test?.["value"])}.`);
    const changes: Record<string, unknown> = {};
    for (const { op, path: at, value } of operations) {
      if (op === "test") continue;
      const name = /^\/fields\/(.+)$/.exec(String(at))?.[1];
      if (name === undefined || !known.includes(name) || !(op === "add" || op === "replace" || op === "remove")) throw new Refused(400, "WorkItemTrackingFieldDefinitionNotFoundException", `TF51535: Cannot find field ${name ?? String(at)}.`);
      if (name === "System.State" && !(String(value) in statesOf(String(item.fields["System.WorkItemType"])))) throw new Refused(400, "RuleValidationException", `The field 'State' contains the value '${String(value)}' that is not in the list of supported values`);
      if (name.startsWith("Custom.") && name !== "Custom.OperatorLane" && typeof value !== "boolean") throw new Refused(400, "WorkItemFieldInvalidException", `TF401326: Invalid field status for ${name}.`);
      changes[name] = op === "remove" ? undefined : value;
    }
    change(item, changes, me.id);
    return { status: 200, json: shown(item, undefined, false) };
  };

  const signIn = "<!DOCTYPE html><html><head><title>Azure DevOps Services | Sign In</title></head><body></body></html>";
  const respond = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    let text = "";
    for await (const chunk of request) text += String(chunk);
    const url = new URL(request.url ?? "/", "http://localhost");
    const one: Asked = { method: request.method ?? "", path: url.pathname, query: url.searchParams, body: text === "" ? undefined : JSON.parse(text), authorization: request.headers.authorization ?? "" };
    asked.push(one);
    const fault = server.fault?.(one);
    if (fault === "hang") return;
    if (fault === "reset") { request.socket.destroy(); return; }
    const token = Buffer.from((one.authorization.split(" ")[1] ?? ""), "base64").toString().replace(/^:/, "");
    if (fault === "signIn302") { response.writeHead(302, { location: "https://login.example.org/" }).end(); return; }
    if (fault === "signIn203" || !tokens.has(token)) { response.writeHead(203, { "content-type": "text/html; charset=utf-8" }).end(signIn); return; }
    if (typeof fault === "object" && "status" in fault) { response.writeHead(fault.status, { "content-type": "application/json", ...fault.headers }).end(fault.body ?? JSON.stringify({ message: "it is not well" })); return; }
    const { status, json } = ((): { readonly status: number; readonly json: unknown } => {
      try {
        return answer(one, (request.headers["content-type"] ?? "").split(";")[0] ?? "");
      } catch (error) {
        if (error instanceof BadQuery) return { status: 400, json: { $id: "1", message: error.message, typeKey: "SyntaxException", errorCode: 0, eventId: 3000 } };
        if (error instanceof Refused) return { status: error.status, json: { $id: "1", innerException: null, message: error.message, typeName: "", typeKey: error.typeKey, errorCode: 0, eventId: 3200 } };
        throw error;
      }
    })();
    if (typeof fault === "object" && "afterwards" in fault) { request.socket.destroy(); return; }
    response.writeHead(status, { "content-type": "application/json; charset=utf-8" }).end(JSON.stringify(typeof fault === "object" && "answer" in fault ? fault.answer(json) : json));
  };
  const http = createServer((request, response) => {
    sockets.add(response);
    response.on("close", () => sockets.delete(response));
    respond(request, response).catch((error: unknown) => { response.writeHead(500, { "content-type": "text/plain" }).end(String(error)); });
  });
  await new Promise<void>((done) => { http.listen(0, "127.0.0.1", done); });
  const address = http.address();
  const server: AzureDevOpsFake = {
    url: `http://127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}`, org, project, team, tokens, items, asked, fault: undefined, htmlComments: false,
    add: (fields, { children = [] } = {}) => {
      const id = Math.max(10, ...items.keys()) + 1;
      const item: FakeItem = {
        id, rev: 1, comments: [], updates: [], relations: children.map((child) => ({ rel: "System.LinkTypes.Hierarchy-Forward", url: `${server.url}/${org}/_apis/wit/workItems/${child}` })),
        fields: { "System.WorkItemType": "Task", "System.State": "To Do", "System.TeamProject": project, "System.AreaPath": project, "System.IterationPath": `${project}\\Sprint 1`, "System.CreatedDate": "2026-11-30T09:00:00.123Z", "System.AssignedTo": me, ...fields },
      };
      item.updates.push({ id: 1, rev: 1, by: other.id, fields: {} });
      items.set(id, item);
      return item;
    },
    edit: (id, fields, by = other.id) => change(itemOf(id), fields, by),
    comment: (id, text, by) => {
      const item = itemOf(id);
      item.comments.push({ id: ++comments, text: html(text), by });
      change(item, {}, by);
    },
    close: async () => {
      for (const response of sockets) response.socket?.destroy();
      http.closeAllConnections();
      await new Promise<void>((done) => { http.close(() => done()); });
    },
  };
  return server;
};
