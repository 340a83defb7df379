/** Packets and frame settings for tests of one peer's packet pipeline. */
import type { FrameOptions } from '../src/forward/forward.ts';

/** A tun device over UDP and IPv4 with 2.6's defaults. */
export const TUN_FRAME: FrameOptions = {
  dev: 'tun',
  tunMtu: 1500,
  tunMtuExtra: 0,
  transport: 'udp',
  family: 4,
  socks: false,
  mssfix: { bytes: 1492, mode: 'mtu' },
  fragment: undefined,
  compBytes: 0,
};

/** An IPv4 packet with UDP inside. */
export function ipv4Packet(bytes: number): Buffer {
  const packet = Buffer.alloc(bytes, 0x11);
  packet[0] = 0x45;
  packet[9] = 17;
  return packet;
}

/** An IPv6 packet with UDP inside. */
export function ipv6Packet(bytes: number): Buffer {
  const packet = Buffer.alloc(bytes, 0x22);
  packet[0] = 0x60;
  packet[6] = 17;
  return packet;
}
