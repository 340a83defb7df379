/**
 * What every SslBackend must do, as a vitest suite: sslConformance('ssl-node', () => createNodeSsl()).
 * Two sessions are wired byte for byte; whatever answers later is waited for through wake().
 */
import { X509Certificate } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FFDHE2048, type KeyKind, type TestCertificate, TestPki } from '../../test-kit/tls-pki.ts';
import { nullLogger, TlsError } from '../base/base.ts';
import { createRevocationLists } from './revocation-node.ts';
import type { SslBackend, SslContext, SslSession, TlsEngineConfig } from './ssl-backend.ts';

const SERVER_EXTENSIONS = ['keyUsage=digitalSignature,keyEncipherment', 'extendedKeyUsage=serverAuth'];
const CLIENT_EXTENSIONS = ['keyUsage=digitalSignature', 'extendedKeyUsage=clientAuth'];
const AUTHORITY_EXTENSIONS = ['basicConstraints=critical,CA:true', 'keyUsage=keyCertSign,cRLSign'];
const encode = (text: string): Uint8Array => new TextEncoder().encode(text);

/** Runs the suite for one backend; `create` is called for every test. */
export function sslConformance(name: string, create: () => SslBackend): void {
  describe(`${name} as TLS engine`, () => {
    let pki: TestPki;
    let other: TestPki;
    let server: TestCertificate;
    let client: TestCertificate;
    const links: Link[] = [];

    beforeAll(() => {
      pki = new TestPki();
      other = new TestPki('/CN=Other CA');
      server = pki.issue({ subject: '/CN=server', extensions: SERVER_EXTENSIONS });
      client = pki.issue({
        subject: '/C=DE/O=Example/OU=Lab/CN=client1',
        extensions: CLIENT_EXTENSIONS,
        serial: 77,
      });
    });
    afterAll(() => {
      for (const link of links) link.close();
      pki.close();
      other.close();
    });

    const connect = (
      serverConfig: Partial<TlsEngineConfig> = {},
      clientConfig: Partial<TlsEngineConfig> = {},
    ): Link => {
      const backend = create();
      const ca = [pki.ca.cert];
      const link = new Link(
        backend.createContext({ role: 'server', requestCert: true, ca, ...server, ...serverConfig }),
        backend.createContext({ role: 'client', requestCert: false, ca, ...client, ...clientConfig }),
      );
      links.push(link);
      return link;
    };

    for (const version of ['1.2', '1.3'] as const) {
      it(`shakes hands over TLS ${version} and carries plaintext both ways`, async () => {
        const link = connect({ maxVersion: version, minVersion: version });
        await link.handshake();
        expect(link.client.describe()).toContain(`TLSv${version}, cipher TLSv${version} `);
        expect(link.server.describe()).toContain(
          'peer certificate: 256 bits ECprime256v1, signature: ecdsa-with-SHA256',
        );
        link.client.writePlaintext(encode('to server'));
        link.server.writePlaintext(encode('to client'));
        await link.until(() => link.serverGot.length > 0 && link.clientGot.length > 0);
        expect(link.serverGot).toEqual(['to server']);
        expect(link.clientGot).toEqual(['to client']);
      });

      it(`exports the same keying material on both ends of TLS ${version}`, async () => {
        const link = connect({ maxVersion: version, minVersion: version });
        await link.handshake();
        const ours = link.client.exportKeyingMaterial('EXPORTER-OpenVPN-datakeys', 256);
        expect(ours.length).toBe(256);
        expect(link.server.exportKeyingMaterial('EXPORTER-OpenVPN-datakeys', 256)).toEqual(ours);
        expect(link.server.exportKeyingMaterial('EXPORTER-OpenVPN-other', 256)).not.toEqual(ours);
      });

      it(`puts every plaintext into one record of its own over TLS ${version}`, async () => {
        const link = connect({ maxVersion: version, minVersion: version });
        await link.handshake();
        await link.quiet();
        link.toServer.length = 0;
        const texts = ['a', 'b'.repeat(2048), 'c', 'd'.repeat(300), 'e'];
        for (const text of texts) link.client.writePlaintext(encode(text));
        await link.until(() => link.serverGot.length >= texts.length);
        expect(link.serverGot).toEqual(texts);
        expect(recordTypes(Buffer.concat(link.toServer))).toEqual(texts.map(() => 23));
      });

      it(`shows the whole chain of both peers after TLS ${version}`, async () => {
        const link = connect({ maxVersion: version, minVersion: version });
        await link.handshake();
        const chain = link.server.peerChain();
        expect(chain.map((c) => c.subject)).toEqual([
          'C=DE, O=Example, OU=Lab, CN=client1',
          'C=DE, O=Example, CN=Test CA',
        ]);
        expect(chain[0]).toMatchObject({ depth: 0, commonName: 'client1', serial: '77', keyUsage: 0x80 });
        expect(chain[0]!.extendedKeyUsage).toEqual(['1.3.6.1.5.5.7.3.2']);
        const x509 = new X509Certificate(client.cert);
        expect(chain[0]!.sha256).toBe(x509.fingerprint256.replaceAll(':', '').toLowerCase());
        expect(chain[0]!.sha1).toBe(x509.fingerprint.replaceAll(':', '').toLowerCase());
        expect(chain[0]!.notAfter).toBe(Date.parse(x509.validTo));
        expect(link.client.peerChain().map((c) => c.commonName)).toEqual(['server', 'Test CA']);
        expect(link.server.chainProblem()).toBeUndefined();
        expect(link.client.chainProblem()).toBeUndefined();
      });

      it(`gives chains that a list with another spelling of the issuer's name is found for, TLS ${version}`, async () => {
        const link = connect({ maxVersion: version, minVersion: version });
        await link.handshake();
        const text = pki.revoke([77], 30, pki.respelled('/C=DE/O=example/CN=TEST  ca', 'nombstr'));
        const lists = createRevocationLists({
          sources: [{ kind: 'inline', text }],
          demanded: true,
          log: nullLogger,
          wallMs: () => Date.now() + 1000,
        });
        const problem = lists.chainProblem(link.server.peerChain(), () => undefined);
        expect(problem).toEqual({ depth: 0, reason: 'certificate revoked' });
      });

      it(`names an expired certificate over TLS ${version}`, async () => {
        const old = pki.issue({ subject: '/CN=old', extensions: CLIENT_EXTENSIONS, expired: true });
        const link = connect({ maxVersion: version, minVersion: version }, old);
        await link.handshake();
        expect(link.server.chainProblem()).toEqual({ reason: 'certificate has expired', depth: 0 });
      });
    }

    for (const kind of ['rsa', 'ec', 'ed25519'] satisfies KeyKind[]) {
      it(`takes ${kind} certificates`, async () => {
        const own = pki.issue({ subject: `/CN=${kind}`, kind, extensions: SERVER_EXTENSIONS });
        const link = connect(own);
        await link.handshake();
        const kinds = { rsa: '2048 bits RSA', ec: '256 bits ECprime256v1', ed25519: '256 bits ED25519' };
        expect(link.client.describe()).toContain(
          `peer certificate: ${kinds[kind]}, signature: ecdsa-with-SHA256`,
        );
        expect(link.client.chainProblem()).toBeUndefined();
      });
    }

    it('names an unknown authority on either side', async () => {
      const link = connect({ ca: [other.ca.cert] }, { ca: [other.ca.cert] });
      await link.handshake();
      expect(link.server.chainProblem()?.reason).toBe('unable to get local issuer certificate');
      expect(link.client.chainProblem()?.reason).toBe('unable to get local issuer certificate');
    });

    it('sends the certificates between its own and the authority', async () => {
      const middle = pki.issue({ subject: '/CN=Middle', extensions: AUTHORITY_EXTENSIONS });
      const own = pki.issue({ subject: '/CN=below', issuer: middle, extensions: CLIENT_EXTENSIONS });
      for (const clientConfig of [
        { ...own, cert: own.cert + middle.cert },
        { ...own, extraCerts: middle.cert },
      ]) {
        const link = connect({}, clientConfig);
        await link.handshake();
        expect(link.server.peerChain().map((c) => c.commonName)).toEqual(['below', 'Middle', 'Test CA']);
        expect(link.server.chainProblem()).toBeUndefined();
      }
    });

    it('names the depth of an expired certificate in the middle', async () => {
      const middle = pki.issue({ subject: '/CN=Middle', extensions: AUTHORITY_EXTENSIONS, expired: true });
      const own = pki.issue({ subject: '/CN=below', issuer: middle, extensions: CLIENT_EXTENSIONS });
      const link = connect({}, { ...own, extraCerts: middle.cert });
      await link.handshake();
      expect(link.server.chainProblem()).toEqual({ reason: 'certificate has expired', depth: 1 });
    });

    it('takes a PKCS#12 file, whose authorities count where there are no others', async () => {
      const pkcs12 = pki.pkcs12(server, 'secret');
      const nothing = { cert: undefined, key: undefined, ca: undefined };
      const config = { ...nothing, pkcs12, keyPassphrase: 'secret' } as unknown as Partial<TlsEngineConfig>;
      const link = connect(config);
      await link.handshake();
      expect(link.client.peerChain()[0]!.commonName).toBe('server');
      expect(link.server.chainProblem()).toBeUndefined();
    });

    it('does not trust the authorities of a PKCS#12 file where others are named', async () => {
      const pkcs12 = pki.pkcs12(server, 'secret');
      const nothing = { cert: undefined, key: undefined, ca: [other.ca.cert] };
      const config = { ...nothing, pkcs12, keyPassphrase: 'secret' } as unknown as Partial<TlsEngineConfig>;
      const link = connect(config);
      await link.handshake();
      expect(link.client.chainProblem()).toBeUndefined();
      expect(link.server.chainProblem()?.reason).toMatch(/issuer certificate|self-signed certificate/);
    });

    it('takes an encrypted key with its passphrase only', async () => {
      const key = pki.encryptedKey(client, 'secret');
      const link = connect({}, { ...client, key, keyPassphrase: 'secret' });
      await link.handshake();
      for (const keyPassphrase of ['wrong', '', undefined] as const) {
        const wrong = { ...client, key, ...(keyPassphrase !== undefined && { keyPassphrase }) };
        expect(() => connect({}, wrong)).toThrow('Error: private key password verification failed');
      }
    });

    it('agrees on a key by finite-field Diffie-Hellman where there are parameters', async () => {
      const rsa = pki.issue({ subject: '/CN=rsa', kind: 'rsa', extensions: SERVER_EXTENSIONS });
      const only = { maxVersion: '1.2', ciphers: 'TLS-DHE-RSA-WITH-AES-256-GCM-SHA384' } as const;
      for (const dh of [FFDHE2048, 'auto']) {
        const link = connect({ ...rsa, ...only, dh }, only);
        await link.handshake();
        expect(link.client.describe()).toContain('cipher TLSv1.2 DHE-RSA-AES256-GCM-SHA384');
        expect(link.client.describe()).toContain('peer temporary key: 2048 bits DH');
      }
      const link = connect({ ...rsa, ...only }, only);
      await link.until(() => link.server.failure() !== undefined);
      expect(link.server.failure()).toBe('error:0A0000C1:SSL routines::no shared cipher');
    });

    it('trusts nobody without authorities', async () => {
      const link = connect({ ca: [] }, {});
      await link.handshake();
      expect(link.server.chainProblem()).toBeDefined();
    });

    it('names a purpose that does not fit', async () => {
      const link = connect({}, server);
      await link.handshake();
      expect(link.server.chainProblem()?.reason).toMatch(
        /unsuitable certificate purpose|unsupported certificate purpose/,
      );
    });

    it('shows an empty chain when the client has no certificate', async () => {
      const link = connect({}, { cert: undefined, key: undefined } as unknown as Partial<TlsEngineConfig>);
      await link.handshake();
      expect(link.server.peerChain()).toEqual([]);
      expect(link.server.chainProblem()).toBeUndefined();
    });

    it('does not ask for a certificate when told so', async () => {
      const link = connect({ requestCert: false });
      await link.handshake();
      expect(link.server.peerChain()).toEqual([]);
      expect(link.client.peerChain().length).toBe(2);
    });

    it('fails on both ends when no version is shared', async () => {
      const link = connect({ minVersion: '1.3' }, { maxVersion: '1.2' });
      await link.until(() => link.server.failure() !== undefined && link.client.failure() !== undefined);
      expect(link.server.failure()).toMatch(
        /^error:0A0001..:SSL routines::(unsupported protocol|no protocols)/,
      );
      expect(link.client.failure()).toBe('error:0A00042E:SSL routines::tlsv1 alert protocol version');
      expect(link.client.handshakeDone).toBe(false);
    });

    it('fails when no cipher is shared', async () => {
      const link = connect(
        { maxVersion: '1.2', ciphers: 'TLS-ECDHE-ECDSA-WITH-AES-256-GCM-SHA384' },
        { maxVersion: '1.2', ciphers: 'TLS-ECDHE-ECDSA-WITH-AES-128-GCM-SHA256' },
      );
      await link.until(() => link.server.failure() !== undefined);
      expect(link.server.failure()).toBe('error:0A0000C1:SSL routines::no shared cipher');
    });

    it('uses the cipher and the group asked for', async () => {
      const link = connect({
        maxVersion: '1.2',
        ciphers: 'TLS-ECDHE-ECDSA-WITH-AES-128-GCM-SHA256',
        groups: 'secp384r1:prime256v1',
      });
      await link.handshake();
      expect(link.client.describe()).toContain('cipher TLSv1.2 ECDHE-ECDSA-AES128-GCM-SHA256');
      expect(link.client.describe()).toContain('peer temporary key: 384 bits ECsecp384r1');
    });

    for (const when of ['at the start', 'within the handshake', 'after the handshake'] as const) {
      it(`survives garbage ${when}`, async () => {
        const link = connect();
        if (when === 'after the handshake') await link.handshake();
        if (when === 'within the handshake') await link.until(() => link.toClient.length > 0);
        // Looks like a short record, so that no engine waits for more of it.
        const garbage = Uint8Array.from({ length: 600 }, (_, i) => [23, 3, 3, 0, 40][i] ?? (i * 89) & 0xff);
        link.server.writeCiphertext(garbage);
        link.client.writeCiphertext(garbage);
        await link.until(() => link.server.failure() !== undefined && link.client.failure() !== undefined);
        link.server.writePlaintext(encode('late'));
        link.server.writeCiphertext(garbage);
        await link.quiet();
        expect(link.serverGot).toEqual([]);
      });
    }

    it('can be closed at any moment, and is silent then', async () => {
      for (let step = 0; step < 6; step++) {
        const link = connect();
        for (let i = 0; i < step; i++) await link.step();
        let wakes = 0;
        link.onWake = () => wakes++;
        link.server.close();
        link.client.close();
        link.server.writeCiphertext(Uint8Array.of(1, 2, 3));
        link.server.writePlaintext(Uint8Array.of(1));
        await link.quiet();
        expect(wakes).toBe(0);
        expect(link.server.readCiphertext()).toBeUndefined();
        expect(link.server.readPlaintext()).toBeUndefined();
      }
    });

    it('refuses to export before the handshake', () => {
      expect(() => connect().client.exportKeyingMaterial('EXPORTER-x', 32)).toThrow(TlsError);
    });

    it('reports unusable keys, certificates and lists in the words of 2.x', () => {
      const make = (config: Partial<TlsEngineConfig>) => () =>
        create().createContext({
          role: 'server',
          requestCert: true,
          ca: [pki.ca.cert],
          ...server,
          ...config,
        });
      expect(make({ cert: 'nonsense' })).toThrow('Cannot load inline certificate file');
      expect(make({ key: 'nonsense' })).toThrow('Error: private key password verification failed');
      expect(make({ ca: ['nonsense'] })).toThrow(
        'Cannot load CA certificate file [[INLINE]] (no entries were read)',
      );
      expect(make({ extraCerts: 'nonsense' })).toThrow('Error reading extra certificate');
      expect(make({ dh: 'nonsense' })).toThrow('Cannot load DH parameters from [[INLINE]]');
      expect(make({ pkcs12: encode('nonsense') })).toThrow('Error reading inline PKCS#12 file');
      const names = { ca: 'ca.crt', key: 'own.key', cert: 'own.crt' };
      expect(make({ ca: ['nonsense'], names })).toThrow('Cannot load CA certificate file ca.crt');
      expect(make({ cert: 'nonsense', names })).toThrow('Cannot load certificate file own.crt');
      expect(make({ key: client.key })).toThrow(
        expect.objectContaining({
          message: 'Error: private key password verification failed',
          cause: expect.objectContaining({ message: 'Cannot load private key file [[INLINE]]' }),
        }),
      );
      expect(make({ ciphers: 'NO-SUCH-CIPHER' })).toThrow(
        'Failed to set restricted TLS cipher list: NO-SUCH-CIPHER',
      );
      expect(make({ groups: 'no-such-group' })).toThrow(
        'Failed to set allowed TLS group list: no-such-group',
      );
    });
  });
}

/** Two sessions of one backend, wired. */
class Link {
  readonly server: SslSession;
  readonly client: SslSession;
  readonly serverGot: string[] = [];
  readonly clientGot: string[] = [];
  readonly toServer: Uint8Array[] = [];
  readonly toClient: Uint8Array[] = [];
  onWake: () => void = () => undefined;

  constructor(server: SslContext, client: SslContext) {
    this.server = server.createSession(() => this.onWake());
    this.client = client.createSession(() => this.onWake());
  }

  async handshake(): Promise<void> {
    await this.until(() => this.server.handshakeDone && this.client.handshakeDone);
  }

  /** Moves bytes until `done` or nothing happens any more. */
  async until(done: () => boolean): Promise<void> {
    for (let i = 0; i < 400 && !done(); i++) await this.step();
    expect(done()).toBe(true);
  }

  async quiet(): Promise<void> {
    for (let i = 0; i < 10; i++) await this.step();
  }

  async step(): Promise<void> {
    move(this.client, this.server, this.toServer);
    move(this.server, this.client, this.toClient);
    drain(this.server, this.serverGot);
    drain(this.client, this.clientGot);
    await new Promise((resolve) => setImmediate(resolve));
  }

  close(): void {
    this.server.close();
    this.client.close();
  }
}

function move(from: SslSession, to: SslSession, seen: Uint8Array[]): void {
  for (let bytes = from.readCiphertext(); bytes; bytes = from.readCiphertext()) {
    seen.push(bytes);
    to.writeCiphertext(bytes);
  }
}

function drain(session: SslSession, into: string[]): void {
  for (let bytes = session.readPlaintext(); bytes; bytes = session.readPlaintext()) {
    into.push(new TextDecoder().decode(bytes));
  }
}

/** Content types of the TLS records in a stream. */
function recordTypes(stream: Uint8Array): number[] {
  const types: number[] = [];
  for (let at = 0; at + 5 <= stream.length; at += 5 + stream[at + 3]! * 256 + stream[at + 4]!)
    types.push(stream[at]!);
  return types;
}
