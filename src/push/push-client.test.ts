import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { MemoryLogger } from '../base/base.ts';
import { PushCollector, PushRequester, PushResponder, pulledOptionsDigest } from './push.ts';

const sha256 = (data: Uint8Array): Uint8Array => createHash('sha256').update(data).digest();

function requester(): { requester: PushRequester; log: MemoryLogger } {
  const log = new MemoryLogger();
  return { requester: new PushRequester({ handWindowMs: 60_000, renegMs: 3_600_000, log }), log };
}

/** Runs until it gives up or `endMs`; the server acknowledges every request if `acks`. */
function run(push: PushRequester, endMs: number, acks: boolean): { sentMs: number[]; restartMs?: number } {
  const sentMs: number[] = [];
  for (let next = push.nextTimeout(); next !== undefined && next <= endMs; next = push.nextTimeout()) {
    push.handleTimeout(next);
    const event = push.pollEvent();
    if (event?.type === 'send') sentMs.push(next);
    if (acks) push.notePacket(next);
    if (event?.type === 'restart') return { sentMs, restartMs: next };
  }
  return { sentMs };
}

describe('PushRequester', () => {
  it('asks one second after the key is active and then every five', () => {
    const { requester: push } = requester();
    push.start(0);
    expect(run(push, 15_000, true).sentMs).toEqual([1000, 6000, 11_000]);
  });

  it('gives up after hand-window with the words of 2.x', () => {
    const { requester: push, log } = requester();
    push.start(0);
    expect(run(push, 200_000, true).restartMs).toBe(61_000);
    expect(log.lines).toEqual(['No reply from server to push requests in 61s']);
    expect(push.nextTimeout()).toBeUndefined();
  });

  it('waits as long as AUTH_PENDING grants while the server acknowledges', () => {
    const { requester: push, log } = requester();
    push.start(0);
    push.handleAuthPending(300);
    expect(run(push, 1_000_000, true).restartMs).toBe(301_000);
    expect(log.lines[0]).toBe('AUTH_PENDING received, extending handshake timeout from 60s to 300s');
  });

  it('bounds AUTH_PENDING by half of reneg-sec, and gives up on a silent server all the same', () => {
    const { requester: push, log } = requester();
    push.handleAuthPending(1e9);
    push.start(0);
    expect(log.lines[0]).toContain('to 1800s');
    expect(run(push, 1_000_000, false).restartMs).toBe(61_000);
  });

  it('is quiet once the reply is there', () => {
    const { requester: push } = requester();
    push.start(0);
    push.stop();
    push.handleTimeout(5000);
    expect(push.pollEvent()).toBeUndefined();
    expect(push.nextTimeout()).toBeUndefined();
  });
});

describe('PushResponder', () => {
  it('answers a request once the client is set up, and ignores repeats for 30 s', () => {
    const push = new PushResponder();
    expect(push.handleRequest(0)).toBe(false);
    expect(push.handleReady(1000)).toBe(true);
    expect(push.handleRequest(5000)).toBe(false);
    expect(push.handleRequest(30_999)).toBe(false);
    expect(push.handleRequest(31_000)).toBe(true);
  });

  it('waits for a request unless the client announced that it needs none', () => {
    expect(new PushResponder().handleReady(0)).toBe(false);
    expect(new PushResponder(true).handleReady(0)).toBe(true);
  });
});

describe('PushCollector', () => {
  it('joins parts and reports later replies as duplicates', () => {
    const push = new PushCollector();
    expect(push.add(['ping 1', 'push-continuation 2'])).toBe('more');
    expect(push.add(['ping-restart 5', 'push-continuation 1'])).toBe('done');
    expect(push.options).toEqual(['ping 1', 'ping-restart 5']);
    expect(push.add(['ping 9'])).toBe('duplicate');
    push.reset();
    expect(push.add([])).toBe('done');
    expect(push.options).toEqual([]);
  });

  it('refuses what would grow without bound', () => {
    const push = new PushCollector();
    expect(push.add(['x'.repeat(256)])).toBe('bad');
    expect(push.add(['push-continuation 3'])).toBe('bad');
    const part = [...Array.from({ length: 1000 }, () => 'y'.repeat(200)), 'push-continuation 2'];
    expect(push.add(part)).toBe('more');
    expect(push.add(part)).toBe('bad');
  });
});

describe('pulledOptionsDigest', () => {
  const digest = (options: string[], tunMtuFixed = false): string =>
    pulledOptionsDigest(options, { tunMtuFixed }, sha256);

  it('ignores what does not touch tun', () => {
    const base = ['ifconfig 10.8.0.2 255.255.255.0'];
    expect(digest([...base, 'peer-id 1', 'auth-token X', 'ping 10', 'protocol-flags cc-exit'])).toBe(
      digest(base),
    );
    expect(digest([...base, 'route 10.0.0.0'])).not.toBe(digest(base));
  });

  it('minds the cipher only when it can change the tun mtu', () => {
    expect(digest(['cipher A'])).not.toBe(digest(['cipher B']));
    expect(digest(['cipher A'], true)).toBe(digest(['cipher B'], true));
  });
});
