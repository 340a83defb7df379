/** Counting packets in a stream that only tells bytes. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { UnsentPackets } from './unsent-packets.ts';

describe('UnsentPackets', () => {
  it('counts a write until its last byte is gone', () => {
    const unsent = new UnsentPackets();
    unsent.add(1000, 10, 1000);
    unsent.add(500, 5, 1500);
    expect([1500, 501, 500, 1, 0].map((bytes) => unsent.count(bytes))).toEqual([15, 15, 5, 5, 0]);
  });

  it('forgets what was sent at once', () => {
    const unsent = new UnsentPackets();
    for (let i = 0; i < 1000; i++) unsent.add(100, 1, 0);
    expect(unsent.count(0)).toBe(0);
    unsent.add(100, 1, 100);
    expect(unsent.count(100)).toBe(1);
  });

  it('agrees with a list of writes', () => {
    const step = fc.record({
      bytes: fc.integer({ min: 1, max: 50 }),
      packets: fc.integer({ min: 1, max: 5 }),
      sent: fc.integer({ min: 0, max: 80 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
        const unsent = new UnsentPackets();
        let list: { left: number; packets: number }[] = [];
        const total = () => list.reduce((sum, { left }) => sum + left, 0);
        for (const { bytes, packets, sent } of steps) {
          list.push({ left: bytes, packets });
          unsent.add(bytes, packets, total());
          for (let rest = sent; rest > 0 && list.length > 0; ) {
            const part = Math.min(rest, list[0]!.left);
            list[0]!.left -= part;
            rest -= part;
            if (list[0]!.left === 0) list = list.slice(1);
          }
          expect(unsent.count(total())).toBe(list.reduce((sum, write) => sum + write.packets, 0));
        }
      }),
    );
  });
});
