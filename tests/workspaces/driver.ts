/** Plays one item's life, one step after another, remembering in `progress` what is done: started again, it asks for the step in flight once more. */
import { Effect } from "effect";
import { appendFileSync, existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { makeWorkspaces } from "../../src/workspaces/service.ts";
import { item, optionsFor, write } from "./fixture.ts";

const [repository = "", root = "", progress = ""] = process.argv.slice(2);
const workspaces = makeWorkspaces(optionsFor(root, { hooks: { after_create: ["sh", "-c", "mkdir -p dist && echo built > dist/out"], before_remove: ["sh", "-c", "echo bye > bye.txt"] }, copy: ["local.env"] }));
const done = new Set(existsSync(progress) ? readFileSync(progress, "utf8").split("\n") : []);
const step = async <A>(name: string, run: () => Promise<A>): Promise<void> => {
  if (done.has(name)) return;
  await run();
  appendFileSync(progress, `${name}\n`);
};
const ws = await Effect.runPromise(workspaces.prepare({ item, attempt: 1, repository, baseRef: null }));
await step("one", async () => write(ws.path, Object.fromEntries(Array.from({ length: 40 }, (_, n) => [`src/f${n}.txt`, `content ${n}\n`.repeat(50)]))));
await step("commit one", () => Effect.runPromise(workspaces.commit(ws, "one")));
await step("two", async () => { write(ws.path, { "src/f1.txt": "changed\n", "late.txt": "late" }); rmSync(join(ws.path, "src/f2.txt"), { force: true }); });
await step("fingerprint", () => Effect.runPromise(workspaces.fingerprint(ws)));
await step("checkpoint", () => Effect.runPromise(workspaces.checkpoint(item, ws, "two")));
await step("commit two", () => Effect.runPromise(workspaces.commit(ws, "two")));
await step("three", async () => write(ws.path, { "src/tampered.txt": "t", "tests/ok.txt": "ok", "src/f3.txt": "tampered" }));
await step("enforce", async () => {
  const since = (await Effect.runPromise(workspaces.checkpoint(item, ws, "since"))).commit;
  await Effect.runPromise(workspaces.enforce(item, ws, `${since}^1`, "tests"));
});
await step("commit three", () => Effect.runPromise(workspaces.commit(ws, "three")));
await step("four", async () => write(ws.path, { "uncommitted.txt": "kept by the checkpoint only" }));
await Effect.runPromise(workspaces.remove(item, ws, repository));
