import type { AnyMachineSnapshot } from "xstate";

/** One abstract state with the first concrete state that showed it, and how it was reached (`parent` undefined: from an input). */
export interface Node { readonly snapshot: AnyMachineSnapshot; readonly parent: number | undefined; readonly by: string; readonly rest: boolean }

/** The explored space. The edge of node `n` by event `e` ends in `targets[n * eventCount + e]`. */
export interface Graph { readonly nodes: Node[]; readonly eventCount: number; readonly targets: number[] }

/** For each node: does some sequence of these events (indexes into the alphabet) lead to a rest state? */
export const backwards = (graph: Graph, events: readonly number[]): readonly boolean[] => {
  const into: number[][] = graph.nodes.map(() => []);
  graph.nodes.forEach((_, from) => {
    for (const e of events) {
      const to = graph.targets[from * graph.eventCount + e];
      if (to !== undefined && to !== from) into[to]?.push(from);
    }
  });
  const ok = graph.nodes.map(({ rest }) => rest);
  const queue = graph.nodes.flatMap(({ rest }, at) => (rest ? [at] : []));
  for (let at = queue.pop(); at !== undefined; at = queue.pop())
    for (const from of into[at] ?? []) if (!ok[from]) { ok[from] = true; queue.push(from); }
  return ok;
};
