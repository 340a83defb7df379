/** Single options and odd moments of live tunnels: wraps, long pushes, time limits, reconnects meanwhile. */
import { readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { later, RecordedScripts } from '../../test-kit/recorded-scripts.ts';
import { TunnelWorld } from '../../test-kit/tunnel-world.ts';
import { writeStaticKey } from '../crypto/crypto.ts';

const KEY = writeStaticKey(Uint8Array.from({ length: 256 }, (_, n) => (n * 73) & 0xff));

let world: TunnelWorld;
beforeEach(() => {
  world = new TunnelWorld();
});
afterEach(() => world.close());

describe('control channel wraps', () => {
  for (const [name, server, client] of [
    ['tls-crypt', `<tls-crypt>\n${KEY}</tls-crypt>`, `<tls-crypt>\n${KEY}</tls-crypt>`],
    [
      'tls-auth',
      `key-direction 0\n<tls-auth>\n${KEY}</tls-auth>`,
      `key-direction 1\n<tls-auth>\n${KEY}</tls-auth>`,
    ],
  ] as const) {
    it(`${name} connects those with the key and answers nobody else`, async () => {
      await world.serving(server);
      const alice = await world.connected('alice', client);
      expect(await world.ping(alice, '10.8.0.1')).toBe(true);
      const bob = world.client('bob', 'server-poll-timeout 5\nconnect-retry 1\nconnect-retry-max 1');
      await world.until(() => bob.ended !== undefined, 60_000);
      expect(bob.states).not.toContain('AUTH');
    });
  }
});

describe('pushing', () => {
  it('takes several messages when it is long', async () => {
    const routes = Array.from({ length: 80 }, (_, n) => `push "route 10.${100 + n}.0.0 255.255.0.0"`);
    const server = await world.serving(routes.join('\n'));
    const alice = await world.connected('alice');
    expect(alice.network.routes).toHaveLength(80);
    expect(server.count("SENT CONTROL [alice]: 'PUSH_REPLY,")).toBeGreaterThan(1);
  });

  it('sets variables that scripts of the client see', async () => {
    await world.serving(
      'push "setenv-safe SITE one"\npush "dhcp-option DNS 10.8.0.1"\nexplicit-exit-notify 1',
    );
    const alice = await world.connected('alice', 'up /bin/up');
    expect(alice.scripts.ofType('up')[0]!.env).toMatchObject({
      OPENVPN_SITE: 'one',
      foreign_option_1: 'dhcp-option DNS 10.8.0.1',
    });
  });

  it('can be filtered by the client', async () => {
    await world.serving('push "route 10.40.0.0 255.255.0.0"\npush "route 10.41.0.0 255.255.0.0"');
    const alice = await world.connected('alice', 'pull-filter ignore "route 10.40"');
    expect(alice.network.routes.map((route) => route.network)).toEqual(['10.41.0.0']);
  });

  it('has no address for those whom the pool has none for', async () => {
    const server = await world.serving(
      'mode server\ntls-server\nifconfig 10.9.0.1 255.255.255.0\nifconfig-pool 10.9.0.10 10.9.0.11 255.255.255.0',
    );
    const alice = await world.connected('alice');
    const bob = await world.connected('bob');
    const carol = await world.connected('carol');
    expect([alice.address, bob.address]).toEqual(['10.9.0.10', '10.9.0.11']);
    expect(carol.network.addresses).toEqual([]);
    expect(server.count('MULTI: no free --ifconfig-pool addresses are available')).toBe(1);
  });
});

describe('time limits', () => {
  it('a client that vanishes in its handshake is forgotten after hand-window', async () => {
    const server = await world.serving('hand-window 20');
    const alice = world.client('alice');
    await world.until(() => (server.tunnel.status()?.clients.length ?? 0) > 0);
    world.kill(alice);
    await world.until(() => server.tunnel.status()?.clients.length === 0, 40_000);
    expect(server.count('TLS key negotiation failed to occur within 20 seconds')).toBe(1);
  });

  it('a client whose script never answers is forgotten, and its script stays without effect', async () => {
    const answer = later<number>();
    const scripts = new RecordedScripts();
    scripts.answer = () => answer.promise;
    const server = await world.serving('keepalive 5 10\nauth-user-pass-verify /bin/check via-env', {
      scripts,
    });
    const alice = world.client('alice', '<auth-user-pass>\na\nb\n</auth-user-pass>');
    await world.until(() => scripts.calls.length === 1);
    world.kill(alice);
    await world.until(() => server.tunnel.status()?.clients.length === 0, 120_000);
    answer.resolve(0);
    await world.run(2000);
    expect(server.tunnel.status()).toMatchObject({ clients: [], routes: [] });
  });

  it('connect-timeout 0 is no limit', async () => {
    const alice = world.client('alice', 'connect-timeout 0');
    await world.until(() => alice.states.at(-1) === 'WAIT');
    await world.run(30_000);
    expect(alice.count('Server poll timeout')).toBe(0);
    expect(alice.states.at(-1)).toBe('WAIT');
  });

  it('a client whose server pushes none restarts after 120 s of silence', async () => {
    const server = await world.serving();
    const alice = await world.connected('alice');
    expect(alice.lines('Timers: ')).toEqual([expect.stringMatching(/Timers: ping-restart 120$/)]);
    await world.stop(server);
    await world.until(() => alice.count('Inactivity timeout (--ping-restart), restarting') === 1, 130_000);
  });

  it('inactive and ping-exit end a client', async () => {
    const server = await world.serving();
    const idle = await world.connected('alice', 'inactive 30');
    const lonely = await world.connected('bob', 'ping 5\nping-exit 20');
    await world.until(() => idle.ended !== undefined && lonely.ended !== undefined, 60_000);
    expect(idle.count('SIGTERM[soft,inactive] received, process exiting')).toBe(1);
    expect(lonely.count('[server] Inactivity timeout (--ping-exit), exiting')).toBe(1);
    expect(server.ups).toBe(1);
  });
});

describe('a client that reconnects from the same port', () => {
  const bound = (n: number): string => `local 198.51.100.${n}\nlport 5000\nconnect-retry 1`;

  it('while client-connect still runs is set up anew, and the answer for its earlier session counts for nothing', async () => {
    const answers = [later<number>(), later<number>()];
    const scripts = new RecordedScripts();
    scripts.answer = () => answers[scripts.calls.length - 1]!.promise;
    const server = await world.serving('client-connect /bin/cc', { scripts });
    const alice = world.client('alice', bound(10));
    await world.until(() => scripts.calls.length === 1);
    alice.tunnel.restart();
    await world.run(8000);
    expect(alice.ups).toBe(0);
    expect(server.tunnel.status()?.routes).toEqual([]);
    answers[0]!.resolve(0);
    await world.run(2000);
    expect(alice.ups).toBe(0);
    answers[1]!.resolve(0);
    await world.until(() => alice.ups === 1, 60_000);
    expect(await world.ping(alice, '10.8.0.1')).toBe(true);
    expect(scripts.ofType('client-connect')).toHaveLength(2);
  });

  it('while its login is deferred is asked again', async () => {
    const first = later<number>();
    const scripts = new RecordedScripts();
    scripts.answer = () => (scripts.calls.length === 1 ? first.promise : 0);
    await world.serving('auth-user-pass-verify /bin/check via-env', { scripts });
    const alice = world.client('alice', `${bound(10)}\n<auth-user-pass>\na\nb\n</auth-user-pass>`);
    await world.until(() => scripts.calls.length === 1);
    alice.tunnel.restart();
    await world.until(() => alice.ups === 1, 60_000);
    first.resolve(1);
    await world.run(2000);
    expect(await world.ping(alice, '10.8.0.1')).toBe(true);
    expect(alice.ended).toBeUndefined();
  });

  it('as somebody else is refused, until the first one is forgotten', async () => {
    const server = await world.serving('keepalive 10 60');
    world.kill(await world.connected('alice', bound(10)));
    const bob = world.client('bob', `${bound(10)}\nauth-retry nointeract`);
    await world.until(() => server.count("CN attempted to change from 'alice' to 'bob'") > 0);
    expect(bob.ups).toBe(0);
    await world.until(() => bob.ups === 1, 60_000);
    expect(server.tunnel.status()?.clients).toMatchObject([{ commonName: 'bob' }]);
  });
});

describe('a TCP server', () => {
  it('closes connections beyond max-clients', async () => {
    const server = await world.serving('proto tcp-server\nmax-clients 1');
    const alice = await world.connected('alice', 'proto tcp-client');
    const bob = world.client('bob', 'proto tcp-client\nconnect-retry 5');
    await world.until(() => bob.count('Connection reset, restarting') > 0);
    expect(server.tunnel.status()?.clients).toHaveLength(1);
    await world.stop(alice);
    await world.until(() => bob.ups === 1, 60_000);
  });

  it('that restarts is found again by its clients', async () => {
    const server = await world.serving('proto tcp-server');
    const alice = await world.connected('alice', 'proto tcp-client\nconnect-retry 1');
    server.tunnel.restart();
    await world.until(() => server.ups === 2 && alice.ups === 2, 60_000);
    expect(alice.count('SIGUSR1[soft,connection-reset] received, process restarting')).toBe(1);
    expect(await world.ping(alice, '10.8.0.1')).toBe(true);
  });
});

describe('a status file', () => {
  it('shows clients and routes while they are there', async () => {
    const file = join(tmpdir(), `ovpn-status-${process.pid}`);
    try {
      await world.serving(`status ${file} 5\nstatus-version 2`);
      const alice = await world.connected('alice');
      await world.run(6000);
      expect(readFileSync(file, 'utf8')).toMatch(/^CLIENT_LIST,alice,198\.51\.100\.10:40000,10\.8\.0\.2,/m);
      expect(readFileSync(file, 'utf8')).toMatch(/^ROUTING_TABLE,10\.8\.0\.2,alice,/m);
      world.kill(alice);
    } finally {
      rmSync(file, { force: true });
    }
  });
});
