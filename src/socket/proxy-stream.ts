/**
 * What the talks with HTTP and SOCKS proxies share: an answer is gathered until its reader is content,
 * within a number of bytes and a time; whatever goes wrong is a ProxyError.
 */
import { performance } from 'node:perf_hooks';
import { formatAddress, LinkError, type Logger } from '../base/base.ts';
import { M_INFO } from '../base/errlevel.ts';
import { abortCause, orAborted } from './abort.ts';
import { GatheredBytes } from './gathered-bytes.ts';
import type { Answer } from './http-message.ts';
import type { ByteStream, SocketFactory, TcpConnect } from './socket.ts';

/** No answer of a proxy is longer. Ours. */
const MAX_ANSWER_BYTES = 64 << 10;

/** A proxy refused, was not understood or kept silent. `message` is 2.x's line. */
export class ProxyError extends LinkError {
  /** 2.x's reason of the restart that follows: `HTTP proxy error` or `socks-error`. */
  readonly reason: string;

  constructor(message: string, reason: string, options?: ErrorOptions, code?: string) {
    super(message, options, code);
    this.reason = reason;
  }
}

/** A connection to a proxy with a time limit on everything until release(). */
export interface ProxyTalk {
  readonly stream: ByteStream;
  /** Waits for an answer; what follows it stays in the stream. `what` begins the texts of errors. */
  answer<T>(what: string, read: (bytes: Uint8Array) => Answer<T>): Promise<T>;
  /** Passes over `bytes` bytes; false when the stream ends before. */
  skip(bytes: number): Promise<boolean>;
  fail(text: string): ProxyError;
  /** As `work`, unless the caller's signal or the time limit ends the talk first. */
  within<T>(work: () => Promise<T>): Promise<T>;
  /** Ends the time limit; the connection is the caller's. */
  release(): void;
}

export interface ProxyTalkOptions {
  /** Absolute, by performance.now(). */
  readonly endMs: number;
  readonly signal: AbortSignal | undefined;
  readonly reason: string;
  readonly log: Logger;
}

/** Connects to a proxy and tells so. Rejects with LinkError. */
export async function openProxyTalk(
  base: SocketFactory,
  connect: TcpConnect,
  options: ProxyTalkOptions,
): Promise<ProxyTalk> {
  const leftMs = Math.max(1, options.endMs - performance.now());
  const where = formatAddress(connect.remote);
  options.log.log(M_INFO, `Attempting to establish TCP connection with ${where}`);
  const stream = await base.connectStream({ ...connect, timeoutMs: leftMs }, options.signal);
  options.log.log(M_INFO, `TCP connection established with ${where}`);
  return new Talk(stream, options);
}

class Talk implements ProxyTalk {
  readonly stream: ByteStream;
  readonly #options: ProxyTalkOptions;
  readonly #timer: NodeJS.Timeout;
  #why = 'failed on recv()';
  #timedOut = false;
  /** Aborted when the talk is given up. */
  readonly #over = new AbortController();

  constructor(stream: ByteStream, options: ProxyTalkOptions) {
    this.stream = stream;
    this.#options = options;
    this.#timer = setTimeout(
      () => {
        this.#timedOut = true;
        this.#giveUp('timeout expired');
      },
      Math.max(1, options.endMs - performance.now()),
    );
    options.signal?.addEventListener('abort', this.#onAbort);
    if (options.signal?.aborted) this.#onAbort();
  }

  async answer<T>(what: string, read: (bytes: Uint8Array) => Answer<T>): Promise<T> {
    const gathered = new GatheredBytes();
    for (;;) {
      const { bytes } = gathered;
      const verdict = read(bytes);
      if (verdict.type === 'bad') throw this.fail(verdict.text);
      if (verdict.type === 'done') {
        this.stream.unread(bytes.subarray(verdict.used));
        return verdict.value;
      }
      if (bytes.length >= MAX_ANSWER_BYTES) throw this.fail(`${what}: too long an answer`);
      const chunk = await this.stream.read();
      if (chunk === undefined) throw this.fail(`${what}: TCP port read ${this.#why}`);
      gathered.push(chunk);
    }
  }

  async skip(bytes: number): Promise<boolean> {
    for (let left = bytes; left > 0; ) {
      const chunk = await this.stream.read();
      if (chunk === undefined) return false;
      this.stream.unread(chunk.subarray(left));
      left -= chunk.length;
    }
    return true;
  }

  fail(text: string): ProxyError {
    const { reason, signal } = this.#options;
    const code = this.#timedOut ? 'ERR_OVPN_TIMEOUT' : undefined;
    return new ProxyError(text, reason, signal?.aborted ? { cause: abortCause(signal) } : {}, code);
  }

  within<T>(work: () => Promise<T>): Promise<T> {
    return orAborted(work, this.#over.signal, () =>
      this.fail(`the login of the proxy was not had: ${this.#why}`),
    );
  }

  release(): void {
    clearTimeout(this.#timer);
    this.#options.signal?.removeEventListener('abort', this.#onAbort);
  }

  readonly #onAbort = (): void => this.#giveUp('interrupted');

  #giveUp(why: string): void {
    this.#why = why;
    this.stream.close();
    this.#over.abort();
  }
}
