/**
 * What the CLI loads as a plugin from the run's directory. Two things are done here, since no switch of the CLI does them.
 *
 * It tells on the stream what `opencode run --format json` leaves out: which model answers, that a tool has begun, and that the provider makes it wait,
 * which can last for hours without a word. The reader needs none of these lines.
 *
 * It keeps the repository out where OPENCODE_DISABLE_PROJECT_CONFIG does not: the CLI has a second reader of `.opencode` and `opencode.json`, which heeds
 * no switch, imports the plugins that it finds and puts their `references` into the system prompt. It begins with the first prompt, after plugins of the
 * user's configuration, of which this is one. Files of the worktree are no modules from then on. Keys stay out of the environment of commands.
 *
 * It is the CLI's process that runs it, so it is plain JavaScript.
 */
export const listenerFile = "listener.js";

export const listener = `import { realpathSync } from "node:fs";
let session, model;
const begun = new Set();
const tell = (line) => process.stdout.write(JSON.stringify({ ...line, sessionID: session }) + "\\n");
const quoted = (path) => path.replace(/[^A-Za-z0-9]/g, (sign) => "\\\\u{" + sign.codePointAt(0).toString(16) + "}");
const guard = (directories) => {
  const roots = [...new Set(directories.flatMap((each) => [each, realpathSync(each)]))].filter((each) => each !== "/");
  const inside = new RegExp("^(?:" + roots.map((each) => [...each].map(quoted).join("")).join("|") + ")/", "u");
  Bun.plugin({ name: "enact-guard", setup: (build) => { build.onLoad({ filter: inside }, () => ({ contents: "export default {};", loader: "js" })); } });
};
export const EnactFactory = async ({ directory, worktree }) => {
  guard([directory, worktree]);
  return {
    event: async ({ event: { type, properties } }) => {
      if (type === "message.updated" && properties.info.role === "assistant") {
        session ??= properties.info.sessionID;
        const named = properties.info.providerID + "/" + properties.info.modelID;
        if (properties.info.sessionID === session && named !== model) tell({ type: "enact.model", model: (model = named) });
      }
      if (type === "session.status" && properties.sessionID === session && properties.status.type === "retry") tell({ type: "enact.retry", message: properties.status.message, next: properties.status.next });
      if (type === "message.part.updated" && properties.part.sessionID === session && properties.part.type === "tool" && properties.part.state.status === "running") {
        const { tool, callID, state } = properties.part;
        if (!begun.has(callID)) tell({ type: "enact.tool", part: { tool, callID, state: { status: "running", input: state.input } } });
        begun.add(callID);
      }
    },
    "shell.env": async (_, { env }) => {
      for (const name of Object.keys(process.env)) if (/KEY|SECRET|TOKEN/i.test(name)) env[name] = "";
    },
    "experimental.chat.system.transform": async (_, { system }) => {
      for (const [n, text] of system.entries()) system[n] = text.replace(/\\nProject references provide[^]*<\\/available_references>/, "");
    },
    "tool.execute.after": async ({ tool }, result) => {
      if (tool === "read" && typeof result.output === "string") result.output = result.output.replace(/\\n\\n<system-reminder>\\nInstructions from: [^]*<\\/system-reminder>$/, "");
    },
  };
};
`;
