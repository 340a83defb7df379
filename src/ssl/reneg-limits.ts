/**
 * When a key has done enough (2.x ssl.c tls_process(), tls_limit_reneg_bytes(), 2.7's
 * should_trigger_renegotiation()): --reneg-sec, --reneg-bytes, --reneg-pkts, packet ids or epochs near
 * their end, and what an AEAD cipher may process with one key. Counters grow without the control channel
 * being asked, so they are looked at from time to time.
 */
import { D_TLS_DEBUG_LOW, M_WARN } from '../base/errlevel.ts';
import { aeadUsageLimit, MAX_FAILURES_WARN } from '../crypto/crypto.ts';
import type { DataChannelParams, DataKeys, TlsMultiConfig } from './ssl.ts';

/** PACKET_ID_WRAP_TRIGGER. */
const PACKET_ID_TRIGGER = 0xff000000;
/** The same for epochs. Source: 2.7 ssl.c. */
const EPOCH_TRIGGER = 0xf000;
/** Share of an AEAD cipher's limit at which 2.7 renegotiates, so that the handshake still fits in. */
const AEAD_SHARE = 7 / 8;
/** From here on ids are watched closely: 2^30 packets before the end. */
const PACKET_ID_WATCH = 0xc0000000;
const CLOSE_LOOK_MS = 1000;
const FAR_LOOK_MS = 300_000;
/** What 2.x allows 64-bit block ciphers when --reneg-bytes isn't given. */
const SMALL_BLOCK_BYTES = 64 * 1024 * 1024;
const SMALL_BLOCK = 8;

export class RenegotiationLimits {
  readonly #config: TlsMultiConfig;
  #bytes: number;
  /** Blocks and packets for each direction; 0 = no limit. */
  #aeadLimit = 0;
  #nextLookMs = 0;

  constructor(config: TlsMultiConfig) {
    this.#config = config;
    this.#bytes = Math.max(0, config.renegBytes);
  }

  /** The data cipher is known: small blocks get a limit unless one was configured (renegBytes >= 0). */
  handleParams(params: DataChannelParams): void {
    // Keys in epoch format look after it themselves.
    const usageLimit = this.#config.crypto.usageLimit ?? aeadUsageLimit;
    this.#aeadLimit = params.epoch ? 0 : usageLimit(params.cipher) * AEAD_SHARE;
    if (params.cipher.blockBytes !== SMALL_BLOCK || this.#config.renegBytes >= 0) return;
    this.#bytes = SMALL_BLOCK_BYTES;
    this.#config.log.log(
      M_WARN,
      'WARNING: cipher with small block size in use, reducing reneg-bytes to 64MB to mitigate SWEET32 attacks.',
    );
  }

  /** Whether a key that became active at `establishedMs` must be replaced; says so in 2.x's line. */
  reached(keys: DataKeys, establishedMs: number, nowMs: number): boolean {
    const { renegMs, renegPackets, log } = this.#config;
    const close = this.#bytes > 0 || renegPackets > 0 || keys.seal.nextPacketId >= PACKET_ID_WATCH;
    this.#nextLookMs = nowMs + (close ? CLOSE_LOOK_MS : FAR_LOOK_MS);
    const ageMs = nowMs - establishedMs;
    const due =
      (renegMs > 0 && ageMs >= renegMs) ||
      (this.#bytes > 0 && keys.bytes >= this.#bytes) ||
      (renegPackets > 0 && keys.packets >= renegPackets) ||
      this.#isWornOut(keys);
    if (due) {
      const age = `${Math.floor(ageMs / 1000)}/${Math.floor(renegMs / 1000)}`;
      const limit = this.#bytes > 0 ? this.#bytes : this.#config.renegBytes;
      const amounts = `bytes=${keys.bytes}/${limit} pkts=${keys.packets}/${renegPackets}`;
      log.log(D_TLS_DEBUG_LOW, `TLS: soft reset sec=${age} ${amounts}`);
    }
    return due;
  }

  #isWornOut({ seal, open, replay, sealedBlocks, openedBlocks }: DataKeys): boolean {
    if (seal.epoch !== undefined) return seal.epoch >= EPOCH_TRIGGER;
    if (seal.nextPacketId >= PACKET_ID_TRIGGER || open.failures > MAX_FAILURES_WARN) return true;
    const limit = this.#aeadLimit;
    if (limit === 0) return false;
    return sealedBlocks + seal.nextPacketId - 1 > limit || openedBlocks + replay.highest > limit;
  }

  /** When to ask again. */
  nextTimeout(establishedMs: number): number {
    const { renegMs } = this.#config;
    return renegMs > 0 ? Math.min(this.#nextLookMs, establishedMs + renegMs) : this.#nextLookMs;
  }
}
