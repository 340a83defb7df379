/** Live tunnels under renegotiation and under attack: what is lost, what is counted, what stays small. */
import { afterEach, describe, expect, it } from 'vitest';
import { createPrng } from '../../test-kit/prng.ts';
import { SERVER_ADDRESS, type Station, TunnelWorld } from '../../test-kit/tunnel-world.ts';
import type { LinkAddress } from '../base/base.ts';

const SERVER: LinkAddress = { family: 4, address: SERVER_ADDRESS, port: 1194 };
/** Garbage packets a test. */
const FLOOD = 3000;

let world: TunnelWorld;
afterEach(() => world.close());

describe('renegotiation', () => {
  it('loses no packet of running traffic', async () => {
    world = new TunnelWorld({ latencyMs: 15 });
    const server = await world.serving('reneg-sec 20 20');
    const alice = await world.connected('alice', 'reneg-sec 0');
    await talk(server, alice, 70_000);
    expect(server.count('Control Channel: TLSv1.3')).toBeGreaterThanOrEqual(4);
  });

  it('started by the client loses none either', async () => {
    world = new TunnelWorld({ latencyMs: 15 });
    const server = await world.serving('reneg-sec 0');
    const alice = await world.connected('alice', 'reneg-sec 20 20');
    await talk(server, alice, 50_000);
    expect(alice.count('Control Channel: TLSv1.3')).toBeGreaterThanOrEqual(3);
  });

  it('over a lossy wire keeps the tunnel, and packets come at most once', async () => {
    world = new TunnelWorld({ seed: 11, latencyMs: 20 });
    const server = await world.serving('reneg-sec 20 20');
    const alice = await world.connected('alice', 'reneg-sec 0');
    world.internet.udp.setFaults({ loss: 0.1, duplicate: 0.1, reorder: 0.1 });
    for (let n = 0; n < 600; n++) {
      alice.host.send(alice.address, '10.8.0.1', `up ${n}`);
      await world.run(100);
    }
    world.internet.udp.setFaults({ loss: 0, duplicate: 0, reorder: 0 });
    expect(await world.ping(alice, '10.8.0.1')).toBe(true);
    const seen = server.host.from(alice.address).filter((text) => text.startsWith('up'));
    expect(new Set(seen).size).toBe(seen.length);
    expect(seen.length).toBeGreaterThan(480);
    expect(alice.ups).toBe(1);
    expect(server.count('Control Channel: TLSv1.3')).toBeGreaterThanOrEqual(3);
  });

  async function talk(server: Station, alice: Station, ms: number): Promise<void> {
    const endMs = world.nowMs + ms;
    let sent = 0;
    for (; world.nowMs < endMs; sent++) {
      alice.host.send(alice.address, '10.8.0.1', `up ${sent}`);
      server.host.send('10.8.0.1', alice.address, `down ${sent}`);
      await world.run(100);
    }
    await world.run(1000);
    const expected = (word: string): string[] => Array.from({ length: sent }, (_, n) => `${word} ${n}`);
    expect(server.host.from(alice.address)).toEqual(expected('up'));
    expect(alice.host.from('10.8.0.1')).toEqual(expected('down'));
  }
});

describe('garbage', () => {
  it('from strangers costs no client, no memory and no connection', async () => {
    world = new TunnelWorld();
    const server = await world.serving('keepalive 10 60', { verb: 1 });
    const alice = await world.connected('alice', '', { verb: 1 });
    const random = createPrng(3);
    const before = process.memoryUsage();
    for (let n = 0; n < FLOOD; n++) {
      const from: LinkAddress = { family: 4, address: `203.0.113.${n % 250}`, port: 1 + (n % 60_000) };
      const link = world.internet.udp.open(from);
      link.send(garbage(random), SERVER);
      world.internet.run(world.nowMs);
      link.close();
      if (n % 500 === 0) expect(await world.ping(alice, '10.8.0.1')).toBe(true);
    }
    await world.run(1000);
    const after = process.memoryUsage();
    expect(server.tunnel.status()?.clients).toHaveLength(1);
    expect(after.arrayBuffers - before.arrayBuffers).toBeLessThan(20e6);
    expect(await world.ping(alice, '10.8.0.1')).toBe(true);
    expect(alice.ups).toBe(1);
  });

  it("from a client's own address disturbs neither it nor others", async () => {
    world = new TunnelWorld();
    const server = await world.serving('keepalive 10 60', { verb: 1 });
    const alice = await world.connected('alice', '', { verb: 1 });
    const bob = await world.connected('bob');
    const random = createPrng(4);
    const own = alice.sockets.links.at(-1)!;
    for (let n = 0; n < FLOOD; n++) {
      own.send(garbage(random), SERVER);
      if (n % 100 === 0) await world.run(5);
      if (n % 500 === 0) expect(await world.ping(alice, '10.8.0.1')).toBe(true);
    }
    await world.run(5000);
    expect(await world.ping(alice, '10.8.0.1')).toBe(true);
    expect(await world.ping(bob, '10.8.0.1')).toBe(true);
    expect(server.tunnel.status()?.clients).toHaveLength(2);
    expect(server.host.from(alice.address).every((text) => text.startsWith('ping'))).toBe(true);
  });

  it("from the server's address, and from others, disturbs no client", async () => {
    world = new TunnelWorld();
    const server = await world.serving('keepalive 10 60', { verb: 1 });
    const alice = await world.connected('alice', '', { verb: 4 });
    const random = createPrng(5);
    const to = alice.sockets.links.at(-1)!.local;
    const stranger = world.internet.udp.open({ family: 4, address: '203.0.113.9', port: 9 });
    for (let n = 0; n < FLOOD; n++) {
      server.sockets.links.at(-1)!.send(garbage(random), to);
      if (n % 10 === 0) stranger.send(garbage(random), to);
      if (n % 100 === 0) await world.run(5);
    }
    await world.run(5000);
    expect(await world.ping(alice, '10.8.0.1')).toBe(true);
    expect(alice.ups).toBe(1);
    expect(alice.count('Incoming packet rejected from [AF_INET]203.0.113.9:9')).toBe(FLOOD / 10);
  });

  it('that replays what was recorded is dropped', async () => {
    world = new TunnelWorld();
    const server = await world.serving('keepalive 10 60');
    const alice = await world.connected('alice');
    const own = alice.sockets.links.at(-1)!;
    const recorded: Buffer[] = [];
    const { sendBatch } = own;
    own.sendBatch = (batch, first, end) => {
      for (let slot = first; slot < end; slot++) recorded.push(Buffer.from(batch.packet(slot)));
      return sendBatch.call(own, batch, first, end);
    };
    for (let n = 0; n < 10; n++) alice.host.send(alice.address, '10.8.0.1', `packet ${n}`);
    await world.run(200);
    expect(recorded.length).toBeGreaterThanOrEqual(10);
    const thief = world.internet.udp.open({ family: 4, address: '203.0.113.9', port: 9 });
    for (const packet of recorded) {
      own.send(packet, SERVER);
      thief.send(packet, SERVER);
    }
    await world.run(1000);
    expect(server.host.from(alice.address)).toEqual(Array.from({ length: 10 }, (_, n) => `packet ${n}`));
    expect(server.tunnel.status()?.clients).toMatchObject([{ realAddress: '198.51.100.10:40000' }]);
    expect(await world.ping(alice, '10.8.0.1')).toBe(true);
  });
});

/** Random bytes, half of them behind a first byte that means something. */
function garbage(random: () => number): Buffer {
  const packet = Buffer.from(
    Array.from({ length: 1 + Math.floor(random() * 120) }, () => Math.floor(random() * 256)),
  );
  if (random() < 0.5) packet[0] = (1 + Math.floor(random() * 11)) << 3;
  return packet;
}
