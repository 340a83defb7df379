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
import { ADDRESS_WORDS, nullLogger, type PacketBatch } from '../base/base.ts';
import type { CryptoBackend, MacKey } from '../crypto/crypto.ts';
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
const COOKIE_KEY_BYTES = 32;
/** Place of the port in an address. */
const PORT_WORD = 1;
/** Highest message id and acknowledged id of the packet that ends the handshake. */
const MAX_HANDSHAKE_ID = 1;
const NO_PAYLOAD = new Uint8Array(0);
const AF_INET = 2;
const AF_INET6 = 10;
const SLOT_BYTES = 4;
const SOCKADDR_IN_BYTES = 16;
const SOCKADDR_IN6_BYTES = 28;
/** What a cookie is computed over, at most, and behind it the cookie that is compared with it. */
const INPUT_BYTES = SLOT_BYTES + SOCKADDR_IN6_BYTES + SESSION_ID_BYTES;

export interface CookieHandshakeOptions {
  readonly wrap: ControlWrap;
  readonly crypto: CryptoBackend;
  /** --hand-window, seconds. */
  readonly handWindowSec?: number;
  /** --connect-freq-initial; several sockets of a server share one. */
  readonly rate?: InitialRateLimit;
  /** --connect-freq: asked before the handshake of `slot` is accepted; false drops the packet as 'rate-limit'. */
  readonly admit?: (slot: number) => boolean;
  /** 32 bytes, copied; random by default. */
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

/** Answers packets from addresses without a session. Keeps no state per peer, and makes nothing of a bad packet. */
export class CookieHandshake {
  readonly #wrap: ControlWrap;
  readonly #slotSec: number;
  readonly #mac: MacKey;
  readonly #rate: InitialRateLimit;
  readonly #admit: (slot: number) => boolean;
  /** slot || sockaddr || client session id || candidate */
  readonly #input = new Uint8Array(INPUT_BYTES + SESSION_ID_BYTES);
  #destroyed = false;

  constructor(options: CookieHandshakeOptions) {
    const handWindowSec = options.handWindowSec ?? DEFAULT_HAND_WINDOW_SEC;
    this.#wrap = options.wrap;
    this.#slotSec = Math.max(1, Math.floor((handWindowSec + 1) / 2));
    const key = options.key ?? options.crypto.randomBytes(COOKIE_KEY_BYTES);
    this.#mac = options.crypto.createMacKey('SHA256', key);
    if (!options.key) key.fill(0);
    this.#rate = options.rate ?? new InitialRateLimit(...DEFAULT_RATE, nullLogger);
    this.#admit = options.admit ?? (() => true);
  }

  /** Takes the packet of an unknown peer in `slot`. `wallSec`: Unix time, seconds. */
  handle(batch: PacketBatch, slot: number, wallSec: number, nowMs: number): CookieVerdict {
    const { slab, offsets, lengths, addresses } = batch;
    const start = offsets[slot]!;
    const end = start + lengths[slot]!;
    const problem = checkFirstPacket(slab, start, end, addresses[slot * ADDRESS_WORDS + PORT_WORD]!);
    if (problem) return drop(problem);
    if (this.#destroyed) return drop('bad-cookie');
    if (carriesClientKey(readOpcode(slab, start))) return this.#handleClientKey(batch, slot, wallSec, nowMs);
    const control = this.#wrap.unwrapStateless(slab, start, end);
    if (typeof control === 'string') return drop(control);
    if (control.opcode !== P_CONTROL_HARD_RESET_CLIENT_V2) return this.#finish(control, batch, slot, wallSec);
    if (control.messageId !== 0) return drop('window');
    if (!this.#rate.admit(nowMs)) return drop('rate-limit');
    const reset = this.#reset(control, batch, slot, wallSec, NO_PAYLOAD);
    return { type: 'reply', packet: this.#wrap.wrapStateless(reset, wallSec) };
  }

  /**
   * A session was made of an 'established' or 'unproven' packet: what it took of --connect-freq-initial is free again.
   * Not before, or packets that lead to nothing would let as many answers out.
   */
  confirm(): void {
    this.#rate.giveBack();
  }

  /** Zeroes the cookie key. */
  destroy(): void {
    this.#destroyed = true;
    this.#mac.destroy();
  }

  /** A packet wrapped with the key that it carries. */
  #handleClientKey(batch: PacketBatch, slot: number, wallSec: number, nowMs: number): CookieVerdict {
    const { slab, offsets, lengths } = batch;
    const start = offsets[slot]!;
    const opened = this.#wrap.clientKeys?.open(slab, start, start + lengths[slot]!) ?? 'client-key-unwanted';
    if (typeof opened === 'string') return drop(opened);
    const { wrap, packet } = opened;
    try {
      const control = wrap.unwrapStateless(packet);
      if (typeof control === 'string') return drop(control);
      if (control.opcode !== P_CONTROL_HARD_RESET_CLIENT_V3)
        return this.#finish(control, batch, slot, wallSec);
      if (control.messageId !== 0) return drop('window');
      if (!this.#rate.admit(nowMs)) return drop('rate-limit');
      if (!EARLY_NEGOTIATION.isOffered(packet)) return this.#admitUnproven(slot);
      const reset = this.#reset(control, batch, slot, wallSec, EARLY_NEGOTIATION.resendRequest);
      return { type: 'reply', packet: wrap.wrapStateless(reset, wallSec) };
    } finally {
      wrap.destroy();
    }
  }

  #admitUnproven(slot: number): CookieVerdict {
    if (this.#wrap.clientKeys?.forceCookie) return drop('client-key-cookie');
    return this.#admit(slot) ? { type: 'unproven' } : drop('rate-limit');
  }

  #reset(
    control: ControlPacket,
    batch: PacketBatch,
    slot: number,
    wallSec: number,
    payload: Uint8Array,
  ): ControlPacket {
    const end = this.#writeInput(batch.addresses, slot, control.sessionId);
    this.#writeSlot(this.#slot(wallSec));
    this.#mac.write(this.#input, INPUT_BYTES, SESSION_ID_BYTES, 0, end, 0, 0, 0, 0);
    return {
      opcode: P_CONTROL_HARD_RESET_SERVER_V2,
      keyId: 0,
      sessionId: this.#input.slice(INPUT_BYTES),
      acks: [0],
      peerSessionId: control.sessionId,
      messageId: 0,
      payload,
    };
  }

  #finish(control: ControlPacket, batch: PacketBatch, slot: number, wallSec: number): CookieVerdict {
    const own = control.peerSessionId;
    if (!own) return drop('bad-cookie');
    for (const id of control.acks) if (id > MAX_HANDSHAKE_ID) return drop('window');
    if (control.messageId !== undefined && control.messageId > MAX_HANDSHAKE_ID) return drop('window');
    if (!this.#isCookie(own, control.sessionId, batch.addresses, slot, wallSec)) return drop('bad-cookie');
    if (!this.#admit(slot)) return drop('rate-limit');
    return {
      type: 'established',
      ownSessionId: Uint8Array.from(own),
      peerSessionId: Uint8Array.from(control.sessionId),
    };
  }

  #isCookie(
    candidate: Uint8Array,
    clientId: Uint8Array,
    addresses: Int32Array,
    slot: number,
    wallSec: number,
  ): boolean {
    const input = this.#input;
    const end = this.#writeInput(addresses, slot, clientId);
    input.set(candidate, INPUT_BYTES);
    const present = this.#slot(wallSec);
    let good = false;
    for (let age = 0; age <= OLD_SLOTS; age++) {
      this.#writeSlot(present - age);
      if (this.#mac.matches(input, INPUT_BYTES, SESSION_ID_BYTES, 0, end, 0, 0, 0, 0)) good = true;
    }
    return good;
  }

  #slot(wallSec: number): number {
    return Math.floor(wallSec / this.#slotSec);
  }

  #writeSlot(slot: number): void {
    writeUint32(this.#input, 0, slot);
  }

  /** Writes what doesn't change with time; returns where the input ends. */
  #writeInput(addresses: Int32Array, slot: number, clientId: Uint8Array): number {
    const at = writeSockaddr(addresses, slot, this.#input, SLOT_BYTES);
    this.#input.set(clientId, at);
    return at + SESSION_ID_BYTES;
  }
}

/** One verdict for each reason, made once. */
const DROPS = new Map<DropReason, CookieVerdict>();

function drop(reason: DropReason): CookieVerdict {
  let verdict = DROPS.get(reason);
  if (!verdict) {
    verdict = { type: 'drop', reason };
    DROPS.set(reason, verdict);
  }
  return verdict;
}

/** What 2.x checks before it spends an HMAC on a packet of an unknown peer; and nobody can be answered at port 0. */
function checkFirstPacket(
  bytes: Uint8Array,
  start: number,
  end: number,
  port: number,
): DropReason | undefined {
  if (end - start < PREFIX_BYTES) return 'too-short';
  const opcode = readOpcode(bytes, start);
  if (opcode === P_CONTROL_HARD_RESET_SERVER_V2) return 'wrong-role';
  if (isDataOpcode(opcode) || opcode === P_CONTROL_SOFT_RESET_V1) return 'unroutable';
  const known = opcode === P_CONTROL_HARD_RESET_CLIENT_V2 || opcode === P_CONTROL_V1 || opcode === P_ACK_V1;
  if (!known && !carriesClientKey(opcode)) return 'bad-opcode';
  if (readKeyId(bytes, start) !== 0) return 'bad-key-id';
  return port === 0 ? 'no-return' : undefined;
}

/**
 * The address as struct sockaddr_in or sockaddr_in6: family and scope little-endian, the rest as on the wire. Returns
 * where it ends.
 */
function writeSockaddr(words: Int32Array, slot: number, out: Uint8Array, at: number): number {
  const base = slot * ADDRESS_WORDS;
  const v6 = words[base] === 6;
  const end = at + (v6 ? SOCKADDR_IN6_BYTES : SOCKADDR_IN_BYTES);
  out.fill(0, at, end);
  out[at] = v6 ? AF_INET6 : AF_INET;
  const port = words[base + PORT_WORD]!;
  out[at + 2] = port >>> 8;
  out[at + 3] = port;
  if (!v6) {
    writeUint32(out, at + 4, words[base + 2]!);
    return end;
  }
  for (let w = 0; w < 4; w++) writeUint32(out, at + 8 + 4 * w, words[base + 2 + w]!);
  const scope = words[base + 6]!;
  for (let i = 0; i < 4; i++) out[at + 24 + i] = scope >>> (8 * i);
  return end;
}
