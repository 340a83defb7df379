/** Framing under any cut of the stream. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PACKET_HEADROOM, PacketBatch } from '../base/base.ts';
import { TcpFrameReader, writeFrame, writeFrames } from './tcp-frames.ts';

describe('TcpFrameReader', () => {
  it('gives back the packets however the stream is cut', () => {
    const packets = fc.array(fc.uint8Array({ minLength: 1, maxLength: 200 }), { maxLength: 30 });
    const cuts = fc.array(fc.integer({ min: 1, max: 90 }), { minLength: 1, maxLength: 50 });
    fc.assert(
      fc.property(packets, cuts, fc.boolean(), (sent, sizes, readOften) => {
        const stream = Buffer.concat(sent.map(writeFrame));
        const reader = new TcpFrameReader();
        const batch = new PacketBatch(4, 200);
        const got: string[] = [];
        const drain = (): void => {
          while (reader.read(batch) > 0) {
            for (let i = 0; i < batch.count; i++) {
              expect(batch.offsets[i]).toBe(i * batch.slotSize + PACKET_HEADROOM);
              got.push(batch.packet(i).toString('hex'));
            }
          }
        };
        for (let at = 0, cut = 0; at < stream.length; cut++) {
          const size = sizes[cut % sizes.length]!;
          reader.push(stream.subarray(at, at + size));
          at += size;
          if (readOften) drain();
        }
        drain();
        expect(got).toEqual(sent.map((packet) => Buffer.from(packet).toString('hex')));
        expect([reader.bufferedBytes, reader.error, reader.ready(200)]).toEqual([0, undefined, false]);
      }),
    );
  });

  it('waits for a length that is split between chunks', () => {
    const reader = new TcpFrameReader();
    const batch = new PacketBatch(1);
    for (const byte of [0x00, 0x02, 0xaa]) {
      reader.push(Uint8Array.of(byte));
      expect(reader.read(batch)).toBe(0);
    }
    reader.push(Uint8Array.of(0xbb, 0x00));
    expect(reader.read(batch)).toBe(1);
    expect([...batch.packet(0)]).toEqual([0xaa, 0xbb]);
    expect(reader.bufferedBytes).toBe(1);
  });

  it('holds a stream of single bytes in few pieces, and pieces of all sizes one behind the other', () => {
    const stream = Buffer.concat([writeFrame(Buffer.alloc(65_000, 1)), writeFrame(Buffer.alloc(500, 2))]);
    const reader = new TcpFrameReader();
    const batch = new PacketBatch(4, 65_535);
    let most = 0;
    const startedMs = performance.now();
    for (let round = 0; round < 3; round++) {
      for (const byte of stream) {
        reader.push(Uint8Array.of(byte));
        most = Math.max(most, reader.chunks);
      }
      expect(reader.read(batch)).toBe(2);
      expect([batch.lengths[0], batch.lengths[1]]).toEqual([65_000, 500]);
      expect(batch.packet(0).every((byte) => byte === 1) && batch.packet(1).every((byte) => byte === 2)).toBe(
        true,
      );
    }
    expect(most).toBeLessThan(24);
    expect(performance.now() - startedMs).toBeLessThan(5_000);
  });

  it('keeps the order of small and large chunks', () => {
    const sizes = fc.array(fc.oneof(fc.integer({ min: 1, max: 30 }), fc.integer({ min: 900, max: 1_200 })), {
      minLength: 1,
      maxLength: 60,
    });
    fc.assert(
      fc.property(sizes, fc.integer({ min: 1, max: 9 }), (cuts, every) => {
        const packets = Array.from({ length: 40 }, (_, i) => Buffer.alloc(300, i));
        const stream = Buffer.concat(packets.map(writeFrame));
        const reader = new TcpFrameReader();
        const batch = new PacketBatch(8, 400);
        const got: string[] = [];
        for (let at = 0, cut = 0; at < stream.length; cut++) {
          const size = cuts[cut % cuts.length]!;
          reader.push(stream.subarray(at, at + size));
          at += size;
          if (cut % every !== 0 && at < stream.length) continue;
          while (reader.read(batch) > 0)
            for (let i = 0; i < batch.count; i++) got.push(batch.packet(i).toString('hex'));
        }
        expect(got).toEqual(packets.map((packet) => packet.toString('hex')));
      }),
    );
  });

  it('stops for good at a length of 0 or above the limit, behind the packets before it', () => {
    for (const length of [0, 1729, 65535]) {
      const reader = new TcpFrameReader();
      const batch = new PacketBatch(4, 1600);
      const limit = batch.maxPacketBytes;
      reader.push(writeFrame(Uint8Array.of(1)));
      reader.push(Uint8Array.of(length >> 8, length & 0xff));
      expect(reader.ready(limit)).toBe(true);
      expect(reader.read(batch)).toBe(1);
      expect(reader.error).toBe(
        `WARNING: Bad encapsulated packet length from peer (${length}), which must be > 0 and <= ${limit}` +
          ' -- please ensure that --tun-mtu or --link-mtu is equal on both peers -- this condition could' +
          ' also indicate a possible active attack on the TCP link -- [Attempting restart...]',
      );
      reader.push(writeFrame(Uint8Array.of(2)));
      expect([reader.read(batch), reader.bufferedBytes]).toEqual([0, 0]);
    }
  });

  it('does not keep consumed chunks of a long stream', () => {
    const reader = new TcpFrameReader();
    const batch = new PacketBatch(8, 100);
    let count = 0;
    for (let i = 0; i < 5000; i++) {
      const frame = writeFrame(Uint8Array.of(1, 2, 3));
      reader.push(frame.subarray(0, 4));
      count += reader.read(batch);
      reader.push(frame.subarray(4));
    }
    expect(count + reader.read(batch)).toBe(5000);
  });
});

describe('writeFrames', () => {
  it('puts slots first..end-1 into one buffer and leaves out empty ones', () => {
    const batch = new PacketBatch(4);
    for (const n of [1, 2, 3, 4]) batch.push(new Uint8Array(n).fill(n));
    batch.lengths[2] = 0;
    expect(writeFrames(batch, 1, 4)?.toString('hex')).toBe('00020202000404040404');
    expect(writeFrames(batch, 2, 3)).toBeUndefined();
  });
});
