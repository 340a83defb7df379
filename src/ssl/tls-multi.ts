/**
 * The control channel of one peer (2.x ssl.c: tls_multi_process(), tls_process(), move_session(),
 * tls_select_encryption_key()). Three places for sessions:
 *
 *   INITIAL   a newcomer that has proven nothing yet
 *   ACTIVE    the session whose peer's certificate has passed
 *   LAME_DUCK a session whose renegotiation failed; only its old data keys are still used
 *
 * A hard reset with an unknown session id starts over in INITIAL and takes ACTIVE's place when the
 * peer's key message has been read. Everything runs in #process(), after every input.
 */
import { ApiMisuseError, formatAddress, type LinkAddress, sameAddress } from '../base/base.ts';
import { D_HANDSHAKE, D_TLS_DEBUG_LOW, D_TLS_ERRORS, M_INFO, M_WARN } from '../base/errlevel.ts';
import { keyTypeWarnings } from '../crypto/crypto.ts';
import { type ControlWrap, controlPayloadBytes, createSessionId, op } from '../reliable/reliable.ts';
import { createDataKeys } from './data-keys.ts';
import { zeroKeySource } from './key-method-2.ts';
import { describeKeys, isAnyKeyActive, selectOpenKeys, selectSealKeys } from './key-scan.ts';
import type { KeyHost, KeyReport, KeyState } from './key-state.ts';
import { type IntakeHost, type Newcomer, PacketIntake, type Sessions } from './packet-intake.ts';
import { PeerLock } from './peer-lock.ts';
import { Questions } from './questions.ts';
import { RenegotiationLimits } from './reneg-limits.ts';
import type {
  DataChannelParams,
  DataKeys,
  PacketVerdict,
  PeerIdentity,
  ProvenIds,
  TlsEvent,
  TlsMulti,
  TlsMultiConfig,
} from './ssl.ts';
import { S_ACTIVE, S_ERROR, S_GENERATED_KEYS } from './states.ts';
import { TlsSession } from './tls-session.ts';

/** Makes the control channel of one peer; see ssl.ts for how to drive it. */
export function createTlsMulti(config: TlsMultiConfig): TlsMulti {
  return new TlsMultiMachine(config);
}

/** Destination of packets over links that know theirs (TCP) and were given none. */
const CONNECTED_PEER: LinkAddress = { family: 4, address: '0.0.0.0', port: 0 };

class TlsMultiMachine implements TlsMulti, KeyHost, IntakeHost {
  readonly config: TlsMultiConfig;
  readonly sessions: Sessions = { active: undefined, initial: undefined, lameDuck: undefined };
  readonly #intake: PacketIntake;
  readonly #lock: PeerLock;
  readonly #limits: RenegotiationLimits;
  #out: { packet: Uint8Array; to: LinkAddress }[] = [];
  #events: TlsEvent[] = [];
  /** What keys have told and nobody has heard yet. */
  #reports: KeyReport[] = [];
  readonly #questions = new Questions();
  #sessionCount = 0;
  #identity: PeerIdentity | undefined;
  #params: DataChannelParams | undefined;
  /** Where "Peer Connection Initiated" was said for. */
  #initiatedWith: LinkAddress | undefined;
  #closed = false;

  constructor(config: TlsMultiConfig) {
    this.config = config;
    this.#intake = new PacketIntake(this);
    this.#lock = new PeerLock(config.log);
    this.#limits = new RenegotiationLimits(config);
  }

  get identity(): PeerIdentity | undefined {
    return this.#identity;
  }

  get authenticated(): boolean {
    return this.sessions.active?.primary.usable ?? false;
  }

  get params(): DataChannelParams | undefined {
    return this.#params;
  }

  get drops(): ReadonlyMap<string, number> {
    return this.#intake.drops;
  }

  start(nowMs: number): void {
    if (this.#closed || this.sessions.initial || this.sessions.active) {
      throw new ApiMisuseError('this control channel was started already');
    }
    this.createInitial(undefined, nowMs);
    this.#process(nowMs);
  }

  startFromCookie(ids: ProvenIds, packet: Uint8Array, from: LinkAddress, nowMs: number): void {
    if (!op.carriesClientKey(op.readOpcode(packet))) {
      this.#startProven(ids, undefined, from, nowMs);
      this.handlePacket(packet, from, nowMs);
      return;
    }
    const opened = this.#intake.openClientKey(packet, from);
    if (typeof opened === 'string') return;
    const kept = { own: Uint8Array.from(ids.own), peer: Uint8Array.from(ids.peer) };
    if (this.judgeClientKey({ opened, from, ids: kept }, nowMs) === 'taken') this.#process(nowMs);
  }

  handlePacket(packet: Uint8Array, from: LinkAddress, nowMs: number): PacketVerdict {
    if (this.#closed) return 'unroutable';
    const verdict = this.#intake.handle(packet, from, nowMs);
    if (verdict === 'taken') this.#process(nowMs);
    return verdict;
  }

  handleMoved(): void {
    const { initial } = this.sessions;
    if (initial) initial.from = undefined;
  }

  handleTimeout(nowMs: number): void {
    this.#process(nowMs);
  }

  handleTlsOutput(nowMs: number): void {
    this.#process(nowMs);
  }

  handleClientKeyResult(id: number, ok: boolean, nowMs: number): void {
    const question = this.#questions.take(id, 'client-key');
    if (!question) return;
    if (ok) {
      if (this.#admit(question.newcomer, nowMs) === 'taken') this.#process(nowMs);
      return;
    }
    question.newcomer.opened.wrap.destroy();
    const text = `TLS Error: can not extract tls-crypt-v2 client key from ${formatAddress(this.#place())}`;
    this.#log(D_TLS_ERRORS, text);
    this.handleSoftError(text);
  }

  handleVerifyResult(id: number, ok: boolean, nowMs: number): void {
    const question = this.#questions.take(id, 'certificate');
    if (!question) return;
    question.key.answerVerify(ok);
    this.#process(nowMs);
  }

  handleAuthResult(
    id: number,
    result: { readonly ok: boolean; readonly reason?: string; readonly username?: string },
    nowMs: number,
  ): void {
    const question = this.#questions.take(id, 'login');
    if (!question) return;
    const { key, credentials } = question;
    const ok = result.ok && (!credentials || this.#lock.lockUsername(credentials.username, result.username));
    key.answerLogin({ ...result, ok });
    this.#settleLogin(key);
    this.#process(nowMs);
  }

  nextTimeout(): number | undefined {
    const { active, initial, lameDuck } = this.sessions;
    let next = Number.POSITIVE_INFINITY;
    for (const session of [active, initial]) next = Math.min(next, session?.primary.nextTimeout() ?? next);
    for (const session of [active, lameDuck]) next = Math.min(next, session?.lameDuck?.mustDieMs ?? next);
    const key = active?.primary;
    if (key?.state === S_GENERATED_KEYS) next = Math.min(next, this.#limits.nextTimeout(key.establishedMs));
    return next === Number.POSITIVE_INFINITY ? undefined : next;
  }

  pollTransmit(): { readonly packet: Uint8Array; readonly to: LinkAddress } | undefined {
    return this.#out.shift();
  }

  pollEvent(): TlsEvent | undefined {
    return this.#events.shift();
  }

  sendMessage(text: string, nowMs: number): boolean {
    const { active } = this.sessions;
    // Without an older key the peer has not got in yet: there is nothing that it may hear.
    if (!active || (active.primary.auth !== 'KS_AUTH_TRUE' && !active.lameDuck)) return false;
    if (active.primary.state < S_ACTIVE && !active.lameDuck) return false;
    const sent = active.primary.sendMessage(text);
    this.#process(nowMs);
    return sent;
  }

  sendLoginMessage(text: string, nowMs: number): boolean {
    const { active } = this.sessions;
    const key = active?.primary;
    // A login may take its time and tell the client about it: that waits for the key to become active.
    const early = key?.auth === 'KS_AUTH_DEFERRED' || active?.lameDuck !== undefined;
    if (!key || (key.state < S_ACTIVE && !early)) return false;
    const sent = key.sendLoginMessage(text);
    this.#process(nowMs);
    return sent;
  }

  generateDataKeys(params: DataChannelParams, nowMs: number): void {
    if (this.#closed) return;
    this.#params = params;
    for (const line of keyTypeWarnings(params.cipher, params.digest)) this.#log(M_WARN, line);
    this.#limits.handleParams(params);
    const { active } = this.sessions;
    if (active) this.#generate(active);
    this.#process(nowMs);
  }

  softReset(nowMs: number): void {
    const { active } = this.sessions;
    if (active?.primary.state !== S_GENERATED_KEYS) return;
    active.softReset(nowMs);
    this.#process(nowMs);
  }

  sealKeys(nowMs: number): DataKeys | undefined {
    return selectSealKeys(this.sessions, nowMs);
  }

  openKeys(keyId: number): DataKeys | undefined {
    return selectOpenKeys(this.sessions, keyId);
  }

  exportKeyingMaterial(label: string, lengthBytes: number): Uint8Array | undefined {
    const key = this.sessions.active?.primary;
    return key && key.state >= S_ACTIVE ? key.exportKeyingMaterial(label, lengthBytes) : undefined;
  }

  close(): void {
    this.#closed = true;
    const { sessions } = this;
    for (const session of [sessions.active, sessions.initial, sessions.lameDuck]) session?.destroy();
    sessions.active = undefined;
    sessions.initial = undefined;
    sessions.lameDuck = undefined;
    this.#questions.close();
    this.#reports = [];
    this.#out = [];
    this.#events = [];
  }

  // What keys and the packet intake ask for.

  payloadBytes(key: KeyState): number {
    const { tlsMtu, linkOverheadBytes } = this.config;
    const { overheadBytes } = this.#sessionOf(key)?.wrapOf(key.keyId) ?? this.config.wrap;
    return controlPayloadBytes(tlsMtu, linkOverheadBytes, overheadBytes, key.acks.availableCount);
  }

  judgeClientKey(newcomer: Newcomer, nowMs: number): PacketVerdict {
    if (!this.config.deferClientKey) return this.#admit(newcomer, nowMs);
    const { wrap, metadata } = newcomer.opened;
    if (this.#questions.isOpen('client-key')) {
      // The question is asked already; the client sends this again when the answer takes long.
      wrap.destroy();
    } else {
      const id = this.#questions.ask({ about: 'client-key', newcomer });
      this.#events.push({ type: 'client-key', id, metadata });
    }
    return 'taken';
  }

  isSamePeer(identity: PeerIdentity): boolean {
    return this.#lock.isSamePeer(identity);
  }

  report(report: KeyReport): void {
    this.#reports.push(report);
  }

  createInitial(from: LinkAddress | undefined, nowMs: number, clientWrap?: ControlWrap): TlsSession {
    const { role, tcp, crypto, wrap } = this.config;
    const server = role === 'server';
    const ofClient = wrap.wrappedClientKey
      ? op.P_CONTROL_HARD_RESET_CLIENT_V3
      : op.P_CONTROL_HARD_RESET_CLIENT_V2;
    const opcode = server ? op.P_CONTROL_HARD_RESET_SERVER_V2 : ofClient;
    const ownId = createSessionId(crypto);
    this.sessions.initial?.destroy();
    const hold = server && tcp;
    const skipResets = false;
    const serial = ++this.#sessionCount;
    const options = { serial, ownId, opcode, clientWrap, from, hold, skipResets, nowMs };
    const session = new TlsSession(this, options);
    this.sessions.initial = session;
    return session;
  }

  handleNewPeer(session: TlsSession, from: LinkAddress): void {
    if (!this.sessions.active) this.#settle(session);
    if (session.peerId)
      this.#events.push({ type: 'session', from, sessionId: Uint8Array.from(session.peerId) });
  }

  handleSoftError(text: string): void {
    if (this.config.tcp) this.#events.push({ type: 'error', reason: 'tls-error', text });
  }

  describeKeys(): string {
    return describeKeys(this.sessions);
  }

  #admit({ opened, from, ids }: Newcomer, nowMs: number): PacketVerdict {
    const { packet, wrap } = opened;
    if (!ids) return this.#intake.startNew(packet, wrap, from, nowMs);
    return this.#intake.takeKnown(this.#startProven(ids, wrap, from, nowMs), packet, from, nowMs);
  }

  /** A session whose resets are exchanged: the peer has proven its address with a cookie. */
  #startProven(
    ids: ProvenIds,
    clientWrap: ControlWrap | undefined,
    from: LinkAddress,
    nowMs: number,
  ): TlsSession {
    const session = new TlsSession(this, {
      serial: ++this.#sessionCount,
      ownId: Uint8Array.from(ids.own),
      opcode: op.P_CONTROL_HARD_RESET_SERVER_V2,
      clientWrap,
      from,
      hold: false,
      skipResets: true,
      nowMs,
    });
    session.peerId = Uint8Array.from(ids.peer);
    session.burst = true;
    this.sessions.initial?.destroy();
    this.sessions.initial = session;
    this.#intake.countSession();
    this.handleNewPeer(session, from);
    return session;
  }

  #process(nowMs: number): void {
    if (this.#closed) return;
    this.#retireKeys(nowMs);
    for (const place of ['active', 'initial'] as const) {
      const session = this.sessions[place];
      if (session) this.#processSession(session, nowMs);
    }
    const { active, initial, lameDuck } = this.sessions;
    if (lameDuck && !active && !initial) {
      // Data still flows on the old key: try to get a new one.
      this.#processSession(this.createInitial(undefined, nowMs), nowMs);
    }
  }

  #processSession(session: TlsSession, nowMs: number): void {
    session.primary.advance(nowMs);
    for (let report = this.#reports.shift(); report; report = this.#reports.shift()) this.#hear(report);
    if (session === this.sessions.initial && session.primary.hasPeerKey) this.#promote(session);
    const wallSec = Math.floor(this.config.clock.wallMs() / 1000);
    const to = this.#place(session);
    const fewAcks =
      this.config.role === 'client' && this.config.wrap.name === 'none' && !this.#params?.tlsEkm;
    session.transmit(nowMs, wallSec, fewAcks, (packet) => this.#out.push({ packet, to }));
    if (session.primary.state === S_ERROR) this.#handleFailure(session);
  }

  #hear(report: KeyReport): void {
    const { key } = report;
    const session = this.#serialOf(key);
    switch (report.type) {
      case 'certificate': {
        const id = this.#questions.ask({ about: 'certificate', key });
        this.#events.push({ type: 'verify', session, id, certificate: report.certificate });
        break;
      }
      case 'login': {
        const { credentials } = report;
        const id = this.#questions.ask({ about: 'login', key, credentials });
        const { keyId, identity } = key;
        this.#events.push({ type: 'authenticate', session, id, keyId, credentials, identity: identity! });
        break;
      }
      case 'active':
        this.#hearActive(key);
        break;
      case 'message':
        this.#events.push({ type: 'message', session, text: report.text });
    }
  }

  #hearActive(key: KeyState): void {
    const session = this.#sessionOf(key);
    if (!session) return;
    if (session === this.sessions.initial) this.#promote(session);
    const { log } = this.config;
    if (log.enabled(D_HANDSHAKE)) log.log(D_HANDSHAKE, `Control Channel: ${key.describe()}`);
    const to = this.#place(session);
    if (!this.#initiatedWith || !sameAddress(this.#initiatedWith, to)) {
      this.#initiatedWith = to;
      log.log(M_INFO, `[${this.#nameOf(key)}] Peer Connection Initiated with ${formatAddress(to)}`);
    }
    this.#settleLogin(key);
  }

  /** Renegotiation that is due, and keys whose time is over. */
  #retireKeys(nowMs: number): void {
    const { active, lameDuck } = this.sessions;
    const key = active?.primary;
    if (active && key?.state === S_GENERATED_KEYS && key.data) {
      const due = nowMs >= this.#limits.nextTimeout(key.establishedMs);
      if (due && this.#limits.reached(key.data, key.establishedMs, nowMs)) active.softReset(nowMs);
    }
    if (active?.lameDuck && nowMs >= active.lameDuck.mustDieMs) {
      active.lameDuck.destroy();
      active.lameDuck = undefined;
      this.#log(D_TLS_DEBUG_LOW, 'TLS: tls_process: killed expiring key');
    }
    if (lameDuck?.lameDuck && nowMs >= lameDuck.lameDuck.mustDieMs) {
      lameDuck.destroy();
      this.sessions.lameDuck = undefined;
      this.#log(D_TLS_DEBUG_LOW, 'TLS: tls_multi_process: killed expiring key');
    }
  }

  /** The newcomer has proven itself: it takes ACTIVE's place. */
  #promote(session: TlsSession): void {
    const { sessions } = this;
    this.#log(D_TLS_DEBUG_LOW, 'TLS: move_session: dest=TM_ACTIVE src=TM_INITIAL reinit_src=1');
    sessions.active?.destroy();
    sessions.active = session;
    sessions.initial = undefined;
    // A new session logs in and negotiates anew.
    this.#identity = undefined;
    this.#params = undefined;
    this.#events.push({ type: 'promoted', session: session.serial });
    this.#settle(session);
    const semi = session.primary.auth === 'KS_AUTH_TRUE' ? '' : 'semi-';
    this.#log(
      D_TLS_DEBUG_LOW,
      `TLS: tls_multi_process: initial untrusted session promoted to ${semi}trusted`,
    );
  }

  /** Where a session's packets come from and go to. */
  #place(session?: TlsSession): LinkAddress {
    return session?.from ?? this.config.address.current ?? CONNECTED_PEER;
  }

  /** From here on the peer is where this session is. */
  #settle(session: TlsSession): void {
    const { from } = session;
    session.from = undefined;
    if (from) this.config.address.moveTo(from);
  }

  /** The name that the peer goes by: its login's, where that counts, as long as the login isn't refused. */
  #nameOf({ identity, auth }: KeyState): string {
    return (auth === 'KS_AUTH_FALSE' ? identity?.commonName : identity?.name) ?? '';
  }

  /** Tells the outcome of the login once the key is active. */
  #settleLogin(key: KeyState): void {
    const session = this.#sessionOf(key);
    if (!session || key.state < S_ACTIVE || !key.identity || key.auth === 'KS_AUTH_DEFERRED') return;
    const { keyId, identity } = key;
    if (key.auth === 'KS_AUTH_FALSE') {
      this.#events.push({ type: 'auth-failed', session: session.serial, keyId, reason: key.authReason });
      return;
    }
    this.#identity = identity;
    if (this.config.role === 'server' && this.config.p2mp) this.#lock.lock(identity);
    const first = !session.wasActive;
    session.wasActive = true;
    this.#events.push({ type: 'active', session: session.serial, keyId, first, identity });
    this.#generate(session);
  }

  /** Data keys for the newest key of a session, as soon as it may have some. */
  #generate(session: TlsSession): void {
    const params = this.#params;
    const { config } = this;
    const key = session.primary;
    if (!params || session !== this.sessions.active || key.state !== S_ACTIVE || key.auth !== 'KS_AUTH_TRUE')
      return;
    const sources = key.takeSources();
    if (!sources || !session.peerId) {
      key.fail('TLS Error: generate_key_expansion failed');
      return;
    }
    let keys: DataKeys | undefined;
    try {
      if (key.keyId === 0 && params.dynTlsCrypt) session.setUpDynamicWrap();
      keys = createDataKeys({
        role: config.role,
        keyId: key.keyId,
        params,
        ownSource: sources.own,
        peerSource: sources.peer,
        ownSessionId: session.ownId,
        peerSessionId: session.peerId,
        exportKeyingMaterial: (label, lengthBytes) => key.exportKeyingMaterial(label, lengthBytes),
        crypto: config.crypto,
        replayWindow: config.replayWindow,
        replaySec: config.replaySec,
        wallSec: () => Math.floor(config.clock.wallMs() / 1000),
        log: config.log,
      });
    } finally {
      zeroKeySource(sources.own);
      zeroKeySource(sources.peer);
    }
    if (!keys) {
      key.fail('TLS Error: generate_key_expansion failed');
      return;
    }
    key.install(keys);
    this.#events.push({ type: 'keys', session: session.serial, keyId: key.keyId });
  }

  /** A key failed: keeps old data keys alive where there are some, else the session is over. */
  #handleFailure(session: TlsSession): void {
    const { sessions } = this;
    const wasActive = session === sessions.active;
    const text = 'TLS handshake failed';
    if (wasActive && session.lameDuck?.usable && !this.config.singleSession) {
      this.#log(D_TLS_DEBUG_LOW, 'TLS: move_session: dest=TM_LAME_DUCK src=TM_ACTIVE reinit_src=1');
      session.primary.destroy();
      sessions.lameDuck?.destroy();
      sessions.lameDuck = session;
    } else session.destroy();
    if (wasActive) sessions.active = undefined;
    else sessions.initial = undefined;
    if (this.config.tcp || !isAnyKeyActive(sessions))
      this.#events.push({ type: 'error', reason: 'tls-error', text });
  }

  /** 0, which is nobody's, for a key whose session is gone. */
  #serialOf(key: KeyState): number {
    return this.#sessionOf(key)?.serial ?? 0;
  }

  #sessionOf(key: KeyState): TlsSession | undefined {
    const { active, initial } = this.sessions;
    if (active?.primary === key) return active;
    return initial?.primary === key ? initial : undefined;
  }

  #log(level: number, text: string): void {
    this.config.log.log(level, text);
  }
}
