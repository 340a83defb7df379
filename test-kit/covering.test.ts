/** Tests of the pairwise designs: every pair is there, the design is short, and it is the same each time. */
import { describe, expect, it } from 'vitest';
import { coveringCases, fullProduct, pairsOf } from './covering.ts';

const DIMENSIONS = { a: [1, 2], b: ['x', 'y', 'z'], c: [true, false], d: [1, 2, 3, 4] };

describe('coveringCases', () => {
  it('covers every pair of values that the full product holds', () => {
    const wanted = new Set(fullProduct(DIMENSIONS).flatMap((one) => pairsOf(one)));
    const found = new Set(coveringCases(DIMENSIONS).flatMap((one) => pairsOf(one)));
    expect(found).toEqual(wanted);
  });

  it('is much shorter than the full product', () => {
    expect(fullProduct(DIMENSIONS)).toHaveLength(48);
    expect(coveringCases(DIMENSIONS).length).toBeLessThanOrEqual(18);
  });

  it('gives the same cases for the same seed', () => {
    expect(coveringCases(DIMENSIONS, 5)).toEqual(coveringCases(DIMENSIONS, 5));
  });
});
