import { describe, expect, it } from 'vitest';
import { Shaper } from './shaper.ts';

describe('Shaper', () => {
  it('lets a second of packets take a second, whatever the timers grain', () => {
    for (const grainMs of [0.1, 1, 3]) {
      const shaper = new Shaper(100_000);
      let nowMs = 0;
      let sent = 0;
      while (nowMs < 1_000) {
        const wait = shaper.delayMs(nowMs);
        if (wait > 0) {
          nowMs += Math.ceil(wait / grainMs) * grainMs;
          continue;
        }
        shaper.note(1, 1_400, nowMs);
        sent += 1_400;
      }
      expect(sent).toBeGreaterThan(97_000);
      expect(sent).toBeLessThan(103_000);
    }
  });

  it('does not save up silence', () => {
    const shaper = new Shaper(1_000);
    shaper.note(1, 1_000, 0);
    expect(shaper.delayMs(0)).toBeCloseTo(996);
    expect(shaper.delayMs(60_000)).toBe(0);
    shaper.note(1, 1_000, 60_000);
    expect(shaper.delayMs(60_000)).toBeCloseTo(996);
  });

  it('counts small packets as 100 bytes and waits at most 10 s for one', () => {
    const shaper = new Shaper(100);
    shaper.note(1, 20, 10_000);
    expect(shaper.delayMs(10_000)).toBeCloseTo(996);
    const slow = new Shaper(100);
    slow.note(1, 9_000, 0);
    expect(slow.delayMs(0)).toBeCloseTo(9_996);
  });
});
