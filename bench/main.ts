/**
 * `npm run bench`: compares our program with a peer in the same run on the same machine, peer and ours
 * taking turns. bench/README.md says what each number means.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, release } from 'node:os';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { replaceMarked } from '../test-kit/marked-text.ts';
import { namespacesUnavailable, sweepStaleNamespaces } from '../test-kit/netns.ts';
import { sweepTemporaryFolders } from '../test-kit/temporary.ts';
import { measureHandshakes } from './handshakes.ts';
import {
  type HoldRun,
  type HonestRun,
  hostileTunnels,
  measureHolds,
  measureHonest,
  measureHostile,
  tunnelName,
} from './hostile.ts';
import { type CostPair, costPairText, honestText } from './hostile-report.ts';
import { measureLatency } from './latency.ts';
import { measureManyClients, measureReturn } from './many-clients.ts';
import { measurePackets } from './packets.ts';
import { type BenchResults, benchTables, type StartUps, type ThroughputSeries } from './report.ts';
import { measureRoutes } from './routes.ts';
import type { Contender, TunnelWire } from './setting.ts';
import { measureStartUp } from './start-up.ts';
import { measureThroughput, type ThroughputOptions } from './throughput.ts';
import { latencyText, packetsText, type TunnelSeries } from './tunnel-report.ts';

const USAGE = `usage: npm run bench -- [options]
  --peer PATH      reference program (default /usr/sbin/openvpn)
  --ours PATH      program under test (default bin/openvpn)
  --only PART      throughput, latency, packets, clients, handshakes, return, start, hostile or routes
                   (may be given more than once; default all)
  --pairs N        pairs of runs (default 3)
  --seconds N      length of each iperf3 run, and of each count of packets (default 5)
  --split          throughput, latency and packets also with a veth that splits UDP super-packets as a network card does
  --mix            also with ours at one end and the peer at the other
  --tcp            also over TCP
  --only-native    leave out the pairs without the C++ data path (OPENVPN_TS_NATIVE=tun)
  --write-docs     writes the tables into docs/performance.md
  --tls-engines    clients and start also with node:tls against the addon's TLS engine
  --clients N      clients at once (default 100)
  --handshakes N   clients in turn (default 1000)
  --returns N      clients whose server is killed (default 200)
  --starts N       starts measured (default 10)
  --wrap NAME      hostile: none, tls-auth, tls-crypt or tls-crypt-v2 (may be given more than once; default all)
  --family N       hostile: 4 or 6 (default both)
  --rate N         hostile: bad packets a second (default 10000)
  --routes N       routes of one client (default 2000)
`;

const OPTIONS = {
  peer: { type: 'string', default: '/usr/sbin/openvpn' },
  ours: { type: 'string', default: 'bin/openvpn' },
  only: { type: 'string', multiple: true },
  pairs: { type: 'string', default: '3' },
  seconds: { type: 'string', default: '5' },
  split: { type: 'boolean', default: false },
  mix: { type: 'boolean', default: false },
  tcp: { type: 'boolean', default: false },
  'only-native': { type: 'boolean', default: false },
  'write-docs': { type: 'boolean', default: false },
  'tls-engines': { type: 'boolean', default: false },
  clients: { type: 'string', default: '100' },
  handshakes: { type: 'string', default: '1000' },
  returns: { type: 'string', default: '200' },
  starts: { type: 'string', default: '10' },
  wrap: { type: 'string', multiple: true },
  family: { type: 'string', multiple: true },
  rate: { type: 'string', default: '10000' },
  routes: { type: 'string', default: '2000' },
  help: { type: 'boolean', default: false },
} as const;

const RESULTS_DIR = resolve('bench/results');

process.exitCode = await main();

async function main(): Promise<number> {
  const options = readOptions();
  if (options === undefined) return 2;
  const obstacle = namespacesUnavailable();
  if (obstacle !== undefined) {
    process.stderr.write(`bench: ${obstacle}\n`);
    return 1;
  }
  sweepStaleNamespaces();
  sweepTemporaryFolders();
  const results = await measure(options);
  const tables = benchTables(results);
  mkdirSync(RESULTS_DIR, { recursive: true });
  writeFileSync(`${RESULTS_DIR}/latest.json`, `${JSON.stringify(results, undefined, 1)}\n`);
  writeFileSync(`${RESULTS_DIR}/latest.md`, `${tables}\n`);
  if (options['write-docs']) replaceMarked('docs/performance.md', 'bench tables', tables);
  process.stdout.write(`\n${tables}\n\nresults: ${RESULTS_DIR}/latest.json\n`);
  return 0;
}

type Options = NonNullable<ReturnType<typeof readOptions>>;

function readOptions() {
  try {
    const { values } = parseArgs({ options: OPTIONS, allowPositionals: false });
    if (values.help) throw new Error('');
    const { pairs, seconds, clients, handshakes, returns, starts, rate, routes } = values;
    return {
      ...values,
      pairs: Number(pairs),
      seconds: Number(seconds),
      clients: Number(clients),
      handshakes: Number(handshakes),
      returns: Number(returns),
      starts: Number(starts),
      rate: Number(rate),
      routes: Number(routes),
    };
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n${USAGE}`);
    return undefined;
  }
}

async function measure(options: Options): Promise<BenchResults> {
  const peer: Contender = { name: 'peer', path: resolve(options.peer) };
  const ours: Contender = { name: 'ours', path: resolve(options.ours) };
  const wants = (part: string) => options.only === undefined || options.only.includes(part);
  const throughput = wants('throughput') ? await measureAllThroughput(peer, ours, options) : [];
  const latency = wants('latency') ? await compareLatency(peer, ours, options) : [];
  const packets = wants('packets') ? await comparePackets(peer, ours, options) : [];
  const versus: (readonly [Contender, Contender])[] = [[peer, ours]];
  if (options['tls-engines']) versus.push([withTls(ours, 'node'), withTls(ours, 'native')]);
  const servers: BenchResults['servers'][number][] = [];
  for (const [first, second] of versus) {
    servers.push({
      manyClients: wants('clients') ? await compareClients(first, second, peer, options) : [],
      startUp: wants('start') ? await compareStartUp(first, second, options.starts) : undefined,
    });
  }
  const handshakes = wants('handshakes') ? await compareHandshakes(peer, ours, options) : [];
  const returns = wants('return') ? await compareReturns(peer, ours, options) : [];
  const routes = wants('routes') ? await compareRoutes(peer, ours, options) : [];
  const hostile = wants('hostile') ? await measureStrangers(peer, ours, options) : undefined;
  return {
    machine: machine(),
    peerVersion: versionOf(peer.path),
    throughput,
    latency,
    packets,
    servers,
    handshakes,
    returns,
    hostile,
    routes,
  };
}

/** Strangers at both servers in turn, then what they do to honest clients and to our event loop. */
async function measureStrangers(peer: Contender, ours: Contender, options: Options) {
  const tunnels = hostileTunnels().filter(
    ({ wrap, family }) =>
      (options.wrap === undefined || options.wrap.includes(wrap)) &&
      (options.family === undefined || options.family.includes(`${family}`)),
  );
  const size = { perSecond: options.rate, seconds: Math.min(options.seconds, 3) };
  const costs: CostPair[] = [];
  const honest: HonestRun[] = [];
  const holds: HoldRun[] = [];
  for (const tunnel of tunnels) {
    for (let i = 0; i < Math.min(options.pairs, 3); i++) {
      costs.push([
        await measureHostile(peer, peer, tunnel, size),
        await measureHostile(ours, peer, tunnel, size),
      ]);
      tell(costPairText(costs.at(-1)!));
    }
    for (const server of [peer, ours]) {
      const run = await measureHonest(server, peer, tunnel, options.rate);
      tell(honestText(run));
      honest.push(run);
    }
    const hold = await measureHolds(ours, peer, tunnel);
    tell(
      `${tunnelName(tunnel)}: ${hold.holds.map(({ input, ms }) => `${input} ${ms.toFixed(1)} ms`).join(', ')}`,
    );
    holds.push(hold);
  }
  return { costs, honest, holds, perSecond: options.rate };
}

function withTls(ours: Contender, engine: 'node' | 'native'): Contender {
  return { ...ours, name: `ours, TLS engine ${engine}`, env: { OPENVPN_TS_SSL: engine } };
}

/** Two contenders in turn, `count` times; tells of each run. */
async function inTurns<R>(
  contenders: readonly [Contender, Contender],
  count: number,
  measure: (contender: Contender) => Promise<R>,
  text: (run: R) => string,
): Promise<(readonly [R, R])[]> {
  const pairs: (readonly [R, R])[] = [];
  for (let i = 0; i < count; i++) {
    const pair = [await measure(contenders[0]), await measure(contenders[1])] as const;
    tell(pair.map(text).join(', '));
    pairs.push(pair);
  }
  return pairs;
}

/** Round trips through the tunnel of each. */
function compareLatency(peer: Contender, ours: Contender, options: Options) {
  return overWires('Round trip of a UDP packet', options.split, (wire) =>
    inTurns([peer, ours], options.pairs, (ends) => measureLatency(ends, wire), latencyText),
  );
}

/** Floods through the tunnel of each. */
function comparePackets(peer: Contender, ours: Contender, { split, pairs, seconds }: Options) {
  return overWires('Packets a second, by UDP payload', split, (wire) =>
    inTurns([peer, ours], pairs, (ends) => measurePackets(ends, wire, seconds), packetsText),
  );
}

/** A series over the plain wire, and one over that which splits super-packets where it is asked for. */
async function overWires<R>(
  title: string,
  split: boolean,
  measure: (wire: TunnelWire) => Promise<(readonly [R, R])[]>,
): Promise<TunnelSeries<R>[]> {
  const all = [{ title, pairs: await measure({ split: false }) }];
  if (split) all.push({ title: `${title}, UDP super-packets split`, pairs: await measure({ split: true }) });
  return all;
}

/** Two servers with the same clients. */
function compareClients(first: Contender, second: Contender, client: Contender, options: Options) {
  return inTurns(
    [first, second],
    Math.min(options.pairs, 3),
    (server) => measureManyClients(server, client, options.clients),
    ({ server, seconds }) => `clients: all up after ${seconds.toFixed(1)} s (${server})`,
  );
}

/** Two servers, each with fresh clients one after the other. */
function compareHandshakes(peer: Contender, ours: Contender, options: Options) {
  return inTurns(
    [peer, ours],
    options.pairs,
    (server) => measureHandshakes(server, options.handshakes),
    ({ server, parts }) =>
      `handshakes: ${parts.map((part) => part.cpuMs.toFixed(2)).join(', ')} ms CPU (${server})`,
  );
}

/** Two servers that are killed and started again. */
function compareReturns(peer: Contender, ours: Contender, { returns, pairs }: Options) {
  return inTurns(
    [peer, ours],
    Math.min(pairs, 3),
    (server) => measureReturn(server, peer, returns),
    ({ server, seconds }) => `return: all back after ${seconds.toFixed(1)} s (${server})`,
  );
}

/** Two clients with the same server. */
function compareRoutes(peer: Contender, ours: Contender, options: Options) {
  return inTurns(
    [peer, ours],
    options.pairs,
    (client) => measureRoutes(client, peer, options.routes),
    ({ client, upMs, downMs }) =>
      `routes: ${upMs.toFixed(0)} ms up, ${downMs.toFixed(0)} ms down (${client})`,
  );
}

/** One start of each at a time, for the machine's speed drifts. */
async function compareStartUp(first: Contender, second: Contender, starts: number): Promise<StartUps> {
  const ms: [number[], number[]] = [[], []];
  for (let i = 0; i < starts; i++) {
    for (const [at, server] of [first, second].entries()) ms[at]!.push(...(await measureStartUp(server, 1)));
  }
  return [
    { server: first.name, ms: ms[0] },
    { server: second.name, ms: ms[1] },
  ];
}

async function measureAllThroughput(
  peer: Contender,
  ours: Contender,
  options: Options,
): Promise<ThroughputSeries[]> {
  const slow: Contender = { ...ours, name: 'ours without addon', env: { OPENVPN_TS_NATIVE: 'tun' } };
  const plain = { seconds: options.seconds, split: false };
  const title = 'AES-256-GCM over UDP, one TCP stream';
  const all = [await series(title, peer, [ours, ours], plain, options.pairs)];
  if (options.split) {
    all.push(
      await series(
        `${title}, UDP super-packets split`,
        peer,
        [ours, ours],
        { ...plain, split: true },
        options.pairs,
      ),
    );
  }
  if (options.mix) {
    all.push(await series(`${title}, our server, peer's client`, peer, [ours, peer], plain, options.pairs));
    all.push(await series(`${title}, peer's server, our client`, peer, [peer, ours], plain, options.pairs));
  }
  if (options.tcp) {
    const overTcp = { ...plain, tunnel: { proto: 'tcp' } } as const;
    all.push(
      await series('AES-256-GCM over TCP, one TCP stream', peer, [ours, ours], overTcp, options.pairs),
    );
  }
  if (!options['only-native'])
    all.push(await series(`${title}, without the addon`, peer, [slow, slow], plain, options.pairs));
  return all;
}

/** Peer at both ends, then the given ends (server, client), turn by turn. */
async function series(
  title: string,
  peer: Contender,
  [server, client]: readonly [Contender, Contender],
  how: ThroughputOptions,
  count: number,
): Promise<ThroughputSeries> {
  const pairs: ThroughputSeries['pairs'][number][] = [];
  for (let i = 0; i < count; i++) {
    const byPeer = await measureThroughput(peer, peer, how);
    const byOurs = await measureThroughput(server, client, how);
    const text = (run: typeof byPeer) =>
      `${run.up.mbitPerSec.toFixed(0)} / ${run.down.mbitPerSec.toFixed(0)} Mbit/s`;
    tell(`${title}: peer ${text(byPeer)}, ours ${text(byOurs)}`);
    pairs.push({ peer: byPeer, ours: byOurs });
  }
  return { title, pairs };
}

function machine(): string {
  const all = cpus();
  return `${all.length} × ${all[0]?.model.trim() ?? 'unknown'}, Linux ${release()}, Node ${process.version}`;
}

function versionOf(path: string): string {
  const { stdout } = spawnSync(path, ['--version'], { encoding: 'utf8', timeout: 10_000 });
  return (stdout ?? '').split('\n')[0]?.split(' ').slice(0, 2).join(' ') || 'unknown';
}

function tell(text: string): void {
  process.stdout.write(`${text}\n`);
}
