/**
 * One TLS key of a session (2.x ssl_common.h struct key_state; ssl.c tls_process_state(),
 * session_move_pre_start(), session_move_active()): its handshake, the login behind it, and control messages.
 *
 *   S_INITIAL -> S_PRE_START (own reset queued) -> S_START (own reset acknowledged)
 *     client: -> S_SENT_KEY -> S_GOT_KEY -+
 *     server: -> S_GOT_KEY -> S_SENT_KEY -+-> S_ACTIVE (all acknowledged) -> S_GENERATED_KEYS
 *
 * No key material leaves and none is read before the TLS handshake is over and the peer's chain has
 * passed. While plaintext can't be taken yet, reading from the peer stops, which the receive window
 * turns into back-pressure: memory stays bounded.
 */
import { bytesOfText } from '../base/base.ts';
import { D_CRYPT_ERRORS, D_PUSH_ERRORS, D_TLS_DEBUG_MED, D_TLS_ERRORS } from '../base/errlevel.ts';
import { AckList, op, ReliableReceive, ReliableSend } from '../reliable/reliable.ts';
import { ChainCheck } from './chain-check.ts';
import { destroyDataKeys } from './data-keys.ts';
import { KeyExchange, type ReadKeyMessage } from './key-exchange.ts';
import { type KeyMessage, splitControlMessages } from './key-method-2.ts';
import { decideLogin } from './login.ts';
import type { Credentials, DataKeys, PeerIdentity, TlsMultiConfig } from './ssl.ts';
import type { PeerCertificate, SslSession } from './ssl-backend.ts';
import {
  type AuthState,
  type KeyStateValue,
  S_ACTIVE,
  S_ERROR,
  S_GENERATED_KEYS,
  S_GOT_KEY,
  S_INITIAL,
  S_PRE_START,
  S_SENT_KEY,
  S_START,
  S_UNDEF,
  stateName,
} from './states.ts';
import { NO_PEER_CERTIFICATE, tlsFailureHint, tlsFailureLines, VERIFY_FAILED } from './tls-failure.ts';
import { TlsOutput } from './tls-output.ts';
import { readEarlyNegotiation } from './tlv.ts';

/** TLS bytes taken from the peer that have not led to plaintext we could read; OpenSSL's own limit of a chain is 100 KB. */
const UNREAD_MAX = 128 * 1024;
/** Control messages kept while a renegotiation runs. */
const PENDING_MESSAGES_MAX = 64;
const NO_PAYLOAD = new Uint8Array(0);

/** What a key has to tell, in the order in which it happened. */
export type KeyReport =
  /** A tls-verify script is to judge a certificate: answerVerify(). */
  | { readonly type: 'certificate'; readonly key: KeyState; readonly certificate: PeerCertificate }
  /** Server: a login waits for answerLogin(). */
  | { readonly type: 'login'; readonly key: KeyState; readonly credentials: Credentials | undefined }
  /** S_ACTIVE is reached. */
  | { readonly type: 'active'; readonly key: KeyState }
  /** A control message of the peer. */
  | { readonly type: 'message'; readonly key: KeyState; readonly text: string };

/** What a key needs from the control channel that it belongs to; nothing of it comes back into the key. */
export interface KeyHost {
  readonly config: TlsMultiConfig;
  /** TLS bytes that fit into the key's next packet. */
  payloadBytes(key: KeyState): number;
  /** Whether name and certificates are those that this peer is bound to. */
  isSamePeer(identity: PeerIdentity): boolean;
  /** Keeps a report for when the key's turn is over. */
  report(report: KeyReport): void;
}

export interface KeyStateOptions {
  readonly keyId: number;
  /** Opcode of the reset that this key starts with. */
  readonly opcode: number;
  /** TCP servers hold their reset back until the client's has come. */
  readonly hold: boolean;
  /** Both resets are done already: ids start at 1. */
  readonly skipResets: boolean;
  readonly nowMs: number;
}

export class KeyState {
  readonly keyId: number;
  readonly send: ReliableSend;
  readonly receive: ReliableReceive;
  readonly acks = new AckList();
  #state: KeyStateValue = S_INITIAL;
  #auth: AuthState = 'KS_AUTH_FALSE';
  #authReason: string | undefined;
  #data: DataKeys | undefined;
  #establishedMs = 0;
  #settleMs = 0;
  #mustDieMs = Number.POSITIVE_INFINITY;
  readonly #host: KeyHost;
  readonly #opcode: number;
  readonly #ssl: SslSession;
  #mustNegotiateMs = Number.POSITIVE_INFINITY;
  #check: ChainCheck | undefined;
  #chain: readonly PeerCertificate[] = [];
  readonly #exchange: KeyExchange;
  #pendingMessages: string[] = [];
  #pendingLogin: string[] = [];
  readonly #output = new TlsOutput();
  #unreadBytes = 0;
  /** The server asked for the wrapped client key once more. */
  #resendClientKey = false;

  constructor(host: KeyHost, options: KeyStateOptions) {
    const { config } = host;
    const firstId = options.skipResets ? 1 : 0;
    this.#host = host;
    this.#opcode = options.opcode;
    this.keyId = options.keyId;
    this.send = new ReliableSend({ timeoutMs: config.tlsTimeoutMs, firstId, hold: options.hold });
    this.receive = new ReliableReceive({ firstId });
    config.verify.revocation?.refresh();
    this.#exchange = new KeyExchange(config);
    this.#ssl = config.ssl.createSession(() => config.wake());
    if (options.skipResets) this.#begin(options.nowMs);
  }

  get state(): KeyStateValue {
    return this.#state;
  }

  get auth(): AuthState {
    return this.#auth;
  }

  /** Reason for the client when the login failed. */
  get authReason(): string | undefined {
    return this.#authReason;
  }

  get identity(): PeerIdentity | undefined {
    return this.#exchange.identity;
  }

  get data(): DataKeys | undefined {
    return this.#data;
  }

  get establishedMs(): number {
    return this.#establishedMs;
  }

  /** From this time on the key is preferred over older ones for sending. */
  get settleMs(): number {
    return this.#settleMs;
  }

  /** When a lame duck dies. */
  get mustDieMs(): number {
    return this.#mustDieMs;
  }

  /** Failed or gone: no answer is of use to it any more. */
  get dead(): boolean {
    return this.#state === S_UNDEF || this.#state === S_ERROR;
  }

  get #isClient(): boolean {
    return this.#host.config.role === 'client';
  }

  /** The peer's key message was read: its TLS identity is proven. */
  get hasPeerKey(): boolean {
    return this.#state >= (this.#isClient ? S_GOT_KEY : S_SENT_KEY);
  }

  /** Data can be sealed and opened. */
  get usable(): boolean {
    return this.#state === S_GENERATED_KEYS && this.#auth === 'KS_AUTH_TRUE' && this.#data !== undefined;
  }

  /** Runs as far as it gets. Afterwards state is S_ERROR when it failed; that was logged. */
  advance(nowMs: number): void {
    for (let changed = true; changed && this.#state !== S_ERROR; ) changed = this.#step(nowMs);
  }

  /** The answer of the tls-verify script. */
  answerVerify(ok: boolean): void {
    this.#check?.answer(ok);
  }

  /** The verdict on the login. */
  answerLogin({ ok, reason, username }: { ok: boolean; reason?: string; username?: string }): void {
    this.#auth = ok ? 'KS_AUTH_TRUE' : 'KS_AUTH_FALSE';
    this.#authReason = reason;
    if (username !== undefined) this.#exchange.rename(username);
    this.#writePending();
  }

  /** The data keys, which are the key's to zero from here on. */
  install(keys: DataKeys): void {
    this.#data = keys;
    this.#state = S_GENERATED_KEYS;
  }

  /** Queues a control message; it leaves once the key is active and its login accepted. False when it can't. */
  sendMessage(text: string): boolean {
    if (this.#state >= S_ACTIVE && this.#auth === 'KS_AUTH_FALSE') return false;
    return this.#queueMessage(this.#pendingMessages, text);
  }

  /** The same for what the peer may hear before: it leaves once the key is active. */
  sendLoginMessage(text: string): boolean {
    return this.#queueMessage(this.#pendingLogin, text);
  }

  /** Both key sources, once; the caller zeroes them. */
  takeSources(): ReturnType<KeyExchange['takeSources']> {
    return this.#exchange.takeSources();
  }

  exportKeyingMaterial(label: string, lengthBytes: number): Uint8Array {
    return this.#ssl.exportKeyingMaterial(label, lengthBytes);
  }

  /** Text after "Control Channel: ". */
  describe(): string {
    return this.#ssl.describe();
  }

  /** Earliest time at which this key wants to run; undefined = never by itself. */
  nextTimeout(): number | undefined {
    if (this.#state === S_ERROR) return undefined;
    const retransmit = this.send.nextTimeout() ?? Number.POSITIVE_INFINITY;
    const deadline = this.#state < S_ACTIVE ? this.#mustNegotiateMs : Number.POSITIVE_INFINITY;
    const next = Math.min(retransmit, deadline);
    return next === Number.POSITIVE_INFINITY ? undefined : next;
  }

  /**
   * tls-crypt-v2 client: queues the message that brings the wrapped key along again, with as much TLS output
   * as there is room for, be it none. False when it isn't asked for or was sent already.
   */
  queueClientKey(nowMs: number): boolean {
    const { wrappedClientKey } = this.#host.config.wrap;
    if (!wrappedClientKey || !this.#resendClientKey || this.send.nextId !== 1 || this.send.available === 0)
      return false;
    const room = Math.max(0, this.#host.payloadBytes(this) - wrappedClientKey.length);
    this.send.queue(op.P_CONTROL_WKC_V1, this.#output.take(this.#ssl, room) ?? NO_PAYLOAD, nowMs);
    return true;
  }

  /** Becomes the lame duck: only its data keys live on. */
  retire(mustDieMs: number): void {
    this.#mustDieMs = mustDieMs;
    this.#closeControl();
  }

  /** Gives up with 2.x's closing line. */
  fail(...lines: readonly string[]): void {
    if (this.#state === S_ERROR) return;
    for (const line of lines) this.#log(D_TLS_ERRORS, line);
    this.#state = S_ERROR;
    this.#log(D_TLS_ERRORS, 'TLS Error: TLS handshake failed');
  }

  /** Zeroes everything. */
  destroy(): void {
    this.#closeControl();
    destroyDataKeys(this.#data);
    this.#data = undefined;
    this.#auth = 'KS_AUTH_FALSE';
    this.#state = S_UNDEF;
  }

  #closeControl(): void {
    this.#ssl.close();
    this.send.clear();
    this.receive.clear();
    this.#exchange.close();
    this.#output.clear();
    this.#pendingMessages = [];
    this.#pendingLogin = [];
  }

  #step(nowMs: number): boolean {
    let changed = this.#moveState(nowMs);
    if (this.#feedTls()) changed = true;
    this.#checkPeer();
    if (this.#readPlaintext()) changed = true;
    if (this.#sendKey()) changed = true;
    if (this.#queueCiphertext(nowMs)) changed = true;
    const failure = this.#ssl.failure();
    if (failure !== undefined) this.#failTls(failure);
    return changed;
  }

  #moveState(nowMs: number): boolean {
    if (this.#state === S_INITIAL) {
      this.send.queue(this.#opcode, NO_PAYLOAD, nowMs);
      this.#begin(nowMs);
      return true;
    }
    if (this.#state < S_ACTIVE && nowMs >= this.#mustNegotiateMs) {
      const seconds = Math.floor(this.#host.config.handWindowMs / 1000);
      this.fail(
        `TLS Error: TLS key negotiation failed to occur within ${seconds} seconds (check your network connectivity)`,
      );
      return false;
    }
    if (this.#state === S_PRE_START && this.send.empty) {
      this.#enter(S_START);
      return true;
    }
    const exchanged = this.#state === (this.#isClient ? S_GOT_KEY : S_SENT_KEY);
    if (exchanged && this.#ssl.idle && this.#output.pendingBytes === 0 && this.send.empty) {
      this.#becomeActive(nowMs);
      return true;
    }
    return false;
  }

  #begin(nowMs: number): void {
    const { handWindowMs, renegMs } = this.#host.config;
    this.#mustNegotiateMs = nowMs + handWindowMs;
    this.#settleMs = nowMs + (renegMs > 0 ? Math.min(handWindowMs, renegMs / 2) : handWindowMs);
    this.#enter(S_PRE_START);
  }

  #becomeActive(nowMs: number): void {
    this.#establishedMs = nowMs;
    this.#enter(S_ACTIVE);
    this.#host.report({ type: 'active', key: this });
    this.#writePending();
  }

  #enter(state: KeyStateValue): void {
    this.#state = state;
    this.#log(D_TLS_DEBUG_MED, `STATE ${stateName(state)}`);
  }

  /** Received messages, in order, into TLS. */
  #feedTls(): boolean {
    let changed = false;
    while (this.#unreadBytes < UNREAD_MAX) {
      const message = this.receive.poll();
      if (!message) break;
      changed = true;
      if (message.messageId === 0 && op.isHardReset(message.opcode)) {
        const early = readEarlyNegotiation(message.payload);
        if (!early) {
          this.fail('TLS Error: Early negotiation malformed packet');
          break;
        }
        if (early.resendClientKey) this.#resendClientKey = true;
      } else if (message.payload.length > 0) {
        this.#unreadBytes += message.payload.length;
        this.#ssl.writeCiphertext(message.payload);
      }
    }
    return changed;
  }

  /** Judges the peer's chain once the handshake is over. */
  #checkPeer(): void {
    if (!this.#ssl.handshakeDone || this.#state === S_ERROR) return;
    this.#check ??= this.#startCheck();
    if (this.#check?.state === 'failed') this.#failTls(VERIFY_FAILED);
  }

  /** Undefined when the handshake can't go on. */
  #startCheck(): ChainCheck | undefined {
    const { verify, role, crypto, log, deferVerify } = this.#host.config;
    let problem: ReturnType<SslSession['chainProblem']>;
    try {
      this.#chain = this.#ssl.peerChain();
      problem = this.#ssl.chainProblem();
    } catch (error) {
      this.fail(`TLS Error: ${error instanceof Error ? error.message : 'peer certificate unreadable'}`);
      return undefined;
    }
    if (this.#chain.length === 0 && (role === 'client' || verify.clientCert === 'require')) {
      this.#failTls(NO_PEER_CERTIFICATE);
      return undefined;
    }
    return new ChainCheck({
      chain: this.#chain,
      problem,
      policy: verify,
      log,
      equal: (a, b) => crypto.equal(a, b),
      ask: deferVerify
        ? (certificate) => this.#host.report({ type: 'certificate', key: this, certificate })
        : undefined,
    });
  }

  #readPlaintext(): boolean {
    if (this.#check?.state !== 'passed') return false;
    const waitsForKey = this.#state === (this.#isClient ? S_SENT_KEY : S_START);
    if (!waitsForKey && this.#state < S_ACTIVE) return false;
    const chunk = this.#ssl.readPlaintext();
    if (!chunk) {
      // All that came was understood, or is the beginning of a record whose length TLS itself limits.
      if (this.#state >= S_ACTIVE) this.#unreadBytes = 0;
      return false;
    }
    this.#unreadBytes = 0;
    if (waitsForKey) this.#collectKey(chunk);
    else this.#readMessages(chunk);
    chunk.fill(0);
    return true;
  }

  #collectKey(chunk: Uint8Array): void {
    const commonName = this.#check?.commonName ?? '';
    const read = this.#exchange.read(chunk, { commonName, chain: this.#chain });
    if (read === 'incomplete') return;
    if ('problem' in read) this.fail(read.problem);
    else if (this.#accepts(read)) this.#enter(S_GOT_KEY);
  }

  /** False when the handshake can't go on. */
  #accepts({ message, identity, consistent }: ReadKeyMessage): boolean {
    if (this.#isClient) this.#auth = 'KS_AUTH_TRUE';
    else if (this.#host.config.optVerify && !consistent) {
      this.#log(D_TLS_ERRORS, 'Option inconsistency warnings triggering disconnect due to --opt-verify');
    } else return this.#admit(message, identity);
    return true;
  }

  /** Server: starts the login. False when the handshake can't go on. */
  #admit(message: KeyMessage, identity: PeerIdentity): boolean {
    const login = decideLogin(message, this.#host.config, identity);
    if (login.type === 'fail') {
      this.fail(login.text);
      return false;
    }
    if (login.type === 'refused') {
      this.#log(D_TLS_ERRORS, login.text);
      this.#authReason = login.reason;
    } else if (this.#host.isSamePeer(identity)) {
      this.#auth = login.type === 'ask' ? 'KS_AUTH_DEFERRED' : 'KS_AUTH_TRUE';
      if (login.type === 'ask')
        this.#host.report({ type: 'login', key: this, credentials: login.credentials });
    }
    return true;
  }

  #readMessages(chunk: Uint8Array): void {
    const { messages, invalid } = splitControlMessages(chunk);
    for (const bytes of invalid) {
      const hex = Array.from(bytes.subarray(0, 256), (byte) => byte.toString(16).padStart(2, '0')).join('');
      this.#log(D_PUSH_ERRORS, `WARNING: Received control with invalid characters: ${hex}`);
    }
    for (const text of messages) this.#host.report({ type: 'message', key: this, text });
  }

  #sendKey(): boolean {
    if (this.#check?.state !== 'passed' || this.#state !== (this.#isClient ? S_START : S_GOT_KEY))
      return false;
    const bytes = this.#exchange.write();
    if (bytes === 'pending') return false;
    if (bytes === 'too-long') {
      this.fail('TLS Error: Key Method #2 write failed');
      return false;
    }
    this.#ssl.writePlaintext(bytes);
    bytes.fill(0);
    this.#enter(S_SENT_KEY);
    return true;
  }

  #queueMessage(queue: string[], text: string): boolean {
    if (queue.length >= PENDING_MESSAGES_MAX) return false;
    queue.push(text);
    this.#writePending();
    return true;
  }

  /** What waits and may go: words about the login first, which came before its verdict. */
  #writePending(): void {
    if (this.#state < S_ACTIVE) return;
    for (const text of this.#pendingLogin.splice(0)) this.#writeMessage(text);
    if (this.#auth !== 'KS_AUTH_TRUE') return;
    for (const text of this.#pendingMessages.splice(0)) this.#writeMessage(text);
  }

  #writeMessage(text: string): void {
    const bytes = bytesOfText(`${text}\0`);
    this.#ssl.writePlaintext(bytes);
    bytes.fill(0);
  }

  /** TLS output into the send window, in packets as full as they may be. */
  #queueCiphertext(nowMs: number): boolean {
    if (this.#state < S_START) return false;
    // Our last flight, a client's certificate in it, waits for the verdict on the peer.
    if (this.#ssl.handshakeDone && this.#check?.state !== 'passed') return false;
    let changed = this.#output.has(this.#ssl) && this.queueClientKey(nowMs);
    while (this.send.available > 0) {
      const chunk = this.#output.take(this.#ssl, this.#host.payloadBytes(this));
      if (!chunk) break;
      this.send.queue(op.P_CONTROL_V1, chunk, nowMs);
      changed = true;
    }
    return changed;
  }

  #failTls(opensslText: string): void {
    const hint = tlsFailureHint(opensslText);
    if (hint !== undefined) this.#log(D_CRYPT_ERRORS, hint);
    this.fail(...tlsFailureLines(opensslText));
  }

  #log(level: number, text: string): void {
    this.#host.config.log.log(level, text);
  }
}
