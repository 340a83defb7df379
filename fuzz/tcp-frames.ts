/**
 * Fuzz entry: any bytes as a TCP stream. However it is cut, the same packets come out, each of 1 to
 * limit bytes and within its slot, together with their heads they are a prefix of the stream, and the
 * reader stops for good where a length is bad.
 */
import { PacketBatch } from '../src/base/base.ts';
import { TcpFrameReader } from '../src/socket/tcp-frames.ts';

const batch = new PacketBatch(3, 256);

export const target = {
  name: 'tcp-frames',
  run(bytes: Uint8Array): void {
    const whole = readStream(bytes, [bytes.length]);
    const expected = Buffer.concat(whole.packets.flatMap((packet) => [lengthOf(packet), packet]));
    if (expected.compare(bytes, 0, expected.length) !== 0) throw new Error('packets differ from the stream');
    const rest = bytes.subarray(expected.length);
    const length = rest.length < 2 ? -1 : (rest[0]! << 8) | rest[1]!;
    const bad = length === 0 || length > batch.maxPacketBytes;
    if (bad !== (whole.error !== undefined)) throw new Error('a bad length was not seen, or a good one was');
    if (!bad && rest.length >= 2 && rest.length >= 2 + length) throw new Error('a complete frame was left');
    for (const sizes of [[1], [2, 1, 7], [(bytes[0] ?? 0) + 1, (bytes[1] ?? 0) + 1]]) {
      const parts = readStream(bytes, sizes);
      if (Buffer.concat(parts.packets).compare(Buffer.concat(whole.packets)) !== 0) {
        throw new Error(`other packets when cut into ${sizes}`);
      }
      if (parts.error !== whole.error) throw new Error(`another error when cut into ${sizes}`);
    }
  },
};

function readStream(
  bytes: Uint8Array,
  sizes: readonly number[],
): { packets: Buffer[]; error: string | undefined } {
  const reader = new TcpFrameReader();
  const packets: Buffer[] = [];
  for (let at = 0, n = 0; at < bytes.length; n++) {
    const size = sizes[n % sizes.length]!;
    reader.push(bytes.subarray(at, at + size));
    at += size;
    while (reader.read(batch) > 0) {
      for (let slot = 0; slot < batch.count; slot++) {
        const length = batch.lengths[slot]!;
        if (length < 1 || length > batch.maxPacketBytes) throw new Error(`a packet of ${length} bytes`);
        packets.push(Buffer.from(batch.packet(slot)));
      }
    }
    if (reader.bufferedBytes > 2 + batch.maxPacketBytes + size) throw new Error('kept more than a frame');
  }
  return { packets, error: reader.error };
}

function lengthOf(packet: Buffer): Buffer {
  return Buffer.from([packet.length >> 8, packet.length & 0xff]);
}
