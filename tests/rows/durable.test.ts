import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { WorkItem } from "../../src/domain/work-item.ts";
import { coder, itemIn, itemsIn, lastLine, makeRoom, type Room } from "../cli/room.ts";
import { type PostgresServer, postgresOrSkip, startPostgres } from "../support/postgres.ts";
import { guardMs, quick, runsIn, turn } from "./fixture.ts";

const Shown = z.looseObject({ status: z.string(), operatorLane: z.string(), stage: z.looseObject({ name: z.string(), iteration: z.number() }).nullable() });
const shown = async (room: Room): Promise<z.infer<typeof Shown>> => Shown.parse(lastLine((await room.cli(["task", "show", "RUN-1", "--json"])).stdout));
const state = (room: Room): string => join(room.directory, ".enact", "factory");

/** Agents outlive an owner that is killed: a test that fails in between must not leave them behind. The launcher leads its group. */
const agentsOf = (room: Room): Disposable => ({
  [Symbol.dispose]: () => {
    const runs = join(state(room), "runs");
    for (const run of existsSync(runs) ? readdirSync(runs) : []) {
      const [started, exit] = [join(runs, run, "started"), join(runs, run, "exit")];
      if (!existsSync(started) || existsSync(exit)) continue;
      try {
        process.kill(-Number(readFileSync(started, "utf8")), "SIGKILL");
      } catch {
        // Ended between the look and the signal.
      }
    }
  },
});

describe("what outlives its process", { timeout: guardMs }, () => {
  test("VOC-01 an item has exactly one lane, which survives kill -9 of the owner", async () => {
    await using room = makeRoom({ config: quick });
    using leftovers = new DisposableStack();
    leftovers.use(agentsOf(room));
    const owner = room.cli(["run", "wait", "-p", "repo", "--playbook", room.playbook("wait", coder('{ touch = "here" }, { wait-for-file = "go" }'))]);
    await expect.poll(() => existsSync(join(room.directory, "playbooks", "here")), { timeout: guardMs }).toBe(true);
    expect((await shown(room)).operatorLane).toBe("manual");
    expect((await room.cli(["lane", "set", "RUN-1", "ralph"])).exitCode).toBe(0);
    await expect.poll(async () => (await shown(room)).operatorLane, { timeout: guardMs }).toBe("ralph");
    owner.kill("SIGKILL");
    await owner;
    expect((await shown(room)).operatorLane).toBe("ralph");
    writeFileSync(join(room.directory, "playbooks", "go"), "");
    const finished = await room.cli(["resume", "--json"]);
    expect(itemsIn(finished.stdout)).toMatchObject([{ id: "RUN-1", operatorLane: "ralph" }]);
    const item = { id: "LOC-1", source: "local", sourceId: "1.md", title: "t", body: "", kind: "bug", priority: 1, createdAt: 0, project: "p", repository: "/r", operatorLane: "none" };
    expect(WorkItem.safeParse(item).success).toBe(true);
    const { operatorLane: _, ...without } = item;
    for (const wrong of [without, { ...item, operatorLane: ["none", "team"] }, { ...item, operatorLane: null }, { ...item, operatorLane: "none,team" }, { ...item, operatorLane: "" }]) expect(WorkItem.safeParse(wrong).success).toBe(false);
  });

  test("VOC-02 one stage at a time, known to the pipeline alone: the item's own row has none, and after kill -9 the same stage goes on", async () => {
    await using room = makeRoom({ config: quick });
    using leftovers = new DisposableStack();
    leftovers.use(agentsOf(room));
    const playbook = `${turn("coder", '{ write = "work.txt", text = "work" }')}${turn("critic", '{ touch = "judging" }, { wait-for-file = "go" }, { verdict = "approve" }')}`;
    const owner = room.cli(["run", "work", "-p", "repo", "--playbook", room.playbook("work", playbook)]);
    await expect.poll(() => existsSync(join(room.directory, "playbooks", "judging")), { timeout: guardMs }).toBe(true);
    expect((await shown(room)).stage).toMatchObject({ name: "critic", iteration: 1 });
    owner.kill("SIGKILL");
    await owner;
    const live = (): readonly string[] => {
      const db = new Database(join(state(room), "state", "factory.db"), { readonly: true });
      try {
        const rows = db.prepare<[], { actor: string; view: string }>("SELECT actor, view FROM views WHERE actor LIKE 'item/%'").all();
        expect(rows.map(({ actor }) => actor)).toEqual(["item/RUN-1/1"]);
        for (const { view } of rows) {
          const found: unknown = JSON.parse(view);
          expect(found).toMatchObject({ id: "RUN-1", status: "operating" });
          expect(Object.keys(z.record(z.string(), z.unknown()).parse(found))).not.toContain("stage");
        }
        const columns = db.prepare<[], { name: string; table_name: string }>("SELECT m.name AS table_name, c.name FROM sqlite_master m, pragma_table_info(m.name) c WHERE m.type = 'table'").all();
        expect(columns.filter(({ name }) => name.includes("stage"))).toEqual([]);
        return db.prepare<[], { actor: string; done: string }>("SELECT actor, view AS done FROM views WHERE actor LIKE 'stage/%' ORDER BY actor").all().filter(({ done }) => z.looseObject({ state: z.string() }).parse(JSON.parse(done)).state === "working").map(({ actor }) => actor);
      } finally {
        db.close();
      }
    };
    expect(live()).toEqual(["stage/RUN-1/1/critic.2"]);
    const next = room.cli(["resume", "--json"]);
    await expect.poll(async () => (await shown(room)).stage, { timeout: guardMs }).toMatchObject({ name: "critic", iteration: 1 });
    writeFileSync(join(room.directory, "playbooks", "go"), "");
    const done = await next;
    expect(done.exitCode, done.stderr).toBe(0);
    expect(itemsIn(done.stdout)).toMatchObject([{ id: "RUN-1", status: "done", iterations: 1 }]);
    // Taken up, not begun again.
    expect(runsIn(join(state(room), "runs"), "RUN-1").map(({ stage }) => stage)).toEqual(expect.arrayContaining(["coder", "critic"]));
    expect(runsIn(join(state(room), "runs"), "RUN-1")).toHaveLength(2);
  });

  test("CONF-05 TECH-12 a wrong type in any section, all said at once, keeps work from starting", async () => {
    const wrong: Readonly<Record<string, string>> = {
      store: "url = 5", sources: "local = 5", workspace: "copy = 5", verify: "sandbox = 5", publish: "remote = 5", scheduler: 'slots = "two"', limits: 'maxIterations = "five"', progress: "sameError = 1.5",
      autonomous: 'claimUnassigned = "yes"', terminal: "backend = 5", gateway: 'port = "3847"', discord: "token = 5", azdo: "org = 5", github: "repos = 5",
    };
    await using room = makeRoom({ config: `adapter = 5\n${Object.entries(wrong).map(([section, line]) => `[${section}]\n${line}\n`).join("")}[[projects]]\nname = 5\nprojectPath = 5\n` });
    const done = await room.cli(["run", "anything", "-p", "repo", "--playbook", room.playbook("any", coder('{ write = "a.txt", text = "a" }'))]);
    expect(done.exitCode).toBe(1);
    const keys = [...Object.entries(wrong).map(([section, line]) => `${section}.${line.split(" ")[0]}`), "adapter", "projects"];
    for (const key of keys) expect(done.stderr, key).toContain(key);
    expect(existsSync(state(room))).toBe(false);
    expect(room.git("branch", "--list", "enact/*")).toBe("");
  });

  test("CHG-15 --verbose shows what agents say and do, and only it, on run and exec", async () => {
    await using room = makeRoom({ config: quick });
    const playbook = room.playbook("talk", coder('{ say = "I look at the sum first." }, { read = "src/sum.js" }, { write = "a.txt", text = "a" }, { result = "Done." }'));
    for (const command of [["run", "-p"], ["exec", "--local", "--path"]]) {
      const [name = "", ...flags] = command;
      const argv = [name, "talk", ...flags, "repo", "--coder-only", "--playbook", playbook];
      const plain = await room.cli(argv);
      const verbose = await room.cli([...argv, "--verbose"]);
      expect([plain.exitCode, verbose.exitCode], plain.stderr + verbose.stderr).toEqual([0, 0]);
      expect(plain.stderr + plain.stdout).not.toContain("I look at the sum first.");
      expect(verbose.stderr).toMatch(/RUN-\d+ coder \| I look at the sum first\./);
      expect(verbose.stderr).toMatch(/RUN-\d+ coder \| read src\/sum\.js/);
    }
  });

  test("SURF-06 task list says so when there is nothing, then gives a line for each task with id, state and title", async () => {
    await using room = makeRoom({ config: quick });
    const none = await room.cli(["task", "list"]);
    expect([none.exitCode, none.stdout.split("\n").length]).toEqual([0, 1]);
    expect(none.stdout).not.toBe("");
    const playbook = room.playbook("any", coder('{ write = "a.txt", text = "a" }'));
    const reject = room.playbook("reject", `${coder('{ write = "a.txt", text = "a" }')}${turn("critic", '{ verdict = "reject", feedback = "No." }')}`);
    for (const [title, book] of [["first task", playbook], ["second task", reject], ["third task", playbook]] as const) await room.cli(["run", title, "-p", "repo", "--playbook", book, "--json"]);
    const lines = (await room.cli(["task", "list"])).stdout.split("\n");
    expect(lines).toHaveLength(4);
    expect(lines[1]).toMatch(/^RUN-1 +done .*first task/);
    expect(lines[2]).toMatch(/^RUN-2 +failed .*second task/);
    expect(lines[3]).toMatch(/^RUN-3 +done .*third task/);
  });
});

const bin = postgresOrSkip();

describe.skipIf(bin === undefined)("where work items are kept", { timeout: guardMs }, () => {
  let server: PostgresServer | undefined;
  beforeAll(async () => { if (bin !== undefined) server = await startPostgres(bin); }, guardMs);
  afterAll(() => server?.stop(), guardMs);
  const databases = (room: Room): readonly string[] => (existsSync(join(state(room), "state")) ? readdirSync(join(state(room), "state")).filter((name) => name.endsWith(".db")) : []);
  const done = coder('{ write = "a.txt", text = "a" }');
  const kind = async (room: Room): Promise<string> => {
    const { checks } = z.object({ checks: z.array(z.looseObject({ name: z.string(), detail: z.string() })) }).parse(lastLine((await room.cli(["doctor", "--json"])).stdout));
    return checks.find(({ name }) => name === "store")?.detail ?? "";
  };

  test("FEAT-07 TECH-06 CARD-06 with the URL that init --postgres writes, work items are rows of PostgreSQL, doctor says so, and another process reads them", async () => {
    await using room = makeRoom({ config: null });
    await room.cli(["init", "--postgres"]);
    const file = join(room.directory, "config.toml");
    const url = (await server?.createDatabase()) ?? "";
    const conventional = 'url = "postgres://enact:enact@localhost:45432/enact_factory_dev"';
    const text = readFileSync(file, "utf8");
    expect(text).toContain(`\n${conventional}\n`);
    // Only the place differs: this machine's port is free to be any.
    writeFileSync(file, `${quick.replace("\n[verify]", `\n[store]\nurl = "${url}"\n[verify]`)}`);
    const ran = await room.cli(["run", "kept in PostgreSQL", "-p", "repo", "--json", "--playbook", room.playbook("any", done)]);
    expect(ran.exitCode, ran.stderr).toBe(0);
    expect(itemIn(ran.stdout)).toMatchObject({ id: "RUN-1", status: "done" });
    expect(databases(room)).toEqual([]);
    const { Client } = await import("pg");
    const client = new Client({ connectionString: url });
    await client.connect();
    try {
      const { rows } = await client.query<{ view: string }>("SELECT view FROM enact_factory.views WHERE actor = 'item/RUN-1/1'");
      expect(rows.map(({ view }): unknown => (typeof view === "string" ? JSON.parse(view) : view))).toMatchObject([{ title: "kept in PostgreSQL", status: "done" }]);
    } finally {
      await client.end();
    }
    expect((await room.cli(["task", "list"])).stdout).toContain("kept in PostgreSQL");
    expect(await kind(room)).toContain("PostgreSQL");
  });

  test("FEAT-09 a PostgreSQL that is configured and does not answer stops the factory with host, port and a hint; nothing falls back to a file", async () => {
    const url = server?.url("nowhere").replace(/:\d+\//, ":1/") ?? "";
    await using room = makeRoom({ config: quick.replace("\n[verify]", `\n[store]\nurl = "${url}"\n[verify]`) });
    const ran = await room.cli(["run", "anything", "-p", "repo", "--playbook", room.playbook("any", done)]);
    expect(ran.exitCode).toBe(1);
    expect(ran.stderr).toContain("127.0.0.1:1");
    expect(ran.stderr).toContain("enact-factory doctor");
    expect(databases(room)).toEqual([]);
    expect(room.git("branch", "--list", "enact/*")).toBe("");
    expect((await room.cli(["task", "list"])).exitCode).toBe(1);
  });
});
