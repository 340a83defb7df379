/**
 * How long a packet takes through a tunnel and back: round trips of small UDP packets, through an idle tunnel and
 * through one that carries a TCP stream as fast as it goes at the same time. Both ends of the round trip are the bench's
 * own (bench/udp-ping.mjs, bench/udp-echo.mjs), so the clock is one process's.
 */
import { resolve } from 'node:path';
import { INNER_SERVER4 } from '../compat-tests/config.ts';
import { type Program, sleep } from '../test-kit/process.ts';
import { type Contender, quantile, Setting, type TunnelWire } from './setting.ts';

/** Round trips of one tunnel, in microseconds. */
export interface RoundTrips {
  readonly p50: number;
  readonly p99: number;
  /** Of the packets sent, those that did not come back. */
  readonly lost: number;
}

export interface LatencyRun {
  readonly ends: string;
  readonly idle: RoundTrips;
  readonly besideTcp: RoundTrips;
}

const ECHO = resolve('bench/udp-echo.mjs');
const PING = resolve('bench/udp-ping.mjs');
const ECHO_PORT = 7_007;
const TRIPS = 600;
const INTERVAL_MS = 5;
/** Twice what the round trips take on a quiet machine. */
const LIMIT_MS = 30_000;
/** A TCP stream has found its speed after this. */
const TCP_START_MS = 1_000;

/** Measures a tunnel between two ends of one program. Rejects when it fails, or when no packet comes back. */
export async function measureLatency(ends: Contender, wire: TunnelWire): Promise<LatencyRun> {
  const setting = await Setting.create();
  try {
    if (wire.split) setting.splitSuperPackets();
    const programs = [await setting.startServer(ends), await setting.startClient(ends)];
    const echo = setting.run(setting.network.server, [process.execPath, ECHO, INNER_SERVER4, `${ECHO_PORT}`]);
    await echo.waitFor(/ready/);
    const idle = await roundTrips(setting, programs);
    const stream = await startStream(setting);
    const besideTcp = await roundTrips(setting, programs);
    if (stream.ended !== undefined) throw new Error(`iperf3 ended early\n${stream.tail()}`);
    return { ends: ends.name, idle, besideTcp };
  } finally {
    await setting.close();
  }
}

async function roundTrips(setting: Setting, programs: readonly Program[]): Promise<RoundTrips> {
  const argv = [process.execPath, PING, INNER_SERVER4, `${ECHO_PORT}`, `${TRIPS}`, `${INTERVAL_MS}`];
  const ping = setting.run(setting.network.clients[0]!.ns, argv);
  await ping.waitForExit(LIMIT_MS);
  const trips = JSON.parse(ping.lines.join('\n')) as number[];
  if (trips.length === 0)
    throw new Error(`no packet came back\n${programs.map((end) => end.tail()).join('\n')}`);
  const microseconds = (share: number) => quantile(trips, share) / 1_000;
  return { p50: microseconds(0.5), p99: microseconds(0.99), lost: TRIPS - trips.length };
}

/** A TCP stream from the client to the server that outlives the round trips. */
async function startStream(setting: Setting): Promise<Program> {
  const server = setting.run(setting.network.server, ['iperf3', '-s', '--forceflush']);
  await server.waitFor(/Server listening/);
  const argv = ['iperf3', '-c', INNER_SERVER4, '-t', `${(TCP_START_MS + LIMIT_MS) / 1_000}`];
  const stream = setting.run(setting.network.clients[0]!.ns, argv);
  await sleep(TCP_START_MS);
  return stream;
}
