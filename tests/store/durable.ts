// What a store on a disk promises beyond the contract: processes that die, hang and come back; backup and restore.
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Effect } from "effect";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { StoreReaderShape, StoreShape } from "../../src/ports/store.ts";
import type { StoreLocation } from "../../src/store/open.ts";
import { restore } from "../../src/store/restore.ts";
import { type Opened, outcome, owner, reader, run } from "./opened.ts";
import { command, endChildren, start } from "./process.ts";
import { twin } from "./twin.ts";

/** Of kills; the full run has more. */
const rounds = Number(process.env["ENACT_SWEEP"] ?? "6");

const contents = (store: StoreReaderShape) => run(Effect.all({ journal: store.journal({}), views: store.views(), outbox: store.outbox, alarms: store.alarms, deadLetters: store.deadLetters }));
const letters = async (store: StoreShape) => (await run(store.mail(0))).map(({ to, event, at }) => ({ to, event, at }));

/** `places`: empty stores of this kind; `others`: of every durable kind there is, for backups that move house. */
export const durableContract = (name: string, place: () => Promise<StoreLocation>, others: () => Promise<readonly StoreLocation[]>): void => {
  const open: Opened<unknown>[] = [];
  const own = async (location: StoreLocation, takeOver = false): Promise<StoreShape> => {
    // A server notices the death of a client in its own time.
    const it = await vi.waitFor(() => owner(location, { takeOver }), { timeout: 20_000, interval: 20 });
    open.push(it);
    return it.store;
  };
  const close = async (): Promise<void> => {
    for (const it of open.splice(0).reverse()) await it.close();
  };
  let folder = "";
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "enact-backup-"));
  });
  afterEach(async () => {
    endChildren();
    await close();
    rmSync(folder, { recursive: true, force: true });
  });

  describe(`a durable store on ${name}`, () => {
    test(`kill -9 of the writing process, ${rounds} times: no acknowledged commit is lost, none is torn`, async () => {
      const location = await place();
      let acknowledged = 0;
      for (let round = 0; round < rounds; round++) {
        const child = start(command("write", location));
        // Different depths of work each round, by count of acknowledgements.
        for (let acks = 0; acks < 1 + ((round * 7) % 23); acks++) {
          const line = await child.next();
          expect(line).toMatch(/^ack /);
          acknowledged = Number(line.slice(4));
        }
        child.process.kill("SIGKILL");
        await child.exited;
        acknowledged = Math.max(acknowledged, ...child.lines.filter((line) => line.startsWith("ack ")).map((line) => Number(line.slice(4))));

        const store = await own(location);
        const { journal, views, outbox, alarms } = await contents(store);
        const n = journal.length / 2;
        expect(n).toBeGreaterThanOrEqual(acknowledged);
        // One batch may have been durable before its acknowledgement was written.
        expect(n).toBeLessThanOrEqual(acknowledged + 1);
        expect(journal.filter((row) => row.actor === "item/LOC-1/1").map((row) => row.seq)).toEqual(Array.from({ length: n }, (_, i) => i + 1));
        expect(journal.filter((row) => row.actor === "pipeline/LOC-1/1").map((row) => row.seq)).toEqual(Array.from({ length: n }, (_, i) => i + 1));
        expect([(await run(store.mail(0))).length, outbox.length, views[0]?.view, alarms[0]?.at]).toEqual([n, n, `{"n":${n}}`, n]);
        const { snapshot, events } = await run(store.load("pipeline/LOC-1/1"));
        expect([snapshot?.seq ?? 0, events.length]).toEqual([n - (n % 7), n % 7]);
        expect(store.generation).toBe(2 * round + 2);
        await close();
      }
      expect(acknowledged).toBeGreaterThan(20);
    }, 400_000);

    test("an owner that was stopped while another took over writes nothing when it goes on", async () => {
      const location = await place();
      const old = start(command("own", location));
      expect(await old.next()).toBe("owner 1");
      old.say("commit");
      expect(await old.next()).toBe("ok");
      old.process.kill("SIGSTOP");
      // It hangs, but it lives: nobody takes its place unasked.
      expect(await owner(location).catch((error: unknown) => error)).toMatchObject({ _tag: "StoreOwned" });
      const fresh = await own(location, true);
      expect(fresh.generation).toBe(2);
      expect(await outcome(fresh.commit([{ actor: "item/LOC-9/1", seq: 2, at: 2, event: '{"by":"fresh"}' }]))).toBe("ok");
      old.say("commit");
      old.process.kill("SIGCONT");
      expect(await old.next()).toBe("StoreFenced");
      old.say("commit");
      expect(await old.next()).toBe("StoreFenced");
      expect((await run(fresh.journal({}))).map((row) => [row.seq, row.generation])).toEqual([[1, 1], [2, 2]]);
    });

    test("other processes leave mail while the owner commits; none is lost, none is read out of order", async () => {
      const location = await place();
      const store = await own(location);
      const children = [start(command("enqueue", location)), start(command("enqueue", location))];
      // The owner reads as the host does: only what is above the last id it saw. A message that became visible late would be missed.
      const seen: string[] = [];
      let after = 0;
      const poll = async (): Promise<void> => {
        for (const row of await run(store.mail(after))) {
          expect(row.id).toBeGreaterThan(after);
          after = row.id;
          seen.push(row.event);
        }
      };
      let n = 1;
      do {
        await run(store.commit(twin(n++)));
        await poll();
      } while (children.some((child) => child.process.exitCode === null));
      await Promise.all(children.map((child) => child.exited));
      await poll();
      expect(seen).toHaveLength(100 + n - 1);
      for (const child of children) {
        const from = seen.filter((event) => event.includes(`"from":${String(child.process.pid)},`)).map((event) => Number(/"i":(\d+)/.exec(event)?.[1]));
        expect(from).toEqual(Array.from({ length: 50 }, (_, i) => i));
      }
    });

    test("a backup taken while the owner writes is one consistent store, and restores into every kind", async () => {
      const location = await place();
      const store = await own(location);
      for (let n = 1; n <= 50; n++) await run(store.commit(twin(n)));
      await run(store.deadLetter({ actor: "item/LOC-1/1", event: "{}", error: "e", stack: "s", at: 1 }, undefined));
      const file = join(folder, "copy.db");
      const copied = new AbortController();
      const writing = (async () => {
        for (let n = 51; !copied.signal.aborted; n++) await run(store.commit(twin(n)));
      })();
      await run(store.backup(file));
      copied.abort();
      await writing;
      expect(statSync(file).mode & 0o777).toBe(0o600);
      expect(existsSync(`${file}-wal`)).toBe(false);
      const before = readFileSync(file);
      // Refuses to overwrite, from the owner and from another process's view alike.
      expect(await outcome(store.backup(file))).toBe("StoreUnavailable");
      const bystander = await reader(location);
      open.push(bystander);
      expect(await outcome(bystander.store.backup(file))).toBe("StoreUnavailable");
      await run(bystander.store.backup(join(folder, "second.db")));
      expect(readFileSync(file).equals(before)).toBe(true);

      const all = await contents(store);
      const mail = await letters(store);
      for (const other of await others()) {
        expect(await run(restore(file, other))).toEqual({ kept: undefined });
        const moved = await own(other);
        const found = await contents(moved);
        const n = found.journal.length / 2;
        expect(n).toBeGreaterThanOrEqual(50);
        expect(found.journal).toEqual(all.journal.slice(0, 2 * n));
        expect(found.outbox).toEqual(all.outbox.slice(0, n));
        expect(found.alarms).toEqual([{ actor: "item/LOC-1/1", name: "a", at: n }]);
        expect(found.views).toEqual([{ actor: "item/LOC-1/1", seq: n, view: `{"n":${n}}`, updatedAt: n }]);
        expect(found.deadLetters).toEqual(all.deadLetters);
        expect(await letters(moved)).toEqual(mail.slice(0, n));
        expect(moved.generation).toBe(2);
        // Numbers go on after the restored ones.
        await run(moved.commit(twin(n + 1)));
        expect((await run(moved.journal({}))).at(-1)?.position).toBe(2 * n + 2);
      }
    });

    test("a restore never replaces a living or a filled store unasked, and keeps what it replaces", async () => {
      const location = await place();
      const store = await own(location);
      await run(store.commit(twin(1)));
      const file = join(folder, "copy.db");
      await run(store.backup(file));
      await run(store.commit(twin(2)));
      expect(await outcome(restore(file, location))).toBe("StoreOwned");
      expect(await outcome(restore(file, location, { force: true }))).toBe("StoreOwned");
      await close();
      await own(location);
      await close();
      expect(await vi.waitFor(async () => {
        const tag = await outcome(restore(file, location));
        expect(tag).not.toBe("StoreOwned");
        return tag;
      })).toBe("RestoreRefused");
      const { kept } = await run(restore(file, location, { force: true }));
      expect(kept).toMatch(/before.restore.1$/);
      const restored = await own(location);
      expect(await run(restored.journal({}))).toHaveLength(2);
      // The backup was made by owner 1; owner 2 came after it. The next is 3 all the same.
      expect(restored.generation).toBe(3);
      await close();
      expect((await run(restore(file, location, { force: true }))).kept).toMatch(/before.restore.2$/);
    });

    test("what is no backup is refused and changes nothing", async () => {
      const location = await place();
      const store = await own(location);
      await run(store.commit(twin(1)));
      await close();
      const file = join(folder, "not-a-backup.db");
      writeFileSync(file, "just text, and quite a lot of it, so that it has a header's length at least: ".repeat(20));
      expect(await outcome(restore(file, location, { force: true }))).toBe("StoreCorrupt");
      expect(await outcome(restore(join(folder, "absent.db"), location, { force: true }))).toBe("StoreUnavailable");
      expect(await run((await own(location)).journal({}))).toHaveLength(2);
    });
  });
};
