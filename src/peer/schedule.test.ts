import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Schedule, type Scheduled } from './schedule.ts';

interface Item extends Scheduled {
  name: number;
}

const item = (name: number, deadlineMs: number): Item => ({ name, deadlineMs, heapIndex: -1, heapMs: 0 });

describe('Schedule', () => {
  it('gives due items in order of time', () => {
    const schedule = new Schedule<Item>();
    for (const [name, at] of [30, 10, 20].entries()) schedule.update(item(name, at));
    expect(schedule.nextMs()).toBe(10);
    expect(schedule.takeDue(9)).toBeUndefined();
    expect(
      [schedule.takeDue(25), schedule.takeDue(25), schedule.takeDue(25)].map((due) => due?.name),
    ).toEqual([1, 2, undefined]);
    expect(schedule.nextMs()).toBe(30);
  });

  it('finds out about postponed deadlines when they come up', () => {
    const schedule = new Schedule<Item>();
    const a = item(0, 10);
    schedule.update(a);
    a.deadlineMs = 50;
    schedule.update(a);
    expect(schedule.takeDue(20)).toBeUndefined();
    expect(schedule.nextMs()).toBe(50);
    a.deadlineMs = Number.POSITIVE_INFINITY;
    expect(schedule.takeDue(60)).toBeUndefined();
    expect(schedule.nextMs()).toBeUndefined();
  });

  it('never misses or repeats an item under random operations', () => {
    const operation = fc.record({ who: fc.nat(9), at: fc.nat(100), remove: fc.boolean() });
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 100 }), (operations) => {
        const schedule = new Schedule<Item>();
        const items = Array.from({ length: 10 }, (_, name) => item(name, Number.POSITIVE_INFINITY));
        for (const { who, at, remove } of operations) {
          const target = items[who]!;
          if (remove) {
            schedule.remove(target);
            target.deadlineMs = Number.POSITIVE_INFINITY;
          } else {
            target.deadlineMs = at;
            schedule.update(target);
          }
        }
        const waiting = items.filter((entry) => entry.deadlineMs <= 100);
        const taken: Item[] = [];
        for (let due = schedule.takeDue(100); due; due = schedule.takeDue(100)) taken.push(due);
        expect(new Set(taken)).toEqual(new Set(waiting));
        expect(taken.length).toBe(waiting.length);
      }),
    );
  });
});
