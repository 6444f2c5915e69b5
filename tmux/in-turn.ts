/** One after the other, per key: work of different keys runs side by side, a failed one does not hold up the next. */
export const inTurn = () => {
  const last = new Map<string, Promise<unknown>>();
  return <A>(key: string, work: () => Promise<A>): Promise<A> => {
    const mine = (last.get(key) ?? Promise.resolve()).then(work, work);
    last.set(key, mine);
    const forget = (): void => {
      if (last.get(key) === mine) last.delete(key);
    };
    mine.then(forget, forget);
    return mine;
  };
};
