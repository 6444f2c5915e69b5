/**
 * Some of many cases, others each time: a run of the suite takes a sample, `npm run test:full` (ENACT_SWEEP) all of them.
 * The day chooses, so that a failing run can be repeated on the same day; ENACT_SAMPLE=N is another day.
 */
export const sampled = <T>(cases: readonly T[], count: number): T[] => {
  if (process.env["ENACT_SWEEP"] !== undefined) return [...cases];
  const day = Number(process.env["ENACT_SAMPLE"] ?? Math.floor(Date.now() / 86_400_000));
  return Array.from({ length: Math.min(count, cases.length) }, (_, n) => cases[(day * count + n) % cases.length]).flatMap((each) => (each === undefined ? [] : [each]));
};
