/**
 * Header of reliable/ (2.x reliable.h, session_id.h, ssl_pkt.h, tls_crypt.h): the control channel
 * below TLS. Packet codec, wraps (none, tls-auth, tls-crypt), acknowledgements, send and receive
 * windows, the stateless cookie handshake of UDP servers. Pure: bytes and times in, bytes out.
 *
 *   prefix : u8 opcode<<3|key_id || u8[8] own session id
 *   [wrap] : nothing | HMAC, replay id, time | replay id, time, tag
 *   inner  : u8 ack_count || u32 ack_id * ack_count || [u8[8] peer session id] || [u32 message id] || payload
 */

/** Why a packet was dropped. Counted by the caller and logged at 2.x's level. */
export type DropReason =
  | 'too-short'
  | 'bad-opcode'
  | 'bad-key-id'
  | 'bad-acks'
  | 'bad-session-id'
  | 'bad-hmac'
  | 'replay'
  | 'bad-cookie'
  | 'window'
  | 'unroutable'
  | 'rate-limit'
  | 'wrong-role'
  /** From port 0, where no answer can go. */
  | 'no-return'
  /** Neither tls-auth nor tls-crypt where one of them is demanded. */
  | 'unwrapped'
  /** A wrapped client key at a server that has no key to open it with. */
  | 'client-key-unwanted'
  /** No wrapped client key where there must be one. */
  | 'client-key-missing'
  /** A wrapped client key that this server's key doesn't open, or that is malformed. */
  | 'client-key-refused'
  /** A tls-crypt-v2 client that can't send its key twice, under force-cookie. */
  | 'client-key-cookie';

/** One parsed control packet. Views point into the packet given to the reader. */
export interface ControlPacket {
  readonly opcode: number;
  readonly keyId: number;
  /** The sender's session id, 8 bytes. */
  readonly sessionId: Uint8Array;
  readonly acks: readonly number[];
  /** The receiver's session id as the sender knows it; present exactly when acks is not empty. */
  readonly peerSessionId: Uint8Array | undefined;
  /** undefined for P_ACK_V1. */
  readonly messageId: number | undefined;
  readonly payload: Uint8Array;
}

/** Wrapping keys of one configuration: made once, shared by all peers. */
export interface ControlWrap {
  readonly name: 'none' | 'tls-auth' | 'tls-crypt';
  /** Bytes to count for the wrap in the size of a packet; for tls-crypt 16 more than are added, as 2.x counts. */
  readonly overheadBytes: number;
  /** The 256-byte key2 behind the wrap, mixed into dynamic tls-crypt keys; undefined for 'none'. */
  readonly key2: Uint8Array | undefined;
  /** tls-crypt-v2 client: its wrapped key, which follows every P_CONTROL_HARD_RESET_CLIENT_V3 and P_CONTROL_WKC_V1. */
  readonly wrappedClientKey?: Uint8Array;
  /** tls-crypt-v2 server: opens the keys that clients append; the rest of the wrap is for all other clients. */
  readonly clientKeys?: ClientKeys;
  /** Replay ids and window of one session. `nextPacketId` is the first id sent (1; 2 after a stateless reset). */
  createSession(options?: { nextPacketId?: number }): WrapSession;
  /**
   * Unwraps start..end-1 of `bytes`, all of them when left out, without replay check and state, for the first packets
   * of an unknown peer. Makes nothing of a packet that isn't authentic.
   */
  unwrapStateless(bytes: Uint8Array, start?: number, end?: number): ControlPacket | DropReason;
  /** Wraps a stateless answer with replay id 1. */
  wrapStateless(packet: ControlPacket, wallSec: number): Uint8Array;
  /** Zeroes the keys; sessions of this wrap can't be used afterwards. */
  destroy(): void;
}

/** The server's side of tls-crypt-v2. */
export interface ClientKeys {
  /** --tls-crypt-v2 FILE force-cookie: clients that can't take part in the stateless handshake are refused. */
  readonly forceCookie: boolean;
  /** Opens the key at the end of a P_CONTROL_HARD_RESET_CLIENT_V3 or P_CONTROL_WKC_V1; ranges as in unwrapStateless(). */
  open(bytes: Uint8Array, start?: number, end?: number): OpenedClientKey | DropReason;
}

/** What a client's wrapped key held. */
export interface OpenedClientKey {
  /** The packet without the wrapped key; a copy. */
  readonly packet: Uint8Array;
  /** tls-crypt with the client's own key. The caller destroys it. */
  readonly wrap: ControlWrap;
  /** Type byte and value; empty when the key carries none. */
  readonly metadata: Uint8Array;
}

export interface WrapSession {
  /** Every call uses a fresh replay id. `wallSec` is Unix time in seconds. */
  wrap(packet: ControlPacket, wallSec: number): Uint8Array;
  /** Checks, decrypts, parses; a replayed id is a drop. */
  unwrap(packet: Uint8Array, wallSec: number): ControlPacket | DropReason;
}

export { ConnectRateLimit, InitialRateLimit } from './connect-rate.ts';
export { controlPayloadBytes } from './control-budget.ts';
export {
  PREFIX_BYTES,
  readControlPacket,
  writeControlPacket,
} from './control-packet.ts';
export { CookieHandshake, type CookieHandshakeOptions, type CookieVerdict } from './cookie.ts';
export * as op from './opcodes.ts';
export {
  AckList,
  type IncomingMessage,
  maxAcks,
  type OutgoingMessage,
  type ReceiveVerdict,
  ReliableReceive,
  ReliableSend,
} from './reliable-window.ts';
export {
  createSessionId,
  isZeroSessionId,
  sameSessionId,
  sessionIdHex,
} from './session-id.ts';
export { createTlsAuthWrap, type TlsAuthOptions } from './tls-auth.ts';
export {
  createTlsCryptWrap,
  DYNAMIC_TLS_CRYPT_BYTES,
  DYNAMIC_TLS_CRYPT_LABEL,
  dynamicTlsCryptKey,
  type TlsCryptOptions,
} from './tls-crypt.ts';
export {
  checkClientKeyAge,
  createTlsCryptV2ClientWrap,
  EARLY_NEGOTIATION,
  MAX_METADATA_BYTES,
  METADATA_TIMESTAMP,
  METADATA_USER,
  readClientKeyFile,
  stripClientKey,
  TlsCryptV2ServerKey,
  withClientKeys,
} from './tls-crypt-v2.ts';
export { createNoWrap } from './wrap-none.ts';
