/**
 * Virtual addresses of a server (2.x mroute.c and the vhash of multi.c): IP hosts and CIDR networks
 * (iroute) in tun mode, MAC addresses with their VLAN in tap mode, each owned by one client. Look-up:
 * exact host, else the longest prefix.
 * Keys are 32-bit words, so that a look-up per packet allocates nothing; the last hit of each family
 * is tried first, since bulk traffic repeats its destination.
 *
 *   IPv4  w0                           prefix 32 for hosts
 *   IPv6  w0 w1 w2 w3                  prefix 128 for hosts
 *   ether MAC bytes 0-3 | MAC bytes 4-5, VLAN id        prefix 64
 *
 * A route whose client went away, or a cached one that aged, is dead: look-ups pass over it, but it
 * stays until it is removed, so that who learns the address next sees that it was known ("update").
 */
import { formatIp } from '../base/base.ts';

export type AddressFamily = 4 | 6 | 'ether';

/** One learned address or network. */
export interface VirtualRoute<T> {
  readonly family: AddressFamily;
  readonly words: readonly [number, number, number, number];
  /** 32, 128 or 64 for hosts. */
  readonly prefix: number;
  owner: T;
  /** Given as a network: its length is shown also where that is a host's. */
  network: boolean;
  /** A host found by a network of its owner; goes away when idle. Status files mark it with C. */
  cached: boolean;
  /** Last look-up, learning included. */
  lastRefMs: number;
  /** When it ended; undefined while it is in use. */
  deadMs: number | undefined;
}

/** What is to be learned. */
export interface RouteKey {
  readonly family: AddressFamily;
  readonly words: readonly number[];
  readonly prefix: number;
  /** From an iroute; see VirtualRoute. */
  readonly network?: boolean;
}

const HASH_SEED = 0x9e3779b1;
const HOST_PREFIX = { 4: 32, 6: 128, ether: 64 } as const;

export class VirtualTable<T> {
  /** Time that look-ups note; the data path sets it once a batch. */
  nowMs = 0;
  readonly #v4 = new FamilyTable<T>(4);
  readonly #v6 = new FamilyTable<T>(6);
  readonly #ether = new FamilyTable<T>('ether');
  readonly #counts = new Map<T, number>();

  /** Route of an IPv4 address given as a 32-bit number (signed or not). */
  find4(address: number): VirtualRoute<T> | undefined {
    return this.#v4.find(address | 0, 0, 0, 0, this.nowMs);
  }

  find6(w0: number, w1: number, w2: number, w3: number): VirtualRoute<T> | undefined {
    return this.#v6.find(w0, w1, w2, w3, this.nowMs);
  }

  /** Route of a MAC address: its first four bytes, and its last two above the VLAN id. */
  findEther(w0: number, w1: number): VirtualRoute<T> | undefined {
    return this.#ether.find(w0, w1, 0, 0, this.nowMs);
  }

  /** Adds, moves or revives; returns the live owner it had before. */
  learn(key: RouteKey, owner: T, cached = false): T | undefined {
    const table = this.#family(key.family);
    const known = table.exact(key.words, key.prefix);
    this.#count(owner, 1);
    table.forgetLast();
    if (!known) {
      table.add(key, owner, cached, this.nowMs);
      return undefined;
    }
    const before = known.deadMs === undefined ? known.owner : undefined;
    this.#count(known.owner, -1);
    known.owner = owner;
    known.network = key.network ?? false;
    known.cached = cached;
    known.lastRefMs = this.nowMs;
    known.deadMs = undefined;
    return before;
  }

  /** Whether exactly this host or network is in the table, dead ones included. */
  has(key: RouteKey): boolean {
    return this.#family(key.family).exact(key.words, key.prefix) !== undefined;
  }

  /** The live owner of exactly this host or network. */
  ownerOf(key: RouteKey): T | undefined {
    const route = this.#family(key.family).exact(key.words, key.prefix);
    return route?.deadMs === undefined ? route?.owner : undefined;
  }

  /** How many routes `owner` has. */
  countOf(owner: T): number {
    return this.#counts.get(owner) ?? 0;
  }

  /** Ends the routes that match; they stay until remove() or until learned again. Returns how many. */
  end(matches: (route: VirtualRoute<T>) => boolean): number {
    let ended = 0;
    for (const route of this.routes()) {
      if (route.deadMs !== undefined || !matches(route)) continue;
      route.deadMs = this.nowMs;
      ended++;
    }
    this.#forgetLast();
    return ended;
  }

  /** Takes the routes that match out of the table and returns them. */
  remove(matches: (route: VirtualRoute<T>) => boolean): VirtualRoute<T>[] {
    this.#forgetLast();
    const gone = [this.#v4, this.#v6, this.#ether].flatMap((table) => table.remove(matches));
    for (const route of gone) this.#count(route.owner, -1);
    return gone;
  }

  /** All routes, networks first, dead ones included. */
  *routes(): Iterable<VirtualRoute<T>> {
    yield* this.#v4.routes();
    yield* this.#v6.routes();
    yield* this.#ether.routes();
  }

  #family(family: AddressFamily): FamilyTable<T> {
    if (family === 'ether') return this.#ether;
    return family === 4 ? this.#v4 : this.#v6;
  }

  #forgetLast(): void {
    this.#v4.forgetLast();
    this.#v6.forgetLast();
    this.#ether.forgetLast();
  }

  #count(owner: T, change: number): void {
    const count = this.countOf(owner) + change;
    if (count > 0) this.#counts.set(owner, count);
    else this.#counts.delete(owner);
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

/** As learn-address, logs and status files show it: `10.8.0.2`, `192.168.77.0/24` (an iroute's `192.168.77.9/32`), `02:00:00:00:00:01@0`. */
export function routeText(route: RouteKey): string {
  if (route.family === 'ether') {
    const bytes = wordBytes(route.words, 6);
    return `${[...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(':')}@${route.words[1]! & 0xffff}`;
  }
  const address = formatIp(wordBytes(route.words, route.family === 4 ? 4 : 16));
  return isHostRoute(route) && !route.network ? address : `${address}/${route.prefix}`;
}

export function isHostRoute(route: RouteKey): boolean {
  return route.prefix === HOST_PREFIX[route.family];
}

/**
 * Why 2.x won't learn an address (mroute_learnable_address()), as it says it; undefined when it will.
 * Zeros are allowed for networks shorter than 8 bits only, group MAC addresses never.
 */
export function unlearnableReason(route: RouteKey): string | undefined {
  const words = route.words.slice(0, HOST_PREFIX[route.family] / 32);
  if (words.every((word) => word === 0) && (isHostRoute(route) || route.prefix >= 8)) {
    return 'network is all 0s, but netbits >= 8';
  }
  if (words.every((word) => (word | 0) === -1)) return 'network is all 1s';
  const group = route.family === 'ether' && (words[0]! & 0x01000000) !== 0;
  return group ? 'network is a multicast address' : undefined;
}

function wordBytes(words: readonly number[], length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let b = 0; b < length; b++) bytes[b] = (words[b >> 2]! >>> (24 - (b & 3) * 8)) & 0xff;
  return bytes;
}

class FamilyTable<T> {
  readonly #family: AddressFamily;
  readonly #hostPrefix: number;
  /** One hash table a prefix length in use, longest first; hosts are simply the longest prefix. */
  #tables: PrefixTable<T>[] = [];
  #last: VirtualRoute<T> | undefined;
  readonly #lastWords = new Int32Array(4);

  constructor(family: AddressFamily) {
    this.#family = family;
    this.#hostPrefix = HOST_PREFIX[family];
  }

  find(w0: number, w1: number, w2: number, w3: number, nowMs: number): VirtualRoute<T> | undefined {
    const last = this.#lastWords;
    if (this.#last && last[0] === w0 && last[1] === w1 && last[2] === w2 && last[3] === w3) {
      this.#last.lastRefMs = nowMs;
      return this.#last;
    }
    for (let t = 0; t < this.#tables.length; t++) {
      const route = this.#tables[t]!.find(w0, w1, w2, w3);
      if (!route || route.deadMs !== undefined) continue;
      route.lastRefMs = nowMs;
      this.#last = route;
      last[0] = w0;
      last[1] = w1;
      last[2] = w2;
      last[3] = w3;
      return route;
    }
    return undefined;
  }

  exact(words: readonly number[], prefix: number): VirtualRoute<T> | undefined {
    const table = this.#tables.find((candidate) => candidate.prefix === prefix);
    return table?.find(words[0]! | 0, words[1]! | 0, words[2]! | 0, words[3]! | 0);
  }

  add(key: RouteKey, owner: T, cached: boolean, nowMs: number): void {
    let table = this.#tables.find((candidate) => candidate.prefix === key.prefix);
    if (!table) {
      table = new PrefixTable<T>(this.#family, key.prefix);
      this.#tables = [...this.#tables, table].sort((a, b) => b.prefix - a.prefix);
    }
    table.add(key, owner, cached, nowMs);
  }

  forgetLast(): void {
    this.#last = undefined;
  }

  remove(matches: (route: VirtualRoute<T>) => boolean): VirtualRoute<T>[] {
    const gone = this.#tables.flatMap((table) => table.remove(matches));
    if (gone.length > 0) this.#tables = this.#tables.filter((table) => table.size > 0);
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
  readonly #family: AddressFamily;
  readonly #mask: readonly [number, number, number, number];
  #buckets: VirtualRoute<T>[][] = Array.from({ length: 64 }, () => []);
  size = 0;

  constructor(family: AddressFamily, prefix: number) {
    this.#family = family;
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

  add({ words, network = false }: RouteKey, owner: T, cached: boolean, nowMs: number): void {
    const m = this.#mask;
    const masked = [words[0]! & m[0], words[1]! & m[1], words[2]! & m[2], words[3]! & m[3]] as const;
    this.#insert({
      family: this.#family,
      words: masked,
      prefix: this.prefix,
      owner,
      network,
      cached,
      lastRefMs: nowMs,
      deadMs: undefined,
    });
    this.size++;
    if (this.size > this.#buckets.length * 2) this.#grow();
  }

  remove(matches: (route: VirtualRoute<T>) => boolean): VirtualRoute<T>[] {
    const gone: VirtualRoute<T>[] = [];
    for (const [index, bucket] of this.#buckets.entries()) {
      const leaving = bucket.filter(matches);
      if (leaving.length === 0) continue;
      gone.push(...leaving);
      this.#buckets[index] = bucket.filter((route) => !leaving.includes(route));
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
