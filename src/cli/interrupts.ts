/**
 * Ctrl-C, a closed terminal and a polite kill, while something runs. The first asks it to stop, the second leaves at once.
 *
 * I1 Without a listener of ours the signals keep their usual meaning.
 */
export interface Interrupts {
  /** Aborts with the signal's name at the first signal. */
  readonly first: AbortSignal;
  /** Aborts at the second. */
  readonly second: AbortSignal;
  readonly [Symbol.dispose]: () => void;
}

const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
/** 128 + the number of the signal, as shells have it. */
export const codeOf = (signal: unknown): number => (signal === "SIGTERM" ? 143 : signal === "SIGHUP" ? 129 : 130);

export const listenForInterrupts = ({ hangUp }: { /** A closed terminal is no wish to stop. */ readonly hangUp?: "ignore" } = {}): Interrupts => {
  const first = new AbortController();
  const second = new AbortController();
  const listeners = signals.map((signal) => {
    const listener = signal === "SIGHUP" && hangUp === "ignore" ? (): void => {} : (): void => (first.signal.aborted ? second : first).abort(signal);
    process.on(signal, listener);
    return () => process.off(signal, listener);
  });
  return { first: first.signal, second: second.signal, [Symbol.dispose]: () => listeners.forEach((stop) => stop()) };
};
