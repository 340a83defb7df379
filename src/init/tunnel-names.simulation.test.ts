/** Names of servers: looked up once before all with preresolve, with a random label, at most so many newcomers. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SERVER_ADDRESS, TunnelWorld } from '../../test-kit/tunnel-world.ts';

let world: TunnelWorld;
beforeEach(() => {
  world = new TunnelWorld();
});
afterEach(() => world.close());

describe('preresolve', () => {
  it('looks names up before the first connection and not again', async () => {
    world.internet.names.set('vpn.example', [SERVER_ADDRESS]);
    const server = await world.serving();
    const alice = await world.connected('alice', 'preresolve\nremote vpn.example 1194\nconnect-retry 1');
    world.internet.names.clear();
    alice.tunnel.restart();
    await world.until(() => alice.ups === 2, 60_000);
    expect(await world.ping(alice, '10.8.0.1')).toBe(true);
    expect(server.ended).toBeUndefined();
  });

  it('ends the client when a name of any profile cannot be found', async () => {
    world.internet.names.set('vpn.example', [SERVER_ADDRESS]);
    const alice = world.client(
      'alice',
      'preresolve\nresolv-retry 0\nremote vpn.example 1194\nremote other.example 1194',
    );
    await world.until(() => alice.ended !== undefined);
    expect(alice.ended?.error?.message).toContain('RESOLVE: Cannot resolve host address: other.example:1194');
  });
});

describe('remote-random-hostname', () => {
  it('puts a random label before a name, and none before an address', async () => {
    await world.serving();
    const alice = world.client('alice', 'remote-random-hostname\nremote vpn.example 1194');
    await world.run(3_000);
    const asked = alice.lines(/[0-9a-f]{12}\.vpn\.example/);
    expect(asked.length).toBeGreaterThan(0);
    await world.stop(alice);
    const bob = await world.connected('bob', 'remote-random-hostname');
    expect(
      bob.count('WARNING: ignoring --remote-random-hostname because the hostname is an IP address'),
    ).toBe(1);
  });
});

describe('connect-freq', () => {
  it('lets so many newcomers in a period', async () => {
    const server = await world.serving('connect-freq 1 20');
    await world.connected('alice');
    const bob = world.client('bob');
    await world.run(5_000);
    expect(bob.ups).toBe(0);
    const told = 'would exceed new connection frequency limit as controlled by --connect-freq';
    expect(server.lines(told)[0]).toMatch(/MULTI: Connection from 198\.51\.100\.11:\d+ would exceed/);
    await world.until(() => bob.ups === 1, 60_000);
  });
});
