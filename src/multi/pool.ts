/**
 * The server's address pool (2.x pool.c). One handle is one client: an IPv4 address (or a /30 in
 * net30) and, with an IPv6 pool, base + handle. A released handle remembers its common name, so that
 * the client gets the same addresses when it returns; the one free longest is given away first.
 *
 *   net30: handle n owns base+4n .. base+4n+3; server side is +1, client side is +2
 *   individual (subnet, p2p): handle n is start+n
 */
import { OpenVpnError } from '../base/base.ts';

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

interface PoolEntry {
  commonName: string | undefined;
  inUse: boolean;
  /** From ifconfig-pool-persist: never given to another name. */
  fixed: boolean;
  /** -Infinity = never used. */
  releasedMs: number;
}

export class IfconfigPool {
  readonly #config: PoolConfig;
  /** First address of the IPv4 pool, of its first /30 in net30. */
  readonly base4: number;
  /** Clients that each family has addresses for; undefined without a pool of that family. */
  readonly size4: number | undefined;
  readonly size6: number | undefined;
  readonly base6: Uint8Array | undefined;
  readonly #entries: PoolEntry[];

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
    const size = Math.min(this.size4 ?? POOL_MAX, this.size6 ?? POOL_MAX, POOL_MAX);
    this.#entries = Array.from({ length: size }, () => ({
      commonName: undefined,
      inUse: false,
      fixed: false,
      releasedMs: Number.NEGATIVE_INFINITY,
    }));
  }

  get size(): number {
    return this.#entries.length;
  }

  /** Addresses for a client, or undefined when the pool is exhausted. */
  acquire(commonName: string | undefined): PoolLease | undefined {
    const handle = this.#find(this.#config.duplicateCn ? undefined : commonName);
    if (handle < 0) return undefined;
    const entry = this.#entries[handle]!;
    entry.inUse = true;
    if (!this.#config.duplicateCn && commonName !== undefined) entry.commonName = commonName;
    return this.#lease(handle);
  }

  release(handle: number, nowMs: number): void {
    const entry = this.#entries[handle];
    if (!entry?.inUse) return;
    entry.inUse = false;
    entry.releasedMs = nowMs;
  }

  /** Binds a name read from an ifconfig-pool-persist file to a handle of handleOf4() or handleOf6(). */
  restore(handle: number, commonName: string, fixed: boolean): void {
    const entry = this.#entries[handle];
    if (!entry) return;
    entry.commonName = commonName;
    entry.fixed = fixed;
    entry.releasedMs = 0;
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
    for (const [handle, entry] of this.#entries.entries()) {
      if (entry.commonName !== undefined) yield { commonName: entry.commonName, lease: this.#lease(handle) };
    }
  }

  #find(commonName: string | undefined): number {
    let best = -1;
    let bestMs = Number.POSITIVE_INFINITY;
    for (const [handle, entry] of this.#entries.entries()) {
      if (entry.inUse) continue;
      if (commonName !== undefined && entry.commonName === commonName) return handle;
      if (!entry.fixed && entry.releasedMs < bestMs) {
        best = handle;
        bestMs = entry.releasedMs;
      }
    }
    return best;
  }

  #inside(handle: number): number {
    return handle >= 0 && handle < this.#entries.length ? handle : -1;
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
