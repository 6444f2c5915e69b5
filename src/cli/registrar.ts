import type { Command } from "commander";
import type { Command as Action } from "./context.ts";

/** What a group of commands needs to put itself into the program: one file a group, in `src/cli/groups/`. */
export interface Registrar {
  readonly program: Command;
  /** A command with its examples; usage errors point at its help. */
  readonly add: (parent: Command, usage: string, description: string, ...examples: readonly string[]) => Command;
  /** Loads and runs the body of a command. */
  readonly run: Run;
}

export type Run = <Options extends object>(load: () => Promise<Action<Options>>) => (command: Command, own: Options) => Promise<void>;
