/** A real store with real items in it, made by the real composition root with scripted agents: one done, one that asks, one at a cap, one that waits for review. */
import { follow, only } from "../../src/cli/follow.ts";
import type { FactoryClient, Submission } from "../../src/client/contract.ts";
import type { WorkItemId } from "../../src/domain/ids.ts";
import { isTerminal, type WorkItemStatus } from "../../src/domain/work-item.ts";
import { guardMs, makeFactory, makePlace, type Place, quick, turn } from "../rows/fixture.ts";

export interface Stock { readonly place: Place; readonly done: WorkItemId; readonly asks: WorkItemId; readonly capped: WorkItemId; readonly review: WorkItemId }

export const question = "반올림을 어떻게 할까요: 올림, 아니면 짝수로? 👩‍👩‍👧 e\u0301";
export const koreanTitle = "빈 목록의 합계를 고쳐 주세요";
export const hostileTitle = "Ready to publish \u001b[31m\u202eevil \u001b]0;owned\u0007";

const config = `review = "human"${quick}`;

export const stock = async (use: (client: FactoryClient, stock: Stock) => Promise<void> = async () => {}): Promise<Stock> => {
  const place = makePlace(config);
  const repository = place.repository("shop");
  const play = (name: string, text: string): Pick<Submission, "repository" | "playbook"> => ({ repository, playbook: place.put(`playbooks/${name}.toml`, text) });
  const works = turn("coder", '{ say = "합계를 봅니다." }, { cost = 0.12 }, { write = "sum.txt", text = "0" }, { result = "The sum of nothing is 0." }');
  const owned = await makeFactory({ ...place, remove: () => {} });
  try {
    const { client } = owned;
    const done = await owned.submit(koreanTitle, play("done", works));
    const asks = await owned.submit("Round half a cent", play("asks", turn("coder", `{ cost = 0.4 }, { question = ${JSON.stringify(question)} }`, "try = 1") + turn("coder", '{ write = "half.txt", text = "even" }, { result = "Rounded half to even." }', "try = 2")));
    const capped = await owned.submit("Endless review", play("never", ["naming", "errors", "speed", "layout", "words"].map((what, n) => turn("coder", `{ cost = 0.08 }, { write = "sum.txt", text = "${what}" }, { result = "Minded the ${what}." }`, `iteration = ${n + 1}`) + turn("critic", `{ verdict = "revise", feedback = "Look at the ${what} again." }`, `iteration = ${n + 1}`)).join("")));
    const review = await owned.submit(hostileTitle, play("review", works));
    const stop = AbortSignal.timeout(guardMs);
    const stands = (status: WorkItemStatus): boolean => isTerminal(status) || status === "blocked" || status === "review";
    await follow({ client, stop, pick: only([done, asks, capped, review]), decide: (states) => (states.length === 4 && states.every(({ item }) => stands(item.status)) ? true : undefined) });
    await client.command(done, { type: "approve" });
    await follow({ client, stop, pick: only([done]), decide: (states) => (states.every(({ item }) => item.status === "done") ? true : undefined) });
    const stocked = { place, done, asks, capped, review };
    await use(client, stocked);
    return stocked;
  } finally {
    await owned[Symbol.asyncDispose]();
  }
};
