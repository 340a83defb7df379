/**
 * A table keyed by address words (family, address and port; see address.ts). Looking up makes nothing: a Map over a
 * hash of 31 bits, whose entries of one hash form a chain. The hash is seeded, so that nobody can choose addresses
 * that share one.
 */
import { ADDRESS_WORDS, sameAddressWords } from './address.ts';

interface Entry<T> {
  readonly words: Int32Array;
  value: T;
  next: Entry<T> | undefined;
}

export class AddressMap<T> {
  readonly #seed: number;
  readonly #chains = new Map<number, Entry<T>>();

  /** `seed`: 32 bits that nobody can guess. */
  constructor(seed: number) {
    this.#seed = seed | 0;
  }

  get(words: Int32Array, slot: number): T | undefined {
    let entry = this.#chains.get(this.#hash(words, slot));
    while (entry && !sameAddressWords(entry.words, 0, words, slot)) entry = entry.next;
    return entry?.value;
  }

  set(words: Int32Array, slot: number, value: T): void {
    const hash = this.#hash(words, slot);
    const first = this.#chains.get(hash);
    for (let entry = first; entry; entry = entry.next) {
      if (!sameAddressWords(entry.words, 0, words, slot)) continue;
      entry.value = value;
      return;
    }
    const own = words.slice(slot * ADDRESS_WORDS, (slot + 1) * ADDRESS_WORDS);
    this.#chains.set(hash, { words: own, value, next: first });
  }

  delete(words: Int32Array, slot: number): void {
    const hash = this.#hash(words, slot);
    let before: Entry<T> | undefined;
    for (let entry = this.#chains.get(hash); entry; before = entry, entry = entry.next) {
      if (!sameAddressWords(entry.words, 0, words, slot)) continue;
      if (before) before.next = entry.next;
      else if (entry.next) this.#chains.set(hash, entry.next);
      else this.#chains.delete(hash);
      return;
    }
  }

  /** Murmur3's mixing over the six words; 31 bits, which V8 keeps without an object. */
  #hash(words: Int32Array, slot: number): number {
    const base = slot * ADDRESS_WORDS;
    let hash = this.#seed;
    for (let w = 0; w < 6; w++) {
      const mixed = Math.imul(words[base + w]!, 0xcc9e2d51);
      hash ^= Math.imul((mixed << 15) | (mixed >>> 17), 0x1b873593);
      hash = (Math.imul((hash << 13) | (hash >>> 19), 5) + 0xe6546b64) | 0;
    }
    hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
    hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
    return (hash ^ (hash >>> 16)) >>> 1;
  }
}
