import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["tests/**/*.test.ts"],
    exclude: ["tests/clis/**", "tests/sweep/**"],
    globalSetup: ["tests/support/bundled.ts"],
    pool: "forks",
    // The tests wait for real processes most of their time: one worker (the default on two cores) leaves the machine idle.
    maxWorkers: Math.max(3, availableParallelism()),
    // Guards against hanging, not measures: files run beside each other on a machine that may be busy.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    // The default, 50 ms, keeps a core busy with looking.
    expect: { poll: { interval: 200 } },
  },
});
