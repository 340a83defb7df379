/**
 * Keep-alive timers of one peer (2.x ping.c, forward.c check_inactivity_timeout(), check_session_timeout()).
 *
 *   ping          a packet of 16 fixed bytes after n seconds without sending; the first at once
 *   silence       --ping-restart or --ping-exit after n seconds without an authenticated packet
 *   inactive      less than a number of tunnel bytes within n seconds
 *   session       n seconds after the start
 *
 * Packets only move time stamps; deadlines are compared in handleTimeout(). At most one restart or exit
 * event comes out, and it ends all timers.
 */
import type { Logger } from '../base/base.ts';
import { D_PING, M_INFO } from '../base/errlevel.ts';
import type { DataChannelEvent, TimerOptions } from './forward.ts';

/** The payload of a ping, 16 bytes; source: 2.x ping.c ping_string. */
export const PING_PAYLOAD: Uint8Array = Uint8Array.of(
  ...[0x2a, 0x18, 0x7b, 0xf3, 0x64, 0x1e, 0xb4, 0xcb],
  ...[0x07, 0xed, 0x2d, 0x0a, 0x98, 0x1f, 0xc7, 0x48],
);

/** All timers off. */
export const OFF_TIMERS: TimerOptions = {
  pingSec: 0,
  silenceSec: 0,
  onSilence: 'restart',
  pingTimerRem: false,
  inactiveSec: 0,
  inactiveBytes: 0,
  sessionSec: 0,
};

/** Whether the packet is exactly a ping. */
export function isPing(slab: Uint8Array, offset: number, length: number): boolean {
  if (length !== PING_PAYLOAD.length) return false;
  for (let i = 0; i < PING_PAYLOAD.length; i++) if (slab[offset + i] !== PING_PAYLOAD[i]) return false;
  return true;
}

const NEVER = Number.POSITIVE_INFINITY;

export class PeerTimers {
  readonly #log: Logger;
  readonly #commonName: () => string;
  #options: TimerOptions = OFF_TIMERS;
  #startMs = 0;
  #sentMs = 0;
  #receivedMs = 0;
  #activeMs = 0;
  #activeBytes = 0;
  #firstPing = false;
  #pingDue = false;
  #remoteKnown = false;
  #over = false;
  #event: DataChannelEvent | undefined;

  constructor(options: TimerOptions, log: Logger, commonName: () => string, nowMs: number) {
    this.#log = log;
    this.#commonName = commonName;
    this.restart(options, nowMs);
  }

  /** Starts all timers anew with other settings. */
  restart(options: TimerOptions, nowMs: number): void {
    this.#options = options;
    this.#startMs = nowMs;
    this.#sentMs = nowMs;
    this.#receivedMs = nowMs;
    this.#activeMs = nowMs;
    this.#activeBytes = 0;
    this.#firstPing = options.pingSec > 0;
    this.#pingDue = false;
    this.#over = false;
    this.#event = undefined;
  }

  /** --ping-timer-rem: silence counts from here on. */
  handleRemote(nowMs: number): void {
    if (!this.#remoteKnown) this.#receivedMs = nowMs;
    this.#remoteKnown = true;
  }

  /** Something authenticated arrived. */
  noteReceived(nowMs: number): void {
    this.#receivedMs = nowMs;
    this.#remoteKnown = true;
  }

  /** Something was sent, pings included. */
  noteSent(nowMs: number): void {
    this.#sentMs = nowMs;
  }

  /** Tunnel traffic, pings and control packets not included. */
  noteActivity(bytes: number, nowMs: number): void {
    if (bytes === 0) return;
    this.#activeBytes += bytes;
    if (this.#activeBytes < this.#options.inactiveBytes) return;
    this.#activeBytes = 0;
    this.#activeMs = nowMs;
  }

  handleTimeout(nowMs: number): void {
    if (this.#over) return;
    if (nowMs >= this.#inactiveAt()) {
      this.#log.log(M_INFO, 'Inactivity timeout (--inactive), exiting');
      this.#end({ type: 'exit', reason: 'inactive' });
    } else if (nowMs >= this.#sessionAt()) {
      this.#log.log(M_INFO, 'Session timeout, exiting');
      this.#end({ type: 'exit', reason: 'session-timeout' });
    } else if (nowMs >= this.#silenceAt()) {
      this.#endSilent();
    } else if (nowMs >= this.#pingAt()) {
      this.#firstPing = false;
      this.#pingDue = true;
      this.#sentMs = nowMs;
    }
  }

  /** Absolute; undefined = nothing to wait for. */
  nextTimeout(): number | undefined {
    if (this.#over) return undefined;
    const next = Math.min(this.#inactiveAt(), this.#sessionAt(), this.#silenceAt(), this.#pingAt());
    return next === NEVER ? undefined : next;
  }

  get pingDue(): boolean {
    return this.#pingDue;
  }

  /** The ping was written, or can't be for want of a key. */
  clearPing(sent: boolean): void {
    this.#pingDue = false;
    if (sent && this.#log.enabled(D_PING)) this.#log.log(D_PING, 'SENT PING');
  }

  pollEvent(): DataChannelEvent | undefined {
    const event = this.#event;
    this.#event = undefined;
    return event;
  }

  #endSilent(): void {
    const name = this.#commonName();
    const prefix = name === '' ? '' : `[${name}] `;
    if (this.#options.onSilence === 'exit') {
      this.#log.log(M_INFO, `${prefix}Inactivity timeout (--ping-exit), exiting`);
      this.#end({ type: 'exit', reason: 'ping-exit' });
    } else {
      this.#log.log(M_INFO, `${prefix}Inactivity timeout (--ping-restart), restarting`);
      this.#end({ type: 'restart', reason: 'ping-restart' });
    }
  }

  #end(event: DataChannelEvent): void {
    this.#over = true;
    this.#pingDue = false;
    this.#event = event;
  }

  #inactiveAt(): number {
    return this.#options.inactiveSec > 0 ? this.#activeMs + this.#options.inactiveSec * 1000 : NEVER;
  }

  #sessionAt(): number {
    return this.#options.sessionSec > 0 ? this.#startMs + this.#options.sessionSec * 1000 : NEVER;
  }

  #silenceAt(): number {
    const { silenceSec, pingTimerRem } = this.#options;
    if (silenceSec <= 0 || (pingTimerRem && !this.#remoteKnown)) return NEVER;
    return this.#receivedMs + silenceSec * 1000;
  }

  #pingAt(): number {
    if (this.#options.pingSec <= 0 || this.#pingDue) return NEVER;
    return this.#firstPing ? this.#startMs : this.#sentMs + this.#options.pingSec * 1000;
  }
}
