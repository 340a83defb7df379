/**
 * How much one AEAD key may process (2.7 crypto.c cipher_get_aead_limits(), crypto.h; after
 * draft-irtf-cfrg-aead-limits): with GCM blocks of 16 bytes, rounded up per packet, plus packets stay
 * below 2^36. Classic keys are renegotiated before that (reneg-limits.ts), epoch keys move on
 * (epoch-keys.ts). Numbers of this size are exact in a double.
 */
import type { CipherInfo } from './crypto.ts';

/** The unit of the limit for every cipher. */
export const AEAD_LIMIT_BLOCK_BYTES = 16;
/** Packets that fail authentication before a key should be replaced. */
export const MAX_FAILURES_WARN = 2 ** 35;
/** Failed packets after which a key takes none at all. */
export const MAX_FAILURES = 2 ** 36;

const GCM_LIMIT = 2 ** 36 - 1;

/** Blocks plus packets that one key may process; 0 = no limit (ChaCha20-Poly1305, non-AEAD ciphers). */
export function aeadUsageLimit(cipher: CipherInfo): number {
  return cipher.mode === 'aead' && cipher.name !== 'CHACHA20-POLY1305' ? GCM_LIMIT : 0;
}
