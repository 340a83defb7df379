import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['src', 'test-kit', 'fuzz', 'examples', 'scripts'].map((folder) => `${folder}/**/*.test.ts`),
    testTimeout: 20_000,
  },
});
