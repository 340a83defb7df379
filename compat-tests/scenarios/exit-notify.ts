/** --explicit-exit-notify: a leaving client is forgotten at once, a leaving server sends its clients away. */
import { type Bed, check } from '../bed.ts';
import { INNER_SERVER4 } from '../config.ts';
import type { Scenario } from './scenario.ts';

export const exitNotify: readonly Scenario[] = [
  { name: 'explicit-exit-notify of a client', run: clientLeaves },
  { name: 'explicit-exit-notify of a server', run: serverLeaves },
];

async function clientLeaves(bed: Bed): Promise<void> {
  const server = await bed.startServer();
  const client = await bed.startClient(['explicit-exit-notify 1']);
  await bed.checkPing(INNER_SERVER4);
  await bed.stop(client);
  check(client.has(/SIGTERM received, sending exit notification to peer/), `no notification${bed.tails()}`);
  check(
    client.has(/SIGTERM\[soft,exit-with-notification\] received, process exiting/),
    `no farewell${bed.tails()}`,
  );
  await server.waitFor(/SIGTERM\[soft,(delayed|remote)-exit\] received, client-instance exiting/);
}

async function serverLeaves(bed: Bed): Promise<void> {
  const server = await bed.startServer(['explicit-exit-notify 1']);
  // A server of 2.4 takes clients in until it ends, and who comes back by then waits for it in vain.
  const client = await bed.startClient(['connect-retry 3']);
  await bed.checkPing(INNER_SERVER4);
  client.mark();
  await bed.stop(server);
  await client.waitFor(/Connection reset command was pushed by server/);
  await client.waitFor(/SIGUSR1\[soft,server-pushed-connection-reset\] received, process restarting/);
  await bed.startServer();
  await bed.waitUp(client, 30_000);
}
