/** ssl-native.ts must pass what every TLS engine must, see ssl.conformance.ts, and what only it can. */
import { afterAll, describe, expect, it } from 'vitest';
import { addonForTests } from '../../test-kit/native-addon.ts';
import { exchange } from '../../test-kit/session-wire.ts';
import { TestPki } from '../../test-kit/tls-pki.ts';
import { sslConformance } from './ssl.conformance.ts';
import type { SslContext, SslSession, TlsEngineConfig } from './ssl-backend.ts';
import { sslHostileConformance } from './ssl-hostile.conformance.ts';
import { createNativeSsl } from './ssl-native.ts';

sslConformance('ssl-native', () => createNativeSsl(addonForTests()));
sslHostileConformance('ssl-native', () => createNativeSsl(addonForTests()));

describe('ssl-native alone', () => {
  const pki = new TestPki();
  const extensions = ['extendedKeyUsage=serverAuth,clientAuth'];
  const own = pki.issue({ subject: '/CN=both', extensions });
  const backend = createNativeSsl(addonForTests());
  const context = (role: 'server' | 'client', config: Partial<TlsEngineConfig> = {}): SslContext =>
    backend.createContext({ role, requestCert: role === 'server', ca: [pki.ca.cert], ...own, ...config });
  const pair = (server: SslContext, client: SslContext): [SslSession, SslSession] => [
    server.createSession(() => undefined),
    client.createSession(() => undefined),
  ];
  afterAll(() => pki.close());

  it('shakes hands within the calls, and shows both sides the temporary key of TLS 1.3', () => {
    const [server, client] = pair(context('server'), context('client', { groups: 'X25519' }));
    exchange(server, client);
    for (const session of [server, client]) {
      expect(session.handshakeDone).toBe(true);
      expect(session.describe()).toMatch(/, peer temporary key: 253 bits X25519$/);
    }
    client.writePlaintext(Uint8Array.of(1, 2));
    exchange(server, client);
    expect([...server.readPlaintext()!]).toEqual([1, 2]);
  });

  it('wakes once where something was left unread', async () => {
    let wakes = 0;
    const server = context('server').createSession(() => wakes++);
    const client = context('client').createSession(() => undefined);
    server.writeCiphertext(client.readCiphertext()!);
    expect(wakes).toBe(0);
    await Promise.resolve();
    expect(wakes).toBe(1);
    server.readCiphertext();
    await Promise.resolve();
    expect(wakes).toBe(1);
  });

  it('keeps sessions alive when their context is closed', () => {
    const contexts = [context('server'), context('client')] as const;
    const [server, client] = pair(...contexts);
    for (const one of contexts) one.close();
    exchange(server, client);
    expect(client.handshakeDone).toBe(true);
    expect(() => contexts[0].createSession(() => undefined)).toThrow('the TLS context was closed');
  });

  it('still gives the alert for the peer after a failure', () => {
    const [server, client] = pair(
      context('server', { minVersion: '1.3' }),
      context('client', { maxVersion: '1.2' }),
    );
    server.writeCiphertext(client.readCiphertext()!);
    expect(server.failure()).toBe('error:0A000102:SSL routines::unsupported protocol');
    expect([...server.readCiphertext()!]).toEqual([21, 3, 3, 0, 2, 2, 70]);
    expect(server.readCiphertext()).toBeUndefined();
  });

  it('gives up on a peer that makes it answer without end', () => {
    const [server, client] = pair(context('server'), context('client'));
    exchange(server, client);
    // Nobody reads what the server says.
    for (let i = 0; i < 40 && server.failure() === undefined; i++)
      server.writePlaintext(new Uint8Array(16_384));
    expect(server.failure()).toBe('the peer takes no TLS output');
    client.close();
  });

  it('ends at too much plaintext that nobody reads', () => {
    const [server, client] = pair(context('server'), context('client'));
    exchange(server, client);
    for (let i = 0; i < 40 && server.failure() === undefined; i++) {
      client.writePlaintext(new Uint8Array(16_384));
      server.writeCiphertext(client.readCiphertext()!);
    }
    expect(server.failure()).toBe('too much TLS plaintext is waiting');
  });
});
