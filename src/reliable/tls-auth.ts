/**
 * tls-auth: an HMAC over every control packet (2.x ssl_pkt.c, crypto.c openvpn_encrypt() without cipher):
 *
 *   wire : opcode|key_id (1) || session id (8) || HMAC (n) || replay id (4) || time (4) || inner
 *   HMAC : over replay id || time || opcode|key_id || session id || inner
 *
 * The digest is that of --auth; the HMAC key is the first n bytes of a key's hmac part.
 */
import type { CryptoBackend, DigestInfo, Key2 } from '../crypto/crypto.ts';
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

export interface TlsAuthOptions extends ReplayOptions {
  /** The 256 bytes of a static key file. */
  readonly key2: Key2;
  /** --key-direction: 0 sends with the first key, 1 with the second, undefined uses the first both ways. */
  readonly direction: 0 | 1 | undefined;
  readonly digest: DigestInfo;
  readonly crypto: CryptoBackend;
}

/** Makes the tls-auth wrap. Key bytes are copied; destroy() zeroes the copies. */
export function createTlsAuthWrap(options: TlsAuthOptions): ControlWrap {
  const key2 = copyKey2(options.key2);
  const codec = new TlsAuthCodec(options, key2);
  return {
    name: 'tls-auth',
    overheadBytes: options.digest.bytes + REPLAY_ID_BYTES,
    key2,
    createSession: (session) => createSession(codec, new ReplayIds(session?.nextPacketId ?? 1, options)),
    unwrapStateless: (packet) => codec.open(packet),
    wrapStateless: (packet, wallSec) =>
      codec.seal(packet, (out, offset) => writeReplayId(out, offset, 1, wallSec)),
    destroy: () => key2.fill(0),
  };
}

function createSession(codec: TlsAuthCodec, ids: ReplayIds): WrapSession {
  return {
    wrap: (packet, wallSec) => codec.seal(packet, (out, offset) => ids.write(out, offset, wallSec)),
    unwrap: (packet, wallSec) => {
      const opened = codec.open(packet);
      if (typeof opened === 'string') return opened;
      return ids.accept(packet, codec.replayIdOffset, wallSec) ? opened : 'replay';
    },
  };
}

class TlsAuthCodec {
  readonly replayIdOffset: number;
  readonly #crypto: CryptoBackend;
  readonly #digest: DigestInfo;
  readonly #sendKey: Uint8Array;
  readonly #receiveKey: Uint8Array;

  constructor(options: TlsAuthOptions, key2: Key2) {
    const { digest, direction } = options;
    this.replayIdOffset = PREFIX_BYTES + digest.bytes;
    this.#crypto = options.crypto;
    this.#digest = digest;
    this.#sendKey = wrapKey(key2, direction === 1 ? 1 : 0, 0, digest.bytes).hmac;
    this.#receiveKey = wrapKey(key2, direction === 0 ? 1 : 0, 0, digest.bytes).hmac;
  }

  seal(packet: ControlPacket, writeId: (out: Uint8Array, offset: number) => void): Uint8Array {
    const innerOffset = this.replayIdOffset + REPLAY_ID_BYTES;
    const out = new Uint8Array(innerOffset + innerBytes(packet));
    writePrefix(packet, out);
    writeId(out, this.replayIdOffset);
    writeInner(packet, out, innerOffset);
    out.set(this.#hmac(this.#sendKey, out), PREFIX_BYTES);
    return out;
  }

  open(packet: Uint8Array): ControlPacket | DropReason {
    const problem = checkPrefix(packet);
    if (problem) return problem;
    const innerOffset = this.replayIdOffset + REPLAY_ID_BYTES;
    if (packet.length <= innerOffset) return 'too-short';
    const expected = this.#hmac(this.#receiveKey, packet);
    const good = this.#crypto.equal(expected, packet.subarray(PREFIX_BYTES, this.replayIdOffset));
    return good ? readControlPacket(packet, packet.subarray(innerOffset)) : 'bad-hmac';
  }

  #hmac(key: Uint8Array, packet: Uint8Array): Uint8Array {
    const innerOffset = this.replayIdOffset + REPLAY_ID_BYTES;
    return this.#crypto.hmac(
      this.#digest.name,
      key,
      packet.subarray(this.replayIdOffset, innerOffset),
      packet.subarray(0, PREFIX_BYTES),
      packet.subarray(innerOffset),
    );
  }
}
