/** A turn that works is told of what its CLI, kept from the repository's own settings, does not read by itself any more. */
export const readAgentsFiles = "\n\nThe project's own instructions for agents are in files called AGENTS.md. Before you begin, read the one in this directory, if it is there, and those in directories where you change something.";
