/** How much of a tool's call and of its output an event carries; the run's log has the rest. Characters. */
const summaryLimit = 200;
const outputLimit = 4_000;

export const firstLine = (text: string): string => {
  const line = text.trim().split("\n", 1)[0] ?? "";
  return line.length > summaryLimit ? `${line.slice(0, summaryLimit - 1)}…` : line;
};

/** The end of a tool's output: errors stand there. */
export const toolOutput = (text: string): string => text.length > outputLimit ? `…${text.slice(-(outputLimit - 1))}` : text;
