import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { addressWords, type RouteKey, routeText, unlearnableReason, VirtualTable } from './mroute.ts';

const words4 = (text: string): [number, number, number, number] =>
  addressWords(Uint8Array.from(text.split('.').map(Number)));

const net4 = (text: string, prefix = 32): RouteKey => ({ family: 4, words: words4(text), prefix });
const mac = (text: string, vid = 0): RouteKey => {
  const bytes = text.split(':').map((part) => Number.parseInt(part, 16));
  const [w0, low] = addressWords(Uint8Array.from([...bytes, 0, 0]));
  return { family: 'ether', words: [w0, low | vid, 0, 0], prefix: 64 };
};

describe('VirtualTable', () => {
  it('shows the length of a network also where it is that of a host', () => {
    const table = new VirtualTable<string>();
    table.learn({ ...net4('192.168.7.9'), network: true }, 'a');
    expect([...table.routes()].map(routeText)).toEqual(['192.168.7.9/32']);
    table.learn(net4('192.168.7.9'), 'b');
    expect([...table.routes()].map(routeText)).toEqual(['192.168.7.9']);
  });

  it('prefers the host, then the longest network', () => {
    const table = new VirtualTable<string>();
    table.learn(net4('10.0.0.0', 8), 'eight');
    table.learn(net4('10.1.0.0', 16), 'sixteen');
    table.learn(net4('10.1.2.3', 32), 'host');
    const find = (text: string) => table.find4(words4(text)[0])?.owner;
    expect(find('10.1.2.3')).toBe('host');
    expect(find('10.1.2.4')).toBe('sixteen');
    expect(find('10.9.9.9')).toBe('eight');
    expect(find('11.0.0.1')).toBeUndefined();
  });

  it('moves a host to a new owner and forgets all of an owner', () => {
    const table = new VirtualTable<string>();
    table.learn(net4('192.168.7.1', 32), 'a');
    expect(table.find4(words4('192.168.7.1')[0])?.owner).toBe('a');
    expect(table.learn(net4('192.168.7.1', 32), 'b')).toBe('a');
    expect(table.find4(words4('192.168.7.1')[0])?.owner).toBe('b');
    table.learn(net4('192.168.8.0', 24), 'b');
    expect(table.countOf('a')).toBe(0);
    expect(table.countOf('b')).toBe(2);
    const gone = table.remove((route) => route.owner === 'b');
    expect(gone.map(routeText).sort()).toEqual(['192.168.7.1', '192.168.8.0/24']);
    expect(table.countOf('b')).toBe(0);
    expect(table.find4(words4('192.168.7.1')[0])).toBeUndefined();
    expect([...table.routes()]).toEqual([]);
  });

  it('looks up IPv6 hosts and networks', () => {
    const table = new VirtualTable<number>();
    const host = addressWords(Uint8Array.from([0xfd, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10, 1]));
    const network = addressWords(Uint8Array.from([0xfd, ...Array(15).fill(0)]));
    table.learn({ family: 6, words: network, prefix: 8 }, 1);
    table.learn({ family: 6, words: host, prefix: 128 }, 2);
    expect(table.find6(...host)?.owner).toBe(2);
    expect(table.find6(host[0], host[1], host[2], 7)?.owner).toBe(1);
    expect(table.find6(0x20010db8, 0, 0, 1)).toBeUndefined();
  });

  it('tells MAC addresses of different VLANs apart', () => {
    const table = new VirtualTable<string>();
    const one = mac('02:00:00:00:00:01', 7);
    table.learn(one, 'a');
    expect(table.findEther(one.words[0]!, one.words[1]!)?.owner).toBe('a');
    const other = mac('02:00:00:00:00:01', 8);
    expect(table.findEther(other.words[0]!, other.words[1]!)).toBeUndefined();
    expect(routeText(one)).toBe('02:00:00:00:00:01@7');
  });

  it('passes over ended routes but remembers that they were known', () => {
    const table = new VirtualTable<string>();
    table.learn(net4('10.0.0.0', 8), 'network');
    table.learn(net4('10.8.0.2'), 'host');
    table.nowMs = 5;
    expect(table.end((route) => route.owner === 'host')).toBe(1);
    expect(table.find4(words4('10.8.0.2')[0])?.owner).toBe('network');
    expect(table.has(net4('10.8.0.2'))).toBe(true);
    expect(table.ownerOf(net4('10.8.0.2'))).toBeUndefined();
    expect([...table.routes()].map((route) => route.deadMs)).toEqual([undefined, 5]);
    expect(table.learn(net4('10.8.0.2'), 'new')).toBeUndefined();
    expect(table.find4(words4('10.8.0.2')[0])?.owner).toBe('new');
    expect(table.countOf('host')).toBe(0);
  });

  it('notes when a route was looked up last', () => {
    const table = new VirtualTable<string>();
    table.learn(net4('10.8.0.2'), 'a');
    for (const at of [10, 20]) {
      table.nowMs = at;
      expect(table.find4(words4('10.8.0.2')[0])?.lastRefMs).toBe(at);
    }
  });

  it('agrees with a linear search', () => {
    const route = fc.record({ address: fc.integer(), prefix: fc.integer({ min: 0, max: 32 }) });
    fc.assert(
      fc.property(
        fc.array(route, { maxLength: 200 }),
        fc.array(fc.integer(), { maxLength: 50 }),
        (routes, probes) => {
          const table = new VirtualTable<string>();
          const mask = (prefix: number) => (prefix === 0 ? 0 : ~(2 ** (32 - prefix) - 1) | 0);
          const model = new Map<string, { prefix: number; network: number }>();
          for (const { address, prefix } of routes) {
            const name = `${address & mask(prefix)}/${prefix}`;
            table.learn({ family: 4, words: [address, 0, 0, 0], prefix }, name);
            model.set(name, { prefix, network: address & mask(prefix) });
          }
          for (const probe of [...probes, ...routes.map((entry) => entry.address)]) {
            const best = [...model.entries()]
              .filter(([, entry]) => (probe & mask(entry.prefix)) === entry.network)
              .sort((a, b) => b[1].prefix - a[1].prefix)[0];
            expect(table.find4(probe)?.owner).toBe(best?.[0]);
          }
        },
      ),
    );
  });
});

describe('unlearnableReason', () => {
  it('refuses zeros, ones and group MAC addresses', () => {
    expect(unlearnableReason(net4('0.0.0.0'))).toBe('network is all 0s, but netbits >= 8');
    expect(unlearnableReason(net4('0.0.0.0', 8))).toBe('network is all 0s, but netbits >= 8');
    expect(unlearnableReason(net4('0.0.0.0', 0))).toBeUndefined();
    expect(unlearnableReason(net4('255.255.255.255'))).toBe('network is all 1s');
    expect(unlearnableReason(mac('01:00:5e:00:00:01'))).toBe('network is a multicast address');
    expect(unlearnableReason(mac('00:00:00:00:00:00'))).toBe('network is all 0s, but netbits >= 8');
    expect(unlearnableReason(mac('02:00:00:00:00:01'))).toBeUndefined();
    expect(unlearnableReason(net4('10.8.0.2'))).toBeUndefined();
  });
});
