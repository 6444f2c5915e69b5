/** The text of one item file to what it says. Pure; the text is hostile. */
import { parse, TomlError } from "smol-toml";
import { z } from "zod";
import { OperatorLane } from "../domain/lane.ts";
import { isSlip, nearest } from "../domain/nearest.ts";
import { WorkItemKind } from "../domain/work-item.ts";
import { cutBody, cutTitle } from "./item-text.ts";

const created = z.date({ error: "must be a date and time, e.g. 2026-11-22T09:00:00Z" });
const Front = z.strictObject({
  title: z.string().optional(),
  kind: WorkItemKind.optional(),
  priority: z.int().min(1).max(4).optional(),
  lane: OperatorLane.optional(),
  project: z.string().min(1).optional(),
  id: z.string().min(1).max(200).optional(),
  playbook: z.string().min(1).optional(),
  approval: z.boolean().optional(),
  spans: z.array(z.string().min(1).max(64)).max(100).optional(),
  created: created.optional(),
});
const Whole = Front.extend({ body: z.string().optional() });

export interface ItemText {
  readonly title: string;
  readonly body: string;
  readonly kind: WorkItemKind | undefined;
  readonly priority: number | undefined;
  readonly lane: OperatorLane | undefined;
  readonly project: string | undefined;
  readonly id: string | undefined;
  /** As written: relative to the file. */
  readonly playbook: string | undefined;
  readonly approval: boolean;
  /** Of an epic: the projects its children are in. */
  readonly spans: readonly string[] | undefined;
  readonly createdAt: number | undefined;
}
export type ItemFile = { readonly ok: true; readonly item: ItemText } | { readonly ok: false; readonly problem: string };

export interface ItemSource {
  readonly format: "md" | "toml";
  readonly text: string;
  /** For the title of last resort and for markers. */
  readonly fileName: string;
  /** Bytes of the file that `text` leaves out. */
  readonly unread: number;
}

export const readItem = (source: ItemSource): ItemFile => {
  const text = source.text.replace(/^\uFEFF/, "");
  if (text.trim() === "") return { ok: false, problem: "the file is empty" };
  if (text.includes("\0")) return { ok: false, problem: "the file is binary" };
  if (source.format === "toml") {
    const read = source.unread > 0 ? { ok: false as const, problem: "a .toml file of this size cannot be read; write a .md file" } : readToml(text, 1, Whole);
    return read.ok ? finish(read.value, read.value.body ?? "", source) : read;
  }
  const front = /^\+\+\+[ \t]*\r?\n/.exec(text);
  if (front === null) return finish({}, text, source);
  const rest = text.slice(front[0].length);
  const end = /^\+\+\+[ \t]*(?:\r?\n|$)/m.exec(rest);
  if (end === null) return { ok: false, problem: "the front matter that starts with +++ has no closing +++ line" };
  const read = readToml(rest.slice(0, end.index), 2, Front);
  return read.ok ? finish(read.value, rest.slice(end.index + end[0].length), source) : read;
};

const readToml = <A>(text: string, firstLine: number, schema: z.ZodType<A> & { readonly shape: Readonly<Record<string, unknown>> }): { readonly ok: true; readonly value: A } | { readonly ok: false; readonly problem: string } => {
  let value: unknown;
  try {
    value = parse(text);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    return { ok: false, problem: `line ${firstLine + error.line - 1}: no TOML: ${(error.message.split("\n")[0] ?? "").replace(/^Invalid TOML document: /, "")}` };
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return { ok: true, value: parsed.data };
  return { ok: false, problem: parsed.error.issues.flatMap((issue) => (issue.code === "unrecognized_keys" ? issue.keys.map((key) => unknownKey(key, Object.keys(schema.shape))) : [`${issue.path.join(".")}: ${issue.message}`])).join("; ") };
};

const unknownKey = (key: string, known: readonly string[]): string => {
  const near = nearest(key, known);
  return near !== undefined && isSlip(key, near.edits) ? `unknown key ${key}; did you mean ${near.name}?` : `unknown key ${key}; known are ${known.join(", ")}`;
};

const finish = (front: z.infer<typeof Front>, text: string, source: ItemSource): ItemFile => {
  const written = front.title ?? heading(text) ?? source.fileName.replace(/\.[^.]*$/, "");
  const short = cutTitle(written);
  if (short === "") return { ok: false, problem: "the title is empty" };
  // What the title loses must stand in the body: a title of the front matter is nowhere else.
  const whole = front.title !== undefined && short !== front.title ? `${front.title}\n\n${text}` : text;
  const trimmed = whole.replace(/^(?:[ \t]*\r?\n)+/, "").trimEnd();
  const unread = source.unread > 0 ? `\n… [cut: ${source.unread} more bytes are in ${source.fileName}]` : "";
  const body = cutBody(trimmed, source.fileName, { beside: unread, inside: source.unread > 0 ? ` and ${source.unread} more bytes` : "" });
  return {
    ok: true,
    item: {
      title: short, body, kind: front.kind, priority: front.priority, lane: front.lane, project: front.project, id: front.id,
      playbook: front.playbook, approval: front.approval === true, spans: front.spans, createdAt: front.created?.getTime(),
    },
  };
};

/** The first heading outside of code fences, else the first line that says anything. */
const heading = (text: string): string | undefined => {
  let fence = "";
  let first: string | undefined;
  for (const line of text.split(/\r?\n/)) {
    const mark = /^ {0,3}(`{3,}|~{3,})/.exec(line)?.[1];
    if (mark !== undefined) fence = fence === "" ? mark : mark.startsWith(fence) ? "" : fence;
    else if (fence === "") {
      const found = /^ {0,3}#{1,6}[ \t]+(.*?)(?:[ \t]+#+)?[ \t]*$/.exec(line)?.[1];
      if (found !== undefined && found !== "") return found;
      if (first === undefined && line.trim() !== "") first = line;
    }
  }
  return first;
};
