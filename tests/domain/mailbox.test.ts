import fc from "fast-check";
import { expect, test } from "vitest";
import { bounce, deliver, emptyMailbox, longestLetter, type Mailbox, mostLetters, post, settleMail } from "../../src/domain/mailbox.ts";

const living = ["leader", "worker-1", "worker-2"];
const stateOf = (box: Mailbox, id: string) => box.letters.find((letter) => letter.id === id);

test("a message is delivered, acknowledged when its turn ended well, and carried again when it did not", () => {
  let { box, fresh } = post(emptyMailbox, { id: "m1", from: "you", to: "worker-1", text: "use tabs" }, living);
  expect(fresh.map(({ to }) => to)).toEqual(["worker-1"]);
  box = settleMail(deliver(box, "worker-1", ["m1"]), "worker-1", ["m1"], false);
  expect(stateOf(box, "m1")).toMatchObject({ state: "queued", deliveries: 1 });
  box = settleMail(deliver(box, "worker-1", ["m1"]), "worker-1", ["m1"], true);
  expect(stateOf(box, "m1")).toMatchObject({ state: "acknowledged", deliveries: 2 });
  // What comes late changes nothing.
  expect(bounce(deliver(box, "worker-1", ["m1"]), "worker-1")).toEqual(box);
});

test("to all means everybody but the sender; the same id counts once; nobody there is undelivered", () => {
  const all = post(emptyMailbox, { id: "m", from: "worker-1", to: "all", text: "I changed the API" }, living);
  expect(all.fresh.map(({ id, to }) => [id, to])).toEqual([["m/leader", "leader"], ["m/worker-2", "worker-2"]]);
  expect(post(all.box, { id: "m", from: "worker-1", to: "all", text: "again" }, living)).toEqual({ box: all.box, fresh: [] });
  const nobody = post(emptyMailbox, { id: "n", from: "you", to: "worker-9", text: "hello?" }, living);
  expect(nobody.fresh).toEqual([]);
  expect(stateOf(nobody.box, "n")?.state).toBe("undelivered");
});

test("who left reads nothing more", () => {
  const { box } = post(emptyMailbox, { id: "m", from: "leader", to: "worker-2", text: "are you there?" }, living);
  expect(stateOf(bounce(box, "worker-1"), "m")?.state).toBe("queued");
  const bounced = bounce(box, "worker-2");
  expect(stateOf(bounced, "m")?.state).toBe("undelivered");
  expect(deliver(bounced, "worker-2", ["m"])).toEqual(bounced);
});

test("caps: a letter is cut, a box forgets what is settled first, and others cannot touch a reader's letters", () => {
  let box = post(emptyMailbox, { id: "long", from: "you", to: "leader", text: "x".repeat(2 * longestLetter) }, living).box;
  expect(stateOf(box, "long")?.text.length).toBe(longestLetter);
  expect(deliver(box, "worker-1", ["long"])).toEqual(box);
  box = post(box, { id: "gone", from: "you", to: "nobody", text: "?" }, living).box;
  for (let n = 0; n < mostLetters - 1; n++) ({ box } = post(box, { id: `m${n}`, from: "you", to: "leader", text: "x" }, living));
  expect(box.letters.length).toBe(mostLetters);
  expect(stateOf(box, "gone")).toBeUndefined();
  expect(stateOf(box, "long")).toBeDefined();
});

test("settled is settled, whatever happens next", () => {
  const id = fc.constantFrom("a", "b"), reader = fc.constantFrom(...living);
  const steps = fc.array(fc.oneof(
    fc.record({ do: fc.constant("post" as const), id, to: reader }), fc.record({ do: fc.constant("deliver" as const), id, to: reader }),
    fc.record({ do: fc.constant("settle" as const), id, to: reader, well: fc.boolean() }), fc.record({ do: fc.constant("bounce" as const), id, to: reader }),
  ), { maxLength: 30 });
  fc.assert(fc.property(steps, (list) => {
    let box = emptyMailbox;
    for (const step of list) {
      const before = box;
      box = step.do === "post" ? post(box, { id: step.id, from: "you", to: step.to, text: "x" }, living).box : step.do === "deliver" ? deliver(box, step.to, [step.id]) : step.do === "settle" ? settleMail(box, step.to, [step.id], step.well) : bounce(box, step.to);
      expect(new Set(box.letters.map((letter) => letter.id)).size).toBe(box.letters.length);
      for (const old of before.letters) {
        const now = stateOf(box, old.id);
        if (old.state === "acknowledged" || old.state === "undelivered") expect(now).toEqual(old);
        expect(now?.deliveries).toBeGreaterThanOrEqual(old.deliveries);
        if (now?.state === "acknowledged") expect(now.deliveries).toBeGreaterThan(0);
      }
    }
  }));
});
