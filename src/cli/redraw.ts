/**
 * A picture that changes in place, on the terminal's second screen.
 *
 * I1 At most one drawing every `everyMs`; the last change is always drawn. I2 After `end` the usual screen is back, with the last picture
 * in it and a visible cursor. I3 No picture is taller than the screen: what does not fit is cut at its end.
 */
import type { Screen } from "./screen.ts";

export interface Picture { readonly soon: () => void; readonly end: () => Promise<void> }

const everyMs = 100;
/** Relative times in the picture move on. */
const tickMs = 1_000;

export const redrawn = (screen: Screen, lines: () => Promise<readonly string[]>): Picture => {
  let timer: NodeJS.Timeout | undefined;
  let under: Promise<void> = Promise.resolve();
  const draw = async (): Promise<void> => {
    const picture = await lines();
    screen.write(`\u001b[H${picture.slice(0, screen.rows() - 1).map((line) => `${line}\u001b[K\n`).join("")}\u001b[J`);
  };
  const soon = (): void => {
    timer ??= setTimeout(() => {
      timer = undefined;
      // The next drawing tries again; the last one, in `end`, says what is wrong.
      under = under.then(draw).catch(() => {});
    }, everyMs);
  };
  const tick = setInterval(soon, tickMs);
  screen.write("\u001b[?1049h\u001b[?25l\u001b[H\u001b[J");
  soon();
  return {
    soon,
    end: async () => {
      clearInterval(tick);
      clearTimeout(timer);
      await under;
      screen.write("\u001b[?25h\u001b[?1049l");
      screen.write((await lines()).map((line) => `${line}\n`).join(""));
    },
  };
};
