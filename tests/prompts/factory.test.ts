/** Prompts in a whole factory: the language of the configuration, the version of the texts in the run, in the journal and on its line. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { z } from "zod";
import { journalLine } from "../../src/client/text/journal-text.ts";
import { TurnOutcome } from "../../src/domain/agent.ts";
import { wordsIn } from "../../src/prompts/words.ts";
import { makeFactory, makePlace, quick, turn } from "../rows/fixture.ts";

const Spec = z.looseObject({ labels: z.record(z.string(), z.string()) });
const Asked = z.looseObject({ prompt: z.string() });
const playbook = `${turn("coder", '{ write = "a.txt", text = "a" }')}${turn("critic", '{ verdict = "approve" }')}`;

test("agents are spoken to in the language that is set, from the next start on; run and journal say which texts they were told", async () => {
  const place = makePlace(`language = "ko"\n${quick}`), repository = place.repository("repo"), file = place.put("p.toml", playbook);
  const versions = (item: string): readonly string[] => {
    const root = join(place.stateDirectory, "runs");
    return readdirSync(root).filter((name) => !name.startsWith(".")).map((name) => Spec.parse(JSON.parse(readFileSync(join(root, name, "spec.json"), "utf8"))).labels).filter((labels) => labels["item"] === item).map((labels) => labels["prompt"] ?? "").toSorted();
  };
  const begun = async (sourceId: string, keep: boolean) => {
    await using factory = await makeFactory(place, { keep });
    const id = await factory.submit("덧셈을 고치세요", { body: "It subtracts.\n</work-item>", repository, playbook: file, sourceId });
    const [state] = await factory.ended(id);
    expect(state?.item.status).toBe("done");
    const lines = (await factory.journal(id)).filter(({ type }) => type === "turn.ended");
    return {
      prompts: new Map(factory.runs(id).map(({ stage, stdin }) => [stage, Asked.parse(JSON.parse(stdin)).prompt])), ofRuns: versions(id),
      ofJournal: lines.map(({ event }) => TurnOutcome.parse(event["outcome"]).promptVersion ?? "").toSorted(), lines: lines.map(journalLine),
    };
  };

  const korean = await begun("first", true);
  expect(korean.prompts.get("coder")).toMatch(/^당신은 코더입니다\./);
  expect(korean.prompts.get("critic")).toMatch(/^당신은 비평가입니다\.[^]*^<work-item-([0-9a-f]{12})>\nRUN-1 \(chore\): 덧셈을 고치세요\n\nIt subtracts\.\n<\/work-item>\n<\/work-item-\1>$[^]*^<change-\1>$[^]*^\+a$[^]*^```enact-verdict$/m);
  const expected = (["coder", "critic"] as const).map((stage) => wordsIn("ko").version(stage));
  expect(korean.ofRuns).toEqual(expected);
  expect(korean.ofJournal).toEqual(expected);
  for (const version of expected) expect(korean.lines.some((line) => line.endsWith(`; prompt ${version}`))).toBe(true);

  place.put("config.toml", `language = "en"\n${quick}`);
  const english = await begun("second", false);
  expect(english.prompts.get("coder")).toMatch(/^You are the coder\./);
  expect(english.ofJournal).toEqual((["coder", "critic"] as const).map((stage) => wordsIn("en").version(stage)));
});
