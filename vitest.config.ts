// How tests run: from the sources, by the names that users import, in processes of their own.
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const root = fileURLToPath(new URL(".", import.meta.url));

export default defineConfig({
  resolve: {
    alias: [
      { find: /^tidemark$/, replacement: `${root}runtime/index.ts` },
      { find: /^tidemark\/testing$/, replacement: `${root}runtime/testing.ts` },
      { find: /^tidemark\/connectors\/([a-z0-9-]+)$/, replacement: `${root}connectors/$1/index.ts` },
      { find: /^tidemark\/checkpoints\/([a-z0-9-]+)$/, replacement: `${root}checkpoints/$1.ts` },
    ],
  },
  test: {
    include: ["test/**/*.test.ts"],
    globalSetup: ["test/servers/global-setup.ts"],
    pool: "forks",
    // Mostly they wait for servers: as many as there are cores leave time for these.
    maxWorkers: 2,
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});
