/**
 * How often newcomers are let in at a UDP server, over all of its sockets. Log texts are 2.x's.
 *
 *   --connect-freq-initial  stateless answers per period, so that the server can't be used to reflect traffic
 *                           (reflect_filter.c); a completed handshake gives its attempt back
 *   --connect-freq          completed handshakes per period (otime.c frequency_limit_event_allowed())
 */
import type { Logger } from '../base/base.ts';
import { D_TLS_DEBUG_LOW, M_WARN } from '../base/errlevel.ts';

export class InitialRateLimit {
  readonly #max: number;
  readonly #periodSec: number;
  readonly #log: Logger;
  #periodStartMs = Number.NEGATIVE_INFINITY;
  #count = 0;
  #warned = false;

  constructor(max: number, periodSec: number, log: Logger) {
    this.#max = max;
    this.#periodSec = periodSec;
    this.#log = log;
  }

  /** Counts one attempt; false when this period's answers are used up. */
  admit(nowMs: number): boolean {
    if (nowMs > this.#periodStartMs + this.#periodSec * 1000) this.#startPeriod(nowMs);
    this.#count++;
    if (this.#count <= this.#max) return true;
    if (!this.#warned) {
      this.#warned = true;
      const leftSec = Math.floor((this.#periodStartMs - nowMs) / 1000) + this.#periodSec;
      this.#log.log(
        M_WARN,
        `Note: --connect-freq-initial ${this.#max} ${this.#periodSec} rate limit exceeded, ` +
          `dropping initial handshake packets for the next ${leftSec} seconds`,
      );
    }
    return false;
  }

  /** Gives one attempt back. */
  giveBack(): void {
    if (this.#count > 0) this.#count--;
  }

  #startPeriod(nowMs: number): void {
    const dropped = this.#count - this.#max;
    if (dropped > 0) {
      this.#log.log(
        D_TLS_DEBUG_LOW,
        `Dropped ${dropped} initial handshake packets due to --connect-freq-initial ${this.#max} ${this.#periodSec}`,
      );
    }
    this.#periodStartMs = nowMs;
    this.#count = 0;
    this.#warned = false;
  }
}

/** Counts completed handshakes. */
export class ConnectRateLimit {
  readonly #max: number;
  readonly #periodMs: number;
  #periodStartMs = Number.NEGATIVE_INFINITY;
  #count = 0;

  /** `periodSec` 0: no limit. */
  constructor(max: number, periodSec: number) {
    this.#max = max;
    this.#periodMs = periodSec * 1000;
  }

  /** Counts one; false when this period's are used up. */
  admit(nowMs: number): boolean {
    if (this.#periodMs === 0) return true;
    if (nowMs >= this.#periodStartMs + this.#periodMs) {
      this.#periodStartMs = nowMs;
      this.#count = 0;
    }
    this.#count++;
    return this.#count <= this.#max;
  }
}
