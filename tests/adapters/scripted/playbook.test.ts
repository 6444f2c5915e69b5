import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync, existsSync } from "node:fs";
import { join } from "node:path";
import * as fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { scriptedAdapter } from "../../../src/adapters/scripted/adapter.ts";
import { confined } from "../../../src/adapters/scripted/confine.ts";
import { parsePlaybook, type Playbook, showProblem, stepsFor } from "../../../src/adapters/scripted/playbook.ts";
import { stages } from "../../../src/domain/stage.ts";
import { rig, type Rig } from "../../process/rig.ts";
import { playTurn, turnRequest } from "../play.ts";

const problems = (text: string): readonly string[] => {
  const parsed = parsePlaybook(text);
  return parsed.ok ? [] : parsed.problems.map(showProblem);
};
const book = (text: string): Playbook => {
  const parsed = parsePlaybook(text);
  if (!parsed.ok) throw new Error(parsed.problems.map(showProblem).join("\n"));
  return parsed.playbook;
};

describe("errors of a playbook", () => {
  test("all at once, each with line, turn and step", () => {
    const text = [
      "# [[turn]] in a comment", "[[turn]]", 'stage = "coder"', "steps = [", '  { say = """', "[[turn]] {", '""" },', '  { write = "a" }, { shout = "x" },', "  { crash = 0 },", "]",
      "[[turn]]", 'stage = "critic"', "[[turn.steps]]", 'verdict = "revise"', "[[turn.steps]]", 'say = "x"', 'txt = "y"', "[[turn]]", 'stage = "coder"', "[[turn]]", 'stage = "executor"',
    ].join("\n");
    const found = problems(text);
    expect(found).toEqual([
      expect.stringMatching(/^line 8: turn 1, step 2 \(write\): `text`/),
      expect.stringMatching(/^line 8: turn 1, step 3: no known step in \{ shout \}; the steps are say, think,/),
      expect.stringMatching(/^line 9: turn 1, step 4 \(crash\): /),
      expect.stringMatching(/^line 13: turn 2, step 1 \(verdict\): revise needs `feedback` or `findings`/),
      expect.stringMatching(/^line 15: turn 2, step 2 \(say\): .*txt/),
      expect.stringMatching(/^line 18: turn 3: it is for the same moment as turn 1/),
      expect.stringMatching(/^line 20: turn 4: `stage`/),
    ]);
  });

  test("no TOML, unknown keys of the head, two steps in one, a late session", () => {
    expect(problems("pace = \n")).toEqual([expect.stringMatching(/^line 1: not TOML/)]);
    expect(problems("pase = 1")).toEqual([expect.stringContaining("pase")]);
    expect(problems('[[turn]]\nstage = "coder"\nsteps = [{ say = "a", think = "b" }]')).toEqual([expect.stringMatching(/^line 3: turn 1, step 1 \(say \+ think\): one table is one step/)]);
    expect(problems('[[turn]]\nstage = "coder"\nsteps = [{ say = "a" }, { session = "s" }]')).toEqual([expect.stringContaining("must be the first step")]);
    expect(problems('[[turn]]\nstage = "coder"\nsteps = [{ repeat = 2, steps = [{ run = [] }] }]')).toEqual([expect.stringMatching(/^line 3: turn 1, step 1 \(repeat\): step 1 in it \(run\)/)]);
  });

  test("no text makes the parser throw", () => {
    fc.assert(fc.property(fc.array(fc.constantFrom("[[turn]]\n", 'stage = "coder"\n', "steps = [", "{ say = ", '"a"', " }", "]", "\n", '"""', "'", "#", "1", ",", "iteration = 1\n"), { maxLength: 25 }), (parts) => {
      parsePlaybook(parts.join(""));
    }));
  });
});

describe("which turn is played", () => {
  const keyed = (keys: string, words: string): string => `[[turn]]\nstage = "coder"\n${keys}\nsteps = [{ say = "${words}" }]\n`;
  const at = (playbook: Playbook, iteration: number, tryNumber: number, attempt = 1): string => {
    const [step] = stepsFor(playbook, { stage: "coder", attempt, iteration, try: tryNumber });
    return step?.verb === "say" ? step.say : "";
  };

  test("the most specific match, else the last before, else the default", () => {
    const playbook = book(keyed("iteration = 1\ntry = 1", "1.1") + keyed("iteration = 1", "1") + keyed("try = 2", "t2") + keyed("iteration = 3", "3") + keyed("attempt = 2", "again"));
    expect(at(playbook, 1, 1)).toBe("1.1");
    expect(at(playbook, 1, 2)).toBe("1");
    expect(at(playbook, 2, 2)).toBe("t2");
    expect(at(playbook, 2, 1)).toBe("1.1");
    expect(at(playbook, 3, 1)).toBe("3");
    expect(at(playbook, 4, 5)).toBe("3");
    expect(at(playbook, 1, 1, 2)).toBe("again");
    expect(at(playbook, 9, 9, 3)).toBe("again");
    const late = book(keyed("iteration = 2", "2"));
    expect(stepsFor(late, { stage: "coder", attempt: 1, iteration: 1, try: 1 })).toEqual([expect.objectContaining({ verb: "result" })]);
  });

  test("every stage has a default", () => {
    for (const stage of stages) expect(stepsFor(book(""), { stage, attempt: 1, iteration: 1, try: 1 }).length).toBeGreaterThan(0);
    expect(stepsFor(book(""), { stage: "critic", attempt: 1, iteration: 1, try: 1 })[0]).toMatchObject({ verdict: "approve" });
  });
});

describe("staying inside", () => {
  let it: Rig;
  beforeEach(() => { it = rig(); });
  afterEach(() => it.dispose());

  test("links, dangling links, link chains, dots and absolute paths do not lead out", () => {
    const work = join(it.directory, "work");
    mkdirSync(join(work, "inner"), { recursive: true });
    symlinkSync("..", join(work, "up"));
    symlinkSync("../new-file", join(work, "dangling"));
    symlinkSync("dangling", join(work, "chain"));
    symlinkSync("loop", join(work, "loop"));
    symlinkSync("inner", join(work, "fine"));
    for (const out of ["../x", "up/x", "dangling", "chain", "/etc/passwd", "inner/../../x", "up/work/../x", ".."]) expect(confined(work, out), out).toBeUndefined();
    for (const inside of ["x", "inner/x", "fine/deep/x", "up/work/x", "..x", join(work, "x")]) expect(confined(work, inside), inside).toBeDefined();
    expect(() => confined(work, "loop/x")).toThrow();
  });

  test("a hostile agent leaves by a symlink only when the playbook says so", async () => {
    const work = join(it.directory, "work");
    mkdirSync(work);
    symlinkSync(it.directory, join(work, "link"));
    writeFileSync(join(it.directory, "book.toml"), '[[turn]]\nstage = "coder"\nsteps = [{ write = "link/refused", text = "x" }, { write = "link/played", text = "x", escape = true }]');
    const { outcome } = await playTurn(it, scriptedAdapter, turnRequest(it, "hostile", { playbook: join(it.directory, "book.toml") }));
    expect(outcome.permissionDenials).toEqual(["write: link/refused leads out of the working directory"]);
    expect([existsSync(join(it.directory, "refused")), existsSync(join(it.directory, "played"))]).toEqual([false, true]);
  });
});

describe("what cannot be played", () => {
  let it: Rig;
  beforeEach(() => { it = rig(); });
  afterEach(() => it.dispose());

  test("an invalid or missing playbook fails the turn with the reason, and no playbook is refused before anything runs", async () => {
    writeFileSync(join(it.directory, "bad.toml"), "[[turn]]\nstage = 'coder'\nsteps = [{ sing = 1 }]");
    const bad = await playTurn(it, scriptedAdapter, turnRequest(it, "bad", { playbook: join(it.directory, "bad.toml") }));
    expect(bad.outcome.ended).toMatchObject({ how: "failed", failure: { kind: "model", message: expect.stringContaining("line 3: turn 1, step 1: no known step in { sing }") } });
    const missing = await playTurn(it, scriptedAdapter, turnRequest(it, "missing", { playbook: join(it.directory, "none.toml") }));
    expect(missing.outcome.ended).toMatchObject({ how: "failed", failure: { kind: "model", message: expect.stringContaining("none.toml cannot be read") } });
    expect(scriptedAdapter.plan(turnRequest(it, "null"), { env: {}, home: "/", runDirectory: "/" })).toMatchObject({ kind: "model" });
  });

  test("a session lost after a crash costs nothing twice: totals continue, the run is charged its own part", async () => {
    writeFileSync(join(it.directory, "book.toml"), 'cumulative = true\n[[turn]]\nstage = "coder"\ntry = 1\nsteps = [{ cost = 1 }, { usage = { output = 7 } }, { crash = 1 }]\n[[turn]]\nstage = "coder"\ntry = 2\nsteps = [{ usage = { output = 3 } }, { cost = 0.5 }]');
    const playbook = join(it.directory, "book.toml");
    const first = await playTurn(it, scriptedAdapter, turnRequest(it, "t1", { playbook }));
    expect(first.outcome).toMatchObject({ costUsd: 1, sessionId: "scripted-t1", ended: { how: "failed" } });
    const second = await playTurn(it, scriptedAdapter, turnRequest(it, "t2", { playbook, tryNumber: 2, sessionId: "scripted-t1", sessionCostUsd: first.outcome.sessionCostUsd }));
    expect(second.outcome).toMatchObject({ costUsd: 0.5, sessionCostUsd: 1.5, usage: { outputTokens: 3 }, sessionId: "scripted-t1", ended: { how: "completed" } });
    rmSync(join(it.root, ".scripted-sessions"), { recursive: true });
    const third = await playTurn(it, scriptedAdapter, turnRequest(it, "t3", { playbook, tryNumber: 2, sessionId: "scripted-t1" }));
    expect(third.outcome.ended).toMatchObject({ how: "failed", failure: { kind: "badSession" } });
  });

  test("a patch played again after a crash finds its work done", async () => {
    const playbook = join(it.directory, "book.toml");
    mkdirSync(join(it.directory, "work"));
    writeFileSync(join(it.directory, "work", "f"), "a\n");
    writeFileSync(playbook, '[[turn]]\nstage = "coder"\nsteps = [{ patch = "f", find = "a\\n", replace = "b $& $1\\n" }, { patch = "f", find = "zzz", replace = "y" }]');
    for (const id of ["p1", "p2"]) {
      const { events } = await playTurn(it, scriptedAdapter, turnRequest(it, id, { playbook }));
      expect(events.flatMap((event) => (event.type === "tool" && event.phase === "end" ? [event.ok] : []))).toEqual([true, false]);
    }
    expect(readFileSync(join(it.directory, "work", "f"), "utf8")).toBe("b $& $1\n");
  });
});
