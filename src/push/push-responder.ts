/**
 * When a server answers PUSH_REQUEST (2.x push.c process_incoming_push_request(), multi.c
 * multi_connection_established()): once authentication and client-connect are done; unasked if the client
 * announced IV_PROTO_REQUEST_PUSH; repeats within 30 s after a reply are ignored.
 */

/** Requests that come sooner after a reply are retransmissions that crossed it. */
const REPEAT_MS = 30_000;

/** The push state of one session of a client; another session has another. Each handle*() answers whether the reply is to be sent at once. */
export class PushResponder {
  #asked: boolean;
  #ready = false;
  #repliedMs: number | undefined;

  /** @param requestPush the client's IV_PROTO has REQUEST_PUSH: it needn't ask. */
  constructor(requestPush = false) {
    this.#asked = requestPush;
  }

  /** The peer info was read after this object was made. */
  setRequestPush(): void {
    this.#asked = true;
  }

  /** PUSH_REQUEST arrived. */
  handleRequest(nowMs: number): boolean {
    this.#asked = true;
    return this.#due(nowMs);
  }

  /** Authentication, client-connect and address assignment are done. */
  handleReady(nowMs: number): boolean {
    this.#ready = true;
    return this.#asked && this.#due(nowMs);
  }

  #due(nowMs: number): boolean {
    if (!this.#ready) return false;
    if (this.#repliedMs !== undefined && nowMs < this.#repliedMs + REPEAT_MS) return false;
    this.#repliedMs = nowMs;
    return true;
  }
}
