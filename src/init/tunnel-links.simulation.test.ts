/** Several sockets in one server, and packets that come from where they should not. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SERVER_ADDRESS, type Station, TunnelWorld } from '../../test-kit/tunnel-world.ts';

let world: TunnelWorld;
beforeEach(() => {
  world = new TunnelWorld();
});
afterEach(async () => {
  await world.close();
});

describe('several sockets', () => {
  it('serve clients of all of them as one network', async () => {
    const server = await world.serving(
      'client-to-client\nlocal 192.0.2.1 1194 udp4\nlocal * 1195 udp4\nlocal * 443 tcp4\nlocal * 1196 udp6',
    );
    const clients = [
      await world.connected('alice', `remote ${SERVER_ADDRESS} 1195 udp4`),
      await world.connected('bob', `remote ${SERVER_ADDRESS} 443 tcp4-client`),
      await world.connected('carol', 'remote 2001:db8::1 1196 udp6'),
    ];
    for (const from of clients) {
      expect(await world.ping(from, '10.8.0.1')).toBe(true);
      for (const to of clients) if (to !== from) expect(await world.ping(from, to.address)).toBe(true);
    }
    const real = server.tunnel.status()!.clients.map(({ realAddress }) => realAddress);
    expect(real).toEqual([
      expect.stringMatching(/^198\.51\.100\.10:/),
      expect.stringMatching(/^198\.51\.100\.11:/),
      expect.stringContaining('2001:db8:1::12'),
    ]);
    expect(server.lines(/link local \(bound\)/).map((line) => line.replace(/ link.*: /, ' '))).toEqual([
      'UDPv4 [AF_INET]192.0.2.1:1194',
      'UDPv4 [AF_INET][undef]:1195',
      'TCPv4_SERVER [AF_INET][undef]:443',
      'UDPv6 [AF_INET6][undef]:1196',
    ]);
  });

  it('tell UDP clients alone of a restart', async () => {
    const server = await world.serving('explicit-exit-notify 1\nlocal * 1194 udp4\nlocal * 443 tcp4');
    const alice = await world.connected('alice');
    const bob = await world.connected('bob', `remote ${SERVER_ADDRESS} 443 tcp4-client`);
    server.tunnel.restart();
    await world.until(() => alice.ups === 2 && bob.ups === 2);
    const told = 'Connection reset command was pushed by server';
    expect([alice.count(told), bob.count(told), bob.count('Connection reset, restarting')]).toEqual([
      1, 0, 1,
    ]);
  });

  it('leave no socket behind when one of them is taken', async () => {
    const server = world.server('local * 1194 udp4\nlocal * 1194 udp4');
    await world.until(() => server.ended !== undefined);
    expect(server.ended?.error?.message).toContain('EADDRINUSE');
    expect(server.sockets.links.every(({ closed }) => closed)).toBe(true);
    const again = await world.serving('local * 1194 udp4');
    expect(again.ups).toBe(1);
  });
});

describe('floating', () => {
  it("delivers nothing of a packet that comes from another client's address", async () => {
    const server = await world.serving('client-to-client');
    const alice = await world.connected('alice');
    const bob = await world.connected('bob');
    const [stolen] = await capture(alice, () => alice.host.send(alice.address, bob.address, 'secret'));
    bob.sockets.links.at(-1)!.send(stolen!, { family: 4, address: SERVER_ADDRESS, port: 1194 });
    await world.run(500);
    expect(server.count('Disallow float to an address taken by another client')).toBe(1);
    expect(texts(bob)).not.toContain('secret');
    expect(texts(server)).not.toContain('secret');
    expect(await world.ping(alice, '10.8.0.1')).toBe(true);
    expect(await world.ping(bob, '10.8.0.1')).toBe(true);
  });

  it('follows a client to a free address, with the packet that told', async () => {
    const server = await world.serving('client-to-client');
    const alice = await world.connected('alice');
    const bob = await world.connected('bob');
    alice.sockets.links.at(-1)!.moveTo({ family: 4, address: '198.51.100.99', port: 5555 });
    expect(await world.ping(alice, bob.address)).toBe(true);
    expect(server.count(/floated from 198\.51\.100\.10:\d+ to \[AF_INET\]198\.51\.100\.99:5555/)).toBe(1);
  });

  it('does not follow a packet that does not authenticate', async () => {
    const server = await world.serving();
    const alice = await world.connected('alice');
    const [packet] = await capture(alice, () => alice.host.send(alice.address, '10.8.0.1', 'hello'));
    const forged = Buffer.from(packet!);
    forged[forged.length - 1]! ^= 1;
    const bob = world.client('bob');
    await world.until(() => bob.ups === 1);
    bob.sockets.links.at(-1)!.send(forged, { family: 4, address: SERVER_ADDRESS, port: 1194 });
    await world.run(500);
    expect([server.count('floated'), server.count('Disallow float')]).toEqual([0, 0]);
    expect(await world.ping(alice, '10.8.0.1')).toBe(true);
  });
});

/** What a client would send meanwhile; none of it leaves. */
async function capture(client: Station, act: () => void): Promise<Buffer[]> {
  const link = client.sockets.links.at(-1)!;
  const send = link.sendBatch;
  const packets: Buffer[] = [];
  link.sendBatch = (batch, first, end) => {
    for (let slot = first; slot < end; slot++) packets.push(Buffer.from(batch.packet(slot)));
    return end - first;
  };
  act();
  await world.until(() => packets.length > 0);
  link.sendBatch = send;
  return packets;
}

function texts(station: Station): (string | undefined)[] {
  return station.host.received.map(({ text }) => text);
}
