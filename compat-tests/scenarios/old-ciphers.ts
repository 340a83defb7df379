/**
 * Data ciphers with peers of before 2.6, whose default is BF-CBC and who may be told not to negotiate: then ours goes
 * by the cipher that the peer's options string names, and by --data-ciphers-fallback when there is none.
 */
import { type Bed, check, type Role } from '../bed.ts';
import { isBefore } from '../peer.ts';
import type { Scenario } from './scenario.ts';

const DEFAULT = { cipher: 'default' };
const FIXED = { tunnel: DEFAULT, pairings: ['ours-client', 'ours-server'], peerBefore: '2.6' } as const;
const SILENT = ['ncp-disable', 'cipher AES-256-CBC', 'disable-occ'];

export const oldCiphers: readonly Scenario[] = [
  { name: 'defaults of both ends agree on AES-256-GCM', tunnel: DEFAULT, run: defaults },
  {
    name: 'peer without negotiation: AES-256-CBC by its options string',
    ...FIXED,
    run: (bed) => fixed(bed, ['ncp-disable', 'cipher AES-256-CBC'], ['data-ciphers AES-256-GCM:AES-256-CBC']),
  },
  {
    name: 'peer without negotiation: BF-CBC by its options string',
    ...FIXED,
    run: (bed) => fixed(bed, ['ncp-disable', 'cipher BF-CBC'], ['data-ciphers AES-256-GCM:BF-CBC']),
  },
  {
    name: 'server without negotiation and options string: data-ciphers-fallback',
    ...FIXED,
    // 2.4 and all clients tell their cipher even with disable-occ.
    pairings: ['ours-client'],
    peerServerFrom: '2.5',
    run: (bed) => fixed(bed, SILENT, ['data-ciphers-fallback AES-256-CBC']),
  },
];

async function defaults(bed: Bed): Promise<void> {
  if (isBefore(bed.programs.reference, '2.6')) loadLegacy(bed);
  const server = await bed.startServer(['verb 4']);
  const client = await bed.startClient(['verb 4']);
  for (const end of [server, client])
    await end.waitFor(
      /Outgoing (Data Channel|Epoch Data key 1): Cipher 'AES-256-GCM' initialized with 256 bit key/,
    );
  await bed.checkTraffic(2);
}

async function fixed(bed: Bed, peer: readonly string[], ours: readonly string[]): Promise<void> {
  loadLegacy(bed);
  const lines = (role: Role) => ['verb 4', ...(bed.isOurs(role) ? ours : peer)];
  const server = await bed.startServer(lines('server'));
  const client = await bed.startClient(lines('client'));
  const [, cipher = ''] = peer[1]!.split(' ');
  const used = new RegExp(`Outgoing Data Channel: Cipher '${cipher}' initialized with \\d+ bit key`);
  for (const end of [server, client]) await end.waitFor(used);
  await bed.checkTraffic(2);
  check(!client.has(/OPTIONS ERROR/), client.tail());
}

/** Gives both programs OpenSSL's legacy ciphers. Older peers don't even start without BF-CBC, their default. */
function loadLegacy(bed: Bed): void {
  bed.env = { ...bed.env, NODE_OPTIONS: '--openssl-legacy-provider' };
  const lines = ['openssl_conf = init', '[init]', 'providers = all', '[all]', 'default = on', 'legacy = on'];
  bed.peerEnv = { OPENSSL_CONF: bed.write('openssl.cnf', [...lines, '[on]', 'activate = 1', ''].join('\n')) };
}
