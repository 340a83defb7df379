/** Routes and addresses: redirect-gateway, client-config-dir with iroute and ifconfig-push, address pools. */
import { type Bed, check } from '../bed.ts';
import { INNER_SERVER4 } from '../config.ts';
import type { Scenario } from './scenario.ts';

const OUTSIDE = '203.0.113.9';

export const routing: readonly Scenario[] = [
  { name: 'redirect-gateway def1', run: redirectGateway },
  // 2.4 has no IPv6 address from the pool beside ifconfig-push.
  {
    name: 'client-config-dir: ifconfig-push, iroute, pushed route',
    peerServerFrom: '2.5',
    run: clientConfig,
  },
  { name: 'ifconfig-pool-persist keeps an address', run: poolPersist },
  { name: 'clients reach each other with client-to-client', clients: 2, run: clientToClient },
  { name: 'duplicate-cn: one certificate, two clients', clients: 2, run: duplicateCn },
  { name: 'without duplicate-cn the newer client wins', clients: 2, run: newerWins },
  // A server of 2.5 loses the client it has over the refusal, a stock one too.
  {
    name: 'max-clients refuses one client too many',
    peerServerFrom: '2.6',
    clients: 2,
    run: maxClients,
  },
];

async function redirectGateway(bed: Bed): Promise<void> {
  const { ns, server4 } = bed.client();
  bed.ip(bed.network.server, 'addr', 'add', `${OUTSIDE}/32`, 'dev', 'lo');
  bed.ip(ns, 'route', 'add', 'default', 'via', server4);
  const before = bed.snapshot(ns);
  await bed.startServer(['push "redirect-gateway def1"']);
  const client = await bed.startClient();
  const routes = bed.ip(ns, 'route');
  for (const wanted of [/^0\.0\.0\.0\/1 via 10\.8\.0\.1 /m, /^128\.0\.0\.0\/1 via 10\.8\.0\.1 /m]) {
    check(wanted.test(routes), `no route ${wanted} in:\n${routes}`);
  }
  check(
    new RegExp(`^${server4} (via|dev) `, 'm').test(routes),
    `no route to the server itself in:\n${routes}`,
  );
  check(
    bed.ip(ns, 'route', 'get', OUTSIDE).includes('dev tun0'),
    'the outside is not reached through the tunnel',
  );
  await bed.checkPing(OUTSIDE);
  await bed.stop(client);
  bed.checkClean(ns, before);
}

async function clientConfig(bed: Bed): Promise<void> {
  const { ns } = bed.client();
  bed.ip(ns, 'addr', 'add', '192.168.77.1/32', 'dev', 'lo');
  bed.ip(ns, '-6', 'addr', 'add', '2001:db8:77::1/128', 'dev', 'lo');
  const before = bed.snapshot(ns);
  const ccd = [
    'ifconfig-push 10.8.0.77 255.255.255.0',
    'iroute 192.168.77.0 255.255.255.0',
    'iroute-ipv6 2001:db8:77::/64',
    'push "route 192.168.88.0 255.255.255.0"',
  ];
  bed.write('client1', `${ccd.join('\n')}\n`);
  await bed.startServer([
    `client-config-dir ${bed.dir}`,
    'route 192.168.77.0 255.255.255.0',
    'route-ipv6 2001:db8:77::/64',
  ]);
  const client = await bed.startClient();
  check(bed.ip(ns, 'addr', 'show', 'dev', 'tun0').includes('10.8.0.77/24'), 'the pushed address is not set');
  check(bed.ip(ns, 'route').includes('192.168.88.0/24 via 10.8.0.1'), 'the pushed route is not set');
  await bed.checkPing('192.168.77.1', { ns: bed.network.server });
  await bed.checkPing('2001:db8:77::1', { ns: bed.network.server });
  await bed.checkPing(INNER_SERVER4);
  await bed.stop(client);
  bed.checkClean(ns, before);
}

async function poolPersist(bed: Bed): Promise<void> {
  bed.write('pool', 'client1,10.8.0.50,fd00:8::1030\n');
  const lines = ['ifconfig-pool-persist pool 1'];
  const server = await bed.startServer(lines);
  const client = await bed.startClient();
  const addresses = bed.ip(bed.client().ns, 'addr', 'show', 'dev', 'tun0');
  check(addresses.includes('10.8.0.50/24'), `the address of the file is not used:\n${addresses}`);
  await bed.checkPing(INNER_SERVER4);
  await bed.stop(client);
  await bed.stop(server);
  const line = bed.read('pool').split('\n')[0];
  check(line === 'client1,10.8.0.50,fd00:8::1030', `pool file: ${line}`);
}

async function clientToClient(bed: Bed): Promise<void> {
  await bed.startServer(['client-to-client']);
  await bed.startClient();
  await bed.startClient([], { index: 1, identity: 'client2' });
  await bed.checkPing('10.8.0.3', { index: 0 });
  await bed.checkPing('10.8.0.2', { index: 1 });
  await bed.checkPing('fd00:8::1001', { index: 0 });
  const other = await bed.agent(bed.client(1).ns);
  await other.ask({ do: 'serve', host: '::', port: 5_000 });
  await bed.checkTransfer('10.8.0.3', 4 * 1_048_576);
  await bed.checkTransfer(INNER_SERVER4, 1_048_576, 1);
}

async function duplicateCn(bed: Bed): Promise<void> {
  await bed.startServer(['duplicate-cn']);
  await bed.startClient();
  await bed.startClient([], { index: 1 });
  await bed.checkPing(INNER_SERVER4, { index: 0 });
  await bed.checkPing(INNER_SERVER4, { index: 1 });
}

async function newerWins(bed: Bed): Promise<void> {
  const server = await bed.startServer();
  await bed.startClient();
  await bed.startClient([], { index: 1 });
  await bed.checkPing(INNER_SERVER4, { index: 1 });
  const told =
    /MULTI: new connection by client 'client1' will cause previous active sessions by this client to be dropped/;
  if (bed.isOurs('server'))
    check(server.has(told), `the server says nothing of the older session${bed.tails()}`);
}

async function maxClients(bed: Bed): Promise<void> {
  const server = await bed.startServer(['max-clients 1']);
  await bed.startClient();
  const second = bed.launchClient(['hand-window 4'], { index: 1, identity: 'client2' });
  const full = /MULTI: new incoming connection would exceed maximum number of clients \(1\)/;
  if (bed.isOurs('server')) await server.waitFor(full);
  await second.waitFor(/TLS key negotiation failed to occur within 4 seconds/);
  check(!second.has(/Initialization Sequence Completed/), 'the second client got a tunnel');
  await bed.checkPing(INNER_SERVER4);
}
