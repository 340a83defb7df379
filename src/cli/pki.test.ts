/** The CA: certificates judged by Node's own X.509 code and by a TLS handshake's rules. */
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readStaticKey } from '../crypto/crypto.ts';
import { createAuthority, createTlsCryptKey, issueCertificate } from './pki.ts';
import { PkiStore } from './pki-store.ts';
import { clientProfile, serverProfile } from './profile.ts';

describe('certificates', () => {
  it('chain to the CA with the usages that remote-cert-tls asks for', async () => {
    const ca = await createAuthority('Test CA');
    const root = new X509Certificate(ca.certificate);
    expect(root.ca).toBe(true);
    expect(root.verify(root.publicKey)).toBe(true);
    expect(root.checkIssued(root)).toBe(true);
    for (const [kind, purpose] of [
      ['server', '1.3.6.1.5.5.7.3.1'],
      ['client', '1.3.6.1.5.5.7.3.2'],
    ] as const) {
      const leaf = await issueCertificate(ca, kind, `${kind}1`);
      const certificate = new X509Certificate(leaf.certificate);
      expect(certificate.subject).toBe(`CN=${kind}1`);
      expect(certificate.checkIssued(root)).toBe(true);
      expect(certificate.verify(root.publicKey)).toBe(true);
      expect(certificate.ca).toBe(false);
      expect(certificate.keyUsage).toEqual([purpose]);
      expect(certificate.serialNumber).toMatch(/^[4-7][0-9A-F]{31}$/);
      const days = (Date.parse(certificate.validTo) - Date.now()) / 86_400_000;
      expect(Math.round(days)).toBe(825);
    }
  });
});

describe('tls-crypt keys', () => {
  it('are 2048-bit static keys, each a new one', () => {
    const text = createTlsCryptKey();
    expect(text).toContain('-----BEGIN OpenVPN Static key V1-----');
    expect(readStaticKey(text)).toHaveLength(256);
    expect(createTlsCryptKey()).not.toBe(text);
  });
});

describe('the store', () => {
  it('issues names once, keeps keys private, and fills profiles', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'ovpn-pki-'));
    try {
      const store = new PkiStore(join(directory, 'pki'));
      await store.init('CA');
      await expect(store.init('CA')).rejects.toThrow(/already/);
      const bundle = await store.issue('client', 'alice');
      await expect(store.issue('client', 'alice')).rejects.toThrow(/already/);
      await expect(store.issue('client', '../x')).rejects.toThrow(/can't be used/);
      expect(() => store.bundle('bob')).toThrow(/cannot read/);
      expect(store.names()).toEqual(['alice']);
      expect(statSync(join(store.directory, 'private', 'alice.key')).mode & 0o777).toBe(0o600);
      const client = clientProfile({ remote: 'vpn.example', port: 1194, proto: 'udp' }, bundle);
      expect(client).toContain('\nremote vpn.example 1194\n');
      expect(client.match(/^<(ca|cert|key|tls-crypt)>$/gm)).toHaveLength(4);
      expect(serverProfile({ port: 443, proto: 'tcp', network: '10.8.0.0' }, bundle)).toContain(
        'proto tcp-server\n',
      );
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});
