/** PUSH_UPDATE, which 2.6 peers don't know: our server by the library, our client as a program. */
import { type Bed, check } from '../bed.ts';
import { INNER_SERVER4 } from '../config.ts';
import type { Scenario } from './scenario.ts';

const UP = /Initialization Sequence Completed/;

export const pushUpdate: readonly Scenario[] = [
  { name: 'PUSH_UPDATE replaces routes and addresses', pairings: ['ours-both'], run: updated },
  {
    name: 'PUSH_UPDATE over tcp and tap',
    pairings: ['ours-both'],
    tunnel: { dev: 'tap', proto: 'tcp' },
    run: updated,
  },
  { name: 'PUSH_UPDATE is not for clients that lack it', pairings: ['ours-server'], run: unknown },
];

async function updated(bed: Bed): Promise<void> {
  const { ns } = bed.client();
  const before = bed.snapshot(ns);
  const server = await bed.startLibraryServer(['push "route 192.168.40.0 255.255.255.0"']);
  const client = await bed.startClient(['verb 4']);
  await bed.checkPing(INNER_SERVER4);
  const told = await server.ask({
    do: 'push-update',
    options: 'route 192.168.41.0 255.255.255.0,ifconfig 10.8.0.77 255.255.255.0',
  });
  check(told === 1, `${told} clients told`);
  await bed.waitUntil(() => client.lines.filter((line) => UP.test(line)).length === 2, 'not set up anew');
  const routes = bed.ip(ns, 'route');
  check(routes.includes('192.168.41.0/24') && !routes.includes('192.168.40.0/24'), `routes:\n${routes}`);
  check(bed.ip(ns, '-4', 'addr').includes('10.8.0.77/24'), bed.ip(ns, '-4', 'addr'));
  await bed.checkPing(INNER_SERVER4);
  await bed.checkTransfer(INNER_SERVER4, 1_048_576);
  await server.ask({ do: 'push-update', options: '-route' });
  await bed.waitUntil(() => client.lines.filter((line) => UP.test(line)).length === 3, 'not set up anew');
  check(!bed.ip(ns, 'route').includes('192.168.'), bed.ip(ns, 'route'));
  await bed.stop(client);
  bed.checkClean(ns, before);
}

async function unknown(bed: Bed): Promise<void> {
  const server = await bed.startLibraryServer();
  await bed.startClient();
  const told = await server.ask({ do: 'push-update', options: 'route 192.168.41.0 255.255.255.0' });
  check(told === 0, `${told} clients told`);
  await bed.checkPing(INNER_SERVER4);
}
