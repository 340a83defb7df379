/**
 * Strangers who send thousands of packets a second from hundreds of addresses: honest clients come in and lose no
 * ping, and the log stays small.
 */
import { FLOOD_PREFIXES, floodSources } from '../../test-kit/flood.ts';
import { ownPrefix, udpPorts } from '../../test-kit/netns.ts';
import { Agent } from '../../test-kit/transfer.ts';
import { type Bed, check } from '../bed.ts';
import { INNER_SERVER4 } from '../config.ts';
import { badKinds, floodPackets } from '../flood-packets.ts';
import type { Scenario } from './scenario.ts';

const PER_SECOND = 3_000;
const SECONDS = 20;
const SOURCES = 64;
/** Lines a second that strangers may cause, and what else a server says meanwhile. */
const MOST_LINES = SECONDS * 101 + 200;

const TUNNELS = [
  { wrap: 'none', family: 6 },
  { wrap: 'tls-auth', family: 4 },
  { wrap: 'tls-crypt', family: 6 },
  { wrap: 'tls-crypt-v2', family: 6 },
] as const;

export const flood: readonly Scenario[] = [
  ...TUNNELS.map((tunnel) => ({
    name: `clients come in and stay while strangers send bad packets (${tunnel.wrap}, IPv${tunnel.family})`,
    pairings: ['ours-server', 'ours-both'] as const,
    tunnel,
    timeoutMs: 120_000,
    run: strangers,
  })),
  ...([4, 6] as const).map((family) => ({
    name: `a client stays while strangers send to its port (IPv${family})`,
    pairings: ['ours-client', 'ours-both'] as const,
    tunnel: { family },
    timeoutMs: 120_000,
    run: strangersAtClient,
  })),
];

async function strangers(bed: Bed): Promise<void> {
  const server = await bed.startServer();
  const { family } = bed.tunnel;
  const { ns, server4, server6 } = bed.client();
  ownPrefix(bed.network, FLOOD_PREFIXES[family]);
  const packets = badKinds(bed.tunnel).flatMap((kind) => floodPackets(kind, bed.tunnel, bed.files));
  const options = {
    host: family === 4 ? server4 : server6,
    port: 1194,
    packets: packets.map((packet) => packet.toString('base64')),
    perSecond: PER_SECOND,
    seconds: SECONDS,
    sources: floodSources(family, SOURCES),
  };
  const stranger = new Agent(ns);
  try {
    const flooding = stranger.ask({ do: 'flood-with', options });
    await bed.startClient();
    await bed.checkPing(INNER_SERVER4, { count: 60, intervalSec: 0.1, waitSec: 3 });
    await flooding;
  } finally {
    await stranger.close();
  }
  check(server.lines.length < MOST_LINES, `the server wrote ${server.lines.length} lines`);
  await bed.checkTransfer(INNER_SERVER4, 1_048_576);
  await bed.stop(server);
}

async function strangersAtClient(bed: Bed): Promise<void> {
  await bed.startServer();
  const client = await bed.startClient();
  const { ns, ip4, ip6 } = bed.client();
  const { family } = bed.tunnel;
  const port = udpPorts(ns)[0];
  check(port !== undefined, 'the client has no UDP port');
  const packets = ['random', 'data-known', 'reset-bare'] as const;
  const options = {
    host: family === 4 ? ip4 : ip6,
    port,
    packets: packets
      .flatMap((kind) => floodPackets(kind, bed.tunnel, bed.files))
      .map((packet) => packet.toString('base64')),
    perSecond: PER_SECOND,
    seconds: SECONDS / 2,
  };
  const stranger = new Agent(bed.network.server);
  try {
    const flooding = stranger.ask({ do: 'flood-with', options });
    await bed.checkPing(INNER_SERVER4, { count: 40, intervalSec: 0.1, waitSec: 3 });
    await flooding;
  } finally {
    await stranger.close();
  }
  check(client.has(/Incoming packet rejected from/), `no word of the strangers${bed.tails()}`);
  check(client.lines.length < MOST_LINES, `the client wrote ${client.lines.length} lines`);
  await bed.checkTransfer(INNER_SERVER4, 1_048_576);
  await bed.stop(client);
}
