/**
 * Header of crypto/ (2.x crypto.h, crypto_backend.h, crypto_epoch.h, packet_id.h): what a crypto backend
 * must do, the cipher and digest tables, packet ids and replay windows, static keys, key derivation.
 *
 * Data keys work on runs of a PacketBatch, in place. H is 4 bytes of P_DATA_V2, 1 of P_DATA_V1, or none:
 *   AEAD      H || pid(4) || tag(16) || ciphertext                       AAD = H || pid; V1: pid
 *   epoch     H(4) || epoch(2) counter(6) || ciphertext || tag(16)       AAD = H || epoch counter
 *   CBC       H || hmac || iv || E(pid || payload || padding)            hmac over all behind it
 *   CFB, OFB  H || hmac || iv = pid(4) time(4) 0.. || E(payload)
 *   none      H || hmac || pid || payload
 * pid is 4 bytes, without header (static keys) 8: pid(4) time(4).
 * Source: 2.x crypto.c openvpn_encrypt_aead(), openvpn_encrypt_v1() and their opposites.
 */
import type { PacketBatch } from '../base/base.ts';
import type { ReplayResult } from './packet-id.ts';

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
  /** OpenSSL 3 has it in its legacy provider only. */
  readonly legacy?: true;
}

export interface DigestInfo {
  /** Canonical name, e.g. `SHA1`, `SHA256`. */
  readonly name: string;
  readonly bytes: number;
  /** OpenSSL 3 has it in its legacy provider only. */
  readonly legacy?: true;
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
  /** Static key mode: packets have no header and long ids. Not for AEAD, CFB and OFB. */
  readonly headerless?: boolean;
  /** Unix time for long ids (CFB, OFB, headerless), asked for the first packet and when ids run out. */
  readonly wallSec?: () => number;
  /**
   * Epoch format, AEAD and P_DATA_V2 only: the key of this one epoch, 1..65535. `key.cipher` is the data
   * key then, `key.hmac` starts with the 12 bytes of IV, and ids have 48 bits. See EpochKeys.
   */
  readonly epoch?: number;
}

/** Results in PacketBatch.status after openBatch(). */
export {
  OPEN_AUTH_FAILED,
  OPEN_BAD_CIPHERTEXT,
  OPEN_BAD_EPOCH,
  OPEN_NO_HMAC,
  OPEN_NO_IV,
  OPEN_NO_PACKET_ID,
  OPEN_OK,
  OPEN_TOO_SHORT,
} from './open-status.ts';

/** Encrypts one direction of one data key. */
export interface SealingKey {
  /** Bytes that sealing adds in front of a packet (header, packet id, tag or HMAC and IV). */
  readonly headBytes: number;
  /** Most bytes that sealing adds behind a packet (block padding). */
  readonly tailBytes: number;
  /** The id that the next packet gets; starts at spec.firstPacketId. 2^32 (epoch: 2^48) when used up. */
  readonly nextPacketId: number;
  /** Epoch format: the epoch that packets are sealed in. */
  readonly epoch?: number;
  /**
   * Seals slots first..end-1 in place; slots of length 0 are passed over. Returns the slots handled:
   * fewer than end-first only when the packet ids are used up. A slot with less than headBytes before
   * its packet or tailBytes behind it is dropped (length 0), never written outside of its bounds.
   */
  sealBatch(batch: PacketBatch, first: number, end: number): number;
  /** Zeroes the key. */
  destroy(): void;
}

/** Decrypts one direction of one data key. Replay is not checked here: see ReplayCheck. */
export interface OpeningKey {
  /**
   * Opens slots first..end-1 in place, V1 and V2 headers alike; slots of length 0 are passed over.
   * Sets status (OPEN_*) and, when good, packetIds, offsets and lengths; a bad slot gets length 0.
   */
  openBatch(batch: PacketBatch, first: number, end: number): void;
  /** Whether openBatch() sets packetTimes, too; without it the upper half of ids is 0. */
  readonly wideIds?: boolean;
  /** Packets that failed authentication under this key. */
  readonly failures: number;
  destroy(): void;
}

/** The replay window of one direction of one data key. */
export interface ReplayCheck {
  /**
   * Says whether an authenticated packet is new, and marks it seen if so. `time` is the upper half of the
   * id as in PacketBatch.packetTimes. 0 is good, see REPLAY_*.
   */
  check(packetId: number, nowMs: number, time?: number): ReplayResult;
  /** Highest id seen; 0 before the first. */
  readonly highest: number;
}

/** The newest long packet id of the peer, kept over sessions (--replay-persist). */
export interface ReplayMemory {
  /** What note() was told last; undefined when that was never. */
  readonly newest: { readonly packetId: number; readonly time: number } | undefined;
  note(packetId: number, time: number): void;
}

/** Three ranges start..end-1 of one array, of which any may be empty. */
export type MacRanges = [
  start1: number,
  end1: number,
  start2: number,
  end2: number,
  start3: number,
  end3: number,
];

/** HMAC with one key, again and again, over ranges of one array: nothing is made for a packet that is judged. */
export interface MacKey {
  /** Length of the whole HMAC. */
  readonly bytes: number;
  /** Whether the `tagBytes` at `tagAt` are the first ones of the HMAC. Constant time. */
  matches(bytes: Uint8Array, tagAt: number, tagBytes: number, ...ranges: MacRanges): boolean;
  /** Puts the first `tagBytes` of the HMAC to `tagAt`. */
  write(bytes: Uint8Array, tagAt: number, tagBytes: number, ...ranges: MacRanges): void;
  /** Zeroes the key. */
  destroy(): void;
}

/** AES-256-CTR with one key. */
export interface CtrKey {
  /**
   * En- or decrypts start..end-1 of `bytes`, with the 16 bytes of IV at `ivAt` there, into `out` from `outAt` on;
   * `out` may be `bytes` only with `outAt` = `start`.
   */
  apply(bytes: Uint8Array, ivAt: number, start: number, end: number, out: Uint8Array, outAt: number): void;
  /** Zeroes the key. */
  destroy(): void;
}

/** Everything the protocol needs from a crypto library. Plain object, passed in; see crypto-node.ts, crypto-native.ts. */
export interface CryptoBackend {
  readonly name: string;
  /** Whether this backend can seal and open with the cipher. */
  supportsCipher(cipher: CipherInfo): boolean;
  /** Whether hmac() works with the digest. */
  supportsDigest(digest: DigestInfo): boolean;
  createSealingKey(spec: DataKeySpec): SealingKey;
  createOpeningKey(spec: DataKeySpec): OpeningKey;
  /** Blocks and packets that one key may process; aeadUsageLimit() when left out. */
  usageLimit?(cipher: CipherInfo): number;
  /** HMAC over the concatenation of `parts`. Digest names as in DigestInfo, plus `MD5`. */
  hmac(digest: string, key: Uint8Array, ...parts: Uint8Array[]): Uint8Array;
  hash(digest: string, ...parts: Uint8Array[]): Uint8Array;
  /** Digest names as for hmac(). The key is copied. */
  createMacKey(digest: string, key: Uint8Array): MacKey;
  /** 32 bytes of key, copied. */
  createCtrKey(key: Uint8Array): CtrKey;
  randomBytes(length: number): Uint8Array;
  /** Constant time for equal lengths; false when lengths differ. */
  equal(a: Uint8Array, b: Uint8Array): boolean;
}

export {
  AEAD_CIPHERS,
  allCiphers,
  allDigests,
  BF_CBC,
  cipherInfo,
  digestInfo,
  hasUnusedMode,
  insecureCipherWarning,
  keyTypeWarnings,
  unusableCipher,
  usableCipher,
} from './ciphers.ts';
/**
 * createEpochKeys(crypto, spec): both directions of one data key in epoch format. FUTURE_EPOCHS: how far
 * ahead of the current epoch a peer may send.
 */
export { createEpochKeys, type EpochKeys, type EpochKeysSpec, FUTURE_EPOCHS } from './epoch-keys.ts';
export {
  PacketIdRec,
  REPLAY_EXPIRED,
  REPLAY_OK,
  REPLAY_SEEN,
  REPLAY_TOO_OLD,
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
/** aeadUsageLimit(cipher): blocks plus packets that one key may process; 0 = no limit. */
export { AEAD_LIMIT_BLOCK_BYTES, aeadUsageLimit, MAX_FAILURES, MAX_FAILURES_WARN } from './usage-limit.ts';
