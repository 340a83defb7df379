/**
 * How many packets a second go through a tunnel, by their size: a flood of UDP packets at one end, one direction at a
 * time, counted where they arrive at the other end. What doesn't arrive isn't looked at: the flood is faster than any
 * tunnel.
 */
import { resolve } from 'node:path';
import { INNER_SERVER4 } from '../compat-tests/config.ts';
import { type Contender, INNER_CLIENT4, Setting, type TunnelWire } from './setting.ts';

/** Packets of one size, received a second. */
export interface PacketRates {
  readonly bytes: number;
  readonly up: number;
  readonly down: number;
}

export interface PacketsRun {
  readonly ends: string;
  readonly rates: readonly PacketRates[];
}

const FLOOD = resolve('bench/udp-flood.mjs');
const COUNT = resolve('bench/udp-count.mjs');
const PORT = 7_009;
/** Bytes of UDP payload: little more than headers, a middling packet, as much as fits a tunnel. */
const SIZES = [64, 512, 1_300];
const WARM_UP_MS = 500;
const PATIENCE_MS = 20_000;

/** Measures a tunnel between two ends of one program. Rejects when it fails. */
export async function measurePackets(
  ends: Contender,
  wire: TunnelWire,
  seconds: number,
): Promise<PacketsRun> {
  const setting = await Setting.create();
  try {
    if (wire.split) setting.splitSuperPackets();
    await setting.startServer(ends);
    await setting.startClient(ends);
    const { server, clients } = setting.network;
    const client = clients[0]!.ns;
    const rates: PacketRates[] = [];
    for (const bytes of SIZES) {
      const up = await rate(setting, client, [server, INNER_SERVER4], bytes, seconds);
      const down = await rate(setting, server, [client, INNER_CLIENT4], bytes, seconds);
      rates.push({ bytes, up, down });
    }
    return { ends: ends.name, rates };
  } finally {
    await setting.close();
  }
}

async function rate(
  setting: Setting,
  from: string,
  [to, host]: readonly [string, string],
  bytes: number,
  seconds: number,
): Promise<number> {
  const node = process.execPath;
  const times = [`${WARM_UP_MS}`, `${seconds * 1_000}`];
  const counter = setting.run(to, [node, COUNT, host, `${PORT}`, ...times]);
  await counter.waitFor(/ready/);
  const flood = setting.run(from, [node, FLOOD, host, `${PORT}`, `${bytes}`]);
  const line = await counter.waitFor(/^received /, seconds * 1_000 + PATIENCE_MS);
  await flood.stop('SIGKILL');
  return Number(line.split(' ')[1]);
}
