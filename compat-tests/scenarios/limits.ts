/**
 * Limits of a server: how many clients and how fast, over all of its sockets, one connection per name, routes that
 * are in use.
 */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { type Program, sleep } from '../../test-kit/process.ts';
import { type Bed, check } from '../bed.ts';
import { INNER_SERVER4 } from '../config.ts';
import type { Scenario } from './scenario.ts';

const SHORT = ['connect-timeout 4', 'connect-retry-max 1'];
const TWO_SOCKETS = ['local * 1194 udp4', 'local * 1195 udp4'];
const THREE_SOCKETS = [...TWO_SOCKETS, 'local * 1196 tcp4'];

export const limits: readonly Scenario[] = [
  { name: 'max-clients', clients: 2, run: (bed) => maxClients(bed, [], ['1194', '1194']) },
  {
    name: 'max-clients over all sockets',
    pairings: ['ours-server'],
    clients: 2,
    run: (bed) => maxClients(bed, THREE_SOCKETS, ['1195', '1196 tcp4-client']),
  },
  { name: 'connect-freq', clients: 2, run: (bed) => connectFreq(bed, [], ['1194', '1194']) },
  {
    name: 'connect-freq over all sockets',
    pairings: ['ours-server'],
    clients: 2,
    run: (bed) => connectFreq(bed, TWO_SOCKETS, ['1194', '1195']),
  },
  { name: 'connect-freq-initial', clients: 2, run: (bed) => connectFreqInitial(bed, [], '1194') },
  {
    name: 'connect-freq-initial over all sockets',
    pairings: ['ours-server'],
    clients: 2,
    run: (bed) => connectFreqInitial(bed, TWO_SOCKETS, '1195'),
  },
  {
    name: 'a second connection of a name ends the first, whichever socket it has',
    pairings: ['ours-server'],
    clients: 2,
    run: duplicates,
  },
  { name: 'stale-routes-check forgets silent hosts', tunnel: { dev: 'tap' }, run: staleRoutes },
];

async function maxClients(bed: Bed, sockets: readonly string[], ports: readonly string[]): Promise<void> {
  const server = await bed.startServer(['max-clients 1', 'duplicate-cn', ...sockets]);
  const first = await bed.startClient([], { remote: [to(bed, 0, ports[0]!)] });
  const second = bed.launchClient(SHORT, { index: 1, remote: [to(bed, 1, ports[1]!)] });
  await server.waitFor(/MULTI: new incoming connection would exceed maximum number of clients \(1\)/);
  check(!isUp(second), 'the second client came in');
  await bed.checkPing(INNER_SERVER4);
  await second.stop();
  await first.stop('SIGKILL');
}

async function connectFreq(bed: Bed, sockets: readonly string[], ports: readonly string[]): Promise<void> {
  const server = await bed.startServer(['connect-freq 1 60', 'duplicate-cn', ...sockets]);
  await bed.startClient([], { remote: [to(bed, 0, ports[0]!)] });
  const second = bed.launchClient(SHORT, { index: 1, remote: [to(bed, 1, ports[1]!)] });
  await server.waitFor(/would exceed new connection frequency limit as controlled by --connect-freq/);
  check(!isUp(second), 'the second client came in');
  await bed.checkPing(INNER_SERVER4);
}

async function connectFreqInitial(bed: Bed, sockets: readonly string[], port: string): Promise<void> {
  const server = await bed.startServer(['connect-freq-initial 2 60', 'duplicate-cn', ...sockets]);
  // A client that can't answer the cookie: each of its resets uses up an answer.
  const note = /Note: --connect-freq-initial 2 60 rate limit exceeded, dropping initial handshake packets/;
  for (let i = 0; i < 10 && !server.has(note); i++) {
    knock(bed.client(1), 1194);
    await sleep(200);
  }
  await server.waitFor(note);
  const client = bed.launchClient(SHORT, { remote: [to(bed, 0, port)] });
  await sleep(2_500);
  check(!isUp(client), 'a client came in beyond the limit');
  const told = server.lines.filter((line) => /connect-freq-initial|Unroutable/.test(line));
  check(told.length === 1, `the log fills up:\n${told.join('\n')}`);
}

async function duplicates(bed: Bed): Promise<void> {
  const server = await bed.startServer(THREE_SOCKETS);
  await bed.startClient([], { remote: [to(bed, 0, '1194')] });
  await bed.startClient([], { index: 1, remote: [to(bed, 1, '1196 tcp4-client')] });
  await server.waitFor(/MULTI: new connection by client 'client1' will cause previous active sessions/);
  await bed.checkPing(INNER_SERVER4, { index: 1 });
  await bed.checkNoPing(INNER_SERVER4, { index: 0 });
}

/** A host behind the client's tap is learned from one packet, and forgotten. */
async function staleRoutes(bed: Bed): Promise<void> {
  const server = await bed.startServer(['stale-routes-check 2 1', 'status status.txt 1', 'verb 4']);
  await bed.startClient();
  const { ns } = bed.client();
  bed.ip(
    ns,
    'link',
    'add',
    'link',
    'tap0',
    'name',
    'guest',
    'address',
    '02:00:00:00:00:77',
    'type',
    'macvlan',
    'mode',
    'bridge',
  );
  bed.ip(ns, 'link', 'set', 'guest', 'up');
  bed.ip(ns, 'addr', 'add', '10.8.0.77/24', 'dev', 'guest');
  await bed.waitForText('status.txt', /\n02:00:00:00:00:77(@0)?,client1,.*\nEND\n$/s);
  bed.ip(ns, 'link', 'del', 'guest');
  await bed.waitForText('status.txt', /^(?!.*02:00:00:00:00:77).*\nEND\n$/s, 15_000);
  await server.waitFor(/Initializing stale route check timer to run every 1 seconds/);
  await bed.checkPing(INNER_SERVER4);
}

/** A client's first packet, a hard reset of its own session id; without a newline, which bash would end a packet at. */
function knock({ ns, server4 }: { readonly ns: string; readonly server4: string }, port: number): void {
  const sessionId = [...randomBytes(8)]
    .map((byte) => byte | 0x80)
    .map((byte) => `\\x${byte.toString(16).padStart(2, '0')}`)
    .join('');
  const reset = `printf '\\x38${sessionId}\\0\\0\\0\\0\\0' > /dev/udp/${server4}/${port}`;
  execFileSync('ip', ['netns', 'exec', ns, 'bash', '-c', reset]);
}

function to(bed: Bed, index: number, port: string): string {
  return `${bed.client(index).server4} ${port}`;
}

function isUp(client: Program): boolean {
  return client.has(/Initialization Sequence Completed/);
}
