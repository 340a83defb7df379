/**
 * PUSH_UPDATE of 2.7, sent by our server through the library's call and by a peer's through its management
 * interface; 2.6 clients don't know it.
 */
import { createConnection } from 'node:net';
import { join } from 'node:path';
import type { Program } from '../../test-kit/process.ts';
import { ping } from '../../test-kit/transfer.ts';
import { type Bed, check } from '../bed.ts';
import { INNER_SERVER4 } from '../config.ts';
import type { Scenario } from './scenario.ts';

const UP = /Initialization Sequence Completed/;
const MANY = 60;
const ANSWER_LIMIT_MS = 5_000;

/** Sends an update to all clients of a server; rejects when it says that none got it. */
type Update = (options: string) => Promise<void>;

export const pushUpdate: readonly Scenario[] = [
  { name: 'PUSH_UPDATE replaces routes and addresses', peerFrom: '2.7', run: updated },
  {
    name: 'PUSH_UPDATE over tcp and tap',
    peerFrom: '2.7',
    tunnel: { dev: 'tap', proto: 'tcp' },
    run: updated,
  },
  // The management interface of a peer takes 255 bytes.
  {
    name: 'PUSH_UPDATE in several messages',
    pairings: ['ours-server', 'ours-both'],
    peerFrom: '2.7',
    run: inSeveralMessages,
  },
  { name: 'PUSH_UPDATE of IPv6, DNS, MTU and keepalive', peerFrom: '2.7', run: manyKinds },
  {
    name: 'PUSH_UPDATE with options that can not be updated',
    peerFrom: '2.7',
    timeoutMs: 90_000,
    run: offending,
  },
  {
    name: 'PUSH_UPDATE is not for clients that lack it',
    pairings: ['ours-server'],
    peerBefore: '2.7',
    run: unknown,
  },
];

async function updated(bed: Bed): Promise<void> {
  const { ns } = bed.client();
  const before = bed.snapshot(ns);
  const update = await startServer(bed, ['push "route 192.168.40.0 255.255.255.0"']);
  const client = await bed.startClient(['verb 4']);
  await bed.checkPing(INNER_SERVER4);
  await update('route 192.168.41.0 255.255.255.0,ifconfig 10.8.0.77 255.255.255.0');
  await setUp(bed, client, 2);
  const routes = bed.ip(ns, 'route');
  check(routes.includes('192.168.41.0/24') && !routes.includes('192.168.40.0/24'), `routes:\n${routes}`);
  check(bed.ip(ns, '-4', 'addr').includes('10.8.0.77/24'), bed.ip(ns, '-4', 'addr'));
  await bed.checkPing(INNER_SERVER4);
  await bed.checkPing('10.8.0.77', { ns: bed.network.server });
  await bed.checkTransfer(INNER_SERVER4, 1_048_576);
  await update('-route');
  await setUp(bed, client, 3);
  check(!bed.ip(ns, 'route').includes('192.168.'), bed.ip(ns, 'route'));
  await bed.stop(client);
  bed.checkClean(ns, before);
}

async function inSeveralMessages(bed: Bed): Promise<void> {
  const { ns } = bed.client();
  const update = await startServer(bed);
  const client = await bed.startClient(['verb 4']);
  const nets = Array.from({ length: MANY }, (_, i) => `192.168.${100 + i}.0`);
  await update(nets.map((net) => `route ${net} 255.255.255.0`).join(','));
  const missing = () => nets.filter((net) => !bed.ip(ns, 'route').includes(`${net}/24`));
  await setUp(bed, client, 2);
  check(missing().length === 0, `missing routes: ${missing().join(' ')}${bed.tails()}`);
  check(client.has(/PUSH_UPDATE,.*,push-continuation 1/), `not in several messages${bed.tails()}`);
  await bed.checkPing(INNER_SERVER4);
}

async function manyKinds(bed: Bed): Promise<void> {
  const { ns } = bed.client();
  const update = await startServer(bed);
  const client = await bed.startClient(['verb 4']);
  const options = [
    'route-ipv6 fd00:99::/64',
    'ifconfig-ipv6 fd00:8::77/64 fd00:8::1',
    'dns server 1 address 10.8.0.53',
    'dns search-domains example.org',
    'dhcp-option DOMAIN example.org',
    'tun-mtu 1400',
    'keepalive 3 20',
    '?block-outside-dns',
  ];
  await update(options.join(','));
  const device = bed.tunnel.dev === 'tap' ? 'tap0' : 'tun0';
  await setUp(bed, client, 2);
  check(bed.ip(ns, '-6', 'route').includes('fd00:99::/64'), `no new route${bed.tails()}`);
  check(bed.ip(ns, '-6', 'addr').includes('fd00:8::77/64'), `no new address${bed.tails()}`);
  check(bed.ip(ns, 'link', 'show', device).includes('mtu 1400'), `no new MTU${bed.tails()}`);
  await bed.checkPing(INNER_SERVER4);
  await bed.checkPing('fd00:8::1');
  await bed.checkPing('fd00:8::77', { ns: bed.network.server });
  await update('-route-ipv6,-dns,-dhcp-option,-?block-outside-dns');
  await setUp(bed, client, 3);
  check(!bed.ip(ns, '-6', 'route').includes('fd00:99::/64'), `the route stays${bed.tails()}`);
  await bed.checkPing(INNER_SERVER4);
  check(!client.has(/process restarting/), `restarted${bed.tails()}`);
}

/** With `?` it passes; without, the client connects anew. */
async function offending(bed: Bed): Promise<void> {
  const { ns } = bed.client();
  const update = await startServer(bed);
  const client = await bed.startClient(['verb 4']);
  await update('?sndbuf 100000,route 192.168.41.0 255.255.255.0');
  await setUp(bed, client, 2);
  check(bed.ip(ns, 'route').includes('192.168.41.0/24'), `no new route${bed.tails()}`);
  await bed.checkPing(INNER_SERVER4);
  check(!client.has(/process restarting/), `restarted${bed.tails()}`);
  client.mark();
  await update('sndbuf 100000,route 192.168.42.0 255.255.255.0');
  await client.waitFor(/SIGUSR1.* received, process restarting/);
  await client.waitFor(UP, 40_000);
  check(!bed.ip(ns, 'route').includes('192.168.'), bed.ip(ns, 'route'));
  await bed.checkPing(INNER_SERVER4);
}

async function unknown(bed: Bed): Promise<void> {
  const server = await bed.startLibraryServer();
  await bed.startClient();
  const told = await server.ask({ do: 'push-update', options: 'route 192.168.41.0 255.255.255.0' });
  check(told === 0, `${told} clients told`);
  await bed.checkPing(INNER_SERVER4);
}

async function startServer(bed: Bed, extra: readonly string[] = []): Promise<Update> {
  if (bed.isOurs('server')) {
    const server = await bed.startLibraryServer(extra);
    return async (options) => {
      const told = await server.ask({ do: 'push-update', options });
      check(told === 1, `${told} clients told`);
    };
  }
  const path = join(bed.dir, 'management');
  await bed.startServer([`management ${path} unix`, ...extra]);
  return async (options) => {
    const answer = await askManagement(path, `push-update-broad "${options}"`);
    check(answer.startsWith('SUCCESS: '), `management: ${answer}`);
    // 2.7 sends it when it next has to do with this client.
    await ping(bed.client().ns, INNER_SERVER4, { count: 1, waitSec: 1 });
  };
}

/** The client has been set up `times` times. */
async function setUp(bed: Bed, client: Program, times: number): Promise<void> {
  await bed.waitUntil(() => client.count(UP) >= times, `not set up ${times} times`);
}

/** The answer of the management interface to one command. */
function askManagement(path: string, command: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(path);
    let text = '';
    socket.setEncoding('utf8').setTimeout(ANSWER_LIMIT_MS, () => socket.destroy(new Error('no answer')));
    socket.on('error', reject);
    socket.on('data', (data) => {
      text += data;
      const answer = text.split(/\r?\n/).find((line) => /^(SUCCESS|ERROR): /.test(line));
      if (answer === undefined) return;
      resolve(answer);
      socket.end();
    });
    socket.write(`${command}\n`);
  });
}
