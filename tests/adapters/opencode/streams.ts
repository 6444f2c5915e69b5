import { opencode } from "../../../src/adapters/opencode/adapter.ts";
import { streamsOf } from "../streams.ts";

export { ended } from "../streams.ts";
export const { read, streamBytes, streamLines, streamNames, turnRequest } = streamsOf(opencode);
