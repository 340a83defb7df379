/**
 * Pairwise covering designs: a short list of cases in which every pair of values of any two properties
 * occurs at least once. Greedy choice among seeded random candidates (the method of AETG), so the same
 * seed gives the same cases on every run and machine.
 */
import { createPrng } from './prng.ts';

/** Property name to its possible values. */
export type Dimensions<T> = { readonly [K in keyof T]: readonly T[K][] };

const CANDIDATES = 60;

/** Cases that cover every pair of values. The full product is `fullProduct`. */
export function coveringCases<T extends object>(dimensions: Dimensions<T>, seed = 1): T[] {
  const names = Object.keys(dimensions) as (keyof T)[];
  const random = createPrng(seed);
  const missing = allPairs(dimensions, names);
  const cases: T[] = [];
  while (missing.size > 0) {
    const best = bestCandidate(dimensions, names, missing, random);
    for (const pair of pairsOf(best, names)) missing.delete(pair);
    cases.push(best);
  }
  return cases;
}

/** Every combination of values. */
export function fullProduct<T extends object>(dimensions: Dimensions<T>): T[] {
  const names = Object.keys(dimensions) as (keyof T)[];
  return names.reduce<Partial<T>[]>(
    (partial, name) => partial.flatMap((one) => dimensions[name].map((value) => ({ ...one, [name]: value }))),
    [{}],
  ) as T[];
}

/** Names of all value pairs in a case, comparable between cases. */
export function pairsOf<T extends object>(one: T, names = Object.keys(one) as (keyof T)[]): string[] {
  return names.flatMap((a, i) =>
    names.slice(i + 1).map((b) => `${pairHalf(a, one[a])}|${pairHalf(b, one[b])}`),
  );
}

function allPairs<T extends object>(dimensions: Dimensions<T>, names: readonly (keyof T)[]): Set<string> {
  const pairs = new Set<string>();
  names.forEach((a, i) => {
    for (const b of names.slice(i + 1)) {
      for (const va of dimensions[a]) {
        for (const vb of dimensions[b]) pairs.add(`${pairHalf(a, va)}|${pairHalf(b, vb)}`);
      }
    }
  });
  return pairs;
}

/** The candidate that covers most missing pairs; repeats until one covers at least one. */
function bestCandidate<T extends object>(
  dimensions: Dimensions<T>,
  names: (keyof T)[],
  missing: ReadonlySet<string>,
  random: () => number,
): T {
  let best: T | undefined;
  let bestGain = 0;
  for (let tries = 0; tries < CANDIDATES || best === undefined; tries++) {
    const candidate = {} as T;
    for (const name of names) {
      const values = dimensions[name];
      candidate[name] = values[Math.floor(random() * values.length)]!;
    }
    const gain = pairsOf(candidate, names).filter((pair) => missing.has(pair)).length;
    if (gain > bestGain) [best, bestGain] = [candidate, gain];
  }
  return best;
}

function pairHalf(name: PropertyKey, value: unknown): string {
  return `${String(name)}=${String(value)}`;
}
