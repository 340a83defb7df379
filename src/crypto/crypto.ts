/**
 * Header of crypto/ (2.x crypto.h, crypto_backend.h, packet_id.h): what a crypto backend must do, the
 * cipher and digest tables, packet ids and replay windows, static keys and key derivation.
 *
 * Data keys work on runs of a PacketBatch, in place:
 *   AEAD, P_DATA_V2:  H(4) || pid(4) || tag(16) || ciphertext     AAD = H || pid
 *   AEAD, P_DATA_V1:  H(1) || pid(4) || tag(16) || ciphertext     AAD = pid
 * Source: 2.x crypto.c openvpn_encrypt_aead(), openvpn_decrypt_aead().
 */
import type { PacketBatch } from '../base/base.ts';

export type CipherMode = 'aead' | 'cbc' | 'cfb' | 'ofb' | 'none';

export interface CipherInfo {
  /** Canonical OpenVPN name, e.g. `AES-256-GCM`. */
  readonly name: string;
  readonly mode: CipherMode;
  readonly keyBytes: number;
  readonly ivBytes: number;
  /** As 2.x counts it: 16 for AES also in GCM, 1 for ChaCha20-Poly1305. */
  readonly blockBytes: number;
  /** 16 for AEAD, else 0. */
  readonly tagBytes: number;
}

export interface DigestInfo {
  /** Canonical name, e.g. `SHA1`, `SHA256`. */
  readonly name: string;
  readonly bytes: number;
}

/** One direction's key material: `cipher[64] || hmac[64]` of a key2 half. */
export interface KeyHalf {
  readonly cipher: Uint8Array;
  readonly hmac: Uint8Array;
}

export interface DataKeySpec {
  readonly cipher: CipherInfo;
  /** HMAC for non-AEAD ciphers; ignored for AEAD. */
  readonly digest?: DigestInfo;
  readonly key: KeyHalf;
  /** 0..7 */
  readonly keyId: number;
  /** 24-bit peer id written in P_DATA_V2; -1 sends P_DATA_V1. Ignored when opening. */
  readonly peerId: number;
  /** Id of the first packet sealed, 1..2^32-1; 1 when left out. Other values are for tests and for keys taken over. */
  readonly firstPacketId?: number;
}

/** Results in PacketBatch.status after openBatch(). */
export const OPEN_OK = 0;
export const OPEN_TOO_SHORT = 1;
export const OPEN_AUTH_FAILED = 2;

/** Encrypts one direction of one data key. */
export interface SealingKey {
  /** Bytes that sealing adds in front of a packet (header, packet id, tag or HMAC and IV). */
  readonly headBytes: number;
  /** Most bytes that sealing adds behind a packet (block padding). */
  readonly tailBytes: number;
  /** The id that the next packet gets; starts at spec.firstPacketId. 2^32 when the ids are used up. */
  readonly nextPacketId: number;
  /**
   * Seals slots first..end-1 in place; slots of length 0 are passed over. Returns the slots handled:
   * fewer than end-first only when the 32-bit packet ids are used up. A slot with less than headBytes
   * before its packet is dropped (length 0), never written outside of its bounds.
   */
  sealBatch(batch: PacketBatch, first: number, end: number): number;
  /** Zeroes the key. */
  destroy(): void;
}

/** Decrypts one direction of one data key. Replay is not checked here: see PacketIdRec. */
export interface OpeningKey {
  /**
   * Opens slots first..end-1 in place, V1 and V2 headers alike; slots of length 0 are passed over.
   * Sets status (OPEN_*) and, when good, packetIds, offsets and lengths; a bad slot gets length 0.
   */
  openBatch(batch: PacketBatch, first: number, end: number): void;
  /** Packets that failed authentication under this key. */
  readonly failures: number;
  destroy(): void;
}

/** Everything the protocol needs from a crypto library. Plain object, passed in; see crypto-node.ts, crypto-native.ts. */
export interface CryptoBackend {
  readonly name: string;
  /** Whether this backend can seal and open with the cipher. */
  supportsCipher(cipher: CipherInfo): boolean;
  createSealingKey(spec: DataKeySpec): SealingKey;
  createOpeningKey(spec: DataKeySpec): OpeningKey;
  /** HMAC over the concatenation of `parts`. Digest names as in DigestInfo, plus `MD5`. */
  hmac(digest: string, key: Uint8Array, ...parts: Uint8Array[]): Uint8Array;
  hash(digest: string, ...parts: Uint8Array[]): Uint8Array;
  /** AES-256-CTR; the same call encrypts and decrypts. key 32 bytes, iv 16 bytes. */
  aes256Ctr(key: Uint8Array, iv: Uint8Array, data: Uint8Array): Uint8Array;
  randomBytes(length: number): Uint8Array;
  /** Constant time for equal lengths; false when lengths differ. */
  equal(a: Uint8Array, b: Uint8Array): boolean;
}

export { AEAD_CIPHERS, allCiphers, allDigests, BF_CBC, cipherInfo, digestInfo } from './ciphers.ts';
export {
  DEFAULT_REPLAY_PACKETS,
  DEFAULT_REPLAY_SEC,
  MAX_REPLAY_PACKETS,
  MAX_REPLAY_SEC,
  PacketIdRec,
  REPLAY_EXPIRED,
  REPLAY_OK,
  REPLAY_OUT_OF_ORDER,
  REPLAY_SEEN,
  REPLAY_TIME_BACKTRACK,
  REPLAY_TOO_OLD,
  REPLAY_ZERO_ID,
  type ReplayResult,
} from './packet-id.ts';
export {
  AUTH_TOKEN_KEY,
  PEM_KEY_BYTES,
  readPemKey,
  TLS_CRYPT_V2_CLIENT_KEY,
  TLS_CRYPT_V2_SERVER_KEY,
  writePemKey,
} from './pem-key.ts';
export { type KeySources, prf, tls1Prf } from './prf.ts';
export { KEY2_BYTES, type Key2, keyHalves, readStaticKey, writeStaticKey } from './static-key.ts';
