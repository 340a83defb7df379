/**
 * Answers of a DHCP server that pass through the tunnel (2.x dhcp.c; formats of RFC 951, RFC 2131, RFC 2132).
 * With `route-gateway dhcp` the router option is taken out of them, in place, so that the machine's default
 * route doesn't move by itself; the router becomes the gateway of the tunnel's routes.
 *
 *   IP | UDP 67 -> 68 | op htype hlen hops xid(4) secs(2) flags(2) 4 addresses chaddr(16) sname(64) file(128)
 *      | magic(4) | options: code length value ..., 0 = padding without length, 255 = end
 *
 * The packet keeps its length: what follows an option moves up, padding fills the end. Packets that aren't
 * whole (fragments, lengths that don't fit) are left alone.
 */
import { IPPROTO_UDP, IPV4_HEADER_BYTES, readU16 } from './proto.ts';

const UDP_HEADER_BYTES = 8;
const UDP_CHECKSUM = 6;
const BOOTPS_PORT = 67;
const BOOTPC_PORT = 68;
const BOOTREPLY = 2;
/** From the start of the BOOTP message. */
const MAGIC = 236;
const OPTIONS = 240;
const DHCP_MAGIC = [0x63, 0x82, 0x53, 0x63];
const DHCP_PAD = 0;
const DHCP_ROUTER = 3;
const DHCP_MSG_TYPE = 53;
const DHCP_END = 255;
const DHCPOFFER = 2;
const DHCPACK = 5;
/** More fragments, or a fragment that isn't the first. */
const IPV4_FRAGMENT = 0x3fff;

/**
 * Takes the router options out of a DHCPOFFER or DHCPACK.
 * @param at start of an IPv4 packet, `length` bytes long at most; its version was checked.
 * @returns the first router of a DHCPACK as four bytes in a number; 0 for none, and for all other packets.
 */
export function extractDhcpRouter(slab: Uint8Array, at: number, length: number): number {
  if (slab[at + 9] !== IPPROTO_UDP) return 0;
  const header = (slab[at]! & 0x0f) * 4;
  const total = readU16(slab, at + 2);
  const udp = at + header;
  if (header < IPV4_HEADER_BYTES || total > length || total < header + UDP_HEADER_BYTES + OPTIONS) return 0;
  if (readU16(slab, udp) !== BOOTPS_PORT || readU16(slab, udp + 2) !== BOOTPC_PORT) return 0;
  const udpBytes = readU16(slab, udp + 4);
  if ((readU16(slab, at + 6) & IPV4_FRAGMENT) !== 0 || udpBytes > total - header) return 0;
  if (udpBytes < UDP_HEADER_BYTES + OPTIONS || slab[udp + UDP_HEADER_BYTES] !== BOOTREPLY) return 0;
  for (let i = 0; i < DHCP_MAGIC.length; i++)
    if (slab[udp + UDP_HEADER_BYTES + MAGIC + i] !== DHCP_MAGIC[i]) return 0;
  const end = udp + udpBytes;
  const type = messageType(slab, udp + UDP_HEADER_BYTES + OPTIONS, end);
  if (type !== DHCPOFFER && type !== DHCPACK) return 0;
  const router = removeRouters(slab, udp + UDP_HEADER_BYTES + OPTIONS, end);
  writeChecksum(slab, at, udp, udpBytes);
  return type === DHCPACK ? router : 0;
}

/** Value of the first message type option; -1 when there is no good one. */
function messageType(slab: Uint8Array, start: number, end: number): number {
  for (let at = start; at < end; ) {
    const code = slab[at]!;
    if (code === DHCP_PAD) {
      at++;
      continue;
    }
    if (code === DHCP_END || end - at < 2) return -1;
    const bytes = slab[at + 1]!;
    if (code === DHCP_MSG_TYPE) return bytes === 1 && end - at >= 3 ? slab[at + 2]! : -1;
    at += bytes + 2;
  }
  return -1;
}

/** Returns the first router; 0 when there was none. Stops at the first option that doesn't fit. */
function removeRouters(slab: Uint8Array, start: number, end: number): number {
  let router = 0;
  for (let at = start; at < end; ) {
    const code = slab[at]!;
    if (code === DHCP_PAD) {
      at++;
      continue;
    }
    if (code === DHCP_END || end - at < 2) break;
    const bytes = slab[at + 1]!;
    if (code !== DHCP_ROUTER) {
      at += bytes + 2;
      continue;
    }
    if (bytes > end - at - 2) break;
    if (router === 0 && bytes >= 4 && bytes % 4 === 0) {
      router = ((readU16(slab, at + 2) << 16) | readU16(slab, at + 4)) >>> 0;
    }
    slab.copyWithin(at, at + bytes + 2, end);
    slab.fill(DHCP_PAD, end - bytes - 2, end);
  }
  return router;
}

/** UDP checksum over pseudo header, header and data (RFC 768): a sum of 0 is written as all ones. */
function writeChecksum(slab: Uint8Array, ip: number, udp: number, bytes: number): void {
  slab[udp + UDP_CHECKSUM] = 0;
  slab[udp + UDP_CHECKSUM + 1] = 0;
  let sum = IPPROTO_UDP + bytes;
  for (let at = ip + 12; at < ip + 20; at += 2) sum += readU16(slab, at);
  for (let at = udp; at + 1 < udp + bytes; at += 2) sum += readU16(slab, at);
  if ((bytes & 1) === 1) sum += slab[udp + bytes - 1]! << 8;
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  const checksum = ~sum & 0xffff || 0xffff;
  slab[udp + UDP_CHECKSUM] = checksum >>> 8;
  slab[udp + UDP_CHECKSUM + 1] = checksum & 0xff;
}
