/**
 * Own copies of the 256 bytes behind a wrap (2.x struct key2, crypto.h), so that a wrap can zero
 * what it holds without touching its caller's bytes.
 */
import { ApiMisuseError } from '../base/base.ts';
import { KEY2_BYTES, type Key2, type KeyHalf, keyHalves } from '../crypto/crypto.ts';

/** A copy that belongs to the caller. Throws ApiMisuseError unless there are 256 bytes. */
export function copyKey2(key2: Key2): Key2 {
  if (key2.length !== KEY2_BYTES)
    throw new ApiMisuseError(`a key2 has ${KEY2_BYTES} bytes, not ${key2.length}`);
  return Uint8Array.from(key2);
}

/** The first bytes of both parts of one key, as views into `key2`. */
export function wrapKey(key2: Key2, index: 0 | 1, cipherBytes: number, hmacBytes: number): KeyHalf {
  const half = keyHalves(key2)[index];
  return { cipher: half.cipher.subarray(0, cipherBytes), hmac: half.hmac.subarray(0, hmacBytes) };
}
