import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    // compat-tests/native/ needs root and has a configuration of its own.
    include: [
      ...['src', 'test-kit', 'fuzz', 'examples', 'scripts'].map((folder) => `${folder}/**/*.test.ts`),
      'compat-tests/*.test.ts',
    ],
    testTimeout: 20_000,
  },
});
