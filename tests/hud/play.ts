/** The model driven by keys as a terminal sends them, without a screen. */
import type { FactoryClient } from "../../src/client/contract.ts";
import { type Frame, frame, frameText, hitAt, type Size } from "../../src/hud/frame.ts";
import { inputReader } from "../../src/hud/input.ts";
import { actionOf } from "../../src/hud/keys.ts";
import { begin, step } from "../../src/hud/model.ts";
import { readKnown } from "../../src/hud/reading.ts";
import type { Effect, HudModel } from "../../src/hud/state.ts";
import { recordedNow } from "./double.ts";

export const modelOf = async (client: FactoryClient): Promise<HudModel> => begin("0.1.0", await readKnown(client), recordedNow);

export const up = "\u001b[A", down = "\u001b[B", enter = "\r", escape = "\u001b", tab = "\t";
export const click = (x: number, y: number): string => `\u001b[<0;${x + 1};${y + 1}M`;
export const wheelDown = (x: number, y: number): string => `\u001b[<65;${x + 1};${y + 1}M`;

/** Each chunk as it would be read at once. */
export const play = (model: HudModel, size: Size, ...chunks: readonly string[]): { readonly model: HudModel; readonly effects: readonly Effect[] } => {
  const reader = inputReader();
  const effects: Effect[] = [];
  let now = model;
  for (const chunk of chunks) for (const input of [...reader.read(chunk), ...reader.flush()]) {
    const drawn = frame(now, size, { interactive: true });
    now = step(now, { type: "drawn", reach: drawn.reach, tops: drawn.tops }, recordedNow).model;
    const action = actionOf(input, now, (x, y) => hitAt(drawn, x, y));
    if (action === undefined) continue;
    const next = step(now, { type: "action", action }, recordedNow);
    now = next.model;
    effects.push(...next.effects);
  }
  return { model: now, effects };
};

export const linesOf = (drawn: Frame): readonly string[] => frameText(drawn, "none").split("\n").slice(0, -1);
export const drawnLines = (model: HudModel, size: Size, interactive = true): readonly string[] => linesOf(frame(model, size, { interactive }));
