/** PUSH_UPDATE between our server and our client: routes, addresses, what can't be updated. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TunnelWorld } from '../../test-kit/tunnel-world.ts';

let world: TunnelWorld;
beforeEach(() => {
  world = new TunnelWorld();
});
afterEach(() => world.close());

describe('PUSH_UPDATE', () => {
  it('replaces routes of all clients while their connections stay', async () => {
    const server = await world.serving('push "route 10.40.0.0 255.255.0.0"');
    const alice = await world.connected('alice');
    const bob = await world.connected('bob');
    expect(server.tunnel.pushUpdate('route 10.41.0.0 255.255.0.0')).toBe(2);
    await world.until(() => alice.ups === 2 && bob.ups === 2);
    expect(alice.network.routes.map((route) => route.network)).toEqual(['10.41.0.0']);
    expect(alice.hosts).toHaveLength(2);
    expect(await world.ping(alice, '10.8.0.1')).toBe(true);
    expect(alice.count('Peer Connection Initiated')).toBe(1);
    expect(server.count("SENT CONTROL [alice]: 'PUSH_UPDATE,route 10.41.0.0 255.255.0.0' (status=1)")).toBe(
      1,
    );
  });

  it('moves one client to another address, which the server routes from then on', async () => {
    const server = await world.serving();
    const alice = await world.connected('alice');
    await world.connected('bob');
    const id = server.tunnel.status()!.clients.find((client) => client.commonName === 'alice')!.clientId;
    expect(server.tunnel.pushUpdate('ifconfig 10.8.0.77 255.255.255.0', id)).toBe(1);
    await world.until(() => alice.ups === 2);
    expect(alice.address).toBe('10.8.0.77');
    expect(await world.ping(alice, '10.8.0.1')).toBe(true);
    expect(await world.ping(server, '10.8.0.77')).toBe(true);
    expect(server.count('MULTI: Unlearn: 10.8.0.2 -> alice/')).toBe(1);
    expect(server.tunnel.status()?.clients[0]?.virtualAddress).toBe('10.8.0.77');
  });

  it('comes in several messages when it is long', async () => {
    const server = await world.serving();
    const alice = await world.connected('alice');
    const routes = Array.from({ length: 60 }, (_, n) => `route 10.${100 + n}.0.0 255.255.0.0`);
    server.tunnel.pushUpdate(routes.join(','));
    await world.until(() => alice.ups === 2);
    expect(alice.network.routes).toHaveLength(60);
  });

  it('makes the client reconnect for what it cannot change', async () => {
    const server = await world.serving();
    const alice = await world.connected('alice', 'connect-retry 1');
    server.tunnel.pushUpdate('cipher AES-128-GCM');
    await world.until(() => alice.ups === 2, 60_000);
    expect(alice.count('SIGUSR1[soft,Offending option received from server]')).toBe(1);
    expect(await world.ping(alice, '10.8.0.1')).toBe(true);
  });

  it('is not for a server without clients that know it, nor for nonsense', async () => {
    const server = await world.serving();
    expect(server.tunnel.pushUpdate('route 10.41.0.0 255.255.0.0')).toBe(0);
    expect(server.tunnel.pushUpdate('')).toBeUndefined();
  });
});
