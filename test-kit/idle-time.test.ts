import { expect, it } from 'vitest';
import { createIdleMeter } from './idle-time.ts';

it('tells the idle share since the call before, waiting for disks included', () => {
  const texts = [
    'cpu  100 0 50 1000 10 0 0 40 7 7\ncpu0 1 1 1 1\n',
    'cpu  130 0 60 1050 15 0 5 40 9 9\n',
    'cpu  130 0 60 1050 15 0 5 140 9 9\n',
  ];
  const meter = createIdleMeter(() => texts.shift()!);
  expect(meter()).toBeCloseTo(55 / 100);
  expect(meter()).toBe(0);
});

it('is 0 where no time has passed', () => {
  const meter = createIdleMeter(() => 'cpu  1 1 1 1 1 1 1 1\n');
  expect(meter()).toBe(0);
});

it('reads the counts of this machine', () => {
  const meter = createIdleMeter();
  expect(meter()).toBeGreaterThanOrEqual(0);
  expect(meter()).toBeLessThanOrEqual(1);
});
