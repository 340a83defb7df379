/** The conformance suite over memory links, and what only they do: faults, latency, many ends. */
import { describe, expect, it } from 'vitest';
import { addressFromWords, type LinkAddress, PacketBatch } from '../base/base.ts';
import { linkConformance } from './link.conformance.ts';
import { createMemoryNet, createMemoryPair, type MemoryNetOptions } from './link-memory.ts';
import type { Link } from './socket.ts';

for (const transport of ['udp', 'tcp'] as const) {
  let nets: ReturnType<typeof createMemoryNet>[] = [];
  linkConformance(`memory ${transport}`, {
    transport,
    framed: false,
    openPair: async (family) => {
      const ends = [1, 2].map((n) => ({
        family,
        address: family === 4 ? `192.0.2.${n}` : `::${n}`,
        port: n,
      }));
      const { net, a, b } = createMemoryPair({ transport }, ends as [LinkAddress, LinkAddress]);
      nets = [net];
      return [a, b];
    },
    tick: async () => {
      for (const net of nets) net.run(0);
    },
  });
}

describe('memory net', () => {
  it('delivers after the latency and says when', () => {
    const { net, a, b } = createMemoryPair({ latencyMs: 20 });
    const got = drain(b);
    a.send(Buffer.from('x'), b.local);
    expect(net.nextTimeout()).toBe(20);
    net.run(19);
    expect(got).toEqual([]);
    net.run(20);
    expect(got).toEqual(['x']);
    expect(net.nextTimeout()).toBeUndefined();
  });

  it('loses, duplicates, reorders and damages about as often as told', () => {
    const { net, got } = flood({
      seed: 5,
      loss: 0.1,
      duplicate: 0.05,
      reorder: 0.2,
      flip: 0.02,
      latencyMs: 10,
    });
    const { stats } = net;
    expect(stats.sent).toBe(2000);
    expect(stats.lost).toBeGreaterThan(150);
    expect(stats.lost).toBeLessThan(250);
    expect(stats.duplicated).toBeGreaterThan(60);
    expect(stats.duplicated).toBeLessThan(130);
    expect(stats.flipped).toBeGreaterThan(15);
    expect(stats.delivered).toBe(stats.sent - stats.lost + stats.duplicated);
    expect(got).toHaveLength(stats.delivered);
    const order = got.map(Number);
    expect(order.some((n, i) => i > 0 && n < order[i - 1]!)).toBe(true);
  });

  it('repeats a run from its seed and differs with another', () => {
    const options = { loss: 0.2, reorder: 0.2, duplicate: 0.1, latencyMs: 5 };
    const first = flood({ ...options, seed: 9 }).got;
    expect(flood({ ...options, seed: 9 }).got).toEqual(first);
    expect(flood({ ...options, seed: 10 }).got).not.toEqual(first);
  });

  it('can go bad and good again', () => {
    const { net, a, b } = createMemoryPair();
    const got = drain(b);
    net.setFaults({ loss: 1 });
    a.send(Buffer.from('lost'), b.local);
    net.setFaults({ loss: 0 });
    a.send(Buffer.from('kept'), b.local);
    net.run(0);
    expect(got).toEqual(['kept']);
  });

  it('routes between many ends by address', () => {
    const net = createMemoryNet();
    const server = net.open({ family: 4, address: '192.0.2.1', port: 1194 });
    const clients = [10, 11, 12].map((n) => net.open({ family: 4, address: `192.0.2.${n}`, port: n }));
    const sources: string[] = [];
    const batch = new PacketBatch(4);
    server.onReadable = () => {
      while (server.recvBatch(batch) > 0) {
        for (let i = 0; i < batch.count; i++) sources.push(addressFromWords(batch.addresses, i).address);
        server.sendBatch(batch, 0, batch.count);
      }
    };
    const replies = clients.map(drain);
    for (const client of clients) client.send(Buffer.from(client.local.address), server.local);
    net.run(0);
    net.run(0);
    expect(sources).toEqual(['192.0.2.10', '192.0.2.11', '192.0.2.12']);
    expect(replies).toEqual([['192.0.2.10'], ['192.0.2.11'], ['192.0.2.12']]);
  });

  it('drops at a full receiver, as a socket buffer does', () => {
    const { net, a, b } = createMemoryPair({ queuePackets: 3 });
    for (let i = 0; i < 5; i++) a.send(Buffer.from(String(i)), b.local);
    const got = drain(b);
    net.run(0);
    expect(got).toEqual(['0', '1', '2']);
    expect(b.dropped).toBe(2);
  });
});

function flood(options: MemoryNetOptions) {
  const { net, a, b } = createMemoryPair({ ...options, queuePackets: 10_000 });
  const got = drain(b);
  for (let i = 0; i < 2000; i++) {
    a.send(Buffer.from(String(i).padStart(5, '0')), b.local);
    net.run(i);
  }
  net.run(10_000);
  return { net, got };
}

function drain(link: Link): string[] {
  const got: string[] = [];
  const batch = new PacketBatch(8);
  link.onReadable = () => {
    while (link.recvBatch(batch) > 0) {
      for (let slot = 0; slot < batch.count; slot++) got.push(batch.packet(slot).toString('latin1'));
    }
  };
  return got;
}
