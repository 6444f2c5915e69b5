import { ClientProblem } from "../client/contract.ts";
import { block, indented } from "../client/text/safe-text.ts";
import { withoutShapes } from "../domain/secret.ts";
import { paint, type Screen } from "./screen.ts";

/** Exit codes of every command. Usage errors are failures: 2 is kept for timeouts and for what could not run. */
export const exitCode = { ok: 0, failed: 1, notRun: 2, interrupted: 130 } as const;

/** A command that cannot do what it was asked, said for a person. */
export class CliProblem extends ClientProblem {
  readonly code: number;
  constructor(message: string, next: string, code: number = exitCode.failed) {
    super(message, next);
    this.code = code;
  }
}

/** Prints what went wrong and says with which code to leave. With `json` the problem is also the result. */
export const report = (error: unknown, screens: { readonly out: Screen; readonly err: Screen }, json: boolean): number => {
  const known = error instanceof ClientProblem;
  // An address that could not be reached may hold a password.
  const message = withoutShapes(error instanceof Error ? error.message || error.name : String(error));
  const next = known ? error.next : "This should not happen. `enact-factory doctor` checks the surroundings; please report it with the lines above.";
  screens.err.write(`${paint(screens.err, "red", "enact-factory:")} ${block(message)}\n`);
  if (!known && error instanceof Error && error.stack !== undefined) screens.err.write(`${indented(block(withoutShapes(error.stack.split("\n").slice(1, 6).join("\n"))), "  ")}\n`);
  if (next !== "") screens.err.write(`${indented(block(next), "  ")}\n`);
  if (json) screens.out.write(`${JSON.stringify({ error: { message, next } })}\n`);
  return error instanceof CliProblem ? error.code : exitCode.failed;
};
