/**
 * The matrix: every property of a tunnel that must work with every other. A run takes a pairwise design
 * per pairing (each with its own seed, so three designs look at more triples than one), or everything.
 */
import { coveringCases, type Dimensions, fullProduct } from '../test-kit/covering.ts';
import type { Bed } from './bed.ts';
import { limitsOf, type TunnelOptions } from './config.ts';
import type { Pairing } from './pairing.ts';
import { ALL_KINDS, fits, type Peer, type PeerLimits } from './peer.ts';
import type { CompatTest } from './runner.ts';

export const DIMENSIONS: Dimensions<TunnelOptions> = {
  dev: ['tun', 'tap'],
  proto: ['udp', 'tcp'],
  family: [4, 6],
  wrap: ['none', 'tls-auth', 'tls-crypt', 'tls-crypt-v2'],
  cipher: [
    'AES-128-GCM',
    'AES-192-GCM',
    'AES-256-GCM',
    'CHACHA20-POLY1305',
    'AES-256-CBC',
    'AES-128-OFB',
    'none',
  ],
  auth: ['SHA1', 'SHA256', 'SHA512'],
  tls: ['1.2', '1.3'],
  topology: ['net30', 'p2p', 'subnet'],
  key: ['rsa', 'ec', 'ed25519'],
};

const SEEDS: Readonly<Record<Pairing, number>> = { 'ours-client': 11, 'ours-server': 22, 'ours-both': 33 };

/** Row of docs/compatibility.md for all of them. */
export const MATRIX_FEATURE = 'Tunnels of the matrix below';

const ANY_PEER: PeerLimits = { peerKinds: ALL_KINDS };

/** The matrix tests of one pairing; only ours with ours takes the values that `peer` does not have. */
export function matrixTests(pairing: Pairing, full: boolean, peer: Peer): CompatTest[] {
  const dimensions = dimensionsOf(peer, pairing);
  const cases = full ? fullProduct(dimensions) : coveringCases(dimensions, SEEDS[pairing]);
  return cases.map((tunnel) => ({
    name: caseName(tunnel),
    group: 'matrix',
    feature: MATRIX_FEATURE,
    pairing,
    limits: ANY_PEER,
    tunnel,
    timeoutMs: 60_000,
    waits: false,
    run: runCase,
  }));
}

function dimensionsOf(peer: Peer, pairing: Pairing): Dimensions<TunnelOptions> {
  const entries = Object.entries(DIMENSIONS).map(([name, values]) => {
    const possible = (values as readonly unknown[]).filter((value) =>
      fits({ ...ANY_PEER, ...limitsOf({ [name]: value }) }, peer, pairing),
    );
    return [name, possible] as const;
  });
  return Object.fromEntries(entries) as unknown as Dimensions<TunnelOptions>;
}

function caseName(tunnel: TunnelOptions): string {
  const { dev, proto, family, wrap, cipher, auth, tls, topology, key } = tunnel;
  const layer = dev === 'tap' ? 'tap' : topology;
  return `${proto}${family} ${wrap} ${cipher} ${auth} tls${tls} ${layer} ${key}`;
}

async function runCase(bed: Bed): Promise<void> {
  const { server: serverNs } = bed.network;
  const clientNs = bed.client().ns;
  const before = { server: bed.snapshot(serverNs), client: bed.snapshot(clientNs) };
  const [server] = await Promise.all([bed.startServer(), bed.serverAgent(), bed.agent(clientNs)]);
  const client = await bed.startClient();
  await bed.checkTraffic();
  await bed.stop(client);
  await bed.stop(server);
  bed.checkClean(clientNs, before.client);
  bed.checkClean(serverNs, before.server);
}
