/** HMAC and AES-256-CTR keys of the control channel's wraps over node:crypto: the twins of native/mac.cc. */
import { createCipheriv, createHmac, timingSafeEqual } from 'node:crypto';
import type { CtrKey, MacKey } from './crypto.ts';

const IV_BYTES = 16;
const CTR = 'aes-256-ctr';

export class NodeMacKey implements MacKey {
  readonly bytes: number;
  readonly #digest: string;
  readonly #key: Uint8Array;

  constructor(digest: string, key: Uint8Array) {
    this.#digest = digest;
    this.#key = Uint8Array.from(key);
    this.bytes = createHmac(digest, key).digest().length;
  }

  matches(
    bytes: Uint8Array,
    tagAt: number,
    tagBytes: number,
    start1: number,
    end1: number,
    start2: number,
    end2: number,
    start3: number,
    end3: number,
  ): boolean {
    const sum = this.#sum(bytes, start1, end1, start2, end2, start3, end3);
    return timingSafeEqual(sum.subarray(0, tagBytes), bytes.subarray(tagAt, tagAt + tagBytes));
  }

  write(
    bytes: Uint8Array,
    tagAt: number,
    tagBytes: number,
    start1: number,
    end1: number,
    start2: number,
    end2: number,
    start3: number,
    end3: number,
  ): void {
    const sum = this.#sum(bytes, start1, end1, start2, end2, start3, end3);
    bytes.set(sum.subarray(0, tagBytes), tagAt);
  }

  destroy(): void {
    this.#key.fill(0);
  }

  #sum(
    bytes: Uint8Array,
    start1: number,
    end1: number,
    start2: number,
    end2: number,
    start3: number,
    end3: number,
  ): Buffer {
    const hmac = createHmac(this.#digest, this.#key);
    if (end1 > start1) hmac.update(bytes.subarray(start1, end1));
    if (end2 > start2) hmac.update(bytes.subarray(start2, end2));
    if (end3 > start3) hmac.update(bytes.subarray(start3, end3));
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
