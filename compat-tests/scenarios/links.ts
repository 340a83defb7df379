/** Hard roads: loss, reordering and duplication, a client whose source port changes, a dead first remote. */

import { setLoss } from '../../test-kit/netns.ts';
import { sleep } from '../../test-kit/process.ts';
import { ping } from '../../test-kit/transfer.ts';
import type { RelayOptions } from '../../test-kit/udp-relay.ts';
import { type Bed, check } from '../bed.ts';
import { INNER_SERVER4, INNER_SERVER6 } from '../config.ts';
import type { Scenario } from './scenario.ts';

const RELAY_PORT = 7_000;

export const links: readonly Scenario[] = [
  { name: 'handshake and transfer over 10 % loss each way (UDP)', run: lossy, timeoutMs: 120_000 },
  { name: 'handshake over a link that delays, reorders and doubles', run: disordered },
  { name: 'floating client: its source port changes', feature: 'Floating clients', run: floating },
  { name: 'second remote when the first is dead (UDP)', feature: 'Connection lists', run: deadFirstRemote },
  {
    name: 'second remote when the first is dead (TCP)',
    feature: 'Connection lists',
    tunnel: { proto: 'tcp' },
    run: deadFirstRemote,
  },
];

async function lossy(bed: Bed): Promise<void> {
  await bed.startServer();
  setLoss(bed.network.server, 10);
  setLoss(bed.client().ns, 10);
  const client = bed.launchClient();
  await bed.waitUp(client, 60_000);
  const result = await ping(bed.client().ns, INNER_SERVER4, { count: 100, intervalSec: 0.01, waitSec: 1 });
  check(result.received >= 55, `${result.received} of 100 answers over 10 % loss each way`);
  setLoss(bed.network.server, 1);
  setLoss(bed.client().ns, 1);
  await bed.checkTransfer(INNER_SERVER4, 1_048_576);
}

async function disordered(bed: Bed): Promise<void> {
  await bed.startServer();
  await startRelay(bed, { reorder: 0.2, reorderMs: 15, duplicate: 0.2, delayMs: 5, seed: 3 });
  await bed.startClient([], { remote: [`127.0.0.1 ${RELAY_PORT}`] });
  await bed.checkPing(INNER_SERVER4, { count: 50, intervalSec: 0.02 });
  await bed.checkTransfer(INNER_SERVER4, 524_288);
}

async function floating(bed: Bed): Promise<void> {
  const server = await bed.startServer(['verb 4']);
  const relay = await startRelay(bed, {});
  await bed.startClient([], { remote: [`127.0.0.1 ${RELAY_PORT}`] });
  await bed.checkPing(INNER_SERVER4);
  await relay.ask({ do: 'rebind' });
  await sleep(200);
  // The packets that make the server notice may themselves be lost to the old address.
  await ping(bed.client().ns, INNER_SERVER4, { count: 2, waitSec: 1 });
  await bed.checkPing(INNER_SERVER4);
  await bed.checkPing(INNER_SERVER6);
  await bed.checkTransfer(INNER_SERVER4, 1_048_576);
  const told = /[Pp]eer 0 \(client1\) floated from 10\.99\.0\.2:\d+ to \[AF_INET\]10\.99\.0\.2:\d+/;
  if (bed.isOurs('server'))
    check(server.has(told), `the server does not say that the client floated${bed.tails()}`);
}

async function deadFirstRemote(bed: Bed): Promise<void> {
  await bed.startServer();
  const { server4 } = bed.client();
  const client = bed.launchClient(['server-poll-timeout 3'], {
    remote: [`${server4} 1999`, `${server4} 1194`],
  });
  await bed.waitUp(client, 30_000);
  await bed.checkPing(INNER_SERVER4);
}

/** A relay in the client's namespace, at 127.0.0.1 port 7000, that spoils the traffic. */
export async function startRelay(bed: Bed, spoil: Partial<RelayOptions>) {
  const { ns, server4 } = bed.client();
  const agent = await bed.agent(ns);
  const options = {
    listenHost: '127.0.0.1',
    listenPort: RELAY_PORT,
    targetHost: server4,
    targetPort: 1194,
    ...spoil,
  };
  await agent.ask({ do: 'relay', options });
  return agent;
}
