import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MemoryLogger } from '../base/base.ts';
import { newLinkCounters } from './counters.ts';
import type { OccOptions } from './forward.ts';
import {
  isOcc,
  OCC_EXIT,
  OCC_MTU_LOAD_REQUEST,
  OCC_MTU_REPLY,
  OCC_MTU_REQUEST,
  OCC_REPLY,
  OCC_REQUEST,
  Occ,
} from './occ.ts';

const vectors = JSON.parse(readFileSync(new URL('../../test-kit/vectors.json', import.meta.url), 'utf8')) as {
  messages: { occ_magic: string; occ_reply_example: string; occ_mtu_reply_example: string; occ_exit: string };
};
const { messages } = vectors;
const SIZES = { linkMtu: 1524, overhead: 24, maxPayload: 1600 };

function create(options: Partial<OccOptions> = {}): { occ: Occ; log: MemoryLogger } {
  const log = new MemoryLogger(7);
  const common = { mtuTest: false, localOptions: undefined, randomBytes: (n: number) => new Uint8Array(n) };
  return { occ: new Occ({ ...common, ...options }, log, 0), log };
}

function packet(op: number, body: readonly number[] = []): Buffer {
  return Buffer.concat([Buffer.from(messages.occ_magic, 'hex'), Buffer.of(op, ...body)]);
}

function handle(occ: Occ, bytes: Uint8Array): boolean {
  expect(isOcc(bytes, 0, bytes.length)).toBe(true);
  return occ.handle(bytes, 0, bytes.length);
}

function nextHex(occ: Occ): string | undefined {
  const message = occ.next(SIZES);
  return message && Buffer.from(message).toString('hex');
}

describe('Occ', () => {
  it('answers a request with the options string', () => {
    const example = Buffer.from(messages.occ_reply_example, 'hex');
    const { occ } = create({ localOptions: example.subarray(17, -1).toString() });
    expect(handle(occ, packet(OCC_REQUEST))).toBe(false);
    expect(nextHex(occ)).toBe(messages.occ_reply_example);
    expect(occ.waiting).toBe(false);
  });

  it('has no answer with --disable-occ', () => {
    const { occ } = create();
    handle(occ, packet(OCC_REQUEST));
    expect(occ.waiting).toBe(false);
  });

  it('tells the largest sizes seen', () => {
    const { occ } = create();
    occ.maxReceived = 0x29;
    occ.maxSent = 0x4b6;
    handle(occ, packet(OCC_MTU_REQUEST));
    expect(nextHex(occ)).toBe(messages.occ_mtu_reply_example);
  });

  it('fills a load packet up to the size asked for, bounded by the buffer', () => {
    const { occ } = create();
    handle(occ, packet(OCC_MTU_LOAD_REQUEST, [0x03, 0xe8]));
    expect(occ.next(SIZES)).toHaveLength(1000 - SIZES.overhead);
    handle(occ, packet(OCC_MTU_LOAD_REQUEST, [0xff, 0xff]));
    expect(occ.next(SIZES)).toHaveLength(SIZES.maxPayload);
    handle(occ, packet(OCC_MTU_LOAD_REQUEST, [0, 1]));
    expect(occ.next(SIZES)).toHaveLength(17);
  });

  it('sends and recognises the exit message', () => {
    const { occ, log } = create();
    occ.sendExit();
    expect(nextHex(occ)).toBe(messages.occ_exit);
    expect(handle(occ, Buffer.from(messages.occ_exit, 'hex'))).toBe(true);
    expect(log.lines).toEqual(['OCC exit message received by peer']);
    expect(OCC_EXIT).toBe(6);
  });

  it('answers a flood of requests once', () => {
    const { occ } = create({ localOptions: 'V4' });
    for (let i = 0; i < 100; i++) handle(occ, packet(OCC_REQUEST));
    expect(nextHex(occ)).toBeDefined();
    expect(occ.next(SIZES)).toBeUndefined();
  });

  it('takes any bytes behind the magic', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (body) => {
        const { occ } = create({ localOptions: 'V4' });
        handle(occ, Buffer.concat([Buffer.from(messages.occ_magic, 'hex'), body]));
        const answer = occ.next(SIZES);
        if (answer) expect(answer.length).toBeLessThanOrEqual(SIZES.maxPayload);
        expect(occ.waiting).toBe(false);
      }),
      { numRuns: 200 },
    );
  });

  it('runs the MTU test to its result', () => {
    const { occ, log } = create({ mtuTest: true });
    const sizes: number[] = [];
    for (let step = 1; step <= 61; step++) {
      expect(occ.nextTimeout()).toBe(step * 3000);
      occ.handleTimeout(step * 3000, SIZES.linkMtu, true, newLinkCounters());
      const message = occ.next(SIZES);
      if (message && message[16] === 3) sizes.push(message.length + SIZES.overhead);
    }
    expect(sizes).toHaveLength(30);
    expect(sizes[0]).toBe(524);
    expect(sizes.at(-1)).toBe(1524);
    occ.maxSent = 1524;
    occ.maxReceived = 1400;
    handle(occ, packet(OCC_MTU_REPLY, [0x05, 0x78, 0x05, 0xf4]));
    expect(occ.nextTimeout()).toBeUndefined();
    expect(log.lines[1]).toBe(
      'NOTE: Empirical MTU test completed [Tried,Actual] local->remote=[1524,1400] remote->local=[1524,1400]',
    );
    expect(log.lines[2]).toContain('unable to accommodate a UDP packet size of 1524');
  });

  it('asks a peer without TLS for its options string until it has it', () => {
    const replies: string[] = [];
    const { occ, log } = create({ onReply: (text) => replies.push(text) });
    expect(occ.nextTimeout()).toBe(10_000);
    occ.handleTimeout(9_999, SIZES.linkMtu, true, newLinkCounters());
    expect(occ.waiting).toBe(false);
    occ.handleTimeout(10_000, SIZES.linkMtu, true, newLinkCounters());
    expect(Buffer.from(occ.next(SIZES)!).equals(packet(OCC_REQUEST))).toBe(true);
    expect(occ.nextTimeout()).toBe(20_000);
    const reply = packet(OCC_REPLY, [...Buffer.from('V4,dev-type tun\0')]);
    occ.handle(reply, 0, reply.length);
    expect(replies).toEqual(['V4,dev-type tun']);
    expect(occ.nextTimeout()).toBeUndefined();
    expect(log.lines.some((line) => line.includes('failed to obtain'))).toBe(false);
  });

  it('gives up after eleven requests, with the counters of 2.x', () => {
    const { occ, log } = create({ onReply: () => undefined });
    const counters = { ...newLinkCounters(), linkReadBytes: 12, authReadBytes: 7 };
    let asked = 0;
    for (let next = occ.nextTimeout(); next !== undefined; next = occ.nextTimeout()) {
      occ.handleTimeout(next, SIZES.linkMtu, true, counters);
      if (occ.next(SIZES)) asked++;
    }
    expect(asked).toBe(11);
    expect(log.lines.at(-1)).toMatch(
      /^NOTE: failed to obtain options consistency info .* \(12 bytes received from peer, 7 bytes authenticated data channel traffic\)/,
    );
  });

  it('takes replies that are cut short or not ended without passing them on', () => {
    const replies: string[] = [];
    const { occ } = create({ onReply: (text) => replies.push(text) });
    for (const body of [[], [...Buffer.from('V4')], [0]]) {
      const reply = packet(OCC_REPLY, body);
      occ.handle(reply, 0, reply.length);
    }
    expect(replies).toEqual(['']);
  });

  it('does not ask, nor care for replies, with TLS', () => {
    const { occ } = create();
    const reply = packet(OCC_REPLY, [...Buffer.from('V4\0')]);
    expect(occ.handle(reply, 0, reply.length)).toBe(false);
    expect(occ.nextTimeout()).toBeUndefined();
  });
});
