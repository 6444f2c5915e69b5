/** Publishes once, to be killed by the test. */
import { Effect } from "effect";
import { makeLocalPublisher } from "../../src/publish/local.ts";
import { WorkItemId } from "../../src/domain/ids.ts";

const [repository = "", reports = "", base = "", head = ""] = process.argv.slice(2);
await Effect.runPromise(makeLocalPublisher({ reports, remote: () => "origin", timeoutMs: 60_000 }).publish("item/LOC-1/1:9:publish:0", { item: WorkItemId.parse("LOC-1"), attempt: 1, repository, branch: "enact/LOC-1", base, head, summary: "done" }));
