/**
 * Header fields of packets inside the tunnel (2.x proto.h, proto.c), read in place from a slab without
 * allocation. All functions take (slab, offset, length) of the packet and never read outside it;
 * a packet too short for its header has no version.
 *
 *   IPv4: ver|ihl tos len(2) id(2) frag(2) ttl proto sum(2) src(4) dst(4)
 *   IPv6: ver|class|flow(4) payload_len(2) next hop src(16) dst(16)
 *   Ethernet: dst(6) src(6) [8100 tci(2)] type(2)
 */

export const IPV4_HEADER_BYTES = 20;
export const IPV6_HEADER_BYTES = 40;
const ETHERNET_HEADER_BYTES = 14;
/** IP protocol numbers, and next headers. */
export const IPPROTO_TCP = 6;
export const IPPROTO_UDP = 17;

const VLAN_HEADER_BYTES = 18;
const ETHERTYPE_IPV4 = 0x0800;
const ETHERTYPE_IPV6 = 0x86dd;
const ETHERTYPE_VLAN = 0x8100;

/** A big-endian 16-bit number; the caller has checked the bounds. */
export function readU16(slab: Uint8Array, at: number): number {
  return (slab[at]! << 8) | slab[at + 1]!;
}

/** A big-endian 32-bit word as a signed number, as the virtual address table keys it; bounds are the caller's. */
export function readWord(slab: Uint8Array, at: number): number {
  return (slab[at]! << 24) | (slab[at + 1]! << 16) | (slab[at + 2]! << 8) | slab[at + 3]!;
}

/** 4 or 6 when an IP packet with a whole fixed header is at offset, else 0. */
export function ipVersion(slab: Uint8Array, offset: number, length: number): 4 | 6 | 0 {
  if (length < IPV4_HEADER_BYTES) return 0;
  const version = slab[offset]! >>> 4;
  if (version === 4) return 4;
  return version === 6 && length >= IPV6_HEADER_BYTES ? 6 : 0;
}

/**
 * Where the IP packet of a tun packet or a tap frame (maybe with one VLAN tag) starts; -1 when there is
 * none. Its length is `length - (result - offset)`.
 */
export function ipOffset(slab: Uint8Array, offset: number, length: number, dev: 'tun' | 'tap'): number {
  if (dev === 'tun') return ipVersion(slab, offset, length) === 0 ? -1 : offset;
  if (length < ETHERNET_HEADER_BYTES + IPV4_HEADER_BYTES) return -1;
  let type = readU16(slab, offset + 12);
  let header = ETHERNET_HEADER_BYTES;
  if (type === ETHERTYPE_VLAN) {
    type = readU16(slab, offset + 16);
    header = VLAN_HEADER_BYTES;
  }
  const expected = type === ETHERTYPE_IPV4 ? 4 : type === ETHERTYPE_IPV6 ? 6 : -1;
  return ipVersion(slab, offset + header, length - header) === expected ? offset + header : -1;
}

/** Where the source address of an IPv4 (4 bytes) or IPv6 (16 bytes) packet is; the version was checked. */
export function ipSourceOffset(offset: number, version: 4 | 6): number {
  return offset + (version === 4 ? 12 : 8);
}

/** Where the destination address is; the version was checked. */
export function ipDestinationOffset(offset: number, version: 4 | 6): number {
  return offset + (version === 4 ? 16 : 24);
}

/** Whether the destination is multicast: 224.0.0.0/4 or ff00::/8; the version was checked. */
export function isIpMulticast(slab: Uint8Array, offset: number, version: 4 | 6): boolean {
  const first = slab[ipDestinationOffset(offset, version)]!;
  return version === 4 ? first >>> 4 === 0x0e : first === 0xff;
}

/** Whether an IPv6 packet comes from fe80::/10, which servers drop quietly; the version was checked. */
export function isIpv6LinkLocalSource(slab: Uint8Array, offset: number): boolean {
  return slab[offset + 8] === 0xfe && (slab[offset + 9]! & 0xc0) === 0x80;
}
