/**
 * How many TLS bytes fit into a control packet (2.x ssl.c calc_control_channel_frame_overhead()).
 * --max-packet-size (tls-mtu) counts the whole IP packet.
 */
import { ackBlockBytes, PREFIX_BYTES } from './control-packet.ts';
import { PIGGYBACK_ACKS } from './reliable-window.ts';

/** Least room for TLS bytes; below it 2.x sends a packet longer than configured. */
export const MIN_CONTROL_PAYLOAD = 16;

/**
 * TLS bytes for one packet. `linkOverhead`: 28 (IPv4) or 48 (IPv6). `wrapOverhead`: ControlWrap.overheadBytes.
 * `ackCount`: AckList.availableCount; what goes beyond 4 doesn't travel with a message.
 */
export function controlPayloadBytes(
  tlsMtu: number,
  linkOverhead: number,
  wrapOverhead: number,
  ackCount: number,
): number {
  const acks = ackBlockBytes(Math.min(ackCount, PIGGYBACK_ACKS));
  return Math.max(MIN_CONTROL_PAYLOAD, tlsMtu - linkOverhead - wrapOverhead - PREFIX_BYTES - acks - 4);
}
