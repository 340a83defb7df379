/** What strangers cost, as lines while the bench runs and as tables at its end. */
import type { HoldRun, HonestRun, HostileKind, HostileRun } from './hostile.ts';
import { median } from './setting.ts';
import { table } from './table.ts';

/** Peer and ours, one after the other. */
export type CostPair = readonly [HostileRun, HostileRun];

export interface HostileResults {
  readonly perSecond: number;
  readonly costs: readonly CostPair[];
  readonly honest: readonly HonestRun[];
  readonly holds: readonly HoldRun[];
}

export function costPairText([peer, ours]: CostPair): string {
  const parts = peer.costs.map((cost, i) => {
    const own = ours.costs[i]!;
    const ratio = own.microseconds / cost.microseconds;
    return `${cost.kind} ${cost.microseconds.toFixed(1)}/${own.microseconds.toFixed(1)} µs = ${ratio.toFixed(2)}`;
  });
  return `hostile, ${peer.tunnel}: ${parts.join(', ')}`;
}

export function honestText(run: HonestRun): string {
  return (
    `honest, ${run.tunnel} (${run.server}): up after ${upTimes(run).join(' ')} s, ` +
    `${run.pingsLost} of ${run.pingsSent} pings lost, ${run.datagramsLost} datagrams without room`
  );
}

export function hostileTables({ perSecond, costs, honest, holds }: HostileResults): string[] {
  const tables: string[] = [];
  const tunnels = [...new Set(costs.map(([peer]) => peer.tunnel))];
  if (tunnels.length > 0) {
    const head = [
      'packets of strangers',
      'peer µs',
      'ours µs',
      '**ratio**',
      'pair by pair',
      'log bytes each (peer, ours)',
    ];
    const rows = tunnels.flatMap((tunnel) =>
      costRows(
        tunnel,
        costs.filter(([peer]) => peer.tunnel === tunnel),
      ),
    );
    tables.push(table(`A bad packet's CPU time, at ${perSecond} a second (medians)`, head, rows));
  }
  if (honest.length > 0) tables.push(honestTable(honest, perSecond));
  if (holds.length > 0) tables.push(holdTable(holds));
  return tables;
}

function costRows(tunnel: string, pairs: readonly CostPair[]): string[][] {
  return pairs[0]![0].costs.map(({ kind }) => {
    const [peer, ours] = [costsOf(pairs, 0, kind), costsOf(pairs, 1, kind)];
    const ratios = ours.map((cost, i) => cost.microseconds / peer[i]!.microseconds);
    const micro = (of: typeof ours) => median(of.map((cost) => cost.microseconds)).toFixed(1);
    const bytes = (of: typeof ours) => median(of.map((cost) => cost.logBytes / cost.read)).toFixed(0);
    return [
      `${tunnel}: ${kind}`,
      micro(peer),
      micro(ours),
      `**${median(ratios).toFixed(2)}**`,
      ratios.map((ratio) => ratio.toFixed(2)).join(' '),
      `${bytes(peer)}, ${bytes(ours)}`,
    ];
  });
}

function costsOf(pairs: readonly CostPair[], which: 0 | 1, kind: HostileKind) {
  return pairs.map((pair) => pair[which].costs.find((cost) => cost.kind === kind)!);
}

function honestTable(runs: readonly HonestRun[], perSecond: number): string {
  const head = ['server', 'up after s', 'pings lost', 'datagrams without room'];
  const rows = runs.map((run) => [
    `${run.tunnel}: ${run.server}`,
    upTimes(run).join(', '),
    `${run.pingsLost} of ${run.pingsSent}`,
    `${run.datagramsLost}`,
  ]);
  return table(`Honest clients at ${perSecond} bad packets a second`, head, rows);
}

/** Seconds until each client was up. */
function upTimes({ secondsUntilUp }: HonestRun): string[] {
  return secondsUntilUp.map((seconds) => (Number.isNaN(seconds) ? 'never' : seconds.toFixed(1)));
}

function holdTable(runs: readonly HoldRun[]): string {
  const head = ['input', 'longest hold of the event loop, ms'];
  const rows = runs.flatMap(({ tunnel, holds }) =>
    holds.map(({ input, ms }) => [`${tunnel}: ${input}`, ms.toFixed(1)]),
  );
  return table(head[1]!, head, rows);
}
