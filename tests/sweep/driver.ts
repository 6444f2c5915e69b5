// One owner for the kill sweep: takes the item in, works on it to its end, prints the outcome as JSON. Run it again after a kill.
// SIGTERM ends it as `stop` with kept agents ends a daemon: they go on, and are the next owner's.
// --team: the item is worked on by a team of two with three tasks. --lane NAME: by that lane.
// usage: node driver.ts ROOT [--team | --lane NAME] [--kill-at N --when before|after]   (kills itself with SIGKILL at the N-th commit of this life)
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { Effect } from "effect";
import { composePorts } from "../../src/daemon/ports.ts";
import { settingFor } from "../../src/daemon/setting.ts";
import { startOwner } from "../../src/daemon/owner.ts";
import { openScoped } from "../../src/daemon/scoped.ts";
import { policyFor } from "../../src/daemon/policy.ts";
import { factoryHash } from "../../src/config/state-directory.ts";
import { intakeAddress } from "../../machines/intake.ts";
import { itemStates } from "../../src/client/item-state.ts";
import { isTerminal } from "../../src/domain/work-item.ts";
import type { StoreShape } from "../../src/ports/store.ts";
import { openOwner } from "../../src/store/open.ts";

const [root = "", ...rest] = process.argv.slice(2);
const option = (name: string): string | undefined => { const at = rest.indexOf(name); return at < 0 ? undefined : rest[at + 1]; };
const killAt = Number(option("--kill-at") ?? "0");
const when = option("--when") ?? "after";

const repository = join(root, "repo"), lane = option("--lane") ?? "none";
const team = { name: "alpha", workers: 2, adapters: [], interactive: false, tasks: ["greeting", "notes", "reading"].map((title) => ({ title, description: "a file", acceptance: ["it is there"], dependsOn: title === "reading" ? [1, 2] : [] })) };
const setting = await settingFor({ configFile: join(root, "config.toml"), directory: root });
const { value: store, close } = await openScoped(openOwner(setting.location, { takeOver: rest.includes("--take-over") }));

let commits = 0;
const die = (): never => { process.kill(process.pid, "SIGKILL"); throw new Error("unreachable"); };
const counted: StoreShape = {
  ...store,
  commit: (batch) => Effect.suspend(() => {
    commits++;
    if (commits === killAt && when === "before") die();
    return store.commit(batch).pipe(Effect.tap(() => Effect.sync(() => { if (commits === killAt && when === "after") die(); })));
  }),
};

const { layer } = await composePorts({ config: setting.config, env: setting.env, stateDirectory: setting.stateDirectory, worktrees: join(root, "worktrees") });
let lost = "";
const owner = await startOwner({
  store: counted, config: setting.config, env: setting.env, home: setting.home, factory: factoryHash(setting.stateDirectory),
  runsDirectory: join(setting.stateDirectory, "runs"), ports: layer, sources: [], automation: true, redact: (json) => json,
  emit: (change) => { if (change.type === "notice") process.stderr.write(`${change.level}: ${change.text}\n`); },
  onStatus: () => {},
  onLost: (reason) => { lost = reason; },
});
await owner.host.send(intakeAddress, {
  type: "offer", claim: true, policy: policyFor(setting.config, repository, { stages: "configured" }),
  item: {
    source: "command", sourceId: "sweep", title: "Write the greeting", body: lane === "ultrawork" ? "- [ ] greet\n- [ ] take notes" : "as the playbook says", kind: "feature", priority: 2, createdAt: 0, project: "repo", repository,
    ...(rest.includes("--team") ? { operatorLane: "team", team, playbook: join(root, "team.toml") } : { operatorLane: lane, playbook: join(root, lane === "ultrawork" ? "ultrawork.toml" : "playbook.toml") }),
  },
} as { readonly type: string });

let told = false;
process.once("SIGTERM", () => { told = true; });

const ended = async () => itemStates(await Effect.runPromise(store.views())).find(({ item }) => isTerminal(item.status) || item.status === "blocked");
let found = await ended();
while (!found && lost === "" && !told) {
  await new Promise<void>((resolve) => { setTimeout(resolve, 20); });
  found = await ended();
}
if (lost !== "") {
  process.stdout.write(`${JSON.stringify({ lost })}\n`);
  process.exit(3);
}
if (told && !found) {
  await owner.stop("abandon");
  await close();
  process.exit(0);
}
await owner.host.idle();
const git = (...args: readonly string[]): string => execFileSync("git", ["-C", repository, ...args], { encoding: "utf8" }).trim();
const outbox = await Effect.runPromise(store.outbox);
const deadLetters = await Effect.runPromise(store.deadLetters);
process.stdout.write(`${JSON.stringify({
  status: found?.item.status, reason: found?.item.reason, iterations: found?.item.iterations,
  tree: git("rev-parse", "enact/RUN-1^{tree}"), outbox: outbox.length, deadLetters: deadLetters.length, commits,
})}\n`);
await owner.stop("abandon");
await close();
