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
    expect(alice.states).toEqual([
      'RESOLVE',
      'WAIT',
      'AUTH',
      'GET_CONFIG',
      'ASSIGN_IP',
      'ADD_ROUTES',
      'CONNECTED',
    ]);
  });

  it('leave nothing behind when they end', async () => {
    world = new TunnelWorld();
    const server = await world.serving('push "route 192.168.7.0 255.255.255.0"');
    const alice = await world.connected('alice');
    expect(alice.network.routes).toHaveLength(1);
    await world.stop(alice);
    await world.stop(server);
    for (const { network, sockets, ended } of [alice, server]) {
      expect(ended?.error).toBeUndefined();
      expect(network.addresses).toEqual([]);
      expect(network.routes).toEqual([]);
      expect(sockets.links.map((link) => link.closed)).toEqual([true]);
    }
  });

  it('speak IPv6 outside and inside', async () => {
    world = new TunnelWorld();
    const server = await world.serving('proto udp6\nserver-ipv6 fd00:8::/64');
    const alice = await world.connected('alice', 'remote 2001:db8::1 1194 udp6');
    expect(alice.address6).toBe('fd00:8::1000');
    expect(await world.ping(alice, 'fd00:8::1', alice.address6)).toBe(true);
    expect(await world.ping(alice, '10.8.0.1')).toBe(true);
    expect(server.tunnel.status()?.routes.map((route) => route.virtualAddress)).toEqual([
      '10.8.0.2',
      'fd00:8::1000',
    ]);
  });

  it('run over TCP, and the server forgets a client whose connection ends', async () => {
    world = new TunnelWorld();
    const server = await world.serving('proto tcp-server');
    const tcp = 'proto tcp-client';
    const alice = await world.connected('alice', tcp);
    const bob = await world.connected('bob', tcp);
    expect(await world.ping(alice, '10.8.0.1')).toBe(true);
    expect(await world.ping(bob, '10.8.0.1')).toBe(true);
    expect(alice.states).toContain('TCP_CONNECT');
    await world.stop(alice);
    await world.until(() => server.tunnel.status()?.clients.length === 1);
    expect(server.count('Connection reset, restarting [0]')).toBe(1);
    expect(await world.ping(bob, '10.8.0.1')).toBe(true);
  });

  it('try the next address and profile until a server answers', async () => {
    world = new TunnelWorld();
    world.internet.names.set('vpn.example', ['192.0.2.77', '192.0.2.1']);
    await world.serving();
    const remotes = 'remote 192.0.2.78 1194\nremote vpn.example 1194';
    const alice = world.client('alice', `${remotes}\nconnect-retry 1\nserver-poll-timeout 3`);
    await world.until(() => alice.ups === 1, 60_000);
    expect(alice.count('Server poll timeout, restarting')).toBe(2);
    expect(alice.sockets.lookUps).toEqual(['192.0.2.78', 'vpn.example']);
  });

  it('give up after connect-retry-max rounds', async () => {
    world = new TunnelWorld();
    const retry = 'connect-retry 1\nconnect-retry-max 2\nserver-poll-timeout 2';
    const alice = world.client('alice', retry);
    await world.until(() => alice.ended !== undefined, 60_000);
    expect(alice.ended?.error?.message).toBe(
      'All connections have been connect-retry-max (2) times unsuccessful, exiting',
    );
    expect(alice.count('Server poll timeout')).toBe(2);
  });
});

describe('several clients', () => {
  it('reach the server but not each other without client-to-client', async () => {
    world = new TunnelWorld();
    const server = await world.serving();
    server.host.answers = false;
    const alice = await world.connected('alice');
    const bob = await world.connected('bob');
    expect(await world.ping(alice, bob.address)).toBe(false);
    expect(bob.host.received).toEqual([]);
    // The packet went to the server's machine, which may route it back.
    expect(server.host.received.map(({ to }) => to)).toEqual([bob.address]);
  });

  it('reach each other with client-to-client, and multicasts reach everybody', async () => {
    world = new TunnelWorld();
    const server = await world.serving('client-to-client');
    const [alice, bob, carol] = [
      await world.connected('alice'),
      await world.connected('bob'),
      await world.connected('carol'),
    ];
    expect(await world.ping(alice, bob.address)).toBe(true);
    expect(server.host.received).toEqual([]);
    alice.host.send(alice.address, '224.0.0.9', 'hello all');
    await world.until(() => carol.host.from(alice.address).length === 1);
    expect(bob.host.from(alice.address)).toContain('hello all');
    expect(server.host.from(alice.address)).toEqual(['hello all']);
    expect(alice.host.from(alice.address)).toEqual([]);
  });

  it("can't take each other's addresses", async () => {
    world = new TunnelWorld();
    const server = await world.serving('', { verb: 5 });
    const alice = await world.connected('alice');
    const bob = await world.connected('bob');
    alice.host.send(bob.address, '10.8.0.1', 'forged');
    await world.run(500);
    expect(server.host.received).toEqual([]);
    expect(server.count(`MULTI: bad source address from client [${bob.address}], packet dropped`)).toBe(1);
  });

  it('with one name: the later takes over, unless duplicate-cn', async () => {
    world = new TunnelWorld();
    const server = await world.serving();
    const first = await world.connected('alice', 'ping-exit 1000');
    const second = await world.connected('alice', '');
    expect(server.tunnel.status()?.clients).toMatchObject([{ realAddress: '198.51.100.11:40001' }]);
    expect(second.address).toBe('10.8.0.2');
    expect(await world.ping(second, '10.8.0.1')).toBe(true);
    expect(await world.ping(first, '10.8.0.1')).toBe(false);
    await world.close();
    world = new TunnelWorld();
    const open = await world.serving('duplicate-cn');
    const [a, b] = [await world.connected('alice'), await world.connected('alice')];
    expect([a.address, b.address]).toEqual(['10.8.0.2', '10.8.0.3']);
    expect(await world.ping(a, '10.8.0.1')).toBe(true);
    expect(await world.ping(b, '10.8.0.1')).toBe(true);
    expect(open.tunnel.status()?.clients).toHaveLength(2);
  });

  it('beyond max-clients have to wait until one leaves', async () => {
    world = new TunnelWorld();
    const server = await world.serving('max-clients 2');
    const alice = await world.connected('alice', 'explicit-exit-notify 1');
    await world.connected('bob');
    const carol = world.client('carol');
    await world.run(5000);
    expect(carol.ups).toBe(0);
    expect(server.count('would exceed maximum number of clients (2)')).toBeGreaterThan(0);
    await world.stop(alice);
    await world.until(() => carol.ups === 1, 120_000);
    expect(await world.ping(carol, '10.8.0.1')).toBe(true);
  });
});

describe('a wire with faults', () => {
  for (const seed of [1, 2, 3]) {
    it(`delays connecting but breaks nothing (seed ${seed})`, async () => {
      world = new TunnelWorld({ seed, loss: 0.15, duplicate: 0.1, reorder: 0.2, latencyMs: 20 });
      const server = await world.serving('keepalive 5 60');
      const alice = world.client('alice');
      const bob = world.client('bob');
      await world.until(() => alice.ups > 0 && bob.ups > 0, 120_000);
      world.internet.udp.setFaults({ loss: 0 });
      for (let n = 0; n < 50; n++) alice.host.send(alice.address, '10.8.0.1', `packet ${n}`);
      await world.run(2000);
      const seen = server.host.from(alice.address);
      expect(new Set(seen)).toHaveLength(50);
      expect(seen).toHaveLength(50);
      expect(await world.ping(bob, '10.8.0.1')).toBe(true);
    });
  }

  it('that flips bits leads to drops, never to wrong packets', async () => {
    world = new TunnelWorld({ seed: 5 });
    const server = await world.serving();
    const alice = await world.connected('alice');
    world.internet.udp.setFaults({ flip: 0.5 });
    const sent = Array.from({ length: 60 }, (_, n) => `packet ${n}`);
    for (const text of sent) alice.host.send(alice.address, '10.8.0.1', text);
    await world.run(1000);
    const seen = server.host.from(alice.address);
    expect(seen.length).toBeGreaterThan(10);
    expect(seen.length).toBeLessThan(50);
    expect(sent).toEqual(expect.arrayContaining(seen));
  });
});
