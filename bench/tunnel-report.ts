/** Tables of what one tunnel does between two ends of the same program: round trips and packets a second. */
import type { LatencyRun, RoundTrips } from './latency.ts';
import type { PacketRates, PacketsRun } from './packets.ts';
import { median } from './setting.ts';
import { ratioCells, ratioHead, table } from './table.ts';

/** Peer and ours in turn, over one kind of wire. */
export interface TunnelSeries<R> {
  readonly title: string;
  readonly pairs: readonly (readonly [R, R])[];
}

export function latencyText({ ends, idle, besideTcp }: LatencyRun): string {
  const text = ({ p50, p99, lost }: RoundTrips) =>
    `${p50.toFixed(0)} and ${p99.toFixed(0)} µs${lost > 0 ? ` (${lost} lost)` : ''}`;
  return `latency, p50 and p99: idle ${text(idle)}, beside TCP ${text(besideTcp)} (${ends})`;
}

export function packetsText({ ends, rates }: PacketsRun): string {
  const text = ({ bytes, up, down }: PacketRates) =>
    `${bytes} bytes ${up.toFixed(0)} / ${down.toFixed(0)} packets/s`;
  return `packets: ${rates.map(text).join(', ')} (${ends})`;
}

export function latencyTable({ title, pairs }: TunnelSeries<LatencyRun>): string {
  const states = [
    ['idle', (run: LatencyRun) => run.idle],
    ['beside TCP', (run: LatencyRun) => run.besideTcp],
  ] as const;
  const rows = states.flatMap(([state, of]) => {
    const lost = ([0, 1] as const).map((which) => median(pairs.map((pair) => of(pair[which]).lost)));
    return [
      [`${state}, p50`, ...ratioCells(pairs, (run) => of(run).p50, 0)],
      [`${state}, p99`, ...ratioCells(pairs, (run) => of(run).p99, 0)],
      [`${state}, packets lost`, ...lost.map((count) => count.toFixed(0)), '', ''],
    ];
  });
  return table(`${title} (medians of ${pairs.length} pairs)`, ['', ...ratioHead('µs')], rows);
}

export function packetsTable({ title, pairs }: TunnelSeries<PacketsRun>): string {
  const sizes = pairs[0]![0].rates.map(({ bytes }) => bytes);
  const rows = sizes.flatMap((bytes, at) =>
    (['up', 'down'] as const).map((direction) => [
      `${bytes} bytes, ${direction}`,
      ...ratioCells(pairs, (run: PacketsRun) => run.rates[at]![direction], 0),
    ]),
  );
  return table(`${title} (medians of ${pairs.length} pairs)`, ['', ...ratioHead('packets/s')], rows);
}
