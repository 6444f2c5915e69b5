/**
 * The issues of one GitHub on a free loopback port, by its public REST reference: pages with links, entity tags, labels, comments and events.
 *
 * Owns: its socket, its issues, the record of requests. I1 `fault` is asked before each request; an `afterwards` is done after it was carried out, as when an
 * answer is lost. I2 `close` ends every connection, hung ones included.
 */
import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";

export interface FakeIssue {
  readonly repo: string; readonly number: number; title: string | undefined; body: string; state: "open" | "closed"; state_reason: string | null; readonly created_at: string; labels: string[]; assignees: string[]; readonly pull: boolean;
  readonly comments: { readonly id: number; body: string; readonly by: string }[];
  readonly events: { readonly id: number; readonly event: string; readonly label?: { readonly name: string } }[];
}
export interface Asked { readonly method: string; readonly path: string; readonly query: URLSearchParams; readonly authorization: string; readonly tagged: boolean }
export type Fault = { readonly status: number; readonly headers?: Readonly<Record<string, string>>; readonly body?: string } | "hang" | "reset" | { readonly afterwards: "reset" } | { readonly answer: (json: unknown) => unknown };

const users: Readonly<Record<string, number>> = { factory: 1, mona: 2 };
const user = (login: string) => ({ id: users[login] ?? 3, login, type: "User" });

export interface GitHubFake {
  readonly url: string;
  readonly tokens: Set<string>;
  readonly issues: FakeIssue[];
  readonly asked: readonly (Asked & { status: number })[];
  fault: ((asked: Asked) => Fault | undefined) | undefined;
  readonly add: (repo: string, title: string, more?: Partial<Pick<FakeIssue, "labels" | "assignees" | "body" | "created_at" | "pull">>) => FakeIssue;
  readonly find: (id: string) => FakeIssue | undefined;
  /** Somebody does it by hand. */
  readonly move: (issue: FakeIssue, state: "open" | "closed", reason?: string) => void;
  readonly label: (issue: FakeIssue, name: string, on: boolean) => void;
  readonly comment: (issue: FakeIssue, body: string, by: string) => void;
  readonly close: () => Promise<void>;
}

export const gitHubFake = async (): Promise<GitHubFake> => {
  const tokens = new Set(["ghp_goodtoken0123456789"]), issues: FakeIssue[] = [], asked: (Asked & { status: number })[] = [], open = new Set<ServerResponse>();
  let ids = 100;
  const move = (issue: FakeIssue, state: "open" | "closed", reason: string | null = null): void => {
    if (issue.state !== state) issue.events.push({ id: ++ids, event: state === "closed" ? "closed" : "reopened" });
    issue.state = state;
    issue.state_reason = state === "closed" ? reason : "reopened";
  };
  const label = (issue: FakeIssue, name: string, on: boolean): void => {
    const has = issue.labels.includes(name);
    if (on === has) return;
    issue.labels = on ? [...issue.labels, name] : issue.labels.filter((each) => each !== name);
    issue.events.push({ id: ++ids, event: on ? "labeled" : "unlabeled", label: { name } });
  };
  const shown = ({ repo: _, title, comments, events: __, labels, assignees, pull, ...issue }: FakeIssue) => ({ ...issue, ...(title === undefined ? {} : { title }), id: issue.number * 7, labels: labels.map((name) => ({ id: 1, name })), assignees: assignees.map(user), user: user("mona"), comments: comments.length, updated_at: issue.created_at, ...(pull ? { pull_request: { url: "" } } : {}) });

  interface Reply { readonly status: number; readonly json: unknown; readonly headers?: Readonly<Record<string, string>> }
  const missing: Reply = { status: 404, json: { message: "Not Found", documentation_url: "https://docs.github.com/rest" } };
  const paged = (all: readonly unknown[], path: string, query: URLSearchParams): Reply => {
    const size = Math.min(100, Number(query.get("per_page") ?? 30)), page = Number(query.get("page") ?? 1), json = all.slice((page - 1) * size, page * size), next = new URLSearchParams(query);
    next.set("page", String(page + 1));
    return { status: 200, json, headers: page * size < all.length ? { link: `<${server.url}${path}?${next.toString()}>; rel="next"` } : {} };
  };
  const answer = ({ method, path, query }: Asked, body: Readonly<Record<string, unknown>>): Reply => {
    if (method === "GET" && path === "/user") return { status: 200, json: user("factory") };
    const [, owner, name, rest = ""] = /^\/repos\/([^/]+)\/([^/]+)\/issues(\/.*)?$/.exec(path) ?? [], repo = `${owner}/${name}`, here = issues.filter((issue) => issue.repo === repo);
    if (owner === undefined || here.length === 0 && rest !== "") return missing;
    if (rest === "" && method === "GET") {
      const state = query.get("state") ?? "open", labels = (query.get("labels") ?? "").split(",").filter((each) => each !== ""), assignee = query.get("assignee");
      return paged(here.filter((issue) => (state === "all" || issue.state === state) && labels.every((each) => issue.labels.includes(each)) && (assignee === null || issue.assignees.includes(assignee))).map(shown), path, query);
    }
    const [, comment] = /^\/comments\/(\d+)$/.exec(rest) ?? [];
    if (comment !== undefined && method === "PATCH") {
      const found = here.flatMap(({ comments }) => comments).find(({ id }) => id === Number(comment));
      if (found === undefined) return missing;
      if (found.by !== "factory") return { status: 403, json: { message: "Must have admin rights" } };
      found.body = String(body["body"]);
      return { status: 200, json: { ...found, user: user(found.by) } };
    }
    const [, number, what, which] = /^\/(\d+)(?:\/(comments|labels|events)(?:\/(.+))?)?$/.exec(rest) ?? [], issue = here.find((each) => each.number === Number(number));
    if (issue === undefined) return missing;
    switch (`${method} ${what ?? ""}`) {
      case "GET ": return { status: 200, json: shown(issue) };
      case "PATCH ":
        if (body["state"] !== "closed" && body["state"] !== "open") return { status: 422, json: { message: "Validation Failed" } };
        move(issue, body["state"], typeof body["state_reason"] === "string" ? body["state_reason"] : null);
        return { status: 200, json: shown(issue) };
      case "GET comments": return paged(issue.comments.map(({ by, ...each }) => ({ ...each, user: user(by) })), path, query);
      case "POST comments": {
        if (typeof body["body"] !== "string" || body["body"] === "") return { status: 422, json: { message: "Validation Failed" } };
        const made = { id: ++ids, body: body["body"], by: "factory" };
        issue.comments.push(made);
        return { status: 201, json: { ...made, user: user("factory") } };
      }
      case "GET events": return paged(issue.events, path, query);
      case "POST labels":
        if (!Array.isArray(body["labels"])) return { status: 422, json: { message: "Validation Failed" } };
        for (const each of body["labels"]) label(issue, String(each), true);
        return { status: 200, json: issue.labels.map((each) => ({ name: each })) };
      case "DELETE labels": {
        const gone = decodeURIComponent(which ?? "");
        if (!issue.labels.includes(gone)) return { status: 404, json: { message: "Label does not exist" } };
        label(issue, gone, false);
        return { status: 200, json: [] };
      }
      default: return missing;
    }
  };
  const respond = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    let text = "";
    for await (const chunk of request) text += String(chunk);
    const url = new URL(request.url ?? "/", "http://localhost"), tag = request.headers["if-none-match"];
    const one = { method: request.method ?? "", path: url.pathname, query: url.searchParams, authorization: request.headers.authorization ?? "", tagged: tag !== undefined, status: 0 };
    asked.push(one);
    const fault = server.fault?.(one);
    if (fault === "hang") return;
    if (fault === "reset") { request.socket.destroy(); return; }
    const say = (status: number, headers: Readonly<Record<string, string>>, body: string): void => {
      one.status = status;
      response.writeHead(status, { "content-type": "application/json; charset=utf-8", ...headers }).end(body);
    };
    if (typeof fault === "object" && "status" in fault) { say(fault.status, fault.headers ?? {}, fault.body ?? JSON.stringify({ message: "it is not well" })); return; }
    if (!tokens.has(one.authorization.replace(/^(token|Bearer) /i, ""))) { say(401, {}, JSON.stringify({ message: "Bad credentials" })); return; }
    const { status, json, headers = {} } = answer(one, text === "" ? {} : JSON.parse(text));
    if (typeof fault === "object" && "afterwards" in fault) { request.socket.destroy(); return; }
    const body = JSON.stringify(typeof fault === "object" && "answer" in fault ? fault.answer(json) : json), etag = `W/"${createHash("sha256").update(body + (headers["link"] ?? "")).digest("hex")}"`;
    if (one.method === "GET" && tag === etag) {
      one.status = 304;
      response.writeHead(304, { etag }).end();
      return;
    }
    say(status, { ...headers, etag, "x-ratelimit-remaining": "4999" }, body);
  };
  const http = createServer((request, response) => {
    open.add(response);
    response.on("close", () => open.delete(response));
    respond(request, response).catch((error: unknown) => { response.writeHead(500, { "content-type": "text/plain" }).end(String(error)); });
  });
  await new Promise<void>((done) => { http.listen(0, "127.0.0.1", done); });
  const address = http.address();
  const server: GitHubFake = {
    url: `http://127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}`, tokens, issues, asked, fault: undefined, move, label,
    add: (repo, title, more = {}) => {
      const issue: FakeIssue = { repo, number: Math.max(0, ...issues.slice(-1).map(({ number }) => number)) + 1, title, body: "", state: "open", state_reason: null, created_at: "2026-11-30T09:00:00Z", labels: [], assignees: ["factory"], pull: false, comments: [], events: [], ...more };
      issues.push(issue);
      return issue;
    },
    find: (id) => issues.find(({ repo, number }) => `${repo}#${number}` === id),
    comment: (issue, body, by) => { issue.comments.push({ id: ++ids, body, by }); },
    close: async () => {
      for (const response of open) response.socket?.destroy();
      http.closeAllConnections();
      await new Promise<void>((done) => { http.close(() => done()); });
    },
  };
  return server;
};
