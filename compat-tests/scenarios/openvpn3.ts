/**
 * What OpenVPN 3's client does in a way of its own, against our server: when it takes a new key, what it
 * announces, how it leaves, comes back and takes updates, and why it refuses. Scenarios that it shares with 2.x
 * stand with the others.
 */
import { execFileSync } from 'node:child_process';
import { sleep } from '../../test-kit/process.ts';
import { type Bed, check, type Role } from '../bed.ts';
import { INNER_SERVER4, INNER_SERVER6 } from '../config.ts';
import { startRelay } from './links.ts';
import type { Scenario } from './scenario.ts';

const RENEG_SEC = 10;
const WATCH_SEC = 24;
const PING_INTERVAL_SEC = 0.02;
/** More than one control message of routes: the reply comes in parts. */
const MANY_ROUTES = 60;
const RELAY_REMOTE = '127.0.0.1 7000';
const LEFT = /SIGTERM\[soft,(delayed|remote)-exit\] received, client-instance exiting/;
/** Framings, and the least that it must be allowed for each. */
const PUSHED = [
  ['compress stub-v2', 'no'],
  ['compress stub', 'asym'],
  ['comp-lzo no', 'asym'],
  ['compress lz4-v2', 'asym'],
  ['compress lz4', 'yes'],
  ['comp-lzo yes', 'asym'],
] as const;
/** All of them in dynamic tls-crypt. */
const RENEGOTIATIONS = [
  ['client', 'udp', 'none', '1.2'],
  ['client', 'tcp', 'tls-auth', '1.3'],
  ['client', 'udp', 'tls-crypt', '1.3'],
  ['client', 'tcp', 'tls-crypt-v2', '1.2'],
  ['server', 'udp', 'none', '1.3'],
  ['server', 'udp', 'tls-crypt-v2', '1.2'],
] as const;

const SCENARIOS: readonly Omit<Scenario, 'peerKinds' | 'pairings'>[] = [
  ...RENEGOTIATIONS.map(([initiator, proto, wrap, tls]) => ({
    name: `OpenVPN 3: renegotiations by the ${initiator} under pings (${proto}, ${wrap}, TLS ${tls})`,
    tunnel: { proto, wrap, tls },
    timeoutMs: 90_000,
    run: (bed: Bed) => renegotiates(bed, initiator),
  })),
  { name: 'OpenVPN 3: epoch data keys', run: (bed) => epochs(bed) },
  {
    name: 'OpenVPN 3: epoch data keys over TCP and IPv6, renewed',
    tunnel: { proto: 'tcp', family: 6, cipher: 'CHACHA20-POLY1305' },
    timeoutMs: 90_000,
    run: (bed) => epochs(bed, true),
  },
  { name: 'OpenVPN 3: no epoch data keys with a compat-mode before 2.7', run: withoutEpochs },
  { name: 'OpenVPN 3: PUSH_UPDATE replaces routes and addresses', run: updated },
  { name: 'OpenVPN 3: DNS servers and domains', run: dnsServers },
  { name: 'OpenVPN 3: PUSH_REPLY in several parts', run: manyOptions },
  ...(['udp', 'tcp'] as const).flatMap((proto) => [
    { name: `OpenVPN 3: leaves with a notice (${proto})`, tunnel: { proto }, run: leaves },
    { name: `OpenVPN 3: reconnects by itself, pauses, resumes (${proto})`, tunnel: { proto }, run: pauses },
    { name: `OpenVPN 3: sent away by a leaving server (${proto})`, tunnel: { proto }, run: sentAway },
  ]),
  { name: 'OpenVPN 3: floats', run: floats },
  ...PUSHED.map(([line, mode]) => ({
    name: `OpenVPN 3: ${line} pushed${mode === 'no' ? '' : `, with its compression mode ${mode}`}`,
    run: (bed: Bed) => compressed(bed, line, mode),
  })),
  { name: 'OpenVPN 3: comp-lzo no pushed, which it takes for compression', run: stubRefused },
  { name: 'OpenVPN 3: comp-lzo in its file, compress migrate', run: migrated },
  { name: 'OpenVPN 3: peer-fingerprint on both ends, no authority', run: fingerprints },
  { name: 'OpenVPN 3: refuses a server of another authority', run: wrongAuthority },
  { name: 'OpenVPN 3: refused for its certificate', run: strangers },
  { name: 'OpenVPN 3: no common data cipher', run: noCommonCipher },
  { name: 'OpenVPN 3: topology p2p is not for it', tunnel: { topology: 'p2p' }, run: pointToPoint },
];

export const openvpn3: readonly Scenario[] = SCENARIOS.map((scenario) => ({
  ...scenario,
  pairings: ['ours-server'],
  peerKinds: ['openvpn3-client'],
}));

/**
 * It sends with a new key only after `become-primary`, by default min(hand-window, reneg-sec / 2) of its own, and
 * until then needs the old one at the server: that must not renegotiate more often, or push another value.
 */
async function renegotiates(bed: Bed, initiator: Role): Promise<void> {
  const reneg = (role: Role) => `reneg-sec ${initiator === role ? RENEG_SEC : 0}`;
  const pushed = initiator === 'server' ? ['push "become-primary 3"'] : [];
  const server = await bed.startServer([reneg('server'), ...pushed]);
  const client = await bed.startClient([reneg('client')]);
  const count = Math.round(WATCH_SEC / PING_INTERVAL_SEC);
  await bed.checkPing(INNER_SERVER4, { count, intervalSec: PING_INTERVAL_SEC });
  if (initiator === 'server') check(server.has(/TLS: soft reset sec=10/), `no soft reset${bed.tails()}`);
  for (const end of [server, client]) {
    const handshakes = end.count(/Control Channel: TLSv/);
    check(handshakes > 2, `${end.name}: ${handshakes} handshakes in ${WATCH_SEC} s${bed.tails()}`);
  }
  check(server.has(/protocol-flags [^,']*dyn-tls-crypt/), server.tail());
  await bed.checkTransfer(INNER_SERVER4, 1_048_576);
}

async function epochs(bed: Bed, renewed = false): Promise<void> {
  const reneg = renewed ? [`reneg-sec ${RENEG_SEC}`] : [];
  await bed.startServer(['reneg-sec 0']);
  const client = await bed.startClient(reneg);
  check(client.has(/data channel: cipher .*aead-epoch/), `epoch keys are not used${bed.tails()}`);
  await bed.checkTraffic(4);
  if (!renewed) return;
  await sleep(2_200 * RENEG_SEC);
  check(client.count(/Control Channel: TLSv/) > 2, client.tail());
  await bed.checkTraffic(1);
}

async function withoutEpochs(bed: Bed): Promise<void> {
  await bed.startServer(['compat-mode 2.6.0']);
  const client = await bed.startClient();
  check(!client.has(/aead-epoch/), `epoch keys are used${bed.tails()}`);
  await bed.checkPing(INNER_SERVER4);
}

async function updated(bed: Bed): Promise<void> {
  const { ns } = bed.client();
  const before = bed.snapshot(ns);
  const server = await bed.startLibraryServer(['push "route 192.168.40.0 255.255.255.0"']);
  const client = await bed.startClient();
  await bed.checkPing(INNER_SERVER4);
  const told = await server.ask({
    do: 'push-update',
    options: 'route 192.168.41.0 255.255.255.0,ifconfig 10.8.0.77 255.255.255.0',
  });
  check(told === 1, `${told} clients told`);
  await client.waitFor(/PUSH UPDATE:/);
  const routes = () => bed.ip(ns, 'route');
  await bed.waitUntil(() => routes().includes('192.168.41.0/24'), 'the new route is not there');
  check(!routes().includes('192.168.40.0/24'), routes());
  check(bed.ip(ns, '-4', 'addr').includes('10.8.0.77/24'), bed.ip(ns, '-4', 'addr'));
  await bed.checkPing(INNER_SERVER4);
  await bed.checkTransfer(INNER_SERVER4, 1_048_576);
  await server.ask({ do: 'push-update', options: '-route' });
  await bed.waitUntil(() => !routes().includes('192.168.'), 'the route is still there');
  await bed.stop(client);
  bed.checkClean(ns, before);
}

async function dnsServers(bed: Bed): Promise<void> {
  await bed.startServer(['push "dns server 1 address 10.8.0.53"', 'push "dns search-domains example.org"']);
  const client = await bed.startClient();
  check(client.has(/\[dns\] \[server\] \[1\] \[address\] \[10\.8\.0\.53\]/), client.tail());
  await client.waitFor(/^ +10\.8\.0\.53\b/);
  await client.waitFor(/^ +example\.org\b/);
  await bed.checkPing(INNER_SERVER4);
}

async function manyOptions(bed: Bed): Promise<void> {
  const routes = Array.from({ length: MANY_ROUTES }, (_, i) => `push "route 172.20.${i}.0 255.255.255.0"`);
  await bed.startServer(routes);
  const client = await bed.startClient();
  check(client.has(/Options continuation\.\.\./), `the reply came in one part${bed.tails()}`);
  const set = bed.ip(bed.client().ns, 'route').split('\n');
  const count = set.filter((line) => line.startsWith('172.20.')).length;
  check(count === MANY_ROUTES, `${count} routes`);
  await bed.checkPing(INNER_SERVER4);
}

async function leaves(bed: Bed): Promise<void> {
  const before = bed.snapshot(bed.client().ns);
  const server = await bed.startServer();
  const client = await bed.startClient();
  await bed.checkPing(INNER_SERVER4);
  await bed.stop(client);
  const gone =
    bed.tunnel.proto === 'udp' ? LEFT : /Connection reset, restarting|client-instance (exiting|restarting)/;
  // 5 s after the notice, and well before the ping-restart of 60 s.
  await server.waitFor(gone, 20_000);
  bed.checkClean(bed.client().ns, before);
}

async function pauses(bed: Bed): Promise<void> {
  await bed.startServer();
  const client = await bed.startClient();
  for (const [signals, waitMs] of [
    [['SIGHUP'], 0],
    [['SIGUSR2', 'SIGUSR2'], 1_000],
  ] as const) {
    client.mark();
    for (const signal of signals) {
      client.signal(signal);
      await sleep(waitMs);
    }
    await bed.waitUp(client);
    await bed.checkPing(INNER_SERVER4);
    await bed.checkPing(INNER_SERVER6);
  }
}

async function sentAway(bed: Bed): Promise<void> {
  const { proto } = bed.tunnel;
  const lines = proto === 'udp' ? ['explicit-exit-notify 1'] : [];
  const server = await bed.startServer(lines);
  const client = await bed.startClient();
  client.mark();
  await bed.stop(server);
  await client.waitFor(proto === 'udp' ? /EVENT: CLIENT_RESTART/ : /Connection reset, restarting/);
  await bed.startServer(lines);
  await bed.waitUp(client, 30_000);
  await bed.checkTraffic(1);
}

async function floats(bed: Bed): Promise<void> {
  const server = await bed.startServer(['verb 4']);
  const relay = await startRelay(bed, {});
  const client = await bed.startClient(['reneg-sec 10'], { remote: [RELAY_REMOTE] });
  await relay.ask({ do: 'rebind' });
  await sleep(RENEG_SEC * 1_000);
  await bed.waitUntil(() => client.count(/Control Channel: TLSv/) > 1, 'no renegotiation');
  await bed.checkPing(INNER_SERVER4);
  await bed.checkTransfer(INNER_SERVER4, 1_048_576);
  check(server.has(/[Pp]eer 0 \(client1\) floated from/), `the server did not notice${bed.tails()}`);
  check(!client.has(/EVENT: RECONNECTING/), `the client made a new connection${bed.tails()}`);
}

async function compressed(bed: Bed, line: string, mode: string): Promise<void> {
  const sends = /lz4|yes/.test(line) ? ['allow-compression yes'] : [];
  await bed.startServer([line, ...sends, `push "${line}"`]);
  await bed.startClient([`allow-compression ${mode}`]);
  await bed.checkPing(INNER_SERVER4, { count: 5, sizeBytes: 1_200 });
  await bed.checkTraffic(2);
}

async function stubRefused(bed: Bed): Promise<void> {
  await bed.startServer(['comp-lzo no', 'push "comp-lzo no"']);
  const client = bed.launchClient();
  await client.waitFor(/EVENT: COMPRESS_ERROR server pushed compression settings that are not allowed/);
  await client.waitForExit();
}

async function migrated(bed: Bed): Promise<void> {
  const server = await bed.startServer(['compress migrate', 'verb 4']);
  await bed.startClient(['comp-lzo']);
  await server.waitFor(/PUSH_REPLY.*,compress stub-v2/);
  await bed.checkTraffic(2);
}

async function fingerprints(bed: Bed): Promise<void> {
  const { server: own, client1 } = bed.pki;
  const server = bed.launch('server', bed.network.server, [
    'dev tun',
    'proto udp4',
    'server 10.8.0.0 255.255.255.0',
    'topology subnet',
    'dh none',
    `cert ${own.cert}`,
    `key ${own.key}`,
    `peer-fingerprint ${fingerprint(client1.cert)}`,
  ]);
  await server.waitFor(/Initialization Sequence Completed/);
  const { ns, server4 } = bed.client();
  const lines = ['client', 'dev tun', `remote ${server4} 1194 udp4`];
  const launch = (known: string) =>
    bed.launch('client', ns, [
      ...lines,
      `cert ${client1.cert}`,
      `key ${client1.key}`,
      `peer-fingerprint ${fingerprint(known)}`,
    ]);
  const wrong = launch(client1.cert);
  await wrong.waitFor(/EVENT: CERT_VERIFY_FAIL/);
  await wrong.stop();
  await bed.waitUp(launch(own.cert));
  await bed.checkPing(INNER_SERVER4);
}

function fingerprint(cert: string): string {
  const args = ['x509', '-in', cert, '-noout', '-fingerprint', '-sha256'];
  return execFileSync('openssl', args, { encoding: 'utf8' }).trim().replace(/.*=/, '');
}

async function wrongAuthority(bed: Bed): Promise<void> {
  const server = await bed.startServer();
  const client = bed.launchClient([], { ca: 'wrongCa' });
  await client.waitFor(/EVENT: CERT_VERIFY_FAIL/);
  await server.waitFor(/tlsv1 alert unknown ca/i);
  await server.waitFor(/TLS Error: TLS handshake failed/);
  await bed.checkNoTunnel(client, server, {});
}

async function strangers(bed: Bed): Promise<void> {
  const server = await bed.startServer();
  const client = bed.launchClient([], { identity: 'stranger' });
  await server.waitFor(/VERIFY ERROR: depth=[01], error=/);
  await bed.checkNoTunnel(client, server, { server: /TLS Error: TLS handshake failed/ });
}

async function noCommonCipher(bed: Bed): Promise<void> {
  const server = await bed.startServer(['data-ciphers AES-128-CBC']);
  const client = bed.launchClient();
  await client.waitFor(/EVENT: AUTH_FAILED Data channel cipher negotiation failed \(no shared cipher\)/);
  await bed.checkNoTunnel(client, server, { server: /PUSH: No common cipher between server and client/ });
}

async function pointToPoint(bed: Bed): Promise<void> {
  await bed.startServer();
  const client = bed.launchClient();
  await client.waitFor(/only topology 'subnet' and 'net30' supported/);
}
