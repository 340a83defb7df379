/**
 * Explicit exit notification (2.x sig.c process_explicit_exit_notification_*(), push.c
 * receive_exit_message(), multi.c multi_push_restart_schedule_exit()); UDP only.
 *
 *   client with cc-exit:  control message EXIT, then n seconds for its acknowledgement, then the end
 *   client without:       OCC_EXIT at once and then every second, n times; the end after n seconds
 *   server:               RESTART or RESTART,[N] to every client, the end after 2 s
 *   receiver:             OCC_EXIT closes at once; EXIT closes after 5 s, so that retransmissions of the
 *                         client don't look like a new handshake
 */
import type { Logger } from '../base/base.ts';
import { M_INFO } from '../base/errlevel.ts';

/** A server closes an instance this long after EXIT or AUTH_FAILED (2.x scheduled_exit_interval). */
export const EXIT_DELAY_MS = 5000;
/** A server ends this long after it sent RESTART. */
export const SHUTDOWN_DELAY_MS = 2000;

const INTERVAL_MS = 1000;

export type ExitNotifierEvent =
  /** Send as a control message. */
  | { readonly type: 'control'; readonly text: 'EXIT' }
  /** DataChannel.sendOccExit(). */
  | { readonly type: 'occ-exit' }
  /** SIGTERM. */
  | { readonly type: 'done'; readonly reason: 'exit-with-notification' };

export interface ExitNotifierConfig {
  /** --explicit-exit-notify n, at least 1. */
  readonly seconds: number;
  /** The session has the cc-exit flag. */
  readonly ccExit: boolean;
  readonly log: Logger;
}

/** Poll until undefined after it is made and after handleTimeout(). */
export interface ExitNotifier {
  handleTimeout(nowMs: number): void;
  nextTimeout(): number | undefined;
  pollEvent(): ExitNotifierEvent | undefined;
}

/** Starts the notification; logs 2.x's line about it. */
export function createExitNotifier(config: ExitNotifierConfig, nowMs: number): ExitNotifier {
  config.log.log(M_INFO, 'SIGTERM received, sending exit notification to peer');
  return new ClientExit(config, nowMs);
}

/** The server's message for --explicit-exit-notify n: 2 sends clients to their next remote. */
export function restartMessage(n: number): 'RESTART' | 'RESTART,[N]' {
  return n === 2 ? 'RESTART,[N]' : 'RESTART';
}

class ClientExit implements ExitNotifier {
  readonly #ccExit: boolean;
  readonly #endMs: number;
  #nextMs: number | undefined;
  #event: ExitNotifierEvent | undefined;

  constructor(config: ExitNotifierConfig, nowMs: number) {
    this.#ccExit = config.ccExit;
    this.#endMs = nowMs + config.seconds * 1000;
    this.#nextMs = Math.min(nowMs + INTERVAL_MS, this.#endMs);
    this.#event = config.ccExit ? { type: 'control', text: 'EXIT' } : { type: 'occ-exit' };
  }

  handleTimeout(nowMs: number): void {
    if (this.#nextMs === undefined || nowMs < this.#nextMs) return;
    if (nowMs >= this.#endMs) {
      this.#nextMs = undefined;
      this.#event = { type: 'done', reason: 'exit-with-notification' };
      return;
    }
    this.#nextMs = Math.min(nowMs + INTERVAL_MS, this.#endMs);
    if (!this.#ccExit) this.#event = { type: 'occ-exit' };
  }

  nextTimeout(): number | undefined {
    return this.#nextMs;
  }

  pollEvent(): ExitNotifierEvent | undefined {
    const event = this.#event;
    this.#event = undefined;
    return event;
  }
}
