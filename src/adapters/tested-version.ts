const numbers = (version: string): readonly number[] => version.split(".").map(Number);

/** Is this version, `1.2.3`, older than the one that the contract suite runs? A newer one is welcome: what it says and we do not know is passed over. */
export const olderThan = (tested: string, version: string): boolean => {
  const [have, want] = [numbers(version), numbers(tested)];
  const differs = want.findIndex((part, n) => part !== have[n]);
  return differs >= 0 && (have[differs] ?? 0) < (want[differs] ?? 0);
};
