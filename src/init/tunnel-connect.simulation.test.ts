/** Connecting, traffic both ways and among clients, limits: whole programs in memory. */
import { afterEach, describe, expect, it } from 'vitest';
import { TunnelWorld } from '../../test-kit/tunnel-world.ts';

let world: TunnelWorld;
afterEach(() => world.close());

describe('a client and a server', () => {
  it('carry packets both ways', async () => {
    world = new TunnelWorld();
    const server = await world.serving();
    const alice = await world.connected('alice');
    expect(await world.ping(alice, '10.8.0.1')).toBe(true);
    expect(await world.ping(server, alice.address)).toBe(true);
    expect(server.tunnel.status()?.clients).toMatchObject([
      { commonName: 'alice', virtualAddress: '10.8.0.2', realAddress: '198.51.100.10:40000' },
    ]);
    expect(alice.states).toEqual(['RESOLVE', 'WAIT', 'AUTH', 'GET_CONFIG', 'ASSIGN_IP', 'ADD_ROUTES', 'CONNECTED']);
  });
});
