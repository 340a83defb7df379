/**
 * Sending with --passtos (2.x link_socket_set_tos()): the type of service is the socket's, so packets go
 * out in runs that ask for the same one. A packet that asks for none goes with the last that was set.
 */
import type { PacketBatch } from '../base/base.ts';
import type { Link } from './socket.ts';

/** As Link.sendBatch(). */
export function sendByTos(link: Link, batch: PacketBatch, first: number, end: number): number {
  const { tos, lengths } = batch;
  let start = first;
  while (start < end) {
    const wanted = tos[start]!;
    let next = start + 1;
    while (next < end && (lengths[next] === 0 || tos[next] === wanted)) next++;
    if (wanted >= 0) link.setTos?.(wanted);
    const sent = link.sendBatch(batch, start, next);
    if (sent < next - start) return start - first + sent;
    start = next;
  }
  return end - first;
}
