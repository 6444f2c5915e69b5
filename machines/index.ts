import type { CatalogEntry } from "./catalog.ts";

/** Every chart of the house, by id. */
export const catalog: readonly CatalogEntry[] = [];
