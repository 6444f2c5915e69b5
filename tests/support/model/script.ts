/** What a scripted model says and does, independent of the wire protocol that carries it. */

/** Tokens of one model turn; `cached` is the part of `input` that came from the cache. */
interface ScriptedUsage { readonly input: number; readonly output: number; readonly cached?: number }

/** A tool call by meaning; each protocol maps it onto the tools that the CLI offers. `call` names a tool literally. */
export type ScriptedCall =
  | { readonly do: "read"; readonly path: string }
  | { readonly do: "write"; readonly path: string; readonly content: string }
  | { readonly do: "edit"; readonly path: string; readonly from: string; readonly to: string }
  | { readonly do: "run"; readonly command: string }
  | { readonly do: "call"; /** Of a protocol that groups tools. */ readonly namespace?: string; readonly tool: string; readonly input: Readonly<Record<string, unknown>> };

/** What goes wrong with an answer. `times`: only for that many requests of this step, then the step is played as written. */
export type ScriptedFault = { readonly times?: number } & (
  /** `error`: fields of the protocol's error object. */
  | { readonly fault: "status"; readonly status: number; readonly headers?: Readonly<Record<string, string>>; readonly error?: Readonly<Record<string, unknown>> }
  /** The connection is reset before any byte. */
  | { readonly fault: "reset" }
  /** The request is read and never answered. */
  | { readonly fault: "hangBeforeHeaders" }
  /** Text comes, then nothing more; the connection stays open. */
  | { readonly fault: "hangMidStream" }
  /** Text comes, then the connection is reset. */
  | { readonly fault: "cutMidStream" }
  /** Text comes, then an event that is no JSON, then a proper end of the response. */
  | { readonly fault: "malformed" }
  /** Text comes, then the protocol's own error event. */
  | { readonly fault: "errorEvent"; readonly error?: Readonly<Record<string, unknown>> }
);

export interface ScriptedStep {
  /** It ended because it was as long as an answer may be. */
  readonly cut?: true;
  readonly think?: string;
  readonly say?: string;
  readonly calls?: readonly ScriptedCall[];
  readonly usage?: ScriptedUsage;
  readonly fault?: ScriptedFault;
}

/** The model turns after one marked user message; the last step repeats. */
export type Scenario = readonly [ScriptedStep, ...ScriptedStep[]];

/** Put this into a prompt to choose a scenario. */
export const marker = (scenario: string): string => `[[scenario:${scenario}]]`;

/** One message of a conversation, as far as choosing a step needs it. */
export type Said = { readonly by: "user"; readonly text: string } | { readonly by: "model" };

/** `text`: the message that carried the marker. */
export interface Chosen { readonly scenario: string; readonly step: number; readonly text: string }

/**
 * The scenario and step that answer a conversation: the last marker in a user message, and how many model turns came after it.
 * Decided from the conversation alone, so retries and resumed sessions are answered alike.
 */
export const choose = (conversation: readonly Said[]): Chosen | undefined => {
  let chosen: Chosen | undefined;
  for (const said of conversation) {
    if (said.by === "model") { if (chosen !== undefined) chosen = { ...chosen, step: chosen.step + 1 }; continue; }
    const name = [...said.text.matchAll(/\[\[scenario:([\w-]+)\]\]/g)].at(-1)?.[1];
    if (name !== undefined) chosen = { scenario: name, step: 0, text: said.text };
  }
  return chosen;
};
