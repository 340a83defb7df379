/**
 * Certificates and keys for tests, made by the openssl program: one authority per key kind with a server
 * and two client certificates, an expired client, and clients of an authority nobody trusts.
 * Static keys (--tls-auth, --tls-crypt) are random bytes in 2.x's text form ("OpenVPN Static key V1").
 *
 * Files live in one temporary directory, removed when the process ends. Keys are made once per kind and run.
 */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createTemporaryFolder } from './temporary.ts';

export const KEY_KINDS = ['rsa', 'ec', 'ed25519'] as const;
export type KeyKind = (typeof KEY_KINDS)[number];

/** Paths of a certificate and its private key, both PEM. */
export interface CertificateFiles {
  readonly cert: string;
  readonly key: string;
}

/** One authority and what it issued. */
export interface Pki {
  readonly ca: string;
  readonly server: CertificateFiles;
  readonly client1: CertificateFiles;
  readonly client2: CertificateFiles;
  /** Issued by the same authority, no longer valid since yesterday. */
  readonly expired: CertificateFiles;
  /** Same names, issued by another authority; `wrongCa` is that authority. */
  readonly stranger: CertificateFiles;
  readonly wrongCa: string;
}

const NEW_KEY: Readonly<Record<KeyKind, readonly string[]>> = {
  rsa: ['-newkey', 'rsa:2048'],
  ec: ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'],
  ed25519: ['-newkey', 'ed25519'],
};
const SERVER_USE = 'extendedKeyUsage=serverAuth\nkeyUsage=digitalSignature,keyEncipherment\n';
const CLIENT_USE = 'extendedKeyUsage=clientAuth\nkeyUsage=digitalSignature\n';

const run = promisify(execFile);
const made = new Map<KeyKind, Promise<Pki>>();
let directory: string | undefined;

/** The PKI of a key kind, made at the first call. Rejects with openssl's message. */
export function pkiFor(kind: KeyKind): Promise<Pki> {
  const known = made.get(kind);
  if (known !== undefined) return known;
  const fresh = createPki(kind, join(keyDirectory(), kind));
  made.set(kind, fresh);
  return fresh;
}

/** 2.x's text form of a static key: 16 lines of 16 bytes in hex between two marks. */
export function staticKeyText(key: Uint8Array): string {
  const rows = Buffer.from(key).toString('hex').match(/.{32}/g) ?? [];
  const marks = ['-----BEGIN OpenVPN Static key V1-----', '-----END OpenVPN Static key V1-----'];
  return [marks[0], ...rows, marks[1], ''].join('\n');
}

async function createPki(kind: KeyKind, prefix: string): Promise<Pki> {
  const [ca, other] = await Promise.all([
    createAuthority(kind, `${prefix}-ca`, 'Test CA'),
    createAuthority(kind, `${prefix}-other-ca`, 'Other CA'),
  ]);
  const issue = (by: CertificateFiles, file: string, cn: string, use: string, days = '30') =>
    createLeaf(kind, by, `${prefix}-${file}`, cn, use, days);
  const [server, client1, client2, expired, stranger] = await Promise.all([
    issue(ca, 'server', 'server', SERVER_USE),
    issue(ca, 'client1', 'client1', CLIENT_USE),
    issue(ca, 'client2', 'client2', CLIENT_USE),
    issue(ca, 'expired', 'expired', CLIENT_USE, '-1'),
    issue(other, 'stranger', 'client1', CLIENT_USE),
  ]);
  return { ca: ca.cert, server, client1, client2, expired, stranger, wrongCa: other.cert };
}

async function createAuthority(kind: KeyKind, path: string, cn: string): Promise<CertificateFiles> {
  const files = { cert: `${path}.crt`, key: `${path}.key` };
  const out = ['-keyout', files.key, '-out', files.cert, '-subj', `/O=openvpn-ts/CN=${cn}`, '-days', '30'];
  await run('openssl', ['req', '-x509', '-nodes', ...NEW_KEY[kind], ...out]);
  return files;
}

async function createLeaf(
  kind: KeyKind,
  by: CertificateFiles,
  path: string,
  cn: string,
  use: string,
  days: string,
): Promise<CertificateFiles> {
  const files = { cert: `${path}.crt`, key: `${path}.key` };
  const request = ['-keyout', files.key, '-out', `${path}.csr`, '-subj', `/O=openvpn-ts/CN=${cn}`];
  await run('openssl', ['req', '-new', '-nodes', ...NEW_KEY[kind], ...request]);
  writeFileSync(`${path}.ext`, `basicConstraints=CA:FALSE\n${use}`);
  const serial = `0x${randomBytes(8).toString('hex')}`;
  const signer = ['-CA', by.cert, '-CAkey', by.key, '-set_serial', serial, '-extfile', `${path}.ext`];
  await run('openssl', ['x509', '-req', '-in', `${path}.csr`, '-out', files.cert, '-days', days, ...signer]);
  return files;
}

function keyDirectory(): string {
  if (directory === undefined) {
    directory = createTemporaryFolder('pki');
  }
  return directory;
}

/** How a name is written: its subject in openssl's form, and openssl's `string_mask`. */
export interface Spelling {
  readonly subject: string;
  readonly stringMask: string;
}

/** Writes a list of the authority of `ca` that revokes these certificates to `out`, its issuer's name spelled as asked. */
export async function revoke(
  ca: string,
  revoked: readonly CertificateFiles[],
  out: string,
  spelling?: Spelling,
): Promise<void> {
  const serials = await Promise.all(revoked.map(({ cert }) => serialOf(cert)));
  const lines = serials.map((serial) => `R\t401231235959Z\t250101000000Z\t${serial}\tunknown\t/CN=x\n`);
  writeFileSync(`${out}.index`, lines.join(''));
  writeFileSync(`${out}.number`, '01\n');
  const settings = [`database=${out}.index`, 'default_md=sha256', `crlnumber=${out}.number`];
  writeFileSync(`${out}.cnf`, `[ca]\ndefault_ca=own\n[own]\n${settings.join('\n')}\n`);
  const key = ca.replace(/\.crt$/, '.key');
  if (spelling) {
    const settings = `[req]\nstring_mask = ${spelling.stringMask}\ndistinguished_name = dn\n[dn]\n`;
    writeFileSync(`${out}.req.cnf`, settings);
    const name = ['-subj', spelling.subject, '-key', key, '-config', `${out}.req.cnf`];
    await run('openssl', ['req', '-x509', '-new', ...name, '-out', `${out}.signer`]);
  }
  const keys = ['-cert', spelling ? `${out}.signer` : ca, '-keyfile', key];
  await run('openssl', ['ca', '-config', `${out}.cnf`, '-gencrl', '-crldays', '30', ...keys, '-out', out]);
}

/** Serial number of a certificate in hex. */
export async function serialOf(cert: string): Promise<string> {
  const { stdout } = await run('openssl', ['x509', '-in', cert, '-noout', '-serial']);
  return stdout.trim().replace('serial=', '');
}
