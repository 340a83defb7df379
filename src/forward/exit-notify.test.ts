import { describe, expect, it } from 'vitest';
import { MemoryLogger } from '../base/base.ts';
import { createExitNotifier, restartMessage } from './exit-notify.ts';

/** Events by the second in which they came. */
function run(seconds: number, ccExit: boolean): { events: string[]; log: MemoryLogger } {
  const log = new MemoryLogger(1);
  const exit = createExitNotifier({ seconds, ccExit, log }, 0);
  const events: string[] = [];
  let nowMs = 0;
  for (;;) {
    const event = exit.pollEvent();
    if (event) events.push(`${nowMs / 1000} ${event.type}`);
    const next = exit.nextTimeout();
    if (next === undefined) return { events, log };
    nowMs = next;
    exit.handleTimeout(nowMs);
  }
}

describe('explicit exit notification', () => {
  it('sends EXIT once and waits when the session has cc-exit', () => {
    const { events, log } = run(3, true);
    expect(events).toEqual(['0 control', '3 done']);
    expect(log.lines).toEqual(['SIGTERM received, sending exit notification to peer']);
  });

  it('sends OCC_EXIT once a second, n times, without cc-exit', () => {
    expect(run(3, false).events).toEqual(['0 occ-exit', '1 occ-exit', '2 occ-exit', '3 done']);
  });

  it('has a text for the server', () => {
    expect(restartMessage(1)).toBe('RESTART');
    expect(restartMessage(2)).toBe('RESTART,[N]');
  });
});
