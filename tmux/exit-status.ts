import { constants } from "node:os";

const signalNames = new Map(Object.entries(constants.signals).map(([name, number]) => [number, name]));

/** sh reports death by signal N as 128 + N; a program that exits with such a code by itself (as CLIs do on a caught signal) reads the same. */
export const shellStatus = (status: number): { readonly code: number | null; readonly signal: string | null } => {
  const signal = status > 128 ? signalNames.get(status - 128) : undefined;
  return signal === undefined ? { code: status, signal: null } : { code: null, signal };
};
