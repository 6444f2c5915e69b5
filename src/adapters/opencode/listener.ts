/**
 * What the CLI loads as a plugin from the run's directory. It tells on the stream what `opencode run --format json` leaves out: which model answers, that
 * a tool has begun, and that the provider makes it wait, which can last for hours without a word. It keeps keys out of the environment of commands.
 * Without it nothing breaks: the reader needs none of its lines. It is the CLI's process that runs it, so it is plain JavaScript and imports nothing.
 */
export const listenerFile = "listener.js";

export const listener = `let session, model;
const tell = (line) => process.stdout.write(JSON.stringify({ ...line, sessionID: session }) + "\\n");
export const EnactFactory = async () => ({
  event: async ({ event: { type, properties } }) => {
    if (type === "message.updated" && properties.info.role === "assistant") {
      session ??= properties.info.sessionID;
      const named = properties.info.providerID + "/" + properties.info.modelID;
      if (properties.info.sessionID === session && named !== model) tell({ type: "enact.model", model: (model = named) });
    }
    if (type === "session.status" && properties.sessionID === session && properties.status.type === "retry") tell({ type: "enact.retry", message: properties.status.message, next: properties.status.next });
    if (type === "message.part.updated" && properties.part.sessionID === session && properties.part.type === "tool" && properties.part.state.status === "running") {
      const { tool, callID, state } = properties.part;
      tell({ type: "enact.tool", part: { tool, callID, state: { status: "running", input: state.input } } });
    }
  },
  "shell.env": async (_, { env }) => {
    for (const name of Object.keys(process.env)) if (/KEY|SECRET|TOKEN/i.test(name)) env[name] = "";
  },
});
`;
