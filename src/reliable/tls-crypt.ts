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
import { ApiMisuseError } from '../base/base.ts';
import type { CryptoBackend, CtrKey, Key2, KeyHalf, MacKey } from '../crypto/crypto.ts';
import {
  checkPrefix,
  innerBytes,
  PREFIX_BYTES,
  readInner,
  writeInner,
  writePrefix,
} from './control-packet.ts';
import { copyKey2, wrapKey } from './key2.ts';
import type { ControlPacket, ControlWrap, DropReason, WrapSession } from './reliable.ts';
import { REPLAY_ID_BYTES, ReplayIds, type ReplayOptions, writeReplayId } from './replay-id.ts';

const KEY_BYTES = 32;
const TAG_BYTES = 32;
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
    unwrapStateless: (bytes, start = 0, end = bytes.length) => codec.open(bytes, start, end),
    wrapStateless: (packet, wallSec) =>
      codec.seal(packet, (out, offset) => writeReplayId(out, offset, 1, wallSec)),
    destroy: () => {
      codec.destroy();
      key2.fill(0);
    },
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
      const opened = codec.open(packet, 0, packet.length);
      if (typeof opened === 'string') return opened;
      return ids.accept(packet, PREFIX_BYTES, wallSec) ? opened : 'replay';
    },
  };
}

/** Where packets are decrypted before they are known to be authentic. */
let scratch = new Uint8Array(2048);

/** One direction's two keys, made when they are needed: a stateless answer may need one direction only. */
class TlsCryptKey {
  readonly #crypto: CryptoBackend;
  readonly #half: KeyHalf;
  #mac: MacKey | undefined;
  #ctr: CtrKey | undefined;

  constructor(crypto: CryptoBackend, half: KeyHalf) {
    this.#crypto = crypto;
    this.#half = half;
  }

  get mac(): MacKey {
    this.#mac ??= this.#crypto.createMacKey('SHA256', this.#half.hmac);
    return this.#mac;
  }

  get ctr(): CtrKey {
    this.#ctr ??= this.#crypto.createCtrKey(this.#half.cipher);
    return this.#ctr;
  }

  destroy(): void {
    this.#mac?.destroy();
    this.#ctr?.destroy();
  }
}

class TlsCryptCodec {
  readonly #send: TlsCryptKey;
  readonly #receive: TlsCryptKey;
  #destroyed = false;

  constructor({ crypto, role }: TlsCryptOptions, key2: Key2) {
    const key = (index: 0 | 1) => new TlsCryptKey(crypto, wrapKey(key2, index, KEY_BYTES, KEY_BYTES));
    this.#send = key(role === 'server' ? 0 : 1);
    this.#receive = key(role === 'server' ? 1 : 0);
  }

  seal(packet: ControlPacket, writeId: (out: Uint8Array, offset: number) => void): Uint8Array {
    if (this.#destroyed) throw new ApiMisuseError('this wrap was destroyed');
    const out = new Uint8Array(INNER_OFFSET + innerBytes(packet));
    writePrefix(packet, out);
    writeId(out, PREFIX_BYTES);
    writeInner(packet, out, INNER_OFFSET);
    const { mac, ctr } = this.#send;
    mac.write(out, TAG_OFFSET, TAG_BYTES, 0, TAG_OFFSET, INNER_OFFSET, out.length, 0, 0);
    ctr.apply(out, TAG_OFFSET, INNER_OFFSET, out.length, out, INNER_OFFSET);
    return out;
  }

  open(bytes: Uint8Array, start: number, end: number): ControlPacket | DropReason {
    const problem = checkPrefix(bytes, start, end);
    if (problem) return problem;
    const length = end - start;
    if (length <= INNER_OFFSET) return 'too-short';
    if (this.#destroyed) return 'bad-hmac';
    if (length > scratch.length) scratch = new Uint8Array(length);
    for (let i = 0; i < INNER_OFFSET; i++) scratch[i] = bytes[start + i]!;
    const { mac, ctr } = this.#receive;
    ctr.apply(bytes, start + TAG_OFFSET, start + INNER_OFFSET, end, scratch, INNER_OFFSET);
    if (!mac.matches(scratch, TAG_OFFSET, TAG_BYTES, 0, TAG_OFFSET, INNER_OFFSET, length, 0, 0))
      return 'bad-hmac';
    const inner = scratch.slice(INNER_OFFSET, length);
    return readInner(bytes, start, inner, 0, inner.length);
  }

  destroy(): void {
    this.#destroyed = true;
    this.#send.destroy();
    this.#receive.destroy();
  }
}
