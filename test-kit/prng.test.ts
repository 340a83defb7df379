/** Tests of the seeded generator: same seed, same row; values stay in range and spread. */
import { describe, expect, it } from 'vitest';
import { createPrng } from './prng.ts';

describe('createPrng', () => {
  it('gives the same row for the same seed and another for another seed', () => {
    expect(row(7)).toEqual(row(7));
    expect(row(7)).not.toEqual(row(8));
  });

  it('stays in [0, 1) with a mean near one half', () => {
    const values = row(1, 10_000);
    expect(Math.min(...values)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...values)).toBeLessThan(1);
    expect(values.reduce((a, b) => a + b, 0) / values.length).toBeCloseTo(0.5, 1);
  });
});

function row(seed: number, count = 8): number[] {
  const next = createPrng(seed);
  return Array.from({ length: count }, next);
}
