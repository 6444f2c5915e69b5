/**
 * Entries of ours in the settings of agent CLIs, as text: put in, taken out, found again. Claude Code's settings and codex's hooks.json have the same form.
 *
 * I1 Whatever is not ours stays as it is, in its order. I2 Twice is as good as once. I3 A text that is not understood is not changed.
 */
import { z } from "zod";

export type HookCli = "claude" | "codex";

/** Which event of each CLI calls what. codex has no others that matter here. */
export const hookEventsOf: Readonly<Record<HookCli, Readonly<Record<string, string>>>> = {
  claude: { SessionStart: "session-start", Stop: "stop", Notification: "notification", SessionEnd: "session-end" },
  codex: { SessionStart: "session-start", Stop: "stop" },
};

/** Ends each command of ours: a comment to the shell, by which an entry is known again. */
const mark = "# enact-factory";
const timeoutSeconds = 10;

const Handler = z.looseObject({ type: z.string().optional(), command: z.string().optional() });
const Group = z.looseObject({ hooks: z.array(Handler).optional() });
const Settings = z.looseObject({ hooks: z.record(z.string(), z.unknown()).optional() });
type Handler = z.infer<typeof Handler>;
type Group = z.infer<typeof Group>;

/** What is wrong with a text, for a person. */
export class NotUnderstood extends Error { override readonly name = "NotUnderstood"; }

const parse = (text: string): z.infer<typeof Settings> => {
  if (text.trim() === "") return {};
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new NotUnderstood(`it is no JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
  const settings = Settings.safeParse(json);
  if (!settings.success) throw new NotUnderstood("it has no settings of the known form");
  return settings.data;
};

const groupsOf = (settings: z.infer<typeof Settings>, event: string): readonly Group[] => {
  const groups = z.array(Group).safeParse(settings.hooks?.[event] ?? []);
  if (!groups.success) throw new NotUnderstood(`its hooks for ${event} have an unknown form`);
  return groups.data;
};

const quoted = (word: string): string => `'${word.replaceAll("'", "'\\''")}'`;

export interface HookCaller { readonly node: string; readonly bin: string }

const handlerOf = (cli: HookCli, event: string, { node, bin }: HookCaller): Handler => ({ type: "command", command: `${quoted(node)} ${quoted(bin)} hook ${event} --cli ${cli} ${mark}`, timeout: timeoutSeconds });
const isOurs = ({ command }: Handler): boolean => command?.trimEnd().endsWith(mark) === true;

/** The text with its own indentation, and its last newline. */
const render = (settings: z.infer<typeof Settings>, before: string): string => `${JSON.stringify(settings, null, /^\{\r?\n([ \t]+)/.exec(before)?.[1] ?? 2)}\n`;
const changed = (settings: z.infer<typeof Settings>, before: string): string => (before.trim() !== "" && JSON.stringify(settings) === JSON.stringify(parse(before)) ? before : render(settings, before));

/** Ours for every event: each in the place it had before, else behind what is there. */
export const withEntries = (text: string, cli: HookCli, caller: HookCaller): string => {
  const settings = parse(text), hooks: Record<string, unknown> = { ...settings.hooks };
  for (const [event, word] of Object.entries(hookEventsOf[cli])) {
    let placed = false;
    const groups = groupsOf(settings, event).map((group): Group => {
      if (group.hooks?.some(isOurs) !== true) return group;
      return { ...group, hooks: group.hooks.flatMap((handler) => {
        if (!isOurs(handler)) return [handler];
        if (placed) return [];
        placed = true;
        return [handlerOf(cli, word, caller)];
      }) };
    });
    hooks[event] = placed ? groups : [...groups, { hooks: [handlerOf(cli, word, caller)] }];
  }
  return changed({ ...settings, hooks }, text);
};

/** Without ours; what only held ours goes too. */
export const withoutEntries = (text: string): string => {
  const settings = parse(text);
  if (entriesIn(text).length === 0) return text;
  const hooks: Record<string, unknown> = {};
  for (const event of Object.keys(settings.hooks ?? {})) {
    const before = groupsOf(settings, event);
    const groups = before.flatMap((group): Group[] => {
      const left = group.hooks?.filter((handler) => !isOurs(handler));
      if (left?.length === group.hooks?.length) return [group];
      return left?.length === 0 ? [] : [{ ...group, hooks: left ?? [] }];
    });
    if (groups.length > 0 || before.length === 0) hooks[event] = groups;
  }
  const { hooks: _before, ...rest } = settings;
  return render(Object.keys(hooks).length === 0 ? rest : { ...settings, hooks }, text);
};

export interface HookEntry { readonly event: string; readonly group: number; readonly handler: number; /** Files that its command needs; none: it could not be read off. */ readonly files: readonly string[] }

const word = /'(?:[^']|'\\'')*'/g;
const unquoted = (text: string): string => text.slice(1, -1).replaceAll("'\\''", "'");

/** Entries of ours. */
export const entriesIn = (text: string): readonly HookEntry[] => allIn(text, isOurs, (command) => [...command.matchAll(word)].slice(0, 2).map(([each]) => unquoted(each)));

/** Entries that call another program of this name; their first word, when it is a path. */
export const entriesCalling = (text: string, program: string): readonly HookEntry[] =>
  allIn(text, (handler) => !isOurs(handler) && handler.command?.includes(program) === true, (command) => {
    const first = /^\s*(?:"([^"]+)"|'([^']+)'|(\S+))/.exec(command);
    const path = first?.[1] ?? first?.[2] ?? first?.[3] ?? "";
    return path.startsWith("/") ? [path] : [];
  });

const allIn = (text: string, wanted: (handler: Handler) => boolean, filesOf: (command: string) => readonly string[]): readonly HookEntry[] => {
  const settings = parse(text);
  return Object.keys(settings.hooks ?? {}).flatMap((event) => {
    // Codex keeps its own table of trust beside the events.
    const groups = z.array(Group).safeParse(settings.hooks?.[event]);
    return !groups.success ? [] : groups.data.flatMap((group, at) => (group.hooks ?? []).flatMap((handler, n) => (wanted(handler) ? [{ event, group: at, handler: n, files: filesOf(handler.command ?? "") }] : [])));
  });
};
