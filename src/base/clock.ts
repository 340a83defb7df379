/**
 * Time as a parameter (otime.c). Machines take `nowMs`: monotonic milliseconds from `Clock.nowMs`.
 * Wall time is only for certificates, logs, cookies and long-form packet ids.
 */
export interface Clock {
  /** Monotonic milliseconds; the origin is arbitrary. */
  nowMs(): number;
  /** Unix time in milliseconds. */
  wallMs(): number;
}

/** A clock that moves only when told; both faces advance together. */
export class ManualClock implements Clock {
  #nowMs: number;
  readonly #wallOffsetMs: number;

  constructor(startMs = 0, wallMs = 1_700_000_000_000) {
    this.#nowMs = startMs;
    this.#wallOffsetMs = wallMs - startMs;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  wallMs(): number {
    return this.#nowMs + this.#wallOffsetMs;
  }

  advance(ms: number): void {
    this.#nowMs += ms;
  }

  /** Moves to `nowMs`, never backwards. */
  advanceTo(nowMs: number): void {
    if (nowMs > this.#nowMs) this.#nowMs = nowMs;
  }
}
