import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compressionForTests } from '../../test-kit/compression.ts';
import { createPrng } from '../../test-kit/prng.ts';
import { MemoryLogger, nullLogger, PacketBatch } from '../base/base.ts';
import { algorithmOf, type CompressionFraming, type Compressor, createCompressor } from './comp.ts';

const FRAMINGS: CompressionFraming[] = ['lzo-stub', 'stub', 'stub-v2', 'lzo', 'lz4', 'lz4-v2'];
/** Options of the vectors, by framing. */
const OPTIONS: [string, CompressionFraming][] = [
  ['--comp-lzo no', 'lzo-stub'],
  ['--compress stub ', 'stub'],
  ['--compress stub-v2', 'stub-v2'],
  ['--comp-lzo yes', 'lzo'],
  ['--compress lz4 ', 'lz4'],
  ['--compress lz4-v2', 'lz4-v2'],
];

describe('compression framing', () => {
  it('reads what 2.6.14 sent in each framing, and writes the uncompressed forms alike', () => {
    for (const [option, framing] of OPTIONS) {
      const cases = readVectors().cases.filter((item) => `${item.config_text} `.startsWith(option));
      expect(cases.length, option).toBeGreaterThan(0);
      for (const { framed, payload } of cases) {
        expect(unframe(make(framing), Buffer.from(framed, 'hex'))?.toString('hex')).toBe(payload);
        if (algorithmOf(framing)) continue;
        expect(frame(make(framing), Buffer.from(payload, 'hex')).toString('hex')).toBe(framed);
      }
    }
  });

  it('gives back every packet, compressed or not', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...FRAMINGS),
        fc.boolean(),
        fc.uint8Array({ minLength: 1, maxLength: 300 }),
        fc.integer({ min: 1, max: 5 }),
        (framing, sends, bytes, times) => {
          const packet = Buffer.concat(Array.from({ length: times }, () => bytes));
          expect(unframe(make(framing), frame(make(framing, sends), packet))).toEqual(packet);
        },
      ),
    );
  });

  it('marks packets with the bytes of 2.x', () => {
    const even = Buffer.alloc(1000, 'a');
    const { bytes } = readVectors();
    const start = (framing: CompressionFraming, packet: Buffer, sends: boolean, length = 1): string =>
      frame(make(framing, sends), packet).subarray(0, length).toString('hex');
    expect(start('lzo-stub', even, true)).toBe(bytes.no_compress);
    expect(start('lz4', even, false)).toBe(bytes.no_compress_swap);
    expect(start('lzo', even, true)).toBe(bytes.lzo);
    expect(start('lz4', even, true)).toBe(bytes.lz4_swap);
    expect(start('lz4-v2', even, true, 2)).toBe(bytes.v2_indicator + bytes.v2_lz4);
    expect(start('stub-v2', Buffer.of(0x50, 1), true, 2)).toBe(bytes.v2_indicator + bytes.v2_uncompressed);
  });

  it('compresses only what is long enough, allowed, and becomes shorter', () => {
    const even = Buffer.alloc(1000, 'a');
    const noise = Buffer.from(Array.from({ length: 1000 }, (_, i) => (i * i * 31 + i * 7919) >>> 3));
    expect(frame(make('lzo', true), even)[0]).toBe(0x66);
    expect(frame(make('lz4', true), even)[0]).toBe(0x69);
    expect(frame(make('lz4-v2', true), even).subarray(0, 2).toString('hex')).toBe('5001');
    expect(frame(make('lzo', true), even.subarray(0, 99))[0]).toBe(0xfa);
    expect(frame(make('lzo', false), even)[0]).toBe(0xfa);
    expect(frame(make('lz4', true), noise.subarray(0, 256)).length).toBeLessThanOrEqual(257);
  });

  it('escapes a first byte of 0x50 in the v2 framings', () => {
    expect(frame(make('stub-v2'), Buffer.from('5060', 'hex')).toString('hex')).toBe('50005060');
    expect(unframe(make('stub-v2'), Buffer.from('50005060', 'hex'))?.toString('hex')).toBe('5060');
  });

  it('drops unknown markers, lone markers and compressed packets that the framing does not allow', () => {
    const bad: [CompressionFraming, string][] = [
      ['lzo-stub', '66000102'],
      ['lzo-stub', 'fb0102'],
      ['lzo-stub', 'fa'],
      ['stub', '69000102'],
      ['stub', 'fb'],
      ['stub-v2', '50'],
      ['stub-v2', '5001aabb'],
      ['stub-v2', '5000'],
      ['lzo', '66'],
      ['lzo', '69aabb'],
      ['lz4', '69'],
      ['lz4', 'fa00'],
      ['lz4-v2', '5001'],
      ['lz4-v2', '5002aabb'],
    ];
    for (const [framing, hex] of bad) {
      expect(unframe(make(framing), Buffer.from(hex, 'hex')), `${framing} ${hex}`).toBeUndefined();
    }
  });

  it("says what was wrong in 2.x's words", () => {
    const log = new MemoryLogger();
    const compressor = createCompressor({
      framing: 'stub',
      backend: undefined,
      sends: false,
      adaptive: false,
      log,
    });
    unframe(compressor, Buffer.from('fa4500', 'hex'));
    expect(log.lines).toEqual(['Bad compression stub (swap) decompression header byte: 250']);
  });

  it('never makes a packet longer than a slot may hold', () => {
    const packed = frame(make('lz4', true), Buffer.alloc(4000), 4096);
    expect(unframe(make('lz4'), packed, 4096)?.length).toBe(4000);
    expect(unframe(make('lz4'), packed, 1600)).toBeUndefined();
  });

  it('stops compressing for a minute when adaptive and nothing is gained', () => {
    const compressor = createCompressor({
      framing: 'lzo',
      backend: compressionForTests('lzo'),
      sends: true,
      adaptive: true,
      log: nullLogger,
    });
    const random = createPrng(5);
    const noise = Buffer.from(Array.from({ length: 1200 }, () => random() * 256));
    const even = Buffer.alloc(1200, 1);
    frame(compressor, noise, 1600, 0);
    frame(compressor, noise, 1600, 500);
    expect(frame(compressor, even, 1600, 2_000)[0]).toBe(0xfa);
    expect(frame(compressor, even, 1600, 61_000)[0]).toBe(0xfa);
    expect(frame(compressor, even, 1600, 62_000)[0]).toBe(0x66);
  });

  it('counts bytes before and after', () => {
    const compressor = make('lz4', true);
    const packed = frame(compressor, Buffer.alloc(1000));
    unframe(compressor, packed);
    expect(compressor.totals).toEqual({
      preCompressBytes: 1000,
      postCompressBytes: packed.length - 1,
      preDecompressBytes: packed.length - 1,
      postDecompressBytes: 1000,
    });
  });
});

function make(framing: CompressionFraming, sends = false): Compressor {
  const algorithm = algorithmOf(framing);
  const backend = algorithm && compressionForTests(algorithm);
  return createCompressor({ framing, backend, sends, adaptive: false, log: nullLogger });
}

function frame(compressor: Compressor, packet: Uint8Array, room = 1600, nowMs = 0): Buffer {
  const batch = new PacketBatch(1, room);
  batch.push(packet);
  compressor.frame(batch, 0, nowMs);
  return Buffer.from(batch.packet(0));
}

function unframe(compressor: Compressor, packet: Uint8Array, room = 1600): Buffer | undefined {
  const batch = new PacketBatch(1, room);
  batch.push(packet);
  const good = compressor.unframe(batch, 0);
  expect(good).toBe(batch.lengths[0]! > 0);
  return good ? Buffer.from(batch.packet(0)) : undefined;
}

interface Vectors {
  readonly cases: readonly { config_text: string; framed: string; payload: string }[];
  readonly bytes: Readonly<
    Record<
      'no_compress' | 'no_compress_swap' | 'lzo' | 'lz4_swap' | 'v2_indicator' | 'v2_uncompressed' | 'v2_lz4',
      string
    >
  >;
}

function readVectors(): Vectors {
  return JSON.parse(readFileSync('test-kit/vectors.json', 'utf8')).compression;
}
