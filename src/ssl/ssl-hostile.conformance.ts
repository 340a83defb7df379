/**
 * What every SslBackend must stand, as a vitest suite: peers that renegotiate, send records and messages
 * of impossible length, or leave handshakes half done, thousands of them, without memory growing. Few
 * handshakes run with the unit tests, 4000 with OPENVPN_TS_LONG=1, where allocators have settled.
 */
import tls from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createRssReader, SessionWire, turn } from '../../test-kit/session-wire.ts';
import { type TestCertificate, TestPki } from '../../test-kit/tls-pki.ts';
import type { SslBackend, SslContext, SslSession, TlsEngineConfig } from './ssl-backend.ts';

const HANDSHAKES = process.env.OPENVPN_TS_LONG === '1' ? 4000 : 150;
/** Growth over the second half of all handshakes. A session that is left takes 33 KiB and more, see docs/decisions/0015. */
const GROWTH_LIMIT_BYTES = 12 << 20;
const LIMIT_MS = 300_000;

/** Runs the suite for one backend; `create` is called for every test. */
export function sslHostileConformance(name: string, create: () => SslBackend): void {
  describe(`${name} with hostile peers`, () => {
    let pki: TestPki;
    let own: TestCertificate;
    const contexts: SslContext[] = [];

    beforeAll(() => {
      pki = new TestPki();
      own = pki.issue({ subject: '/CN=both', extensions: ['extendedKeyUsage=serverAuth,clientAuth'] });
    });
    afterAll(() => {
      for (const context of contexts) context.close();
      pki.close();
    });

    const context = (role: 'server' | 'client', config: Partial<TlsEngineConfig> = {}): SslContext => {
      const all = { role, requestCert: role === 'server', ca: [pki.ca.cert], ...own, ...config };
      const made = create().createContext(all);
      contexts.push(made);
      return made;
    };

    it('does not renegotiate in TLS 1.2, and ends no worse than with a failure', async () => {
      const server = context('server', { maxVersion: '1.2' }).createSession(() => undefined);
      const wire = new SessionWire(server);
      const peer = tls.connect({
        socket: wire,
        ...{ ca: pki.ca.cert, cert: own.cert, key: own.key, maxVersion: 'TLSv1.2' },
        checkServerIdentity: () => undefined,
      });
      let secured = false;
      peer.once('secureConnect', () => {
        secured = true;
      });
      await until(wire, () => server.handshakeDone && secured);
      await turn();
      const exported = server.exportKeyingMaterial('EXPORTER-x', 32);
      const refused = new Promise<Error | null>((resolve) => {
        peer.on('error', resolve);
        peer.renegotiate({}, resolve);
      });
      let outcome: Error | null | undefined;
      void refused.then((error) => {
        outcome = error;
      });
      await until(wire, () => outcome !== undefined);
      expect(outcome).toBeInstanceOf(Error);
      if (server.failure() === undefined) {
        expect(server.exportKeyingMaterial('EXPORTER-x', 32)).toEqual(exported);
      }
      expect(server.readPlaintext()).toBeUndefined();
      server.close();
      peer.destroy();
    });

    it.each([
      ['a record longer than TLS allows', [Buffer.of(22, 3, 1, 0xff, 0xff), Buffer.alloc(70_000)]],
      ['a hello of 16 MiB in many records', helloOfSixteenMiB()],
      ['another protocol', [Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n')]],
      ['alerts without end', Array.from({ length: 300 }, () => Buffer.of(21, 3, 1, 0, 2, 1, 0))],
    ])('fails on %s', async (_what, chunks) => {
      const server = context('server').createSession(() => undefined);
      for (const chunk of chunks) {
        server.writeCiphertext(chunk);
        if (server.failure() !== undefined) break;
        await turn();
      }
      for (let i = 0; i < 50 && server.failure() === undefined; i++) await turn();
      expect(server.failure()).toBeDefined();
      server.close();
    });

    it(
      `keeps memory flat over ${HANDSHAKES} handshakes, each third left half done, each third refused`,
      async () => {
        const server = context('server');
        const client = context('client');
        const old = context('client', { maxVersion: '1.2', ciphers: 'TLS-DHE-RSA-WITH-AES-256-GCM-SHA384' });
        const settle = createRssReader();
        let middleBytes = 0;
        for (let i = 0; i < HANDSHAKES; i++) {
          if (i === HANDSHAKES >> 1) middleBytes = await settle();
          const ends = [server, i % 3 === 2 ? old : client].map((one) => one.createSession(() => undefined));
          const [left, right] = ends as [SslSession, SslSession];
          const steps = i % 3 === 1 ? 1 : 60;
          for (let step = 0; step < steps && !(left.handshakeDone && right.handshakeDone); step++) {
            if (left.failure() !== undefined) break;
            move(right, left);
            move(left, right);
            await turn();
          }
          expect(left.handshakeDone).toBe(i % 3 === 0);
          for (const end of ends) end.close();
        }
        expect((await settle()) - middleBytes).toBeLessThan(GROWTH_LIMIT_BYTES);
      },
      LIMIT_MS,
    );
  });
}

async function until(wire: SessionWire, done: () => boolean): Promise<void> {
  for (let i = 0; i < 500 && !done(); i++) {
    wire.drain();
    await turn();
  }
  expect(done()).toBe(true);
}

function move(from: SslSession, to: SslSession): void {
  for (let bytes = from.readCiphertext(); bytes; bytes = from.readCiphertext()) to.writeCiphertext(bytes);
}

/** Handshake records whose first one begins a message that claims all of 24 bits. */
function helloOfSixteenMiB(): Buffer[] {
  const record = (body: Buffer) =>
    Buffer.concat([Buffer.of(22, 3, 1, body.length >> 8, body.length & 0xff), body]);
  const first = record(Buffer.concat([Buffer.of(1, 0xff, 0xff, 0xff), Buffer.alloc(16_000)]));
  return [first, ...Array.from({ length: 40 }, () => record(Buffer.alloc(16_000)))];
}
