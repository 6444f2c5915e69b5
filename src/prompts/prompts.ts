import { Effect, Layer } from "effect";
import type { Language } from "../domain/language.ts";
import { PromptFault, Prompts } from "../ports/prompts.ts";
import { promptOf } from "./turn-prompt.ts";

/** Prompts in one language, each within so many bytes. */
export const promptsLayer = ({ language, maxBytes }: { readonly language: Language; readonly maxBytes: number }): Layer.Layer<Prompts> => Layer.succeed(Prompts, {
  maxBytes,
  forTurn: (turn, material) => Effect.suspend(() => {
    try {
      return Effect.succeed(promptOf(language, maxBytes, turn, material));
    } catch (error) {
      return error instanceof PromptFault ? Effect.fail(error) : Effect.die(error);
    }
  }),
});
