import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { batchOf, frame } from '../../test-kit/routing-bed.ts';
import { tagFrame, untagFrame, vlanIdOf } from './vlan.ts';

describe('VLAN tags', () => {
  it('are read from tagged frames only', () => {
    const read = (packet: Uint8Array): number => vlanIdOf(packet, 0, packet.length);
    expect(read(frame(1, 2))).toBe(-1);
    expect(read(frame(1, 2, 0xe007))).toBe(7);
    expect(read(frame(1, 2, 0xe000))).toBe(0);
    expect(read(frame(1, 2).subarray(0, 13))).toBe(-2);
    expect(read(frame(1, 2, 7).subarray(0, 17))).toBe(-2);
  });

  it('are added with no priority and taken off again', () => {
    const batch = batchOf(frame(1, 2));
    expect(tagFrame(batch, 0, 4094)).toBe(true);
    expect([...batch.packet(0)]).toEqual([...frame(1, 2, 4094)]);
    untagFrame(batch, 0);
    expect([...batch.packet(0)]).toEqual([...frame(1, 2)]);
  });

  it('keep the priority of a priority tag', () => {
    const batch = batchOf(frame(1, 2, 0xa000));
    expect(tagFrame(batch, 0, 0x123)).toBe(true);
    expect([...batch.packet(0)]).toEqual([...frame(1, 2, 0xa123)]);
  });

  it('are not put on frames of another VLAN, short frames, or without room', () => {
    expect(tagFrame(batchOf(frame(1, 2, 9)), 0, 7)).toBe(false);
    expect(tagFrame(batchOf(frame(1, 2).subarray(0, 13)), 0, 7)).toBe(false);
    const tight = batchOf(frame(1, 2));
    tight.slab.copyWithin(3, tight.offsets[0]!, tight.offsets[0]! + tight.lengths[0]!);
    tight.offsets[0] = 3;
    expect(tagFrame(tight, 0, 7)).toBe(false);
  });

  it('come off as they went on for any payload', () => {
    const payload = fc.uint8Array({ minLength: 14, maxLength: 200 });
    fc.assert(
      fc.property(payload, fc.integer({ min: 1, max: 4094 }), (bytes, vid) => {
        const batch = batchOf(bytes);
        if (vlanIdOf(bytes, 0, bytes.length) !== -1) return;
        expect(tagFrame(batch, 0, vid)).toBe(true);
        expect(vlanIdOf(batch.slab, batch.offsets[0]!, batch.lengths[0]!)).toBe(vid);
        untagFrame(batch, 0);
        expect(Buffer.compare(batch.packet(0), bytes)).toBe(0);
      }),
    );
  });
});
