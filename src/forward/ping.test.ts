import { describe, expect, it } from 'vitest';
import vectors from '../../test-kit/vectors.json' with { type: 'json' };
import { MemoryLogger } from '../base/base.ts';
import type { TimerOptions } from './forward.ts';
import { isPing, OFF_TIMERS, PeerTimers, PING_PAYLOAD } from './ping.ts';

const { messages } = vectors;

function timers(change: Partial<TimerOptions>, commonName = ''): { timers: PeerTimers; log: MemoryLogger } {
  const log = new MemoryLogger(3);
  return { timers: new PeerTimers({ ...OFF_TIMERS, ...change }, log, () => commonName, 0), log };
}

describe('isPing', () => {
  it('takes exactly the 16 bytes', () => {
    expect(Buffer.from(PING_PAYLOAD).toString('hex')).toBe(messages.ping);
    expect(isPing(PING_PAYLOAD, 0, 16)).toBe(true);
    expect(isPing(Buffer.concat([PING_PAYLOAD, Buffer.alloc(1)]), 0, 17)).toBe(false);
    expect(isPing(Buffer.concat([PING_PAYLOAD.subarray(0, 15), Buffer.alloc(1)]), 0, 16)).toBe(false);
  });
});

describe('PeerTimers', () => {
  it('pings at once and then after silence on the sending side only', () => {
    const { timers: peer } = timers({ pingSec: 10 });
    expect(peer.nextTimeout()).toBe(0);
    peer.handleTimeout(0);
    expect(peer.pingDue).toBe(true);
    peer.clearPing(true);
    peer.noteSent(4000);
    peer.noteReceived(9000);
    expect(peer.nextTimeout()).toBe(14_000);
    peer.handleTimeout(13_999);
    expect(peer.pingDue).toBe(false);
    peer.handleTimeout(14_000);
    expect(peer.pingDue).toBe(true);
  });

  it('restarts when nothing authenticated came, in the words of 2.x', () => {
    const { timers: peer, log } = timers({ silenceSec: 60 }, 'client1');
    peer.noteReceived(5000);
    peer.handleTimeout(64_999);
    expect(peer.pollEvent()).toBeUndefined();
    peer.handleTimeout(65_000);
    expect(peer.pollEvent()).toEqual({ type: 'restart', reason: 'ping-restart' });
    expect(log.lines).toEqual(['[client1] Inactivity timeout (--ping-restart), restarting']);
    expect(peer.nextTimeout()).toBeUndefined();
    peer.handleTimeout(100_000);
    expect(peer.pollEvent()).toBeUndefined();
  });

  it('exits with --ping-exit', () => {
    const { timers: peer, log } = timers({ silenceSec: 10, onSilence: 'exit' });
    peer.handleTimeout(10_000);
    expect(peer.pollEvent()).toEqual({ type: 'exit', reason: 'ping-exit' });
    expect(log.lines).toEqual(['Inactivity timeout (--ping-exit), exiting']);
  });

  it('counts silence with --ping-timer-rem only from the known remote', () => {
    const { timers: peer } = timers({ silenceSec: 10, pingTimerRem: true });
    expect(peer.nextTimeout()).toBeUndefined();
    peer.handleRemote(50_000);
    expect(peer.nextTimeout()).toBe(60_000);
  });

  it('calls less traffic than the bound inactivity', () => {
    const { timers: peer, log } = timers({ inactiveSec: 30, inactiveBytes: 1000 });
    peer.noteActivity(600, 10_000);
    expect(peer.nextTimeout()).toBe(30_000);
    peer.noteActivity(600, 20_000);
    expect(peer.nextTimeout()).toBe(50_000);
    peer.handleTimeout(50_000);
    expect(peer.pollEvent()).toEqual({ type: 'exit', reason: 'inactive' });
    expect(log.lines).toEqual(['Inactivity timeout (--inactive), exiting']);
  });

  it('takes any byte, but not none, as activity without a bound', () => {
    const { timers: peer } = timers({ inactiveSec: 30 });
    peer.noteActivity(0, 10_000);
    expect(peer.nextTimeout()).toBe(30_000);
    peer.noteActivity(1, 10_000);
    expect(peer.nextTimeout()).toBe(40_000);
  });

  it('ends a session on time, traffic or not', () => {
    const { timers: peer, log } = timers({ sessionSec: 100 });
    peer.noteActivity(5000, 99_000);
    peer.handleTimeout(100_000);
    expect(peer.pollEvent()).toEqual({ type: 'exit', reason: 'session-timeout' });
    expect(log.lines).toEqual(['Session timeout, exiting']);
  });

  it('starts anew with other settings', () => {
    const { timers: peer } = timers({ silenceSec: 5 });
    peer.handleTimeout(5000);
    peer.restart({ ...OFF_TIMERS, silenceSec: 60 }, 6000);
    expect(peer.pollEvent()).toBeUndefined();
    expect(peer.nextTimeout()).toBe(66_000);
  });
});
