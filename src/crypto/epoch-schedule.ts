/**
 * Secrets of one direction in epoch format (2.7 crypto_epoch.c):
 *
 *   E_1      first 32 bytes of the direction's cipher part of the key2
 *   E_n+1    Expand-Label(E_n, "datakey upd", 32)
 *   key_n    Expand-Label(E_n, "data_key", key length)     iv_n = Expand-Label(E_n, "data_iv", 12)
 *
 *   Expand-Label(secret, label, n) = HKDF-Expand-SHA256(secret, u16 n || u8 (5 + label) || "ovpn " || label || u8 0, n)
 *
 * Secrets are zeroed once the next one exists.
 */
import { ApiMisuseError } from '../base/base.ts';
import type { CipherInfo, CryptoBackend, KeyHalf } from './crypto.ts';

/** The last epoch that 16 bits can number. */
export const MAX_EPOCH = 0xffff;
const SECRET_BYTES = 32;
const IV_BYTES = 12;
const HASH_BYTES = 32;

export class EpochSchedule {
  readonly #crypto: CryptoBackend;
  readonly #cipher: CipherInfo;
  #secret: Uint8Array;
  #epoch = 1;

  /** `half` holds E_1 in its cipher part; copied. */
  constructor(crypto: CryptoBackend, cipher: CipherInfo, half: KeyHalf) {
    if (half.cipher.length < SECRET_BYTES) throw new ApiMisuseError('epoch secret too short');
    this.#crypto = crypto;
    this.#cipher = cipher;
    this.#secret = Uint8Array.from(half.cipher.subarray(0, SECRET_BYTES));
  }

  get epoch(): number {
    return this.#epoch;
  }

  /** Moves on to `epoch`; never back. */
  advanceTo(epoch: number): void {
    if (epoch > MAX_EPOCH) throw new ApiMisuseError('epochs used up');
    for (; this.#epoch < epoch; this.#epoch++) {
      const next = expandLabel(this.#crypto, this.#secret, 'datakey upd', SECRET_BYTES);
      this.#secret.fill(0);
      this.#secret = next;
    }
  }

  /** Key and IV of the present epoch, in the form that DataKeySpec.epoch asks for; the caller's to zero. */
  dataKey(): KeyHalf {
    return {
      cipher: expandLabel(this.#crypto, this.#secret, 'data_key', this.#cipher.keyBytes),
      hmac: expandLabel(this.#crypto, this.#secret, 'data_iv', IV_BYTES),
    };
  }

  destroy(): void {
    this.#secret.fill(0);
  }
}

/** `length` bytes at most 64. Exported for known answers. */
export function expandLabel(
  crypto: CryptoBackend,
  secret: Uint8Array,
  label: string,
  length: number,
): Uint8Array {
  const name = new TextEncoder().encode(`ovpn ${label}`);
  const info = Uint8Array.of(length >> 8, length & 0xff, name.length, ...name, 0);
  const out = new Uint8Array(length);
  let block: Uint8Array = new Uint8Array(0);
  for (let at = 0, i = 1; at < length; at += HASH_BYTES, i++) {
    const next = crypto.hmac('SHA256', secret, block, info, Uint8Array.of(i));
    block.fill(0);
    block = next;
    out.set(block.subarray(0, Math.min(HASH_BYTES, length - at)), at);
  }
  block.fill(0);
  return out;
}
