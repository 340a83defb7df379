/**
 * What options do to the packets inside of the tunnel besides mssfix (2.x forward.c process_ip_header(),
 * drop_if_recursive_routing()): --client-nat, --block-ipv6, --passtos, `route-gateway dhcp`, and the drop of
 * packets that would carry the tunnel's own link. A channel without any of them has no InnerRules.
 */
import { formatAddress, type LinkAddress, type Logger, PacketBatch, parseIpBytes } from '../base/base.ts';
import { D_LOW, D_ROUTE } from '../base/errlevel.ts';
import { type ClientNatRule, translate } from './client-nat.ts';
import { extractDhcpRouter } from './dhcp.ts';
import { writeUnreachable } from './icmp-unreachable.ts';
import { ipDestinationOffset, ipOffset, ipVersion } from './proto.ts';

/** Answers of --block-ipv6 that wait at most; more are dropped, as ICMP may be. Ours. */
const MAX_ANSWERS = 8;
const ETHERNET_BYTES = 14;
/** Stands for the tunnel's other end when it has no IPv6 address; 2.x's fe80::7. */
const NOBODY6 = Uint8Array.of(0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7);

export interface InnerOptions {
  readonly clientNat: readonly ClientNatRule[];
  /** `sent`: IPv6 packets from tun are answered to tun; `both`: those of the peer as well, to the peer. */
  readonly blockIpv6: 'off' | 'sent' | 'both';
  /** --ifconfig-ipv6's remote address, where answers of blockIpv6 come from. */
  readonly remoteIpv6: string | undefined;
  readonly passtos: boolean;
  /** Packets from tun to the address of the link's other end are dropped; undefined lets them through. */
  readonly linkRemote: LinkAddress | undefined;
  /** `route-gateway dhcp`: routers are taken out of DHCP answers for tun; called with that of each DHCPACK. */
  readonly onDhcpRouter?: ((router: string) => void) | undefined;
}

/** True when there is nothing to do for any packet. */
export function innerRulesEmpty(options: InnerOptions): boolean {
  const { clientNat, blockIpv6, passtos, linkRemote, onDhcpRouter } = options;
  if (onDhcpRouter !== undefined) return false;
  return clientNat.length === 0 && blockIpv6 === 'off' && !passtos && linkRemote === undefined;
}

export class InnerRules {
  readonly #options: InnerOptions;
  readonly #dev: 'tun' | 'tap';
  readonly #tunMtu: number;
  readonly #log: Logger;
  readonly #source6: Uint8Array;
  readonly #linkRemote: Uint8Array | undefined;
  #toTun: PacketBatch | undefined;
  #toPeer: PacketBatch | undefined;
  #answer = Buffer.alloc(0);

  constructor(options: InnerOptions, dev: 'tun' | 'tap', tunMtu: number, log: Logger) {
    this.#options = options;
    this.#dev = dev;
    this.#tunMtu = tunMtu;
    this.#log = log;
    this.#source6 = (options.remoteIpv6 !== undefined && parseIpBytes(options.remoteIpv6)) || NOBODY6;
    this.#linkRemote = options.linkRemote && (parseIpBytes(options.linkRemote.address) ?? undefined);
  }

  /** Answers that wait for tun. */
  get toTun(): PacketBatch | undefined {
    return this.#toTun;
  }

  /** Answers that wait to be sent to the peer. */
  get toPeer(): PacketBatch | undefined {
    return this.#toPeer;
  }

  /** A packet from tun, to be sealed; its length becomes 0 when it goes no further. */
  outgoing(batch: PacketBatch, slot: number): void {
    batch.tos[slot] = -1;
    const { slab, offsets, lengths } = batch;
    const at = ipOffset(slab, offsets[slot]!, lengths[slot]!, this.#dev);
    if (at < 0) return;
    const length = lengths[slot]! - (at - offsets[slot]!);
    const version = ipVersion(slab, at, length);
    if (version === 0) return;
    if (this.#isRecursive(slab, at, version)) {
      lengths[slot] = 0;
      this.#log.log(
        D_LOW,
        `Recursive routing detected, drop tun packet to ${formatAddress(this.#options.linkRemote!)}`,
      );
    } else if (version === 6 && this.#options.blockIpv6 !== 'off') {
      this.#toTun ??= this.#queue();
      this.#refuse(batch, slot, at, this.#toTun);
    } else if (version === 4) {
      if (this.#options.passtos) batch.tos[slot] = slab[at + 1]!;
      translate(this.#options.clientNat, slab, at, length, true);
    }
  }

  /** A packet of the peer, opened; its length becomes 0 when it goes no further. */
  incoming(batch: PacketBatch, slot: number): void {
    const { slab, offsets, lengths } = batch;
    const at = ipOffset(slab, offsets[slot]!, lengths[slot]!, this.#dev);
    if (at < 0) return;
    const length = lengths[slot]! - (at - offsets[slot]!);
    const version = ipVersion(slab, at, length);
    if (version === 4) {
      translate(this.#options.clientNat, slab, at, length, false);
      if (this.#options.onDhcpRouter) this.#takeDhcpRouter(slab, at, length, this.#options.onDhcpRouter);
    } else if (version === 6 && this.#options.blockIpv6 === 'both') {
      this.#toPeer ??= this.#queue();
      this.#refuse(batch, slot, at, this.#toPeer);
    }
  }

  #takeDhcpRouter(slab: Buffer, at: number, length: number, onRouter: (router: string) => void): void {
    const router = extractDhcpRouter(slab, at, length);
    if (router === 0) return;
    const text = [24, 16, 8, 0].map((shift) => (router >>> shift) & 0xff).join('.');
    this.#log.log(D_ROUTE, `Extracted DHCP router address: ${text}`);
    onRouter(text);
  }

  #isRecursive(slab: Uint8Array, at: number, version: 4 | 6): boolean {
    const remote = this.#linkRemote;
    if (!remote || remote.length !== (version === 4 ? 4 : 16)) return false;
    const destination = at + ipDestinationOffset(0, version);
    for (let i = 0; i < remote.length; i++) if (slab[destination + i] !== remote[i]) return false;
    return true;
  }

  /** Takes the packet away and queues the answer to it; in tap mode in a frame back to its sender. */
  #refuse(batch: PacketBatch, slot: number, at: number, queue: PacketBatch): void {
    const { slab, offsets, lengths } = batch;
    const start = offsets[slot]!;
    const head = this.#dev === 'tap' ? ETHERNET_BYTES : 0;
    const length = lengths[slot]! - (at - start);
    lengths[slot] = 0;
    const body = this.#answer.subarray(head);
    const bytes = writeUnreachable(slab, at, length, this.#source6, this.#tunMtu, body);
    if (head > 0) {
      slab.copy(this.#answer, 0, start + 6, start + 12);
      slab.copy(this.#answer, 6, start, start + 6);
      this.#answer.writeUInt16BE(0x86dd, 12);
    }
    queue.pushBytes(this.#answer, 0, head + bytes);
  }

  #queue(): PacketBatch {
    const bytes = ETHERNET_BYTES + this.#tunMtu;
    if (this.#answer.length < bytes) this.#answer = Buffer.alloc(bytes);
    return new PacketBatch(MAX_ANSWERS, bytes);
  }
}
