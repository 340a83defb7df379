/** Restarts and ends of either side: signals, silence, notifications, moved addresses, kept devices. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TunnelWorld } from '../../test-kit/tunnel-world.ts';

let world: TunnelWorld;
beforeEach(() => {
  world = new TunnelWorld();
});
afterEach(() => world.close());

describe('a server', () => {
  it('that restarts tells its clients, who are back at once', async () => {
    const server = await world.serving('explicit-exit-notify 1\nkeepalive 10 60');
    const alice = await world.connected('alice');
    const beforeMs = world.nowMs;
    server.tunnel.restart();
    await world.until(() => server.ups === 2 && alice.ups === 2);
    expect(server.count('ignored while server is shutting down')).toBeGreaterThan(0);
    expect(world.nowMs - beforeMs).toBeLessThan(10_000);
    expect(alice.count("Connection reset command was pushed by server ('')")).toBe(1);
    expect(alice.count('SIGUSR1[soft,server-pushed-connection-reset] received, process restarting')).toBe(1);
    expect(await world.ping(alice, '10.8.0.1')).toBe(true);
    expect(server.network.addresses).toEqual(['tun1 10.8.0.1/24']);
  });

  it('that ends tells its clients with [N] to go to their next one', async () => {
    const first = await world.serving('explicit-exit-notify 2');
    const second = await world.serving('', { address: '192.0.2.2' });
    const alice = await world.connected('alice', 'remote 192.0.2.1 1194\nremote 192.0.2.2 1194');
    expect(first.tunnel.status()?.clients).toHaveLength(1);
    await world.stop(first);
    await world.until(() => alice.ups === 2);
    expect(second.tunnel.status()?.clients).toMatchObject([{ commonName: 'alice' }]);
    expect(alice.sockets.lookUps).toEqual(['192.0.2.1', '192.0.2.2']);
  });

  it('that is stopped a second time waits no longer for its clients', async () => {
    const server = await world.serving('explicit-exit-notify 1');
    await world.connected('alice');
    const beforeMs = world.nowMs;
    void server.tunnel.stop();
    await world.run(300);
    expect(server.ended).toBeUndefined();
    await world.stop(server);
    expect(world.nowMs - beforeMs).toBeLessThan(1500);
    expect(server.count('SIGTERM[hard,] received, process exiting')).toBe(1);
  });

  it('that vanishes without a word is missed after ping-restart, and found again', async () => {
    const server = await world.serving('keepalive 5 20');
    const alice = await world.connected('alice');
    world.kill(server);
    await world.until(
      () => alice.count('[server] Inactivity timeout (--ping-restart), restarting') === 1,
      30_000,
    );
    const again = await world.serving('keepalive 5 20');
    await world.until(() => alice.ups === 2, 120_000);
    expect(await world.ping(alice, '10.8.0.1')).toBe(true);
    expect(again.tunnel.status()?.clients).toHaveLength(1);
  });

  it('refuses to start on an address in use, and leaves nothing behind', async () => {
    await world.serving();
    const second = world.server();
    await world.until(() => second.ended !== undefined);
    expect(second.ended?.error?.message).toMatch(/EADDRINUSE/);
    expect(second.hosts).toEqual([]);
  });
});

describe('a client', () => {
  it('that ends with explicit-exit-notify is forgotten at once', async () => {
    const server = await world.serving('keepalive 10 60');
    const alice = await world.connected('alice', 'explicit-exit-notify 1');
    await world.stop(alice);
    expect(alice.count('SIGTERM received, sending exit notification to peer')).toBe(1);
    expect(alice.count('SIGTERM[soft,exit-with-notification] received, process exiting')).toBe(1);
    expect(server.count('CC-EEN exit message received by peer')).toBe(1);
    await world.until(() => server.tunnel.status()?.clients.length === 0, 6000);
  });

  it('that is stopped twice ends at once', async () => {
    await world.serving('keepalive 10 60');
    const alice = await world.connected('alice', 'explicit-exit-notify 30');
    const beforeMs = world.nowMs;
    void alice.tunnel.stop();
    await world.run(500);
    await world.stop(alice);
    expect(world.nowMs - beforeMs).toBeLessThan(2000);
  });

  it('that is asked to restart while it says goodbye ends all the same', async () => {
    await world.serving('keepalive 10 60');
    const alice = await world.connected('alice', 'explicit-exit-notify 5');
    void alice.tunnel.stop();
    await world.run(500);
    alice.tunnel.restart();
    await world.until(() => alice.ended !== undefined);
    expect(alice.ups).toBe(1);
    expect(alice.count('received during exit notification')).toBe(1);
  });

  it('that was killed is dropped after ping-restart and can come back under its address', async () => {
    const server = await world.serving('keepalive 5 10');
    const alice = await world.connected('alice');
    world.kill(alice);
    await world.until(() => server.tunnel.status()?.clients.length === 0, 60_000);
    expect(server.count('Inactivity timeout (--ping-restart), restarting')).toBe(1);
    const again = await world.connected('alice');
    expect(again.address).toBe('10.8.0.2');
    expect(await world.ping(again, '10.8.0.1')).toBe(true);
  });

  it('that starts over on the same port keeps its addresses', async () => {
    const server = await world.serving('keepalive 10 60');
    const alice = await world.connected('alice', 'local 198.51.100.10\nlport 5000\npersist-tun', {});
    alice.tunnel.restart();
    await world.until(() => alice.ups === 2);
    expect(server.tunnel.status()?.clients).toMatchObject([
      { virtualAddress: '10.8.0.2', realAddress: '198.51.100.10:5000' },
    ]);
    expect(await world.ping(alice, '10.8.0.1')).toBe(true);
    expect(await world.ping(server, '10.8.0.2')).toBe(true);
    expect(server.count('MULTI: multi_create_instance called')).toBe(1);
  });

  it('keeps its device over a restart with persist-tun while the server pushes the same', async () => {
    const server = await world.serving('explicit-exit-notify 1\npush "route 10.40.0.0 255.255.0.0"');
    const alice = await world.connected('alice', 'persist-tun');
    const kept = alice.network.lines.length;
    alice.tunnel.restart();
    await world.until(() => alice.ups === 2);
    expect(alice.count('Preserving previous TUN/TAP instance: tun0')).toBe(1);
    expect(alice.hosts).toHaveLength(1);
    expect(alice.network.lines.slice(kept).filter((line) => !line.startsWith('route'))).toEqual([]);
    expect(await world.ping(alice, '10.8.0.1')).toBe(true);
    await world.stop(server);
    await world.serving('push "route 10.41.0.0 255.255.0.0"');
    await world.until(() => alice.ups === 3, 60_000);
    expect(alice.count('NOTE: Pulled options changed on restart')).toBe(1);
    expect(alice.hosts).toHaveLength(2);
    expect(alice.network.routes.map((route) => route.network)).toEqual(['10.41.0.0']);
    expect(alice.network.addresses).toEqual(['tun1 10.8.0.2/24']);
    expect(await world.ping(alice, '10.8.0.1')).toBe(true);
  });

  it('opens a new device at every restart without persist-tun', async () => {
    await world.serving('keepalive 10 60');
    const alice = await world.connected('alice');
    alice.tunnel.restart();
    await world.until(() => alice.ups === 2);
    expect(alice.hosts).toHaveLength(2);
    expect(alice.network.addresses).toEqual(['tun1 10.8.0.2/24']);
  });

  it('whose address changes goes on at the new one', async () => {
    const server = await world.serving('keepalive 10 60');
    const alice = await world.connected('alice');
    alice.sockets.links.at(-1)!.moveTo({ family: 4, address: '203.0.113.5', port: 7777 });
    expect(await world.ping(alice, '10.8.0.1')).toBe(true);
    expect(server.tunnel.status()?.clients).toMatchObject([{ realAddress: '203.0.113.5:7777' }]);
    expect(server.count('floated from 198.51.100.10:40000 to [AF_INET]203.0.113.5:7777')).toBe(1);
    expect(await world.ping(server, '10.8.0.2')).toBe(true);
  });

  it('can be stopped at any moment of connecting, and leaves nothing behind', async () => {
    await world.serving('push "route 10.40.0.0 255.255.0.0"');
    for (let ms = 0; ms < 60; ms += 4) {
      const alice = world.client('alice', 'connect-retry 1');
      await world.run(ms);
      await world.stop(alice);
      expect({ ms, addresses: alice.network.addresses, routes: alice.network.routes }).toEqual({
        ms,
        addresses: [],
        routes: [],
      });
      expect(alice.sockets.links.every((link) => link.closed)).toBe(true);
      expect(alice.ended?.error).toBeUndefined();
    }
  });
});
