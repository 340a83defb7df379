/** What wakes a driver of peers when a test lets it. */
import type { Alarm } from '../src/peer/peer.ts';

export class ManualAlarm implements Alarm {
  atMs: number | undefined;
  #due: () => void = () => undefined;
  #soon: (() => void)[] = [];

  soon(run: () => void): void {
    this.#soon.push(run);
  }

  at(atMs: number | undefined, run: () => void): void {
    this.atMs = atMs;
    this.#due = run;
  }

  /** Whether there was anything to run. */
  runSoon(): boolean {
    const soon = this.#soon;
    this.#soon = [];
    for (const run of soon) run();
    return soon.length > 0;
  }

  ring(nowMs: number): void {
    if (this.atMs === undefined || this.atMs > nowMs) return;
    this.atMs = undefined;
    this.#due();
  }
}
