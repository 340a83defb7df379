/**
 * Epoch data keys of 2.7: used when both ends announce them, and moves to later epochs. A 2.7 peer moves by
 * itself after 2^36 blocks only, so ours, started by the library with a low limit, goes first in each direction
 * and makes the peer follow. Point-to-point peers are in p2p.ts.
 */
import type { Program } from '../../test-kit/process.ts';
import { type Bed, check } from '../bed.ts';
import { INNER_SERVER4, INNER_SERVER6 } from '../config.ts';
import type { Scenario } from './scenario.ts';

const MIB = 1_048_576;
/**
 * Blocks and packets of an epoch: some six hundred full packets. A receiver knows four epochs ahead, so four of
 * them must be more than a socket's buffer can lose at once.
 */
const USAGE_LIMIT = 50_000;
const NEW_EPOCH = /Received data packet with new epoch (\d+)\. Updating receive key/;

export const epoch: readonly Scenario[] = [
  { name: 'epoch data keys: used when both ends announce them', run: (bed) => negotiated(bed, [], true) },
  {
    name: 'epoch data keys: compat-mode 2.6.14 takes them away',
    run: (bed) => negotiated(bed, ['compat-mode 2.6.14'], false),
  },
  {
    name: 'epoch data keys: CHACHA20-POLY1305 over TCP',
    tunnel: { cipher: 'CHACHA20-POLY1305', proto: 'tcp' },
    run: (bed) => negotiated(bed, [], true),
  },
  {
    name: 'epoch data keys: ciphers that are not AEAD do without',
    tunnel: { cipher: 'AES-256-CBC' },
    run: (bed) => negotiated(bed, [], false),
  },
  ...(['udp', 'tcp'] as const).map((proto) => ({
    name: `epoch data keys: our server moves on over ${proto}`,
    pairings: ['ours-server', 'ours-both'] as const,
    tunnel: { proto },
    peerFrom: '2.7',
    run: serverLeads,
  })),
  {
    name: 'epoch data keys: our client moves on',
    pairings: ['ours-client', 'ours-both'],
    peerFrom: '2.7',
    run: clientLeads,
  },
  {
    name: 'epoch data keys: each renegotiated key begins anew',
    pairings: ['ours-server', 'ours-both'],
    peerFrom: '2.7',
    run: renegotiated,
  },
];

/** What each end says about the format, and traffic in it. */
async function negotiated(bed: Bed, ours: readonly string[], wanted: boolean): Promise<void> {
  const expected = wanted && bed.knows('2.7');
  const server = await bed.startServer([...(bed.isOurs('server') ? ours : []), 'verb 4']);
  const client = await bed.startClient([...(bed.isOurs('client') ? ours : []), 'verb 4']);
  await bed.checkTraffic(4);
  const pushed = server.has(/protocol-flags [^,']*aead-epoch/);
  check(pushed === expected, `aead-epoch ${expected ? 'not ' : ''}pushed${bed.tails()}`);
  const used = client.has(/Protocol options: .*aead-epoch/);
  check(used === expected, `aead-epoch ${expected ? 'not ' : ''}used${bed.tails()}`);
}

async function serverLeads(bed: Bed): Promise<void> {
  await bed.startLibraryServer([], USAGE_LIMIT);
  await movesOn(bed, await bed.startClient());
}

async function clientLeads(bed: Bed): Promise<void> {
  const server = await bed.startServer();
  await bed.startLibraryClient([], USAGE_LIMIT);
  await movesOn(bed, server);
}

/** `follower` has a limit that it doesn't reach: it goes along, whichever end sends most. */
async function movesOn(bed: Bed, follower: Program): Promise<void> {
  for (const host of [INNER_SERVER4, INNER_SERVER6]) {
    await bed.checkTransfer(host, 6 * MIB);
    await bed.checkPing(host, { count: 5, intervalSec: 0.1 });
  }
  const moves = epochsSeen(follower).length;
  check(moves > 10, `${moves} new epochs${bed.tails()}`);
}

async function renegotiated(bed: Bed): Promise<void> {
  await bed.startLibraryServer(['reneg-sec 5'], USAGE_LIMIT);
  const client = await bed.startClient();
  const keysBegun = (): number => epochsSeen(client).filter((number) => number === 2).length;
  for (let i = 0; i < 10 && keysBegun() < 2; i++) {
    await bed.checkTransfer(INNER_SERVER4, 2 * MIB);
    await bed.checkPing(INNER_SERVER4, { count: 5, intervalSec: 0.2 });
  }
  check(keysBegun() >= 2, `epochs: ${epochsSeen(client).join(' ')}${bed.tails()}`);
}

function epochsSeen(program: Program): number[] {
  return program.lines.flatMap((line) => NEW_EPOCH.exec(line)?.[1] ?? []).map(Number);
}
