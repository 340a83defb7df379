/**
 * tls-crypt-v2: every client has a tls-crypt key of its own and brings it along, wrapped by a key that
 * only the server has (2.x tls_crypt.c; doc/tls-crypt-v2.txt describes the scheme):
 *
 *   client key : Kc (256) || WKc
 *   WKc        : T (32) || AES-256-CTR(Ke, iv = T[0:16], Kc || metadata) || u16 length of WKc
 *   T          : HMAC-SHA256(Ka, u16 length || Kc || metadata)
 *   metadata   : empty, or u8 type || value
 *   packet     : tls-crypt packet under Kc || WKc    (P_CONTROL_HARD_RESET_CLIENT_V3, P_CONTROL_WKC_V1)
 *
 * A client's replay ids start at 0x0f000001. Their top byte tells a server that the client reads TLVs in the
 * server's reset and can send WKc again, so that the server needn't keep state after the first packet.
 */
import { CryptoError } from '../base/base.ts';
import {
  type CryptoBackend,
  type CtrKey,
  KEY2_BYTES,
  type Key2,
  type MacKey,
  PEM_KEY_BYTES,
  readPemKey,
  TLS_CRYPT_V2_CLIENT_KEY,
} from '../crypto/crypto.ts';
import { PREFIX_BYTES, readUint32 } from './control-packet.ts';
import { carriesClientKey, readOpcode } from './opcodes.ts';
import type { ClientKeys, ControlWrap, DropReason, OpenedClientKey } from './reliable.ts';
import type { ReplayOptions } from './replay-id.ts';
import { createTlsCryptWrap } from './tls-crypt.ts';

/** Metadata that --genkey was given. */
export const METADATA_USER = 0;
/** u64 Unix time at which the key was made. */
export const METADATA_TIMESTAMP = 1;
/** Most bytes of metadata, its type included. */
export const MAX_METADATA_BYTES = 734;

const TAG_BYTES = 32;
const KEY_BYTES = 32;
const LENGTH_BYTES = 2;
const MIN_WRAPPED_BYTES = TAG_BYTES + KEY2_BYTES + LENGTH_BYTES;
/** Most bytes of a wrapped key (2.x TLS_CRYPT_V2_MAX_WKC_LEN). */
const MAX_WRAPPED_BYTES = 1024;
const EARLY_NEGOTIATION_START = 0x0f00_0000;
const DAY_SEC = 86_400n;

/** Early negotiation of tls-crypt-v2 (2.x packet_id.h, ssl_pkt.h). */
export const EARLY_NEGOTIATION = {
  /** Replay id of a session's first packet: says that its sender takes part. */
  firstPacketId: EARLY_NEGOTIATION_START + 1,
  /** Payload of a reset that asks for the wrapped key once more: TLV type 1 (flags), length 2, RESEND_WKC. */
  resendRequest: Uint8Array.of(0, 1, 0, 2, 0, 1) as Uint8Array,
  /** Whether the sender of a wrapped packet takes part. */
  isOffered: (packet: Uint8Array): boolean =>
    packet.length >= PREFIX_BYTES + 4 &&
    (readUint32(packet, PREFIX_BYTES) & EARLY_NEGOTIATION_START) === EARLY_NEGOTIATION_START,
} as const;

export interface TlsCryptV2ServerOptions extends ReplayOptions {
  /** 128 bytes: those of a server key file. Copied. */
  readonly key: Uint8Array;
  readonly forceCookie?: boolean;
  readonly crypto: CryptoBackend;
}

/** The server's key: opens what clients bring along, and wraps new client keys. */
export class TlsCryptV2ServerKey implements ClientKeys {
  readonly forceCookie: boolean;
  readonly #options: TlsCryptV2ServerOptions;
  readonly #mac: MacKey;
  readonly #ctr: CtrKey;
  /** A wrapped key while it is opened: T || Kc || metadata || length. Zero otherwise. */
  readonly #scratch = new Uint8Array(MAX_WRAPPED_BYTES);
  #destroyed = false;

  /** Throws CryptoError when the key is too short. */
  constructor(options: TlsCryptV2ServerOptions) {
    if (options.key.length < PEM_KEY_BYTES)
      throw new CryptoError('ERROR: invalid tls-crypt-v2 server key format');
    this.forceCookie = options.forceCookie ?? false;
    this.#options = options;
    const { crypto, key } = options;
    const half = PEM_KEY_BYTES / 2;
    this.#ctr = crypto.createCtrKey(key.subarray(0, KEY_BYTES));
    this.#mac = crypto.createMacKey('SHA256', key.subarray(half, half + KEY_BYTES));
  }

  open(bytes: Uint8Array, start = 0, end = bytes.length): OpenedClientKey | DropReason {
    const at = clientKeyOffset(bytes, start, end);
    if (at === undefined) return 'client-key-missing';
    try {
      return this.#unwrap(bytes, at, end)
        ? this.#opened(Uint8Array.from(bytes.subarray(start, at)), end - at)
        : 'client-key-refused';
    } finally {
      this.#scratch.fill(0);
    }
  }

  /** What #scratch holds, of `length` bytes. */
  #opened(packet: Uint8Array, length: number): OpenedClientKey {
    const { crypto, replayWindow, replaySec } = this.#options;
    const wrap = createTlsCryptWrap({
      key2: this.#scratch.subarray(TAG_BYTES, TAG_BYTES + KEY2_BYTES),
      role: 'server',
      crypto,
      replayWindow,
      replaySec,
      firstPacketId: EARLY_NEGOTIATION.firstPacketId,
    });
    const metadata = this.#scratch.slice(TAG_BYTES + KEY2_BYTES, length - LENGTH_BYTES);
    return { packet, wrap, metadata };
  }

  /** A new client key file's bytes: Kc and its wrapped form. The caller zeroes both. */
  wrap(key2: Key2, metadata: Uint8Array): Uint8Array {
    const length = MIN_WRAPPED_BYTES + metadata.length;
    const out = new Uint8Array(KEY2_BYTES + length);
    out.set(key2);
    const [tagAt, plainAt, lengthAt] = [KEY2_BYTES, KEY2_BYTES + TAG_BYTES, out.length - LENGTH_BYTES];
    out.set(key2, plainAt);
    out.set(metadata, plainAt + KEY2_BYTES);
    out[lengthAt] = length >>> 8;
    out[lengthAt + 1] = length;
    this.#mac.write(out, tagAt, TAG_BYTES, lengthAt, out.length, plainAt, lengthAt, 0, 0);
    this.#ctr.apply(out, tagAt, plainAt, lengthAt, out, plainAt);
    return out;
  }

  /** Zeroes the key. */
  destroy(): void {
    this.#destroyed = true;
    this.#mac.destroy();
    this.#ctr.destroy();
  }

  /** Opens `at`..end-1 of `bytes` into #scratch; false unless this key has wrapped them. */
  #unwrap(bytes: Uint8Array, at: number, end: number): boolean {
    const scratch = this.#scratch;
    const length = end - at;
    if (this.#destroyed || length < MIN_WRAPPED_BYTES || length > MAX_WRAPPED_BYTES) return false;
    const lengthAt = length - LENGTH_BYTES;
    for (let i = 0; i < TAG_BYTES; i++) scratch[i] = bytes[at + i]!;
    for (let i = lengthAt; i < length; i++) scratch[i] = bytes[at + i]!;
    this.#ctr.apply(bytes, at, at + TAG_BYTES, at + lengthAt, scratch, TAG_BYTES);
    return this.#mac.matches(scratch, 0, TAG_BYTES, lengthAt, length, TAG_BYTES, lengthAt, 0, 0);
  }
}

/** `base` for clients without a key of their own, tls-crypt-v2 for the others. Destroys both. */
export function withClientKeys(base: ControlWrap, key: TlsCryptV2ServerKey): ControlWrap {
  const demanded: Partial<ControlWrap> =
    base.name === 'none'
      ? {
          // Without any wrap at all nothing would prove that a packet's sender has a key.
          unwrapStateless: () => 'unwrapped',
          createSession: () => ({ wrap: base.createSession().wrap, unwrap: () => 'unwrapped' }),
        }
      : {};
  return {
    ...base,
    ...demanded,
    clientKeys: key,
    destroy: () => {
      base.destroy();
      key.destroy();
    },
  };
}

export interface TlsCryptV2ClientOptions extends ReplayOptions {
  readonly key2: Key2;
  readonly wrapped: Uint8Array;
  readonly crypto: CryptoBackend;
}

/** The client's wrap: tls-crypt, with the wrapped key behind the packets that have to carry it. */
export function createTlsCryptV2ClientWrap(options: TlsCryptV2ClientOptions): ControlWrap {
  const { key2, crypto, replayWindow, replaySec } = options;
  const wrapped = Uint8Array.from(options.wrapped);
  const base = createTlsCryptWrap({
    key2,
    role: 'client',
    crypto,
    replayWindow,
    replaySec,
    firstPacketId: EARLY_NEGOTIATION.firstPacketId,
  });
  return {
    ...base,
    wrappedClientKey: wrapped,
    createSession: (session) => {
      const inner = base.createSession(session);
      return {
        wrap: (packet, wallSec) => {
          const out = inner.wrap(packet, wallSec);
          if (!carriesClientKey(packet.opcode)) return out;
          const both = new Uint8Array(out.length + wrapped.length);
          both.set(out);
          both.set(wrapped, out.length);
          return both;
        },
        unwrap: (packet, wallSec) => inner.unwrap(packet, wallSec),
      };
    },
  };
}

/** Kc and WKc of a client key file. The caller zeroes Kc. Throws CryptoError in 2.x's words. */
export function readClientKeyFile(text: string): { readonly key2: Key2; readonly wrapped: Uint8Array } {
  const bytes = readPemKey(text, TLS_CRYPT_V2_CLIENT_KEY);
  if (bytes.length < KEY2_BYTES) throw new CryptoError('ERROR: not enough data in tls-crypt-v2 client key');
  const key2 = bytes.slice(0, KEY2_BYTES);
  bytes.fill(0, 0, KEY2_BYTES);
  if (bytes.length - KEY2_BYTES > MAX_WRAPPED_BYTES)
    throw new CryptoError('ERROR: invalid tls-crypt-v2 client key format');
  return { key2, wrapped: bytes.slice(KEY2_BYTES) };
}

/** The packet without the wrapped key at its end; undefined when there can't be one. */
export function stripClientKey(packet: Uint8Array): Uint8Array | undefined {
  const at = clientKeyOffset(packet, 0, packet.length);
  return at === undefined ? undefined : packet.subarray(0, at);
}

/** Why a key's metadata doesn't prove that it is younger than --tls-crypt-v2-max-age, in 2.7's words; undefined = it does. */
export function checkClientKeyAge(
  metadata: Uint8Array,
  maxDays: number,
  wallSec: number,
): string | undefined {
  if (metadata.length < 9) return 'ERROR: Client key metadata is too small to contain a timestamp.';
  if (metadata[0] !== METADATA_TIMESTAMP) return 'ERROR: Client key does not have a timestamp.';
  const made = new DataView(metadata.buffer, metadata.byteOffset).getBigInt64(1);
  return BigInt(wallSec) - made > BigInt(maxDays) * DAY_SEC ? 'ERROR: Client key is too old.' : undefined;
}

/** Where the wrapped key of start..end-1 starts, by the length in the packet's last two bytes. */
function clientKeyOffset(bytes: Uint8Array, start: number, end: number): number | undefined {
  if (end - start < PREFIX_BYTES + LENGTH_BYTES || !carriesClientKey(readOpcode(bytes, start)))
    return undefined;
  const length = (bytes[end - 2]! << 8) | bytes[end - 1]!;
  const at = end - length;
  return length < LENGTH_BYTES || at < start + PREFIX_BYTES ? undefined : at;
}
