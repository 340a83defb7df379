/**
 * Strangers at a UDP server's port: what one bad packet costs the server, whether honest clients come in and stay
 * meanwhile, and how long the event loop is held. The server's configuration, the flood and the clients are the same
 * for both programs; the flood leaves from many addresses.
 */
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { INNER_SERVER4, PLAIN_TUNNEL, type TunnelOptions } from '../compat-tests/config.ts';
import { badKinds, type FloodKind, floodKinds, floodPackets } from '../compat-tests/flood-packets.ts';
import { FLOOD_PREFIXES, floodSources } from '../test-kit/flood.ts';
import { ownPrefix, udpCounts } from '../test-kit/netns.ts';
import { cpuMicroseconds, type Program, sleep } from '../test-kit/process.ts';
import { Agent, ping } from '../test-kit/transfer.ts';
import { WORST_INPUTS } from './hostile-inputs.ts';
import { type Contender, NO_DEVICE, Setting } from './setting.ts';

/** What a flood's packets are, and where they seem to come from. */
export type HostileKind = FloodKind | 'random, from a client' | 'data, from a client';

/** One kind of packet at one server. */
export interface HostileCost {
  readonly kind: HostileKind;
  /** CPU time of the server per packet that it read. */
  readonly microseconds: number;
  readonly read: number;
  /** Packets that found the socket's buffer full. */
  readonly lost: number;
  /** Bytes that the log grew by. */
  readonly logBytes: number;
}

export interface HostileRun {
  readonly server: string;
  readonly tunnel: string;
  readonly costs: readonly HostileCost[];
}

/** Honest clients while strangers send. */
export interface HonestRun {
  readonly server: string;
  readonly tunnel: string;
  readonly perSecond: number;
  /** From the start of each client until it was up; NaN = not within the time limit. */
  readonly secondsUntilUp: readonly number[];
  readonly pingsSent: number;
  readonly pingsLost: number;
  readonly datagramsLost: number;
}

/** The longest that the event loop was held by each input, in milliseconds. */
export interface HoldRun {
  readonly tunnel: string;
  readonly holds: readonly { readonly input: string; readonly ms: number }[];
}

export interface FloodSize {
  readonly perSecond: number;
  readonly seconds: number;
}

const PORT = 1194;
const RELAY_PORT = 7_000;
const SOURCES = 256;
const UP_LIMIT_MS = 30_000;
const SETTLE_MS = 300;
const HONEST_CLIENTS = 3;
const PINGS = 100;
const UP = /Initialization Sequence Completed/;
const HANDSHAKE_OVER = /TLS handshake failed|Peer Connection Initiated/;

export function tunnelName({ wrap, family }: TunnelOptions): string {
  return `${wrap === 'none' ? 'no wrap' : wrap}, IPv${family}`;
}

export function hostileTunnels(): TunnelOptions[] {
  const wraps = ['none', 'tls-auth', 'tls-crypt', 'tls-crypt-v2'] as const;
  return ([4, 6] as const).flatMap((family) => wraps.map((wrap) => ({ ...PLAIN_TUNNEL, family, wrap })));
}

/** CPU time of each kind of packet at one server. */
export async function measureHostile(
  server: Contender,
  client: Contender,
  tunnel: TunnelOptions,
  size: FloodSize,
): Promise<HostileRun> {
  const scene = await Scene.create(server, tunnel);
  try {
    await scene.connectThroughRelay(client);
    const costs: HostileCost[] = [];
    for (const kind of floodKinds(tunnel)) {
      costs.push(await scene.cost(kind, scene.packets(kind), size, false));
    }
    for (const [kind, from] of [
      ['random, from a client', 'random'],
      ['data, from a client', 'data-known'],
    ] as const) {
      costs.push(await scene.cost(kind, scene.packets(from), size, true));
    }
    return { server: server.name, tunnel: tunnelName(tunnel), costs };
  } finally {
    await scene.close();
  }
}

/** Clients that start while strangers send, and their pings. */
export async function measureHonest(
  server: Contender,
  client: Contender,
  tunnel: TunnelOptions,
  perSecond: number,
): Promise<HonestRun> {
  const scene = await Scene.create(server, tunnel);
  try {
    const packets = badKinds(tunnel).flatMap((kind) => scene.packets(kind));
    const before = udpCounts(scene.setting.network.server);
    const flooding = scene.flood(packets, { perSecond, seconds: 30 });
    await sleep(SETTLE_MS);
    const secondsUntilUp: number[] = [];
    for (let i = 0; i < HONEST_CLIENTS; i++) secondsUntilUp.push(await scene.timeUntilUp(client, i === 0));
    const { ns } = scene.setting.network.clients[0]!;
    const { sent, received } = await ping(ns, INNER_SERVER4, { count: PINGS, intervalSec: 0.05, waitSec: 2 });
    const lost = udpCounts(scene.setting.network.server).lost - before.lost;
    await scene.stopFlood(flooding);
    return {
      server: server.name,
      tunnel: tunnelName(tunnel),
      perSecond,
      secondsUntilUp,
      pingsSent: sent,
      pingsLost: sent - received,
      datagramsLost: lost,
    };
  } finally {
    await scene.close();
  }
}

/** The longest hold of the event loop of our server with each of the worst inputs. */
export async function measureHolds(
  ours: Contender,
  client: Contender,
  tunnel: TunnelOptions,
): Promise<HoldRun> {
  const scene = await Scene.create(ours, tunnel, true);
  const marks: { input: string; fromMs: number; untilMs: number }[] = [];
  try {
    await scene.connectThroughRelay(client);
    for (const { name, fits, send } of WORST_INPUTS) {
      if (fits && !fits(tunnel)) continue;
      await sleep(SETTLE_MS);
      const fromMs = Date.now();
      await send(scene);
      await sleep(SETTLE_MS);
      marks.push({ input: name, fromMs, untilMs: Date.now() });
    }
  } finally {
    await scene.end();
  }
  const windows = scene.holds();
  await scene.close();
  const longest = ({ fromMs, untilMs }: { fromMs: number; untilMs: number }) =>
    Math.max(
      0,
      ...windows.filter(([endMs]) => endMs >= fromMs && endMs <= untilMs + 100).map(([, ms]) => ms),
    );
  return {
    tunnel: tunnelName(tunnel),
    holds: marks.map((mark) => ({ input: mark.input, ms: longest(mark) })),
  };
}

/** A server, its client behind a relay, and strangers. */
export class Scene {
  readonly setting: Setting;
  readonly tunnel: TunnelOptions;
  readonly agent: Agent;
  #stranger: Agent;
  #server: Program | undefined;
  #client: Contender | undefined;
  #log = '';

  private constructor(setting: Setting, tunnel: TunnelOptions) {
    this.setting = setting;
    this.tunnel = tunnel;
    const { ns } = setting.network.clients[0]!;
    this.agent = new Agent(ns);
    this.#stranger = new Agent(ns);
  }

  static async create(server: Contender, tunnel: TunnelOptions, probed = false): Promise<Scene> {
    const setting = await Setting.create(tunnel);
    const scene = new Scene(setting, tunnel);
    ownPrefix(setting.network, FLOOD_PREFIXES[tunnel.family]);
    await scene.#startServer(server, probed);
    return scene;
  }

  get host(): string {
    const side = this.setting.network.clients[0]!;
    return this.tunnel.family === 4 ? side.server4 : side.server6;
  }

  get server(): Program {
    return this.#server!;
  }

  packets(kind: FloodKind): Buffer[] {
    return floodPackets(kind, this.tunnel, this.setting.files);
  }

  /** A client that the strangers can speak in the name of: peer-id 0. */
  async connectThroughRelay(client: Contender): Promise<void> {
    this.#client = client;
    const loopback = this.tunnel.family === 4 ? '127.0.0.1' : '::1';
    const listen = { listenHost: loopback, listenPort: RELAY_PORT };
    await this.agent.ask({ do: 'relay', options: { ...listen, targetHost: this.host, targetPort: PORT } });
    const program = this.setting.launchClient(client, NO_DEVICE, [`remote ${loopback} ${RELAY_PORT}`]);
    await program.waitFor(UP, UP_LIMIT_MS);
  }

  /** A handshake of the same program with other lines and certificates; resolves when it is over, one way or the other. */
  async handshake(lines: readonly string[] = [], certificates = ''): Promise<void> {
    const file = this.setting.path('extra.crt');
    writeFileSync(file, certificates);
    const extra = certificates === '' ? [] : [`extra-certs ${file}`];
    const before = this.#logText().length;
    const client = this.setting.launchClient(this.#client!, [...NO_DEVICE, ...lines, ...extra]);
    const endMs = performance.now() + UP_LIMIT_MS;
    while (!HANDSHAKE_OVER.test(this.#logText().slice(before))) {
      if (performance.now() > endMs) throw new Error(`no handshake came to its end\n${client.tail()}`);
      await sleep(20);
    }
    await client.stop('SIGTERM', 5_000);
  }

  /** Strangers send; resolves when they are done. */
  flood(packets: readonly Buffer[], size: FloodSize, fromClient = false): Promise<unknown> {
    const base = { host: this.host, port: PORT, packets: packets.map((p) => p.toString('base64')), ...size };
    const sources = floodSources(this.tunnel.family, SOURCES);
    const agent = fromClient ? this.agent : this.#stranger;
    const options = fromClient ? base : { ...base, sources };
    return agent.ask({ do: 'flood-with', options, ...(fromClient && { fromRelay: true }) });
  }

  /** Ends a flood before its time. */
  async stopFlood(flooding: Promise<unknown>): Promise<void> {
    const ended = flooding.catch(() => undefined);
    await this.#stranger.close();
    await ended;
    this.#stranger = new Agent(this.setting.network.clients[0]!.ns);
  }

  async cost(
    kind: HostileKind,
    packets: readonly Buffer[],
    size: FloodSize,
    fromClient: boolean,
  ): Promise<HostileCost> {
    const { network } = this.setting;
    // Compilers and caches warm up.
    await this.flood(packets, { ...size, seconds: size.seconds / 2 }, fromClient);
    const before = udpCounts(network.server);
    const logBefore = this.#logBytes();
    const cpuBefore = cpuMicroseconds(this.server.pid);
    await this.flood(packets, size, fromClient);
    await sleep(SETTLE_MS);
    const cpu = cpuMicroseconds(this.server.pid) - cpuBefore;
    const after = udpCounts(network.server);
    const read = after.read - before.read;
    const lost = after.lost - before.lost;
    return { kind, microseconds: cpu / read, read, lost, logBytes: this.#logBytes() - logBefore };
  }

  /** Seconds until a new client is up. */
  async timeUntilUp(client: Contender, withDevice: boolean): Promise<number> {
    const lines = withDevice ? [] : NO_DEVICE;
    const startedMs = performance.now();
    const program = this.setting.launchClient(client, lines);
    try {
      await program.waitFor(UP, UP_LIMIT_MS);
      return (performance.now() - startedMs) / 1_000;
    } catch {
      return Number.NaN;
    }
  }

  /** Ends the server, whose probe then writes what it has. */
  async end(): Promise<void> {
    await this.#server?.stop('SIGTERM', 5_000);
  }

  /** Windows of the probe: end by Date.now(), longest hold in milliseconds. */
  holds(): readonly (readonly [number, number])[] {
    const path = this.setting.path('holds.json');
    return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as [number, number][]) : [];
  }

  async close(): Promise<void> {
    await Promise.all([this.agent.close(), this.#stranger.close()]);
    await this.setting.close();
  }

  async #startServer(server: Contender, probed: boolean): Promise<void> {
    this.#log = this.setting.path('server.log');
    const probe = pathToFileURL(resolve('bench/loop-probe.mjs')).href;
    const env = { NODE_OPTIONS: `--import=${probe}`, OPENVPN_BENCH_PROBE: this.setting.path('holds.json') };
    const contender = probed ? { ...server, env: { ...server.env, ...env } } : server;
    this.#server = this.setting.launchServer(contender, ['verb 3', 'duplicate-cn', `log ${this.#log}`]);
    const endMs = performance.now() + UP_LIMIT_MS;
    while (!UP.test(this.#logText())) {
      if (this.#server.ended || performance.now() > endMs)
        throw new Error(`${server.name}: the server did not start\n${this.#logText()}${this.#server.tail()}`);
      await sleep(20);
    }
  }

  #logText(): string {
    return existsSync(this.#log) ? readFileSync(this.#log, 'utf8') : '';
  }

  #logBytes(): number {
    return existsSync(this.#log) ? statSync(this.#log).size : 0;
  }
}
