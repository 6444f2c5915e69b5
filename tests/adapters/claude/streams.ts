import { claude } from "../../../src/adapters/claude/adapter.ts";
import { streamsOf } from "../streams.ts";

export { ended } from "../streams.ts";
export const { read, streamBytes, streamLines, streamNames, turnRequest } = streamsOf(claude);
