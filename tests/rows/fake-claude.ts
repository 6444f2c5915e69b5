import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Plays the CLI's side: notes its arguments and answers in its stream's form, or waits when it is asked to; a reading turn approves, a working one writes a file. */
const fakeClaude = `#!/usr/bin/env node
const { readFileSync, writeFileSync } = require("node:fs");
const asked = readFileSync(0, "utf8");
const say = (line) => console.log(JSON.stringify(line));
const argv = process.argv.slice(2), session = argv[argv.indexOf("--session-id") + 1];
const reads = argv.includes("dontAsk");
if (!reads) writeFileSync("work.txt", "work");
if (asked.includes("wait until you are stopped")) return void setInterval(() => {}, 1_000_000);
const text = reads ? 'Good.\\n\\n\`\`\`enact-verdict\\n{"decision": "approve"}\\n\`\`\`' : "Written.";
say({ type: "system", subtype: "init", session_id: session, model: "fake" });
say({ type: "assistant", message: { content: [{ type: "text", text }] }, parent_tool_use_id: null });
say({ type: "result", subtype: "success", is_error: false, session_id: session, result: text, total_cost_usd: 0, usage: { input_tokens: 1, output_tokens: 1 } });
`;

/** Puts it there and answers with the directory for PATH. */
export const putClaude = (directory: string): string => {
  const bin = join(directory, "bin");
  mkdirSync(bin);
  // Whatever stands above: a package.json there decides how a program without an extension is read.
  writeFileSync(join(bin, "package.json"), '{ "type": "commonjs" }');
  writeFileSync(join(bin, "claude"), fakeClaude);
  chmodSync(join(bin, "claude"), 0o755);
  return bin;
};
