import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    // compat-tests/native/ needs root and has a configuration of its own.
    include: [
      ...['src', 'test-kit', 'fuzz', 'examples', 'scripts'].map((folder) => `${folder}/**/*.test.ts`),
      'compat-tests/*.test.ts',
    ],
    // One fewer by default, which on two processors is half of the machine.
    maxWorkers: availableParallelism(),
    testTimeout: 60_000,
  },
});
