/**
 * A whole control channel in memory: two TlsMulti, client and server, over a seeded lossy wire,
 * with a manual clock and the scripted TLS engine. A UDP server stands behind a CookieHandshake.
 * Plays the parts of init and multi: logins, PUSH_REQUEST and PUSH_REPLY, data keys.
 */
import { type LinkAddress, ManualClock, nullLogger, PacketBatch } from '../src/base/base.ts';
import { cipherInfo } from '../src/crypto/crypto.ts';
import { createNodeCrypto } from '../src/crypto/crypto-node.ts';
import { type ControlWrap, createNoWrap } from '../src/reliable/reliable.ts';
import {
  createTlsMulti,
  type DataChannelParams,
  type TlsEvent,
  type TlsMulti,
  type TlsMultiConfig,
} from '../src/ssl/ssl.ts';
import { FirstPackets } from './first-packets.ts';
import { LossyWire, type LossyWireOptions } from './lossy-wire.ts';
import { ScriptedSsl, type ScriptedSslOptions } from './scripted-ssl.ts';

const CLIENT: LinkAddress = { family: 4, address: '192.0.2.7', port: 40000 };
const SERVER: LinkAddress = { family: 4, address: '192.0.2.1', port: 1194 };
/** How often a client asks for its settings (2.x PUSH_REQUEST_INTERVAL). */
const PUSH_REQUEST_MS = 5000;
/** As --ping-restart has it, and a client that waits for PUSH_REPLY (push/push-requester.ts). */
const SILENCE_MS = 60_000;
const MAX_STEPS = 200_000;
const crypto = createNodeCrypto();

export interface TlsPairOptions extends LossyWireOptions {
  readonly wraps?: readonly [client: ControlWrap, server: ControlWrap];
  readonly params?: Partial<DataChannelParams>;
  /** Overrides for both sides, then for each. */
  readonly config?: Partial<TlsMultiConfig>;
  readonly clientConfig?: Partial<TlsMultiConfig>;
  readonly serverConfig?: Partial<TlsMultiConfig>;
  readonly ssl?: Partial<ScriptedSslOptions>;
  /** What the server says to logins. */
  readonly login?: (username: string | undefined) => boolean;
  /** Time that a login takes. */
  readonly loginMs?: number;
  /** A side that ends with an error starts anew, as init and multi let it. */
  readonly recovers?: boolean;
}

/** One side with what happened to it. */
export interface TlsSide {
  readonly name: 'client' | 'server';
  readonly address: LinkAddress;
  multi: TlsMulti | undefined;
  readonly events: TlsEvent[];
}

/** What both kinds of pairs of sessions use: 2.x's defaults over UDP, without renegotiations by time or amount. */
export const PAIR_SETTINGS = {
  p2mp: true,
  verify: { chain: true, clientCert: 'require' },
  remoteOptions: '',
  occ: true,
  needCredentials: false,
  deferVerify: false,
  tlsTimeoutMs: 2000,
  handWindowMs: 60_000,
  transitionWindowMs: 3_600_000,
  renegMs: 0,
  renegBytes: 0,
  renegPackets: 0,
  tlsMtu: 1250,
  linkOverheadBytes: 28,
  tcp: false,
  singleSession: false,
  replayWindow: 64,
  replaySec: 15,
} as const;

export class TlsPair {
  readonly clock = new ManualClock();
  readonly client: TlsSide = { name: 'client', address: CLIENT, multi: undefined, events: [] };
  readonly server: TlsSide = { name: 'server', address: SERVER, multi: undefined, events: [] };
  readonly wire: LossyWire<LinkAddress>;
  readonly ssl: ScriptedSsl;
  /** Whether the wire is cut: everything sent is lost. */
  cut = false;
  /** Times that a side ended with an error and started anew. */
  recoveries = 0;
  /** Longest control packet seen on the wire, bytes. */
  longestPacket = 0;
  readonly #batch = new PacketBatch(1);
  readonly #encoder = new TextEncoder();
  readonly #options: TlsPairOptions;
  readonly #params: DataChannelParams;
  readonly #cookie: FirstPackets;
  readonly #logins: { readonly dueMs: number; readonly answer: () => void }[] = [];
  #nextPushRequestMs: number | undefined;
  /** When a client notices that its server is gone: no pings. */
  #silenceEndMs: number | undefined;
  /** When a client stops to wait for PUSH_REPLY. */
  #pushEndMs: number | undefined;
  #pushed = false;

  constructor(options: TlsPairOptions) {
    this.#options = options;
    this.wire = new LossyWire(options);
    this.ssl = new ScriptedSsl({ seed: options.seed, ...options.ssl });
    const cipher = cipherInfo('AES-256-GCM');
    if (!cipher) throw new Error('AES-256-GCM is missing');
    const base = { cipher, digest: undefined, peerId: 0, tlsEkm: false, dynTlsCrypt: false, ccExit: true };
    this.#params = { ...base, ...options.params };
    this.#cookie = new FirstPackets({ wrap: this.#wrap('server'), crypto });
    this.client.multi = this.#create(this.client);
    this.client.multi.start(this.nowMs);
  }

  get nowMs(): number {
    return this.clock.nowMs();
  }

  /** Whether both sides have a key to send with. */
  get connected(): boolean {
    return [this.client, this.server].every((side) => side.multi?.sealKeys(this.nowMs) !== undefined);
  }

  /** Lets things happen until `done()` or for `limitMs`. Says whether it was done. */
  runUntil(done: () => boolean, limitMs: number): boolean {
    const endMs = this.nowMs + limitMs;
    for (let step = 0; step < MAX_STEPS; step++) {
      this.#settle();
      if (done()) return true;
      const next = this.#nextTime();
      if (next === undefined || next > endMs) {
        this.clock.advanceTo(endMs);
        this.#settle();
        return done();
      }
      this.clock.advanceTo(next);
      this.#deliver();
    }
    throw new Error('the pair never comes to rest');
  }

  /** Lets `ms` pass. */
  run(ms: number): void {
    this.runUntil(() => false, ms);
  }

  /** A new client process on the same address and port; the server isn't told. */
  restartClient(): void {
    this.client.multi?.close();
    this.client.events.length = 0;
    this.#nextPushRequestMs = undefined;
    this.#silenceEndMs = undefined;
    this.#pushEndMs = undefined;
    this.client.multi = this.#create(this.client);
    this.client.multi.start(this.nowMs);
  }

  /** Seals a packet at one side and opens it at the other, without the wire. The opened text, or why not. */
  ping(from: TlsSide, text = 'ping'): string {
    const to = from === this.client ? this.server : this.client;
    const keys = from.multi?.sealKeys(this.nowMs);
    if (!keys) return 'nothing to seal with';
    const batch = this.#batch;
    batch.clear();
    batch.push(this.#encoder.encode(text));
    if (keys.seal.sealBatch(batch, 0, 1) !== 1) return 'not sealed';
    const peerKeys = to.multi?.openKeys(batch.packet(0)[0]! & 7);
    if (!peerKeys) return `peer has no key ${batch.packet(0)[0]! & 7}`;
    peerKeys.open.openBatch(batch, 0, 1);
    return batch.lengths[0] === 0 ? `not opened: ${batch.status[0]}` : batch.packet(0).toString();
  }

  close(): void {
    for (const side of [this.client, this.server]) side.multi?.close();
  }

  #wrap(name: 'client' | 'server'): ControlWrap {
    return this.#options.wraps?.[name === 'client' ? 0 : 1] ?? createNoWrap();
  }

  #create(side: TlsSide): TlsMulti {
    const role = side.name;
    return createTlsMulti({
      wake: () => side.multi?.handleTlsOutput(this.nowMs),
      role,
      crypto,
      ssl: this.ssl.createContext({ role, requestCert: role === 'server' }),
      wrap: this.#wrap(role),
      localOptions: `V4,dev-type tun,link-mtu 1549,tun-mtu 1500,proto UDPv4,auth SHA1,keysize 256,key-method 2,tls-${role}`,
      peerInfo: () => (role === 'client' ? 'IV_VER=2.6.14\nIV_PROTO=990\n' : ''),
      ...PAIR_SETTINGS,
      deferAuth: true,
      clock: this.clock,
      log: nullLogger,
      ...this.#options.config,
      ...(role === 'client' ? this.#options.clientConfig : this.#options.serverConfig),
    });
  }

  #nextTime(): number | undefined {
    const times = [
      this.wire.nextDelivery(),
      this.client.multi?.nextTimeout(),
      this.server.multi?.nextTimeout(),
      this.#nextPushRequestMs,
      this.#silenceEndMs,
      this.#pushEndMs,
      ...this.#logins.map((login) => login.dueMs),
    ].filter((time) => time !== undefined);
    return times.length > 0 ? Math.min(...times) : undefined;
  }

  /** What has arrived and what is due at this time. */
  #deliver(): void {
    for (let hit = this.wire.poll(this.nowMs); hit; hit = this.wire.poll(this.nowMs)) {
      if (hit.to === CLIENT) this.client.multi?.handlePacket(hit.packet, hit.from, this.nowMs);
      else this.#deliverToServer(hit.packet, hit.from);
      this.#settle();
    }
    const due = this.#logins.filter((login) => login.dueMs <= this.nowMs);
    for (const login of due) {
      this.#logins.splice(this.#logins.indexOf(login), 1);
      login.answer();
    }
    for (const side of [this.client, this.server]) side.multi?.handleTimeout(this.nowMs);
    if (this.#nextPushRequestMs !== undefined && this.#nextPushRequestMs <= this.nowMs) this.#requestPush();
    const endMs = Math.min(this.#silenceEndMs ?? Infinity, this.#pushEndMs ?? Infinity);
    if (endMs <= this.nowMs) this.restartClient();
  }

  #deliverToServer(packet: Uint8Array, from: LinkAddress): void {
    if (this.#options.config?.tcp) this.server.multi ??= this.#create(this.server);
    if (this.server.multi) {
      this.server.multi.handlePacket(packet, from, this.nowMs);
      return;
    }
    const verdict = this.#cookie.handle(packet, from, Math.floor(this.clock.wallMs() / 1000), this.nowMs);
    if (verdict.type === 'reply') this.wire.send(verdict.packet, SERVER, from, this.nowMs);
    if (verdict.type !== 'established') return;
    this.server.multi = this.#create(this.server);
    const ids = { own: verdict.ownSessionId, peer: verdict.peerSessionId };
    this.server.multi.startFromCookie(ids, packet, from, this.nowMs);
  }

  /** Sends, answers and lets TLS work until nobody has anything left to do at this time. */
  #settle(): void {
    for (let round = 0; round < MAX_STEPS; round++) {
      let busy = this.ssl.run();
      for (const side of [this.client, this.server]) if (this.#drain(side)) busy = true;
      if (!busy) return;
    }
    throw new Error('the pair is busy for ever');
  }

  #drain(side: TlsSide): boolean {
    let busy = false;
    for (let out = side.multi?.pollTransmit(); out; out = side.multi?.pollTransmit()) {
      busy = true;
      this.longestPacket = Math.max(this.longestPacket, out.packet.length);
      if (this.cut) continue;
      this.wire.send(out.packet, side.address, side === this.client ? SERVER : CLIENT, this.nowMs);
    }
    for (let event = side.multi?.pollEvent(); event; event = side.multi?.pollEvent()) {
      busy = true;
      side.events.push(event);
      this.#handleEvent(side, event);
    }
    return busy;
  }

  #handleEvent(side: TlsSide, event: TlsEvent): void {
    if (event.type === 'authenticate') {
      const ok = this.#options.login?.(event.credentials?.username) ?? true;
      const answer = () => side.multi?.handleAuthResult(event.id, { ok }, this.nowMs);
      this.#logins.push({ dueMs: this.nowMs + (this.#options.loginMs ?? 0), answer });
    } else if (event.type === 'error' && this.#options.recovers) {
      this.#recover(side);
    } else if (event.type === 'active' && event.first) {
      if (side === this.server) this.#pushed = false;
      else this.#requestPush();
    } else if (event.type === 'message') {
      this.#handleMessage(side, event.text);
    }
  }

  #recover(side: TlsSide): void {
    this.recoveries++;
    if (side === this.client) {
      this.restartClient();
      return;
    }
    side.multi?.close();
    side.multi = undefined;
    this.#silenceEndMs = this.nowMs + SILENCE_MS;
  }

  #requestPush(): void {
    this.client.multi?.sendMessage('PUSH_REQUEST', this.nowMs);
    this.#nextPushRequestMs = this.nowMs + PUSH_REQUEST_MS;
    this.#pushEndMs ??= this.nowMs + SILENCE_MS;
  }

  #handleMessage(side: TlsSide, text: string): void {
    if (side === this.server && text === 'PUSH_REQUEST') {
      if (!this.#pushed) side.multi?.generateDataKeys(this.#params, this.nowMs);
      if (!this.#pushed) side.multi?.sendMessage('PUSH_REPLY,peer-id 0', this.nowMs);
      this.#pushed = true;
    } else if (side === this.client && text.startsWith('PUSH_REPLY')) {
      this.#nextPushRequestMs = undefined;
      this.#pushEndMs = undefined;
      side.multi?.generateDataKeys(this.#params, this.nowMs);
    }
  }
}
