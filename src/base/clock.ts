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

/** Longest wait of one timer: Node fires a longer one at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** A wait that a timer can take; one that is cut short finds nothing due when it ends, and is set anew. */
export function timerDelay(ms: number): number {
  return Math.min(MAX_TIMER_MS, Math.max(0, Math.ceil(ms)));
}
