/**
 * Virtual addresses of a tun server (2.x mroute.c and the vhash of multi.c): exact hosts and CIDR
 * networks (iroute), each owned by one client. Look-up: exact host, else the longest prefix.
 * Keys are 32-bit words, so that a look-up per packet allocates nothing; the last hit of each family
 * is tried first, since bulk traffic repeats its destination.
 */

/** One learned address or network, for status files and removal. */
export interface VirtualRoute<T> {
  readonly family: 4 | 6;
  readonly words: readonly [number, number, number, number];
  /** 32 or 128 for hosts. */
  readonly prefix: number;
  owner: T;
}

const HASH_SEED = 0x9e3779b1;

export class VirtualTable<T> {
  readonly #v4 = new FamilyTable<T>(4);
  readonly #v6 = new FamilyTable<T>(6);

  /** Owner of an IPv4 address given as a 32-bit number (signed or not). */
  find4(address: number): T | undefined {
    return this.#v4.find(address | 0, 0, 0, 0);
  }

  find6(w0: number, w1: number, w2: number, w3: number): T | undefined {
    return this.#v6.find(w0, w1, w2, w3);
  }

  /** Adds or moves a host or network; returns the owner it had before. */
  learn(family: 4 | 6, words: readonly number[], prefix: number, owner: T): T | undefined {
    return (family === 4 ? this.#v4 : this.#v6).learn(words, prefix, owner);
  }

  /** Whether exactly this host or network is known. */
  has(family: 4 | 6, words: readonly number[], prefix: number): boolean {
    return (family === 4 ? this.#v4 : this.#v6).exact(words, prefix) !== undefined;
  }

  /** Removes all routes of `owner` and returns them. */
  forget(owner: T): VirtualRoute<T>[] {
    return [...this.#v4.forget(owner), ...this.#v6.forget(owner)];
  }

  *routes(): Iterable<VirtualRoute<T>> {
    yield* this.#v4.routes();
    yield* this.#v6.routes();
  }
}

/** Splits 4 or 16 address bytes into four big-endian words. */
export function addressWords(bytes: Uint8Array): [number, number, number, number] {
  const words: [number, number, number, number] = [0, 0, 0, 0];
  for (let w = 0; w * 4 < bytes.length && w < 4; w++) {
    const b = w * 4;
    words[w] = (bytes[b]! << 24) | (bytes[b + 1]! << 16) | (bytes[b + 2]! << 8) | bytes[b + 3]!;
  }
  return words;
}

/** The bytes of a route's address: 4 or 16. */
export function routeBytes(route: { family: 4 | 6; words: readonly number[] }): Uint8Array {
  const bytes = new Uint8Array(route.family === 4 ? 4 : 16);
  for (let b = 0; b < bytes.length; b++) bytes[b] = (route.words[b >> 2]! >>> (24 - (b & 3) * 8)) & 0xff;
  return bytes;
}

class FamilyTable<T> {
  readonly #family: 4 | 6;
  readonly #hostPrefix: number;
  /** One hash table a prefix length in use, longest first; hosts are simply the longest prefix. */
  #tables: PrefixTable<T>[] = [];
  #last: VirtualRoute<T> | undefined;
  readonly #lastWords = new Int32Array(4);

  constructor(family: 4 | 6) {
    this.#family = family;
    this.#hostPrefix = family === 4 ? 32 : 128;
  }

  find(w0: number, w1: number, w2: number, w3: number): T | undefined {
    const last = this.#lastWords;
    if (this.#last && last[0] === w0 && last[1] === w1 && last[2] === w2 && last[3] === w3) {
      return this.#last.owner;
    }
    for (let t = 0; t < this.#tables.length; t++) {
      const route = this.#tables[t]!.find(w0, w1, w2, w3);
      if (!route) continue;
      this.#last = route;
      last[0] = w0;
      last[1] = w1;
      last[2] = w2;
      last[3] = w3;
      return route.owner;
    }
    return undefined;
  }

  exact(words: readonly number[], prefix: number): VirtualRoute<T> | undefined {
    const table = this.#tables.find((candidate) => candidate.prefix === prefix);
    return table?.find(words[0]! | 0, words[1]! | 0, words[2]! | 0, words[3]! | 0);
  }

  learn(words: readonly number[], prefix: number, owner: T): T | undefined {
    this.#last = undefined;
    const known = this.exact(words, prefix);
    if (known) {
      const before = known.owner;
      known.owner = owner;
      return before;
    }
    let table = this.#tables.find((candidate) => candidate.prefix === prefix);
    if (!table) {
      table = new PrefixTable<T>(prefix);
      this.#tables = [...this.#tables, table].sort((a, b) => b.prefix - a.prefix);
    }
    table.add(this.#family, words, owner);
    return undefined;
  }

  forget(owner: T): VirtualRoute<T>[] {
    this.#last = undefined;
    const gone = this.#tables.flatMap((table) => table.forget(owner));
    this.#tables = this.#tables.filter((table) => table.size > 0);
    return gone;
  }

  *routes(): Iterable<VirtualRoute<T>> {
    for (const table of this.#tables) if (table.prefix !== this.#hostPrefix) yield* table.routes();
    for (const table of this.#tables) if (table.prefix === this.#hostPrefix) yield* table.routes();
  }
}

/** A chained hash table of the routes of one prefix length. */
class PrefixTable<T> {
  readonly prefix: number;
  readonly #mask: readonly [number, number, number, number];
  #buckets: VirtualRoute<T>[][] = Array.from({ length: 64 }, () => []);
  size = 0;

  constructor(prefix: number) {
    this.prefix = prefix;
    this.#mask = [maskWord(prefix), maskWord(prefix - 32), maskWord(prefix - 64), maskWord(prefix - 96)];
  }

  find(w0: number, w1: number, w2: number, w3: number): VirtualRoute<T> | undefined {
    const m = this.#mask;
    const a = w0 & m[0];
    const b = w1 & m[1];
    const c = w2 & m[2];
    const d = w3 & m[3];
    const bucket = this.#buckets[hashWords(a, b, c, d) & (this.#buckets.length - 1)]!;
    for (let i = 0; i < bucket.length; i++) {
      const w = bucket[i]!.words;
      if (w[0] === a && w[1] === b && w[2] === c && w[3] === d) return bucket[i];
    }
    return undefined;
  }

  add(family: 4 | 6, words: readonly number[], owner: T): void {
    const m = this.#mask;
    const masked = [words[0]! & m[0], words[1]! & m[1], words[2]! & m[2], words[3]! & m[3]] as const;
    this.#insert({ family, words: masked, prefix: this.prefix, owner });
    this.size++;
    if (this.size > this.#buckets.length * 2) this.#grow();
  }

  forget(owner: T): VirtualRoute<T>[] {
    const gone: VirtualRoute<T>[] = [];
    for (const [index, bucket] of this.#buckets.entries()) {
      if (!bucket.some((route) => route.owner === owner)) continue;
      gone.push(...bucket.filter((route) => route.owner === owner));
      this.#buckets[index] = bucket.filter((route) => route.owner !== owner);
    }
    this.size -= gone.length;
    return gone;
  }

  *routes(): Iterable<VirtualRoute<T>> {
    for (const bucket of this.#buckets) yield* bucket;
  }

  #insert(route: VirtualRoute<T>): void {
    const [a, b, c, d] = route.words;
    this.#buckets[hashWords(a, b, c, d) & (this.#buckets.length - 1)]!.push(route);
  }

  #grow(): void {
    const all = [...this.routes()];
    this.#buckets = Array.from({ length: this.#buckets.length * 4 }, () => []);
    for (const route of all) this.#insert(route);
  }
}

function maskWord(bits: number): number {
  if (bits <= 0) return 0;
  return bits >= 32 ? -1 : ~((1 << (32 - bits)) - 1);
}

function hashWords(a: number, b: number, c: number, d: number): number {
  let hash = HASH_SEED;
  hash = Math.imul(hash ^ a, 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13) ^ b, 0xc2b2ae35);
  hash = Math.imul(hash ^ (hash >>> 13) ^ c, 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13) ^ d, 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}
