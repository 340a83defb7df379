/** Sizes and rates of packets: fragments, MTU options, traffic shaping; and what is done to packets inside. */
import { countPackets, packetCount } from '../../test-kit/netns.ts';
import { Program, sleep } from '../../test-kit/process.ts';
import { type Bed, check } from '../bed.ts';
import { INNER_SERVER4, INNER_SERVER6 } from '../config.ts';
import type { Scenario } from './scenario.ts';

const MIB = 1_048_576;
/** More than one packet, so that each goes in pieces and is put together twice: by us and by the kernel. */
const HUGE_PING = { count: 5, sizeBytes: 4_000 };
const SHAPER_BYTES = 200_000;
const FRAGMENTS = 'Fragmentation';

/** Lines of one side, while the other has `mssfix 0`, and what they come to with AES-256-GCM over UDP and IPv4. */
const MSSFIX: readonly [readonly string[], number][] = [
  [[], 1_400],
  [['mssfix 1300'], 1_236],
  [['mssfix 1300 mtu'], 1_208],
  [['mssfix 1300 fixed'], 1_260],
  [['tun-mtu 1400'], 1_360],
];

export const shaping: readonly Scenario[] = [
  { name: 'fragment 1200', feature: FRAGMENTS, run: (bed) => fragment(bed, ['fragment 1200']) },
  {
    feature: FRAGMENTS,
    name: 'fragment 600 mtu with mssfix',
    peerFrom: '2.6',
    run: (bed) => fragment(bed, ['fragment 600 mtu', 'mssfix 600 mtu']),
  },
  {
    name: 'fragment 200 over IPv6',
    feature: FRAGMENTS,
    tunnel: { family: 6 },
    run: (bed) => fragment(bed, ['fragment 200']),
  },
  {
    feature: FRAGMENTS,
    name: 'fragment 1000 without mssfix, with comp-lzo yes',
    run: (bed) => fragment(bed, ['fragment 1000', 'mssfix 0', 'comp-lzo yes', 'allow-compression yes']),
  },
  {
    name: 'fragment 1200 with clients of client-to-client',
    feature: FRAGMENTS,
    clients: 2,
    run: fragmentBetweenClients,
  },
  {
    name: 'fragment follows a path MTU that the kernel tells the client',
    feature: FRAGMENTS,
    peerFrom: '2.6',
    run: pathMtu,
  },
  { name: 'tun-mtu 1300 pushed to the client', peerFrom: '2.6', run: pushedMtu },
  // Leaves less than IPv6 needs with what older peers take off for their headers.
  {
    name: 'tun-mtu 1700 pushed to a client with tun-mtu-max 1700, txqueuelen',
    peerFrom: '2.6',
    run: pushedLargeMtu,
  },
  ...MSSFIX.map(
    ([lines, mss]): Scenario => ({
      name: `${lines.join() || 'mssfix by default'}: the MSS inside is ${mss}`,
      peerFrom: '2.6',
      run: (bed) => mssfix(bed, lines, mss),
    }),
  ),
  { name: 'link-mtu 1400 on both sides', peerFrom: '2.6', run: linkMtu },
  { name: 'tun-mtu 9000 over a path of 1500', run: (bed) => jumbo(bed) },
  { name: 'shaper keeps the client below its rate', pairings: ['ours-client', 'ours-both'], run: shaper },
  { name: 'shaper pushed to the client', pairings: ['ours-client', 'ours-both'], run: pushedShaper },
  { name: 'client-nat maps a network pushed by the server', run: clientNat },
  { name: 'block-ipv6 pushed: IPv6 is refused, IPv4 works', peerClientFrom: '2.5', run: blockIpv6 },
  { name: 'recursive routing is noticed', pairings: ['ours-client', 'ours-both'], run: recursive },
];

async function fragment(bed: Bed, lines: readonly string[]): Promise<void> {
  await bed.startServer(lines);
  await bed.startClient(lines);
  await bed.checkPing(INNER_SERVER4, { sizeBytes: 1_400 });
  await bed.checkPing(INNER_SERVER4, HUGE_PING);
  await bed.checkPing(INNER_SERVER6, HUGE_PING);
  await bed.checkTraffic(4);
}

async function fragmentBetweenClients(bed: Bed): Promise<void> {
  await bed.startServer(['client-to-client', 'fragment 1200', 'mssfix 0']);
  await bed.startClient(['fragment 1200', 'mssfix 0']);
  await bed.startClient(['fragment 1200', 'mssfix 0'], { index: 1, identity: 'client2' });
  await bed.checkPing('10.8.0.3', { index: 0, ...HUGE_PING });
  await bed.checkPing('10.8.0.2', { index: 1, ...HUGE_PING });
  await bed.checkTransfer(INNER_SERVER4, MIB, 1);
}

/** With `mtu-disc yes` packets that are too long for the link are refused: pieces become shorter. */
async function pathMtu(bed: Bed): Promise<void> {
  await bed.startServer(['fragment 900']);
  const client = await bed.startClient(['fragment 1300', 'mtu-disc yes', 'verb 4']);
  const { ns, device } = bed.client();
  await bed.checkPing(INNER_SERVER4, { sizeBytes: 1_200 });
  bed.ip(ns, 'link', 'set', device, 'mtu', '1000');
  const argv = ['ping', '-n', '-c', '50', '-i', '0.2', '-s', '1200', INNER_SERVER4];
  const pings = new Program({ name: 'ping', argv, ns });
  await client.waitFor(
    /Note adjusting 'fragment 1300' to 'fragment 1000 mtu' according to path MTU discovery/,
  );
  await pings.stop();
  await bed.checkPing(INNER_SERVER4, HUGE_PING);
}

async function pushedMtu(bed: Bed): Promise<void> {
  await bed.startServer(['tun-mtu 1300']);
  await bed.startClient();
  check(
    bed.ip(bed.client().ns, 'link', 'show', 'tun0').includes('mtu 1300'),
    'the pushed tun-mtu is not set',
  );
  await bed.checkTraffic(2);
}

async function pushedLargeMtu(bed: Bed): Promise<void> {
  await bed.startServer(['tun-mtu 1700', 'txqueuelen 333']);
  await bed.startClient(['tun-mtu-max 1700', 'txqueuelen 334']);
  const [server, client] = [bed.network.server, bed.client().ns].map((ns) =>
    bed.ip(ns, 'link', 'show', 'tun0'),
  );
  check(/mtu 1700 .*qlen 333/.test(server ?? ''), `the server's device: ${server}`);
  check(/mtu 1700 .*qlen 334/.test(client ?? ''), `the client's device: ${client}`);
  await bed.checkPing(INNER_SERVER4, { sizeBytes: 1_650 });
  await bed.checkTraffic(1);
}

/** Our side lowers the MSS of what it sends and of what it receives. */
async function mssfix(bed: Bed, lines: readonly string[], mss: number): Promise<void> {
  // Epoch keys, which two ends of 2.7 agree on, have ids that are longer by 4.
  const size = `tcp option maxseg size { ${mss}, ${mss - 4} }`;
  const { ns } = bed.client();
  countPackets(bed.network.server, 'asked', `iifname tun0 tcp flags & (syn | ack) == syn ${size}`, 'input');
  countPackets(ns, 'answered', `iifname tun0 tcp flags & (syn | ack) == (syn | ack) ${size}`, 'input');
  const atServer = bed.isOurs('server');
  await bed.startServer(atServer ? lines : ['mssfix 0']);
  await bed.startClient(atServer ? ['mssfix 0'] : lines);
  await bed.checkTransfer(INNER_SERVER4, MIB);
  const [asked, answered] = [packetCount(bed.network.server, 'asked'), packetCount(ns, 'answered')];
  check(asked > 0 && answered > 0, `${asked} SYN and ${answered} SYN+ACK with an MSS of ${mss}`);
}

/** What 2.6.14 comes to without BF-CBC in its library. It pushes the default, not this. */
const TUN_MTU_OF_LINK_MTU = '1375';

async function linkMtu(bed: Bed): Promise<void> {
  await bed.startServer(['link-mtu 1400']);
  await bed.startClient(['link-mtu 1400']);
  const mtu = /mtu (\d+)/.exec(bed.ip(bed.network.server, 'link', 'show', 'tun0'))?.[1];
  check(mtu === TUN_MTU_OF_LINK_MTU, `the server's tun-mtu is ${mtu}`);
  await bed.checkTraffic(2);
}

async function jumbo(bed: Bed): Promise<void> {
  await bed.startServer(['tun-mtu 9000']);
  await bed.startClient(['tun-mtu 9000']);
  await bed.checkPing(INNER_SERVER4, { sizeBytes: 8_000 });
  await bed.checkTraffic(4);
}

async function shaper(bed: Bed): Promise<void> {
  await bed.startServer();
  const client = await bed.startClient([`shaper ${SHAPER_BYTES}`]);
  check(
    client.has(new RegExp(`Output Traffic Shaping initialized at ${SHAPER_BYTES} bytes per second`)),
    'the client does not speak of shaping',
  );
  await checkRate(bed);
}

async function pushedShaper(bed: Bed): Promise<void> {
  await bed.startServer([`push "shaper ${SHAPER_BYTES}"`]);
  const client = await bed.startClient();
  check(client.has(/OPTIONS IMPORT: traffic shaper enabled/), 'the client does not import the shaper');
  await checkRate(bed);
}

/** Half a megabyte each way may not be faster than the shaper, nor much slower. */
async function checkRate(bed: Bed): Promise<void> {
  const bytes = 2 * SHAPER_BYTES;
  // Measured by the sender: the start of the helpers is no part of it.
  const tookMs = await bed.checkTransfer(INNER_SERVER4, bytes);
  const rate = bytes / (tookMs / 1_000);
  check(rate < SHAPER_BYTES * 1.05, `${Math.round(rate)} bytes/s at shaper ${SHAPER_BYTES}`);
  check(rate > SHAPER_BYTES * 0.3, `only ${Math.round(rate)} bytes/s at shaper ${SHAPER_BYTES}`);
}

async function clientNat(bed: Bed): Promise<void> {
  bed.ip(bed.network.server, 'addr', 'add', '192.168.50.7/32', 'dev', 'lo');
  await bed.startServer([
    'push "client-nat dnat 10.64.0.0 255.255.0.0 192.168.0.0"',
    'push "route 10.64.0.0 255.255.0.0"',
  ]);
  await bed.startClient();
  await bed.checkPing('10.64.50.7');
  await bed.checkTransfer('10.64.50.7', MIB);
  await bed.checkPing(INNER_SERVER4);
}

async function blockIpv6(bed: Bed): Promise<void> {
  await bed.startServer(['push "block-ipv6"']);
  await bed.startClient();
  const { ns } = bed.client();
  const program = new Program({
    name: 'ping',
    argv: ['ping', '-n', '-c', '2', '-W', '1', INNER_SERVER6],
    ns,
  });
  await program.waitFor(/Destination unreachable: No route/i, 8_000);
  await program.stop();
  await bed.checkPing(INNER_SERVER4);
  await bed.checkTransfer(INNER_SERVER4, MIB);
}

/** The route to the server itself is turned into the tunnel: packets to it may not go round in circles. */
async function recursive(bed: Bed): Promise<void> {
  await bed.startServer();
  const client = await bed.startClient(['verb 4']);
  const { ns, server4 } = bed.client();
  const probe = bed.ip(ns, 'route', 'show', 'table', 'main');
  check(!probe.includes(`${server4} dev tun0`), 'the route is there already');
  bed.ip(ns, 'route', 'add', `${server4}/32`, 'dev', 'tun0');
  const program = new Program({ name: 'ping', argv: ['ping', '-n', '-c', '2', '-W', '1', server4], ns });
  await client.waitFor(/Recursive routing detected, drop tun packet to \[AF_INET\]/);
  bed.ip(ns, 'route', 'del', `${server4}/32`, 'dev', 'tun0');
  await program.stop();
  await sleep(200);
  await bed.checkPing(INNER_SERVER4);
}
