/**
 * The server's address pool (2.x pool.c). One handle is one client: an IPv4 address (or a /30 in
 * net30) and, with an IPv6 pool, base + handle. A released handle remembers its common name, so that
 * the client gets the same addresses when it returns; the one free longest is given away first. With
 * duplicate-cn names aren't remembered, and the lowest free one is given away first.
 *
 *   net30: handle n owns base+4n .. base+4n+3; server side is +1, client side is +2
 *   individual (subnet, p2p): handle n is start+n
 */
import { OpenVpnError } from '../base/base.ts';
import { LowestFree } from './lowest-free.ts';

export interface PoolConfig {
  /** undefined = no IPv4 pool. Addresses as unsigned 32-bit numbers, both ends included. */
  readonly ipv4?: { readonly type: 'net30' | 'individual'; readonly start: number; readonly end: number };
  /** 16 bytes of the first address to hand out, and the length of its network. */
  readonly ipv6?: { readonly base: Uint8Array; readonly netbits: number };
  /** Same common name may hold several handles: names are not remembered. */
  readonly duplicateCn: boolean;
}

export interface PoolLease {
  readonly handle: number;
  /** Client's address, unsigned 32-bit. */
  readonly remote4: number | undefined;
  /** Server's end, net30 only. */
  readonly local4: number | undefined;
  /** Client's address, 16 bytes. */
  readonly remote6: Uint8Array | undefined;
}

/** 2.x IFCONFIG_POOL_MAX. */
const POOL_MAX = 65536;
/** Networks as small as this have fewer addresses than that. */
const SMALL_NETBITS = 112;
const MIN_SIZE = 2;

/** An address that somebody has or had. */
interface PoolEntry {
  commonName: string | undefined;
  inUse: boolean;
  /** From ifconfig-pool-persist: never given to another name. */
  readonly fixed: boolean;
}

export class IfconfigPool {
  readonly #config: PoolConfig;
  /** First address of the IPv4 pool, of its first /30 in net30. */
  readonly base4: number;
  /** Clients that each family has addresses for; undefined without a pool of that family. */
  readonly size4: number | undefined;
  readonly size6: number | undefined;
  readonly base6: Uint8Array | undefined;
  readonly size: number;
  /** By handle; what isn't here was never used. */
  readonly #entries = new Map<number, PoolEntry>();
  /** Handles that remember a name, lowest first. */
  readonly #byName = new Map<string, number[]>();
  /** Released handles that anybody may have, the one free longest first. */
  #free = new Set<number>();
  /** Handles of names from a file: free since before anything was released. */
  #restored: number[] = [];
  /** Of handles that were never used; with duplicateCn of all that are free. */
  readonly #lowest = new LowestFree();

  /** Throws OpenVpnError for a pool of less than two addresses, as 2.x does. */
  constructor(config: PoolConfig) {
    this.#config = config;
    const { ipv4, ipv6 } = config;
    this.base4 = ipv4 ? (ipv4.type === 'net30' ? (ipv4.start & ~3) >>> 0 : ipv4.start) : 0;
    this.size4 = ipv4 && size4(ipv4, this.base4);
    this.base6 = ipv6 && usableBase(ipv6);
    this.size6 = ipv6 && size6(this.base6!, ipv6.netbits);
    checkSize('IPv4', this.size4);
    checkSize('IPv6', this.size6);
    this.size = Math.min(this.size4 ?? POOL_MAX, this.size6 ?? POOL_MAX, POOL_MAX);
  }

  /** Addresses for a client, or undefined when the pool is exhausted. */
  acquire(commonName: string | undefined): PoolLease | undefined {
    const { duplicateCn } = this.#config;
    const name = duplicateCn ? undefined : commonName;
    if (this.#restored.length > 0) this.#queueRestored();
    const handle = duplicateCn ? this.#lowestFree() : this.#freeOf(name);
    return handle === undefined ? undefined : this.#take(handle, name);
  }

  release(handle: number): void {
    const entry = this.#entries.get(handle);
    if (!entry?.inUse) return;
    entry.inUse = false;
    if (this.#config.duplicateCn) this.#lowest.release(handle);
    else if (!entry.fixed) this.#free.add(handle);
  }

  /** Binds a name read from an ifconfig-pool-persist file to a handle of handleOf4() or handleOf6(), before the first acquire(). */
  restore(handle: number, commonName: string, fixed: boolean): void {
    if (this.#inside(handle) < 0) return;
    this.#unbind(handle);
    this.#entries.set(handle, { commonName: undefined, inUse: false, fixed });
    this.#bind(handle, commonName);
    this.#restored.push(handle);
  }

  /** The handle that has this IPv4 address, in net30 any of its /30; -1 when it is outside. */
  handleOf4(address: number): number {
    const { ipv4 } = this.#config;
    if (!ipv4) return -1;
    const offset = address - this.base4;
    return this.#inside(ipv4.type === 'net30' ? Math.floor(offset / 4) : offset);
  }

  /** The handle that has this IPv6 address of 16 bytes; -1 when it is outside. */
  handleOf6(address: Uint8Array): number {
    const base = this.base6;
    if (!base) return -1;
    for (let b = 0; b < 12; b++) if (address[b] !== base[b]) return -1;
    return this.#inside(lowWord(address) - lowWord(base));
  }

  /** All remembered names with their addresses, for ifconfig-pool-persist. */
  *remembered(): Iterable<{ readonly commonName: string; readonly lease: PoolLease }> {
    for (const handle of [...this.#entries.keys()].sort(byNumber)) {
      const { commonName } = this.#entries.get(handle)!;
      if (commonName !== undefined) yield { commonName, lease: this.#lease(handle) };
    }
  }

  #take(handle: number, name: string | undefined): PoolLease {
    this.#free.delete(handle);
    const entry = this.#entries.get(handle);
    if (entry) entry.inUse = true;
    else this.#entries.set(handle, { commonName: undefined, inUse: true, fixed: false });
    if (name === undefined) this.#unbind(handle);
    else this.#bind(handle, name);
    return this.#lease(handle);
  }

  #lowestFree(): number | undefined {
    const handle = this.#lowest.find((each) => this.#entries.get(each)?.inUse === true);
    return handle < this.size ? handle : undefined;
  }

  /** The one that the name had before, else one that nobody had yet, else the one free longest. */
  #freeOf(name: string | undefined): number | undefined {
    const earlier = name === undefined ? undefined : this.#byName.get(name);
    const own = earlier?.find((handle) => !this.#entries.get(handle)!.inUse);
    if (own !== undefined) return own;
    const unused = this.#lowest.find((handle) => this.#entries.has(handle));
    return unused < this.size ? unused : this.#free.values().next().value;
  }

  /** Names of a file count as released before all others, the lowest handle first. */
  #queueRestored(): void {
    const free = this.#restored.sort(byNumber).filter((handle) => !this.#entries.get(handle)!.fixed);
    this.#free = new Set([...free, ...this.#free]);
    this.#restored = [];
  }

  #bind(handle: number, commonName: string): void {
    const entry = this.#entries.get(handle)!;
    if (entry.commonName === commonName) return;
    this.#unbind(handle);
    entry.commonName = commonName;
    const handles = this.#byName.get(commonName);
    if (handles) handles.push(handle);
    else this.#byName.set(commonName, [handle]);
    handles?.sort(byNumber);
  }

  /** The name that the handle remembers goes to another handle from now on. */
  #unbind(handle: number): void {
    const name = this.#entries.get(handle)?.commonName;
    if (name === undefined) return;
    this.#entries.get(handle)!.commonName = undefined;
    const others = this.#byName.get(name)!.filter((other) => other !== handle);
    if (others.length === 0) this.#byName.delete(name);
    else this.#byName.set(name, others);
  }

  #inside(handle: number): number {
    return handle >= 0 && handle < this.size ? handle : -1;
  }

  #lease(handle: number): PoolLease {
    const { ipv4 } = this.#config;
    const net30 = ipv4?.type === 'net30';
    const base4 = this.base4 + handle * (net30 ? 4 : 1);
    return {
      handle,
      remote4: ipv4 ? (net30 ? base4 + 2 : base4) : undefined,
      local4: net30 ? base4 + 1 : undefined,
      remote6: this.base6 && addToAddress(this.base6, handle),
    };
  }
}

function byNumber(a: number, b: number): number {
  return a - b;
}

function size4({ type, end }: NonNullable<PoolConfig['ipv4']>, base: number): number {
  return type === 'net30' ? (((end | 3) >>> 0) + 1 - base) >>> 2 : end - base + 1;
}

/** Address 0 of the host part is everybody's (RFC 4291 2.6.1) and goes to nobody. */
function usableBase({ base, netbits }: NonNullable<PoolConfig['ipv6']>): Uint8Array {
  return hostPart(base, netbits) === 0 ? addToAddress(base, 1) : base;
}

function size6(base: Uint8Array, netbits: number): number {
  return netbits >= SMALL_NETBITS ? 2 ** (128 - netbits) - hostPart(base, netbits) : POOL_MAX;
}

/** The host part as far as the last 32 bits hold it. */
function hostPart(address: Uint8Array, netbits: number): number {
  return 128 - netbits < 32 ? lowWord(address) % 2 ** (128 - netbits) : lowWord(address);
}

function checkSize(family: string, size: number | undefined): void {
  if (size !== undefined && size < MIN_SIZE)
    throw new OpenVpnError(`${family} pool size is too small (${size}), must be at least ${MIN_SIZE}`);
}

function lowWord(address: Uint8Array): number {
  return ((address[12]! << 24) | (address[13]! << 16) | (address[14]! << 8) | address[15]!) >>> 0;
}

/** `address + offset` as a 128-bit number, wrapping. */
function addToAddress(address: Uint8Array, offset: number): Uint8Array {
  const sum = Uint8Array.from(address);
  let carry = offset;
  for (let b = 15; b >= 0 && carry > 0; b--) {
    carry += sum[b]!;
    sum[b] = carry & 0xff;
    carry = Math.floor(carry / 256);
  }
  return sum;
}
