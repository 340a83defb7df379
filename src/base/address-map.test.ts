import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ADDRESS_WORDS } from './address.ts';
import { AddressMap } from './address-map.ts';

/** Enough for several addresses to share one hash of 31 bits. */
const MANY = 200_000;

function address(...words: number[]): Int32Array {
  return Int32Array.from({ length: ADDRESS_WORDS }, (_, i) => words[i] ?? 0);
}

describe('AddressMap', () => {
  it('finds each of many addresses, also those that share a hash, until it is taken out', () => {
    const map = new AddressMap<number>(0x1234567);
    for (let i = 0; i < MANY; i++) map.set(address(6, 1194, 0x20010db8, 0, i >>> 8, i * 7), 0, i);
    const wrong: number[] = [];
    for (let i = 0; i < MANY; i++) {
      const key = address(6, 1194, 0x20010db8, 0, i >>> 8, i * 7);
      if (map.get(key, 0) !== i) wrong.push(i);
      if (i % 2 === 0) map.delete(key, 0);
    }
    for (let i = 0; i < MANY; i++) {
      const expected = i % 2 === 0 ? undefined : i;
      if (map.get(address(6, 1194, 0x20010db8, 0, i >>> 8, i * 7), 0) !== expected) wrong.push(i);
    }
    expect(wrong).toEqual([]);
  });

  it('agrees with a Map of texts; scope and via are no part of the key', () => {
    const word = fc.integer({ min: 0, max: 2 });
    const key = fc.tuple(fc.constantFrom(4, 6), word, word, word, word, word);
    fc.assert(
      fc.property(fc.integer(), fc.array(fc.tuple(fc.boolean(), key)), (seed, steps) => {
        const map = new AddressMap<string>(seed);
        const model = new Map<string, string>();
        for (const [add, words] of steps) {
          const slots = new Int32Array(2 * ADDRESS_WORDS);
          slots.set(words, ADDRESS_WORDS);
          slots[ADDRESS_WORDS + 6] = model.size;
          const text = words.join();
          if (add) {
            map.set(slots, 1, text);
            model.set(text, text);
          } else {
            map.delete(slots, 1);
            model.delete(text);
          }
          expect(map.get(slots, 1)).toBe(model.get(text));
        }
        for (const text of model.keys())
          expect(map.get(address(...text.split(',').map(Number)), 0)).toBe(text);
      }),
    );
  });
});
