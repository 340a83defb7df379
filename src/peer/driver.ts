/**
 * Runs many peers by one timer: each says when it wants to be woken, and the TLS engine of each when it has output.
 * What a peer's work throws is that peer's, and the others go on.
 */
import { type Clock, timerDelay } from '../base/base.ts';
import { Schedule, type Scheduled } from './schedule.ts';

/** A peer as its driver sees it. */
export interface Driven extends Scheduled {
  /** The TLS engine has output. */
  handleWake(nowMs: number): void;
  /** Its deadline has come. */
  handleTimeout(nowMs: number): void;
}

/** What wakes a driver. */
export interface Alarm {
  /** Calls `run` once, soon, and from outside of whatever runs now. */
  soon(run: () => void): void;
  /** Calls `run` at that time, in place of all that was asked for before; undefined: not at all. */
  at(atMs: number | undefined, run: () => void): void;
}

export class Driver {
  readonly #clock: Clock;
  readonly #alarm: Alarm;
  readonly #schedule = new Schedule<Driven>();
  readonly #woken = new Set<Driven>();
  /** What the alarm is set to. */
  #alarmMs = Number.POSITIVE_INFINITY;
  #closed = false;

  constructor(clock: Clock, alarm: Alarm = new TimerAlarm(clock)) {
    this.#clock = clock;
    this.#alarm = alarm;
  }

  get nowMs(): number {
    return this.#clock.nowMs();
  }

  /** Has the peer's handleWake() called soon, once however often it is asked for. */
  wake(peer: Driven): void {
    if (this.#closed) return;
    if (this.#woken.size === 0) this.#alarm.soon(() => this.#runWoken());
    this.#woken.add(peer);
  }

  /** Call after the peer's deadline changed. */
  update(peer: Driven): void {
    this.#schedule.update(peer);
    this.#setAlarm();
  }

  remove(peer: Driven): void {
    this.#schedule.remove(peer);
    this.#woken.delete(peer);
  }

  /** Nobody is woken any more. */
  close(): void {
    this.#closed = true;
    this.#alarm.at(undefined, () => undefined);
    this.#woken.clear();
  }

  #runWoken(): void {
    const { nowMs } = this;
    const woken = [...this.#woken];
    this.#woken.clear();
    for (const peer of woken) peer.handleWake(nowMs);
  }

  /** An alarm that comes too early finds nothing due and is set anew: deadlines that move away cost nothing. */
  #setAlarm(): void {
    const next = this.#schedule.nextMs();
    if (next === undefined || this.#closed || this.#alarmMs <= next) return;
    this.#alarmMs = next;
    this.#alarm.at(next, () => this.#runDue());
  }

  #runDue(): void {
    this.#alarmMs = Number.POSITIVE_INFINITY;
    const { nowMs } = this;
    for (let due = this.#schedule.takeDue(nowMs); due; due = this.#schedule.takeDue(nowMs)) {
      due.handleTimeout(nowMs);
    }
    this.#setAlarm();
  }
}

/** By Node's timers. */
class TimerAlarm implements Alarm {
  readonly #clock: Clock;
  #timer: NodeJS.Timeout | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  soon(run: () => void): void {
    queueMicrotask(run);
  }

  at(atMs: number | undefined, run: () => void): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (atMs !== undefined) this.#timer = setTimeout(run, timerDelay(atMs - this.#clock.nowMs()));
  }
}
