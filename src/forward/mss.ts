/**
 * Lowers the MSS option of TCP SYN packets (2.x mss.c), in place. IPv4 with any header length, IPv6 with
 * TCP right behind its header. Never raises a value. The checksum is updated by the difference
 * (RFC 1624), so a checksum that was right stays right and a wrong one stays wrong.
 */
import { IPPROTO_TCP, IPV4_HEADER_BYTES, IPV6_HEADER_BYTES, ipVersion, readU16 } from './proto.ts';

const TCP_HEADER_BYTES = 20;
const TCP_FLAGS = 13;
const TCP_CHECKSUM = 16;
const TCP_SYN = 0x02;
const OPTION_END = 0;
const OPTION_NOP = 1;
const OPTION_MSS = 2;
const OPTION_MSS_BYTES = 4;
const IPV4_FRAGMENT_OFFSET = 0x1fff;

/**
 * Caps the MSS of one IP packet.
 * @param mss largest value for IPv4; IPv6 gets 20 less.
 * @returns whether the packet was changed.
 */
export function mssfix(slab: Uint8Array, offset: number, length: number, mss: number): boolean {
  const version = ipVersion(slab, offset, length);
  if (version === 0) return false;
  const tcp = version === 4 ? tcpOffset4(slab, offset, length) : tcpOffset6(slab, offset, length);
  if (tcp < 0 || (slab[tcp + TCP_FLAGS]! & TCP_SYN) === 0) return false;
  const cap = version === 4 ? mss : mss - (IPV6_HEADER_BYTES - IPV4_HEADER_BYTES);
  return cap > 0 && cap <= 0xffff && capTcpMss(slab, tcp, offset + length, cap);
}

/** Start of the TCP header of a whole packet or first fragment; -1 when there is none. */
function tcpOffset4(slab: Uint8Array, offset: number, length: number): number {
  if (slab[offset + 9] !== IPPROTO_TCP || readU16(slab, offset + 2) !== length) return -1;
  if ((readU16(slab, offset + 6) & IPV4_FRAGMENT_OFFSET) !== 0) return -1;
  const header = (slab[offset]! & 0x0f) * 4;
  if (header < IPV4_HEADER_BYTES || length - header < TCP_HEADER_BYTES) return -1;
  return offset + header;
}

function tcpOffset6(slab: Uint8Array, offset: number, length: number): number {
  if (slab[offset + 6] !== IPPROTO_TCP || readU16(slab, offset + 4) + IPV6_HEADER_BYTES !== length) return -1;
  return length - IPV6_HEADER_BYTES < TCP_HEADER_BYTES ? -1 : offset + IPV6_HEADER_BYTES;
}

/** Walks the options; stops at the first that makes no sense. `tcp + TCP_HEADER_BYTES <= end` holds. */
function capTcpMss(slab: Uint8Array, tcp: number, end: number, cap: number): boolean {
  const header = (slab[tcp + 12]! >>> 4) * 4;
  if (header <= TCP_HEADER_BYTES || tcp + header > end) return false;
  const optionsEnd = tcp + header;
  let changed = false;
  let at = tcp + TCP_HEADER_BYTES;
  while (at + 1 < optionsEnd) {
    const kind = slab[at]!;
    if (kind === OPTION_END) break;
    if (kind === OPTION_NOP) {
      at++;
      continue;
    }
    const bytes = slab[at + 1]!;
    if (bytes < 2 || at + bytes > optionsEnd) break;
    if (kind === OPTION_MSS && bytes === OPTION_MSS_BYTES && readU16(slab, at + 2) > cap) {
      replaceU16(slab, tcp + TCP_CHECKSUM, tcp, at + 2, cap);
      changed = true;
    }
    at += bytes;
  }
  return changed;
}

/**
 * Writes `value` at `at` and updates the checksum. An option at an odd distance from the header's start
 * straddles two words of the sum, which swaps its bytes there.
 */
function replaceU16(slab: Uint8Array, checksumAt: number, start: number, at: number, value: number): void {
  const before = readU16(slab, at);
  slab[at] = value >>> 8;
  slab[at + 1] = value & 0xff;
  const odd = ((at - start) & 1) === 1;
  const removed = odd ? swap16(before) : before;
  const added = odd ? swap16(value) : value;
  let sum = (~readU16(slab, checksumAt) & 0xffff) + (~removed & 0xffff) + added;
  sum = (sum & 0xffff) + (sum >>> 16);
  sum = (sum & 0xffff) + (sum >>> 16);
  const checksum = ~sum & 0xffff;
  slab[checksumAt] = checksum >>> 8;
  slab[checksumAt + 1] = checksum & 0xff;
}

function swap16(value: number): number {
  return ((value & 0xff) << 8) | (value >>> 8);
}
