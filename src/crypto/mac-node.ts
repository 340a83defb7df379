/** HMAC and AES-256-CTR keys of the control channel's wraps over node:crypto: the twins of native/mac.cc. */
import { createCipheriv, createHmac, timingSafeEqual } from 'node:crypto';
import type { CtrKey, MacKey, MacRanges } from './crypto.ts';

const IV_BYTES = 16;
const CTR = 'aes-256-ctr';

/** Bytes of HMACs by digest: asked once for each, since a key may be made for one packet of a stranger. */
const MAC_BYTES = new Map<string, number>();

/** Throws for a digest that node:crypto can't use. */
function macBytes(digest: string): number {
  let bytes = MAC_BYTES.get(digest);
  if (bytes === undefined) {
    bytes = createHmac(digest, '').digest().length;
    MAC_BYTES.set(digest, bytes);
  }
  return bytes;
}

export class NodeMacKey implements MacKey {
  readonly bytes: number;
  readonly #digest: string;
  readonly #key: Uint8Array;

  constructor(digest: string, key: Uint8Array) {
    this.#digest = digest;
    this.#key = Uint8Array.from(key);
    this.bytes = macBytes(digest);
  }

  matches(bytes: Uint8Array, tagAt: number, tagBytes: number, ...ranges: MacRanges): boolean {
    const sum = this.#sum(bytes, ranges);
    return timingSafeEqual(sum.subarray(0, tagBytes), bytes.subarray(tagAt, tagAt + tagBytes));
  }

  write(bytes: Uint8Array, tagAt: number, tagBytes: number, ...ranges: MacRanges): void {
    bytes.set(this.#sum(bytes, ranges).subarray(0, tagBytes), tagAt);
  }

  destroy(): void {
    this.#key.fill(0);
  }

  #sum(bytes: Uint8Array, ranges: MacRanges): Buffer {
    const hmac = createHmac(this.#digest, this.#key);
    for (let i = 0; i < ranges.length; i += 2) {
      const [start, end] = [ranges[i]!, ranges[i + 1]!];
      if (end > start) hmac.update(bytes.subarray(start, end));
    }
    return hmac.digest();
  }
}

export class NodeCtrKey implements CtrKey {
  readonly #key: Uint8Array;

  constructor(key: Uint8Array) {
    this.#key = Uint8Array.from(key);
  }

  apply(bytes: Uint8Array, ivAt: number, start: number, end: number, out: Uint8Array, outAt: number): void {
    const cipher = createCipheriv(CTR, this.#key, bytes.subarray(ivAt, ivAt + IV_BYTES));
    out.set(cipher.update(bytes.subarray(start, end)), outAt);
  }

  destroy(): void {
    this.#key.fill(0);
  }
}
