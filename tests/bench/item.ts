// One item through the plain pipeline (coder, checks, critic) with the scripted adapter at zero delay: the bundled `run`, real git, real
// processes, no sandbox. Wall time, because it is mostly waiting for processes; CPU of the factory's own process beside it.
// The parts come from the journal: from the event before on the same actor to the effect's result. Needs `npm run build`.
// Not measured: a model, a sandbox, installing dependencies, a large repository.
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Effect } from "effect";
import { execa } from "execa";
import { openReader } from "../../src/store/open.ts";
import { type Figure, median, report } from "./figure.ts";

const bin = join(import.meta.dirname, "..", "..", "dist", "cli.js");
const rounds = 5;
const tell = "data:text/javascript,process.on('exit',()=>{const u=process.resourceUsage();process.stderr.write(`\\nused ${u.userCPUTime+u.systemCPUTime} ${u.maxRSS}`)})";
const parts = { "workspace.ready": "workspace", "workspace.committed": "workspace", "workspace.checkpointed": "workspace", "workspace.enforced": "workspace", "turn.ended": "turns", "verify.done": "checks", published: "publishing" } as const;
type Part = (typeof parts)[keyof typeof parts];
const isPart = (type: string): type is keyof typeof parts => Object.hasOwn(parts, type);

const playbook = `[[turn]]
stage = "coder"
steps = [{ session = "s1" }, { write = "greeting.txt", text = "hello\\n" }, { result = "wrote it" }]
[[turn]]
stage = "critic"
steps = [{ verdict = "approve" }]
`;

const once = async (): Promise<{ readonly wallMs: number; readonly cpuMs: number; readonly split: Readonly<Record<Part, number>> }> => {
  const root = realpathSync(mkdtempSync(join(tmpdir(), "enact-bench-")));
  const repo = join(root, "repo");
  const git = (...argv: readonly string[]) => execa("git", ["-C", repo, "-c", "user.name=bench", "-c", "user.email=bench@localhost", ...argv], { stdin: "ignore" });
  try {
    mkdirSync(repo);
    writeFileSync(join(repo, "check.sh"), "test -f greeting.txt\n");
    writeFileSync(join(root, "playbook.toml"), playbook);
    writeFileSync(join(root, "config.toml"), 'adapter = "scripted"\n[verify]\nsandbox = "off"\n[[verify.checks]]\nname = "greeting"\nargv = ["sh", "check.sh"]\n');
    await git("init", "-q", "-b", "main");
    await git("add", "-A");
    await git("commit", "-q", "-m", "start");
    const from = performance.now();
    const { stderr } = await execa(process.execPath, ["--import", tell, bin, "--config", join(root, "config.toml"), "run", "Write the greeting", "-p", repo, "--playbook", join(root, "playbook.toml"), "--json"], { stdin: "ignore", cwd: root, timeout: 120_000, env: { HOME: root, XDG_STATE_HOME: join(root, "xdg") } });
    const wallMs = performance.now() - from;
    const cpuMs = Number(/used (\d+)/.exec(stderr)?.[1]) / 1_000;
    const rows = await Effect.runPromise(Effect.scoped(Effect.flatMap(openReader({ kind: "sqlite", directory: join(root, ".enact", "factory", "state") }), (reader) => reader.journal({}))));
    const split: Record<Part, number> = { workspace: 0, turns: 0, checks: 0, publishing: 0 };
    const before = new Map<string, number>();
    for (const { actor, event, at } of rows) {
      const { type }: { readonly type: string } = JSON.parse(event);
      if (isPart(type)) split[parts[type]] += at - (before.get(actor) ?? at);
      before.set(actor, at);
    }
    return { wallMs, cpuMs, split };
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
};

await once();
const all: Awaited<ReturnType<typeof once>>[] = [];
for (let round = 0; round < rounds; round++) all.push(await once());
const split = (["workspace", "turns", "checks", "publishing"] as const).map((part) => `${part} ${median(all.map((each) => each.split[part])).toFixed(0)}`).join(", ");
report([{ what: "one item, coder, checks, critic, zero-delay agent", value: median(all.map((each) => each.wallMs)), unit: "ms wall", note: `${split} ms; CPU of the factory's process ${median(all.map((each) => each.cpuMs)).toFixed(0)} ms` }] satisfies readonly Figure[]);
