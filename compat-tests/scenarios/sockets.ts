/**
 * Server sockets: several of them in one server (2.7), dual-stack, and one shared with nginx by --port-share,
 * where the peer's server shows what ours must do.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { isListening } from '../../test-kit/netns.ts';
import { Program, runProgram, sleep } from '../../test-kit/process.ts';
import { type Bed, check } from '../bed.ts';
import { INNER_SERVER4 } from '../config.ts';
import { Skipped } from '../runner.ts';
import type { Scenario } from './scenario.ts';

const WEB_PORT = 8443;
const BODY_BYTES = 3_000_000;

export const sockets: readonly Scenario[] = [
  {
    name: 'several sockets in one server: UDP and TCP, IPv4 and IPv6',
    feature: 'Several sockets (2.7)',
    peerServerFrom: '2.7',
    clients: 3,
    run: severalSockets,
  },
  {
    name: 'one port for UDP and TCP on any address, IPv4 and IPv6',
    pairings: ['ours-server', 'ours-both'],
    clients: 4,
    run: onePort,
  },
  {
    name: 'one of several sockets that cannot be bound ends the server',
    pairings: ['ours-both'],
    run: oneBindFails,
  },
  {
    name: 'an address that cannot be bound ends the server',
    pairings: ['ours-server'],
    clients: 2,
    run: sameBindErrors,
  },
  { name: 'proto udp6 without ipv6only also serves IPv4', tunnel: { family: 6 }, clients: 2, run: dualStack },
  { name: 'bind ipv6only serves IPv6 alone', tunnel: { family: 6 }, run: ipv6Only },
  { name: 'port-share with nginx', tunnel: { proto: 'tcp' }, run: portShare },
  {
    name: 'port-share whose other server is down',
    tunnel: { proto: 'tcp', wrap: 'tls-crypt-v2' },
    run: portShareAlone,
  },
  {
    feature: 'TCP back-pressure',
    name: 'a TCP client that stops reading does not hold up another',
    pairings: ['ours-server', 'ours-both'],
    tunnel: { proto: 'tcp' },
    clients: 2,
    run: stalledClient,
  },
];

async function severalSockets(bed: Bed): Promise<void> {
  const { server4 } = bed.client(0);
  const server = await bed.startServer([
    // 2.7 takes the address family of --proto for all sockets, and IPv4 for those without an address.
    'proto udp',
    `local ${server4} 1194 udp4`,
    'local * 1195 tcp4',
    `local ${bed.client(2).server6} 1196 udp6`,
    'duplicate-cn',
    'client-to-client',
  ]);
  await bed.startClient([], { index: 0 });
  await bed.startClient([], { index: 1, remote: [`${bed.client(1).server4} 1195 tcp4-client`] });
  await bed.startClient([], { index: 2, remote: [`${bed.client(2).server6} 1196 udp6`] });
  for (const index of [0, 1, 2]) await bed.checkTraffic(1, index);
  for (const [from, to] of [
    [0, 1],
    [1, 2],
    [2, 0],
  ] as const) {
    await bed.checkPing(innerAddress(bed, to), { ns: bed.client(from).ns });
  }
  await bed.stop(server);
}

async function onePort(bed: Bed): Promise<void> {
  await bed.startServer(['local * 1194 udp6', 'local * 1194 tcp6', 'duplicate-cn']);
  const ways = [
    ['server4', 'udp4'],
    ['server6', 'udp6'],
    ['server4', 'tcp4-client'],
    ['server6', 'tcp6-client'],
  ] as const;
  for (const [index, [address, proto]] of ways.entries()) {
    await bed.startClient([], { index, remote: [`${bed.client(index)[address]} 1194 ${proto}`] });
  }
  for (const index of ways.keys()) await bed.checkPing(INNER_SERVER4, { index });
}

const BIND_FAILED = /^TCP\/UDP: Socket bind failed on local address /;

async function oneBindFails(bed: Bed): Promise<void> {
  const before = bed.snapshot(bed.network.server);
  const server = bed.launchServer([
    'local * 1194 udp4',
    'local * 1195 tcp4-server',
    'local 192.0.2.9 1196 udp4',
  ]);
  const { code } = await server.waitForExit();
  check(code === 1, `exit code ${code}${bed.tails()}`);
  check(
    server.has(/Socket bind failed on local address \[AF_INET\]192\.0\.2\.9:1196: /),
    `no reason${bed.tails()}`,
  );
  bed.checkClean(bed.network.server, before);
}

/** Both programs give the same reason and the same exit code. */
async function sameBindErrors(bed: Bed): Promise<void> {
  await bed.startLibraryServer();
  for (const lines of [
    ['local 192.0.2.9'],
    [`local ${bed.client().server4}`],
    ['local 192.0.2.9', 'proto tcp4-server'],
    ['local fd99:77::9', 'proto udp6'],
  ]) {
    const [ours = '', peer = ''] = await Promise.all(
      (['ours', 'peer'] as const).map((side) => bindError(bed, bed.programs[side], `${side}.conf`, lines)),
    );
    check(BIND_FAILED.test(peer), `${lines.join(', ')}: the peer ${peer}`);
    check(ours === peer, `${lines.join(', ')}: ours ${ours}, the peer ${peer}`);
  }
}

async function bindError(bed: Bed, path: string, name: string, lines: readonly string[]): Promise<string> {
  const { ca, server } = bed.pki;
  const all = [
    'server 10.9.0.0 255.255.255.0',
    'dev tun',
    'ifconfig-noexec',
    'proto udp4',
    'dh none',
    'suppress-timestamps',
    ...[`ca ${ca}`, `cert ${server.cert}`, `key ${server.key}`],
    ...lines,
  ];
  const file = bed.write(name, `${all.join('\n')}\n`);
  const options = { name: path, argv: [path, '--config', file], ns: bed.network.server, cwd: bed.dir };
  const program = await runProgram(options, 10_000);
  const told = program.lines.filter((line) => BIND_FAILED.test(line) || /^Exiting/.test(line));
  return `${told.join('; ')}; exit ${program.ended?.code}`;
}

async function dualStack(bed: Bed): Promise<void> {
  await bed.startServer(['duplicate-cn']);
  await bed.startClient([], { index: 0 });
  await bed.startClient(['proto udp4'], { index: 1, remote: [`${bed.client(1).server4} 1194 udp4`] });
  for (const index of [0, 1]) await bed.checkPing(INNER_SERVER4, { index });
}

async function ipv6Only(bed: Bed): Promise<void> {
  await bed.startServer(['bind ipv6only']);
  const lost = bed.launchClient(['proto udp4', 'connect-timeout 3'], {
    remote: [`${bed.client().server4} 1194 udp4`],
  });
  await lost.waitFor(/Server poll timeout|server_poll/);
  await lost.stop();
  await bed.startClient();
  await bed.checkPing(INNER_SERVER4);
}

async function portShare(bed: Bed): Promise<void> {
  const journal = join(bed.dir, 'journal');
  mkdirSync(journal);
  const web = await startNginx(bed);
  try {
    const server = await bed.startServer([`port-share 127.0.0.1 ${WEB_PORT} ${journal}`]);
    await bed.startClient();
    await bed.checkPing(INNER_SERVER4);
    const { ns, server4 } = bed.client();
    const url = `https://${server4}:1194`;
    // A connection that stays open while the journal is looked at.
    const held = new Program({
      name: 'curl',
      argv: ['curl', '-sSk', '--limit-rate', '100k', '-o', '/dev/null', `${url}/large`],
      ns,
    });
    await bed.waitUntil(() => readdirSync(journal).length > 0, 'no journal file');
    const [file = ''] = readdirSync(journal);
    check(/^\[AF_INET\]127\.0\.0\.1:\d+$/.test(file), `journal file ${file}${bed.tails()}`);
    await bed.waitForText(join('journal', file), /^\[AF_INET\]10\.99\.0\.2:\d+$/);
    await bed.checkTransfer(INNER_SERVER4, 1_048_576);
    check(held.ended === undefined, `the other client's connection did not last${bed.tails()}`);
    await held.stop('SIGKILL');
    const got = await runProgram({
      name: 'curl',
      argv: [
        'curl',
        '-sSk',
        '-o',
        join(bed.dir, 'large'),
        '-w',
        '%{http_code} %{size_download}',
        `${url}/large`,
      ],
      ns,
    });
    check(got.lines.includes(`200 ${BODY_BYTES}`), `curl: ${got.lines.join(' ')}${bed.tails()}`);
    await bed.waitUntil(() => readdirSync(journal).length === 0, 'a journal file is left');
    check(server.has(/Non-OpenVPN client protocol detected/), `no word of the other protocol${bed.tails()}`);
    check(server.has(/SIGTERM\[soft,port-share-redirect\]/), `no redirect in the log${bed.tails()}`);
    await bed.checkTraffic(1);
    await bed.stop(server);
  } finally {
    await web.stop();
  }
}

async function portShareAlone(bed: Bed): Promise<void> {
  const server = await bed.startServer([`port-share 127.0.0.1 ${WEB_PORT}`]);
  await bed.startClient();
  const { ns, server4 } = bed.client();
  for (let i = 0; i < 3; i++) {
    const got = await runProgram({ name: 'curl', argv: ['curl', '-sSk', `https://${server4}:1194/`], ns });
    check(got.ended?.code !== 0, 'curl has an answer from nobody');
  }
  await server.waitFor(/PORT SHARE PROXY: connect to port-share server failed/);
  await bed.checkTraffic(1);
  await bed.stop(server);
}

/** The stopped client's packets fill its queue; the other one's go on. */
async function stalledClient(bed: Bed): Promise<void> {
  await bed.startServer(['duplicate-cn', 'tcp-queue-limit 64']);
  const stalled = await bed.startClient([], { index: 0 });
  await bed.startClient([], { index: 1 });
  const address = innerAddress(bed, 0);
  spawnSync('kill', ['-STOP', `${stalled.pid}`]);
  const flood = new Program({
    name: 'ping',
    argv: ['ping', '-q', '-f', '-s', '1300', '-w', '8', address],
    ns: bed.network.server,
  });
  await sleep(1_000);
  await bed.checkPing(INNER_SERVER4, { index: 1, count: 20, intervalSec: 0.05 });
  await bed.checkTransfer(INNER_SERVER4, 1_048_576, 1);
  await flood.stop('SIGKILL');
  spawnSync('kill', ['-CONT', `${stalled.pid}`]);
  for (let i = 0; i < 20; i++) {
    const found = await runProgram({
      name: 'ping',
      argv: ['ping', '-c1', '-W1', address],
      ns: bed.network.server,
    });
    if (found.ended?.code === 0) return;
  }
  check(false, `the stalled client does not come back${bed.tails()}`);
}

function innerAddress(bed: Bed, index: number): string {
  const text = bed.ip(bed.client(index).ns, '-4', '-o', 'addr', 'show', 'dev', 'tun0');
  const address = /inet (\d+\.\d+\.\d+\.\d+)/.exec(text)?.[1];
  check(address !== undefined, `client ${index} has no inner address`);
  return address;
}

/** nginx with the server's certificate in the server's namespace. Throws Skipped without the program. */
async function startNginx(bed: Bed): Promise<Program> {
  if (!existsSync('/usr/sbin/nginx')) throw new Skipped('needs the program nginx');
  const root = join(bed.dir, 'web');
  mkdirSync(root);
  bed.write('web/large', 'x'.repeat(BODY_BYTES), 0o644);
  const config = `daemon off; user root; worker_processes 1; pid ${join(bed.dir, 'nginx.pid')};
    error_log stderr; events {}
    http { access_log off; client_body_temp_path ${bed.dir}; proxy_temp_path ${bed.dir};
      fastcgi_temp_path ${bed.dir}; uwsgi_temp_path ${bed.dir}; scgi_temp_path ${bed.dir};
      server { listen 127.0.0.1:${WEB_PORT} ssl; root ${root};
        ssl_certificate ${bed.pki.server.cert}; ssl_certificate_key ${bed.pki.server.key}; } }\n`;
  const argv = ['nginx', '-c', bed.write('nginx.conf', config, 0o644)];
  const program = new Program({ name: 'nginx', argv, ns: bed.network.server, cwd: bed.dir });
  for (let tries = 0; tries < 50 && !program.ended; tries++) {
    if (isListening(bed.network.server, WEB_PORT)) return program;
    await sleep(100);
  }
  throw new Error(`nginx does not listen\n${program.tail()}`);
}
