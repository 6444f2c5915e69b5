/** The real source of Azure DevOps over the fake, for the contract and for what is its own. */
import type { ClockShape } from "../../src/ports/clock.ts";
import { azureDevOps } from "../../src/sources/azure-devops/source.ts";
import type { AzureSettings } from "../../src/sources/azure-devops/settings.ts";
import { renderMark } from "../../src/sources/mark.ts";
import { WorkItemId } from "../../src/domain/ids.ts";
import { type Asked, azureDevOpsFake, type AzureDevOpsFake, type Fault, other } from "../fakes/azure-devops/server.ts";
import { SimulatedClock } from "../support/clock.ts";
import type { Room, WireFault } from "./contract.ts";

export const app = { name: "app", repository: "/repos/app", lane: "none" } as const;
export const web = { name: "web", repository: "/repos/web", lane: "manual" } as const;
/** A fault's wait ends by this; nothing is measured. */
const shortMs = 500;

export const settingsFor = (fake: AzureDevOpsFake, more: Partial<AzureSettings> = {}): AzureSettings => ({
  url: fake.url, org: fake.org, project: fake.project, team: fake.team, pat: [...fake.tokens][0] ?? "", projects: [app], defaultProject: undefined, areas: [], assignedTo: "@me", types: [], areaPath: undefined, iterationPath: undefined,
  states: { open: ["Todo", "To Do", "In Progress"], done: "Done", failed: "Blocked" }, laneField: "Custom.OperatorLane", gateFields: {}, ...more,
});

export interface AzureRoom extends Room { readonly fake: AzureDevOpsFake; readonly clock: SimulatedClock }

export const azureRoom = async (more: Partial<AzureSettings> = {}): Promise<AzureRoom> => {
  const fake = await azureDevOpsFake(), clock = new SimulatedClock(Date.UTC(2026, 10, 30));
  const source = azureDevOps(settingsFor(fake, more), clock satisfies ClockShape, shortMs);
  let fault: WireFault | undefined, omitted: string | undefined, lose = -1, writes = 0, batches = 0;
  const batch = ({ path }: Asked): boolean => path.endsWith("/workitemsbatch");
  const first: { current: unknown } = { current: undefined };
  const faultOf = (asked: Asked): Fault | undefined => {
    if (batch(asked)) batches++;
    if (asked.method !== "GET" && !batch(asked) && !asked.path.endsWith("/wiql") && writes++ === lose) return { afterwards: "reset" };
    switch (fault) {
      case "down": case "refuses": return "reset";
      case "slow": return "hang";
      case "expired": return "signIn203";
      case "limited": return { status: 429, headers: { "retry-after": "600", "x-ratelimit-resource": "core", "x-ratelimit-limit": "200", "x-ratelimit-remaining": "0" } };
      case "server error": return { status: 503 };
      case "no JSON": return { status: 200, body: "{" };
      case "later pages fail": return batch(asked) && batches > 1 ? { status: 500 } : undefined;
      case "expires midway": return batch(asked) && batches > 1 ? "signIn302" : undefined;
      case "repeats a page": return batch(asked) ? { answer: (json) => (first.current ??= json) } : undefined;
      case undefined: break;
    }
    return omitted !== undefined && batch(asked) ? { answer: (json) => (typeof json === "object" && json !== null && "value" in json && Array.isArray(json.value) ? { ...json, value: json.value.map((each: unknown) => (typeof each === "object" && each !== null && "id" in each && String(each.id) === omitted ? null : each)) } : json) } : undefined;
  };
  fake.fault = faultOf;
  const item = (id: string) => fake.items.get(Number(id));
  return {
    fake, clock, source,
    add: async (title, { created } = {}) => String(fake.add({ "System.Title": title, ...(created === undefined ? {} : { "System.CreatedDate": created }) }).id),
    addMany: async (count) => { for (let n = 0; n < count; n++) fake.add({ "System.Title": `Item ${n}`, "System.Description": "<p>What is to be done.</p>" }); },
    remove: async (id) => { fake.items.delete(Number(id)); },
    spoil: async (id) => { delete item(id)?.fields["System.Title"]; },
    vanish: async () => {
      fault = "down";
      return async () => { fault = undefined; };
    },
    close: fake.close,
    wire: {
      open: "To Do", done: "Done",
      fault: (now) => { fault = now; batches = 0; first.current = undefined; },
      requests: () => fake.asked.length,
      move: (id, to) => fake.edit(Number(id), { "System.State": { open: "To Do", held: "On Hold", closed: "Removed" }[to] }),
      omit: (id) => { omitted = id; },
      status: (id) => ({
        state: String(item(id)?.fields["System.State"]), marks: (item(id)?.comments ?? []).map(({ text }) => text),
        gates: String(item(id)?.fields["System.Tags"] ?? "").split("; ").filter((tag) => tag.startsWith("gate:")).map((tag) => tag.slice(5)),
      }),
      forge: (id) => fake.comment(Number(id), renderMark({ id: WorkItemId.parse("AZ-1"), status: "done", gates: [] }), other.id),
      loseAnswer: (step) => { lose = step; writes = 0; },
    },
  };
};
