/**
 * What tests of TLS engines share: a stream over a session for a `node:tls` peer, talk between two sessions, turns of the event loop, and the
 * resident set after garbage collection (what OpenSSL holds isn't in the heap's own numbers).
 */
import { Duplex } from 'node:stream';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { SslSession } from '../src/ssl/ssl.ts';

/** What is written goes to the session, what the session says can be read. */
export class SessionWire extends Duplex {
  readonly #session: SslSession;

  constructor(session: SslSession) {
    super();
    this.#session = session;
  }

  override _read(): void {}

  override _write(chunk: Uint8Array, _encoding: string, done: () => void): void {
    this.#session.writeCiphertext(chunk);
    done();
  }

  drain(): void {
    for (let bytes = this.#session.readCiphertext(); bytes; bytes = this.#session.readCiphertext()) {
      this.push(bytes);
    }
  }
}

/** Carries what two sessions say to each other until both are silent. */
export function exchange(server: SslSession, client: SslSession): void {
  for (let busy = true; busy; ) {
    busy = false;
    for (const [from, to] of [
      [client, server],
      [server, client],
    ] as const) {
      for (let bytes = from.readCiphertext(); bytes; bytes = from.readCiphertext()) {
        to.writeCiphertext(bytes);
        busy = true;
      }
    }
  }
}

/** One turn of the event loop. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Makes a function that collects garbage and gives the resident set in bytes. */
export function createRssReader(): () => Promise<number> {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  return async () => {
    for (let i = 0; i < 3; i++) {
      collect();
      await turn();
    }
    return process.memoryUsage.rss();
  };
}
