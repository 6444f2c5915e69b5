import { Effect, Result } from "effect";
import { describe, expect, test } from "vitest";
import { WorkItemId } from "../../src/domain/ids.ts";
import type { SourceUpdate } from "../../src/domain/effects.ts";
import { gitHub } from "../../src/sources/github/source.ts";
import type { GitHubSettings } from "../../src/sources/github/settings.ts";
import { readMark, renderMark } from "../../src/sources/mark.ts";
import { type Asked, type Fault, gitHubFake, type GitHubFake } from "../fakes/github/server.ts";
import { SimulatedClock } from "../support/clock.ts";
import { type Room, sourceContract, type WireFault } from "./contract.ts";

const repo = "octocat/hello-world";
const app = { name: "app", repository: "/repos/app", lane: "none" } as const;
const web = { name: "web", repository: "/repos/web", lane: "manual" } as const;
interface GitHubRoom extends Room { readonly fake: GitHubFake }

const gitHubRoom = async (more: Partial<GitHubSettings> = {}): Promise<GitHubRoom> => {
  const fake = await gitHubFake();
  // The repository is there, whatever is in it.
  fake.move(fake.add(repo, "Long ago"), "closed");
  const source = gitHub({ url: fake.url, token: async () => "ghp_goodtoken0123456789", repos: [{ name: repo, project: undefined }], projects: [app], labels: [], assignedTo: "@me", close: true, ...more }, new SimulatedClock(Date.UTC(2026, 10, 30)), 500);
  let fault: WireFault | undefined, omitted: string | undefined, lose = -1, writes = 0, first: unknown;
  const lists = ({ path }: Asked): boolean => path === `/repos/${repo}/issues`;
  fake.fault = (asked): Fault | undefined => {
    if (asked.method !== "GET" && writes++ === lose) return { afterwards: "reset" };
    const later = lists(asked) && Number(asked.query.get("page")) > 1;
    switch (fault) {
      case "down": case "refuses": return "reset";
      case "slow": return "hang";
      case "expired": return { status: 401, body: JSON.stringify({ message: "Bad credentials" }) };
      case "limited": return { status: 403, headers: { "retry-after": "600" }, body: JSON.stringify({ message: "You have exceeded a secondary rate limit" }) };
      case "server error": return { status: 502 };
      case "no JSON": return { status: 200, body: "{" };
      case "later pages fail": return later ? { status: 500 } : undefined;
      case "expires midway": return later ? { status: 401 } : undefined;
      case "repeats a page": return lists(asked) ? { answer: (json) => (first ??= json) } : undefined;
      case undefined: break;
    }
    return omitted !== undefined && lists(asked) ? { answer: (json) => (Array.isArray(json) ? json.filter((each: unknown) => !(typeof each === "object" && each !== null && "number" in each && `${repo}#${String(each.number)}` === omitted)) : json) } : undefined;
  };
  const must = (id: string) => { const issue = fake.find(id); if (issue === undefined) throw new Error(`no ${id}`); return issue; };
  return {
    fake, source,
    add: async (title, { created } = {}) => `${repo}#${fake.add(repo, title, created === undefined ? {} : { created_at: created }).number}`,
    addMany: async (count) => { for (let n = 0; n < count; n++) fake.add(repo, `Issue ${n}`, { body: "What is to be done." }); },
    remove: async (id) => { fake.issues.splice(fake.issues.indexOf(must(id)), 1); },
    spoil: async (id) => { must(id).title = undefined; },
    vanish: async () => {
      fault = "down";
      return async () => { fault = undefined; };
    },
    close: fake.close,
    wire: {
      open: "open", done: "closed",
      fault: (now) => { fault = now; first = undefined; },
      requests: () => fake.asked.length,
      move: (id, to) => {
        const issue = must(id);
        issue.assignees = to === "held" ? ["mona"] : ["factory"];
        fake.move(issue, to === "closed" ? "closed" : "open", "not_planned");
      },
      omit: (id) => { omitted = id; },
      status: (id) => ({ state: must(id).state, marks: must(id).comments.map(({ body }) => body), gates: must(id).labels.filter((name) => name.startsWith("gate:")).map((name) => name.slice(5)) }),
      forge: (id) => fake.comment(must(id), renderMark({ id: WorkItemId.parse("GH-1"), status: "done", gates: [] }), "mona"),
      loseAnswer: (step) => { lose = step; writes = 0; },
    },
  };
};

sourceContract("GitHub", "wire", () => gitHubRoom());

const inRoom = async (more: Partial<GitHubSettings>, check: (room: GitHubRoom) => Promise<void>): Promise<void> => {
  const room = await gitHubRoom(more);
  try {
    await check(room);
  } finally {
    await room.close();
  }
};
const open = ({ source }: Room) => Effect.runPromise(source.byStates(["open"]));
const told = async ({ source }: Room, sourceId: string, set: SourceUpdate): Promise<void> => {
  const result = await Effect.runPromise(Effect.result(source.push({ item: WorkItemId.parse("GH-1"), source: "github", sourceId, set })));
  if (Result.isFailure(result)) throw result.failure;
};

describe("what of GitHub is work", () => {
  test("INTRO-03 open issues that are assigned to us and have every label, no pull request; kind, lane, project and priority by their labels", () => inRoom({ labels: ["agent", "go"], projects: [app, web], repos: [{ name: repo, project: "app" }] }, async (room) => {
    const { fake } = room, both = ["agent", "go"];
    fake.add(repo, "Good", { labels: [...both, "bug", "lane:ralph", "priority:1", "project:web", "approval"], body: "It is **broken**." });
    fake.add(repo, "Half", { labels: ["agent"] });
    fake.add(repo, "Mona's", { labels: both, assignees: ["mona"] });
    fake.add(repo, "A pull request", { labels: both, pull: true });
    fake.move(fake.add(repo, "Closed", { labels: both }), "closed");
    fake.add(repo, "Lost", { labels: [...both, "project:nowhere"] });
    fake.add(repo, "Odd", { labels: [...both, "lane:swarm"] });
    const { found, malformed } = await open(room);
    expect(found).toMatchObject([{ standing: "open", laneNamed: true, item: { source: "github", sourceId: `${repo}#2`, title: "Good", body: "It is **broken**.", kind: "bug", priority: 1, operatorLane: "ralph", project: "web", repository: "/repos/web", requireApproval: true } }]);
    expect(malformed.map(({ problem }) => problem)).toEqual([expect.stringContaining('no project is called "nowhere"'), expect.stringContaining('"swarm" is no operator lane')]);
  }));

  test("a list that is as it was is asked for by its entity tag, and given again without being sent", () => inRoom({}, async (room) => {
    await room.addMany(250);
    const first = await open(room), from = room.fake.asked.length;
    expect(await open(room)).toEqual(first);
    expect(room.fake.asked.slice(from).map(({ status }) => status)).toEqual([304, 304, 304]);
    room.fake.move(room.fake.issues[30] ?? room.fake.add(repo, "none"), "closed");
    expect((await open(room)).found).toHaveLength(249);
  }));

  test("an issue of a repository that is watched no more, and one that was moved or deleted, is absent with why", () => inRoom({}, async (room) => {
    const id = await room.add("Moved"), before = room.fake.fault;
    for (const status of [301, 410]) {
      room.fake.fault = (asked) => (asked.path.endsWith("/issues/2") ? { status, headers: status === 301 ? { location: `${room.fake.url}/repositories/1/issues/2` } : {} } : before?.(asked));
      expect((await Effect.runPromise(room.source.byIds([id, "mona/other#1"]))).get(id)).toEqual({ absent: status === 301 ? "it was moved to another repository" : "it was deleted" });
    }
    expect((await Effect.runPromise(room.source.byIds(["mona/other#1"]))).get("mona/other#1")).toEqual({ absent: "its repository is no source any more" });
  }));
});

describe("what GitHub is told", () => {
  test("labels of others stay; a failure is a label, and done takes it away and closes", () => inRoom({}, async (room) => {
    const id = await room.add("a"), issue = room.fake.find(id);
    if (issue === undefined) throw new Error("no issue");
    room.fake.label(issue, "theirs", true);
    await told(room, id, { gates: { testsPassed: true }, status: "failed" });
    expect(issue.labels).toEqual(["theirs", "gate:testsPassed", "blocked"]);
    expect(issue.state).toBe("open");
    await told(room, id, { status: "done" });
    expect(issue).toMatchObject({ labels: ["theirs", "gate:testsPassed"], state: "closed", state_reason: "completed" });
  }));

  test("what was told, and taken back by somebody before its teller came to life again, stays taken back", () => inRoom({}, async (room) => {
    const id = await room.add("a"), issue = room.fake.find(id), before = room.fake.fault;
    if (issue === undefined) throw new Error("no issue");
    await told(room, id, { gates: {} });
    room.fake.fault = (asked) => (asked.path.includes("/issues/comments/") ? "reset" : before?.(asked));
    await told(room, id, { gates: { reviewPassed: true }, status: "done" }).catch(() => undefined);
    expect(issue).toMatchObject({ state: "closed", labels: ["gate:reviewPassed"] });
    room.fake.move(issue, "open");
    room.fake.label(issue, "gate:reviewPassed", false);
    room.fake.fault = before;
    await told(room, id, { gates: { reviewPassed: true }, status: "done" });
    expect(issue).toMatchObject({ state: "open", labels: [] });
    expect(issue.comments.map(({ body }) => readMark(body))).toMatchObject([{ status: "done", gates: ["reviewPassed"], left: "open" }]);
  }));

  test("a token that is refused stands in no message", () => inRoom({}, async (room) => {
    room.fake.tokens.clear();
    const result = await Effect.runPromise(Effect.result(room.source.byStates(["open"])));
    expect(Result.isFailure(result) ? result.failure : undefined).toMatchObject({ _tag: "SourceDenied", mend: expect.stringContaining("GITHUB_TOKEN") });
    expect(JSON.stringify(result)).not.toContain("goodtoken");
  }));
});
