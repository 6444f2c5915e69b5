/** What our own agent says to its model beside the prompt of the turn. */
import type { Language } from "../domain/language.ts";
import { headOf } from "./cut.ts";
import { disarmed, fenced, markFor } from "./fence.ts";
import { type Key, wordsIn } from "./words.ts";

export interface TurnKind {
  readonly readOnly: boolean;
  /** Commands can be run. */
  readonly runs: boolean;
}

export interface AgentWords {
  readonly instructions: (kind: TurnKind) => string;
  /** `notes`: what the project itself tells agents; empty when there is nothing. */
  readonly turn: (prompt: string, notes: string) => string;
  readonly verification: (changes: string) => string;
  readonly compaction: string;
  readonly summary: (text: string) => string;
  readonly cut: string;
  /** `begun`: the tool was started. */
  readonly interrupted: (begun: boolean) => string;
}

/** Bytes of the notes that a turn is given. */
const notesBytes = 32_768;
/** Of longer notes no more need be kept: that they are longer is seen all the same. */
export const notesKept = notesBytes + 1;

const always = ["alone", "paths", "together", "outputs", "material"] as const;
const working = ["plan", "look", "edit", "tests", "done"] as const;

export const agentWords = (language: Language): AgentWords => {
  const { say } = wordsIn(language);
  const plain = (key: Exclude<Key<"agent">, "notes" | "notesCut" | "verify">): string => say("agent", key);
  return {
    instructions: ({ readOnly, runs }) => [...always, ...(readOnly ? ["judge"] as const : working), runs ? "commands" as const : "noCommands" as const].map(plain).join("\n\n"),
    turn: (prompt, notes) => {
      if (notes === "") return prompt;
      const whole = disarmed(notes), text = headOf(whole, notesBytes), mark = markFor(prompt, [text]);
      return `${prompt}\n\n${say("agent", "notes", { mark })}\n${fenced("project-notes", mark, text)}${text === whole ? "" : `\n${say("agent", "notesCut", { most: notesBytes })}`}`;
    },
    verification: (changes) => {
      const text = disarmed(changes), mark = markFor("changes", [text]);
      return [`${say("agent", "verify", { mark })}\n${fenced("changes", mark, text)}`, plain("verified")].join("\n\n");
    },
    compaction: plain("compact"),
    summary: (text) => `${plain("summary")}\n\n${text}\n\n${plain("goOn")}`,
    cut: plain("cut"),
    interrupted: (begun) => plain(begun ? "interrupted" : "notRun"),
  };
};
