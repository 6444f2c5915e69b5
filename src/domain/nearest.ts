/** Edits (insert, delete, replace, swap of neighbours) between two words; letters' case costs nothing. */
export const editDistance = (left: string, right: string): number => {
  const a = left.toLowerCase();
  const b = right.toLowerCase();
  let before: number[] = [];
  let above = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row += 1) {
    const current = [row];
    for (let column = 1; column <= b.length; column += 1) {
      const same = a[row - 1] === b[column - 1];
      let cost = Math.min((above[column] ?? 0) + 1, (current[column - 1] ?? 0) + 1, (above[column - 1] ?? 0) + (same ? 0 : 1));
      if (row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1]) cost = Math.min(cost, (before[column - 2] ?? 0) + 1);
      current.push(cost);
    }
    before = above;
    above = current;
  }
  return above[b.length] ?? 0;
};

/** The candidate with the fewest edits, and how many. */
export const nearest = (word: string, candidates: readonly string[]): { readonly name: string; readonly edits: number } | undefined => {
  let best: { readonly name: string; readonly edits: number } | undefined;
  for (const name of candidates) {
    const edits = editDistance(word, name);
    if (best === undefined || edits < best.edits) best = { name, edits };
  }
  return best;
};

/** Few enough edits to be a slip of the finger rather than another word. */
export const isSlip = (word: string, edits: number): boolean => edits <= Math.max(1, Math.floor(word.length / 3));
