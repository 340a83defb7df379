/**
 * tls-crypt-v2 beyond the matrix: keys made by either program, metadata judged by a script, the cookie modes,
 * clients with a shared key beside it, renegotiation with dynamic tls-crypt on top.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Bed, check } from '../bed.ts';
import { INNER_SERVER4 } from '../config.ts';
import type { Scenario } from './scenario.ts';

const METADATA = 'device 17';
const RENEG_SEC = 4;

export const tlsCryptV2: readonly Scenario[] = [
  ...(['udp', 'tcp'] as const).map((proto) => ({
    name: `tls-crypt-v2 keys of our --genkey with metadata, accepted by a script (${proto})`,
    tunnel: { proto },
    run: ownKeys,
  })),
  { name: 'tls-crypt-v2 key that the script refuses', run: refusedByScript },
  { name: 'tls-crypt-v2 key of another server', run: strangerKey },
  {
    name: 'tls-crypt-v2 with force-cookie, and tls-crypt clients beside it',
    peerFrom: '2.6',
    peerServerFrom: '2.6',
    clients: 2,
    run: (bed: Bed) => besides(bed, 'tls-crypt'),
  },
  {
    name: 'tls-crypt-v2 with tls-auth clients beside it (TCP)',
    peerServerFrom: '2.6',
    tunnel: { proto: 'tcp' },
    clients: 2,
    run: (bed: Bed) => besides(bed, 'tls-auth'),
  },
  {
    name: 'unwrapped client at a server with tls-crypt-v2',
    pairings: ['ours-server', 'ours-client'],
    run: unwrapped,
  },
  {
    name: 'tls-crypt-v2 key older than --tls-crypt-v2-max-age',
    pairings: ['ours-server', 'ours-both'],
    run: tooOld,
  },
  {
    name: 'tls-crypt-v2 with allow-noncookie takes a client without cookies',
    pairings: ['ours-server'],
    peerFrom: '2.5',
    peerBefore: '2.6',
    run: (bed: Bed) => cookieless(bed, 'allow-noncookie'),
  },
  {
    name: 'tls-crypt-v2 with force-cookie refuses a client without cookies',
    pairings: ['ours-server'],
    peerFrom: '2.5',
    peerBefore: '2.6',
    run: (bed: Bed) => cookieless(bed, 'force-cookie'),
  },
  {
    name: 'tls-crypt-v2 with allow-noncookie, for clients with cookies as well',
    run: (bed: Bed) => cookieless(bed, 'allow-noncookie'),
  },
  ...(['client', 'server'] as const).map((initiator) => ({
    name: `renegotiation over tls-crypt-v2 by the ${initiator}, in dynamic tls-crypt`,
    tunnel: { wrap: 'tls-crypt-v2' as const },
    run: (bed: Bed) => renegotiating(bed, initiator),
  })),
];

async function ownKeys(bed: Bed): Promise<void> {
  const keys = makeKeys(bed, Buffer.from(METADATA).toString('base64'));
  const script = verifyScript(bed, 0);
  const server = await bed.startServer([
    `tls-crypt-v2 ${keys.server}`,
    'script-security 2',
    `tls-crypt-v2-verify ${script}`,
  ]);
  await bed.startClient([`tls-crypt-v2 ${keys.client}`]);
  await bed.checkPing(INNER_SERVER4);
  check(server.has(/TLS CRYPT V2 VERIFY SCRIPT OK/), server.tail());
  const [type, script_type, metadata] = readFileSync(join(bed.dir, 'judged'), 'utf8').split('\n');
  check(type === '0' && script_type === 'tls-crypt-v2-verify', `environment: ${type} ${script_type}`);
  check(metadata === METADATA, `metadata is '${metadata}'`);
}

async function refusedByScript(bed: Bed): Promise<void> {
  const keys = makeKeys(bed);
  const server = await bed.startServer([
    `tls-crypt-v2 ${keys.server}`,
    'script-security 2',
    `tls-crypt-v2-verify ${verifyScript(bed, 1)}`,
  ]);
  const client = bed.launchClient([`tls-crypt-v2 ${keys.client}`, 'hand-window 5', 'server-poll-timeout 5']);
  await server.waitFor(/TLS CRYPT V2 VERIFY SCRIPT ERROR/);
  await bed.checkNoTunnel(client, server, {
    server: /TLS Error: can not extract tls-crypt-v2 client key from \[AF_INET\]/,
  });
}

async function strangerKey(bed: Bed): Promise<void> {
  const [keys, others] = [makeKeys(bed), makeKeys(bed, undefined, 'other-')];
  const server = await bed.startServer([`tls-crypt-v2 ${keys.server}`]);
  const client = bed.launchClient([`tls-crypt-v2 ${others.client}`, 'server-poll-timeout 4']);
  await bed.checkNoTunnel(client, server, {
    server: /TLS Error: can not extract tls-crypt-v2 client key from \[AF_INET\]/,
  });
}

async function besides(bed: Bed, kind: 'tls-crypt' | 'tls-auth'): Promise<void> {
  const keys = makeKeys(bed);
  const direction = kind === 'tls-auth' ? [' 0', ' 1'] : ['', ''];
  await bed.startServer([
    `tls-crypt-v2 ${keys.server} force-cookie`,
    `${kind} wrap.key${direction[0]}`,
    'max-clients 2',
  ]);
  await bed.startClient([`tls-crypt-v2 ${keys.client}`]);
  await bed.startClient([`${kind} wrap.key${direction[1]}`], { index: 1, identity: 'client2' });
  await bed.checkPing(INNER_SERVER4);
  await bed.checkPing(INNER_SERVER4, { index: 1 });
}

async function cookieless(bed: Bed, mode: 'allow-noncookie' | 'force-cookie'): Promise<void> {
  const keys = makeKeys(bed);
  const server = await bed.startServer([`tls-crypt-v2 ${keys.server} ${mode}`, 'verb 7']);
  if (mode === 'allow-noncookie') {
    await bed.startClient([`tls-crypt-v2 ${keys.client}`]);
    await bed.checkPing(INNER_SERVER4);
    return;
  }
  const client = bed.launchClient([`tls-crypt-v2 ${keys.client}`, 'server-poll-timeout 4']);
  const line = /tls-crypt-v2 force-cookie is enabled, ignoring connection attempt from old client/;
  await bed.checkNoTunnel(client, server, { server: line });
}

async function unwrapped(bed: Bed): Promise<void> {
  const server = await bed.startServer([`tls-crypt-v2 ${makeKeys(bed).server}`]);
  const client = bed.launchClient(['server-poll-timeout 4']);
  const line = /TLS Error: could not determine wrapping from \[AF_INET\]/;
  await bed.checkNoTunnel(client, server, { server: line });
}

async function tooOld(bed: Bed): Promise<void> {
  // A key with user metadata has no timestamp, and so no age that could be small enough.
  const keys = makeKeys(bed, Buffer.from(METADATA).toString('base64'));
  const fresh = makeKeys(bed, undefined, '', keys.server);
  const server = await bed.startServer([`tls-crypt-v2 ${keys.server}`, 'tls-crypt-v2-max-age 1']);
  const client = bed.launchClient([`tls-crypt-v2 ${keys.client}`, 'hand-window 4', 'server-poll-timeout 4']);
  await bed.checkNoTunnel(client, server, { server: /ERROR: Client key does not have a timestamp\./ });
  await client.stop();
  await bed.startClient([`tls-crypt-v2 ${fresh.client}`]);
  await bed.checkPing(INNER_SERVER4);
}

async function renegotiating(bed: Bed, initiator: 'client' | 'server'): Promise<void> {
  const lines = (role: string) => [`reneg-sec ${role === initiator ? RENEG_SEC : 0}`];
  const server = await bed.startServer(lines('server'));
  const client = await bed.startClient(lines('client'));
  await bed.waitHandshakes([server, client], 3, 4_000 * RENEG_SEC);
  await bed.checkPing(INNER_SERVER4);
}

interface Keys {
  readonly server: string;
  readonly client: string;
}

/** Keys by our own program, or only a client's key for a server key that exists. */
function makeKeys(bed: Bed, metadata?: string, prefix = '', existing?: string): Keys {
  const server = existing ?? join(bed.dir, `${prefix}server-v2.key`);
  const client = join(bed.dir, `${prefix}${existing ? 'fresh' : 'client'}-v2.key`);
  const { ours } = bed.programs;
  if (!existing) execFileSync(ours, ['--genkey', 'tls-crypt-v2-server', server]);
  const extra = metadata === undefined ? [] : [metadata];
  execFileSync(ours, ['--tls-crypt-v2', server, '--genkey', 'tls-crypt-v2-client', client, ...extra]);
  return { server, client };
}

/** Notes what it is asked and answers with `status`. */
function verifyScript(bed: Bed, status: number): string {
  const body = [
    '#!/bin/sh',
    `{ echo "$metadata_type"; echo "$script_type"; /bin/cat "$metadata_file"; echo; } > ${bed.dir}/judged`,
    `exit ${status}`,
    '',
  ];
  return bed.write('judge.sh', body.join('\n'), 0o700);
}
