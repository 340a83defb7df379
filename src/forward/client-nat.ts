/**
 * --client-nat: one-to-one translation of IPv4 networks (2.x clinat.c). Going out, `snat` maps the source
 * and `dnat` the destination from the rule's network to its foreign one; coming in, the other address is
 * mapped back. A rule applies to an address at most once. Checksums of IP, TCP and UDP are updated by
 * the difference (RFC 1624); a UDP checksum of 0, which means none, stays.
 */
import { IPPROTO_TCP, IPPROTO_UDP, IPV4_HEADER_BYTES, ipVersion, readU16, readWord } from './proto.ts';

export interface ClientNatRule {
  readonly type: 'snat' | 'dnat';
  /** Addresses as 32-bit numbers, the sign is of no matter. */
  readonly network: number;
  readonly netmask: number;
  readonly foreign: number;
}

const SOURCE = 12;
const DESTINATION = 16;
const IP_CHECKSUM = 10;
const FRAGMENT_OFFSET = 0x1fff;
/** Bytes of header that must be there, and where its checksum is. */
const TCP = { bytes: 20, checksum: 16 };
const UDP = { bytes: 8, checksum: 6 };

/** Translates the IPv4 packet at `offset`; other packets stay as they are. `out` = towards the link. */
export function translate(
  rules: readonly ClientNatRule[],
  slab: Uint8Array,
  offset: number,
  length: number,
  out: boolean,
): void {
  if (ipVersion(slab, offset, length) !== 4) return;
  let done = 0;
  for (const rule of rules) {
    const at = (rule.type === 'snat') === out ? SOURCE : DESTINATION;
    if ((done & at) !== 0) continue;
    const from = out ? rule.network : rule.foreign;
    const to = out ? rule.foreign : rule.network;
    const address = readWord(slab, offset + at);
    if ((address & rule.netmask) !== (from | 0)) continue;
    replaceAddress(slab, offset, length, at, (address & ~rule.netmask) | to);
    done |= at;
  }
}

function replaceAddress(slab: Uint8Array, offset: number, length: number, at: number, value: number): void {
  const before = readWord(slab, offset + at);
  writeWord(slab, offset + at, value);
  adjust(slab, offset + IP_CHECKSUM, before, value);
  const sum = transportChecksum(slab, offset, length);
  if (sum >= 0) adjust(slab, sum, before, value);
}

/** Where the checksum over the addresses is; -1 when there is none to keep right. */
function transportChecksum(slab: Uint8Array, offset: number, length: number): number {
  const header = (slab[offset]! & 0x0f) * 4;
  const protocol = slab[offset + 9]!;
  if (protocol !== IPPROTO_TCP && protocol !== IPPROTO_UDP) return -1;
  const kind = protocol === IPPROTO_TCP ? TCP : UDP;
  if (header < IPV4_HEADER_BYTES || length < header + kind.bytes) return -1;
  if ((readU16(slab, offset + 6) & FRAGMENT_OFFSET) !== 0) return -1;
  const at = offset + header + kind.checksum;
  return protocol === IPPROTO_UDP && readU16(slab, at) === 0 ? -1 : at;
}

/** Changes the checksum at `at` for a 32-bit word that became another. */
function adjust(slab: Uint8Array, at: number, before: number, after: number): void {
  let sum = ~readU16(slab, at) & 0xffff;
  sum += (~(before >>> 16) & 0xffff) + (~before & 0xffff) + (after >>> 16) + (after & 0xffff);
  sum = (sum & 0xffff) + (sum >>> 16);
  sum = (sum & 0xffff) + (sum >>> 16);
  const checksum = ~sum & 0xffff;
  slab[at] = checksum >>> 8;
  slab[at + 1] = checksum & 0xff;
}

function writeWord(slab: Uint8Array, at: number, value: number): void {
  slab[at] = value >>> 24;
  slab[at + 1] = (value >>> 16) & 0xff;
  slab[at + 2] = (value >>> 8) & 0xff;
  slab[at + 3] = value & 0xff;
}
