/** What only a daemon does: an epic is closed by a person's reason, and the push queue is drained by hand, over both transports. */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { mcp } from "../../src/client/api.ts";
import { mend } from "../cli/room.ts";
import { makeDaemonRoom, started } from "../daemon/room.ts";
import { guardMs } from "../rows/fixture.ts";
import { overHttp, overStdio, type Session } from "./room.ts";

const critic = '[[turn]]\nstage = "critic"\nsteps = [{ verdict = "approve" }]\n';

test("MCP-08 MCP-09 an epic over two projects is closed by factory_workitem_acknowledge_close with a reason alone, and what its source did not take is drained by hand", { timeout: guardMs }, async () => {
  await using room = makeDaemonRoom({ rest: '[sources.local]\ndirectory = "items"\npollMs = 100\n[[projects]]\nname = "app"\nprojectPath = "repo"\n' });
  mkdirSync(join(room.directory, "items", "playbooks"), { recursive: true });
  writeFileSync(join(room.directory, "items", "playbooks", "work.toml"), `[[turn]]\nstage = "coder"\nsteps = [ ${mend} ]\n${critic}`);
  // Its source cannot be told anything.
  const obstacle = join(room.state, "reports", "LOC-1.status.toml.new");
  mkdirSync(join(obstacle, "x"), { recursive: true });
  await started(room);
  const { port, token } = room.note();
  await using http: Session = await overHttp(`http://127.0.0.1:${port}${mcp.path}`, token);
  await using stdio = await overStdio({ cwd: room.repository, env: room.env });
  writeFileSync(join(room.directory, "items", "epic.md"), '+++\nplaybook = "playbooks/work.toml"\nspans = ["app", "other"]\n+++\n# Mend it all\n');
  const given = { workItemId: "LOC-1" };
  const item = async (): Promise<unknown> => (await http.client.callTool({ name: "factory_workItem_get", arguments: given })).structuredContent;
  await expect.poll(item, { timeout: guardMs }).toMatchObject({ workItem: { status: "review", ledger: [{ at: expect.stringMatching(/Z$/), what: "deferred" }], gates: { reviewPassed: { state: "met" } } } });

  const failed = (await http.good("factory_workitem_drain_push_queue")).structured;
  expect(failed).toEqual({ drained: 0, errors: expect.arrayContaining([expect.stringContaining("LOC-1")]) });
  rmSync(obstacle, { recursive: true });
  expect((await stdio.good("factory_workitem_drain_push_queue")).structured).toEqual({ drained: Array.isArray(failed["errors"]) ? failed["errors"].length : -1, errors: [] });
  expect(await stdio.bad("factory_workitem_drain_push_queue", given)).toMatchObject({ kind: "input", field: "workItemId" });

  for (const wrong of [given, { ...given, operatorOverrideReason: "" }, { ...given, operatorOverrideReason: "  " }]) expect(await stdio.bad("factory_workitem_acknowledge_close", wrong)).toMatchObject({ kind: "input", field: "operatorOverrideReason" });
  expect(await stdio.bad("factory_workItem_update", { ...given, action: "approve" })).toMatchObject({ kind: "refused" });
  expect(await item()).toMatchObject({ workItem: { status: "review" } });
  await using agent = await overStdio({ cwd: room.repository, env: room.env }, "--tools", "session");
  for (const name of ["factory_workitem_acknowledge_close", "factory_workitem_drain_push_queue"]) expect((await agent.bad(name, given)).message).toContain("is not offered");

  const closed = { ...given, operatorOverrideReason: "both parts are released" };
  expect((await stdio.good("factory_workitem_acknowledge_close", closed)).structured).toMatchObject({ delivered: "now", workItem: { id: "LOC-1", ledger: [{}, { what: "acknowledged", reason: "both parts are released" }] } });
  await expect.poll(item, { timeout: guardMs }).toMatchObject({ workItem: { status: "done", gates: { closureEvidence: { state: "met", evidence: expect.stringContaining("both parts are released") } } } });
  expect(await http.bad("factory_workitem_acknowledge_close", closed)).toMatchObject({ kind: "refused" });
});
