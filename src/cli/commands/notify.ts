import { oneLine } from "../../client/text/safe-text.ts";
import { type Command, printJson } from "../context.ts";
import { exitCode } from "../problem.ts";
import { paint } from "../screen.ts";

export interface TestOptions { readonly channel?: string }

/** One message for each channel; exits 1 when one was not taken. */
export const test: Command<TestOptions> = async (context, { channel }) => {
  const trials = await context.tools.tryChannels(context.place, channel ?? null);
  if (context.json) printJson(context, { trials });
  else {
    const { out } = context.terminal;
    for (const trial of trials) out.write(`${paint(out, trial.ok ? "green" : "red", trial.ok ? "sent    " : "not sent")} ${paint(out, "bold", trial.channel)} (${(trial.tookMs / 1000).toFixed(1)} s): ${oneLine(trial.detail)}\n`);
  }
  return trials.every(({ ok }) => ok) ? exitCode.ok : exitCode.failed;
};
