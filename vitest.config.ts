import { defineConfig } from "vitest/config";

// Tests run against the sources (condition "source"), in forked processes: native modules and real sockets.
export default defineConfig({
  ssr: { resolve: { conditions: ["source", "node", "import", "default"] } },
  resolve: { conditions: ["source", "node", "import", "default"] },
  test: {
    include: ["{gateway,cli,sdk,runner,migrations,scripts,test}/**/*.test.ts"],
    exclude: ["**/node_modules/**", "**/dist/**", "**/soak/**"],
    pool: "forks",
    // Many tests wait for a time-out or another process: one worker more than small machines have cores.
    maxWorkers: 3,
    testTimeout: 30_000,
    hookTimeout: 60_000,
    coverage: {
      provider: "v8",
      include: ["gateway/src/**", "cli/src/**", "sdk/src/**"],
      exclude: ["**/*.test.ts"],
      reporter: ["text-summary"],
    },
  },
});
