import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { scriptedAdapter } from "../../../src/adapters/scripted/adapter.ts";
import { adapterContract, type Play } from "../contract.ts";

const coder = (steps: string, more: Partial<Awaited<ReturnType<Play>>> = {}, head = ""): Play => (rig) => {
  const playbook = join(rig.directory, "playbook.toml");
  writeFileSync(playbook, `${head}\n[[turn]]\nstage = "coder"\nsteps = [${steps}]\n[[turn]]\nstage = "critic"\nsteps = [${steps}]\n`);
  return { ...more, turn: { playbook, ...more.turn } };
};
const said = (text: string) => (event: { readonly type: string; readonly text?: string }): boolean => event.type === "text" && event.text === text;
const work = '{ say = "working" }, { write = "made.txt", text = "made" }, { usage = { input = 100, output = 10, cached = 5 } }, { cost = 0.25 }, { result = "done" }';

adapterContract(scriptedAdapter, {
  completes: coder(work, {}, "cumulative = true"),
  resumes: coder(work, {}, "cumulative = true"),
  badSession: coder(work, { turn: { sessionId: "never-was" } }),
  interrupted: coder('{ say = "ready" }, { sleep = 600000 }', { ready: said("ready") }),
  stubborn: coder('{ ignore = ["SIGINT", "SIGTERM"] }, { say = "ready" }, { hang = true }', { ready: said("ready") }),
  hangs: coder('{ say = "ready" }, { hang = true }', { ready: said("ready") }),
  crashes: coder('{ say = "going down" }, { crash = 3 }'),
  noResult: coder('{ say = "bye" }, { no-result = true }'),
  garbage: coder('{ garbage = "Warning: {not json" }, { say = "still here" }'),
  survivors: coder("{ orphan = true }"),
  readOnly: coder('{ write = "made.txt", text = "made" }'),
  message: coder('{ say = "ready" }, { listen = true }', { ready: said("ready") }),
  rateLimited: coder('{ fail = "rateLimited", retry-after-ms = 1000 }'),
});
