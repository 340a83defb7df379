/**
 * The 256 bytes behind a wrap (2.x struct key2, crypto.h): two keys of `cipher[64] || hmac[64]`.
 * All parts are views: zeroing the key2 zeroes them.
 */
import { ApiMisuseError } from '../base/base.ts';

const KEY2_BYTES = 256;
const KEY_BYTES = 128;
const CIPHER_PART_BYTES = 64;

/** A copy that belongs to the caller. Throws ApiMisuseError unless there are 256 bytes. */
export function copyKey2(key2: Uint8Array): Uint8Array {
  if (key2.length !== KEY2_BYTES) throw new ApiMisuseError(`a key2 has 256 bytes, not ${key2.length}`);
  return Uint8Array.from(key2);
}

/** The cipher part of one key, 64 bytes. */
export function cipherPart(key2: Uint8Array, index: 0 | 1): Uint8Array {
  return key2.subarray(index * KEY_BYTES, index * KEY_BYTES + CIPHER_PART_BYTES);
}

/** The hmac part of one key, 64 bytes. */
export function hmacPart(key2: Uint8Array, index: 0 | 1): Uint8Array {
  return key2.subarray(index * KEY_BYTES + CIPHER_PART_BYTES, (index + 1) * KEY_BYTES);
}
