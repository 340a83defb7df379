/**
 * Seeded random numbers for tests: the same seed gives the same losses, orders and bytes on every run.
 * The generator is mulberry32 (32-bit state); good enough for choices, never for keys.
 */

/** Returns a function that gives numbers in [0, 1). */
export function createPrng(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000;
  };
}
