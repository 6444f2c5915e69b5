/**
 * Entries of ours in the settings of agent CLIs, as text: put in, taken out, found again. Claude Code's settings and codex's hooks.json have the same form.
 *
 * I1 Whatever is not ours stays as it is, in its order. I2 Twice is as good as once. I3 A text that is not understood is not changed.
 */
import { z } from "zod";

export type HookCli = "claude" | "codex";

/** Which event of each CLI calls what. codex tells of no session that waits for a person. */
export const hookEventsOf: Readonly<Record<HookCli, Readonly<Record<string, string>>>> = {
  claude: { SessionStart: "session-start", Stop: "stop", Notification: "notification", SessionEnd: "session-end" },
  codex: { SessionStart: "session-start", Stop: "stop", SessionEnd: "session-end" },
};

/** Ends each command of ours: a comment to the shell, by which an entry is known again. */
const mark = "# enact-factory";
const timeoutSeconds = 10;

// Records, not objects: what is not ours keeps its order (I1).
const Fields = z.record(z.string(), z.unknown());
type Fields = z.infer<typeof Fields>;
const commandOf = (handler: Fields): string => (typeof handler["command"] === "string" ? handler["command"] : "");
/** `undefined`: this group has no list of handlers, or one of another form. */
const handlersOf = (group: Fields): readonly Fields[] | undefined => z.array(Fields).safeParse(group["hooks"]).data;

/** What is wrong with a text, for a person. */
export class NotUnderstood extends Error { override readonly name = "NotUnderstood"; }

interface Settings { readonly all: Fields; readonly hooks: Fields }

const parse = (text: string): Settings => {
  if (text.trim() === "") return { all: {}, hooks: {} };
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new NotUnderstood(`it is no JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
  const all = Fields.safeParse(json), hooks = Fields.safeParse(all.data?.["hooks"] ?? {});
  if (!all.success || !hooks.success) throw new NotUnderstood("it has no settings of the known form");
  return { all: all.data, hooks: hooks.data };
};

const groupsOf = ({ hooks }: Settings, event: string): readonly Fields[] => {
  const groups = z.array(Fields).safeParse(hooks[event] ?? []);
  if (!groups.success || groups.data.some((group) => group["hooks"] !== undefined && handlersOf(group) === undefined)) throw new NotUnderstood(`its hooks for ${event} have an unknown form`);
  return groups.data;
};

const quoted = (word: string): string => `'${word.replaceAll("'", "'\\''")}'`;

export interface HookCaller { readonly node: string; readonly bin: string }

const handlerOf = (cli: HookCli, event: string, { node, bin }: HookCaller): Fields => ({ type: "command", command: `${quoted(node)} ${quoted(bin)} hook ${event} --cli ${cli} ${mark}`, timeout: timeoutSeconds });
const isOurs = (handler: Fields): boolean => commandOf(handler).trimEnd().endsWith(mark);

/** The text with its own indentation, and its last newline. */
const render = (settings: Fields, before: string): string => `${JSON.stringify(settings, null, /^\{\r?\n([ \t]+)/.exec(before)?.[1] ?? 2)}\n`;
const changed = (settings: Fields, before: string): string => (JSON.stringify(settings) === JSON.stringify(parse(before).all) ? before : render(settings, before));

/** Ours for every event: each in the place it had before, else behind what is there. */
export const withEntries = (text: string, cli: HookCli, caller: HookCaller): string => {
  const settings = parse(text), hooks: Fields = { ...settings.hooks };
  for (const [event, word] of Object.entries(hookEventsOf[cli])) {
    let placed = false;
    const groups = groupsOf(settings, event).map((group): Fields => {
      const handlers = handlersOf(group);
      if (handlers?.some(isOurs) !== true) return group;
      return { ...group, hooks: handlers.flatMap((handler) => {
        if (!isOurs(handler)) return [handler];
        if (placed) return [];
        placed = true;
        return [handlerOf(cli, word, caller)];
      }) };
    });
    hooks[event] = placed ? groups : [...groups, { hooks: [handlerOf(cli, word, caller)] }];
  }
  return changed({ ...settings.all, hooks }, text);
};

/** Without ours; what only held ours goes too. */
export const withoutEntries = (text: string): string => {
  const settings = parse(text);
  if (entriesIn(text).length === 0) return text;
  const hooks: Fields = {};
  for (const event of Object.keys(settings.hooks)) {
    const before = groupsOf(settings, event);
    const groups = before.flatMap((group): Fields[] => {
      const handlers = handlersOf(group), left = handlers?.filter((handler) => !isOurs(handler));
      if (left === undefined || left.length === handlers?.length) return [group];
      return left.length === 0 ? [] : [{ ...group, hooks: left }];
    });
    if (groups.length > 0 || before.length === 0) hooks[event] = groups;
  }
  const { hooks: _before, ...rest } = settings.all;
  return render(Object.keys(hooks).length === 0 ? rest : { ...settings.all, hooks }, text);
};

export interface HookEntry {
  readonly event: string; readonly group: number; readonly handler: number;
  /** Files that its command needs; none: it could not be read off. */
  readonly files: readonly string[];
  readonly settings: HookEntrySettings;
}
const HookEntrySettings = z.object({ command: z.string().catch(""), timeout: z.number().optional().catch(undefined), async: z.boolean().optional().catch(undefined), statusMessage: z.string().optional().catch(undefined), matcher: z.string().optional().catch(undefined) });
type HookEntrySettings = z.infer<typeof HookEntrySettings>;

const word = /'(?:[^']|'\\'')*'/g;
const unquoted = (text: string): string => text.slice(1, -1).replaceAll("'\\''", "'");

/** Entries of ours. */
export const entriesIn = (text: string): readonly HookEntry[] => allIn(text, isOurs, (command) => [...command.matchAll(word)].slice(0, 2).map(([each]) => unquoted(each)));

/** Entries that call another program of this name; their first word, when it is a path. */
export const entriesCalling = (text: string, program: string): readonly HookEntry[] =>
  allIn(text, (handler) => !isOurs(handler) && commandOf(handler).includes(program), (command) => {
    const first = /^\s*(?:"([^"]+)"|'([^']+)'|(\S+))/.exec(command);
    const path = first?.[1] ?? first?.[2] ?? first?.[3] ?? "";
    return path.startsWith("/") ? [path] : [];
  });

const allIn = (text: string, wanted: (handler: Fields) => boolean, filesOf: (command: string) => readonly string[]): readonly HookEntry[] => {
  const settings = parse(text);
  return Object.keys(settings.hooks).flatMap((event) => {
    // Another form is another's.
    const groups = z.array(Fields).safeParse(settings.hooks[event]).data ?? [];
    return groups.flatMap((group, at) => (handlersOf(group) ?? []).flatMap((handler, n) => (wanted(handler) ? [{ event, group: at, handler: n, files: filesOf(commandOf(handler)), settings: HookEntrySettings.parse({ ...handler, matcher: group["matcher"] }) }] : [])));
  });
};
