/** Vitest for the tests of native backends, which need root: run by scripts/native-tests.mjs in a namespace. */
import { defineConfig } from 'vitest/config';

/** Tests of the native devices; scripts/native-tests.mjs runs them inside a namespace of their own. */
export default defineConfig({
  test: { include: ['compat-tests/native/*.test.ts'], testTimeout: 20_000, fileParallelism: false },
});
