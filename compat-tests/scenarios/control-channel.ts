/**
 * The control channel itself: tls-auth with every digest and key direction, very small control packets, heavy loss,
 * reordering and doubling.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setLoss } from '../../test-kit/netns.ts';
import { sleep } from '../../test-kit/process.ts';
import { type Bed, check, type Role } from '../bed.ts';
import { INNER_SERVER4 } from '../config.ts';
import { isBefore } from '../peer.ts';
import { startRelay } from './links.ts';
import type { Scenario } from './scenario.ts';

/** With each digest a direction of its own: server and client, or none for both ways alike. */
const DIGESTS = [
  ['SHA1', '0 1'],
  ['SHA224', '1 0'],
  ['SHA256', ''],
  ['SHA384', '0 1'],
  ['SHA512', '1 0'],
  ['SHA512-224', ''],
  ['SHA512-256', '0 1'],
  ['SHA3-224', '1 0'],
  ['SHA3-256', ''],
  ['SHA3-384', '0 1'],
  ['SHA3-512', '1 0'],
  ['BLAKE2b512', ''],
  ['BLAKE2s256', '0 1'],
  ['MD5', '1 0'],
  ['MD5-SHA1', ''],
  ['RIPEMD160', '0 1'],
  ['SM3', '1 0'],
] as const;
const SMALLEST = 154;
const WRAPS = ['none', 'tls-auth', 'tls-crypt', 'tls-crypt-v2'] as const;
/**
 * 30 % lost each way: this long until the tunnel is up. With 2.x's own first timeout of 2 s, doubled each time, one
 * of six handshakes between two stock programs takes longer; with 1 s hardly any, and never twice in a row.
 */
const LOSSY_LIMIT_MS = 30_000;
const LOSSY_TRIES = 2;
const BOTH = ['ours-client', 'ours-server'] as const;
const UNDER_LOSS = 'Control channel under loss';
const RELAY = '127.0.0.1 7000';

export const controlChannel: readonly Scenario[] = [
  ...DIGESTS.map(([digest, directions]) => ({
    name: `tls-auth with ${digest}, key directions ${directions || 'alike'}`,
    pairings: BOTH,
    run: (bed: Bed) => tlsAuth(bed, digest, directions),
  })),
  ...(['tls-auth', 'tls-crypt'] as const).map((wrap) => ({
    name: `replay-persist of a client goes on where its last run ended (${wrap})`,
    pairings: BOTH,
    peerKinds: ['openvpn'] as const,
    tunnel: { wrap },
    run: remembersIds,
  })),
  {
    name: 'a server on the null device lets clients come up',
    pairings: ['ours-server', 'ours-both'],
    run: nullServer,
  },
  ...WRAPS.map((wrap) => ({
    name: `control packets of ${SMALLEST} bytes at most (${wrap})`,
    feature: 'Small control packets (max-packet-size)',
    tunnel: { wrap },
    run: smallPackets,
  })),
  ...WRAPS.map((wrap) => ({
    feature: UNDER_LOSS,
    name: `handshake over 30 % loss each way within ${LOSSY_LIMIT_MS / 1000} s (${wrap})`,
    tunnel: { wrap },
    timeoutMs: 90_000,
    run: lossy,
  })),
  ...WRAPS.map((wrap, i) => ({
    feature: UNDER_LOSS,
    name: `handshake and renegotiation over a link that reorders and doubles (${wrap})`,
    tunnel: { wrap },
    run: (bed: Bed) => disordered(bed, i + 11),
  })),
];

async function tlsAuth(bed: Bed, digest: string, directions: string): Promise<void> {
  const [server, client] = directions.split(' ').map((direction) => (direction ? ` ${direction}` : ''));
  await bed.startServer([`auth ${digest}`, `tls-auth wrap.key${server}`]);
  await bed.startClient([`auth ${digest}`, `tls-auth wrap.key${client ?? ''}`]);
  await bed.checkPing(INNER_SERVER4);
}

async function nullServer(bed: Bed): Promise<void> {
  const server = await bed.startServer(['dev null']);
  await bed.startClient();
  await server.waitFor(/SENT CONTROL \[client1\]: 'PUSH_REPLY,.*ifconfig 10\.8\.0\.2 /);
  check(server.has(/null device \[null\] opened/), server.tail());
}

async function remembersIds(bed: Bed): Promise<void> {
  const file = join(bed.dir, 'newest.ids');
  await bed.startServer();
  const times: bigint[] = [];
  for (let run = 0; run < 2; run++) {
    const client = await bed.startClient([`replay-persist ${file}`]);
    await bed.checkPing(INNER_SERVER4);
    await bed.stop(client);
    const record = readFileSync(file);
    check(record.length === 16 && record.readUInt32LE(8) >= 3, `a record of ${record.toString('hex')}`);
    times.push(record.readBigInt64LE());
    // The next session of the server has a time of its own.
    await sleep(1_100);
  }
  check(times[0]! < times[1]!, `time went from ${times[0]} to ${times[1]}`);
  const record = readFileSync(file);
  record.writeBigInt64LE(times[1]! + 3600n);
  writeFileSync(file, record);
  const client = bed.launchClient([`replay-persist ${file}`]);
  await client.waitFor(/bad packet ID \(may be a replay\)/);
  check(!client.has(/Initialization Sequence Completed/), `${client.name} came up${bed.tails()}`);
}

async function smallPackets(bed: Bed): Promise<void> {
  // Peers older than 2.6 send packets of the usual size.
  const small = (role: Role) => bed.isOurs(role) || !isBefore(bed.programs.reference, '2.6');
  const lines = (role: Role) => (small(role) ? [`max-packet-size ${SMALLEST}`, 'mssfix'] : []);
  const server = await bed.startServer([...lines('server'), 'reneg-sec 4']);
  const client = await bed.startClient([...lines('client'), 'reneg-sec 0']);
  await bed.checkPing(INNER_SERVER4);
  await bed.waitHandshakes([server, client], 2);
  await bed.checkPing(INNER_SERVER4);
}

async function lossy(bed: Bed): Promise<void> {
  await bed.startServer(['tls-timeout 1']);
  setLoss(bed.network.server, 30);
  setLoss(bed.client().ns, 30);
  for (let left = LOSSY_TRIES; ; left--) {
    const client = bed.launchClient(['tls-timeout 1']);
    try {
      await bed.waitUp(client, LOSSY_LIMIT_MS);
      return;
    } catch (error) {
      if (left === 1) throw error;
      await client.stop('SIGKILL');
    }
  }
}

async function disordered(bed: Bed, seed: number): Promise<void> {
  const server = await bed.startServer(['reneg-sec 4']);
  await startRelay(bed, { reorder: 0.3, reorderMs: 40, duplicate: 0.3, delayMs: 5, seed });
  const client = await bed.startClient(['reneg-sec 0'], { remote: [RELAY] });
  await bed.waitHandshakes([server, client], 2);
  await bed.checkPing(INNER_SERVER4, { count: 20, intervalSec: 0.02 });
}
