import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { validateConfig } from "../../src/config/load.ts";
import type { WorkItemId } from "../../src/domain/ids.ts";
import { type Factory, guardMs, makeFactory, makePlace, quick, turn } from "./fixture.ts";

const work = (n: number): string => turn("coder", `{ write = "work.txt", text = "version ${n}" }, { result = "Version ${n}." }`, `iteration = ${n}`);
/** Feedback that differs each time, so that no progress rule mistakes it for going in circles. */
const wishes = ["Rename the exported function alpha.", "Handle an empty list beyond zero.", "Document which units bravo takes.", "Cover negative charlie numbers.", "Close the delta handle."];
const revise = (n: number): string => turn("critic", `{ verdict = "revise", feedback = "${wishes[n - 1]}" }`, `iteration = ${n}`);
const approve = (n: number): string => turn("critic", '{ verdict = "approve" }', `iteration = ${n}`);
const numbers = (to: number): readonly number[] => Array.from({ length: to }, (_, n) => n + 1);
const reviewed = (revisions: number): string => [...numbers(revisions + 1).map(work), ...numbers(revisions).map(revise), approve(revisions + 1)].join("\n");

describe("coder and critic", { timeout: guardMs }, () => {
  let factory: Factory;
  let repository: string;
  beforeAll(async () => {
    const place = makePlace(`${quick}
[autonomous.defaultStages.coder]
model = "claude-haiku-4-5-20251001"
escalateModel = "claude-sonnet-4-20250514"
escalateAfterIteration = 3
[autonomous.defaultStages.critic]
model = "critic-model"
[autonomous.defaultStages.tester]
enabled = false
[autonomous.defaultStages.documenter]
enabled = false
[autonomous.defaultStages.auditor]
enabled = false
`);
    repository = place.repository("repo");
    factory = await makeFactory(place);
  }, guardMs);
  afterAll(() => factory[Symbol.asyncDispose](), guardMs);

  const play = async (name: string, playbook: string): Promise<WorkItemId> => factory.submit(`the ${name} item`, { repository, body: `What ${name} is about.`, playbook: factory.put(`playbooks/${name}.toml`, playbook) });

  test("CONF-16 CONF-17 iterations 1 to 3 use the coder's model, the fourth escalateModel; the critic keeps its own", async () => {
    const id = await play("escalation", reviewed(3));
    const [state] = await factory.ended(id);
    expect(state?.item).toMatchObject({ status: "done", iterations: 4 });
    const models = (stage: string): readonly unknown[] => factory.runs(id).filter((run) => run.stage === stage).map(({ stdin }) => z.looseObject({ model: z.string() }).parse(JSON.parse(stdin)).model);
    expect(models("coder")).toEqual(["claude-haiku-4-5-20251001", "claude-haiku-4-5-20251001", "claude-haiku-4-5-20251001", "claude-sonnet-4-20250514"]);
    expect(models("critic")).toEqual(["critic-model", "critic-model", "critic-model", "critic-model"]);
  });

  test("FEAT-17 HOW-05 VOC-12 VOC-13 revise, revise, approve: one pipeline, three iterations, coder first and then its critic", async () => {
    const id = await play("revised", reviewed(2));
    const [state] = await factory.ended(id);
    expect(state?.item).toMatchObject({ status: "done", iterations: 3 });
    expect(factory.git(repository, "show", `${state?.item.branch}:work.txt`)).toBe("version 3");
    expect(await factory.stages(id)).toEqual(["coder", "critic", "coder", "critic", "coder", "critic"]);
    expect((await factory.journal(id)).filter(({ actor, type }) => type === "actor.start" && actor.startsWith("pipeline/")).map(({ actor }) => actor)).toEqual([`pipeline/${id}/1`]);
    for (const [old, now] of [["executor", "coder"], ["reviewer", "critic"]]) {
      const problems = validateConfig(factory.put("old.toml", `[autonomous.defaultStages.${old}]\nmodel = "m"\n`));
      expect(problems.map(({ write }) => write).join("\n")).toContain(`[autonomous.defaultStages.${now}]`);
    }
  });

  test("ARCH-07 ARCH-08 the critic is given task and diff, the next coder the critic's feedback", async () => {
    const id = await play("told", reviewed(1));
    await factory.ended(id);
    const prompt = (stage: string, iteration: number): string => z.looseObject({ prompt: z.string() }).parse(JSON.parse(factory.runs(id).find((run) => run.stage === stage && run.iteration === iteration)?.stdin ?? "{}")).prompt;
    for (const part of ["the told item", "What told is about.", "+++ b/work.txt", "+version 1"]) expect(prompt("critic", 1)).toContain(part);
    expect(prompt("coder", 1)).not.toContain(wishes[0]);
    expect(prompt("coder", 2)).toContain(wishes[0]);
    expect(prompt("critic", 2)).toContain("+version 2");
  });

  test("HOW-07 approve ends the loop, revise goes round, reject fails; an answer that is none of them is an error, never an approval", async () => {
    const decide = (steps: string): string => `${work(1)}${turn("critic", steps)}`;
    const [approved, rejected, broken, silent] = await factory.ended(
      await play("approve", decide('{ verdict = "approve" }')),
      await play("reject", decide('{ verdict = "reject", feedback = "Nobody wants this." }')),
      await play("broken", decide('{ malformed-verdict = { decision = "APPROVED!" } }, { result = "APPROVE" }')),
      await play("silent", decide('{ say = "I approve of this." }, { result = "APPROVE" }')),
    );
    expect(approved?.item).toMatchObject({ status: "done", iterations: 1 });
    expect(rejected?.item).toMatchObject({ status: "failed", iterations: 1 });
    expect(rejected?.item.reason).toContain("Nobody wants this.");
    for (const state of [broken, silent]) {
      expect(state?.item.status).toBe("failed");
      expect(state?.item.reason).toContain("no valid verdict");
    }
  });

  test("HOW-08 a critic that always revises ends the loop at the cap of five, as exhausted", async () => {
    const id = await play("endless", [...numbers(5).map(work), ...numbers(5).map(revise)].join("\n"));
    const [state] = await factory.ended(id);
    expect(state?.item).toMatchObject({ status: "exhausted", iterations: 5 });
    expect(state?.item.reason).toContain("5 of 5 iterations");
    expect((await factory.stages(id)).filter((stage) => stage === "coder")).toHaveLength(5);
  });

  test("ARCH-12 CARD-22 a coder that loops is interrupted by the rule that saw it, and the reason is kept", async () => {
    const loop = '{ repeat = 40, steps = [ { read = "README.md" } ] }, { hang = true }';
    const id = await play("looping", turn("coder", loop));
    const [state] = await factory.ended(id);
    expect(state?.item).toMatchObject({ status: "blocked", blocked: "needsHuman", running: false, question: expect.stringContaining("What should be done differently?") });
    expect(state?.item.reason).toContain("repeatedTool");
    const lines = await factory.journal(id);
    expect(lines.filter(({ actor, type }) => actor.startsWith("pipeline/") && type === "stuck").at(-1)?.event).toMatchObject({ rule: "repeatedTool" });
    // The hanging agent did not end by itself: its turn was cancelled.
    expect(lines.filter(({ actor, type }) => actor.startsWith("stage/") && type === "turn.ended").at(-1)?.event).toMatchObject({ outcome: { ended: { how: "cancelled" } } });
  });

  test("CONF-21 CONF-22 CONF-23 EXEC-04 enabled = false keeps a stage off; the full pipeline of one submission turns tester and documenter on", async () => {
    const plain = await play("plain", reviewed(0));
    const full = await factory.submit("the full item", { repository, stages: "full", playbook: factory.put("playbooks/full.toml", reviewed(0)) });
    const states = await factory.ended(plain, full);
    expect(states.map(({ item }) => item.status)).toEqual(["done", "done"]);
    expect(await factory.stages(plain)).toEqual(["coder", "critic"]);
    expect(await factory.stages(full)).toEqual(["coder", "critic", "tester", "documenter"]);
  });
});

describe("all six stages", { timeout: guardMs }, () => {
  let factory: Factory;
  let repository: string;
  beforeAll(async () => {
    const on = ["tester", "documenter", "auditor", "stage-documenter"].map((stage) => `[autonomous.defaultStages.${stage}]\nenabled = true\n`).join("");
    const place = makePlace(`${quick}${on}[[verify.checks]]\nname = "tests"\nargv = ["sh", "-c", "if [ -e tests/broken ]; then echo not ok; exit 1; fi"]\n`.replace('sandbox = "off"\n', 'sandbox = "off"\ntimeoutMs = 60000\n'));
    repository = place.repository("repo");
    factory = await makeFactory(place);
  }, guardMs);
  afterAll(() => factory[Symbol.asyncDispose](), guardMs);

  test("VOC-14 VOC-15 VOC-16 VOC-17 CONF-21 CONF-22 CONF-23 FEAT-18 HOW-09 STRUCT-05 after approval tester, documenter, auditor and stage-documenter run in this order, and what each gives is kept", async () => {
    const playbook = [
      work(1),
      turn("tester", '{ write = "tests/work.test.txt", text = "a test" }, { result = "One new test." }'),
      turn("documenter", '{ write = "docs/work.md", text = "# Work" }, { result = "Documented." }'),
      turn("auditor", '{ audit = [{ severity = "minor", message = "The file is world-readable.", file = "work.txt" }] }'),
      turn("stage-documenter", '{ result = "Went well; remember the file." }'),
    ].join("\n");
    const id = await factory.submit("everything", { repository, playbook: factory.put("playbooks/six.toml", playbook) });
    const [state] = await factory.ended(id);
    expect(state?.item.status, state?.item.reason).toBe("done");
    expect(await factory.stages(id)).toEqual(["coder", "critic", "tester", "documenter", "auditor", "stage-documenter"]);
    const show = (path: string): string => factory.git(repository, "show", `${state?.item.branch}:${path}`);
    expect([show("work.txt"), show("tests/work.test.txt"), show("docs/work.md")]).toEqual(["version 1", "a test", "# Work"]);
    const ended = (await factory.journal(id)).filter(({ actor, type }) => type === "stage.ended" && actor.startsWith("pipeline/")).map(({ event }) => event);
    const of = (stage: string): unknown => ended.find((event) => event["stage"] === stage);
    expect(of("tester")).toMatchObject({ outcome: "done", text: "One new test." });
    expect(of("auditor")).toMatchObject({ outcome: "done", audit: { findings: [{ severity: "minor", message: "The file is world-readable." }] } });
    expect(of("stage-documenter")).toMatchObject({ outcome: "done", text: "Went well; remember the file." });
    const old = validateConfig(factory.put("old.toml", '[autonomous.defaultStages.skill-documenter]\nmodel = "m"\n'));
    expect(old.map(({ write }) => write).join("\n")).toContain("stage-documenter");
  });

  test("ARCH-09 ARCH-10 no tester before an approval, and no documenter while the tester's tests fail", async () => {
    const playbook = [
      work(1), work(2), turn("coder", '{ run = ["rm", "tests/broken"] }, { result = "Mended." }', "iteration = 3"),
      revise(1), approve(2), approve(3),
      turn("tester", '{ write = "tests/broken", text = "a failing test" }', "iteration = 2"),
      turn("tester", '{ say = "They pass now." }', "iteration = 3"),
    ].join("\n");
    const id = await factory.submit("failing tests", { repository, playbook: factory.put("playbooks/failing.toml", playbook) });
    const [state] = await factory.ended(id);
    expect(state?.item.status, state?.item.reason).toBe("done");
    expect(await factory.stages(id)).toEqual(["coder", "critic", "coder", "critic", "tester", "coder", "critic", "tester", "documenter", "auditor", "stage-documenter"]);
  });
});
