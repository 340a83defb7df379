/**
 * TCP throughput through a tunnel, one iperf3 stream, up (client to server) and down, with the CPU time
 * each end used per gigabyte that arrived.
 */

import { INNER_SERVER4, PLAIN_TUNNEL, type TunnelOptions } from '../compat-tests/config.ts';
import { cpuSeconds, type Program } from '../test-kit/process.ts';
import { type Contender, Setting, type TunnelWire } from './setting.ts';

/** One direction of one run. */
export interface Flow {
  readonly mbitPerSec: number;
  /** CPU seconds per 1e9 bytes received, user and system together. */
  readonly serverCpuPerGb: number;
  readonly clientCpuPerGb: number;
}

export interface ThroughputRun {
  readonly server: string;
  readonly client: string;
  readonly up: Flow;
  readonly down: Flow;
}

export interface ThroughputOptions extends TunnelWire {
  readonly seconds: number;
  readonly tunnel?: Partial<TunnelOptions>;
}

interface IperfReport {
  readonly error?: string;
  readonly end: { readonly sum_received: { readonly bytes: number; readonly bits_per_second: number } };
}

/** Measures one pair of ends, both directions. Rejects when the tunnel or iperf3 fails. */
export async function measureThroughput(
  server: Contender,
  client: Contender,
  options: ThroughputOptions,
): Promise<ThroughputRun> {
  const setting = await Setting.create({ ...PLAIN_TUNNEL, ...options.tunnel });
  try {
    if (options.split) setting.splitSuperPackets();
    const serverProgram = await setting.startServer(server);
    const clientProgram = await setting.startClient(client);
    const iperf = setting.run(setting.network.server, ['iperf3', '-s', '--forceflush']);
    await iperf.waitFor(/Server listening/);
    const ends = [serverProgram, clientProgram] as const;
    const up = await flow(setting, ends, options.seconds, []);
    // A client that comes before the server has put its first test away is cut off.
    await iperf.waitFor(/Server listening.*\(test #2\)/);
    const down = await flow(setting, ends, options.seconds, ['-R']);
    return { server: server.name, client: client.name, up, down };
  } finally {
    await setting.close();
  }
}

async function flow(
  setting: Setting,
  ends: readonly [Program, Program],
  seconds: number,
  extra: readonly string[],
): Promise<Flow> {
  const before = ends.map((program) => cpuSeconds(program.pid));
  const argv = ['iperf3', '-c', INNER_SERVER4, '-t', `${seconds}`, '-J', ...extra];
  const iperf = setting.run(setting.network.clients[0]!.ns, argv);
  await iperf.waitForExit((seconds + 20) * 1_000);
  const after = ends.map((program) => cpuSeconds(program.pid));
  const report = JSON.parse(iperf.lines.join('\n')) as IperfReport;
  if (report.error !== undefined)
    throw new Error(`iperf3: ${report.error}\n${ends.map((e) => e.tail()).join('\n')}`);
  const { bytes, bits_per_second } = report.end.sum_received;
  const perGb = (end: 0 | 1) => (after[end]! - before[end]!) / (bytes / 1e9);
  return { mbitPerSec: bits_per_second / 1e6, serverCpuPerGb: perGb(0), clientCpuPerGb: perGb(1) };
}
