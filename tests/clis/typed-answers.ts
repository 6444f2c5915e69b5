/** What every CLI says with a typed block at the end of its answer, and what it only quotes. */
import { expect, test } from "vitest";
import type { AgentEvent } from "../../src/domain/agent.ts";
import { marker, type Scenario } from "../support/model-server.ts";
import type { Room } from "./room.ts";

export const typedAnswers = (open: (scenarios: Readonly<Record<string, Scenario>>) => Promise<Room>): void => {
  const block = (name: string, body: string): string => `I looked.\n\n\`\`\`enact-${name}\n${body}\n\`\`\``;
  test("verdict, audit and question come as events; a block that is only quoted does not", async () => {
    await using room = await open({
      verdict: [{ say: block("verdict", '{"decision":"revise","feedback":"the test is missing"}') }],
      audit: [{ say: block("audit", '{"findings":[{"severity":"critical","message":"a key in the diff"}]}') }],
      question: [{ say: block("question", "Which of the two ports?") }],
      quoted: [{ say: `${block("verdict", '{"decision":"approve"}')}\nThat is what the README says.` }],
      malformed: [{ say: block("verdict", '{"decision":"maybe"}') }],
    });
    const answers = async (name: string): Promise<readonly AgentEvent[]> => {
      const turned = await room.run(room.turn(marker(name), { stage: "critic", readOnly: true }));
      await room.keep(`answer-${name}`, turned);
      return turned.events.filter((event) => ["verdict", "audit", "question", "garbage", "result", "failure"].includes(event.type));
    };
    expect(await answers("verdict")).toEqual([{ type: "verdict", verdict: { decision: "revise", feedback: "the test is missing", findings: [] } }, { type: "result", text: "I looked." }]);
    expect(await answers("audit")).toEqual([{ type: "audit", audit: { findings: [{ severity: "critical", message: "a key in the diff" }] } }, { type: "result", text: "I looked." }]);
    expect(await answers("question")).toEqual([{ type: "question", text: "Which of the two ports?" }, { type: "result", text: "I looked." }]);
    expect((await answers("quoted")).map(({ type }) => type)).toEqual(["result"]);
    expect((await answers("malformed")).map(({ type }) => type)).toEqual(["garbage", "result"]);
  });
};
