/**
 * tls-crypt: control packets encrypted and authenticated by a shared key (2.x tls_crypt.c), and the
 * dynamic form that keys its wrap from the first TLS session of a peer:
 *
 *   wire : opcode|key_id (1) || session id (8) || replay id (4) || time (4) || tag (32) || ciphertext
 *   tag  = HMAC-SHA256(Ka, opcode|key_id || session id || replay id || time || inner)
 *   ciphertext = AES-256-CTR(Ke, iv = tag[0:16], inner)
 *
 * Ke and Ka are the first 32 bytes of a key's cipher and hmac parts. The server sends with the first
 * key of the pair and receives with the second, the client the other way round.
 */
import type { CryptoBackend, Key2, KeyHalf } from '../crypto/crypto.ts';
import {
  checkPrefix,
  innerBytes,
  PREFIX_BYTES,
  readControlPacket,
  writeInner,
  writePrefix,
} from './control-packet.ts';
import { copyKey2, wrapKey } from './key2.ts';
import type { ControlPacket, ControlWrap, DropReason, WrapSession } from './reliable.ts';
import { REPLAY_ID_BYTES, ReplayIds, type ReplayOptions, writeReplayId } from './replay-id.ts';

const KEY_BYTES = 32;
const TAG_BYTES = 32;
const IV_BYTES = 16;
const TAG_OFFSET = PREFIX_BYTES + REPLAY_ID_BYTES;
const INNER_OFFSET = TAG_OFFSET + TAG_BYTES;
/** 2.x counts a cipher block on top of what the wrap really adds (tls_crypt_buf_overhead()). */
const COUNTED_BLOCK_BYTES = 16;

/** Label of the TLS key export that dynamic tls-crypt keys come from. */
export const DYNAMIC_TLS_CRYPT_LABEL = 'EXPORTER-OpenVPN-dynamic-tls-crypt';
/** Bytes to export under DYNAMIC_TLS_CRYPT_LABEL. */
export const DYNAMIC_TLS_CRYPT_BYTES = 256;

export interface TlsCryptOptions extends ReplayOptions {
  /** 256 bytes: a static key file's, or those of dynamicTlsCryptKey(). */
  readonly key2: Key2;
  /** TLS role of this side. */
  readonly role: 'client' | 'server';
  readonly crypto: CryptoBackend;
  /** Replay id of a session's first packet: 1 by default. */
  readonly firstPacketId?: number;
}

/** Makes the tls-crypt wrap. Key bytes are copied; destroy() zeroes the copies. */
export function createTlsCryptWrap(options: TlsCryptOptions): ControlWrap {
  const key2 = copyKey2(options.key2);
  const codec = new TlsCryptCodec(options, key2);
  return {
    name: 'tls-crypt',
    overheadBytes: REPLAY_ID_BYTES + TAG_BYTES + COUNTED_BLOCK_BYTES,
    key2,
    createSession: (session) => {
      const firstId = session?.nextPacketId ?? options.firstPacketId ?? 1;
      return createSession(codec, new ReplayIds(firstId, options));
    },
    unwrapStateless: (packet) => codec.open(packet),
    wrapStateless: (packet, wallSec) =>
      codec.seal(packet, (out, offset) => writeReplayId(out, offset, 1, wallSec)),
    destroy: () => key2.fill(0),
  };
}

/**
 * The key2 of dynamic tls-crypt: TLS key material of DYNAMIC_TLS_CRYPT_LABEL, mixed with the
 * original wrap's ControlWrap.key2 where there is one. The caller zeroes both results and inputs.
 */
export function dynamicTlsCryptKey(exported: Uint8Array, originalKey2: Key2 | undefined): Key2 {
  const key2 = copyKey2(exported);
  if (originalKey2) for (let i = 0; i < key2.length; i++) key2[i]! ^= originalKey2[i]!;
  return key2;
}

function createSession(codec: TlsCryptCodec, ids: ReplayIds): WrapSession {
  return {
    wrap: (packet, wallSec) => codec.seal(packet, (out, offset) => ids.write(out, offset, wallSec)),
    unwrap: (packet, wallSec) => {
      const opened = codec.open(packet);
      if (typeof opened === 'string') return opened;
      return ids.accept(packet, PREFIX_BYTES, wallSec) ? opened : 'replay';
    },
  };
}

class TlsCryptCodec {
  readonly #crypto: CryptoBackend;
  readonly #send: KeyHalf;
  readonly #receive: KeyHalf;

  constructor(options: TlsCryptOptions, key2: Key2) {
    const server = options.role === 'server';
    this.#crypto = options.crypto;
    this.#send = wrapKey(key2, server ? 0 : 1, KEY_BYTES, KEY_BYTES);
    this.#receive = wrapKey(key2, server ? 1 : 0, KEY_BYTES, KEY_BYTES);
  }

  seal(packet: ControlPacket, writeId: (out: Uint8Array, offset: number) => void): Uint8Array {
    const inner = new Uint8Array(innerBytes(packet));
    writeInner(packet, inner, 0);
    const out = new Uint8Array(INNER_OFFSET + inner.length);
    writePrefix(packet, out);
    writeId(out, PREFIX_BYTES);
    const tag = this.#tag(this.#send, out, inner);
    out.set(tag, TAG_OFFSET);
    out.set(this.#crypto.aes256Ctr(this.#send.cipher, tag.subarray(0, IV_BYTES), inner), INNER_OFFSET);
    return out;
  }

  open(packet: Uint8Array): ControlPacket | DropReason {
    const problem = checkPrefix(packet);
    if (problem) return problem;
    if (packet.length <= INNER_OFFSET) return 'too-short';
    const tag = packet.subarray(TAG_OFFSET, INNER_OFFSET);
    const key = this.#receive;
    const inner = this.#crypto.aes256Ctr(
      key.cipher,
      tag.subarray(0, IV_BYTES),
      packet.subarray(INNER_OFFSET),
    );
    if (!this.#crypto.equal(this.#tag(key, packet, inner), tag)) return 'bad-hmac';
    return readControlPacket(packet, inner);
  }

  #tag(key: KeyHalf, packet: Uint8Array, inner: Uint8Array): Uint8Array {
    return this.#crypto.hmac('SHA256', key.hmac, packet.subarray(0, TAG_OFFSET), inner);
  }
}
