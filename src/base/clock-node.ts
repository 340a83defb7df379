/**
 * The machine's clock (otime.c): monotonic milliseconds since the process began for timers, system time
 * for logs and certificates. `wallMs` has microsecond resolution and follows changes of the system time.
 */
import type { Clock } from './clock.ts';

/** Difference from which the system time counts as set anew, ms. */
const RESYNC_MS = 20;

export function createClock(): Clock {
  let offsetMs = performance.timeOrigin;
  return {
    nowMs: () => performance.now(),
    wallMs: () => {
      const precise = performance.now();
      const coarse = Date.now();
      if (Math.abs(offsetMs + precise - coarse) > RESYNC_MS) offsetMs = coarse - precise;
      return offsetMs + precise;
    },
  };
}
