/**
 * What every CompressionBackend must do: give back what it packed, read blocks that peers made, refuse
 * malformed and too long ones, and stay inside of its ranges whatever it is given.
 */
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { CompressionAlgorithm, CompressionBackend } from './comp.ts';

const LIMIT = 1600;
const GUARD = 0xa5;
/** Bytes before and behind the ranges that must keep their value. */
const GUARD_BYTES = 32;

/** Blocks of real peers, without framing, and what they unpack to. */
const BLOCKS: Record<CompressionAlgorithm, { readonly packed: Buffer; readonly payload: Buffer }[]> = {
  lzo: blocksOf('--comp-lzo yes', (framed) => framed.subarray(1)),
  lz4: blocksOf('--compress lz4-v2', (framed) => framed.subarray(2)),
};

export function compressionConformance(name: string, create: () => CompressionBackend): void {
  describe(`${name} as a CompressionBackend`, () => {
    const backend = create();
    const blocks = BLOCKS[backend.name];

    it("unpacks a peer's block", () => {
      expect(blocks.length).toBeGreaterThan(0);
      for (const { packed, payload } of blocks) expect(unpack(backend, packed)).toEqual(payload);
    });

    it('gives back what it packed', () => {
      fc.assert(
        fc.property(packets(), (packet) => {
          const packed = pack(backend, packet);
          expect(packed && unpack(backend, packed)).toEqual(packet);
        }),
      );
    });

    it('makes repetitive data smaller', () => {
      expect(pack(backend, Buffer.alloc(1400, 'ab'))!.length).toBeLessThan(100);
    });

    it('refuses an empty block, and a block cut anywhere', () => {
      const { packed } = blocks[0]!;
      const payload = unpack(backend, packed)!;
      expect(unpack(backend, Buffer.alloc(0))).toBeUndefined();
      for (let length = 1; length < packed.length; length++) {
        expect(unpack(backend, packed.subarray(0, length))?.equals(payload) ?? false).toBe(false);
      }
    });

    it('refuses what unpacks to more than the limit, and takes exactly the limit', () => {
      const packed = pack(backend, Buffer.alloc(1000, 7))!;
      expect(unpack(backend, packed, 999)).toBeUndefined();
      expect(unpack(backend, packed, 1000)).toEqual(Buffer.alloc(1000, 7));
    });

    it('does not pack into less room than it needs', () => {
      const packet = Buffer.from(Array.from({ length: 200 }, (_, i) => (i * 167) & 0xff));
      const needed = pack(backend, packet)!.length;
      expect(pack(backend, packet, needed - 1)).toBeUndefined();
    });

    it('stays inside of its ranges for any input', () => {
      fc.assert(
        fc.property(
          fc.oneof(fc.uint8Array({ maxLength: 400 }), mutated(blocks[0]!.packed)),
          fc.integer({ min: 0, max: LIMIT }),
          (bytes, limit) => {
            unpack(backend, bytes, limit);
            pack(backend, bytes, limit);
          },
        ),
        { numRuns: 2000 },
      );
    });
  });
}

function unpack(backend: CompressionBackend, packed: Uint8Array, limit = LIMIT): Buffer | undefined {
  return guarded(packed, limit, (...range) => backend.decompress(...range));
}

function pack(backend: CompressionBackend, packet: Uint8Array, limit = LIMIT): Buffer | undefined {
  return guarded(packet, limit, (...range) => backend.compress(...range));
}

/** Calls with guards around both ranges and looks at them afterwards. */
function guarded(
  bytes: Uint8Array,
  limit: number,
  call: (...range: Parameters<CompressionBackend['compress']>) => number,
): Buffer | undefined {
  const input = Buffer.alloc(bytes.length + 2 * GUARD_BYTES, GUARD);
  input.set(bytes, GUARD_BYTES);
  const before = Buffer.from(input);
  const output = Buffer.alloc(limit + 2 * GUARD_BYTES, GUARD);
  const length = call(input, GUARD_BYTES, bytes.length, output, GUARD_BYTES, limit);
  expect(Number.isInteger(length) && length >= -1 && length <= limit).toBe(true);
  expect(input.equals(before)).toBe(true);
  const end = GUARD_BYTES + limit;
  expect(output.subarray(0, GUARD_BYTES).every((byte) => byte === GUARD)).toBe(true);
  expect(output.subarray(end).every((byte) => byte === GUARD)).toBe(true);
  return length < 0 ? undefined : output.subarray(GUARD_BYTES, GUARD_BYTES + length);
}

/** Packets of 1 to 1400 bytes, some random, some with much repetition. */
function packets(): fc.Arbitrary<Buffer> {
  const parts = fc.array(
    fc.tuple(fc.uint8Array({ minLength: 1, maxLength: 40 }), fc.integer({ min: 1, max: 30 })),
    { minLength: 1, maxLength: 12 },
  );
  return parts.map((list) => {
    const repeated = list.flatMap(([bytes, times]) => Array.from({ length: times }, () => bytes));
    return Buffer.concat(repeated).subarray(0, 1400);
  });
}

function mutated(block: Uint8Array): fc.Arbitrary<Uint8Array> {
  const edits = fc.array(fc.tuple(fc.nat(block.length - 1), fc.nat(255)), { minLength: 1, maxLength: 6 });
  return edits.map((list) => {
    const copy = Uint8Array.from(block);
    for (const [at, value] of list) copy[at] = value;
    return copy;
  });
}

function blocksOf(option: string, unframe: (framed: Buffer) => Buffer) {
  const { compression } = JSON.parse(readFileSync('test-kit/vectors.json', 'utf8')) as {
    compression: { cases: { config_text: string; framed: string; payload: string }[] };
  };
  return compression.cases
    .filter((item) => item.config_text.startsWith(option))
    .map(({ framed, payload }) => ({
      packed: unframe(Buffer.from(framed, 'hex')),
      payload: Buffer.from(payload, 'hex'),
    }));
}
