/** Options of the outer socket: marks, type of service, devices, buffer sizes, several own addresses. */
import { countPackets, ip, packetCount } from '../../test-kit/netns.ts';
import { runProgram } from '../../test-kit/process.ts';
import { type Bed, check, type Role } from '../bed.ts';
import { INNER_SERVER4 } from '../config.ts';
import type { Scenario } from './scenario.ts';

const MIB = 1_048_576;
const SERVER_SECOND4 = '10.99.0.77';
const SERVER_SECOND6 = 'fd99:0::77';
const BUFFER_BYTES = 100_000;

export const socketOptions: readonly Scenario[] = [
  ...both('mark', (bed, role) => marked(bed, role, 'udp')),
  ...both('mark over TCP, from the first packet on', (bed, role) => marked(bed, role, 'tcp'), 'tcp'),
  ...both('passtos', passtos),
  ...both('mtu-disc yes forbids fragments outside', mtuDisc),
  ...both('bind-dev', (bed, role) => bindDev(bed, role)),
  ...both('bind-dev over TCP', (bed, role) => bindDev(bed, role), 'tcp'),
  ...both('sndbuf and rcvbuf over TCP', buffers, 'tcp'),
  {
    name: 'sndbuf pushed to a TCP client',
    tunnel: { proto: 'tcp' },
    pairings: ['ours-client'],
    run: pushedBuffers,
  },
  { name: 'multihome answers from the address that was asked', run: (bed) => multihome(bed, SERVER_SECOND4) },
  {
    name: 'multihome answers from the address that was asked, over IPv6',
    tunnel: { family: 6 },
    run: (bed) => multihome(bed, SERVER_SECOND6),
  },
  { name: 'multihome serves two addresses at once', clients: 2, run: multihomeTwice },
];

/** One scenario for each role of ours. */
function both(
  name: string,
  run: (bed: Bed, role: Role) => Promise<void>,
  proto: 'udp' | 'tcp' = 'udp',
): Scenario[] {
  return (['client', 'server'] as const).map((role) => ({
    name: `${name} (${role})`,
    pairings: [`ours-${role}`],
    tunnel: { proto },
    run: (bed: Bed) => run(bed, role),
  }));
}

/** Starts both programs, with `lines` on one side. Returns that side's namespace and what its packets match. */
async function start(
  bed: Bed,
  role: Role,
  lines: readonly string[],
  before: (ns: string) => void,
): Promise<string> {
  const ns = role === 'server' ? bed.network.server : bed.client().ns;
  before(ns);
  await bed.startServer(role === 'server' ? lines : []);
  await bed.startClient(role === 'client' ? lines : []);
  return ns;
}

async function marked(bed: Bed, role: Role, proto: 'udp' | 'tcp'): Promise<void> {
  const port = `${proto} ${role === 'client' ? 'dport' : 'sport'} 1194`;
  const ns = await start(bed, role, ['mark 77'], (side) => {
    countPackets(side, 'every', port);
    countPackets(side, 'marked', `${port} meta mark 77`);
  });
  await bed.checkTransfer(INNER_SERVER4, MIB);
  const [all, seen] = [packetCount(ns, 'every'), packetCount(ns, 'marked')];
  check(all > 20 && seen >= all, `${seen} of ${all} packets carry the mark`);
}

async function passtos(bed: Bed, role: Role): Promise<void> {
  const port = `udp ${role === 'client' ? 'dport' : 'sport'} 1194`;
  const ns = await start(bed, role, ['passtos'], (side) => {
    countPackets(side, 'urgent', `${port} ip dscp ef`);
    countPackets(side, 'plain', `${port} ip dscp cs0`);
  });
  const before = packetCount(ns, 'urgent');
  const to = role === 'client' ? INNER_SERVER4 : '10.8.0.2';
  const argv = ['ping', '-n', '-Q', '0xb8', '-c', '10', '-i', '0.05', '-W', '2', to];
  await runProgram({ name: 'ping', argv, ns }, 20_000);
  const urgent = packetCount(ns, 'urgent') - before;
  check(urgent >= 10, `${urgent} outer packets of 10 pings have the inner type of service`);
  await runProgram({ name: 'ping', argv: ['ping', '-n', '-c', '5', '-i', '0.05', to], ns }, 20_000);
  check(packetCount(ns, 'urgent') - before < urgent + 5, 'plain pings leave as urgent ones');
}

async function mtuDisc(bed: Bed, role: Role): Promise<void> {
  const port = `udp ${role === 'client' ? 'dport' : 'sport'} 1194`;
  const ns = await start(bed, role, ['mtu-disc yes'], (side) => {
    countPackets(side, 'every', port);
    countPackets(side, 'whole', `${port} ip frag-off & 0x4000 != 0`);
  });
  await bed.checkPing(INNER_SERVER4);
  const [all, whole] = [packetCount(ns, 'every'), packetCount(ns, 'whole')];
  check(all > 5 && whole >= all, `${whole} of ${all} packets may not be fragmented`);
}

/** Bound to the device in use the tunnel works; a route by way of another device is of no use. */
async function bindDev(bed: Bed, role: Role): Promise<void> {
  const { device, serverDevice, ns: clientNs } = bed.client();
  const ns = role === 'server' ? bed.network.server : clientNs;
  await start(bed, role, [`bind-dev ${role === 'server' ? serverDevice : device}`], () => undefined);
  await bed.checkTransfer(INNER_SERVER4, MIB);
  const { lines } = await runProgram({ name: 'ss', argv: ['ss', '-nap'], ns }, 10_000);
  const wanted = new RegExp(`%${role === 'server' ? serverDevice : device}:`);
  check(
    lines.some((line) => wanted.test(line)),
    `no socket is bound to the device:\n${lines.join('\n')}`,
  );
}

async function buffers(bed: Bed, role: Role): Promise<void> {
  const ns = await start(bed, role, [`sndbuf ${BUFFER_BYTES}`, `rcvbuf ${BUFFER_BYTES}`], () => undefined);
  await bed.checkTransfer(INNER_SERVER4, MIB);
  await checkBuffers(ns);
}

async function pushedBuffers(bed: Bed): Promise<void> {
  await bed.startServer([`push "sndbuf ${BUFFER_BYTES}"`, `push "rcvbuf ${BUFFER_BYTES}"`]);
  const client = await bed.startClient();
  check(
    client.has(/OPTIONS IMPORT: --sndbuf\/--rcvbuf options modified/),
    'the pushed sizes are not imported',
  );
  await checkBuffers(bed.client().ns);
}

/** Linux doubles the size it is told. */
async function checkBuffers(ns: string): Promise<void> {
  const { lines } = await runProgram(
    { name: 'ss', argv: ['ss', '-tnm', '( sport = 1194 or dport = 1194 )'], ns },
    10_000,
  );
  const text = lines.join(' ');
  const found = /rb(\d+),t\d+,tb(\d+)/.exec(text);
  check(
    Number(found?.[1]) === 2 * BUFFER_BYTES && Number(found?.[2]) === 2 * BUFFER_BYTES,
    `buffer sizes: ${text}`,
  );
}

/** Which of two addresses the kernel would take by itself is its own affair: both are asked. */
async function multihome(bed: Bed, second: string): Promise<void> {
  const { serverDevice, server4, server6 } = bed.client();
  const ipv6 = second.includes(':');
  const address = [`${second}/${ipv6 ? 64 : 24}`, 'dev', serverDevice, ...(ipv6 ? ['nodad'] : [])];
  ip(bed.network.server, 'addr', 'add', ...address);
  await bed.startServer(['multihome']);
  for (const host of [second, ipv6 ? server6 : server4]) {
    const client = await bed.startClient([], { remote: [`${host} 1194`] });
    await bed.checkTraffic(1);
    await bed.stop(client);
  }
}

async function multihomeTwice(bed: Bed): Promise<void> {
  const { serverDevice } = bed.client();
  ip(bed.network.server, 'addr', 'add', `${SERVER_SECOND4}/24`, 'dev', serverDevice);
  await bed.startServer(['multihome']);
  await bed.startClient([], { remote: [`${SERVER_SECOND4} 1194`] });
  await bed.startClient([], { index: 1, identity: 'client2' });
  await bed.checkPing(INNER_SERVER4, { index: 0 });
  await bed.checkPing(INNER_SERVER4, { index: 1 });
  await bed.checkTransfer(INNER_SERVER4, MIB, 0);
  await bed.checkTransfer(INNER_SERVER4, MIB, 1);
}
