import { expect, it } from 'vitest';
import { ManualClock } from '../base/base.ts';
import { type Alarm, type Driven, Driver } from './driver.ts';

/** Rings when a test lets it. */
class TestAlarm implements Alarm {
  atMs: number | undefined;
  readonly asked: (number | undefined)[] = [];
  ring: () => void = () => undefined;
  readonly soonRuns: (() => void)[] = [];

  soon(run: () => void): void {
    this.soonRuns.push(run);
  }

  at(atMs: number | undefined, run: () => void): void {
    this.asked.push(atMs);
    this.atMs = atMs;
    this.ring = run;
  }
}

class TestPeer implements Driven {
  deadlineMs = Number.POSITIVE_INFINITY;
  heapIndex = -1;
  heapMs = 0;
  readonly calls: string[] = [];

  handleWake(nowMs: number): void {
    this.calls.push(`wake ${nowMs}`);
  }

  handleTimeout(nowMs: number): void {
    this.calls.push(`timeout ${nowMs}`);
    this.deadlineMs = Number.POSITIVE_INFINITY;
  }
}

function bed(): { clock: ManualClock; alarm: TestAlarm; driver: Driver; peers: [TestPeer, TestPeer] } {
  const clock = new ManualClock(0);
  const alarm = new TestAlarm();
  return { clock, alarm, driver: new Driver(clock, alarm), peers: [new TestPeer(), new TestPeer()] };
}

it('arms one alarm for the earliest deadline of many peers', () => {
  const { clock, alarm, driver, peers } = bed();
  const [one, two] = peers;
  one.deadlineMs = 50;
  driver.update(one);
  two.deadlineMs = 20;
  driver.update(two);
  expect(alarm.asked).toEqual([50, 20]);
  clock.advanceTo(20);
  alarm.ring();
  expect([one.calls, two.calls]).toEqual([[], ['timeout 20']]);
  expect(alarm.atMs).toBe(50);
});

it('lets a deadline that moves away cost nothing', () => {
  const { clock, alarm, driver, peers } = bed();
  const [one] = peers;
  for (const deadlineMs of [10, 30, 60]) {
    one.deadlineMs = deadlineMs;
    driver.update(one);
  }
  expect(alarm.asked).toEqual([10]);
  clock.advanceTo(10);
  alarm.ring();
  expect(one.calls).toEqual([]);
  expect(alarm.atMs).toBe(60);
});

it('wakes a peer once, and none that was removed', () => {
  const { alarm, driver, peers } = bed();
  const [one, two] = peers;
  for (const peer of [one, two, one]) driver.wake(peer);
  driver.remove(two);
  expect(alarm.soonRuns).toHaveLength(1);
  alarm.soonRuns[0]!();
  expect([one.calls, two.calls]).toEqual([['wake 0'], []]);
});

it('wakes nobody when it is closed', () => {
  const { alarm, driver, peers } = bed();
  const [one] = peers;
  one.deadlineMs = 5;
  driver.update(one);
  driver.wake(one);
  driver.close();
  expect(alarm.atMs).toBeUndefined();
  for (const run of alarm.soonRuns) run();
  driver.wake(one);
  driver.update(one);
  expect([one.calls, alarm.atMs]).toEqual([[], undefined]);
});
