/** One thing that the model can have done for it. A tool never throws for what the model did wrong: it says so, and the turn goes on. */
import { z } from "zod";
import type { ToolDiff } from "../../domain/agent.ts";
import type { ToolOffer } from "../provider.ts";
import type { Shelf } from "../shelf.ts";
import { PathRefused, type Worktree } from "../worktree.ts";
import type { Commands } from "../commands.ts";

export interface Done {
  readonly ok: boolean;
  readonly output: string;
  /** It may have changed the worktree. */
  readonly changed?: boolean;
  /** It was not let: why. */
  readonly denied?: string;
}

/** What tools work with. */
export interface Bench { readonly worktree: Worktree; readonly shelf: Shelf; readonly commands: Commands; readonly signal: AbortSignal }

export interface Tool {
  readonly name: string;
  readonly kind: "read" | "edit" | "run" | "other";
  /** Others may run at the same time. */
  readonly parallel: boolean;
  readonly offer: ToolOffer;
  /** One line that says what this call is about, and what an edit takes away and puts there. */
  readonly about: (args: string) => { readonly summary: string; readonly diff?: ToolDiff };
  readonly call: (args: string, bench: Bench) => Promise<Done>;
}

interface Definition<I> {
  readonly name: string;
  readonly kind: Tool["kind"];
  readonly parallel?: boolean;
  readonly description: string;
  readonly input: z.ZodType<I>;
  readonly summary: (input: I) => string;
  readonly diff?: (input: I) => ToolDiff | undefined;
  readonly run: (input: I, bench: Bench) => Done | Promise<Done>;
}

/** Characters of a summary that an event carries. */
const summaryCap = 200;

const oneLine = (text: string): string => {
  const [line = ""] = text.trim().split("\n", 1);
  return line.length > summaryCap ? `${line.slice(0, summaryCap - 1).toWellFormed()}…` : line;
};

export const failed = (output: string): Done => ({ ok: false, output });

/** What went wrong, as the model is told. */
const said = (error: unknown): Done => {
  if (error instanceof PathRefused) return { ok: false, output: `Refused: ${error.message}.`, ...(error.denied ? { denied: error.message } : {}) };
  return failed(`Failed: ${error instanceof Error ? error.message : String(error)}`);
};

/** Words of a schema that strict modes take everywhere. The others are looked at here, and told in words when they are not kept to. */
const kept: ReadonlySet<string> = new Set(["type", "properties", "required", "additionalProperties", "items", "enum", "anyOf", "description"]);

const plainSchema = (schema: unknown): unknown => {
  if (Array.isArray(schema)) return schema.map(plainSchema);
  if (typeof schema !== "object" || schema === null) return schema;
  return Object.fromEntries(Object.entries(schema).filter(([word]) => kept.has(word)).map(([word, value]) => [word, word === "properties" ? Object.fromEntries(Object.entries(value).map(([name, each]) => [name, plainSchema(each)])) : plainSchema(value)]));
};

const Parameters = z.record(z.string(), z.unknown());

export const tool = <I>({ name, kind, parallel, description, input, summary, diff, run }: Definition<I>): Tool => {
  const parameters = { required: [], ...Parameters.parse(plainSchema(z.toJSONSchema(input))) };
  const read = (args: string): { readonly ok: true; readonly input: I } | { readonly ok: false; readonly why: string } => {
    let value: unknown;
    try { value = JSON.parse(args); } catch { return { ok: false, why: "the arguments are not JSON" }; }
    const parsed = input.safeParse(value);
    return parsed.success ? { ok: true, input: parsed.data } : { ok: false, why: z.prettifyError(parsed.error).replaceAll("\n", " ") };
  };
  return {
    name, kind, parallel: parallel === true,
    offer: { name, description, parameters },
    about: (args) => {
      const given = read(args);
      if (!given.ok) return { summary: oneLine(args) };
      const what = diff?.(given.input);
      return { summary: oneLine(summary(given.input)), ...(what === undefined ? {} : { diff: what }) };
    },
    call: async (args, bench) => {
      const given = read(args);
      if (!given.ok) return failed(`Not done: ${given.why}.`);
      try { return await run(given.input, bench); } catch (error) { return said(error); }
    },
  };
};

/** `null`: not given. Every parameter is named in a call, as strict schemas demand. */
export const optional = <T>(schema: z.ZodType<T>) => schema.nullable();
