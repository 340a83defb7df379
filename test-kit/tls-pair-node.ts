/**
 * Two TlsMulti with the real TLS engine, a wire between them that tests can bend, and a manual clock.
 * TLS answers later, so everything is pumped until both sides are quiet. Test use only.
 */
import { type LinkAddress, ManualClock, MemoryLogger, PacketBatch, PeerAddress } from '../src/base/base.ts';
import { cipherInfo } from '../src/crypto/crypto.ts';
import { createNodeCrypto } from '../src/crypto/crypto-node.ts';
import { createNoWrap } from '../src/reliable/reliable.ts';
import {
  createTlsMulti,
  type DataChannelParams,
  type TlsEvent,
  type TlsMulti,
  type TlsMultiConfig,
} from '../src/ssl/ssl.ts';
import type { SslBackend, TlsEngineConfig } from '../src/ssl/ssl-backend.ts';
import { createNodeSsl } from '../src/ssl/ssl-node.ts';
import { PAIR_SETTINGS } from './tls-pair.ts';
import type { TestCertificate, TestPki } from './tls-pki.ts';

export const CLIENT: LinkAddress = { family: 4, address: '192.0.2.7', port: 40000 };
export const SERVER: LinkAddress = { family: 4, address: '192.0.2.1', port: 1194 };

let engine = createNodeSsl();

/** The TLS engine of all pairs made from here on; node:tls without a call. */
export function usePairEngine(backend: SslBackend): void {
  engine = backend;
}

/** Turns of the event loop without any packet after which the pair counts as quiet. */
const QUIET_TURNS = 6;
const MAX_TURNS = 3000;

export interface Side {
  readonly name: 'client' | 'server';
  multi: TlsMulti;
  readonly log: MemoryLogger;
  readonly events: TlsEvent[];
  /** What happens with an event beside being noted. */
  onEvent: (event: TlsEvent) => void;
}

export interface PairOptions {
  readonly pki: TestPki;
  readonly server: TestCertificate;
  readonly client: Partial<TestCertificate>;
  readonly serverTls?: Partial<TlsEngineConfig>;
  readonly clientTls?: Partial<TlsEngineConfig>;
  readonly both?: Partial<TlsMultiConfig>;
  readonly serverConfig?: Partial<TlsMultiConfig>;
  readonly clientConfig?: Partial<TlsMultiConfig>;
  readonly params?: Partial<DataChannelParams>;
  /** The parts of init and multi are left to the test: no data keys by themselves. */
  readonly manual?: boolean;
}

export class Pair {
  readonly clock = new ManualClock(1_000_000);
  readonly client: Side;
  readonly server: Side;
  /** What becomes of a packet: any number of packets in its place. */
  bend: (packet: Uint8Array, to: Side) => readonly Uint8Array[] = (packet) => [packet];
  /** Packets that arrived, newest last. */
  readonly seen: { readonly packet: Uint8Array; readonly to: Side }[] = [];
  readonly #options: PairOptions;
  readonly #crypto = createNodeCrypto();
  readonly #woken = new Set<Side>();

  constructor(options: PairOptions) {
    this.#options = options;
    this.client = this.#createSide('client');
    this.server = this.#createSide('server');
  }

  get nowMs(): number {
    return this.clock.nowMs();
  }

  get params(): DataChannelParams {
    const cipher = cipherInfo('AES-256-GCM')!;
    const base = { cipher, digest: undefined, peerId: 7, tlsEkm: true, dynTlsCrypt: false, ccExit: true };
    return { ...base, ...this.#options.params };
  }

  /** Starts the client and pumps. */
  async connect(): Promise<void> {
    this.client.multi.start(this.nowMs);
    await this.pump();
  }

  /** Throws a side away and makes it new, as a restarted process would. */
  restart(side: Side): void {
    side.multi.close();
    side.multi = this.#createMulti(side);
  }

  /** Moves packets and lets TLS work until nothing happens any more. */
  async pump(): Promise<void> {
    let quiet = 0;
    for (let turn = 0; turn < MAX_TURNS && quiet < QUIET_TURNS; turn++) {
      const busy = [this.client, this.server].map((side) => this.#drain(side)).includes(true);
      quiet = busy ? 0 : quiet + 1;
      if (!busy) await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** Lets virtual time pass in steps, with timeouts and packets. */
  async run(ms: number, stepMs = 1000): Promise<void> {
    const end = this.nowMs + ms;
    while (this.nowMs < end) {
      this.clock.advance(Math.min(stepMs, end - this.nowMs));
      for (const side of [this.client, this.server]) {
        const next = side.multi.nextTimeout();
        if (next !== undefined && next <= this.nowMs) side.multi.handleTimeout(this.nowMs);
      }
      await this.pump();
    }
  }

  /** Seals at one side, opens at the other: the text that arrived, or why none did. */
  ping(from: Side, text = 'ping'): string {
    const to = from === this.client ? this.server : this.client;
    const keys = from.multi.sealKeys(this.nowMs);
    if (!keys) return 'nothing to seal with';
    const batch = new PacketBatch(1);
    batch.push(new TextEncoder().encode(text));
    keys.seal.sealBatch(batch, 0, 1);
    const open = to.multi.openKeys(batch.packet(0)[0]! & 7);
    if (!open) return 'no such key';
    open.open.openBatch(batch, 0, 1);
    return batch.lengths[0] === 0 ? 'not opened' : batch.packet(0).toString();
  }

  /** Pings both ways. */
  get tunnelWorks(): boolean {
    return this.ping(this.client, 'up') === 'up' && this.ping(this.server, 'down') === 'down';
  }

  close(): void {
    for (const side of [this.client, this.server]) side.multi.close();
  }

  #drain(side: Side): boolean {
    let busy = false;
    if (this.#woken.delete(side)) {
      busy = true;
      side.multi.handleTlsOutput(this.nowMs);
    }
    const to = side === this.client ? this.server : this.client;
    const from = side === this.client ? CLIENT : SERVER;
    for (let out = side.multi.pollTransmit(); out; out = side.multi.pollTransmit()) {
      busy = true;
      for (const packet of this.bend(out.packet, to)) {
        this.seen.push({ packet: packet.slice(), to });
        to.multi.handlePacket(packet, from, this.nowMs);
      }
    }
    for (let event = side.multi.pollEvent(); event; event = side.multi.pollEvent()) {
      busy = true;
      side.events.push(event);
      if (!this.#options.manual && event.type === 'active' && event.first) {
        side.multi.generateDataKeys(this.params, this.nowMs);
      }
      side.onEvent(event);
    }
    return busy;
  }

  #createSide(name: 'client' | 'server'): Side {
    const log = new MemoryLogger();
    const side = { name, log, events: [], onEvent: () => undefined } as unknown as Side;
    side.multi = this.#createMulti(side);
    return side;
  }

  #createMulti(side: Side): TlsMulti {
    const { pki, server, client, both } = this.#options;
    const role = side.name;
    const isServer = role === 'server';
    const tls = {
      role,
      requestCert: isServer,
      ca: [pki.ca.cert],
      ...(isServer ? server : client),
      ...(isServer ? this.#options.serverTls : this.#options.clientTls),
    };
    return createTlsMulti({
      address: new PeerAddress(isServer ? undefined : SERVER),
      role,
      crypto: this.#crypto,
      ssl: engine.createContext(tls),
      wrap: createNoWrap(),
      localOptions: `V4,dev-type tun,key-method 2,tls-${role}`,
      peerInfo: () => (isServer ? '' : 'IV_VER=2.6.14\nIV_PROTO=990\n'),
      ...PAIR_SETTINGS,
      deferAuth: false,
      clock: this.clock,
      log: side.log,
      wake: () => this.#woken.add(side),
      ...both,
      ...(isServer ? this.#options.serverConfig : this.#options.clientConfig),
    });
  }
}
