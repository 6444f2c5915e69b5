/** What a benchmark tells: one line for people, one object for `--json`. */
export interface Figure {
  readonly what: string;
  readonly value: number;
  readonly unit: string;
  /** Against the baseline named, measured in the same run, rounds alternating. */
  readonly ratio?: { readonly of: number; readonly to: string };
  /** A row of DESIGN §11: the limit in its words, and whether this run kept it. */
  readonly budget?: { readonly text: string; readonly met: boolean };
  /** What helps to read the figure. */
  readonly note?: string;
}

export const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;

/** Milliseconds of CPU, user and system, of this whole process (threads and garbage collector included) while `work` ran. */
export const cpuMs = async (work: () => void | Promise<void>): Promise<number> => {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000;
};

export const atMost = (value: number, limit: number, unit: string): NonNullable<Figure["budget"]> => ({ text: `at most ${limit} ${unit}`, met: value <= limit });
export const atLeast = (value: number, limit: number, unit: string): NonNullable<Figure["budget"]> => ({ text: `at least ${limit} ${unit}`, met: value >= limit });

/** The last line of a benchmark's output, which `run.ts` reads. */
export const report = (figures: readonly Figure[]): void => { process.stdout.write(`${JSON.stringify(figures)}\n`); };
