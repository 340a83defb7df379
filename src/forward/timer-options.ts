/**
 * The data channel's timers as the options say them (2.x do_init_timers() of init.c).
 */
import type { Options } from '../options/options.ts';
import type { TimerOptions } from './forward.ts';

export function timerOptions(options: Options): TimerOptions {
  return {
    pingSec: options.ping,
    silenceSec: options.pingRecAction === 'none' ? 0 : options.pingRecTimeout,
    onSilence: options.pingRecAction === 'exit' ? 'exit' : 'restart',
    pingTimerRem: options.pingTimerRem,
    inactiveSec: options.inactive,
    inactiveBytes: options.inactiveMinimumBytes,
    sessionSec: options.sessionTimeout,
  };
}
