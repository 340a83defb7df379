/**
 * Layer 2: bridges, client-to-client, MAC learning with its script, VLANs, addresses by DHCP's leave.
 * A bridge `br0` in the server's namespace joins tap0 with the veth `lan0`, whose far end `host0` stands
 * for a host of the LAN in a namespace of its own (a second client side that runs no VPN).
 */
import { runProgram } from '../../test-kit/process.ts';
import { type Bed, check } from '../bed.ts';
import { INNER_SERVER4 } from '../config.ts';
import type { Scenario } from './scenario.ts';

const TAP = { dev: 'tap' } as const;
const HOST = '10.8.0.100';

export const tap: readonly Scenario[] = [
  { name: 'tap: server-bridge joins a LAN, udp', tunnel: TAP, clients: 2, run: bridged },
  {
    name: 'tap: server-bridge joins a LAN, tcp over IPv6',
    tunnel: { ...TAP, proto: 'tcp', family: 6 },
    clients: 2,
    run: bridged,
  },
  { name: 'tap: server-bridge nogw and DHCP forms', tunnel: TAP, run: bridgeForms },
  { name: 'tap: the gateway comes from a DHCP answer, which loses it', tunnel: TAP, run: dhcpGateway },
  { name: 'tap: client-to-client over both transports', tunnel: TAP, clients: 2, run: clientToClient },
  {
    name: 'tap: client-to-client, tcp',
    tunnel: { ...TAP, proto: 'tcp' },
    clients: 2,
    run: clientToClient,
  },
  {
    name: 'tap: clients reach each other through a bridge only',
    tunnel: TAP,
    clients: 2,
    run: noClientToClient,
  },
  { name: 'tap: lladdr and a route behind the client', tunnel: TAP, run: linkAddress },
  {
    name: 'tap: learn-address may refuse a MAC address',
    tunnel: TAP,
    pairings: ['ours-server'],
    run: refusedAddress,
  },
  { name: 'tap: status file shows MAC addresses', tunnel: TAP, pairings: ['ours-server'], run: statusFile },
  {
    name: 'tap: ifconfig-push by client-config-dir, topology makes no difference',
    tunnel: { ...TAP, topology: 'p2p' },
    run: pushedAddress,
  },
  { name: 'tap: multicast and broadcast reach everybody', tunnel: TAP, clients: 2, run: fanOut },
  {
    name: 'tap: stale-routes-check forgets a silent MAC address',
    tunnel: TAP,
    pairings: ['ours-server'],
    run: staleAddress,
  },
  { name: 'tap: an address moves between clients', tunnel: TAP, clients: 2, run: movingAddress },
];

async function bridged(bed: Bed): Promise<void> {
  const clientBefore = bed.snapshot(bed.client().ns);
  joinLan(bed);
  const server = await bed.launchBridged();
  bed.ip(bed.network.server, 'link', 'set', 'tap0', 'up', 'master', 'br0');
  const client = await bed.startClient();
  const addresses = bed.ip(bed.client().ns, '-4', 'addr', 'show', 'dev', 'tap0');
  check(addresses.includes('10.8.0.50/24'), `not the pool's address:\n${addresses}`);
  await bed.checkPing(HOST);
  await bed.checkPing('10.8.0.50', { ns: bed.client(1).ns });
  await bed.checkPing('fd00:8::100');
  const host = await bed.agent(bed.client(1).ns);
  await host.ask({ do: 'serve', host: '::', port: 5_000 });
  await bed.checkTransfer(HOST, 4 * 1_048_576);
  await bed.stop(client);
  await bed.stop(server);
  bed.checkClean(bed.client().ns, clientBefore);
}

async function bridgeForms(bed: Bed): Promise<void> {
  for (const [form, pushed] of [
    ['server-bridge', /route-gateway dhcp/],
    ['server-bridge nogw', undefined],
  ] as const) {
    const server = await bed.launchBridged(form);
    bed.ip(bed.network.server, 'link', 'set', 'tap0', 'up');
    bed.ip(bed.network.server, 'addr', 'add', `${INNER_SERVER4}/24`, 'dev', 'tap0');
    const client = await bed.startClient(['ifconfig 10.8.0.2 255.255.255.0']);
    const reply = client.lines.find((line) => line.includes('PUSH_REPLY')) ?? '';
    check(reply.includes('route-gateway') === (pushed !== undefined), `${form}: ${reply}`);
    if (pushed) check(pushed.test(reply), `${form}: ${reply}`);
    await bed.checkPing(INNER_SERVER4);
    await bed.stop(client);
    await bed.stop(server);
  }
}

/** `route-gateway dhcp`: the router of the answer becomes the tunnel's gateway, and the answer names none. */
async function dhcpGateway(bed: Bed): Promise<void> {
  const { server } = bed.network;
  await bed.launchBridged('server-bridge');
  bed.ip(server, 'link', 'set', 'tap0', 'up');
  bed.ip(server, 'addr', 'add', `${INNER_SERVER4}/24`, 'dev', 'tap0');
  await (await bed.agent(server)).ask({ do: 'dhcp-serve', host: INNER_SERVER4, router: '10.8.0.254' });
  const script = bed.write(
    'route-up.sh',
    `#!/bin/sh\necho "$route_vpn_gateway" >${bed.dir}/gateway\n`,
    0o700,
  );
  const client = bed.launchClient([
    'ifconfig 10.8.0.2 255.255.255.0',
    'redirect-gateway def1 local',
    'route-delay 3',
    'script-security 2',
    `route-up ${script}`,
  ]);
  await client.waitFor(/PUSH_REPLY,route-gateway dhcp/);
  const options = await (await bed.agent(bed.client().ns)).ask({ do: 'dhcp-ask', host: INNER_SERVER4 });
  check(options === `35010506040a0800feff${'00'.repeat(6)}`, `options of the answer: ${options}`);
  await client.waitFor(/Extracted DHCP router address: 10\.8\.0\.254/);
  await bed.waitUp(client);
  const routes = bed.ip(bed.client().ns, 'route');
  check(routes.includes('0.0.0.0/1 via 10.8.0.254 dev tap0'), `no route to the router:\n${routes}`);
  await bed.waitForText('gateway', /^10\.8\.0\.254\n$/);
}

async function clientToClient(bed: Bed): Promise<void> {
  await bed.startServer(['client-to-client']);
  await bed.startClient();
  await bed.startClient([], { index: 1, identity: 'client2' });
  await bed.checkPing('10.8.0.3', { index: 0 });
  await bed.checkPing('fd00:8::1000', { index: 1 });
  const other = await bed.agent(bed.client(1).ns);
  await other.ask({ do: 'serve', host: '::', port: 5_000 });
  await bed.checkTransfer('10.8.0.3', 2 * 1_048_576);
  await bed.checkPing(INNER_SERVER4, { index: 1 });
}

/** Without client-to-client frames go to the device alone, which has no way back to where they came from. */
async function noClientToClient(bed: Bed): Promise<void> {
  await bed.startServer();
  await bed.startClient();
  await bed.startClient([], { index: 1, identity: 'client2' });
  await bed.checkPing(INNER_SERVER4, { index: 0 });
  await bed.checkPing(INNER_SERVER4, { index: 1 });
  await bed.checkNoPing('10.8.0.3', { index: 0 });
}

async function linkAddress(bed: Bed): Promise<void> {
  const { ns } = bed.client();
  bed.ip(ns, 'addr', 'add', '192.168.77.1/32', 'dev', 'lo');
  await bed.startServer(['route 192.168.77.0 255.255.255.0 10.8.0.2']);
  await bed.startClient(['lladdr 02:11:22:33:44:55']);
  const link = bed.ip(ns, 'link', 'show', 'dev', 'tap0');
  check(link.includes('02:11:22:33:44:55'), `the address is not set:\n${link}`);
  await bed.checkPing(INNER_SERVER4);
  await bed.checkPing('192.168.77.1', { ns: bed.network.server });
}

async function refusedAddress(bed: Bed): Promise<void> {
  const script = [
    '#!/bin/sh',
    `echo "$@" >> ${bed.dir}/learned`,
    'case "$2" in 02:00:00:00:00:bb*) exit 1;; esac',
    '',
  ];
  const path = bed.write('learn.sh', script.join('\n'), 0o700);
  const server = await bed.startServer(['script-security 2', `learn-address ${path}`, 'verb 4']);
  const client = await bed.startClient(['lladdr 02:00:00:00:00:bb']);
  await bed.checkNoPing(INNER_SERVER4);
  await server.waitFor(/MULTI: Learn FAILED: 02:00:00:00:00:bb@0/);
  await server.waitFor(/MULTI: bad source address from client \[02:00:00:00:00:bb@0\], packet dropped/);
  bed.ip(bed.client().ns, 'link', 'set', 'dev', 'tap0', 'address', '02:00:00:00:00:aa');
  await bed.checkPing(INNER_SERVER4);
  await bed.waitForText('learned', /^add 02:00:00:00:00:aa@0 client1$/m);
  await bed.stop(client);
}

async function statusFile(bed: Bed): Promise<void> {
  const server = await bed.startServer(['status status.txt 1', 'status-version 2']);
  await bed.startClient(['lladdr 02:00:00:00:00:aa']);
  await bed.checkPing(INNER_SERVER4);
  await bed.waitForText('status.txt', /\nROUTING_TABLE,02:00:00:00:00:aa@0,client1,10\.99\.0\.2:\d+,/);
  await bed.stop(server);
}

async function pushedAddress(bed: Bed): Promise<void> {
  bed.write('client1', 'ifconfig-push 10.8.0.77 255.255.255.0\nifconfig-ipv6-push fd00:8::77/64\n');
  await bed.startServer([`client-config-dir ${bed.dir}`]);
  await bed.startClient();
  const addresses = bed.ip(bed.client().ns, 'addr', 'show', 'dev', 'tap0');
  check(/inet 10\.8\.0\.77\/24 (brd|scope)/.test(addresses), `not the pushed address:\n${addresses}`);
  check(/inet6 fd00:8::77\/64/.test(addresses), `not the pushed IPv6 address:\n${addresses}`);
  await bed.checkTraffic(1);
}

/** One question to all IPv6 nodes and one to the IPv4 broadcast address: the server and the other client answer. */
async function fanOut(bed: Bed): Promise<void> {
  await bed.startServer(['client-to-client']);
  await bed.startClient();
  await bed.startClient([], { index: 1, identity: 'client2' });
  const places = [bed.network.server, bed.client(1).ns];
  for (const ns of places) {
    const sysctl = ['sysctl', '-qw', 'net.ipv4.icmp_echo_ignore_broadcasts=0'];
    await runProgram({ name: 'sysctl', argv: sysctl, ns }, 5_000);
  }
  const { ns } = bed.client();
  for (const host of ['10.8.0.1', '10.8.0.3']) await bed.checkPing(host, { count: 1 });
  const ask = async (...argv: string[]): Promise<string> =>
    (
      await runProgram({ name: 'ping', argv: ['ping', '-n', '-c', '3', '-i', '0.3', ...argv], ns }, 10_000)
    ).lines.join('\n');
  const four = await ask('-b', '10.8.0.255');
  for (const host of ['10.8.0.1', '10.8.0.3'])
    check(four.includes(`from ${host}:`), `no answer of ${host}:\n${four}`);
  const six = await ask('-6', 'ff02::1%tap0');
  const others = new Set([...six.matchAll(/from (fe80:[^%\s]*)%/g)].map(([, address]) => address));
  check(
    others.size === 3,
    `answers of ${[...others].join(' ')}, of server and both clients expected:\n${six}`,
  );
}

async function staleAddress(bed: Bed): Promise<void> {
  await bed.startServer(['status status.txt 1', 'status-version 2', 'stale-routes-check 3 1']);
  await bed.startClient(['lladdr 02:00:00:00:00:aa']);
  await bed.checkPing(INNER_SERVER4);
  await bed.waitForText('status.txt', /02:00:00:00:00:aa@0.*\nEND\n$/s);
  bed.ip(bed.client().ns, 'link', 'set', 'dev', 'tap0', 'down');
  await bed.waitForText('status.txt', /^(?!.*02:00:00:00:00:aa@0).*\nEND\n$/s, 15_000);
  bed.ip(bed.client().ns, 'link', 'set', 'dev', 'tap0', 'up');
  await bed.checkPing(INNER_SERVER4);
}

async function movingAddress(bed: Bed): Promise<void> {
  await bed.startServer();
  const first = await bed.startClient(['lladdr 02:00:00:00:00:aa']);
  await bed.checkPing(INNER_SERVER4);
  bed.ip(bed.client().ns, 'link', 'set', 'dev', 'tap0', 'down');
  await bed.startClient(['lladdr 02:00:00:00:00:aa'], { index: 1, identity: 'client2' });
  await bed.checkPing(INNER_SERVER4, { index: 1 });
  await bed.stop(first);
}

/** br0 with lan0; host0 with HOST in the second client's namespace. */
function joinLan(bed: Bed): void {
  const { server } = bed.network;
  const host = bed.client(1).ns;
  bed.ip(server, 'link', 'add', 'br0', 'type', 'bridge');
  bed.ip(server, 'link', 'add', 'lan0', 'type', 'veth', 'peer', 'name', 'host0', 'netns', host);
  bed.ip(server, 'link', 'set', 'lan0', 'up', 'master', 'br0');
  bed.ip(server, 'link', 'set', 'br0', 'up');
  bed.ip(server, 'addr', 'add', `${INNER_SERVER4}/24`, 'dev', 'br0');
  bed.ip(host, 'link', 'set', 'host0', 'up');
  bed.ip(host, 'addr', 'add', `${HOST}/24`, 'dev', 'host0');
  bed.ip(host, 'addr', 'add', 'fd00:8::100/64', 'dev', 'host0');
}
