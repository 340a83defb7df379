/**
 * Data ciphers beyond those of the matrix: all modes and block sizes, many digests, OpenSSL's legacy
 * ciphers, limits of small blocks. Epoch data keys are in epoch.ts.
 */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { staticKeyText } from '../../test-kit/pki.ts';
import { sleep } from '../../test-kit/process.ts';
import { type Bed, check } from '../bed.ts';
import { INNER_SERVER4 } from '../config.ts';
import type { Scenario } from './scenario.ts';

const MIB = 1_048_576;
/** OpenSSL's old ciphers and digests. */
const LEGACY = 'providers legacy default';
/** Ciphers of the legacy provider, with a digest that only it has or that goes with any. */
const LEGACY_TUNNELS: readonly (readonly [cipher: string, auth: string])[] = [
  ['BF-CBC', 'SHA1'],
  ['CAST5-CFB', 'WHIRLPOOL'],
  ['SEED-OFB', 'MD4'],
];

/** Cipher and digest; each cipher mode of 2.6 at least once. */
const TUNNELS: readonly (readonly [cipher: string, auth: string])[] = [
  ['AES-256-CFB', 'SHA384'],
  ['AES-192-CFB8', 'SHA3-256'],
  ['CAMELLIA-256-OFB', 'BLAKE2b512'],
  ['ARIA-128-CBC', 'RIPEMD160'],
  ['ARIA-256-GCM', 'SHA1'],
  ['SM4-CBC', 'SM3'],
  ['DES-EDE3-CBC', 'MD5'],
  ['DES-EDE3-CFB', 'SHA224'],
  ['AES-256-CBC', 'none'],
  ['none', 'none'],
];

/** Every digest of 2.6 that HMAC can use, those of the legacy provider among them. */
const DIGESTS = [
  ...['SHA1', 'SHA224', 'SHA256', 'SHA384', 'SHA512', 'SHA512-224', 'SHA512-256'],
  ...['SHA3-224', 'SHA3-256', 'SHA3-384', 'SHA3-512', 'BLAKE2b512', 'BLAKE2s256'],
  ...['MD5', 'MD5-SHA1', 'RIPEMD160', 'SM3', 'MD4', 'WHIRLPOOL', 'none'],
];

/** Two MiB of payload are enough for it, which a transfer passes quickly. */
const RENEG_BYTES = 2 * MIB;

export const ciphers: readonly Scenario[] = [
  ...TUNNELS.map(([cipher, auth]) => ({
    name: `data cipher ${cipher} with auth ${auth}`,
    tunnel: { cipher, auth },
    run: carries,
  })),
  {
    name: 'legacy cipher BF-CBC with a static key',
    peerFrom: '2.6',
    feature: 'Static keys and point-to-point peers',
    run: legacyStatic,
  },
  ...LEGACY_TUNNELS.map(([cipher, auth]) => ({
    name: `legacy cipher ${cipher} with auth ${auth} by negotiation`,
    peerFrom: '2.6',
    tunnel: { cipher, auth },
    run: legacyTls,
  })),
  {
    name: 'every cipher that the peer lists, with every digest',
    full: true,
    peerFrom: '2.6',
    timeoutMs: 1_800_000,
    run: everyCipher,
  },
  { name: 'a provider that is not there ends the program', pairings: ['ours-server'], run: noProvider },
  {
    name: 'a legacy cipher without its provider is refused',
    peerServerFrom: '2.6',
    run: legacyRefused,
  },
  {
    name: 'small blocks: renegotiation by bytes',
    tunnel: { cipher: 'DES-EDE3-CBC' },
    timeoutMs: 60_000,
    run: renegotiatesByBytes,
  },
  {
    name: 'the server chooses among several ciphers',
    tunnel: { cipher: 'AES-256-CBC:AES-128-GCM' },
    run: chooses,
  },
];

async function carries(bed: Bed): Promise<void> {
  await bed.startServer();
  await bed.startClient();
  await bed.checkTraffic(4);
}

async function legacyStatic(bed: Bed): Promise<void> {
  const { server4 } = bed.client();
  const key = bed.write('static.key', staticKeyText(randomBytes(256)));
  const common = ['dev tun', 'proto udp4', 'cipher BF-CBC', LEGACY, 'verb 4', 'ping 1', 'connect-retry 1'];
  const left = ['port 1194', 'ifconfig 10.8.0.1 10.8.0.2', `secret ${key} 0`];
  const right = ['nobind', `remote ${server4} 1194`, 'ifconfig 10.8.0.2 10.8.0.1', `secret ${key} 1`];
  const peers = [
    bed.launch('server', bed.network.server, [...common, ...left]),
    bed.launch('client', bed.client().ns, [...common, ...right]),
  ];
  for (const peer of peers) await bed.waitUp(peer);
  await bed.checkPing(INNER_SERVER4);
  await bed.checkTransfer(INNER_SERVER4, MIB);
  const insecure = /WARNING: INSECURE cipher \(BF-CBC\) with block size less than 128 bit \(64 bit\)/;
  for (const peer of peers) check(peer.has(insecure), `${peer.name} does not warn${bed.tails()}`);
}

async function legacyTls(bed: Bed): Promise<void> {
  await bed.startServer([LEGACY]);
  await bed.startClient([LEGACY]);
  await bed.checkTraffic(2);
}

/** One tunnel after the other; what fails is told at the end. */
async function everyCipher(bed: Bed): Promise<void> {
  const listed = execFileSync(bed.programs.peer, [...`--${LEGACY}`.split(' '), '--show-ciphers'], {
    encoding: 'utf8',
  });
  const names = [...listed.matchAll(/^([A-Z0-9-]+) {2}\(\d+ bit key/gm)].map(([, name]) => name ?? '');
  check(names.length >= 60, `the peer lists ${names.length} ciphers`);
  const failed: string[] = [];
  for (const [i, cipher] of [...names, 'none'].entries()) {
    const lines = [LEGACY, `data-ciphers ${cipher}`, `auth ${DIGESTS[i % DIGESTS.length]}`];
    const server = await bed.startServer(lines);
    const client = bed.launchClient(lines);
    try {
      await bed.waitUp(client);
      await bed.checkPing(INNER_SERVER4);
      await bed.checkTransfer(INNER_SERVER4, MIB / 16);
    } catch (error) {
      failed.push(`${lines.join(', ')}: ${(error as Error).message}`);
    }
    await client.stop();
    await server.stop();
  }
  check(failed.length === 0, failed.join('\n'));
}

async function noProvider(bed: Bed): Promise<void> {
  const server = bed.launchServer(['providers default no-such-provider']);
  await server.waitFor(/OpenSSL: error:.*no-such-provider/);
  await server.waitFor(/failed to load provider 'no-such-provider'/);
  await server.waitFor(/Exiting due to fatal error/);
  check((await server.waitForExit()).code === 1, `another exit code${bed.tails()}`);
}

async function legacyRefused(bed: Bed): Promise<void> {
  const server = bed.launchServer(['data-ciphers BF-CBC']);
  await server.waitFor(/Unsupported cipher in --data-ciphers: BF-CBC/);
  await server.waitFor(/--data-ciphers list contains unsupported ciphers or is too long\./);
  check((await server.waitForExit()).code === 1, `another exit code${bed.tails()}`);
}

async function renegotiatesByBytes(bed: Bed): Promise<void> {
  const server = await bed.startServer([`reneg-bytes ${RENEG_BYTES}`]);
  const client = await bed.startClient();
  // No pings: with keys so young 2.x may send with a new one before the other end has it.
  for (let i = 0; i < 6; i++) {
    await bed.checkTransfer(INNER_SERVER4, MIB);
    await sleep(500);
  }
  await bed.waitHandshakes([server, client], 2);
  for (const end of [server, client]) {
    // 2.4 does not name it.
    const warned = end.has(/INSECURE cipher (\(DES-EDE3-CBC\) )?with/);
    check(warned, `${end.name} does not warn of small blocks${bed.tails()}`);
  }
}

async function chooses(bed: Bed): Promise<void> {
  const server = await bed.startServer(['verb 4']);
  const client = await bed.startClient(['data-ciphers AES-128-GCM:AES-256-CBC', 'verb 4']);
  await bed.checkPing(INNER_SERVER4);
  for (const end of [server, client]) {
    await end.waitFor(/Outgoing Data Channel: Cipher 'AES-256-CBC' initialized with 256 bit key/);
  }
}
