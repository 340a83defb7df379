/**
 * One session with a peer (2.x ssl_common.h struct tls_session): a pair of session ids, the wrap's
 * replay state, and up to two keys. A soft reset makes the primary key the lame duck and starts a new
 * one with the next key id: 0 once, then 1..7 over and over.
 *
 * With dynamic tls-crypt all packets of key ids above 0 travel in a wrap keyed by the first TLS session.
 */
import type { LinkAddress } from '../base/base.ts';
import {
  type ControlPacket,
  type ControlWrap,
  createTlsCryptWrap,
  type DropReason,
  DYNAMIC_TLS_CRYPT_BYTES,
  DYNAMIC_TLS_CRYPT_LABEL,
  dynamicTlsCryptKey,
  maxAcks,
  op,
  type WrapSession,
} from '../reliable/reliable.ts';
import { type KeyHost, KeyState } from './key-state.ts';

const NO_PAYLOAD = new Uint8Array(0);

export interface TlsSessionOptions {
  /** Number among the sessions of its TlsMulti, from 1. */
  readonly serial: number;
  readonly ownId: Uint8Array;
  readonly opcode: number;
  /** The wrap of a client's own key (tls-crypt-v2), which the session then destroys; the configuration's otherwise. */
  readonly clientWrap: ControlWrap | undefined;
  /** Where the newcomer is; undefined: where the peer is known to be. */
  readonly from: LinkAddress | undefined;
  readonly hold: boolean;
  /** After a cookie handshake: both resets are done, replay id 1 is used up. */
  readonly skipResets: boolean;
  readonly nowMs: number;
}

export class TlsSession {
  readonly serial: number;
  readonly ownId: Uint8Array;
  /** The peer's session id; undefined until its first packet. */
  peerId: Uint8Array | undefined;
  /** Where a newcomer is that hasn't proven itself; undefined: where the peer is. */
  from: LinkAddress | undefined;
  primary: KeyState;
  lameDuck: KeyState | undefined;
  /** Whether everything pending was sent again at once because the peer has shown up. */
  burst = false;
  /** Whether an 'active' event was given for this session. */
  wasActive = false;
  readonly #host: KeyHost;
  readonly #clientWrap: ControlWrap | undefined;
  readonly #wrap: WrapSession;
  #dynamic: { readonly wrap: ControlWrap; readonly session: WrapSession } | undefined;
  #nextKeyId = 1;

  constructor(host: KeyHost, options: TlsSessionOptions) {
    const { opcode, hold, skipResets, nowMs } = options;
    this.#host = host;
    this.serial = options.serial;
    this.ownId = options.ownId;
    this.from = options.from;
    this.#clientWrap = options.clientWrap;
    this.#wrap = this.wrapOf(0).createSession(skipResets ? { nextPacketId: 2 } : {});
    this.primary = new KeyState(host, { keyId: 0, opcode, hold, skipResets, nowMs });
  }

  /** The id that the next soft reset uses. */
  get nextKeyId(): number {
    return this.#nextKeyId;
  }

  /** The wrap that packets with this key id have. */
  wrapOf(keyId: number): ControlWrap {
    if (keyId > 0 && this.#dynamic) return this.#dynamic.wrap;
    return this.#clientWrap ?? this.#host.config.wrap;
  }

  unwrap(packet: Uint8Array, keyId: number, wallSec: number): ControlPacket | DropReason {
    return this.#wrapFor(keyId).unwrap(packet, wallSec);
  }

  /** Derives the wrap of all later keys from this session's first TLS session. */
  setUpDynamicWrap(): void {
    const { config } = this.#host;
    const exported = this.primary.exportKeyingMaterial(DYNAMIC_TLS_CRYPT_LABEL, DYNAMIC_TLS_CRYPT_BYTES);
    const key2 = dynamicTlsCryptKey(exported, this.wrapOf(0).key2);
    const wrap = createTlsCryptWrap({ key2, role: config.role, crypto: config.crypto });
    exported.fill(0);
    key2.fill(0);
    this.#dynamic = { wrap, session: wrap.createSession() };
  }

  /** The primary key becomes the lame duck, a new key starts. */
  softReset(nowMs: number): void {
    this.lameDuck?.destroy();
    this.primary.retire(nowMs + this.#host.config.transitionWindowMs);
    this.lameDuck = this.primary;
    const keyId = this.#nextKeyId;
    this.#nextKeyId = keyId === op.P_KEY_ID_MASK ? 1 : keyId + 1;
    const opcode = op.P_CONTROL_SOFT_RESET_V1;
    this.primary = new KeyState(this.#host, { keyId, opcode, hold: false, skipResets: false, nowMs });
  }

  /** Wraps all that is due, and an acknowledgement of its own where nothing could carry it. */
  transmit(nowMs: number, wallSec: number, fewAcks: boolean, emit: (packet: Uint8Array) => void): void {
    const { keyId, send, acks } = this.primary;
    const wrap = this.#wrapFor(keyId);
    const write = (opcode: number, messageId: number | undefined, payload: Uint8Array): void => {
      const ids = this.peerId ? acks.take(maxAcks(opcode, fewAcks)) : [];
      const peerSessionId = ids.length > 0 ? this.peerId : undefined;
      const packet = { opcode, keyId, sessionId: this.ownId, acks: ids, peerSessionId, messageId, payload };
      emit(wrap.wrap(packet, wallSec));
    };
    const writeDue = (): void => {
      for (let message = send.poll(nowMs); message; message = send.poll(nowMs)) {
        write(message.opcode, message.messageId, message.payload);
      }
    };
    writeDue();
    // An acknowledgement alone isn't sent again when it is lost, a message with the wrapped key is.
    if (acks.pendingCount > 0 && this.primary.queueClientKey(nowMs)) writeDue();
    if (acks.pendingCount > 0) write(op.P_ACK_V1, undefined, NO_PAYLOAD);
  }

  /** Zeroes all keys. */
  destroy(): void {
    this.primary.destroy();
    this.lameDuck?.destroy();
    this.#dynamic?.wrap.destroy();
    this.#dynamic = undefined;
    this.#clientWrap?.destroy();
  }

  #wrapFor(keyId: number): WrapSession {
    return keyId > 0 && this.#dynamic ? this.#dynamic.session : this.#wrap;
  }
}
