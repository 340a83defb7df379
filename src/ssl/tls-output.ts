/**
 * TLS output that waits for the send window of the control channel: the engine's chunks come in any
 * size and leave in packets as full as they may be.
 */
import type { SslSession } from './ssl-backend.ts';

export class TlsOutput {
  #chunks: Uint8Array[] = [];
  #bytes = 0;

  /** Bytes taken from the engine and not yet sent. */
  get pendingBytes(): number {
    return this.#bytes;
  }

  /** Whether take() has something, asking the engine where needed. */
  has(engine: SslSession): boolean {
    if (this.#bytes === 0) this.#pull(engine);
    return this.#bytes > 0;
  }

  /** The next packet's bytes, `max` at most, asking the engine for more where needed; undefined when there are none. */
  take(engine: SslSession, max: number): Uint8Array | undefined {
    while (this.#bytes < max && this.#pull(engine));
    const length = Math.min(max, this.#bytes);
    if (length === 0) return undefined;
    const out = new Uint8Array(length);
    for (let at = 0; at < length; ) {
      const first = this.#chunks.shift()!;
      const part = first.subarray(0, length - at);
      out.set(part, at);
      at += part.length;
      if (part.length < first.length) this.#chunks.unshift(first.subarray(part.length));
    }
    this.#bytes -= length;
    return out;
  }

  clear(): void {
    this.#chunks = [];
    this.#bytes = 0;
  }

  #pull(engine: SslSession): boolean {
    const more = engine.readCiphertext();
    if (!more) return false;
    this.#chunks.push(more);
    this.#bytes += more.length;
    return true;
  }
}
