/**
 * From a control packet to the session and key it belongs to (2.x ssl.c tls_pre_decrypt()): checks in
 * 2.x's order, unwrapping, resets, acknowledgements, and the receive window. What can't be used is
 * dropped, counted and logged at 2.x's level; over TCP it ends the connection.
 */
import { formatAddress, type LinkAddress, sameAddress } from '../base/base.ts';
import {
  D_CRYPT_ERRORS,
  D_HANDSHAKE,
  D_REPLAY_ERRORS,
  D_TLS_DEBUG_LOW,
  D_TLS_ERRORS,
  M_STRANGER,
  M_WARN,
} from '../base/errlevel.ts';
import {
  type ControlPacket,
  type ControlWrap,
  checkClientKeyAge,
  type DropReason,
  isZeroSessionId,
  type OpenedClientKey,
  op,
  PREFIX_BYTES,
  sameSessionId,
  sessionIdHex,
  stripClientKey,
} from '../reliable/reliable.ts';
import { clientKeyTexts, replayText, unwrapTexts } from './drop-text.ts';
import type { PacketVerdict, ProvenIds, TlsMultiConfig } from './ssl.ts';
import { S_GENERATED_KEYS } from './states.ts';
import type { TlsSession } from './tls-session.ts';

/** The three places for sessions. */
export interface Sessions {
  active: TlsSession | undefined;
  initial: TlsSession | undefined;
  lameDuck: TlsSession | undefined;
}

/** Who comes with a tls-crypt-v2 key, and with what packet. */
export interface Newcomer {
  readonly opened: OpenedClientKey;
  readonly from: LinkAddress;
  /** Where a cookie handshake came before. */
  readonly ids?: ProvenIds;
}

export interface IntakeHost {
  readonly config: TlsMultiConfig;
  readonly sessions: Sessions;
  /** Makes the session of a newcomer, in place of one in INITIAL. `clientWrap`: of a tls-crypt-v2 key; the session's from here on. */
  createInitial(from: LinkAddress, nowMs: number, clientWrap?: ControlWrap): TlsSession;
  /** Goes on with a newcomer at once, or when a script has said that its key may be used. */
  judgeClientKey(newcomer: Newcomer, nowMs: number): PacketVerdict;
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

  handle(packet: Uint8Array, from: LinkAddress, nowMs: number): PacketVerdict {
    const problem = this.#checkHead(packet, from);
    if (problem) return problem;
    const sessionId = packet.subarray(1, PREFIX_BYTES);
    const { active, initial, lameDuck } = this.#host.sessions;
    const known = [active, initial].find(
      (session) => session?.peerId && sameSessionId(session.peerId, sessionId),
    );
    if (known) {
      const body = this.#withoutClientKey(packet, from);
      return typeof body === 'string' ? body : this.takeKnown(known, body, from, nowMs);
    }
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
  #checkHead(packet: Uint8Array, from: LinkAddress): DropReason | undefined {
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
    if (packet.length < PREFIX_BYTES || isZeroSessionId(packet, 1)) {
      const text = `TLS Error: session-id not found in packet from ${formatAddress(from)}`;
      return this.#drop('bad-session-id', text);
    }
    return undefined;
  }

  /** Opens the key that a packet carries, or says why it can't be used. */
  openClientKey(packet: Uint8Array, from: LinkAddress): OpenedClientKey | DropReason {
    const { wrap, clientKeyMaxDays = 0, clock } = this.#host.config;
    if (wrap.clientKeys) this.#log(D_HANDSHAKE, 'Control Channel: using tls-crypt-v2 key');
    const opened = wrap.clientKeys?.open(packet) ?? 'client-key-unwanted';
    if (typeof opened === 'string') return this.#dropClientKey(opened, from);
    if (clientKeyMaxDays === 0) return opened;
    const wallSec = Math.floor(clock.wallMs() / 1000);
    const problem = checkClientKeyAge(opened.metadata, clientKeyMaxDays, wallSec);
    if (problem === undefined) return opened;
    opened.wrap.destroy();
    this.#log(M_WARN, problem);
    const text = `TLS Error: can not extract tls-crypt-v2 client key from ${formatAddress(from)}`;
    return this.#drop('client-key-refused', text);
  }

  /** A known peer's packet as it would be without a key at its end, or why there is none. */
  #withoutClientKey(packet: Uint8Array, from: LinkAddress): Uint8Array | DropReason {
    if (!op.carriesClientKey(op.readOpcode(packet))) return packet;
    const { wrap } = this.#host.config;
    const body = wrap.clientKeys ? stripClientKey(packet) : undefined;
    if (!body)
      return this.#dropClientKey(wrap.clientKeys ? 'client-key-missing' : 'client-key-unwanted', from);
    this.#log(D_HANDSHAKE, 'Control Channel: using tls-crypt-v2 key');
    this.#log(D_TLS_ERRORS, 'control channel security already setup ignoring wrapped key part of packet.');
    return body;
  }

  /** A packet, without a client key, of a session that is known. */
  takeKnown(session: TlsSession, packet: Uint8Array, from: LinkAddress, nowMs: number): PacketVerdict {
    const place = session.from ?? this.#host.config.address.current;
    if (place && !sameAddress(place, from)) {
      const text = `TLS Error: Received control packet from unexpected IP addr: ${formatAddress(from)}`;
      return this.#drop('unroutable', text);
    }
    const control = this.#unwrap(session, packet, from);
    if (typeof control === 'string') return control;
    if (control.opcode === op.P_CONTROL_SOFT_RESET_V1) {
      const { state, keyId } = session.primary;
      if (state === S_GENERATED_KEYS && control.keyId === session.nextKeyId && control.keyId !== keyId) {
        session.softReset(nowMs);
      } else this.#burst(session, nowMs);
    }
    return this.#takeControl(session, control, from, nowMs);
  }

  /** A hard reset with an unknown session id: a newcomer, or the answer to our own reset. */
  #takeNew(packet: Uint8Array, from: LinkAddress, nowMs: number): PacketVerdict {
    const { config } = this.#host;
    if (config.singleSession && this.#sessionCount > 0) {
      const text = `TLS Error: Cannot accept new session request from ${formatAddress(from)} due to session context expire or --single-session`;
      return this.#drop('unroutable', text);
    }
    if (!op.carriesClientKey(op.readOpcode(packet))) return this.startNew(packet, undefined, from, nowMs);
    const opened = this.openClientKey(packet, from);
    return typeof opened === 'string' ? opened : this.#host.judgeClientKey({ opened, from }, nowMs);
  }

  /** The first packet of a newcomer. `clientWrap` is that of a tls-crypt-v2 key; a session takes it over or it is destroyed. */
  startNew(
    packet: Uint8Array,
    clientWrap: ControlWrap | undefined,
    from: LinkAddress,
    nowMs: number,
  ): PacketVerdict {
    const { config, sessions } = this.#host;
    const problem = this.#checkStart(packet, clientWrap ?? config.wrap, from);
    if (problem) {
      clientWrap?.destroy();
      return problem;
    }
    let session = sessions.initial;
    if (clientWrap || !session || session.peerId) session = this.#host.createInitial(from, nowMs, clientWrap);
    const control = this.#unwrap(session, packet, from);
    if (typeof control === 'string') return control;
    session.peerId = Uint8Array.from(control.sessionId);
    session.from = from;
    this.#sessionCount++;
    this.#log(
      D_TLS_DEBUG_LOW,
      `TLS: Initial packet from ${formatAddress(from)}, sid=${sessionIdHex(control.sessionId)}`,
    );
    this.#host.handleNewPeer(session, from);
    this.#burst(session, nowMs);
    return this.#takeControl(session, control, from, nowMs);
  }

  /** Before anything is made or replaced a reset must prove that it has the key of the wrap. */
  #checkStart(packet: Uint8Array, wrap: ControlWrap, from: LinkAddress): DropReason | undefined {
    const { config, sessions } = this.#host;
    const stateless = wrap.unwrapStateless(packet);
    if (typeof stateless === 'string') return this.#dropUnwrapped(stateless, wrap.name, from);
    if (stateless.keyId !== 0) return this.#dropKeyId(0, stateless.keyId);
    if (stateless.messageId !== 0) return this.#dropResetId(stateless, from);
    // A second answer to our own reset: a cookie of another moment. The first one stays good, and the
    // server may have made its session of it already.
    if (sessions.initial?.peerId && config.role === 'client') return this.#drop('unroutable', undefined);
    return undefined;
  }

  /** Sends everything again at once, the first time that the peer shows up. */
  #burst(session: TlsSession, nowMs: number): void {
    if (session.burst) return;
    session.burst = true;
    session.primary.send.rescheduleNow(nowMs);
  }

  /** Unwraps and checks that the packet means this session. */
  #unwrap(session: TlsSession, packet: Uint8Array, from: LinkAddress): ControlPacket | DropReason {
    const keyId = op.readKeyId(packet);
    const wallSec = Math.floor(this.#host.config.clock.wallMs() / 1000);
    const control = session.unwrap(packet, keyId, wallSec);
    if (typeof control === 'string') {
      const wrap = session.wrapOf(keyId);
      if (control === 'replay') this.#log(D_REPLAY_ERRORS | M_STRANGER, replayText(wrap, packet));
      return this.#dropUnwrapped(control, wrap.name, from);
    }
    if (control.peerSessionId && !sameSessionId(control.peerSessionId, session.ownId)) {
      return this.#drop('bad-session-id', 'TLS Error: reading acknowledgement record from packet');
    }
    return control;
  }

  /** A message that isn't wanted is counted, but its packet was the peer's: 'taken'. */
  #takeControl(session: TlsSession, control: ControlPacket, from: LinkAddress, nowMs: number): PacketVerdict {
    const key = session.primary;
    if (control.keyId !== key.keyId) {
      // What the peer sent before it heard of the new key: expected, and no reason to give up on TCP.
      if (control.keyId === session.lameDuck?.keyId) return this.#drop('bad-key-id', undefined);
      return this.#dropKeyId(key.keyId, control.keyId);
    }
    key.send.handleAcks(control.acks, nowMs);
    if (control.messageId === undefined) return 'taken';
    if (control.messageId !== 0 && op.isHardReset(control.opcode)) {
      this.#dropResetId(control, from);
      return 'taken';
    }
    const verdict = key.receive.handleMessage(control.messageId, control.opcode, control.payload);
    if (verdict === 'window') {
      this.#drop('window', undefined);
      return 'taken';
    }
    key.acks.acknowledge(control.messageId);
    return 'taken';
  }

  /** A reset is the first message there is: taken for another one it would stand in that one's place. No reason to give up. */
  #dropResetId({ opcode, messageId }: ControlPacket, from: LinkAddress): DropReason {
    this.#log(
      D_TLS_ERRORS | M_STRANGER,
      `TLS Error: received ${op.opcodeName(opcode)} with packet id ${messageId} from ${formatAddress(from)} -- 0 was expected, ignoring packet`,
    );
    return this.#drop('window', undefined);
  }

  #dropKeyId(own: number, received: number): DropReason {
    const keys = this.#host.describeKeys();
    return this.#drop(
      'bad-key-id',
      `TLS ERROR: local/remote key IDs out of sync (${own}/${received}) ID: ${keys}`,
    );
  }

  #dropUnwrapped(reason: DropReason, wrap: TlsMultiConfig['wrap']['name'], from: LinkAddress): DropReason {
    const texts = unwrapTexts(reason, wrap, formatAddress(from));
    if (texts.crypto) this.#log(D_CRYPT_ERRORS | M_STRANGER, texts.crypto);
    return this.#drop(reason, texts.tls);
  }

  #dropClientKey(reason: DropReason, from: LinkAddress): DropReason {
    const texts = clientKeyTexts(reason, formatAddress(from));
    if (texts.crypto !== undefined) this.#log(D_CRYPT_ERRORS | M_STRANGER, texts.crypto);
    for (const line of texts.tls.slice(0, -1)) this.#log(D_TLS_ERRORS | M_STRANGER, line);
    return this.#drop(reason, texts.tls.at(-1));
  }

  /** Counts; with a text it is an error of TLS that is logged, too. */
  #drop(reason: DropReason, text: string | undefined): DropReason {
    this.drops.set(reason, (this.drops.get(reason) ?? 0) + 1);
    if (text !== undefined) {
      this.#log(D_TLS_ERRORS | M_STRANGER, text);
      this.#host.handleSoftError(text);
    }
    return reason;
  }

  #log(level: number, text: string): void {
    this.#host.config.log.log(level, text);
  }
}
