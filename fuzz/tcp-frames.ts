/**
 * Fuzz entry: any bytes as a TCP stream, bare and behind good frames made of the same bytes. However
 * the stream is cut and whenever it is read, the same packets come out, each of 1 to limit bytes;
 * together with their heads they are a prefix of the stream, and the reader stops for good where a
 * length is bad.
 */
import { PacketBatch } from '../src/base/base.ts';
import { TcpFrameReader, writeFrame } from '../src/socket/tcp-frames.ts';

const batch = new PacketBatch(3, 256);
const limit = batch.maxPacketBytes;

interface Cut {
  /** Sizes of the chunks, used in turn. */
  readonly sizes: readonly number[];
  /** Chunks between two reads. */
  readonly every: number;
}

export const target = {
  name: 'tcp-frames',
  run(bytes: Uint8Array): void {
    checkStream(bytes, bytes);
    checkStream(Buffer.concat([...framesOf(bytes), bytes]), bytes);
  },
};

/** `plan` decides how the stream is cut. */
function checkStream(stream: Uint8Array, plan: Uint8Array): void {
  const whole = readStream(stream, { sizes: [stream.length], every: 1 });
  const expected = Buffer.concat(whole.packets.map(writeFrame));
  if (expected.compare(stream, 0, expected.length) !== 0) throw new Error('packets differ from the stream');
  const rest = stream.subarray(expected.length);
  const length = rest.length < 2 ? -1 : (rest[0]! << 8) | rest[1]!;
  const bad = length === 0 || length > limit;
  if (bad !== (whole.error !== undefined)) throw new Error('a bad length was not seen, or a good one was');
  if (length > 0 && !bad && rest.length >= 2 + length) throw new Error('a complete frame was left');
  const sizes = [...plan.subarray(0, 8)].map((byte) => 1 + (byte & 31));
  for (const cut of [
    { sizes: [1], every: 1 },
    { sizes: [2, 1, 7, ...sizes], every: 1 + (plan.length & 3) },
    { sizes: [3, ...sizes], every: 50 },
  ]) {
    const parts = readStream(stream, cut);
    if (Buffer.concat(parts.packets.map(writeFrame)).compare(expected) !== 0) {
      throw new Error(`other packets when cut into ${cut.sizes}, read every ${cut.every}`);
    }
    if (parts.error !== whole.error) throw new Error(`another error when cut into ${cut.sizes}`);
  }
}

function readStream(bytes: Uint8Array, cut: Cut): { packets: Buffer[]; error: string | undefined } {
  const reader = new TcpFrameReader();
  const packets: Buffer[] = [];
  let unread = 0;
  for (let at = 0, n = 0; at < bytes.length; n++) {
    const size = cut.sizes[n % cut.sizes.length]!;
    reader.push(bytes.subarray(at, at + size));
    at += size;
    unread += size;
    if (n % cut.every !== cut.every - 1 && at < bytes.length) continue;
    drain(reader, packets);
    if (reader.bufferedBytes > 2 + limit + unread) throw new Error('kept more than a frame');
    unread = 0;
  }
  return { packets, error: reader.error };
}

function drain(reader: TcpFrameReader, packets: Buffer[]): void {
  while (reader.read(batch) > 0) {
    for (let slot = 0; slot < batch.count; slot++) {
      const length = batch.lengths[slot]!;
      if (length < 1 || length > limit) throw new Error(`a packet of ${length} bytes`);
      packets.push(Buffer.from(batch.packet(slot)));
    }
  }
}

/** The bytes as good frames, most of them short, so that heads fall everywhere. */
function framesOf(bytes: Uint8Array): Buffer[] {
  const frames: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = bytes[at]! < 0xf0 ? 1 + (bytes[at]! & 7) : limit;
    const packet = bytes.subarray(at, at + length);
    frames.push(writeFrame(packet));
    at += packet.length;
  }
  return frames;
}
