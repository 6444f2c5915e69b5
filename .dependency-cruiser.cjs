/** The rooms of docs/architecture.md and what each may import. No exceptions list: a violation is mended, not listed. */
const room = (name, from, may, comment) => ({
  name, comment, severity: "error",
  from: { path: from },
  to: { path: "^(src|machines|actors|tmux)/", pathNot: [from, ...may] },
});
const domain = "^src/domain/", ports = "^src/ports/", client = "^src/client/";
const port = (folder, ...more) => room(`${folder}-is-a-port-implementation`, `^src/${folder}/`, [domain, ports, ...more], "one folder a port: its implementations, nothing else");
module.exports = {
  forbidden: [
    { name: "no-cycles", severity: "error", from: {}, to: { circular: true } },
    { name: "not-to-unresolvable", severity: "error", from: {}, to: { couldNotResolve: true } },
    room("domain-imports-nothing-of-ours", domain, [], "types and schemas, no I/O"),
    { name: "domain-has-no-io", severity: "error", from: { path: domain }, to: { dependencyTypes: ["core"] } },
    room("machines-are-pure", "^machines/", [domain], "pure statecharts"),
    { name: "machines-have-no-io-and-no-effect", severity: "error", from: { path: "^machines/" }, to: { path: "node_modules/(effect|execa|pg|better-sqlite3|kysely)/" } },
    { name: "machines-have-no-node", severity: "error", from: { path: "^machines/" }, to: { dependencyTypes: ["core"] } },
    room("tmux-stands-alone", "^tmux/", [], "the terminal fabric knows nothing of ours"),
    room("ports-know-the-domain", ports, [domain], "narrow interfaces"),
    room("actors-run-charts", "^actors/", [domain, "^machines/", "^tmux/", ports], "what runs charts"),
    ...["store", "sources", "notify", "config"].map((folder) => port(folder)),
    // Our own agent and its adapter speak in one set of words; where a path ends has one owner.
    port("adapters", "^src/agent/protocol\\.ts$", "^src/sandbox/real-target\\.ts$"),
    // Which processes belong together has one owner, and it is the room that a terminal's processes need it in.
    port("process", "^tmux/"),
    // Three ports work on repositories that may be hostile; how git is run there has one owner.
    room("git-stands-alone", "^src/git/", [], "the safe way to run git"),
    // Checks and our own agent confine commands in the same way.
    room("sandbox-confines-commands", "^src/sandbox/", [domain, ports], "the probed ways to confine a command"),
    ...["workspaces", "publish"].map((folder) => port(folder, "^src/git/")),
    // What a change's hash is has one owner.
    room("receipts-are-signed-and-verified", "^src/receipts/", [domain, "^src/git/", "^src/workspaces/changes\\.ts$"], "the factory's key, the envelope, and how it is looked at"),
    port("verify", "^src/git/", "^src/sandbox/"),
    // Which checks a project brings has one owner, and so have the texts that models are told.
    room("agent-is-a-program-of-its-own", "^src/agent/", [domain, "^machines/", "^src/(git|sandbox)/", "^src/verify/discover\\.ts$", "^src/prompts/agent-words\\.ts$"], "our own agent, started like any CLI"),
    room("client-knows-the-contract", client, [domain, ports], "the contract and its transports"),
    room("cli-knows-the-client", "^src/cli/", [domain, client, "^src/(hud|mcp)/"], "commands are clients; the HUD and MCP are two of them"),
    room("gateway-serves-the-contract", "^src/gateway/", [domain, client], "REST, live stream and auth over the contract"),
    room("hud-knows-the-client", "^src/hud/", [domain, client], "the terminal dashboard is a client"),
    room("mcp-knows-the-client", "^src/mcp/", [domain, client], "tools over MCP are a client"),
    room("prompts-are-texts", "^src/prompts/", [domain, ports, client], "the texts of prompts, packaged skills and a project's own"),
    room("daemon-composes", "^src/daemon/", ["^src/(domain|ports|store|process|adapters|workspaces|sandbox|verify|sources|notify|config|publish|receipts|client|gateway|mcp|prompts)/", "^machines/", "^actors/", "^tmux/"], "composition root"),
    { name: "nobody-imports-the-bin", severity: "error", from: {}, to: { path: "^src/main\\.ts$" } },
    { name: "no-dev-dependency-in-the-product", severity: "error", from: { path: "^(src|machines|actors|tmux)/" }, to: { dependencyTypes: ["npm-dev"] } },
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    tsConfig: { fileName: "tsconfig.json" },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: { exportsFields: ["exports"], conditionNames: ["import", "node", "default", "types"] },
  },
};
