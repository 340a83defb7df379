/**
 * Certificates: revocation while running, authorities in a directory, pinned authorities, what scripts see, names by
 * other fields, profiles and groups, PKCS#12, DH parameters.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { revoke, serialOf } from '../../test-kit/pki.ts';
import { type Bed, check } from '../bed.ts';
import { INNER_SERVER4 } from '../config.ts';
import type { Scenario } from './scenario.ts';

const REVOKED = /VERIFY ERROR: depth=0, error=certificate revoked: O=openvpn-ts, CN=client1, serial=\d+/;
const FAILED = /TLS Error: TLS handshake failed/;
const SHORT = ['hand-window 6', 'server-poll-timeout 6'];

export const certificates: readonly Scenario[] = [
  { name: 'client revoked while the server runs (crl-verify file)', run: revokedLater },
  {
    name: 'client revoked while connected: refused at the next renegotiation',
    pairings: ['ours-server', 'ours-client'],
    run: revokedWhileConnected,
  },
  { name: 'client revoked by lists that spell their issuer otherwise', run: revokedInOtherWords },
  { name: 'revoked serial number (crl-verify dir)', run: revokedByDirectory },
  { name: 'server revoked, as the client sees it', pairings: ['ours-client'], run: revokedServer },
  { name: 'authority from a directory (capath), another one added while running', run: authorityDirectory },
  { name: 'pinned authority (verify-hash)', run: pinned },
  { name: 'certificates in files and variables of tls-verify scripts', run: shownToScripts },
  { name: 'common name from other fields', peerServerFrom: '2.6', run: otherNames },
  // OpenSSL's Suite B clients have no certificate to show in TLS 1.3.
  { name: 'Suite B profile and a named group', peerClientFrom: '2.5', tunnel: { tls: '1.2' }, run: suiteB },
  { name: 'Suite B refuses an RSA certificate', tunnel: { key: 'rsa' }, run: suiteBRefuses },
  { name: 'PKCS#12 with its own authority, beside --ca, in a block', run: pkcs12 },
  { name: 'DH parameters from a file', tunnel: { key: 'rsa', tls: '1.2' }, run: dhParameters },
];

async function revokedLater(bed: Bed): Promise<void> {
  const list = join(bed.dir, 'crl.pem');
  await revoke(bed.pki.ca, [], list);
  const server = await bed.startServer([`crl-verify ${list}`]);
  const client = await bed.startClient();
  await bed.stop(client);
  await revoke(bed.pki.ca, [bed.pki.client1], list);
  server.mark();
  const again = bed.launchClient(SHORT);
  await bed.checkNoTunnel(again, server, { server: REVOKED });
  await server.waitFor(FAILED);
  await again.stop();
  await bed.startClient([], { identity: 'client2' });
  await bed.checkPing(INNER_SERVER4);
}

async function revokedInOtherWords(bed: Bed): Promise<void> {
  const list = join(bed.dir, 'crl.pem');
  await revoke(bed.pki.ca, [], list);
  const server = await bed.startServer([`crl-verify ${list}`]);
  for (const [subject, stringMask] of [
    ['/O=openvpn-ts/CN=Test CA', 'nombstr'],
    ['/O=openvpn-ts/CN=Test CA', 'MASK:0x800'],
    ['/O=OPENVPN-ts/CN= test   ca', 'utf8only'],
  ] as const) {
    await revoke(bed.pki.ca, [bed.pki.client1], list, { subject, stringMask });
    server.mark();
    const client = bed.launchClient(SHORT);
    await bed.checkNoTunnel(client, server, { server: REVOKED });
    await server.waitFor(FAILED);
    await client.stop();
  }
  await bed.startClient([], { identity: 'client2' });
}

async function revokedWhileConnected(bed: Bed): Promise<void> {
  const list = join(bed.dir, 'crl.pem');
  await revoke(bed.pki.ca, [], list);
  const server = await bed.startServer([`crl-verify ${list}`, 'reneg-sec 5', 'hand-window 3']);
  await bed.startClient(['reneg-sec 0']);
  await revoke(bed.pki.ca, [bed.pki.client1], list);
  await server.waitFor(REVOKED);
  await server.waitFor(FAILED);
}

async function revokedByDirectory(bed: Bed): Promise<void> {
  const directory = join(bed.dir, 'revoked');
  mkdirSync(directory);
  const server = await bed.startServer([`crl-verify ${directory} dir`]);
  const client = await bed.startClient();
  await bed.stop(client);
  const serial = BigInt(`0x${await serialOf(bed.pki.client1.cert)}`).toString();
  writeFileSync(join(directory, serial), '');
  const again = bed.launchClient(SHORT);
  const line = new RegExp(`VERIFY CRL: depth=0, O=openvpn-ts, CN=client1, serial=${serial} is revoked`);
  await bed.checkNoTunnel(again, server, { server: line });
}

async function revokedServer(bed: Bed): Promise<void> {
  const list = join(bed.dir, 'crl.pem');
  await revoke(bed.pki.ca, [bed.pki.server], list);
  const server = await bed.startServer();
  const client = bed.launchClient([`crl-verify ${list}`, ...SHORT]);
  await bed.checkNoTunnel(client, server, {
    client: /VERIFY ERROR: depth=0, error=certificate revoked: O=openvpn-ts, CN=server/,
  });
}

async function authorityDirectory(bed: Bed): Promise<void> {
  const directory = join(bed.dir, 'authorities');
  mkdirSync(directory);
  link(directory, bed.pki.ca);
  await bed.startServer([`capath ${directory}`]);
  const first = await bed.startClient();
  await bed.checkPing(INNER_SERVER4);
  await bed.stop(first);
  // The stranger's authority is unknown until its file is there.
  const stranger = bed.launchClient(SHORT, { identity: 'stranger' });
  await stranger.waitFor(
    /TLS Error: TLS (handshake failed|key negotiation failed)|Inactivity|server_poll/,
    20_000,
  );
  await stranger.stop();
  link(directory, bed.pki.wrongCa);
  await bed.startClient([], { identity: 'stranger' });
  await bed.checkPing(INNER_SERVER4);
}

function link(directory: string, cert: string): void {
  const hash = execFileSync('openssl', ['x509', '-in', cert, '-noout', '-hash']).toString().trim();
  symlinkSync(cert, join(directory, `${hash}.0`));
}

async function pinned(bed: Bed): Promise<void> {
  const sha1 = fingerprint(bed.pki.ca, 'sha1');
  const server = await bed.startServer([`verify-hash ${fingerprint(bed.pki.ca, 'sha256')} SHA256`]);
  const client = await bed.startClient([`verify-hash ${sha1}`]);
  await bed.checkPing(INNER_SERVER4);
  await bed.stop(client);
  const wrong = bed.launchClient([`verify-hash ${fingerprint(bed.pki.wrongCa, 'sha1')}`, ...SHORT]);
  await bed.checkNoTunnel(wrong, server, {
    client: /certificate hash verification failed\. \(got certificate fingerprint: /,
  });
}

function fingerprint(cert: string, digest: string): string {
  const text = execFileSync('openssl', ['x509', '-in', cert, '-noout', '-fingerprint', `-${digest}`]);
  return text.toString().trim().replace(/^.*=/, '');
}

async function shownToScripts(bed: Bed): Promise<void> {
  const body = [
    '#!/bin/sh',
    `{ echo "== $*"; /usr/bin/env; /usr/bin/openssl x509 -in "$peer_cert" -noout -subject; } >> ${bed.dir}/calls`,
    '',
  ];
  const script = bed.write('verify.sh', body.join('\n'), 0o700);
  const exported = join(bed.dir, 'exported');
  mkdirSync(exported);
  const lines = ['script-security 2', `tls-verify ${script}`, `tls-export-cert ${exported}`];
  await bed.startServer([...lines, 'x509-track CN', 'x509-track +extendedKeyUsage', 'x509-track SHA1']);
  await bed.startClient();
  const calls = bed.read('calls').split('== ').slice(1);
  check(calls.length === 2, `${calls.length} calls: ${calls.join('')}`);
  const [authority = '', leaf = ''] = calls;
  check(authority.startsWith('1 O=openvpn-ts, CN=Test CA\n'), authority);
  check(leaf.startsWith('0 O=openvpn-ts, CN=client1\n'), leaf);
  const wanted = [
    /^X509_0_CN=client1$/m,
    /^X509_0_extendedKeyUsage=TLS Web Client Authentication$/m,
    new RegExp(`^X509_0_SHA1=${fingerprint(bed.pki.client1.cert, 'sha1')}$`, 'm'),
    /^subject=O = openvpn-ts, CN = client1$/m,
    /^tls_id_1=O=openvpn-ts, CN=Test CA$/m,
    bed.isOurs('server')
      ? /^peer_cert=.*\/openvpn_pef_[0-9a-f]+\.tmp$/m
      : /^peer_cert=.*\/openvpn_p[ce]f_[0-9a-f]+\.tmp$/m,
  ];
  for (const pattern of wanted) check(pattern.test(leaf), `${pattern} is missing in\n${leaf}`);
  check(!/^X509_0_O=/m.test(leaf), `an attribute that is not tracked in\n${leaf}`);
  const left = execFileSync('ls', [exported]).toString();
  check(left === '', `left behind: ${left}`);
}

async function otherNames(bed: Bed): Promise<void> {
  const server = await bed.startServer(['x509-username-field CN serialNumber']);
  await bed.startClient();
  const serial = await serialOf(bed.pki.client1.cert);
  const name = `client1_0x${serial}`;
  check(server.has(new RegExp(`\\[${name}\\] Peer Connection Initiated`)), server.tail());
}

async function suiteB(bed: Bed): Promise<void> {
  await bed.startServer(['tls-cert-profile suiteb']);
  await bed.startClient(['tls-groups secp384r1:prime256v1', 'tls-cert-profile suiteb']);
  await bed.checkPing(INNER_SERVER4);
}

async function suiteBRefuses(bed: Bed): Promise<void> {
  const client = bed.launchClient(['tls-cert-profile suiteb']);
  const status = await client.waitForExit();
  check(status.code === 1, `exit code ${status.code}`);
  check(client.has(/Cannot load certificate (file|from URI) /), client.tail());
}

async function pkcs12(bed: Bed): Promise<void> {
  const { client1, ca, wrongCa } = bed.pki;
  const file = join(bed.dir, 'client.p12');
  const args = ['-inkey', client1.key, '-in', client1.cert, '-certfile', ca, '-passout', 'pass:open'];
  execFileSync('openssl', ['pkcs12', '-export', ...args, '-out', file]);
  const server = await bed.startServer();
  const block = ['<pkcs12>', ...base64Lines(file), '</pkcs12>'];
  const lines = (own: readonly string[], ...more: string[]) => {
    const common = ['client', 'dev tun', 'proto udp4', `remote ${bed.client().server4} 1194`, 'nobind'];
    const rest = [`askpass ${bed.write('pass.txt', 'open\n')}`, 'remote-cert-tls server', 'verb 3', ...SHORT];
    return [...common, ...own, ...rest, ...more];
  };
  for (const given of [lines([`pkcs12 ${file}`]), lines([`pkcs12 ${file}`], `ca ${ca}`), lines(block)]) {
    const client = bed.launch('client', bed.client().ns, given);
    await bed.waitUp(client);
    await bed.checkPing(INNER_SERVER4);
    await bed.stop(client);
  }
  // The file's authority isn't trusted where the configuration names another.
  const wrong = bed.launch('client', bed.client().ns, lines([`pkcs12 ${file}`], `ca ${wrongCa}`));
  await bed.checkNoTunnel(wrong, server, { client: /VERIFY ERROR: depth=1, error=self-signed certificate/ });
}

/** As in PEM files: 2.x takes no long lines. */
function base64Lines(file: string): string[] {
  return (
    readFileSync(file)
      .toString('base64')
      .match(/.{1,64}/g) ?? []
  );
}

async function dhParameters(bed: Bed): Promise<void> {
  const file = join(bed.dir, 'dh.pem');
  const group = ['-algorithm', 'DH', '-pkeyopt', 'group:ffdhe2048'];
  execFileSync('openssl', ['genpkey', '-genparam', ...group, '-out', file]);
  const server = await bed.startServer([`dh ${file}`]);
  const client = await bed.startClient(['tls-cipher TLS-DHE-RSA-WITH-AES-256-GCM-SHA384']);
  await bed.checkPing(INNER_SERVER4);
  for (const end of [server, client]) {
    const line = /Control Channel: TLSv1\.2, cipher TLSv1\.2 DHE-RSA-AES256-GCM-SHA384/;
    check(end.has(line), end.tail());
  }
}
