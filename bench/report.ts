/** The bench's results as Markdown tables: medians, and ratios pair by pair. */
import type { HandshakePart, HandshakeRun } from './handshakes.ts';
import { type HostileResults, hostileTables } from './hostile-report.ts';
import type { LatencyRun } from './latency.ts';
import type { ManyClientsRun, ReturnRun } from './many-clients.ts';
import type { PacketsRun } from './packets.ts';
import type { RoutesRun } from './routes.ts';
import { median } from './setting.ts';
import { ratioCells, ratioHead, table } from './table.ts';
import type { Flow, ThroughputRun } from './throughput.ts';
import { latencyTable, packetsTable, type TunnelSeries } from './tunnel-report.ts';

/** Results of a run; `peer` and `ours` of one index were measured one after the other. */
export interface BenchResults {
  readonly machine: string;
  readonly peerVersion: string;
  readonly throughput: readonly ThroughputSeries[];
  readonly latency: readonly TunnelSeries<LatencyRun>[];
  readonly packets: readonly TunnelSeries<PacketsRun>[];
  /** What was measured of two servers in turn: peer and ours, then others. */
  readonly servers: readonly {
    readonly manyClients: readonly ClientsPair[];
    readonly startUp: StartUps | undefined;
  }[];
  /** Peer and ours in turn. */
  readonly handshakes: readonly HandshakesPair[];
  readonly returns: readonly ReturnsPair[];
  readonly hostile?: HostileResults | undefined;
  /** Peer and ours in turn. */
  readonly routes: readonly RoutesPair[];
}

export type HandshakesPair = readonly [HandshakeRun, HandshakeRun];

export type ReturnsPair = readonly [ReturnRun, ReturnRun];

export type RoutesPair = readonly [RoutesRun, RoutesRun];

export type ClientsPair = readonly [ManyClientsRun, ManyClientsRun];

/** Milliseconds of each start of two servers. */
export type StartUps = readonly [StartUp, StartUp];

interface StartUp {
  readonly server: string;
  readonly ms: readonly number[];
}

export interface ThroughputSeries {
  readonly title: string;
  readonly pairs: readonly { readonly peer: ThroughputRun; readonly ours: ThroughputRun }[];
}

export function benchTables(results: BenchResults): string {
  const parts = [`Machine: ${results.machine}. Peer: ${results.peerVersion}.`];
  for (const series of results.throughput) parts.push(throughputTable(series));
  for (const series of results.latency) parts.push(latencyTable(series));
  for (const series of results.packets) parts.push(packetsTable(series));
  for (const { manyClients, startUp } of results.servers) {
    if (manyClients.length > 0) parts.push(manyClientsTable(manyClients));
    if (startUp) parts.push(startUpTable(startUp));
  }
  if (results.handshakes.length > 0) parts.push(handshakesTable(results.handshakes));
  if (results.returns.length > 0) parts.push(returnsTable(results.returns));
  if (results.hostile) parts.push(...hostileTables(results.hostile));
  if (results.routes.length > 0) parts.push(routesTable(results.routes));
  return parts.join('\n\n');
}

function routesTable(pairs: readonly RoutesPair[]): string {
  const [{ routes }] = pairs[0]!;
  const rows = contenderRows(pairs, ({ client }) => client, 0, [(run) => run.upMs, (run) => run.downMs]);
  return table(`${routes} routes (medians of ${pairs.length})`, ['client', 'up, ms', 'down, ms'], rows);
}

/** A row for each contender: its name, and medians of its runs. */
function contenderRows<R>(
  pairs: readonly (readonly [R, R])[],
  nameOf: (run: R) => string,
  digits: number,
  values: readonly ((run: R) => number)[],
): string[][] {
  return ([0, 1] as const).map((which) => {
    const runs = pairs.map((pair) => pair[which]);
    return [nameOf(runs[0]!), ...values.map((value) => median(runs.map(value)).toFixed(digits))];
  });
}

function handshakesTable(pairs: readonly HandshakesPair[]): string {
  const rows = pairs[0]![0].parts.map(({ clients }, at) => {
    const of = (which: 0 | 1, value: (part: HandshakePart) => number) =>
      pairs.map((pair) => value(pair[which].parts[at]!));
    const columns = [(part: HandshakePart) => part.cpuMs, (part: HandshakePart) => part.upMs].flatMap(
      (value) => {
        const [peer, ours] = [of(0, value), of(1, value)];
        const ratio = median(ours.map((each, i) => each / peer[i]!));
        return [median(peer).toFixed(1), median(ours).toFixed(1), `**${ratio.toFixed(2)}**`];
      },
    );
    return [`${clients}`, ...columns];
  });
  const head = [
    'clients',
    'peer CPU ms',
    'ours CPU ms',
    'ratio',
    'up with peer, ms',
    'with ours, ms',
    'ratio',
  ];
  return table(`Clients in turn (medians of ${pairs.length} pairs)`, head, rows);
}

function returnsTable(pairs: readonly ReturnsPair[]): string {
  const [{ clients }] = pairs[0]!;
  const rows = contenderRows(pairs, ({ server }) => server, 1, [
    (run) => run.seconds,
    (run) => run.cpuSeconds,
  ]);
  const head = ['server', 'all back after s', 'CPU s'];
  return table(`${clients} clients after a kill -9 (medians of ${pairs.length})`, head, rows);
}

function throughputTable({ title, pairs }: ThroughputSeries): string {
  const inTurn = pairs.map(({ peer, ours }) => [peer, ours] as const);
  const rows = (['up', 'down'] as const).map((direction) => {
    const cpu = (which: 'peer' | 'ours') =>
      [(flow: Flow) => flow.serverCpuPerGb, (flow: Flow) => flow.clientCpuPerGb]
        .map((value) => median(pairs.map((pair) => value(pair[which][direction]))).toFixed(2))
        .join(', ');
    const speed = (run: ThroughputRun) => run[direction].mbitPerSec;
    return [direction, ...ratioCells(inTurn, speed, 0), cpu('peer'), cpu('ours')];
  });
  const head = ['', ...ratioHead('Mbit/s'), 'peer CPU s/GB (server, client)', 'ours CPU s/GB'];
  return table(`${title} (medians of ${pairs.length} pairs)`, head, rows);
}

function manyClientsTable(runs: readonly ClientsPair[]): string {
  const rows = contenderRows(runs, ({ server }) => server, 1, [
    (run) => run.seconds,
    (run) => run.cpuSeconds,
    (run) => run.kibPerClient,
    (run) => run.rssKibPerClient,
    (run) => run.rssBeforeKib / 1_024,
    (run) => run.rssAfterKib / 1_024,
  ]);
  const head = [
    'server',
    'all up after s',
    'CPU s',
    'KiB per client',
    'RSS KiB per client',
    'RSS before MiB',
    'RSS after MiB',
  ];
  return table(`${runs[0]![0].clients} clients at once (medians of ${runs.length})`, head, rows);
}

function startUpTable(servers: StartUps): string {
  const head = ['server', 'exec to open port, ms (median)', 'least', 'most'];
  const rows = servers.map(({ server, ms }) => [
    server,
    ...[median(ms), Math.min(...ms), Math.max(...ms)].map((value) => value.toFixed(0)),
  ]);
  return table(`Start-up (${servers[0].ms.length} starts each)`, head, rows);
}
