/**
 * --shaper: keeps what a peer sends below a number of bytes per second (2.x shaper.c). What is sent
 * already moves the moment ahead at which the next packet may be read from tun.
 */

/** A small packet counts as this many bytes. Source: 2.x shaper.h. */
const LEAST_BYTES = 100;
/** 2.x never waits longer than this for one packet. */
const MAX_WAIT_MS = 10_000;
/** Time that may be caught up after a timer fired late, so that its grain doesn't lower the rate. Ours. */
const CATCH_UP_MS = 4;

export class Shaper {
  readonly bytesPerSecond: number;
  /** When the next packet may go. */
  #openMs = Number.NEGATIVE_INFINITY;

  constructor(bytesPerSecond: number) {
    this.bytesPerSecond = bytesPerSecond;
  }

  /** `packets` were sent, `bytes` long in all, with IP and UDP headers. */
  note(packets: number, bytes: number, nowMs: number): void {
    if (packets === 0) return;
    const counted = Math.max(bytes, packets * LEAST_BYTES);
    const waitMs = Math.min((counted * 1000) / this.bytesPerSecond, packets * MAX_WAIT_MS);
    this.#openMs = Math.max(this.#openMs, nowMs - CATCH_UP_MS) + waitMs;
  }

  /** Milliseconds, with fractions, until something may be sent; 0 = at once. */
  delayMs(nowMs: number): number {
    return Math.max(0, this.#openMs - nowMs);
  }

  /** Packets of full size that may be taken at once without a noticeable burst. */
  get burst(): number {
    return Math.max(1, Math.floor((this.bytesPerSecond * CATCH_UP_MS) / 1000 / 1500));
  }
}
