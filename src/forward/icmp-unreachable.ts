/**
 * The answer of --block-ipv6 to an IPv6 packet (2.x forward.c ipv6_send_icmp_unreachable()): ICMPv6
 * "destination unreachable, no route" (RFC 4443, 3.1) to the packet's source, with as much of the packet
 * as keeps the answer within the limits.
 *
 *   ver|class|flow(4) payload_len(2) 58 hop src(16) dst(16) | 1 0 checksum(2) 0(4) | the packet's head
 */
import { IPV6_HEADER_BYTES, readU16 } from './proto.ts';

const IPPROTO_ICMPV6 = 58;
const DESTINATION_UNREACHABLE = 1;
const ICMP_HEADER_BYTES = 8;
/** Most bytes of the packet that the answer repeats; 2.x's number. */
const MAX_PAYLOAD_BYTES = 1280;
const NEXT_HEADER = 6;
const SOURCE = 8;
const DESTINATION = 24;

/**
 * Writes the answer to the IPv6 packet at `offset` into `out` and returns its length.
 * @param source 16 bytes, the address that answers.
 * @param out at least `tunMtu` bytes; `tunMtu` is at least 100.
 */
export function writeUnreachable(
  slab: Buffer,
  offset: number,
  length: number,
  source: Uint8Array,
  tunMtu: number,
  out: Buffer,
): number {
  const headers = IPV6_HEADER_BYTES + ICMP_HEADER_BYTES;
  const payload = Math.min(length, MAX_PAYLOAD_BYTES, tunMtu - headers);
  slab.copy(out, 0, offset, offset + IPV6_HEADER_BYTES);
  out.writeUInt16BE(ICMP_HEADER_BYTES + payload, 4);
  out[NEXT_HEADER] = IPPROTO_ICMPV6;
  out.set(source, SOURCE);
  slab.copy(out, DESTINATION, offset + SOURCE, offset + SOURCE + 16);
  out.fill(0, IPV6_HEADER_BYTES, headers);
  out[IPV6_HEADER_BYTES] = DESTINATION_UNREACHABLE;
  slab.copy(out, headers, offset, offset + payload);
  out.writeUInt16BE(icmpChecksum(out, headers + payload), IPV6_HEADER_BYTES + 2);
  return headers + payload;
}

/** Over the pseudo header (addresses, length, next header) and everything behind the IPv6 header. */
function icmpChecksum(packet: Buffer, length: number): number {
  let sum = length - IPV6_HEADER_BYTES + IPPROTO_ICMPV6;
  for (let at = SOURCE; at + 1 < length; at += 2) sum += readU16(packet, at);
  if ((length - SOURCE) % 2 === 1) sum += packet[length - 1]! << 8;
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}
