/**
 * A whole control channel in memory: two peers, client and server, over a seeded lossy wire,
 * with a manual clock and the scripted TLS engine. A UDP server stands behind a CookieHandshake.
 * Their owners answer logins, ask for settings and push them, and make data keys.
 */
import { type LinkAddress, ManualClock, nullLogger, PacketBatch, PeerAddress } from '../src/base/base.ts';
import { cipherInfo } from '../src/crypto/crypto.ts';
import { createNodeCrypto } from '../src/crypto/crypto-node.ts';
import {
  createDataChannel,
  type DataChannel,
  type DataKeySource,
  newLinkCounters,
} from '../src/forward/forward.ts';
import { OFF_TIMERS } from '../src/forward/ping.ts';
import { Driver, Peer, type PeerEvent, type PeerOwner } from '../src/peer/peer.ts';
import { type ControlWrap, createNoWrap } from '../src/reliable/reliable.ts';
import {
  createTlsMulti,
  type DataChannelParams,
  type TlsMulti,
  type TlsMultiConfig,
} from '../src/ssl/ssl.ts';
import { FirstPackets } from './first-packets.ts';
import { TUN_FRAME } from './frames.ts';
import { LossyWire, type LossyWireOptions } from './lossy-wire.ts';
import { ManualAlarm } from './manual-alarm.ts';
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
  peer: Peer | undefined;
  /** The peer's control channel, to look at and to begin renegotiations. */
  multi: TlsMulti | undefined;
  readonly events: PeerEvent[];
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
  readonly client: TlsSide = {
    name: 'client',
    address: CLIENT,
    peer: undefined,
    multi: undefined,
    events: [],
  };
  readonly server: TlsSide = {
    name: 'server',
    address: SERVER,
    peer: undefined,
    multi: undefined,
    events: [],
  };
  readonly wire: LossyWire<LinkAddress>;
  readonly ssl: ScriptedSsl;
  /** Whether the wire is cut: everything sent is lost. */
  cut = false;
  /** Times that a side ended with an error and started anew. */
  recoveries = 0;
  /** Longest control packet seen on the wire, bytes. */
  longestPacket = 0;
  readonly #alarm = new ManualAlarm();
  readonly #driver = new Driver(this.clock, this.#alarm);
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
    this.#startClient();
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
    this.client.peer?.close();
    this.client.events.length = 0;
    this.#nextPushRequestMs = undefined;
    this.#silenceEndMs = undefined;
    this.#pushEndMs = undefined;
    this.#startClient();
  }

  /** A control packet comes in that the other side hasn't sent. */
  inject(to: TlsSide, packet: Uint8Array, from: LinkAddress): void {
    to.peer?.handlePacket(packet, from, this.nowMs);
    to.peer?.drive(this.nowMs);
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
    for (const side of [this.client, this.server]) side.peer?.close();
  }

  #wrap(name: 'client' | 'server'): ControlWrap {
    return this.#options.wraps?.[name === 'client' ? 0 : 1] ?? createNoWrap();
  }

  #startClient(): void {
    this.#create(this.client, SERVER).start(this.nowMs);
  }

  #create(side: TlsSide, remote: LinkAddress): Peer {
    side.peer = new Peer({
      driver: this.#driver,
      address: new PeerAddress(remote),
      createControl: (address, wake) => {
        side.multi = createTlsMulti({ ...this.#config(side.name), address, wake });
        return side.multi;
      },
      createData: (keys) => silentData(keys, this.nowMs),
      owner: this.#ownerOf(side),
      log: nullLogger,
    });
    return side.peer;
  }

  #config(role: 'client' | 'server'): Omit<TlsMultiConfig, 'address' | 'wake'> {
    return {
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
    };
  }

  #ownerOf(side: TlsSide): PeerOwner {
    return {
      peerName: side.name,
      sendControl: (packet) => this.#send(side, packet),
      sendService: () => undefined,
      handleEvent: (event) => {
        side.events.push(event);
        this.#handleEvent(side, event);
      },
      poll: () => undefined,
      nextTimeout: () => Number.POSITIVE_INFINITY,
      handleTimeout: () => true,
      handleFault: (_entry, error) => {
        throw error;
      },
    };
  }

  #send(side: TlsSide, packet: Uint8Array): void {
    this.longestPacket = Math.max(this.longestPacket, packet.length);
    if (this.cut) return;
    this.wire.send(packet, side.address, side === this.client ? SERVER : CLIENT, this.nowMs);
  }

  #nextTime(): number | undefined {
    const times = [
      this.wire.nextDelivery(),
      this.#alarm.atMs,
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
      if (hit.to === CLIENT) this.inject(this.client, hit.packet, hit.from);
      else this.#deliverToServer(hit.packet, hit.from);
      this.#settle();
    }
    const due = this.#logins.filter((login) => login.dueMs <= this.nowMs);
    for (const login of due) {
      this.#logins.splice(this.#logins.indexOf(login), 1);
      login.answer();
    }
    this.#alarm.ring(this.nowMs);
    if (this.#nextPushRequestMs !== undefined && this.#nextPushRequestMs <= this.nowMs) this.#requestPush();
    const endMs = Math.min(this.#silenceEndMs ?? Infinity, this.#pushEndMs ?? Infinity);
    if (endMs <= this.nowMs) this.restartClient();
  }

  #deliverToServer(packet: Uint8Array, from: LinkAddress): void {
    if (this.#options.config?.tcp && !this.server.peer) this.#create(this.server, from);
    if (this.server.peer) {
      this.inject(this.server, packet, from);
      return;
    }
    const verdict = this.#cookie.handle(packet, from, Math.floor(this.clock.wallMs() / 1000), this.nowMs);
    if (verdict.type === 'reply') this.wire.send(verdict.packet, SERVER, from, this.nowMs);
    if (verdict.type !== 'established') return;
    const ids = { own: verdict.ownSessionId, peer: verdict.peerSessionId };
    const peer = this.#create(this.server, from);
    peer.startFromCookie(ids, packet, from, this.nowMs);
    peer.drive(this.nowMs);
  }

  /** Lets TLS work until nobody has anything left to do at this time. */
  #settle(): void {
    for (let round = 0; round < MAX_STEPS; round++) {
      const busy = this.ssl.run();
      for (const side of [this.client, this.server]) side.peer?.drive(this.nowMs);
      if (!this.#alarm.runSoon() && !busy) return;
    }
    throw new Error('the pair is busy for ever');
  }

  #handleEvent(side: TlsSide, event: PeerEvent): void {
    if (event.type === 'authenticate') {
      const ok = this.#options.login?.(event.credentials?.username) ?? true;
      const { peer } = side;
      const answer = () => peer?.answer({ to: 'authenticate', id: event.id, ok });
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
    side.peer?.close();
    side.peer = undefined;
    side.multi = undefined;
    this.#silenceEndMs = this.nowMs + SILENCE_MS;
  }

  #requestPush(): void {
    this.client.peer?.sendMessage('PUSH_REQUEST', this.nowMs);
    this.#nextPushRequestMs = this.nowMs + PUSH_REQUEST_MS;
    this.#pushEndMs ??= this.nowMs + SILENCE_MS;
  }

  #handleMessage(side: TlsSide, text: string): void {
    if (side === this.server && text === 'PUSH_REQUEST') {
      if (!this.#pushed) side.peer?.generateDataKeys(this.#params, this.nowMs);
      if (!this.#pushed) side.peer?.sendMessage('PUSH_REPLY,peer-id 0', this.nowMs);
      this.#pushed = true;
    } else if (side === this.client && text.startsWith('PUSH_REPLY')) {
      this.#nextPushRequestMs = undefined;
      this.#pushEndMs = undefined;
      side.peer?.generateDataKeys(this.#params, this.nowMs);
    }
  }
}

/** A data channel that has nothing to say itself. */
function silentData(keys: DataKeySource, nowMs: number): DataChannel {
  return createDataChannel(
    {
      keys,
      frame: TUN_FRAME,
      timers: OFF_TIMERS,
      occ: { localOptions: undefined, mtuTest: false, randomBytes: (length) => new Uint8Array(length) },
      log: nullLogger,
      counters: newLinkCounters(),
      muteReplayWarnings: true,
    },
    nowMs,
  );
}
