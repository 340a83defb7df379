/**
 * The stateless three-way handshake of UDP servers (2.x mudp.c do_pre_decrypt_check(), ssl_pkt.c
 * tls_pre_decrypt_lite(), calculate_session_id_hmac()). A client's reset is answered at once with a
 * reset whose session id is a cookie; state is made when the client acknowledges that cookie:
 *
 *   cookie = HMAC-SHA256(key, u32 slot || sockaddr || client session id)[0:8]
 *   slot   = floor(unix time / ((hand-window + 1) / 2)), good in its own slot and the next two
 *   sockaddr: struct sockaddr_in (16 bytes) or sockaddr_in6 (28 bytes) as little-endian Linux lays it out
 *
 * Clients of tls-crypt-v2 bring the key along that their packets are wrapped with, and are asked to bring it
 * once more with the acknowledgement. Those that can't (2.5) get a session at once, unless force-cookie says no.
 */
import { type LinkAddress, nullLogger, parseIpBytes } from '../base/base.ts';
import type { CryptoBackend } from '../crypto/crypto.ts';
import { InitialRateLimit } from './connect-rate.ts';
import { PREFIX_BYTES, writeUint32 } from './control-packet.ts';
import {
  carriesClientKey,
  isDataOpcode,
  P_ACK_V1,
  P_CONTROL_HARD_RESET_CLIENT_V2,
  P_CONTROL_HARD_RESET_CLIENT_V3,
  P_CONTROL_HARD_RESET_SERVER_V2,
  P_CONTROL_SOFT_RESET_V1,
  P_CONTROL_V1,
  readKeyId,
  readOpcode,
} from './opcodes.ts';
import type { ControlPacket, ControlWrap, DropReason } from './reliable.ts';
import { SESSION_ID_BYTES } from './session-id.ts';
import { EARLY_NEGOTIATION } from './tls-crypt-v2.ts';

/** Slots after its own in which a cookie is still good. */
const OLD_SLOTS = 2;
/** Default of --connect-freq-initial: answers per period, and the period's seconds. */
const DEFAULT_RATE = [100, 10] as const;
const DEFAULT_HAND_WINDOW_SEC = 60;
/** Highest message id and acknowledged id of the packet that ends the handshake. */
const MAX_HANDSHAKE_ID = 1;
const NO_PAYLOAD = new Uint8Array(0);
const AF_INET = 2;
const AF_INET6 = 10;

export interface CookieHandshakeOptions {
  readonly wrap: ControlWrap;
  readonly crypto: CryptoBackend;
  /** --hand-window, seconds. */
  readonly handWindowSec?: number;
  /** --connect-freq-initial; several sockets of a server share one. */
  readonly rate?: InitialRateLimit;
  /** --connect-freq: asked before a handshake is accepted; false drops the packet as 'rate-limit'. */
  readonly admit?: () => boolean;
  /** 32 bytes; random by default. */
  readonly key?: Uint8Array;
}

export type CookieVerdict =
  /** Send `packet` to where the packet came from; keep nothing. */
  | { readonly type: 'reply'; readonly packet: Uint8Array }
  /** The address is proven: make a session with these ids and hand it the same packet. Ids are copies. */
  | { readonly type: 'established'; readonly ownSessionId: Uint8Array; readonly peerSessionId: Uint8Array }
  /** The client can't prove its address: make a session and hand it the same packet. */
  | { readonly type: 'unproven' }
  | { readonly type: 'drop'; readonly reason: DropReason };

/** Answers packets from addresses without a session. Keeps no state per peer. */
export class CookieHandshake {
  readonly #wrap: ControlWrap;
  readonly #crypto: CryptoBackend;
  readonly #slotSec: number;
  readonly #key: Uint8Array;
  readonly #rate: InitialRateLimit;
  readonly #admit: () => boolean;

  constructor(options: CookieHandshakeOptions) {
    const handWindowSec = options.handWindowSec ?? DEFAULT_HAND_WINDOW_SEC;
    this.#wrap = options.wrap;
    this.#crypto = options.crypto;
    this.#slotSec = Math.max(1, Math.floor((handWindowSec + 1) / 2));
    this.#key = options.key ? Uint8Array.from(options.key) : options.crypto.randomBytes(32);
    this.#rate = options.rate ?? new InitialRateLimit(...DEFAULT_RATE, nullLogger);
    this.#admit = options.admit ?? (() => true);
  }

  /** Takes one packet of an unknown peer. `wallSec`: Unix time, seconds. */
  handle(packet: Uint8Array, from: LinkAddress, wallSec: number, nowMs: number): CookieVerdict {
    const problem = checkFirstPacket(packet);
    if (problem) return drop(problem);
    if (carriesClientKey(readOpcode(packet))) return this.#handleClientKey(packet, from, wallSec, nowMs);
    const control = this.#wrap.unwrapStateless(packet);
    if (typeof control === 'string') return drop(control);
    if (control.opcode !== P_CONTROL_HARD_RESET_CLIENT_V2) return this.#finish(control, from, wallSec);
    if (!this.#rate.admit(nowMs)) return drop('rate-limit');
    const reset = this.#reset(control, from, wallSec, NO_PAYLOAD);
    return { type: 'reply', packet: this.#wrap.wrapStateless(reset, wallSec) };
  }

  /** Zeroes the cookie key. */
  destroy(): void {
    this.#key.fill(0);
  }

  /** A packet wrapped with the key that it carries. */
  #handleClientKey(packet: Uint8Array, from: LinkAddress, wallSec: number, nowMs: number): CookieVerdict {
    const opened = this.#wrap.clientKeys?.open(packet) ?? 'client-key-unwanted';
    if (typeof opened === 'string') return drop(opened);
    const { wrap } = opened;
    try {
      const control = wrap.unwrapStateless(opened.packet);
      if (typeof control === 'string') return drop(control);
      if (control.opcode !== P_CONTROL_HARD_RESET_CLIENT_V3) return this.#finish(control, from, wallSec);
      if (!this.#rate.admit(nowMs)) return drop('rate-limit');
      if (!EARLY_NEGOTIATION.isOffered(packet)) return this.#admitUnproven();
      const reset = this.#reset(control, from, wallSec, EARLY_NEGOTIATION.resendRequest);
      return { type: 'reply', packet: wrap.wrapStateless(reset, wallSec) };
    } finally {
      wrap.destroy();
    }
  }

  #admitUnproven(): CookieVerdict {
    if (this.#wrap.clientKeys?.forceCookie) return drop('client-key-cookie');
    if (!this.#admit()) return drop('rate-limit');
    this.#rate.giveBack();
    return { type: 'unproven' };
  }

  #reset(control: ControlPacket, from: LinkAddress, wallSec: number, payload: Uint8Array): ControlPacket {
    return {
      opcode: P_CONTROL_HARD_RESET_SERVER_V2,
      keyId: 0,
      sessionId: this.#cookie(control.sessionId, from, this.#slot(wallSec)),
      acks: [0],
      peerSessionId: control.sessionId,
      messageId: 0,
      payload,
    };
  }

  #finish(control: ControlPacket, from: LinkAddress, wallSec: number): CookieVerdict {
    const own = control.peerSessionId;
    if (!own) return drop('bad-cookie');
    if (control.acks.some((id) => id > MAX_HANDSHAKE_ID)) return drop('window');
    if (control.messageId !== undefined && control.messageId > MAX_HANDSHAKE_ID) return drop('window');
    if (!this.#isCookie(own, control.sessionId, from, wallSec)) return drop('bad-cookie');
    if (!this.#admit()) return drop('rate-limit');
    this.#rate.giveBack();
    return {
      type: 'established',
      ownSessionId: Uint8Array.from(own),
      peerSessionId: Uint8Array.from(control.sessionId),
    };
  }

  #isCookie(candidate: Uint8Array, clientId: Uint8Array, from: LinkAddress, wallSec: number): boolean {
    const slot = this.#slot(wallSec);
    let good = false;
    for (let age = 0; age <= OLD_SLOTS; age++) {
      if (this.#crypto.equal(candidate, this.#cookie(clientId, from, slot - age))) good = true;
    }
    return good;
  }

  #slot(wallSec: number): number {
    return Math.floor(wallSec / this.#slotSec);
  }

  #cookie(clientId: Uint8Array, from: LinkAddress, slot: number): Uint8Array {
    const slotBytes = new Uint8Array(4);
    writeUint32(slotBytes, 0, slot);
    const mac = this.#crypto.hmac('SHA256', this.#key, slotBytes, sockaddr(from), clientId);
    return mac.slice(0, SESSION_ID_BYTES);
  }
}

function drop(reason: DropReason): CookieVerdict {
  return { type: 'drop', reason };
}

/** What 2.x checks before it spends an HMAC on a packet of an unknown peer. */
function checkFirstPacket(packet: Uint8Array): DropReason | undefined {
  if (packet.length < PREFIX_BYTES) return 'too-short';
  const opcode = readOpcode(packet);
  if (opcode === P_CONTROL_HARD_RESET_SERVER_V2) return 'wrong-role';
  if (isDataOpcode(opcode) || opcode === P_CONTROL_SOFT_RESET_V1) return 'unroutable';
  const known = opcode === P_CONTROL_HARD_RESET_CLIENT_V2 || opcode === P_CONTROL_V1 || opcode === P_ACK_V1;
  if (!known && !carriesClientKey(opcode)) return 'bad-opcode';
  return readKeyId(packet) === 0 ? undefined : 'bad-key-id';
}

/** The address as struct sockaddr_in or sockaddr_in6: family and scope little-endian, the rest as on the wire. */
function sockaddr(from: LinkAddress): Uint8Array {
  const ip = parseIpBytes(from.address) ?? new Uint8Array(from.family === 4 ? 4 : 16);
  const v4 = ip.length === 4;
  const bytes = new Uint8Array(v4 ? 16 : 28);
  bytes[0] = v4 ? AF_INET : AF_INET6;
  bytes[2] = from.port >>> 8;
  bytes[3] = from.port;
  bytes.set(ip, v4 ? 4 : 8);
  if (!v4) new DataView(bytes.buffer).setUint32(24, from.scopeId ?? 0, true);
  return bytes;
}
