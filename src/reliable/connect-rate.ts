/**
 * --connect-freq-initial: how many stateless answers a UDP server gives per period, so that it can't
 * be used to reflect traffic (2.x reflect_filter.c). Counts attempts per period; a completed
 * handshake gives its attempt back. Log texts are 2.x's.
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
