/**
 * From a control packet to the session and key it belongs to (2.x ssl.c tls_pre_decrypt()): checks in
 * 2.x's order, unwrapping, resets, acknowledgements, and the receive window. What can't be used is
 * dropped, counted and logged at 2.x's level; over TCP it ends the connection.
 */
import { addressKey, formatAddress, type LinkAddress } from '../base/base.ts';
import { D_CRYPT_ERRORS, D_TLS_DEBUG_LOW, D_TLS_ERRORS } from '../base/errlevel.ts';
import {
  type ControlPacket,
  type DropReason,
  isZeroSessionId,
  op,
  PREFIX_BYTES,
  sameSessionId,
  sessionIdHex,
} from '../reliable/reliable.ts';
import { unwrapTexts } from './drop-text.ts';
import type { TlsMultiConfig } from './ssl.ts';
import { S_GENERATED_KEYS } from './states.ts';
import type { TlsSession } from './tls-session.ts';

/** The three places for sessions. */
export interface Sessions {
  active: TlsSession | undefined;
  initial: TlsSession | undefined;
  lameDuck: TlsSession | undefined;
}

export interface IntakeHost {
  readonly config: TlsMultiConfig;
  readonly sessions: Sessions;
  /** Makes the session of a newcomer, in place of one in INITIAL. */
  createInitial(remote: LinkAddress, nowMs: number): TlsSession;
  /** The first packet of a session was taken. */
  handleNewPeer(session: TlsSession, from: LinkAddress): void;
  /** A packet was dropped with an error of TLS. */
  handleSoftError(text: string): void;
  /** 2.x print_key_id(). */
  describeKeys(): string;
}

export class PacketIntake {
  readonly drops = new Map<string, number>();
  readonly #host: IntakeHost;
  #sessionCount = 0;

  constructor(host: IntakeHost) {
    this.#host = host;
  }

  /** Counts a session that was made without a reset (after a cookie handshake). */
  countSession(): void {
    this.#sessionCount++;
  }

  /** Takes one packet; true when it changed something. */
  handle(packet: Uint8Array, from: LinkAddress, nowMs: number): boolean {
    if (!this.#checkHead(packet, from)) return false;
    const sessionId = packet.subarray(1, PREFIX_BYTES);
    const { active, initial, lameDuck } = this.#host.sessions;
    const known = [active, initial].find(
      (session) => session?.peerId && sameSessionId(session.peerId, sessionId),
    );
    if (known) return this.#takeKnown(known, packet, from, nowMs);
    if (lameDuck?.peerId && sameSessionId(lameDuck.peerId, sessionId)) {
      const text = `TLS ERROR: received control packet with stale session-id=${sessionIdHex(sessionId)}`;
      return this.#drop('unroutable', text);
    }
    const opcode = op.readOpcode(packet);
    if (op.isHardReset(opcode)) return this.#takeNew(packet, from, nowMs);
    const text = `TLS Error: Unroutable control packet received from ${formatAddress(from)} (si=3 op=${op.opcodeName(opcode)})`;
    return this.#drop('unroutable', text);
  }

  /** What can be said without keys. */
  #checkHead(packet: Uint8Array, from: LinkAddress): boolean {
    if (packet.length === 0) return this.#drop('too-short', undefined);
    const opcode = op.readOpcode(packet);
    if (!op.isControlOpcode(opcode)) {
      if (opcode === op.P_CONTROL_HARD_RESET_CLIENT_V1 || opcode === op.P_CONTROL_HARD_RESET_SERVER_V1) {
        this.#log(D_TLS_ERRORS, 'Peer tried unsupported key-method 1');
      }
      const text = `TLS Error: unknown opcode received from ${formatAddress(from)} op=${opcode}`;
      return this.#drop('bad-opcode', text);
    }
    const server = this.#host.config.role === 'server';
    const fromOwnRole = server ? opcode === op.P_CONTROL_HARD_RESET_SERVER_V2 : op.isHardResetClient(opcode);
    if (fromOwnRole) {
      const text = `TLS Error: client->client or server->server connection attempted from ${formatAddress(from)}`;
      return this.#drop('wrong-role', text);
    }
    if (opcode === op.P_CONTROL_HARD_RESET_CLIENT_V3 || opcode === op.P_CONTROL_WKC_V1) {
      const text = `TLS Error: can not extract tls-crypt-v2 client key from ${formatAddress(from)}`;
      return this.#drop('bad-opcode', text);
    }
    if (packet.length < PREFIX_BYTES || isZeroSessionId(packet.subarray(1, PREFIX_BYTES))) {
      const text = `TLS Error: session-id not found in packet from ${formatAddress(from)}`;
      return this.#drop('bad-session-id', text);
    }
    return true;
  }

  #takeKnown(session: TlsSession, packet: Uint8Array, from: LinkAddress, nowMs: number): boolean {
    if (session.remote && addressKey(session.remote) !== addressKey(from)) {
      const text = `TLS Error: Received control packet from unexpected IP addr: ${formatAddress(from)}`;
      return this.#drop('unroutable', text);
    }
    const control = this.#unwrap(session, packet, from);
    if (!control) return false;
    if (control.opcode === op.P_CONTROL_SOFT_RESET_V1) {
      const { state, keyId } = session.primary;
      if (state === S_GENERATED_KEYS && control.keyId === session.nextKeyId && control.keyId !== keyId) {
        session.softReset(nowMs);
      } else this.#burst(session, nowMs);
    }
    return this.#takeControl(session, control, nowMs);
  }

  /** A hard reset with an unknown session id: a newcomer, or the answer to our own reset. */
  #takeNew(packet: Uint8Array, from: LinkAddress, nowMs: number): boolean {
    const { config, sessions } = this.#host;
    if (config.singleSession && this.#sessionCount > 0) {
      const text = `TLS Error: Cannot accept new session request from ${formatAddress(from)} due to session context expire or --single-session`;
      return this.#drop('unroutable', text);
    }
    // Before anything is made or replaced the packet must prove that it has the key of the wrap.
    const stateless = config.wrap.unwrapStateless(packet);
    if (typeof stateless === 'string') return this.#dropUnwrapped(stateless, config.wrap.name, from);
    if (stateless.keyId !== 0) return this.#dropKeyId(0, stateless.keyId);
    if (stateless.messageId !== 0) return this.#drop('window', undefined);
    let session = sessions.initial;
    // A second answer to our own reset: a cookie of another moment. The first one stays good, and the
    // server may have made its session of it already.
    if (session?.peerId && config.role === 'client') return this.#drop('unroutable', undefined);
    if (!session || session.peerId) session = this.#host.createInitial(from, nowMs);
    const control = this.#unwrap(session, packet, from);
    if (!control) return false;
    session.peerId = Uint8Array.from(control.sessionId);
    session.remote = from;
    this.#sessionCount++;
    this.#log(
      D_TLS_DEBUG_LOW,
      `TLS: Initial packet from ${formatAddress(from)}, sid=${sessionIdHex(control.sessionId)}`,
    );
    this.#host.handleNewPeer(session, from);
    this.#burst(session, nowMs);
    return this.#takeControl(session, control, nowMs);
  }

  /** Sends everything again at once, the first time that the peer shows up. */
  #burst(session: TlsSession, nowMs: number): void {
    if (session.burst) return;
    session.burst = true;
    session.primary.send.rescheduleNow(nowMs);
  }

  /** Unwraps and checks that the packet means this session. */
  #unwrap(session: TlsSession, packet: Uint8Array, from: LinkAddress): ControlPacket | undefined {
    const keyId = op.readKeyId(packet);
    const wallSec = Math.floor(this.#host.config.clock.wallMs() / 1000);
    const control = session.unwrap(packet, keyId, wallSec);
    if (typeof control === 'string') {
      this.#dropUnwrapped(control, session.wrapName(keyId), from);
      return undefined;
    }
    if (control.peerSessionId && !sameSessionId(control.peerSessionId, session.ownId)) {
      this.#drop('bad-session-id', 'TLS Error: reading acknowledgement record from packet');
      return undefined;
    }
    return control;
  }

  #takeControl(session: TlsSession, control: ControlPacket, nowMs: number): boolean {
    const key = session.primary;
    if (control.keyId !== key.keyId) {
      // What the peer sent before it heard of the new key: expected, and no reason to give up on TCP.
      if (control.keyId === session.lameDuck?.keyId) return this.#drop('bad-key-id', undefined);
      return this.#dropKeyId(key.keyId, control.keyId);
    }
    key.send.handleAcks(control.acks, nowMs);
    if (control.messageId === undefined) return true;
    const verdict = key.receive.handleMessage(control.messageId, control.opcode, control.payload);
    if (verdict === 'window') {
      this.#drop('window', undefined);
      return true;
    }
    key.acks.acknowledge(control.messageId);
    return true;
  }

  #dropKeyId(own: number, received: number): false {
    const keys = this.#host.describeKeys();
    return this.#drop(
      'bad-key-id',
      `TLS ERROR: local/remote key IDs out of sync (${own}/${received}) ID: ${keys}`,
    );
  }

  #dropUnwrapped(reason: DropReason, wrap: TlsMultiConfig['wrap']['name'], from: LinkAddress): false {
    const texts = unwrapTexts(reason, wrap, formatAddress(from));
    if (texts.crypto) this.#log(D_CRYPT_ERRORS, texts.crypto);
    return this.#drop(reason, texts.tls);
  }

  /** Counts; with a text it is an error of TLS that is logged, too. */
  #drop(reason: DropReason, text: string | undefined): false {
    this.drops.set(reason, (this.drops.get(reason) ?? 0) + 1);
    if (text !== undefined) {
      this.#log(D_TLS_ERRORS, text);
      this.#host.handleSoftError(text);
    }
    return false;
  }

  #log(level: number, text: string): void {
    this.#host.config.log.log(level, text);
  }
}
