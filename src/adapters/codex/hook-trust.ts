/**
 * Which hooks codex runs. It passes over a hook, without a word, unless the user's configuration (or the arguments) hold the hash of its present form
 * under its key. Both were compared with what the program itself says of its hooks (tests/clis/codex-hooks.test.ts).
 */
import { createHash } from "node:crypto";
import { z } from "zod";

interface CommandHook { readonly command: string; readonly timeout?: number | undefined; readonly async?: boolean | undefined; readonly statusMessage?: string | undefined; readonly matcher?: string | undefined }

/** `SessionStart` as `session_start`, the form in keys and hashes. */
const label = (event: string): string => event.replaceAll(/(?<=[a-z])[A-Z]/g, (letter) => `_${letter}`).toLowerCase();

/** By its place: the file, the event, the group in the event, the handler in the group. */
export const hookKey = (file: string, event: string, group: number, handler: number): string => `${file}:${label(event)}:${group}:${handler}`;

/** Seconds that a hook has: when it names none, and at most. Nobody waits long for one that is called at an end. */
const patience = (event: string): { readonly usual: number; readonly most: number } => (event === "SessionEnd" || event === "Interrupt" ? { usual: 1, most: 3 } : { usual: 600, most: Number.POSITIVE_INFINITY });

/** These events take no matcher; one that is written is not looked at. */
const unmatched: ReadonlySet<string> = new Set(["Stop", "UserPromptSubmit", "Interrupt"]);

export const hookHash = (event: string, { command, timeout, async, statusMessage, matcher }: CommandHook): string => {
  const { usual, most } = patience(event);
  // Keys in the order of the alphabet: the hash is over that text.
  const handler = { async: async ?? false, command, ...(statusMessage === undefined ? {} : { statusMessage }), timeout: Math.min(most, Math.max(1, timeout ?? usual)), type: "command" };
  const identity = { event_name: label(event), hooks: [handler], ...(matcher === undefined || unmatched.has(event) ? {} : { matcher }) };
  return `sha256:${createHash("sha256").update(JSON.stringify(identity)).digest("hex")}`;
};

/** The file that the CLI names for what came with its arguments. */
export const argumentsFile = "/<session-flags>/config.toml";

const State = z.object({ trusted_hash: z.string().optional(), enabled: z.boolean().optional() }).catch({});
const Project = z.object({ trust_level: z.string().optional() }).catch({});
const Configuration = z.object({
  hooks: z.object({ state: z.record(z.string(), State).catch({}).default({}) }).catch({ state: {} }).default({ state: {} }),
  projects: z.record(z.string(), Project).catch({}).default({}),
  features: z.object({ hooks: z.boolean().optional() }).catch({}).default({}),
}).catch({ hooks: { state: {} }, projects: {}, features: {} });
export type CodexConfiguration = z.infer<typeof Configuration>;

/** What the user's `config.toml` says of hooks, once it is read as TOML; anything else says nothing. */
export const codexConfiguration = (toml: unknown): CodexConfiguration => Configuration.parse(toml ?? {});

/** Why codex does not run this hook; undefined: it does. */
export const silence = ({ hooks: { state } }: CodexConfiguration, keys: readonly string[], hash: string): "disabled" | "modified" | "untrusted" | undefined => {
  const known = keys.map((key) => state[key]).filter((each) => each !== undefined);
  if (known.some(({ enabled }) => enabled === false)) return "disabled";
  if (known.some(({ trusted_hash: trusted }) => trusted === hash)) return undefined;
  return known.some(({ trusted_hash: trusted }) => trusted !== undefined) ? "modified" : "untrusted";
};
