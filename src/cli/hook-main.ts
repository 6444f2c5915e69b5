/** The short way from the bin to a hook: nothing else of the command line is loaded, as a person waits at each of its ends. */
import type { HookTools } from "../client/local-tools.ts";
import { type HookEvent, hookEvents, runHook } from "./commands/hook.ts";

/** `hook EVENT [--cli NAME] [--run]`, exactly; `undefined`: for the whole command line, which knows help and usage errors. */
const parse = ([word, event, ...more]: readonly string[]): { readonly event: HookEvent; readonly cli: string; readonly run: boolean } | undefined => {
  const known = hookEvents.find((each) => each === event);
  if (word !== "hook" || known === undefined) return undefined;
  let cli = "claude", run = false;
  for (let at = 0; at < more.length; at += 1) {
    const option = more[at], value = more[at + 1];
    if (option === "--run") run = true;
    else if (option === "--cli" && value !== undefined && /^[a-z][a-z0-9-]{0,29}$/.test(value)) { cli = value; at += 1; }
    else return undefined;
  }
  return { event: known, cli, run };
};

/** False: these arguments are not for a hook. Ends the process otherwise, always with 0. */
export const hookMain = async (argv: readonly string[], tools: () => Promise<HookTools>): Promise<boolean> => {
  const options = parse(argv);
  if (options === undefined) return false;
  const leave = (): void => void process.stdout.write("", () => process.stderr.write("", () => process.exit(0)));
  // A CLI that does not listen, or a defect of ours: neither is the CLI's trouble.
  process.on("uncaughtException", () => process.exit(0));
  try {
    await runHook(options, {
      input: process.stdin, env: process.env, cwd: process.cwd(), out: (text) => process.stdout.write(text), err: (text) => process.stderr.write(text),
      tools: { open: async (place) => (await tools()).open(place), changedSince: async (worktree, commit) => (await tools()).changedSince(worktree, commit) },
    });
  } finally {
    leave();
  }
  return true;
};
