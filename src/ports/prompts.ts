import { Context, Data, type Effect } from "effect";
import type { TurnEffect } from "../domain/effects.ts";
import type { RunId } from "../domain/ids.ts";
import type { Language } from "../domain/language.ts";

/** A text that is not there, or one that names other variables than it was given: a bug of ours, never an empty place in a prompt. */
export class PromptFault extends Data.TaggedError("PromptFault")<{ readonly message: string }> {}

/** What a turn is told that is not in its effect. */
export interface PromptMaterial {
  readonly runId: RunId;
  /** The change so far; empty when there is none. */
  readonly diff: string;
  /** The turn has to be told that there may be files AGENTS.md. */
  readonly agentsFiles: boolean;
}

/** What was left out, by the name of its fence. Of messages: how many, else bytes. */
export interface PromptCut { readonly name: string; readonly left: number; readonly of: number }

export interface TurnPrompt {
  readonly text: string;
  /** Which texts it was made of: `coder/en/` and the hash of the templates. */
  readonly version: string;
  readonly language: Language;
  readonly cuts: readonly PromptCut[];
}

export interface PromptsShape {
  /** No prompt is longer. */
  readonly maxBytes: number;
  /** The same turn and material give the same prompt. */
  readonly forTurn: (turn: TurnEffect, material: PromptMaterial) => Effect.Effect<TurnPrompt, PromptFault>;
}
export class Prompts extends Context.Service<Prompts, PromptsShape>()("enact-factory/ports/Prompts") {}
