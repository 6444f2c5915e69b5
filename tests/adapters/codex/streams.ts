import { codex } from "../../../src/adapters/codex/adapter.ts";
import { streamsOf } from "../streams.ts";

export { ended } from "../streams.ts";
export const { read, streamBytes, streamLines, streamNames, turnRequest } = streamsOf(codex);
