import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { Effect, Fiber, Layer } from "effect";
import { describe, expect, test } from "vitest";
import { turnHandler } from "../../actors/agent-turn.ts";
import type { HostEvent } from "../../actors/chart.ts";
import { SpendGate } from "../../actors/spend-gate.ts";
import { Seats } from "../../actors/seats.ts";
import { Supervisor } from "../../actors/supervisor.ts";
import { Mouths } from "../../actors/turn-mouths.ts";
import { adaptersLayer } from "../../src/adapters/registry.ts";
import { scriptedAdapter } from "../../src/adapters/scripted/adapter.ts";
import { loadConfig } from "../../src/config/load.ts";
import { composePorts } from "../../src/daemon/ports.ts";
import { policyFor } from "../../src/daemon/policy.ts";
import { adapterGate } from "../../src/daemon/routing.ts";
import { startOwner } from "../../src/daemon/owner.ts";
import { openScoped } from "../../src/daemon/scoped.ts";
import type { AdapterName } from "../../src/domain/agent.ts";
import { emptyBrief, type TurnEffect } from "../../src/domain/effects.ts";
import { WorkItemId } from "../../src/domain/ids.ts";
import type { Stage } from "../../src/domain/stage.ts";
import type { Adapter } from "../../src/ports/adapter.ts";
import { Clock } from "../../src/ports/clock.ts";
import type { SourceShape } from "../../src/ports/source.ts";
import { Workspaces } from "../../src/ports/workspaces.ts";
import { openOwner } from "../../src/store/open.ts";
import { itemIn, makeRoom, type Room } from "../cli/room.ts";
import { SimulatedClock } from "../support/clock.ts";
import { putClaude } from "./fake-claude.ts";
import { guardMs, makePlace, type Place, quick, type Run, runsIn, turn } from "./fixture.ts";

const withClaude = (room: Room): Readonly<Record<string, string>> => ({ PATH: `${putClaude(room.directory)}:${room.env["PATH"] ?? ""}` });
const runs = (room: Room, id: string): readonly Run[] => runsIn(join(room.directory, ".enact", "factory", "runs"), id);
const modelOf = ({ argv }: Run): string | undefined => (argv.includes("--model") ? argv[argv.indexOf("--model") + 1] : undefined);

describe("which adapter and model a stage gets", { timeout: guardMs }, () => {
  test("HOW-06 CONF-15 CONF-19 without an adapter in the configuration coder and critic are claude -p, with the models written there word for word", async () => {
    await using room = makeRoom({ config: `${quick.replace('adapter = "scripted"', "")}[autonomous.defaultStages.coder]\nmodel = "claude-haiku-4-5-20251001"\n[autonomous.defaultStages.critic]\nmodel = "claude-haiku-4-5-20251001"\n` });
    const done = await room.cli(["run", "work", "-p", "repo", "--json"], { env: withClaude(room) });
    expect(done.exitCode, done.stderr).toBe(0);
    const found = runs(room, itemIn(done.stdout).id);
    expect(found.map(({ stage }) => stage).toSorted()).toEqual(["coder", "critic"]);
    for (const run of found) {
      expect(run.argv.slice(0, 2)).toEqual(["claude", "-p"]);
      expect(modelOf(run)).toBe("claude-haiku-4-5-20251001");
    }
  });

  test("CONF-14 ADAPT-09 the critic has its own adapter and model: it goes through claude, while the coder stays with the global one", async () => {
    await using room = makeRoom({ config: `${quick}[autonomous.defaultStages.critic]\nadapter = "claude"\nmodel = "claude-sonnet-4-20250514"\n` });
    const done = await room.cli(["run", "work", "-p", "repo", "--json", "--playbook", room.playbook("work", turn("coder", '{ write = "work.txt", text = "work" }'))], { env: withClaude(room) });
    expect(done.exitCode, done.stderr).toBe(0);
    const of = (stage: string): Run | undefined => runs(room, itemIn(done.stdout).id).find((run) => run.stage === stage);
    const [coder, critic] = [of("coder"), of("critic")];
    expect(coder?.adapter).toBe("scripted");
    expect(coder?.argv[0]).not.toBe("claude");
    expect(critic?.adapter).toBe("claude");
    expect(critic?.argv.slice(0, 2)).toEqual(["claude", "-p"]);
    expect(critic === undefined ? undefined : modelOf(critic)).toBe("claude-sonnet-4-20250514");
  });
});

/** An owner over real ports with adapters and sources of the test's choice, and a store of its own. */
const own = async (place: Place, adapters: readonly Adapter[] | undefined, sources: readonly { readonly source: SourceShape; readonly everyMs: number }[]) => {
  const { config } = await Effect.runPromise(loadConfig({ explicit: place.configFile, cwd: place.directory, home: place.directory, env: process.env }));
  const composed = await composePorts({ config, env: process.env, stateDirectory: place.stateDirectory, worktrees: join(place.directory, "worktrees") });
  const store = await openScoped(openOwner({ kind: "sqlite", directory: join(place.stateDirectory, "state") }));
  const notices: string[] = [];
  const owner = await startOwner({
    store: store.value, config, env: process.env, home: place.directory, factory: "rows", runsDirectory: join(place.stateDirectory, "runs"),
    ports: adapters === undefined ? composed.layer : Layer.merge(composed.layer, adaptersLayer(adapters)), sources, automation: true, redact: (json) => json,
    emit: (change) => { if (change.type === "notice") notices.push(change.text); }, onLost: (reason) => { throw new Error(reason); }, onStatus: () => {},
  });
  return {
    owner, notices,
    titles: async (): Promise<Readonly<Record<string, string>>> => Object.fromEntries((await Effect.runPromise(store.value.views("item"))).map(({ view }) => { const { title, status }: { title: string; status: string } = JSON.parse(view); return [title, status]; })),
    [Symbol.asyncDispose]: async () => {
      await owner.stop("suspend");
      await store.close();
      place.remove();
    },
  };
};

const silent: Omit<SourceShape, "name" | "byStates"> = { kind: "local", followed: false, byIds: () => Effect.succeed(new Map()), watch: () => () => {}, recall: () => Effect.succeed(undefined), push: () => Effect.void };
const once = (name: string, title: string, repository: string, playbook: string): SourceShape => ({
  ...silent, name,
  byStates: () => Effect.succeed({
    found: [{ item: { source: "local", sourceId: title, title, body: "", kind: "chore", priority: 2, createdAt: 1, project: "repo", repository, operatorLane: "none", playbook }, standing: "open", says: "there", laneNamed: true, spoken: false }],
    malformed: [],
  }),
});

describe("the set of adapters", { timeout: guardMs }, () => {
  test("ADAPT-07 ARCH-11 adapters that only this test knows are registered when the factory starts, and each of the six stages runs through its own", async () => {
    // A planner works in lanes alone.
    const of: Readonly<Record<Exclude<Stage, "planner">, AdapterName>> = { coder: "codex", critic: "cursor", tester: "hermes", documenter: "opencode", auditor: "responses", "stage-documenter": "scripted" };
    const place = makePlace(`${quick}${Object.entries(of).map(([stage, adapter]) => `[autonomous.defaultStages.${stage}]\nenabled = true\nadapter = "${adapter}"\n`).join("")}[[projects]]\nname = "repo"\nprojectPath = "repo"\n`);
    const repository = place.repository("repo");
    const asked: string[] = [];
    // One module each: a name, how to launch, how to read. They play playbooks, so that no account is needed.
    const registered = Object.values(of).map((name): Adapter => ({ ...scriptedAdapter, name, plan: (request, host) => { asked.push(`${request.stage} ${name}`); return scriptedAdapter.plan(request, host); } }));
    const playbook = place.put("playbook.toml", `${turn("coder", '{ write = "work.txt", text = "work" }')}${turn("auditor", "{ audit = [] }")}`);
    await using factory = await own(place, registered, [{ source: once("test", "work", repository, playbook), everyMs: 100 }]);
    await expect.poll(factory.titles, { timeout: guardMs }).toEqual({ work: "done" });
    expect(asked).toEqual(Object.entries(of).map(([stage, adapter]) => `${stage} ${adapter}`));
    expect(place.runs("LOC-1").map(({ stage, adapter }) => `${stage} ${adapter}`).toSorted()).toEqual([...asked].toSorted());
  });

  test("CHG-13 a source that throws at each beat, and an item whose agent always crashes, stop no other item", async () => {
    const place = makePlace(`${quick}[[projects]]\nname = "repo"\nprojectPath = "repo"\n`);
    const repository = place.repository("repo");
    const good = place.put("good.toml", turn("coder", '{ write = "work.txt", text = "work" }'));
    const bad = place.put("bad.toml", turn("coder", "{ crash = 3 }"));
    let beats = 0;
    const broken: SourceShape = { ...silent, name: "broken", byStates: () => Effect.suspend(() => { beats++; return Effect.die(new Error("the tracker answers nonsense")); }) };
    await using factory = await own(place, undefined, [
      { source: broken, everyMs: 100 }, { source: once("bad", "crashes", repository, bad), everyMs: 100 }, { source: once("good", "works", repository, good), everyMs: 100 },
    ]);
    await expect.poll(factory.titles, { timeout: guardMs }).toMatchObject({ works: "done" });
    await expect.poll(async () => (await factory.titles())["crashes"], { timeout: guardMs }).toMatch(/^(failed|blocked|retryAt)$/);
    // It is tried again, and the others go on while it is.
    await expect.poll(() => beats, { timeout: guardMs }).toBeGreaterThan(2);
    expect(factory.notices.some((text) => text.includes("source broken") && text.includes("the tracker answers nonsense"))).toBe(true);
    expect(factory.owner.tree().find(({ id }) => id === "source good")?.state).toBe("up");
  });
});

describe("how long a turn may take", { timeout: guardMs }, () => {
  test.each([
    { row: "CONF-18", stage: "coder", minutes: 30 },
    { row: "CONF-20", stage: "critic", minutes: 10 },
  ] as const)("$row a $stage turn is interrupted after $minutes minutes, not before, and counts as a timeout", async ({ stage, minutes }) => {
    // The default, and what the row's key says.
    const place = makePlace(`${quick}stallMs = 7200000\n[autonomous.defaultStages.${stage}]\ntimeoutMs = ${minutes * 60_000}\n`);
    try {
      const repository = place.repository("repo");
      const { config } = await Effect.runPromise(loadConfig({ explicit: place.configFile, cwd: place.directory, home: place.directory, env: process.env }));
      const policy = policyFor(config, repository, { stages: "configured" });
      const { layer } = await composePorts({ config, env: process.env, stateDirectory: place.stateDirectory, worktrees: join(place.directory, "worktrees") });
      const clock = new SimulatedClock(1_000);
      const startedAt = clock.now();
      const agents = new Supervisor({ id: "agents", clock, strategy: "one_for_one", intensity: { max: 1, withinMs: 1_000 }, onEscalate: (error) => { throw error; } });
      const spend = new SpendGate({ prices: [], calendar: { today: () => "2026-11-30", endText: () => "" }, projectOf: () => "repo", laneOf: () => "none" });
      spend.open();
      const handler = turnHandler({
        spend, routing: adapterGate(config), agents, factory: "rows", env: process.env, home: place.directory, runsDirectory: join(place.stateDirectory, "runs"), passEnvironment: () => [],
        ladder: { sigintMs: 5_000, sigtermMs: 5_000 }, stillOwner: Effect.void,
        seats: new Seats({ root: join(place.stateDirectory, "terminals"), clock, onTrouble: (text) => { throw new Error(text); } }), mouths: new Mouths(),
      });
      const id = WorkItemId.parse("LOC-1");
      const alive = join(place.directory, "alive");
      const request = (workspace: TurnEffect["workspace"]): TurnEffect => ({
        kind: "turn", item: { id, title: "t", body: "", kind: "chore" }, attempt: 1, stage, iteration: 1, tryNumber: 1, adapter: "scripted", model: null, workspace, repository,
        sessionId: null, sessionCostUsd: 0, timeoutMs: policy.stages[stage]?.timeoutMs ?? 0, stallMs: policy.stallMs,
        playbook: place.put("hang.toml", turn(stage, '{ touch = "alive" }, { hang = true }')), brief: emptyBrief,
      });
      const turning = Effect.gen(function* () {
        const workspaces = yield* Workspaces;
        const workspace = yield* workspaces.prepare({ item: id, attempt: 1, repository, baseRef: null });
        return yield* handler(request(workspace), { key: `stage/LOC-1/1/${stage}.1:1:effect:0`, actor: `stage/LOC-1/1/${stage}.1`, attempts: 1, onEnd: () => {}, tell: () => {} });
      }).pipe(Effect.provide(Layer.merge(layer, Layer.succeed(Clock, clock))));
      const fiber = Effect.runFork(turning);
      let outcome: HostEvent | undefined;
      fiber.addObserver((exit) => { if (exit._tag === "Success") outcome = exit.value; });
      await expect.poll(() => existsSync(alive), { timeout: guardMs }).toBe(true);
      // From look to look: the next is asked for when the chart has heard of the last.
      const interrupted = (): boolean => outcome !== undefined || agents.tree().some(({ id: child, detail }) => child.startsWith("run/") && detail !== undefined && !detail.includes("alive") && !detail.includes("spawning"));
      while (!interrupted()) {
        await expect.poll(() => interrupted() || clock.next !== undefined, { timeout: guardMs, interval: 1 }).toBe(true);
        if (!interrupted()) clock.advanceTo(clock.next ?? clock.now());
      }
      const interruptedAfter = clock.now() - startedAt;
      await Effect.runPromise(Fiber.join(fiber));
      expect(outcome).toMatchObject({ type: "turn.ended", outcome: { ended: { how: "failed", failure: { kind: "timeout", afterMs: minutes * 60_000 } } } });
      expect(interruptedAfter).toBeGreaterThanOrEqual(minutes * 60_000);
      // It looks every five seconds.
      expect(interruptedAfter).toBeLessThanOrEqual(minutes * 60_000 + 5_000);
      const root = join(place.stateDirectory, "runs");
      expect(readdirSync(root).filter((name) => !name.startsWith(".")).map((name) => existsSync(join(root, name, "exit")))).toEqual([true]);
      await agents.stop();
    } finally {
      place.remove();
    }
  });
});
