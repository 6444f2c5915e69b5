/** Finds the line on which each turn and each of its steps begins, which a TOML parser does not tell. Expects text that parses. */

export interface TurnPlace { readonly line: number; readonly steps: readonly number[] }

const tripleQuotes = ['"""', "'''"];

export const locate = (toml: string): readonly TurnPlace[] => {
  const turns: { line: number; steps: number[] }[] = [];
  let line = 1;
  let depth = 0;
  /** Depth of the brackets directly inside of which a `{` is a step; 0 while in no `steps = [`. */
  let stepsDepth = 0;

  const skipString = (from: number): number => {
    const quote = toml.slice(from, from + 3);
    const fence = tripleQuotes.includes(quote) ? quote : (toml[from] ?? "");
    let at = from + fence.length;
    while (at < toml.length && !toml.startsWith(fence, at)) {
      if (toml[at] === "\\" && fence.startsWith('"')) at++;
      if (toml[at] === "\n") line++;
      at++;
    }
    at += fence.length;
    // Up to two quotes may stand right before a closing fence.
    while (fence.length === 3 && toml[at] === fence[0]) at++;
    return at;
  };

  for (let at = 0; at < toml.length;) {
    const lineStart = at === 0 || toml[at - 1] === "\n";
    if (lineStart && depth === 0) {
      const rest = toml.slice(at, at + 200);
      const header = /^[ \t]*\[\[\s*turn\s*(\.\s*steps\s*)?\]\]/.exec(rest);
      if (header) {
        if (header[1] === undefined) turns.push({ line, steps: [] });
        else turns.at(-1)?.steps.push(line);
        at += header[0].length;
        continue;
      }
      if (/^[ \t]*steps[ \t]*=/.test(rest)) stepsDepth = 1;
    }
    const c = toml[at];
    if (c === '"' || c === "'") {
      at = skipString(at);
      continue;
    }
    if (c === "#") {
      while (at < toml.length && toml[at] !== "\n") at++;
      continue;
    }
    if (c === "{" && stepsDepth > 0 && depth === stepsDepth) turns.at(-1)?.steps.push(line);
    if (c === "[" || c === "{") depth++;
    if (c === "]" || c === "}") depth--;
    if (depth === 0 && c === "]") stepsDepth = 0;
    if (c === "\n") line++;
    at++;
  }
  return turns;
};
