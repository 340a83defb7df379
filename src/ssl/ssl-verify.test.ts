/** Checks of the peer's certificates and the small texts around them. */
import { X509Certificate } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestPki } from '../../test-kit/tls-pki.ts';
import { MemoryLogger } from '../base/base.ts';
import { ChainCheck } from './chain-check.ts';
import { areConsistent, compareOptions } from './options-compare.ts';
import { NO_PEER_INFO } from './peer-info.ts';
import { PeerLock } from './peer-lock.ts';
import type { VerifyPolicy } from './ssl.ts';
import type { ChainProblem, PeerCertificate } from './ssl-backend.ts';
import { opensslCipherList } from './tls-ciphers.ts';
import { readEarlyNegotiation } from './tlv.ts';
import { nameField, nameText, readCertificate, serialText } from './x509-der.ts';

let pki: TestPki;
let server: PeerCertificate;
let plain: PeerCertificate;

beforeAll(() => {
  pki = new TestPki();
  server = describeCertificate(
    pki.issue({
      subject: '/C=DE/O=Example/CN=server.example',
      serial: 0x1f2,
      extensions: [
        'keyUsage=digitalSignature,keyEncipherment',
        'extendedKeyUsage=serverAuth',
        'subjectAltName=email:ops@example.org',
      ],
    }).cert,
  );
  plain = describeCertificate(pki.issue({ subject: '/CN=-evil\tname', serial: 3 }).cert);
});
afterAll(() => pki.close());

function describeCertificate(pem: string): PeerCertificate {
  const { raw, fingerprint256 } = new X509Certificate(pem);
  const fields = readCertificate(raw)!;
  return {
    depth: 0,
    der: raw,
    subject: nameText(fields.subject),
    issuer: nameText(fields.issuer),
    commonName: nameField(fields.subject, 'CN'),
    serial: serialText(fields.serialBytes),
    notBefore: fields.notBefore,
    notAfter: fields.notAfter,
    sha1: '',
    sha256: fingerprint256.replaceAll(':', '').toLowerCase(),
    keyUsage: fields.keyUsage,
    extendedKeyUsage: fields.extendedKeyUsage,
  };
}

function check(leaf: PeerCertificate, policy: Partial<VerifyPolicy>, problem?: ChainProblem) {
  const log = new MemoryLogger();
  const result = new ChainCheck({
    chain: [leaf],
    problem,
    policy: { chain: true, clientCert: 'require', ...policy },
    log,
    equal: (a, b) => Buffer.compare(a, b) === 0,
    ask: undefined,
  });
  return { passed: result.state === 'passed', commonName: result.commonName, lines: log.lines };
}

describe('certificate checks', () => {
  it('pass without demands, and clean the name', () => {
    expect(check(server, {})).toMatchObject({
      passed: true,
      commonName: 'server.example',
      lines: ['VERIFY OK: depth=0, C=DE, O=Example, CN=server.example'],
    });
    expect(check(plain, {}).commonName).toBe('-evil_name');
  });

  it('demand key usage', () => {
    expect(check(server, { remoteCertKu: [] }).lines).toContain('VERIFY KU OK');
    expect(check(server, { remoteCertKu: [0x08, 0xa0] }).passed).toBe(true);
    expect(check(server, { remoteCertKu: [0x88] }).lines).toEqual([
      'Validating certificate key usage',
      'ERROR: Certificate has key usage 00a0, expected one of:',
      ' * 0088',
      'VERIFY KU ERROR',
    ]);
    expect(check(plain, { remoteCertKu: [] })).toMatchObject({
      passed: false,
      lines: ['Certificate does not have key usage extension', 'VERIFY KU ERROR'],
    });
  });

  it('demand extended key usage by name or OID', () => {
    expect(check(server, { remoteCertEku: 'TLS Web Server Authentication' }).passed).toBe(true);
    expect(check(server, { remoteCertEku: '1.3.6.1.5.5.7.3.1' }).passed).toBe(true);
    expect(check(server, { remoteCertEku: 'TLS Web Client Authentication' }).lines.at(-1)).toBe(
      'VERIFY EKU ERROR',
    );
    expect(check(plain, { remoteCertEku: '1.3.6.1.5.5.7.3.1' }).passed).toBe(false);
  });

  it('demand a certificate type', () => {
    expect(check(server, { nsCertType: 'server' }).lines[0]).toBe('VERIFY OK: nsCertType=SERVER');
    expect(check(server, { nsCertType: 'client' }).lines).toEqual([
      'VERIFY nsCertType ERROR: C=DE, O=Example, CN=server.example, require nsCertType=CLIENT',
    ]);
  });

  it('demand a name in three ways', () => {
    const named = (name: string, type: 'subject' | 'name' | 'name-prefix') =>
      check(server, { verifyX509Name: { name, type } }).passed;
    expect(named('C=DE, O=Example, CN=server.example', 'subject')).toBe(true);
    expect(named('server.example', 'name')).toBe(true);
    expect(named('server', 'name')).toBe(false);
    expect(named('server', 'name-prefix')).toBe(true);
    expect(check(server, { verifyX509Name: { name: 'x', type: 'name' } }).lines).toEqual([
      'VERIFY X509NAME ERROR: C=DE, O=Example, CN=server.example, must be x',
    ]);
  });

  it('demand a fingerprint, which can stand for the chain', () => {
    const problem = { reason: 'self-signed certificate', depth: 0 };
    const pinned = { chain: false, peerFingerprints: ['00'.repeat(32), server.sha256] };
    expect(check(server, pinned, problem).passed).toBe(true);
    expect(check(plain, pinned, problem).lines[0]).toMatch(
      /^TLS Error: --tls-verify\/--peer-fingerprint certificate hash verification failed\. \(got certificate fingerprint: ([0-9a-f]{2}:){31}[0-9a-f]{2}\)$/,
    );
    expect(check(server, { ...pinned, chain: true }, problem).passed).toBe(false);
  });

  it('take the common name from other fields', () => {
    const name = (...x509UsernameField: string[]) => check(server, { x509UsernameField }).commonName;
    expect(name('O', 'CN')).toBe('Example_server.example');
    expect(name('serialNumber')).toBe('0x01F2');
    expect(name('ext:subjectAltName')).toBe('ops@example.org');
    expect(check(server, { x509UsernameField: ['OU'] })).toMatchObject({
      passed: false,
      lines: [
        "VERIFY ERROR: could not extract OU from X509 subject string ('C=DE, O=Example, CN=server.example') -- note that the field length is limited to 64 characters",
      ],
    });
  });
});

it('a peer stays who it was', () => {
  const log = new MemoryLogger();
  const lock = new PeerLock(log);
  const named = { commonName: 'a', username: '', name: 'a' };
  const identity = { ...named, peerInfo: NO_PEER_INFO, options: '', chain: [server] };
  expect(lock.isSamePeer(identity)).toBe(true);
  lock.lock(identity);
  expect(lock.isSamePeer(identity)).toBe(true);
  expect(lock.isSamePeer({ ...identity, commonName: 'b' })).toBe(false);
  expect(lock.isSamePeer({ ...identity, chain: [plain] })).toBe(false);
  expect([
    lock.lockUsername('u', 'v'),
    lock.lockUsername('v', undefined),
    lock.lockUsername('w', undefined),
  ]).toEqual([true, true, false]);
  expect(log.lines[0]).toBe(
    "TLS Auth Error: TLS object CN attempted to change from 'a' to 'b' -- tunnel disabled",
  );
});

it('options strings are compared as 2.6 does', () => {
  expect(
    compareOptions(
      'V4,dev-type tun,tun-mtu 1500,proto UDPv4',
      'V4,dev-type tun,tun-mtu 1400,proto TCPv4,comp-lzo',
    ),
  ).toEqual([
    "WARNING: 'tun-mtu' is used inconsistently, local='tun-mtu 1500', remote='tun-mtu 1400'",
    "WARNING: 'comp-lzo' is present in remote config but missing in local config, remote='comp-lzo'",
  ]);
  expect(compareOptions('V4,a,cipher X', 'V4,a,cipher Y')).toEqual([]);
  expect(areConsistent('V4,a', 'V4,a')).toBe(true);
  expect(areConsistent('V4,a,cipher X', 'V4,a,cipher Y')).toBe(false);
  expect(areConsistent('V4,a', 'V5,b')).toBe(true);
  expect(areConsistent('V4,a', '')).toBe(true);
});

it('TLS cipher names of OpenVPN become those of OpenSSL', () => {
  const names = [
    ['TLS-ECDHE-RSA-WITH-AES-256-GCM-SHA384', 'ECDHE-RSA-AES256-GCM-SHA384'],
    ['TLS-ECDHE-ECDSA-WITH-CHACHA20-POLY1305-SHA256', 'ECDHE-ECDSA-CHACHA20-POLY1305'],
    ['TLS-DHE-RSA-WITH-AES-128-CBC-SHA', 'DHE-RSA-AES128-SHA'],
    ['TLS-RSA-WITH-AES-256-CBC-SHA256', 'AES256-SHA256'],
    ['TLS-RSA-WITH-3DES-EDE-CBC-SHA', 'DES-CBC3-SHA'],
    ['TLS-DHE-RSA-WITH-CAMELLIA-256-CBC-SHA', 'DHE-RSA-CAMELLIA256-SHA'],
    ['!TLS-DHE-RSA-WITH-AES-256-CCM', '!DHE-RSA-AES256-CCM'],
    ['DEFAULT', 'DEFAULT'],
    ['!aNULL', '!aNULL'],
  ];
  expect(opensslCipherList(names.map(([name]) => name).join(':'))).toBe(
    names.map(([, name]) => name).join(':'),
  );
});

describe('early negotiation', () => {
  it('reads the request for the wrapped key and passes over what it does not know', () => {
    expect(readEarlyNegotiation(Uint8Array.of())).toEqual({ resendClientKey: false });
    expect(readEarlyNegotiation(Uint8Array.of(0, 1, 0, 2, 0, 1))).toEqual({ resendClientKey: true });
    expect(readEarlyNegotiation(Uint8Array.of(0, 9, 0, 0, 0, 1, 0, 2, 0xff, 0xff))).toEqual({
      resendClientKey: true,
    });
    expect(readEarlyNegotiation(Uint8Array.of(0, 1, 0, 2, 0, 2))).toEqual({ resendClientKey: false });
  });

  it('refuses lists that are cut off or have flags of another length', () => {
    for (const bytes of [
      [0, 1, 0, 1, 0],
      [0, 9, 0, 5, 0],
      [0, 9, 0],
      [0, 1, 0, 4, 0, 1, 0, 0],
    ]) {
      expect(readEarlyNegotiation(Uint8Array.from(bytes))).toBeUndefined();
    }
  });
});
