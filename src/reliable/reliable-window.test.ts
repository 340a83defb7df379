import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import vectors from '../../test-kit/vectors.json' with { type: 'json' };
import { ApiMisuseError } from '../base/base.ts';
import { P_ACK_V1, P_CONTROL_V1 } from './opcodes.ts';
import { AckList, maxAcks, ReliableReceive, ReliableSend } from './reliable-window.ts';

const NONE = new Uint8Array(0);

describe('AckList', () => {
  it('hands out pending ids first and repeats recent ones while there is room', () => {
    const acks = new AckList();
    for (const id of [0, 1]) acks.acknowledge(id);
    expect(acks.take(4)).toEqual([0, 1]);
    acks.acknowledge(2);
    expect(acks.take(4)).toEqual([2, 0, 1]);
    for (const id of [3, 4, 5]) acks.acknowledge(id);
    expect(acks.take(4)).toEqual([3, 4, 5, 2]);
    expect(acks.take(8)).toEqual([3, 4, 5, 2, 0, 1]);
    expect(acks.pendingCount).toBe(0);
  });

  it('keeps what does not fit for the next packet', () => {
    const acks = new AckList();
    for (const id of [0, 1, 2, 3, 4, 5]) acks.acknowledge(id);
    expect(acks.take(4)).toEqual([0, 1, 2, 3]);
    expect(acks.pendingCount).toBe(2);
    expect(acks.take(4)).toEqual([4, 5, 0, 1]);
  });

  it('moves a repeated id to the front instead of listing it twice', () => {
    const acks = new AckList();
    for (const id of [0, 1, 2]) acks.acknowledge(id);
    acks.take(4);
    acks.acknowledge(2);
    expect(acks.take(8)).toEqual([2, 0, 1]);
  });

  it('refuses a ninth pending id and one that already waits', () => {
    const acks = new AckList();
    for (let id = 0; id < 8; id++) expect(acks.acknowledge(id)).toBe(true);
    expect(acks.acknowledge(8)).toBe(false);
    expect(acks.acknowledge(3)).toBe(false);
    expect(acks.pendingCount).toBe(8);
  });

  it('never lists an id twice, nor more than asked for or eight, and drops no pending id', () => {
    const step = fc.oneof(
      fc.record({ id: fc.integer({ min: 0, max: 20 }) }),
      fc.record({ max: fc.constantFrom(4, 8) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const acks = new AckList();
        const waiting = new Set<number>();
        for (const one of steps) {
          if ('id' in one) {
            if (acks.acknowledge(one.id)) waiting.add(one.id);
            continue;
          }
          const available = acks.availableCount;
          const taken = acks.take(one.max);
          expect(taken.length).toBeLessThanOrEqual(Math.min(one.max, available));
          expect(new Set(taken).size).toBe(taken.length);
          for (const id of taken) waiting.delete(id);
          expect(acks.pendingCount).toBe(waiting.size);
        }
      }),
    );
  });

  it('allows 4 acknowledgements on messages and 8 alone, or 4 when the peer may be SoftEther', () => {
    expect(maxAcks(P_CONTROL_V1, false)).toBe(4);
    expect(maxAcks(P_ACK_V1, false)).toBe(8);
    expect(maxAcks(P_ACK_V1, true)).toBe(4);
  });
});

describe('ReliableSend', () => {
  it('repeats an unanswered message at the times of a live 2.6', () => {
    const send = new ReliableSend();
    send.queue(P_CONTROL_V1, NONE, 0);
    const times: number[] = [];
    while (times.length < vectors.retransmit.times_2_x.length) {
      const now = send.nextTimeout()!;
      expect(send.poll(now)?.messageId).toBe(0);
      expect(send.poll(now)).toBeUndefined();
      times.push(now / 1000);
    }
    expect(times).toEqual(vectors.retransmit.times_2_x);
  });

  it('repeats at an even pace what a peer that answers has not acknowledged', () => {
    const send = filled(2);
    for (const at of [0, 0, 2000, 2000, 6000, 6000]) expect(send.poll(at)?.messageId).toBeDefined();
    expect(send.nextTimeout()).toBe(14_000);
    send.handleAcks([0], 7000);
    const times: number[] = [];
    for (let now = send.nextTimeout()!; times.length < 4; now = send.nextTimeout()!) {
      expect(send.poll(now)?.messageId).toBe(1);
      times.push(now);
    }
    expect(times).toEqual([9000, 11_000, 13_000, 15_000]);
    send.queue(P_CONTROL_V1, NONE, 16_000);
    expect([send.poll(16_000), send.poll(17_000), send.poll(18_000)].map((m) => m?.messageId)).toEqual([
      2, 1, 2,
    ]);
  });

  it('has room for six messages from the lowest unacknowledged one on', () => {
    const send = filled(6);
    expect(send.available).toBe(0);
    expect(() => send.queue(P_CONTROL_V1, NONE, 0)).toThrow(ApiMisuseError);
    send.handleAcks([1, 2, 3], 0);
    expect(send.available).toBe(0);
    send.handleAcks([0], 0);
    expect(send.available).toBe(4);
    expect(send.queue(P_CONTROL_V1, NONE, 0)).toBe(6);
  });

  it('sends the lowest due id first', () => {
    const send = filled(3);
    expect([send.poll(0), send.poll(0), send.poll(0), send.poll(0)].map((m) => m?.messageId)).toEqual([
      0,
      1,
      2,
      undefined,
    ]);
  });

  it('resends at once what three later acknowledgements passed by, once', () => {
    const send = filled(5);
    drain(send, 0);
    send.handleAcks([1], 100);
    send.handleAcks([2], 110);
    expect(send.poll(110)).toBeUndefined();
    send.handleAcks([3], 120);
    expect(send.nextTimeout()).toBe(120);
    expect(send.poll(120)?.messageId).toBe(0);
    expect(send.poll(120)).toBeUndefined();
    send.handleAcks([0, 4], 130);
    expect(send.empty).toBe(true);
    expect(send.nextTimeout()).toBeUndefined();
  });

  it('reschedules everything with the first timeout when the peer shows up', () => {
    const send = filled(2);
    for (const now of [0, 2000, 6000]) drain(send, now);
    send.rescheduleNow(7000);
    expect(drain(send, 7000)).toEqual([0, 1]);
    expect(send.nextTimeout()).toBe(9000);
  });

  it('holds everything back until the peer shows up when told to', () => {
    const send = new ReliableSend({ hold: true });
    send.queue(P_CONTROL_V1, NONE, 0);
    expect(send.poll(60_000)).toBeUndefined();
    expect(send.nextTimeout()).toBeUndefined();
    send.rescheduleNow(70_000);
    expect(send.poll(70_000)?.messageId).toBe(0);
  });

  it('ignores acknowledgements of ids that were never sent', () => {
    const send = filled(2);
    drain(send, 0);
    send.handleAcks([2, 3, 4, 0xffff_ffff, 77], 10);
    expect(send.empty).toBe(false);
    expect(send.poll(10)).toBeUndefined();
  });

  it('keeps its own copy of the payload', () => {
    const payload = Uint8Array.of(1, 2, 3);
    const send = new ReliableSend();
    send.queue(P_CONTROL_V1, payload, 0);
    payload.fill(9);
    expect([...send.poll(0)!.payload]).toEqual([1, 2, 3]);
  });

  it('counts on across the end of the id space', () => {
    const send = new ReliableSend({ firstId: 0xffff_fffe });
    for (let i = 0; i < 4; i++) send.queue(P_CONTROL_V1, NONE, 0);
    expect(drain(send, 0)).toEqual([0xffff_fffe, 0xffff_ffff, 0, 1]);
    expect(send.available).toBe(2);
    send.handleAcks([0xffff_ffff, 0, 1], 5);
    expect(send.poll(5)?.messageId).toBe(0xffff_fffe);
    send.handleAcks([0xffff_fffe], 6);
    expect(send.empty).toBe(true);
  });

  it('keeps its window, its order and its clock under any acknowledgements and times', () => {
    const step = fc.oneof(
      fc.record({ acks: fc.array(fc.integer({ min: 0, max: 40 }), { maxLength: 8 }) }),
      fc.record({ passMs: fc.integer({ min: 0, max: 5000 }) }),
      fc.constant({ queue: true }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const send = new ReliableSend();
        const unacked = new Set<number>();
        let now = 0;
        for (const one of steps) {
          if ('queue' in one) {
            if (send.available > 0) unacked.add(send.queue(P_CONTROL_V1, NONE, now));
          } else if ('acks' in one) {
            send.handleAcks(one.acks, now);
            for (const id of one.acks) unacked.delete(id);
          } else {
            now += one.passMs;
          }
          const sent = drain(send, now);
          expect(sent).toEqual([...new Set(sent)].sort((a, b) => a - b));
          expect(sent.every((id) => unacked.has(id))).toBe(true);
          expect(send.empty).toBe(unacked.size === 0);
          expect(send.available).toBe(unacked.size === 0 ? 6 : 6 - (send.nextId - Math.min(...unacked)));
          if (!send.empty) expect(send.nextTimeout()).toBeGreaterThan(now);
        }
      }),
    );
  });

  it('takes a configured timeout and forgets all when cleared', () => {
    const send = new ReliableSend({ timeoutMs: 500 });
    send.queue(P_CONTROL_V1, NONE, 0);
    drain(send, 0);
    expect(send.nextTimeout()).toBe(500);
    send.clear();
    expect(send.empty).toBe(true);
  });
});

describe('ReliableReceive', () => {
  it('delivers in order, each id once', () => {
    const receive = new ReliableReceive();
    expect(receive.handleMessage(1, P_CONTROL_V1, Uint8Array.of(1))).toBe('stored');
    expect(receive.poll()).toBeUndefined();
    expect(receive.handleMessage(0, P_CONTROL_V1, Uint8Array.of(0))).toBe('stored');
    expect(receive.poll()).toMatchObject({ messageId: 0, opcode: P_CONTROL_V1 });
    expect(receive.poll()).toMatchObject({ messageId: 1 });
    expect(receive.poll()).toBeUndefined();
  });

  it('calls a message that was stored or delivered before a replay', () => {
    const receive = new ReliableReceive();
    receive.handleMessage(0, P_CONTROL_V1, NONE);
    expect(receive.handleMessage(0, P_CONTROL_V1, NONE)).toBe('replay');
    receive.poll();
    expect(receive.handleMessage(0, P_CONTROL_V1, NONE)).toBe('replay');
    expect(receive.handleMessage(0xffff_ffff, P_CONTROL_V1, NONE)).toBe('replay');
  });

  it('takes twelve ids from the expected one on and no more', () => {
    const receive = new ReliableReceive();
    expect(receive.handleMessage(12, P_CONTROL_V1, NONE)).toBe('window');
    for (let id = 11; id >= 0; id--) expect(receive.handleMessage(id, P_CONTROL_V1, NONE)).toBe('stored');
    expect(receive.storedCount).toBe(12);
    receive.poll();
    expect(receive.handleMessage(12, P_CONTROL_V1, NONE)).toBe('stored');
    expect(receive.handleMessage(13, P_CONTROL_V1, NONE)).toBe('window');
  });

  it('goes on across the end of the id space', () => {
    const receive = new ReliableReceive({ firstId: 0xffff_ffff });
    expect(receive.handleMessage(1, P_CONTROL_V1, NONE)).toBe('stored');
    expect(receive.handleMessage(0, P_CONTROL_V1, NONE)).toBe('stored');
    expect(receive.handleMessage(0xffff_ffff, P_CONTROL_V1, NONE)).toBe('stored');
    expect([receive.poll(), receive.poll(), receive.poll()].map((m) => m?.messageId)).toEqual([
      0xffff_ffff, 0, 1,
    ]);
  });

  it('delivers every id once and in order, in whatever order and however often they come', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 30 }), { maxLength: 200 }), (ids) => {
        const receive = new ReliableReceive();
        const delivered: number[] = [];
        const accepted = new Set<number>();
        for (const id of ids) {
          const verdict = receive.handleMessage(id, P_CONTROL_V1, Uint8Array.of(id));
          if (verdict === 'stored') accepted.add(id);
          if (verdict === 'window') expect(id).toBeGreaterThanOrEqual(receive.expectedId + 12);
          for (let message = receive.poll(); message; message = receive.poll()) {
            expect(message.payload[0]).toBe(message.messageId);
            delivered.push(message.messageId);
          }
          expect(receive.storedCount).toBeLessThan(12);
        }
        expect(delivered).toEqual(delivered.map((_, i) => i));
        expect(accepted.size).toBe(delivered.length + receive.storedCount);
        receive.clear();
        expect(receive.storedCount).toBe(0);
      }),
    );
  });

  it('keeps its own copy of a payload that lies in a Buffer, whose slice() would share memory', () => {
    const slab = Buffer.from([1, 2, 3]);
    const receive = new ReliableReceive();
    receive.handleMessage(0, P_CONTROL_V1, slab.subarray(0, 2));
    slab.fill(9);
    expect(receive.poll()?.payload).toEqual(Uint8Array.of(1, 2));
  });

  it('keeps its own copy of the payload', () => {
    const packet = Uint8Array.of(5, 6, 7);
    const receive = new ReliableReceive();
    receive.handleMessage(0, P_CONTROL_V1, packet.subarray(1));
    packet.fill(0);
    expect([...receive.poll()!.payload]).toEqual([6, 7]);
  });
});

function filled(count: number): ReliableSend {
  const send = new ReliableSend();
  for (let i = 0; i < count; i++) send.queue(P_CONTROL_V1, NONE, 0);
  return send;
}

/** Ids that are due, in order of sending. */
function drain(send: ReliableSend, nowMs: number): number[] {
  const ids: number[] = [];
  for (let message = send.poll(nowMs); message; message = send.poll(nowMs)) ids.push(message.messageId);
  return ids;
}
