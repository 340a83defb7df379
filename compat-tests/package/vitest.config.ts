/** Vitest for the package that `npm pack` makes: a stage of its own in npm test, since it needs the npm registry and minutes. */
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['compat-tests/package/*.test.ts'],
    testTimeout: 300_000,
    hookTimeout: 1_200_000,
    fileParallelism: false,
  },
});
