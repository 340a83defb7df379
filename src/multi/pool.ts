/**
 * The server's address pool (2.x pool.c). One handle is one client: an IPv4 address (or a /30 in
 * net30) and, with an IPv6 pool, base + handle. A released handle remembers its common name, so that
 * the client gets the same addresses when it returns; the one free longest is given away first.
 *
 *   net30: handle n owns base+4n .. base+4n+3; server side is +1, client side is +2
 *   individual (subnet, p2p): handle n is start+n
 */

export interface PoolConfig {
  /** undefined = no IPv4 pool. Addresses as unsigned 32-bit numbers, both ends included. */
  readonly ipv4?: { readonly type: 'net30' | 'individual'; readonly start: number; readonly end: number };
  /** 16 bytes of the first address to hand out. */
  readonly ipv6Base?: Uint8Array;
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
  readonly #base4: number;
  readonly #entries: PoolEntry[];

  constructor(config: PoolConfig) {
    this.#config = config;
    const net30 = config.ipv4?.type === 'net30';
    this.#base4 = config.ipv4 ? (net30 ? (config.ipv4.start & ~3) >>> 0 : config.ipv4.start) : 0;
    const size = config.ipv4
      ? net30
        ? (((config.ipv4.end | 3) >>> 0) + 1 - this.#base4) >>> 2
        : config.ipv4.end - config.ipv4.start + 1
      : POOL_MAX;
    this.#entries = Array.from({ length: Math.max(0, Math.min(size, POOL_MAX)) }, () => ({
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

  /** Binds a name read from an ifconfig-pool-persist file to its address; false when outside the pool or taken. */
  restore(
    commonName: string,
    address4: number | undefined,
    address6: Uint8Array | undefined,
    fixed: boolean,
  ): boolean {
    const handle = this.#handleOf(address4, address6);
    const entry = this.#entries[handle];
    if (!entry || entry.inUse) return false;
    entry.commonName = commonName;
    entry.fixed = fixed;
    entry.releasedMs = 0;
    return true;
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

  #handleOf(address4: number | undefined, address6: Uint8Array | undefined): number {
    const { ipv4, ipv6Base } = this.#config;
    if (ipv4 && address4 !== undefined) {
      const offset = address4 - this.#base4;
      // net30 files carry the network address or an address inside the /30
      return ipv4.type === 'net30' ? Math.floor(offset / 4) : offset;
    }
    if (ipv6Base && address6) {
      for (let b = 0; b < 12; b++) if (address6[b] !== ipv6Base[b]) return -1;
      return lowWord(address6) - lowWord(ipv6Base);
    }
    return -1;
  }

  #lease(handle: number): PoolLease {
    const { ipv4, ipv6Base } = this.#config;
    const net30 = ipv4?.type === 'net30';
    const base4 = this.#base4 + handle * (net30 ? 4 : 1);
    return {
      handle,
      remote4: ipv4 ? (net30 ? base4 + 2 : base4) : undefined,
      local4: net30 ? base4 + 1 : undefined,
      remote6: ipv6Base ? addToAddress(ipv6Base, handle) : undefined,
    };
  }
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
