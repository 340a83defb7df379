/**
 * Whole servers and clients through the library face in one process: memory sockets, memory devices, a
 * recorded network configuration, recorded scripts, and time that only moves in run() and until().
 *
 * Timers and clocks are vitest's fake ones; immediates, microtasks and file access stay real, since the TLS
 * engine (node:tls) and temporary files need them. Each step lets all of that come to rest, then moves time
 * to the next timer or packet, at most by a step that grows while nothing happens.
 */
import { vi } from 'vitest';
import {
  type Clock,
  createClient,
  createServer,
  type ExternalKey,
  MemoryLogger,
  type ParseResult,
  parseConfig,
  type StateInfo,
  type Tunnel,
  type TunnelOptions,
  type TunnelState,
} from '../src/index.ts';
import { DryRunNetwork, type DryRunOptions } from '../src/route/networking-dry-run.ts';
import type { MemoryNetOptions } from '../src/socket/link-memory.ts';
import { createNativeSsl } from '../src/ssl/ssl-native.ts';
import { createTunMemory } from '../src/tun/tun-memory.ts';
import { MemoryInternet, type MemorySockets } from './memory-sockets.ts';
import { addonForTests } from './native-addon.ts';
import { RecordedScripts } from './recorded-scripts.ts';
import { type TestCertificate, TestPki } from './tls-pki.ts';
import { TunHost } from './tun-host.ts';

export const SERVER_ADDRESS = '192.0.2.1';
const FIRST_STEP_MS = 10;
const MOST_STEP_MS = 1000;
const STEP_GROWTH = 1.5;
/** Turns of the event loop without any activity after which all is at rest. */
const QUIET_TURNS = 4;
const MOST_TURNS = 5000;
const LOG_TAIL = 25;
/** Names of file accesses among Node's active resources. */
const FILE_REQUEST = /^(FSReq|CloseReq)/;

export interface StationParts extends DryRunOptions {
  /** Address on the memory internet; the server's is SERVER_ADDRESS. */
  readonly address?: string;
  readonly address6?: string;
  readonly verb?: number;
  /** Scripts of an earlier life, to go on recording. */
  readonly scripts?: RecordedScripts;
  /** Takes the private key out of the configuration, to sign by itself; the addon's TLS engine asks it. */
  readonly holdKey?: (pem: string) => ExternalKey;
  /** Other parts that the caller of the library brings along. */
  readonly library?: TunnelOptions;
  /** A configuration that was parsed already, in place of the text. */
  readonly config?: ParseResult;
  /** Of start(). */
  readonly signal?: AbortSignal;
}

/** One server or client with everything that it touched. */
export class Station {
  readonly tunnel: Tunnel;
  readonly log: MemoryLogger;
  readonly network: DryRunNetwork;
  readonly scripts: RecordedScripts;
  readonly sockets: MemorySockets;
  /** Every device that was opened, the present one last. */
  readonly hosts: TunHost[] = [];
  /** Each state that it came to, with what goes with it. */
  readonly infos: (readonly [TunnelState, StateInfo])[] = [];
  readonly warnings: string[] = [];
  readonly config: ParseResult;
  /** What start() was rejected with. */
  startError: unknown;
  /** Set when the tunnel ended; `error` when it could not go on. */
  ended: { readonly error: Error | undefined } | undefined;

  constructor(kind: 'server' | 'client', config: string, world: TunnelWorld, parts: StationParts) {
    this.log = new MemoryLogger(parts.verb ?? 4);
    this.network = new DryRunNetwork(parts);
    this.scripts = parts.scripts ?? new RecordedScripts();
    this.sockets = world.internet.host(parts.address ?? SERVER_ADDRESS, parts.address6 ?? '2001:db8::1');
    const create = kind === 'server' ? createServer : createClient;
    const held = parts.holdKey && takeKey(config, parts.holdKey);
    this.config =
      parts.config ??
      parseConfig(held?.config ?? config, {
        externalKey: held !== undefined,
        judgesLogins: parts.library?.hooks?.authUserPassVerify !== undefined,
      });
    this.tunnel = create(this.config, {
      ...held?.parts,
      log: this.log,
      network: this.network,
      scripts: this.scripts,
      socket: this.sockets,
      clock: world.clock,
      tun: createTunMemory((system) => void this.hosts.push(new TunHost(system))),
      random: () => 0.5,
      ...parts.library,
    });
    this.tunnel.on('state', (state, info) => this.infos.push([state, info]));
    this.tunnel.on('warning', (text) => this.warnings.push(text));
    this.tunnel.on('end', (error) => {
      this.ended = { error };
    });
  }

  get states(): TunnelState[] {
    return this.infos.map(([state]) => state);
  }

  /** Completed initialisations so far. */
  get ups(): number {
    return this.count('Initialization Sequence Completed');
  }

  get host(): TunHost {
    const last = this.hosts.at(-1);
    if (!last) throw new Error('no device was opened');
    return last;
  }

  /** The first IPv4 address that the device has. */
  get address(): string {
    return this.#address(/ (\d+\.\d+\.\d+\.\d+)(?:\/| peer)/);
  }

  get address6(): string {
    return this.#address(/ ([\da-f:]*:[\da-f:]*)\//);
  }

  /** Log lines that contain a text or match. */
  lines(what: string | RegExp): string[] {
    return this.log.lines.filter((line) =>
      typeof what === 'string' ? line.includes(what) : what.test(line),
    );
  }

  count(what: string | RegExp): number {
    return this.lines(what).length;
  }

  #address(pattern: RegExp): string {
    for (const line of this.network.addresses) {
      const found = pattern.exec(line)?.[1];
      if (found !== undefined) return found;
    }
    throw new Error(`no address in ${JSON.stringify(this.network.addresses)}`);
  }
}

export class TunnelWorld {
  readonly internet: MemoryInternet;
  readonly clock: Clock = { nowMs: () => performance.now(), wallMs: () => Date.now() };
  readonly #stations: Station[] = [];
  #stepMs = FIRST_STEP_MS;
  #clients = 0;
  #pings = 0;
  #killed = 0;

  constructor(options: MemoryNetOptions = {}) {
    vi.useFakeTimers({
      toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'Date', 'performance'],
    });
    this.internet = new MemoryInternet({ latencyMs: 2, ...options });
  }

  get nowMs(): number {
    return performance.now();
  }

  /** Starts a server; it is up some steps later. */
  server(extra = '', parts: StationParts = {}): Station {
    const { ca, server } = worldPki();
    const net = /^ifconfig-pool /m.test(extra) ? '' : 'server 10.8.0.0 255.255.255.0\n';
    return this.#start('server', `${SERVER}${net}${extra}\n${inline(ca, server)}`, parts);
  }

  /** Starts a client with the certificate of `name` at an address of its own; its remote is the server unless told. */
  client(name: WorldName, extra = '', parts: StationParts = {}): Station {
    const { ca, [name]: own } = worldPki();
    const number = 10 + this.#clients++;
    const address = { address: `198.51.100.${number}`, address6: `2001:db8:1::${number}` };
    const remote = /^remote /m.test(extra) ? '' : `remote ${SERVER_ADDRESS} 1194\n`;
    const bind = /^(local|lport) /m.test(extra) ? '' : 'nobind\n';
    return this.#start('client', `${CLIENT}${bind}${remote}${extra}\n${inline(ca, own)}`, {
      ...address,
      ...parts,
    });
  }

  /**
   * Starts a peer without --pull and --mode server from its whole configuration, which may ask for the
   * certificate of `name`. Its address is the server's, or with `parts` its own.
   */
  peer(config: string, name: WorldName | 'server' | undefined, parts: StationParts = {}): Station {
    const pki = worldPki();
    return this.#start('client', `${config}\n${name ? inline(pki.ca, pki[name]) : ''}`, parts);
  }

  /** Starts a server and waits until it is up. */
  async serving(extra = '', parts: StationParts = {}): Promise<Station> {
    const server = this.server(extra, parts);
    await this.until(() => server.ups > 0 || server.ended !== undefined);
    if (server.ended?.error) throw server.ended.error;
    return server;
  }

  /** Starts a client and waits until it is up. */
  async connected(name: WorldName, extra = '', parts: StationParts = {}): Promise<Station> {
    const client = this.client(name, extra, parts);
    await this.until(() => client.ups > 0);
    return client;
  }

  /** Whether an answer came through the tunnel within a second. */
  async ping(from: Station, to: string, source = from.address): Promise<boolean> {
    const text = `ping ${++this.#pings}`;
    const before = from.host.received.length;
    from.host.send(source, to, text);
    const answer = text.replace('ping', 'pong');
    const came = (): boolean => from.host.received.slice(before).some((packet) => packet.text === answer);
    const endMs = this.nowMs + 1000;
    while (!came() && this.nowMs < endMs) await this.#step(endMs);
    return came();
  }

  /** Moves time on until the condition holds; throws with the ends of all logs when it doesn't in time. */
  async until(condition: () => boolean, limitMs = 20_000): Promise<void> {
    const endMs = this.nowMs + limitMs;
    for (;;) {
      await this.settle();
      if (condition()) return;
      if (this.nowMs >= endMs) throw new Error(`not within ${limitMs} ms: ${condition}\n${this.#logs()}`);
      await this.#step(endMs);
    }
  }

  async run(ms: number): Promise<void> {
    const endMs = this.nowMs + ms;
    while (this.nowMs < endMs) await this.#step(endMs);
    await this.settle();
  }

  /** Takes a station off the network for good, as when its power went; its addresses are free again. */
  kill({ sockets }: Station): void {
    sockets.unplugged = true;
    for (const link of sockets.links.filter((one) => !one.closed)) {
      link.moveTo({ family: 4, address: '203.0.113.254', port: 1 + this.#killed++ });
    }
  }

  /** Ends a station in order. */
  async stop(station: Station): Promise<void> {
    void station.tunnel.stop().catch(() => undefined);
    await this.until(() => station.ended !== undefined, 60_000);
  }

  /** Ends everything and gives real time back. Throws when something left a timer behind. */
  async close(): Promise<void> {
    try {
      for (const station of this.#stations.reverse()) if (!station.ended) await this.stop(station);
      await this.settle();
      if (vi.getTimerCount() > 0) throw new Error(`${vi.getTimerCount()} timers run on`);
    } finally {
      vi.useRealTimers();
    }
  }

  /** Lets everything that needs no time come to rest. */
  async settle(): Promise<void> {
    for (let turn = 0, quiet = 0; turn < MOST_TURNS && quiet < QUIET_TURNS; turn++) {
      const before = this.#activity();
      await new Promise((resolve) => setImmediate(resolve));
      const busy = process.getActiveResourcesInfo().some((name) => FILE_REQUEST.test(name));
      quiet = busy || this.#activity() !== before ? 0 : quiet + 1;
    }
  }

  #start(kind: 'server' | 'client', config: string, parts: StationParts): Station {
    const station = new Station(kind, config, this, parts);
    this.#stations.push(station);
    const { signal } = parts;
    station.tunnel.start(signal ? { signal } : {}).catch((error: unknown) => {
      station.startError = error;
    });
    return station;
  }

  async #step(endMs: number): Promise<void> {
    await this.settle();
    const before = this.#activity();
    const nowMs = this.nowMs;
    const nextMs = Math.min(nowMs + this.#stepMs, endMs, this.internet.nextTimeout() ?? endMs);
    if (nextMs > nowMs) {
      const marker = setTimeout(() => undefined, Math.ceil(nextMs - nowMs));
      vi.advanceTimersToNextTimer();
      clearTimeout(marker);
    }
    this.internet.run(this.nowMs);
    await this.settle();
    const idle = this.#activity() === before;
    this.#stepMs = idle ? Math.min(this.#stepMs * STEP_GROWTH, MOST_STEP_MS) : FIRST_STEP_MS;
  }

  /** Grows whenever something happens. */
  #activity(): number {
    let sum = this.internet.sent;
    for (const { hosts, scripts, log } of this.#stations) {
      sum += scripts.calls.length + log.lines.length;
      for (const host of hosts) sum += host.received.length;
    }
    return sum;
  }

  #logs(): string {
    return this.#stations
      .map(({ log }, index) => `-- station ${index}\n${log.lines.slice(-LOG_TAIL).join('\n')}`)
      .join('\n');
  }
}

export type WorldName = 'alice' | 'bob' | 'carol';

interface WorldPki extends Record<WorldName, TestCertificate> {
  readonly ca: string;
  readonly server: TestCertificate;
}

const SERVER = `dev tun
topology subnet
port 1194
dh none
verb 4
script-security 3
`;

const CLIENT = `client
dev tun
remote-cert-tls server
verb 4
script-security 3
`;

let made: WorldPki | undefined;

/** One authority for all worlds of a test file. */
function worldPki(): WorldPki {
  if (made) return made;
  const pki = new TestPki();
  const issue = (cn: string, use: string): TestCertificate =>
    pki.issue({ subject: `/CN=${cn}`, extensions: [`extendedKeyUsage=${use}`, 'keyUsage=digitalSignature'] });
  made = {
    ca: pki.ca.cert,
    server: issue('server', 'serverAuth'),
    alice: issue('alice', 'clientAuth'),
    bob: issue('bob', 'clientAuth'),
    carol: issue('carol', 'clientAuth'),
  };
  pki.close();
  return made;
}

/** A configuration without its private key, and the parts that make up for it. */
function takeKey(config: string, hold: (pem: string) => ExternalKey) {
  const key = /<key>\n([^<]*)<\/key>\n/.exec(config);
  if (!key) throw new Error('no private key in the configuration');
  const ssl = createNativeSsl(addonForTests());
  return { config: config.replace(key[0], ''), parts: { ssl, externalKey: hold(key[1]!) } };
}

function inline(ca: string, { cert, key }: TestCertificate): string {
  return `<ca>\n${ca}</ca>\n<cert>\n${cert}</cert>\n<key>\n${key}</key>\n`;
}
