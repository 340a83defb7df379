/** The conformance suite over the addon, and what only the addon has: bounds and its twin in Node. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { addonForTests } from '../../test-kit/native-addon.ts';
import { PacketBatch } from '../base/base.ts';
import { cryptoConformance } from './crypto.conformance.ts';
import { AEAD_CIPHERS, cipherInfo, type DataKeySpec, OPEN_OK } from './crypto.ts';
import { createNativeCrypto } from './crypto-native.ts';
import { createNodeCrypto } from './crypto-node.ts';
import { epochConformance } from './epoch.conformance.ts';
import { hmacKeyConformance } from './hmac-keys.conformance.ts';

const node = createNodeCrypto();
const native = createNativeCrypto(addonForTests(), node);
const MISUSE = { code: 'ERR_OVPN_API_MISUSE' };

cryptoConformance('crypto-native', () => native);
hmacKeyConformance('crypto-native', () => native);
epochConformance('crypto-native', () => native);

describe('crypto-native', () => {
  it('writes the same bytes as the node backend and opens them', () => {
    const names = AEAD_CIPHERS.filter((name) => addonForTests().supportsAead(name));
    fc.assert(
      fc.property(
        fc.constantFrom(...names),
        fc.array(fc.uint8Array({ maxLength: 1500 }), { minLength: 1, maxLength: 8 }),
        fc.uint8Array({ minLength: 64, maxLength: 64 }),
        fc.integer({ min: -1, max: 0xffffff }),
        fc.option(fc.integer({ min: 1, max: 0xffff }), { nil: undefined }),
        (name, packets, material, peerId, epoch) => {
          const spec: DataKeySpec = {
            cipher: cipherInfo(name)!,
            key: { cipher: material, hmac: material },
            keyId: 2,
            ...(epoch === undefined ? { peerId } : { peerId: Math.max(0, peerId), epoch }),
          };
          const [ours, theirs] = [batchOf(packets), batchOf(packets)];
          native.createSealingKey(spec).sealBatch(ours, 0, ours.count);
          node.createSealingKey(spec).sealBatch(theirs, 0, theirs.count);
          for (let i = 0; i < packets.length; i++) expect(ours.packet(i)).toEqual(theirs.packet(i));
          node.createOpeningKey(spec).openBatch(ours, 0, ours.count);
          native.createOpeningKey(spec).openBatch(theirs, 0, theirs.count);
          expect(ours.status).toEqual(theirs.status);
          expect(ours.packetIds).toEqual(theirs.packetIds);
          if (epoch !== undefined) expect(ours.packetTimes).toEqual(theirs.packetTimes);
          packets.forEach((packet, i) => {
            expect(Buffer.compare(ours.packet(i), packet)).toBe(0);
            expect(Buffer.compare(theirs.packet(i), packet)).toBe(0);
          });
        },
      ),
      { numRuns: 100 },
    );
  });

  it.each([undefined, 3])(
    'refuses runs and packets outside the batch, whatever the numbers are, epoch %s',
    (epoch) => {
      const spec = { ...specOf(), ...(epoch !== undefined && { epoch }) };
      const seal = native.createSealingKey(spec);
      const open = native.createOpeningKey(spec);
      for (const [first, end] of [
        [-1, 1],
        [1, 0],
        [0, 5],
        [0, 2 ** 31],
        [Number.NaN, 1],
        [0, Number.POSITIVE_INFINITY],
      ] as const) {
        const batch = fourPackets();
        expect(() => seal.sealBatch(batch, first, end)).toThrow(expect.objectContaining(MISUSE));
        expect(() => open.openBatch(batch, first, end)).toThrow(expect.objectContaining(MISUSE));
      }
      for (const [offset, length] of [
        [-1, 10],
        [0, 0x7fffffff],
        [0x7fffffff, 0x7fffffff],
        [128, -5],
        [-0x80000000, 1],
        [2000, 1],
      ] as const) {
        const batch = fourPackets();
        batch.offsets[0] = offset;
        batch.lengths[0] = length;
        const before = Buffer.from(batch.slab);
        expect(() => seal.sealBatch(batch, 0, 4)).toThrow(expect.objectContaining(MISUSE));
        expect(() => open.openBatch(batch, 0, 4)).toThrow(expect.objectContaining(MISUSE));
        expect(batch.slab.equals(before)).toBe(true);
      }
    },
  );

  it('refuses arrays of the wrong type and calls on foreign objects', () => {
    const { AeadSealer, AeadOpener } = addonForTests();
    const key = new Uint8Array(32);
    const sealer = new AeadSealer('AES-256-GCM', key, new Uint8Array(8), 0, 1, 1);
    const opener = new AeadOpener('AES-256-GCM', key, new Uint8Array(8));
    const { slab, slotSize, offsets, lengths } = fourPackets();
    const wrong = new Float64Array(4) as unknown as Int32Array;
    expect(() => sealer.sealBatch(slab, slotSize, wrong, lengths, 0, 1)).toThrow(
      expect.objectContaining(MISUSE),
    );
    expect(() => sealer.sealBatch(slab, 0, offsets, lengths, 0, 1)).toThrow(expect.objectContaining(MISUSE));
    const getter = Object.getOwnPropertyDescriptor(AeadSealer.prototype, 'nextPacketId')?.get;
    expect(() => getter?.call(opener)).toThrow();
    expect(() =>
      AeadSealer.prototype.sealBatch.call(opener, slab, slotSize, offsets, lengths, 0, 1),
    ).toThrow();
    expect(() => (AeadSealer as unknown as () => void)()).toThrow(expect.objectContaining(MISUSE));
  });

  it('leaves out packets without room for what sealing adds in epoch format', () => {
    const seal = native.createSealingKey({ ...specOf(), epoch: 1 });
    const batch = fourPackets();
    batch.offsets[0] = 11;
    batch.lengths[1] = 2 * batch.slotSize - batch.offsets[1]! - 15;
    batch.lengths[2] = 3 * batch.slotSize - batch.offsets[2]! - 16;
    const before = Buffer.from(batch.slab);
    expect(seal.sealBatch(batch, 0, 4)).toBe(4);
    expect([...batch.lengths].map((length) => length > 0)).toEqual([false, false, true, true]);
    const untouched = 2 * batch.slotSize;
    expect(batch.slab.subarray(0, untouched).equals(before.subarray(0, untouched))).toBe(true);
    expect(seal.nextPacketId).toBe(3);
  });

  it('survives random corruption of good packets and counts every failure', () => {
    const spec = specOf();
    const seal = native.createSealingKey(spec);
    const open = native.createOpeningKey(spec);
    let good = 0;
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 1, maxLength: 300 }),
        fc.nat(),
        fc.nat(255),
        (packet, at, flip) => {
          const batch = batchOf([packet]);
          seal.sealBatch(batch, 0, 1);
          batch.slab[batch.offsets[0]! + (at % batch.lengths[0]!)]! ^= flip;
          open.openBatch(batch, 0, 1);
          expect(batch.status[0] === OPEN_OK).toBe(flip === 0);
          if (flip === 0) good++;
        },
      ),
      { numRuns: 500 },
    );
    expect(open.failures).toBeLessThanOrEqual(500 - good);
  });
});

function specOf(): DataKeySpec {
  const material = new Uint8Array(64).fill(7);
  const cipher = cipherInfo('AES-256-GCM')!;
  return { cipher, key: { cipher: material, hmac: material }, keyId: 0, peerId: 3 };
}

function batchOf(packets: readonly Uint8Array[]): PacketBatch {
  const batch = new PacketBatch(packets.length);
  for (const packet of packets) batch.push(packet);
  return batch;
}

function fourPackets(): PacketBatch {
  return batchOf([1, 2, 3, 4].map((n) => new Uint8Array(50).fill(n)));
}
