/**
 * When a client sends PUSH_REQUEST and when it gives up (2.x forward.c check_connection_established(),
 * check_push_request(); push.c send_push_request(), receive_auth_pending()).
 *
 *   key active --1 s--> PUSH_REQUEST --5 s--> PUSH_REQUEST ... until PUSH_REPLY
 *
 * The end comes when hand-window (or what AUTH_PENDING grants) has passed since the key became
 * active, or when the server sent nothing at all for hand-window.
 */
import type { Logger } from '../base/base.ts';
import { D_PUSH, D_STREAM_ERRORS } from '../base/errlevel.ts';

const FIRST_MS = 1000;
/** 2.x PUSH_REQUEST_INTERVAL. */
const REPEAT_MS = 5000;

export type PushRequesterEvent =
  | { readonly type: 'send'; readonly text: 'PUSH_REQUEST' }
  /** SIGUSR1; logged already. */
  | { readonly type: 'restart'; readonly reason: 'no-push-reply' };

export interface PushRequesterConfig {
  readonly handWindowMs: number;
  /** --reneg-sec in ms: half of it bounds what AUTH_PENDING may ask for. */
  readonly renegMs: number;
  readonly log: Logger;
}

/** Poll events after start(), handleTimeout() and at nextTimeout(). */
export class PushRequester {
  readonly #config: PushRequesterConfig;
  #establishedMs = 0;
  #lastPacketMs = 0;
  #deadlineMs: number | undefined;
  #grantedMs: number | undefined;
  #nextMs: number | undefined;
  #event: PushRequesterEvent | undefined;

  constructor(config: PushRequesterConfig) {
    this.#config = config;
  }

  /** The first key became active. */
  start(nowMs: number): void {
    this.#establishedMs = nowMs;
    this.#lastPacketMs = nowMs;
    // AUTH_PENDING may come before the first request is due; its grant then counts from here.
    this.#deadlineMs = nowMs + (this.#grantedMs ?? this.#config.handWindowMs);
    this.#nextMs = nowMs + FIRST_MS;
    this.#event = undefined;
  }

  /** Any packet of the server's control channel arrived. */
  notePacket(nowMs: number): void {
    this.#lastPacketMs = nowMs;
  }

  /** AUTH_PENDING[,timeout <sec>]: the server waits for something outside. */
  handleAuthPending(timeoutSec: number | undefined): void {
    const { handWindowMs, renegMs, log } = this.#config;
    const asked = timeoutSec === undefined ? handWindowMs : timeoutSec * 1000;
    this.#grantedMs = Math.min(Math.max(renegMs / 2, handWindowMs), asked);
    const from = Math.floor(handWindowMs / 1000);
    const to = Math.floor(this.#grantedMs / 1000);
    log.log(D_PUSH, `AUTH_PENDING received, extending handshake timeout from ${from}s to ${to}s`);
    if (this.#deadlineMs !== undefined) this.#deadlineMs = this.#establishedMs + this.#grantedMs;
  }

  /** A push reply, or one part of it, arrived; also ends everything when the connection closes. */
  stop(): void {
    this.#nextMs = undefined;
    this.#deadlineMs = undefined;
    this.#grantedMs = undefined;
    this.#event = undefined;
  }

  handleTimeout(nowMs: number): void {
    if (this.#nextMs === undefined || nowMs < this.#nextMs) return;
    const silentMs = nowMs - this.#lastPacketMs;
    if (nowMs < (this.#deadlineMs ?? 0) && silentMs < this.#config.handWindowMs) {
      this.#nextMs = nowMs + REPEAT_MS;
      this.#event = { type: 'send', text: 'PUSH_REQUEST' };
      return;
    }
    const waitedSec = Math.floor((nowMs - this.#establishedMs) / 1000);
    this.stop();
    this.#config.log.log(D_STREAM_ERRORS, `No reply from server to push requests in ${waitedSec}s`);
    this.#event = { type: 'restart', reason: 'no-push-reply' };
  }

  /** Absolute; undefined = nothing to wait for. */
  nextTimeout(): number | undefined {
    return this.#nextMs;
  }

  pollEvent(): PushRequesterEvent | undefined {
    const event = this.#event;
    this.#event = undefined;
    return event;
  }
}
