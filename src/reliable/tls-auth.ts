/**
 * tls-auth: an HMAC over every control packet (2.x ssl_pkt.c, crypto.c openvpn_encrypt() without cipher):
 *
 *   wire : opcode|key_id (1) || session id (8) || HMAC (n) || replay id (4) || time (4) || inner
 *   HMAC : over replay id || time || opcode|key_id || session id || inner
 *
 * The digest is that of --auth; the HMAC key is the first n bytes of a key's hmac part.
 */
import { ApiMisuseError } from '../base/base.ts';
import type { CryptoBackend, DigestInfo, Key2, MacKey } from '../crypto/crypto.ts';
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
    unwrapStateless: (bytes, start = 0, end = bytes.length) => codec.open(bytes, start, end),
    wrapStateless: (packet, wallSec) =>
      codec.seal(packet, (out, offset) => writeReplayId(out, offset, 1, wallSec)),
    destroy: () => {
      codec.destroy();
      key2.fill(0);
    },
  };
}

function createSession(codec: TlsAuthCodec, ids: ReplayIds): WrapSession {
  return {
    wrap: (packet, wallSec) => codec.seal(packet, (out, offset) => ids.write(out, offset, wallSec)),
    unwrap: (packet, wallSec) => {
      const opened = codec.open(packet, 0, packet.length);
      if (typeof opened === 'string') return opened;
      return ids.accept(packet, codec.replayIdOffset, wallSec) ? opened : 'replay';
    },
  };
}

class TlsAuthCodec {
  readonly replayIdOffset: number;
  readonly #tagBytes: number;
  readonly #send: MacKey;
  readonly #receive: MacKey;
  #destroyed = false;

  constructor({ crypto, digest, direction }: TlsAuthOptions, key2: Key2) {
    this.replayIdOffset = PREFIX_BYTES + digest.bytes;
    this.#tagBytes = digest.bytes;
    const key = (index: 0 | 1) =>
      crypto.createMacKey(digest.name, wrapKey(key2, index, 0, digest.bytes).hmac);
    this.#send = key(direction === 1 ? 1 : 0);
    this.#receive = key(direction === 0 ? 1 : 0);
  }

  seal(packet: ControlPacket, writeId: (out: Uint8Array, offset: number) => void): Uint8Array {
    if (this.#destroyed) throw new ApiMisuseError('this wrap was destroyed');
    const idAt = this.replayIdOffset;
    const innerAt = idAt + REPLAY_ID_BYTES;
    const out = new Uint8Array(innerAt + innerBytes(packet));
    writePrefix(packet, out);
    writeId(out, idAt);
    writeInner(packet, out, innerAt);
    this.#send.write(out, PREFIX_BYTES, this.#tagBytes, idAt, innerAt, 0, PREFIX_BYTES, innerAt, out.length);
    return out;
  }

  open(bytes: Uint8Array, start: number, end: number): ControlPacket | DropReason {
    const problem = checkPrefix(bytes, start, end);
    if (problem) return problem;
    const tagAt = start + PREFIX_BYTES;
    const idAt = start + this.replayIdOffset;
    const innerAt = idAt + REPLAY_ID_BYTES;
    if (end <= innerAt) return 'too-short';
    const good =
      !this.#destroyed &&
      this.#receive.matches(bytes, tagAt, this.#tagBytes, idAt, innerAt, start, tagAt, innerAt, end);
    return good ? readInner(bytes, start, bytes, innerAt, end) : 'bad-hmac';
  }

  destroy(): void {
    this.#destroyed = true;
    this.#send.destroy();
    this.#receive.destroy();
  }
}
