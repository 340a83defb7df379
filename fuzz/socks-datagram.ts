/**
 * Fuzz entry: any bytes as a datagram from a SOCKS relay. What is taken is the packet behind 10 bytes, and
 * writing its header again gives the datagram back but for the reserved bytes.
 */
import { PacketBatch } from '../src/base/base.ts';
import { readSocksUdpHead, SOCKS_UDP_HEAD_BYTES, writeSocksUdpHead } from '../src/socket/socks-message.ts';

const batch = new PacketBatch(1);

export const target = {
  name: 'socks-datagram',
  run(bytes: Uint8Array): void {
    check(bytes);
    check(Buffer.concat([Buffer.of(0, 0, 0, 1), bytes]));
  },
};

function check(bytes: Uint8Array): void {
  batch.clear();
  if (batch.push(bytes) < 0) return;
  const good = bytes.length > SOCKS_UDP_HEAD_BYTES && bytes[2] === 0 && bytes[3] === 1;
  if (readSocksUdpHead(batch, 0) !== good) throw new Error('wrong verdict');
  if (!good) return;
  if (batch.packet(0).compare(bytes.subarray(SOCKS_UDP_HEAD_BYTES)) !== 0) throw new Error('wrong packet');
  writeSocksUdpHead(batch, 0);
  const expected = Buffer.from(bytes);
  expected.fill(0, 0, 2);
  if (batch.packet(0).compare(expected) !== 0) throw new Error('wrong header');
}
