import { defineConfig } from "vitest/config";

/** The real CLIs are heavy and mostly wait: two files at a time, one test of a file after the other. */
export default defineConfig({
  test: { include: ["tests/clis/**/*.test.ts"], pool: "forks", maxWorkers: 2, maxConcurrency: 6, testTimeout: 120_000, hookTimeout: 120_000 },
});
