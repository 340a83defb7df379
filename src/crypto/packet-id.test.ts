/** The replay window: known answers of a live 2.6.14 server, and a slow model of 2.x's rules. */
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  PacketIdRec,
  REPLAY_EXPIRED,
  REPLAY_OK,
  REPLAY_OUT_OF_ORDER,
  REPLAY_SEEN,
  REPLAY_TIME_BACKTRACK,
  REPLAY_TOO_OLD,
  REPLAY_ZERO_ID,
} from './packet-id.ts';

const MAX_PACKET_ID = 0xffff_ffff;

describe('PacketIdRec', () => {
  it('accepts and rejects what a live 2.6.14 server did', () => {
    const { replay_window: vector } = JSON.parse(
      readFileSync(new URL('../../test-kit/vectors.json', import.meta.url), 'utf8'),
    ) as { replay_window: { window: number; highest_then_accepted: [number, boolean][] } };
    const rec = new PacketIdRec(vector.window);
    for (const [id, accepted] of vector.highest_then_accepted) {
      expect([id, rec.check(id, 0) === REPLAY_OK]).toEqual([id, accepted]);
    }
  });

  it('says why it rejects', () => {
    const rec = new PacketIdRec(64, 15);
    expect(rec.check(0, 0)).toBe(REPLAY_ZERO_ID);
    expect(rec.check(100, 0)).toBe(REPLAY_OK);
    expect(rec.check(100, 0)).toBe(REPLAY_SEEN);
    expect(rec.check(36, 0)).toBe(REPLAY_TOO_OLD);
    expect(rec.check(37, 0)).toBe(REPLAY_OK);
    expect(rec.highest).toBe(100);
  });

  it('opens the whole window below a jump ahead', () => {
    const rec = new PacketIdRec(8);
    for (let id = 1; id <= 8; id++) expect(rec.check(id, 0)).toBe(REPLAY_OK);
    expect(rec.check(1000, 0)).toBe(REPLAY_OK);
    for (let id = 999; id > 992; id--) expect(rec.check(id, 0)).toBe(REPLAY_OK);
    expect(rec.check(992, 0)).toBe(REPLAY_TOO_OLD);
  });

  it('works up to the last id', () => {
    const rec = new PacketIdRec(4);
    expect(rec.check(MAX_PACKET_ID - 3, 0)).toBe(REPLAY_OK);
    expect(rec.check(MAX_PACKET_ID, 0)).toBe(REPLAY_OK);
    expect(rec.check(MAX_PACKET_ID, 0)).toBe(REPLAY_SEEN);
    expect(rec.check(MAX_PACKET_ID - 1, 0)).toBe(REPLAY_OK);
    expect(rec.check(1, 0)).toBe(REPLAY_TOO_OLD);
  });

  it('takes windows of 1 and of 65536', () => {
    const one = new PacketIdRec(1);
    expect([5, 5, 4, 6].map((id) => one.check(id, 0))).toEqual([
      REPLAY_OK,
      REPLAY_SEEN,
      REPLAY_TOO_OLD,
      REPLAY_OK,
    ]);
    const wide = new PacketIdRec(65536);
    expect(wide.check(65537, 0)).toBe(REPLAY_OK);
    expect(wide.check(2, 0)).toBe(REPLAY_OK);
    expect(wide.check(1, 0)).toBe(REPLAY_TOO_OLD);
  });

  it('expires ids overtaken more than T seconds ago, at the next sweep', () => {
    const rec = new PacketIdRec(64, 15);
    expect(rec.check(10, 0)).toBe(REPLAY_OK);
    expect(rec.check(9, 15_000)).toBe(REPLAY_OK);
    expect(rec.check(20, 20_000)).toBe(REPLAY_OK);
    expect(rec.check(8, 20_000)).toBe(REPLAY_EXPIRED);
    // Id 11 was never behind one seen that long ago.
    expect(rec.check(11, 20_000)).toBe(REPLAY_OK);
  });

  it('never expires with T = 0', () => {
    const rec = new PacketIdRec(64, 0);
    expect(rec.check(10, 0)).toBe(REPLAY_OK);
    expect(rec.check(9, 10_000_000)).toBe(REPLAY_OK);
  });

  it('starts afresh when the time of a long form id moves on, and rejects an older time', () => {
    const rec = new PacketIdRec();
    expect(rec.check(50, 0, 1000)).toBe(REPLAY_OK);
    expect(rec.check(1, 0, 1001)).toBe(REPLAY_OK);
    expect([rec.highest, rec.time]).toEqual([1, 1001]);
    expect(rec.check(1, 0, 1001)).toBe(REPLAY_SEEN);
    expect(rec.check(51, 0, 1000)).toBe(REPLAY_TIME_BACKTRACK);
    expect(rec.check(50, 0, 1001)).toBe(REPLAY_OK);
    expect(rec.check(2, 0, 1001)).toBe(REPLAY_OK);
  });

  it('takes ids only in sequence with window 0', () => {
    const rec = new PacketIdRec(0);
    expect(rec.check(7, 0)).toBe(REPLAY_OK);
    expect(rec.check(9, 0)).toBe(REPLAY_OUT_OF_ORDER);
    expect(rec.check(7, 0)).toBe(REPLAY_OUT_OF_ORDER);
    expect(rec.check(8, 0)).toBe(REPLAY_OK);
    expect(rec.check(5, 0, 10)).toBe(REPLAY_OUT_OF_ORDER);
    expect(rec.check(1, 0, 10)).toBe(REPLAY_OK);
    expect(rec.check(2, 0, 10)).toBe(REPLAY_OK);
    expect(rec.check(3, 0, 9)).toBe(REPLAY_TIME_BACKTRACK);
  });

  it('agrees with a model that remembers everything', () => {
    const step = fc.record({
      delta: fc.integer({ min: -80, max: 80 }),
      jump: fc.oneof({ weight: 20, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat(500) }),
      waitMs: fc.oneof({ weight: 5, arbitrary: fc.nat(200) }, { weight: 1, arbitrary: fc.nat(9000) }),
      timeStep: fc.oneof(
        { weight: 30, arbitrary: fc.constant(0) },
        { weight: 1, arbitrary: fc.integer({ min: -1, max: 1 }) },
      ),
    });
    const run = fc.array(step, { maxLength: 200 });
    fc.assert(
      fc.property(run, fc.integer({ min: 1, max: 70 }), fc.nat(20), (steps, window, seconds) => {
        const rec = new PacketIdRec(window, seconds);
        const model = new Model(window, seconds);
        let nowMs = 0;
        for (const { delta, jump, waitMs, timeStep } of steps) {
          nowMs += waitMs;
          const id = Math.max(0, model.highest + delta + jump);
          const time = Math.max(0, model.time + timeStep);
          expect(rec.check(id, nowMs, time)).toBe(model.check(id, nowMs, time));
        }
      }),
      { numRuns: 300 },
    );
  });
});

/** 2.x's rules with a map of everything seen and a list of everything expired. */
class Model {
  highest = 0;
  time = 0;
  readonly #window: number;
  readonly #seconds: number;
  #seen = new Map<number, number>();
  #expiredUpTo = 0;
  #lastSweep = Number.NEGATIVE_INFINITY;

  constructor(window: number, seconds: number) {
    this.#window = window;
    this.#seconds = seconds;
  }

  check(id: number, nowMs: number, time: number): number {
    const now = Math.floor(nowMs / 1000);
    if (now >= this.#lastSweep + 5) this.#sweep(now);
    if (id === 0) return REPLAY_ZERO_ID;
    if (time < this.time) return REPLAY_TIME_BACKTRACK;
    if (time === this.time && id <= this.highest) {
      if (id <= this.highest - this.#window) return REPLAY_TOO_OLD;
      if (id <= this.#expiredUpTo) return REPLAY_EXPIRED;
      if (this.#seen.has(id)) return REPLAY_SEEN;
    }
    const afresh = time > this.time || id - this.#window > this.highest;
    if (afresh) {
      this.#seen.clear();
      this.#expiredUpTo = 0;
    }
    this.highest = time > this.time ? id : Math.max(id, this.highest);
    this.time = time;
    this.#seen.set(id, now);
    return REPLAY_OK;
  }

  #sweep(now: number): void {
    this.#lastSweep = now;
    if (this.#seconds === 0) return;
    for (const [id, at] of this.#seen) {
      const inWindow = id > this.highest - this.#window;
      if (inWindow && at + this.#seconds < now) this.#expiredUpTo = Math.max(this.#expiredUpTo, id);
    }
  }
}
