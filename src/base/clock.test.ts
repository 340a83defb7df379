/** What timers are asked for. */
import { describe, expect, it } from 'vitest';
import { timerDelay } from './clock.ts';

describe('timerDelay', () => {
  it('keeps to what a timer can take', () => {
    expect([-5, 0, 0.2, 1e15, Number.POSITIVE_INFINITY].map(timerDelay)).toEqual([
      0,
      0,
      1,
      2 ** 31 - 1,
      2 ** 31 - 1,
    ]);
  });
});
