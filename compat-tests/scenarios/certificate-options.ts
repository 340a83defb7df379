/**
 * What options say about certificates and TLS: ciphers and groups of both TLS versions, purposes that a certificate
 * must have, names from extensions, chains with an intermediate authority, profiles; by both TLS engines where the
 * engine has a say.
 */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { CertificateFiles } from '../../test-kit/pki.ts';
import type { Bed } from '../bed.ts';
import type { TunnelOptions } from '../config.ts';
import { INNER_SERVER4 } from '../config.ts';
import type { Scenario } from './scenario.ts';

const ENGINES = ['node', 'native'] as const;
type Engine = (typeof ENGINES)[number];
const SHORT = ['hand-window 6', 'server-poll-timeout 6'];
const NOT_COMMON = /no shared cipher|handshake failure|no suitable|no ciphers available/;

export const certificateOptions: readonly Scenario[] = [
  ...both('tls-ciphersuites chooses in TLS 1.3', ciphersuites),
  ...both('tls-cipher chooses in TLS 1.2', ciphers, { tls: '1.2', key: 'rsa' }),
  ...both('tls-cipher without a common one', noCommonCipher, { tls: '1.2' }),
  ...both('tls-groups of both ends', groups),
  ...both('extra-certs: an intermediate authority', intermediate),
  ...both('tls-cert-profile preferred refuses a weak key', weakKey, { tls: '1.2', key: 'rsa' }),
  { name: 'remote-cert-ku and remote-cert-eku', run: keyUsage },
  { name: 'ns-cert-type', run: nsCertType },
  { name: 'common name from an e-mail address, a unit and the CN', run: fieldsOfName },
  { name: 'certificates and keys in blocks of the configuration', run: inlineFiles },
];

function both(
  name: string,
  run: (bed: Bed) => Promise<void>,
  tunnel: Partial<TunnelOptions> = {},
): readonly Scenario[] {
  return ENGINES.map((engine: Engine) => ({
    name: `${name} (${engine})`,
    tunnel,
    run: (bed: Bed) => {
      bed.env = { OPENVPN_TS_SSL: engine };
      return run(bed);
    },
  }));
}

async function ciphersuites(bed: Bed): Promise<void> {
  const server = await bed.startServer();
  const client = await bed.startClient(['tls-ciphersuites TLS_CHACHA20_POLY1305_SHA256']);
  await bed.checkPing(INNER_SERVER4);
  for (const end of [server, client])
    await end.waitFor(/Control Channel: TLSv1\.3, cipher TLSv1\.3 TLS_CHACHA20_POLY1305_SHA256/);
  await bed.stop(client);
  await bed.stop(server);
  const other = await bed.startServer(['tls-ciphersuites TLS_AES_128_GCM_SHA256']);
  await bed.startClient();
  await other.waitFor(/Control Channel: TLSv1\.3, cipher TLSv1\.3 TLS_AES_128_GCM_SHA256/);
}

async function ciphers(bed: Bed): Promise<void> {
  const server = await bed.startServer([
    'tls-cipher TLS-ECDHE-RSA-WITH-AES-128-GCM-SHA256:TLS-ECDHE-RSA-WITH-AES-256-GCM-SHA384',
  ]);
  const first = await bed.startClient();
  await server.waitFor(/Control Channel: TLSv1\.2, cipher TLSv1\.2 ECDHE-RSA-AES(128|256)-GCM/);
  await bed.stop(first);
  server.mark();
  await bed.startClient(['tls-cipher TLS-ECDHE-RSA-WITH-AES-128-GCM-SHA256']);
  await bed.checkPing(INNER_SERVER4);
  await server.waitFor(/cipher TLSv1\.2 ECDHE-RSA-AES128-GCM-SHA256, .*2048 bits RSA/);
}

async function noCommonCipher(bed: Bed): Promise<void> {
  const server = await bed.startServer(['tls-cipher TLS-ECDHE-ECDSA-WITH-AES-128-GCM-SHA256']);
  const client = bed.launchClient(['tls-cipher TLS-ECDHE-ECDSA-WITH-AES-256-GCM-SHA384', ...SHORT]);
  await bed.checkNoTunnel(client, server, { server: NOT_COMMON });
}

async function groups(bed: Bed): Promise<void> {
  const server = await bed.startServer(['tls-groups secp521r1:X25519']);
  const client = await bed.startClient(['tls-groups P-384:secp521r1']);
  await bed.checkPing(INNER_SERVER4);
  // node:tls tells a server nothing of the client's temporary key.
  const mute = bed.isOurs('server') && bed.env.OPENVPN_TS_SSL === 'node';
  for (const end of mute ? [client] : [server, client])
    await end.waitFor(/peer temporary key: 521 bits ECsecp521r1/);
}

async function intermediate(bed: Bed): Promise<void> {
  const ca = issue(bed, 'root', { subject: '/CN=Root', ext: AUTHORITY });
  const between = issue(bed, 'between', { by: ca, subject: '/CN=Between', ext: AUTHORITY });
  const leaf = issue(bed, 'leaf', { by: between, subject: '/CN=deep', ext: CLIENT });
  const server = await bed.startServer([`ca ${ca.cert}`]);
  const own = [`cert ${leaf.cert}`, `key ${leaf.key}`];
  const client = await bed.startClient([...own, `extra-certs ${between.cert}`]);
  await bed.checkPing(INNER_SERVER4);
  await server.waitFor(/VERIFY OK: depth=1, CN=Between/);
  await server.waitFor(/\[deep\] Peer Connection Initiated/);
  await bed.stop(client);
  server.mark();
  const alone = bed.launchClient([...own, ...SHORT]);
  await bed.checkNoTunnel(alone, server, {
    server: /VERIFY ERROR: depth=0, error=unable to get local issuer certificate: CN=deep/,
  });
}

async function weakKey(bed: Bed): Promise<void> {
  const ca = issue(bed, 'root', { subject: '/CN=Root', ext: AUTHORITY, key: ['rsa:2048'] });
  const weak = issue(bed, 'weak', { by: ca, subject: '/CN=weak', ext: CLIENT, key: ['rsa:1024'] });
  const server = await bed.startServer([`ca ${ca.cert}`, 'tls-cert-profile preferred']);
  const client = bed.launchClient([
    `cert ${weak.cert}`,
    `key ${weak.key}`,
    'tls-cert-profile insecure',
    ...SHORT,
  ]);
  await bed.checkNoTunnel(client, server, {
    server: /VERIFY ERROR: depth=0, error=(EE certificate key too weak|ee key too small): CN=weak/i,
  });
}

async function keyUsage(bed: Bed): Promise<void> {
  // The server's: digitalSignature, keyEncipherment; the client's: digitalSignature.
  const server = await bed.startServer([
    'remote-cert-ku 80 08',
    'remote-cert-eku "TLS Web Client Authentication"',
  ]);
  const first = await bed.startClient(['remote-cert-ku a0', 'remote-cert-eku 1.3.6.1.5.5.7.3.1']);
  await bed.checkPing(INNER_SERVER4);
  for (const end of [server, first])
    for (const line of [/VERIFY KU OK/, /Validating certificate extended key usage/, /VERIFY EKU OK/])
      await end.waitFor(line);
  await bed.stop(first);
  const wrong: readonly (readonly [string, RegExp])[] = [
    ['remote-cert-ku 88 08', /Certificate has key usage 00a0, expected one of:/],
    ['remote-cert-eku 1.3.6.1.5.5.7.3.2', /VERIFY EKU ERROR/],
    ['remote-cert-tls client', /VERIFY EKU ERROR/],
  ];
  for (const [option, line] of wrong) {
    const client = bed.launchClient([option, ...SHORT]);
    await bed.checkNoTunnel(client, server, { client: line });
    await client.stop();
  }
}

async function nsCertType(bed: Bed): Promise<void> {
  const server = await bed.startServer(['ns-cert-type client']);
  const client = await bed.startClient(['ns-cert-type server']);
  await bed.checkPing(INNER_SERVER4);
  await server.waitFor(/VERIFY OK: nsCertType=CLIENT/);
  await client.waitFor(/VERIFY OK: nsCertType=SERVER/);
  await bed.stop(client);
  const wrong = bed.launchClient(['ns-cert-type client', ...SHORT]);
  await bed.checkNoTunnel(wrong, server, {
    client: /VERIFY nsCertType ERROR: O=openvpn-ts, CN=server, require nsCertType=CLIENT/,
  });
}

async function fieldsOfName(bed: Bed): Promise<void> {
  const ca = issue(bed, 'root', { subject: '/CN=Root', ext: AUTHORITY });
  const subject = '/OU=lab 1/CN=carol/emailAddress=carol@example.org';
  const leaf = issue(bed, 'leaf', { by: ca, subject, ext: `${CLIENT}subjectAltName=email:c@example.net\n` });
  const cases: readonly (readonly [string, string])[] = [
    ['ext:subjectAltName', 'c@example.net'],
    ['emailAddress', 'carol@example.org'],
    ['OU CN', 'lab 1_carol'],
  ];
  for (const [fields, name] of cases) {
    const server = await bed.startServer([`ca ${ca.cert}`, `x509-username-field ${fields}`]);
    const client = await bed.startClient([`cert ${leaf.cert}`, `key ${leaf.key}`]);
    await server.waitFor(new RegExp(`\\[${name}\\] Peer Connection Initiated`));
    await bed.stop(client);
    await bed.stop(server);
  }
}

async function inlineFiles(bed: Bed): Promise<void> {
  const block = (name: string, file: string) => [`<${name}>`, cat(file), `</${name}>`];
  const { ca, client1, server } = bed.pki;
  const lines = (own: CertificateFiles) => [
    ...block('ca', ca),
    ...block('cert', own.cert),
    ...block('key', own.key),
    ...block('extra-certs', ca),
  ];
  await bed.startServer(lines(server));
  await bed.startClient(lines(client1));
  await bed.checkPing(INNER_SERVER4);
}

function cat(file: string): string {
  return execFileSync('cat', [file]).toString();
}

const AUTHORITY = 'basicConstraints=critical,CA:TRUE\nkeyUsage=keyCertSign,cRLSign\n';
const CLIENT = 'basicConstraints=CA:FALSE\nextendedKeyUsage=clientAuth\nkeyUsage=digitalSignature\n';

interface Request {
  /** Its own issuer when left out. */
  readonly by?: CertificateFiles;
  readonly subject: string;
  readonly ext: string;
  readonly key?: readonly string[];
}

/** A certificate beside those of the common PKI, by openssl. */
function issue(bed: Bed, name: string, { by, subject, ext, key }: Request): CertificateFiles {
  const files = { cert: join(bed.dir, `${name}.crt`), key: join(bed.dir, `${name}.key`) };
  const request = join(bed.dir, `${name}.csr`);
  const kind = key ?? ['ec', '-pkeyopt', 'ec_paramgen_curve:P-256'];
  const asked = ['-newkey', ...kind, '-keyout', files.key, '-out', request, '-subj', subject];
  execFileSync('openssl', ['req', '-new', '-nodes', ...asked], { stdio: 'ignore' });
  const signer = by ? ['-CA', by.cert, '-CAkey', by.key] : ['-signkey', files.key];
  const serial = `0x${randomBytes(8).toString('hex')}`;
  const out = ['-out', files.cert, '-days', '30', '-set_serial', serial];
  const extensions = ['-extfile', bed.write(`${name}.ext`, ext)];
  execFileSync('openssl', ['x509', '-req', '-in', request, ...out, ...signer, ...extensions], {
    stdio: 'ignore',
  });
  return files;
}
