/** Who a client is, at the start and at every renegotiation: certificates, logins, ciphers. */
import { writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { RecordedScripts } from '../../test-kit/recorded-scripts.ts';
import { TunnelWorld } from '../../test-kit/tunnel-world.ts';

const LOGIN = '<auth-user-pass>\nanna\nsecret\n</auth-user-pass>';
const VERIFY = 'auth-user-pass-verify /bin/check via-env';

let world: TunnelWorld;
beforeEach(() => {
  world = new TunnelWorld();
});
afterEach(() => world.close());

describe('certificates', () => {
  it('may be refused by tls-verify, without harm to others', async () => {
    const scripts = new RecordedScripts();
    scripts.answer = ({ args }) => (args[1] === 'CN=alice' ? 1 : 0);
    const server = await world.serving('tls-verify /bin/verify\nhand-window 10', { scripts });
    const alice = world.client('alice', 'hand-window 10\nconnect-retry 5');
    const bob = await world.connected('bob');
    await world.until(() => alice.count('SIGUSR1[soft,tls-error]') > 0, 60_000);
    expect(alice.ups).toBe(0);
    expect(await world.ping(bob, '10.8.0.1')).toBe(true);
    expect(scripts.lines).toContain('tls-verify 0 CN=alice');
    expect(server.count('VERIFY SCRIPT ERROR: depth=0, CN=alice')).toBeGreaterThan(0);
  });

  it('of a server with the wrong name are refused by the client', async () => {
    const server = await world.serving('hand-window 10');
    const alice = world.client('alice', 'verify-x509-name other name\nhand-window 10\nconnect-retry 60');
    await world.until(() => alice.count('SIGUSR1[soft,tls-error]') > 0, 60_000);
    expect(alice.count('VERIFY X509NAME ERROR: CN=server, must be other')).toBeGreaterThan(0);
    expect(alice.hosts).toEqual([]);
    await world.until(() => server.tunnel.status()?.clients.length === 0, 60_000);
  });

  it('are not needed where logins are enough', async () => {
    const scripts = new RecordedScripts();
    const server = await world.serving(`${VERIFY}\nverify-client-cert none\nusername-as-common-name`, {
      scripts,
    });
    const anna = await world.connected('alice', LOGIN);
    const bert = await world.connected('bob', LOGIN.replace('anna', 'bert'));
    expect(await world.ping(anna, '10.8.0.1')).toBe(true);
    expect(await world.ping(bert, '10.8.0.1')).toBe(true);
    expect(server.tunnel.status()?.clients.map(({ commonName }) => commonName)).toEqual(['anna', 'bert']);
  });
});

describe('renegotiation', () => {
  it('asks for the login again, and traffic goes on while the answer is deferred', async () => {
    const scripts = new RecordedScripts();
    scripts.answer = () => (scripts.calls.length === 1 ? 0 : 2);
    // Both sides keep to the old key for a hand-window, in which the answer has to come.
    await world.serving(`${VERIFY}\nreneg-sec 20 20\nhand-window 10`, { scripts });
    const alice = await world.connected('alice', `${LOGIN}\nreneg-sec 0\nhand-window 10`);
    await world.until(() => scripts.calls.length === 2, 60_000);
    for (let second = 0; second < 4; second++) {
      expect(await world.ping(alice, '10.8.0.1')).toBe(true);
      await world.run(1000);
    }
    writeFileSync(scripts.calls[1]!.env.auth_control_file!, '1');
    await world.run(15_000);
    expect(await world.ping(alice, '10.8.0.1')).toBe(true);
    expect(alice.ups).toBe(1);
  });

  it('with a login that is refused by then ends the client', async () => {
    const scripts = new RecordedScripts();
    scripts.answer = () => (scripts.calls.length === 1 ? 0 : 1);
    const server = await world.serving(`${VERIFY}\nreneg-sec 20 20`, { scripts });
    const alice = await world.connected('alice', `${LOGIN}\nreneg-sec 0`);
    await world.until(() => alice.ended !== undefined, 60_000);
    expect(alice.count('AUTH: Received control message: AUTH_FAILED')).toBe(1);
    await world.until(() => server.tunnel.status()?.clients.length === 0, 10_000);
    expect(server.tunnel.status()?.routes).toEqual([]);
  });

  it('works over TCP and with TLS 1.2, in both directions of time', async () => {
    const server = await world.serving('proto tcp-server\ntls-version-max 1.2\nreneg-sec 20 20');
    const alice = await world.connected('alice', 'proto tcp-client\nreneg-sec 0');
    for (let round = 0; round < 5; round++) {
      await world.run(13_000);
      expect(await world.ping(alice, '10.8.0.1')).toBe(true);
      expect(await world.ping(server, '10.8.0.2')).toBe(true);
    }
    expect(server.count('Control Channel: TLSv1.2')).toBeGreaterThanOrEqual(4);
    expect(alice.ups).toBe(1);
  });

  it('that meets a dead client drops it, and others notice nothing', async () => {
    const server = await world.serving('reneg-sec 20 20\nhand-window 10\ntran-window 15');
    const alice = await world.connected('alice', 'reneg-sec 0');
    const bob = await world.connected('bob', 'reneg-sec 0');
    world.kill(alice);
    await world.until(() => server.tunnel.status()?.clients.length === 1, 120_000);
    expect(await world.ping(bob, '10.8.0.1')).toBe(true);
    expect(bob.ups).toBe(1);
  });
});

describe('ciphers', () => {
  it('are agreed on by the order of the server', async () => {
    const server = await world.serving('data-ciphers CHACHA20-POLY1305:AES-128-GCM');
    const alice = await world.connected('alice', 'data-ciphers AES-256-GCM:AES-128-GCM');
    const bob = await world.connected('bob');
    expect(server.tunnel.status()?.clients.map(({ cipher }) => cipher)).toEqual([
      'AES-128-GCM',
      'CHACHA20-POLY1305',
    ]);
    expect(await world.ping(alice, '10.8.0.1')).toBe(true);
    expect(await world.ping(bob, '10.8.0.1')).toBe(true);
  });

  it('that have nothing in common end the client with a reason', async () => {
    const server = await world.serving('data-ciphers AES-256-GCM');
    const alice = world.client('alice', 'data-ciphers CHACHA20-POLY1305');
    await world.until(() => alice.ended !== undefined, 60_000);
    expect(alice.count('AUTH_FAILED,Data channel cipher negotiation failed (no shared cipher)')).toBe(1);
    expect(server.count('PUSH: No common cipher between server and client.')).toBe(1);
  });
});
