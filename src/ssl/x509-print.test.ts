/** Attributes for scripts, compared with what the openssl program and 2.x show; PKCS#12 files taken apart. */
import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type KeyKind, TestPki } from '../../test-kit/tls-pki.ts';
import { describeChain } from './peer-certificates-node.ts';
import { readPkcs12 } from './pkcs12-node.ts';
import { isTrackable, type PeerCertificate, subjectAttributes, trackedValue } from './ssl.ts';

let pki: TestPki;
let dir: string;
let leaf: PeerCertificate;

beforeAll(() => {
  pki = new TestPki();
  dir = mkdtempSync(join(tmpdir(), 'ovpn-x509-'));
  const { cert } = pki.issue({
    subject: '/C=DE/OU=One/OU=Two/CN=server, the first',
    extensions: [
      'keyUsage=digitalSignature,keyEncipherment',
      'extendedKeyUsage=serverAuth,1.2.3.4',
      'subjectAltName=DNS:example.org,email:ops@example.org,IP:192.0.2.1,IP:2001:db8::1,URI:https://x/,RID:1.2.3',
      'basicConstraints=CA:TRUE,pathlen:3',
      'nsCertType=server,client',
      'nsComment=made for tests',
      'subjectKeyIdentifier=0102ff',
    ],
  });
  leaf = describeChain([new X509Certificate(cert).raw])[0]!;
});
afterAll(() => {
  pki.close();
  rmSync(dir, { recursive: true, force: true });
});

describe('attributes of a certificate', () => {
  it('are printed as OpenSSL prints them', () => {
    const wanted: Record<string, string> = {
      CN: 'server, the first',
      commonName: 'server, the first',
      '2.5.4.6': 'DE',
      OU: 'One',
      keyUsage: 'Digital Signature, Key Encipherment',
      extendedKeyUsage: 'TLS Web Server Authentication, 1.2.3.4',
      subjectAltName:
        'DNS:example.org, email:ops@example.org, IP Address:192.0.2.1, IP Address:2001:DB8:0:0:0:0:0:1, URI:https://x/, Registered ID:1.2.3',
      basicConstraints: 'CA:TRUE, pathlen:3',
      nsCertType: 'SSL Client, SSL Server',
      nsComment: 'made for tests',
      subjectKeyIdentifier: '01:02:FF',
    };
    for (const [name, value] of Object.entries(wanted)) {
      expect(isTrackable(name), name).toBe(true);
      expect(trackedValue(leaf, name), name).toBe(value);
    }
  });

  it('have fingerprints in capitals', () => {
    const { fingerprint, fingerprint256 } = new X509Certificate(leaf.der);
    expect(trackedValue(leaf, 'SHA1')).toBe(fingerprint);
    expect(trackedValue(leaf, 'SHA256')).toBe(fingerprint256);
  });

  it('are absent where the certificate has none, and refused where nobody knows the name', () => {
    expect(trackedValue(leaf, 'emailAddress')).toBeUndefined();
    expect(trackedValue(leaf, '1.9.9')).toBeUndefined();
    expect(isTrackable('no-such-attribute')).toBe(false);
  });

  it('of the subject come in order, commas and all', () => {
    expect(subjectAttributes(leaf)).toEqual([
      { name: 'C', value: 'DE' },
      { name: 'OU', value: 'One' },
      { name: 'OU', value: 'Two' },
      { name: 'CN', value: 'server, the first' },
    ]);
  });
});

describe('a PKCS#12 file', () => {
  it.each(['rsa', 'ec', 'ed25519'] satisfies KeyKind[])(
    'gives its %s key, certificate and authorities',
    (kind) => {
      const own = pki.issue({ subject: '/CN=own', kind });
      const file = pack(own, 'secret');
      const parts = readPkcs12(file, 'secret');
      const certificate = new X509Certificate(parts.cert);
      expect(certificate.raw.equals(new X509Certificate(own.cert).raw)).toBe(true);
      expect(parts.authorities.map((text) => new X509Certificate(text).subject)).toEqual([
        'C=DE\nO=Example\nCN=Test CA',
      ]);
      writeFileSync(join(dir, 'key.pem'), parts.key);
      const publicKey = execFileSync('openssl', ['pkey', '-in', join(dir, 'key.pem'), '-pubout']).toString();
      expect(publicKey).toBe(certificate.publicKey.export({ type: 'spki', format: 'pem' }));
      expect(() => readPkcs12(file, 'wrong')).toThrow('Decoding PKCS12 failed. Probably wrong password');
      expect(() => readPkcs12(file.subarray(0, 100), 'secret')).toThrow('Error reading inline PKCS#12 file');
    },
  );
});

function pack(own: { cert: string; key: string }, password: string): Uint8Array {
  const path = (name: string, text: string): string => {
    writeFileSync(join(dir, name), text);
    return join(dir, name);
  };
  const args = ['-inkey', path('own.key', own.key), '-in', path('own.crt', own.cert)];
  const more = ['-certfile', path('ca.crt', pki.ca.cert), '-passout', `pass:${password}`];
  execFileSync('openssl', ['pkcs12', '-export', ...args, ...more, '-out', join(dir, 'own.p12')]);
  return Uint8Array.from(readFileSync(join(dir, 'own.p12')));
}
