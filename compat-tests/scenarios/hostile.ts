/** Hostile input on a live server's port: random, truncated and replayed packets change nothing and cost no memory. */

import { residentKib } from '../../test-kit/process.ts';
import { ping } from '../../test-kit/transfer.ts';
import { type Bed, check } from '../bed.ts';
import { INNER_SERVER4 } from '../config.ts';
import type { Scenario } from './scenario.ts';

const FLOOD = 20_000;
/** Connections of one round. */
const STRANGERS = 300;
const RELAY_PORT = 7_000;
/** Growth between two equal floods; the first one warms up. */
const GROWTH_LIMIT_KIB = 16 * 1_024;

export const hostile: readonly Scenario[] = [
  ...(['none', 'tls-auth', 'tls-crypt'] as const).map((wrap) => ({
    name: `garbage, truncated and replayed packets on the port (${wrap})`,
    pairings: ['ours-server', 'ours-both'] as const,
    tunnel: { wrap },
    timeoutMs: 120_000,
    run: floods,
  })),
  {
    name: 'TCP connections with bad lengths, half a frame, a byte at a time, or nothing',
    pairings: ['ours-server', 'ours-both'],
    tunnel: { proto: 'tcp' },
    timeoutMs: 120_000,
    run: tcpStrangers,
  },
];

async function floods(bed: Bed): Promise<void> {
  const server = await bed.startServer();
  const { ns, server4 } = bed.client();
  const agent = await bed.agent(ns);
  const options = { listenHost: '127.0.0.1', listenPort: RELAY_PORT, targetHost: server4, targetPort: 1194 };
  await agent.ask({ do: 'relay', options });
  await bed.startClient([], { remote: [`127.0.0.1 ${RELAY_PORT}`] });
  await bed.checkTransfer(INNER_SERVER4, 1_048_576);
  const round = async () => {
    await agent.ask({ do: 'flood', host: server4, port: 1194, count: FLOOD });
    await agent.ask({ do: 'replay', count: 2_000 });
    await agent.ask({ do: 'replay', count: 2_000, lengthBytes: 20 });
    await untilCalm(ns);
    await bed.checkPing(INNER_SERVER4);
    return residentKib(server.pid);
  };
  const before = await round();
  const after = await round();
  check(after - before < GROWTH_LIMIT_KIB, `memory grew from ${before} to ${after} KiB in one flood`);
  check(server.ended === undefined, `the server ended${bed.tails()}`);
  await bed.checkTransfer(INNER_SERVER4, 1_048_576);
}

async function tcpStrangers(bed: Bed): Promise<void> {
  const server = await bed.startServer();
  await bed.startClient();
  const { ns, server4 } = bed.client();
  const agent = await bed.agent(ns);
  const round = async () => {
    await agent.ask({ do: 'tcp-strangers', host: server4, port: 1194, count: STRANGERS });
    await bed.checkPing(INNER_SERVER4);
    return residentKib(server.pid);
  };
  await round();
  const before = await round();
  const after = await round();
  check(after - before < GROWTH_LIMIT_KIB, `memory grew from ${before} to ${after} KiB in one round`);
  check(server.has(/Bad encapsulated packet length from peer/), `no word of bad lengths${bed.tails()}`);
  await bed.checkTransfer(INNER_SERVER4, 1_048_576);
  await bed.stop(server);
}

/** The socket's buffer may still be full of the flood when the first pings leave. */
async function untilCalm(ns: string): Promise<void> {
  for (let tries = 0; tries < 10; tries++) {
    const { sent, received } = await ping(ns, INNER_SERVER4, { count: 10, intervalSec: 0.05, waitSec: 1 });
    if (received === sent) return;
  }
}
