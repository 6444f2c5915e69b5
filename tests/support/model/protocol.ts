import type { IncomingMessage, ServerResponse } from "node:http";
import type { Said, ScriptedStep } from "./script.ts";

/** A request of a model protocol, understood. */
export interface ModelRequest {
  readonly model: string;
  readonly stream: boolean;
  readonly conversation: readonly Said[];
  /** Names of the tools the CLI offers. */
  readonly tools: readonly string[];
  /** System text, as one string. */
  readonly system: string;
  /** Working directory that the CLI told the model, when it did. */
  readonly cwd: string | undefined;
}

/** One wire protocol: Anthropic Messages, OpenAI Responses, chat completions. */
export interface ModelProtocol {
  readonly name: string;
  /** True when this protocol answers this request. */
  readonly serves: (method: string, path: string) => boolean;
  readonly parse: (body: unknown) => ModelRequest | undefined;
  /** Plays a step, faults of the stream included; `id` is unique per answer. */
  readonly play: (response: ServerResponse, request: ModelRequest, step: ScriptedStep, id: string) => void;
  /** The protocol's error body for a status; `error` adds to, or replaces, fields of its error object. */
  readonly refuse: (response: ServerResponse, status: number, headers: Readonly<Record<string, string>>, id: string, error?: Readonly<Record<string, unknown>>) => void;
  /** Answers the side requests of the protocol (token counts, model lists); false when it is none. */
  readonly side: (request: IncomingMessage, response: ServerResponse, path: string) => boolean;
}
