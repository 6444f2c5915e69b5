// What can be wrong with a state directory, and what the store does about it: never overwrite, never be silent.
import { createHash } from "node:crypto";
import { channel } from "node:diagnostics_channel";
import { spawnSync } from "node:child_process";
import { chmodSync, closeSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, openSync, readdirSync, readFileSync, renameSync, rmSync, statSync, truncateSync, writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import Database from "better-sqlite3";
import { afterAll, afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Commit } from "../../src/ports/store.ts";
import { type Opened, outcome, owner, reader, run } from "./opened.ts";
import { command, endChildren, start } from "./process.ts";
import { twin } from "./twin.ts";

const root = mkdtempSync(join(tmpdir(), "enact-store-"));
// A directory made read-only must not stop the clean-up of a user who is not root.
afterAll(() => rmSync(root, { recursive: true, force: true }));
afterEach(endChildren);

let n = 0;
let directory = "";
let path = "";
beforeEach(() => {
  directory = join(root, `${++n}`);
  path = join(directory, "factory.db");
});
const here = (): { readonly kind: "sqlite"; readonly directory: string } => ({ kind: "sqlite", directory });
const hash = (file: string): string => createHash("sha256").update(readFileSync(file)).digest("hex");
const using = async <A, S>(opened: Promise<Opened<S>>, use: (store: S) => Promise<A>): Promise<A> => {
  const { store, close } = await opened;
  try {
    return await use(store);
  } finally {
    await close();
  }
};
/** A store with 200 events in it, closed. */
const filled = (): Promise<void> => using(owner(here()), async (store) => {
  for (let i = 0; i < 10; i++) await run(store.commit(Array.from({ length: 20 }, (_, j): Commit => ({ actor: `item/LOC-${j + 1}/1`, seq: i + 1, at: 1, event: JSON.stringify({ text: "x".repeat(500) }) }))));
});
const refusal = (open: Promise<Opened<unknown>>): Promise<{ readonly _tag: string; readonly message: string }> =>
  open.then(async ({ close }) => close().then(() => ({ _tag: "opened", message: "" })), (error: unknown) => ({ _tag: "none", message: String(error), ...(typeof error === "object" && error !== null && "_tag" in error && "message" in error ? { _tag: String(error._tag), message: String(error.message) } : {}) }));

describe("a damaged or foreign database", () => {
  const damages: readonly (readonly [string, () => void])[] = [
    ["text", () => writeFileSync(path, "this is no database\n".repeat(1_000))],
    ["nothing", () => truncateSync(path, 0)],
    ["a file cut short", () => truncateSync(path, Math.floor(statSync(path).size / 8192) * 4096)],
    ["a page of noise in the middle", () => {
      const fd = openSync(path, "r+");
      writeSync(fd, Buffer.alloc(4096, 0xa5), 0, 4096, 2 * 4096);
      closeSync(fd);
    }],
    ["another program's database", () => {
      rmSync(path);
      const db = new Database(path);
      db.exec("CREATE TABLE users (id INTEGER PRIMARY KEY); INSERT INTO users VALUES (1)");
      db.close();
    }],
  ];
  for (const [what, damage] of damages) {
    test(`${what} is refused by owner and reader, named, and left as it is`, async () => {
      await filled();
      damage();
      const before = hash(path);
      for (const open of [() => owner(here()), () => reader(here())]) {
        const { _tag, message } = await refusal(open());
        expect(_tag).toBe("StoreCorrupt");
        expect(message).toContain(path);
        expect(message).toContain("store restore");
      }
      expect(hash(path)).toBe(before);
      expect(readdirSync(directory).filter((name) => name.startsWith("factory.db.")).length).toBe(0);
    });
  }

  test("a newer version is refused by owner and reader, and left as it is", async () => {
    await filled();
    const db = new Database(path);
    db.exec("UPDATE meta SET schema_version = 99");
    db.close();
    const before = hash(path);
    for (const open of [() => owner(here()), () => reader(here())]) expect(await refusal(open())).toMatchObject({ _tag: "StoreNewer", message: expect.stringContaining("Update enact-factory") });
    expect(hash(path)).toBe(before);
  });

  test("a log without its database is refused: it may hold the newest commits", async () => {
    const { store, close } = await owner(here());
    await run(store.commit(twin(1)));
    const log = readFileSync(`${path}-wal`);
    await close();
    rmSync(path);
    writeFileSync(`${path}-wal`, log);
    expect((await refusal(owner(here())))._tag).toBe("StoreCorrupt");
    expect(readFileSync(`${path}-wal`).equals(log)).toBe(true);
    expect(existsSync(path)).toBe(false);
  });

  test("what a crash left of a first start does not stand in the way", async () => {
    mkdirSync(directory, { mode: 0o700 });
    writeFileSync(`${path}.new`, "half a database");
    writeFileSync(`${path}.new-journal`, "its journal");
    await filled();
    expect(readdirSync(directory).sort()).toEqual(["factory.db", "owner.json", "owner.lock"]);
  });
});

test("a reader of a store that is not there says so and makes nothing", async () => {
  expect(await refusal(reader(here()))).toMatchObject({ _tag: "StoreUnavailable", message: expect.stringContaining("start the factory once") });
  expect(existsSync(directory)).toBe(false);
});

test("files are private, and the lock's text is only information", async () => {
  mkdirSync(directory, { mode: 0o755 });
  const { store, close } = await owner(here());
  await run(store.commit(twin(1)));
  expect(statSync(directory).mode & 0o777).toBe(0o700);
  for (const name of readdirSync(directory)) expect([name, statSync(join(directory, name)).mode & 0o777]).toEqual([name, 0o600]);
  expect(readdirSync(directory).sort()).toEqual(["factory.db", "factory.db-shm", "factory.db-wal", "owner.json", "owner.lock"]);
  expect(JSON.parse(readFileSync(join(directory, "owner.json"), "utf8"))).toMatchObject({ pid: process.pid, generation: 1 });
  expect((await refusal(owner(here()))).message).toContain(`kill -9 ${process.pid}`);
  // A lie in it changes nothing.
  writeFileSync(join(directory, "owner.json"), "{\"pid\":1}");
  expect((await refusal(owner(here())))._tag).toBe("StoreOwned");
  await close();
  expect((await refusal(owner(here())))._tag).toBe("opened");
});

test("a state directory that cannot be written is named, and nothing in it changes", async () => {
  await filled();
  const before = hash(path);
  chmodSync(directory, 0o500);
  // Root may write anyway, so as root another user opens it.
  const isRoot = process.getuid?.() === 0;
  if (isRoot) {
    spawnSync("chown", ["-R", "65534:65534", root]);
    // The way there must be passable for that user.
    chmodSync(root, 0o755);
  }
  const child = start([...(isRoot ? ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] as const : []), ...command("open", here())] as [string, ...string[]]);
  try {
    expect(await child.next()).toMatch(/^error StoreReadOnly .*write access/s);
  } finally {
    chmodSync(directory, 0o700);
  }
  expect(hash(path)).toBe(before);
});

describe("no room", () => {
  const expectFullThenRoom = async (child: ReturnType<typeof start>, room: () => string): Promise<void> => {
    const full = /^full StoreFull (\d+)$/.exec(await child.next());
    const kept = Number(full?.[1]);
    expect(kept).toBeGreaterThan(3);
    // Nothing of the refused batch is there, everything of the acknowledged ones is.
    expect(await child.next()).toBe(`kept ${kept} ${kept} ${kept}`);
    child.say(room());
    expect(await child.next()).toBe("again ok");
    expect(await child.next()).toBe(`then ${kept + 1} ${kept + 1}`);
    expect(await child.exited).toBe(0);
  };

  const mounts = spawnSync("unshare", ["--map-root-user", "--mount", "sh", "-c", "mount -t tmpfs -o size=1m tmpfs /mnt"]).status === 0;
  if (!mounts) {
    const message = "no mount namespaces here: a full disk (ENOSPC) is NOT tested";
    if (process.env["CI"] === "true" && process.platform === "linux") throw new Error(message);
    console.warn(`SKIPPED: ${message}`);
  }
  test.skipIf(!mounts)("a full disk refuses the batch whole, and the next commit succeeds once there is room", async () => {
    mkdirSync(directory);
    const script = 'mount -t tmpfs -o size=8m tmpfs "$1" && head -c 2000000 /dev/zero >"$1/filler" && shift && exec "$@"';
    const child = start(["unshare", "--map-root-user", "--mount", "sh", "-c", script, "sh", directory, ...command("fill", { kind: "sqlite", directory: join(directory, "state") })]);
    await expectFullThenRoom(child, () => `rm ${join(directory, "filler")}`);
  });

  const limits = spawnSync("prlimit", ["--version"]).status === 0;
  if (!limits) console.warn("SKIPPED: no prlimit here: a write error (EFBIG as an I/O error) is NOT tested");
  test.skipIf(!limits)("a write that fails with an I/O error refuses the batch whole, and the next commit succeeds once writing works", async () => {
    const child = start(["sh", "-c", 'ulimit -S -f 4096; exec "$@"', "sh", ...command("fill", here())]);
    await expectFullThenRoom(child, () => {
      expect(spawnSync("prlimit", [`--pid=${child.process.pid ?? 0}`, "--fsize=unlimited:"]).status).toBe(0);
      return "go on";
    });
  });
});

test("a writer thread that dies is said at once, and the store stays refused; another owner may come", async () => {
  const workers: Worker[] = [];
  const listen = (message: unknown): void => {
    if (typeof message === "object" && message !== null && "worker" in message && message.worker instanceof Worker) workers.push(message.worker);
  };
  channel("worker_threads").subscribe(listen);
  const { store, close } = await owner(here());
  channel("worker_threads").unsubscribe(listen);
  await run(store.commit(twin(1)));
  expect(workers).toHaveLength(1);
  const underWay = outcome(store.commit(twin(2)));
  await workers[0]?.terminate();
  // The write under way was either done or is reported as unknown; there is no third.
  expect(["ok", "StoreUnavailable"]).toContain(await underWay);
  expect(await outcome(store.commit(twin(3)))).toBe("StoreFenced");
  expect(await outcome(store.stillOwner)).toBe("StoreFenced");
  await using(owner(here()), async (next) => expect(next.generation).toBe(2));
  await close();
});

test("a database that is removed or replaced under its owner fences it", async () => {
  await using(owner(here()), async (store) => {
    await run(store.commit(twin(1)));
    copyFileSync(path, join(directory, "copy"));
    renameSync(join(directory, "copy"), path);
    expect(await outcome(store.commit(twin(2)))).toBe("StoreFenced");
    rmSync(path);
    expect(await outcome(store.stillOwner)).toBe("StoreFenced");
  });
});

test("thousands of batches leave a bounded log", async () => {
  await using(owner(here()), async (store) => {
    const event = JSON.stringify({ text: "x".repeat(4_000) });
    for (let i = 1; i <= 2_000; i++) await run(store.commit([{ actor: "item/LOC-1/1", seq: i, at: i, event }]));
    expect(statSync(`${path}-wal`).size).toBeLessThan(24 * 1024 * 1024);
    expect((await run(store.load("item/LOC-1/1"))).events).toHaveLength(2_000);
  });
  expect(existsSync(`${path}-wal`)).toBe(false);
});
