/**
 * Signals and restarts (2.x sig.c). One pending signal at a time, external ("hard", from the kernel)
 * or raised by ourselves ("soft", with a reason). A lower one never replaces a higher pending one:
 * SIGINT > SIGTERM > SIGHUP > SIGUSR1 > SIGUSR2.
 */
import { type Logger, timerDelay } from '../base/base.ts';
import { M_INFO } from '../base/errlevel.ts';
import { orAborted } from '../socket/socket.ts';

export type SignalName = 'SIGINT' | 'SIGTERM' | 'SIGHUP' | 'SIGUSR1' | 'SIGUSR2';

export interface PendingSignal {
  readonly name: SignalName;
  readonly source: 'hard' | 'soft' | 'connection failed(soft)';
  /** Empty for signals from the kernel. */
  readonly reason: string;
}

const PRIORITY: Record<SignalName, number> = { SIGINT: 5, SIGTERM: 4, SIGHUP: 3, SIGUSR1: 2, SIGUSR2: 1 };

export class SignalState {
  #pending: PendingSignal | undefined;
  readonly #waiters = new Set<() => void>();
  /** SIGUSR2 asks for statistics and restarts nothing. */
  onStatistics: () => void = () => undefined;
  /** A signal has become the pending one, or none is pending any more. */
  onPending: (signal: PendingSignal | undefined) => void = () => undefined;
  /** What --remap-usr1 turns SIGUSR1 into. */
  remapUsr1: 'none' | 'SIGHUP' | 'SIGTERM' = 'none';

  /** Notes a signal; false when a more important one is pending. */
  raise(name: SignalName, source: PendingSignal['source'] = 'soft', reason = ''): boolean {
    if (name === 'SIGUSR2') {
      this.onStatistics();
      return true;
    }
    const effective = name === 'SIGUSR1' && this.remapUsr1 !== 'none' ? this.remapUsr1 : name;
    if (this.#pending && PRIORITY[this.#pending.name] >= PRIORITY[effective]) return false;
    // One that was remapped counts as our own.
    this.#pending = { name: effective, source: effective === name ? source : 'soft', reason };
    this.onPending(this.#pending);
    for (const waiter of [...this.#waiters]) waiter();
    return true;
  }

  get pending(): PendingSignal | undefined {
    return this.#pending;
  }

  clear(): void {
    this.#pending = undefined;
    this.onPending(undefined);
  }

  /** Resolves at the next (or the pending) signal. */
  wait(): Promise<PendingSignal> {
    return new Promise((resolve) => {
      this.subscribe(() => resolve(this.#pending!), true);
    });
  }

  /** Calls `listener` once at the next signal (at once when one is pending and `now`). Returns the unsubscriber. */
  subscribe(listener: () => void, now = false): () => void {
    if (now && this.#pending) {
      listener();
      return () => undefined;
    }
    const waiter = (): void => {
      this.#waiters.delete(waiter);
      listener();
    };
    this.#waiters.add(waiter);
    return () => this.#waiters.delete(waiter);
  }

  /** Waits `ms`, or less when a signal comes. Resolves whether a signal is pending. */
  async sleep(ms: number): Promise<boolean> {
    if (this.#pending) return true;
    // A timer may take only part of it.
    const now = timerDelay(ms);
    if (now < ms) return (await this.sleep(now)) || this.sleep(ms - now);
    await new Promise<void>((resolve) => {
      const timer = setTimeout(() => {
        unsubscribe();
        resolve();
      }, now);
      const unsubscribe = this.subscribe(() => {
        clearTimeout(timer);
        resolve();
      });
    });
    return this.#pending !== undefined;
  }

  /** As `work`, or rejects with `failure` as soon as a signal comes, of which `work` is told. */
  async until<T>(
    work: (signal: AbortSignal) => Promise<T>,
    failure: (cause: NodeJS.ErrnoException) => Error,
  ): Promise<T> {
    const { signal, done } = this.abortable();
    return orAborted(() => work(signal), signal, failure).finally(done);
  }

  /** An AbortSignal that fires with the next signal, for connects and look-ups. Call `done` when not needed any more. */
  abortable(): { readonly signal: AbortSignal; readonly done: () => void } {
    const controller = new AbortController();
    const done = this.subscribe(() => controller.abort(), true);
    return { signal: controller.signal, done };
  }
}

/** Whether the process goes on after this signal. */
export function isRestart(signal: PendingSignal): boolean {
  return signal.name === 'SIGUSR1' || signal.name === 'SIGHUP';
}

/** A signal that ends the pause between two attempts, as 2.x logs it. */
export function pausedSignal(signal: PendingSignal): PendingSignal {
  return signal.source === 'hard' ? { ...signal, reason: 'init_instance' } : signal;
}

/** What scripts see as `signal`: the reason, or the name of a signal that came from outside (2.x signal_description()). */
export function signalText(signal: PendingSignal | undefined): string {
  return signal ? signal.reason || signal.name.toLowerCase() : NO_SIGNAL;
}

/** 2.x's word where something is taken down without a signal. */
export const NO_SIGNAL = 'UNKNOWN';

/** 2.x's line, e.g. `SIGUSR1[soft,ping-restart] received, process restarting`. */
export function logSignal(log: Logger, signal: PendingSignal, what = 'process'): void {
  const action = isRestart(signal) ? 'restarting' : 'exiting';
  log.log(M_INFO, `${signal.name}[${signal.source},${signal.reason}] received, ${what} ${action}`);
}
