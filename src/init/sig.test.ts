import { describe, expect, it } from 'vitest';
import { MemoryLogger } from '../base/base.ts';
import type { ScriptLimits } from '../script/script.ts';
import { limitScripts } from './script-setup.ts';
import { logSignal, SignalState } from './sig.ts';

describe('SignalState', () => {
  it('keeps the more important of two signals', () => {
    const signals = new SignalState();
    expect(signals.raise('SIGUSR1', 'soft', 'ping-restart')).toBe(true);
    expect(signals.raise('SIGTERM', 'hard')).toBe(true);
    expect(signals.raise('SIGHUP', 'hard')).toBe(false);
    expect(signals.pending).toEqual({ name: 'SIGTERM', source: 'hard', reason: '' });
  });

  it('wakes sleepers and waiters', async () => {
    const signals = new SignalState();
    const slept = signals.sleep(60_000);
    const waited = signals.wait();
    signals.raise('SIGUSR1', 'soft', 'tls-error');
    expect(await slept).toBe(true);
    expect((await waited).reason).toBe('tls-error');
    signals.clear();
    expect(await signals.sleep(1)).toBe(false);
  });

  it('maps SIGUSR1 as configured and keeps SIGUSR2 for statistics', () => {
    const signals = new SignalState();
    let asked = 0;
    signals.onStatistics = () => asked++;
    signals.remapUsr1 = 'SIGTERM';
    signals.raise('SIGUSR2', 'hard');
    expect([asked, signals.pending]).toEqual([1, undefined]);
    signals.raise('SIGUSR1', 'hard');
    expect(signals.pending).toMatchObject({ name: 'SIGTERM', source: 'soft' });
  });

  it('aborts connects when a signal comes, and only then', () => {
    const signals = new SignalState();
    const first = signals.abortable();
    first.done();
    const second = signals.abortable();
    signals.raise('SIGHUP', 'hard');
    expect([first.signal.aborted, second.signal.aborted]).toEqual([false, true]);
  });

  it('tells what is pending, and when nothing is any more', () => {
    const signals = new SignalState();
    const told: (string | undefined)[] = [];
    signals.onPending = (signal) => told.push(signal?.name);
    signals.raise('SIGUSR1');
    signals.raise('SIGUSR1');
    signals.raise('SIGTERM', 'hard');
    signals.clear();
    expect(told).toEqual(['SIGUSR1', 'SIGTERM', undefined]);
  });

  it('limits scripts once the program is to end, or is told from outside to start over', () => {
    const limits: (number | undefined)[] = [];
    const scripts = {
      name: 'none',
      run: async () => ({ status: 0 }),
      limit: (given?: ScriptLimits) => limits.push(given?.runningMs),
    };
    const signals = new SignalState();
    limitScripts(signals, scripts);
    signals.raise('SIGUSR1', 'soft', 'ping-restart');
    expect(limits).toEqual([]);
    signals.clear();
    signals.raise('SIGHUP', 'hard');
    signals.clear();
    signals.raise('SIGTERM', 'soft', 'auth-failure');
    expect(limits).toEqual([undefined, 5_000, undefined, 5_000]);
  });

  it('logs in the words of 2.x', () => {
    const log = new MemoryLogger();
    logSignal(log, { name: 'SIGUSR1', source: 'soft', reason: 'ping-restart' });
    logSignal(log, { name: 'SIGTERM', source: 'hard', reason: '' });
    expect(log.lines).toEqual([
      'SIGUSR1[soft,ping-restart] received, process restarting',
      'SIGTERM[hard,] received, process exiting',
    ]);
  });
});
