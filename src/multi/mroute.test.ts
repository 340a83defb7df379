import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { addressWords, routeBytes, VirtualTable } from './mroute.ts';

const words4 = (text: string): [number, number, number, number] =>
  addressWords(Uint8Array.from(text.split('.').map(Number)));

describe('VirtualTable', () => {
  it('prefers the host, then the longest network', () => {
    const table = new VirtualTable<string>();
    table.learn(4, words4('10.0.0.0'), 8, 'eight');
    table.learn(4, words4('10.1.0.0'), 16, 'sixteen');
    table.learn(4, words4('10.1.2.3'), 32, 'host');
    const find = (text: string) => table.find4(words4(text)[0]);
    expect(find('10.1.2.3')).toBe('host');
    expect(find('10.1.2.4')).toBe('sixteen');
    expect(find('10.9.9.9')).toBe('eight');
    expect(find('11.0.0.1')).toBeUndefined();
  });

  it('moves a host to a new owner and forgets all of an owner', () => {
    const table = new VirtualTable<string>();
    table.learn(4, words4('192.168.7.1'), 32, 'a');
    expect(table.find4(words4('192.168.7.1')[0])).toBe('a');
    expect(table.learn(4, words4('192.168.7.1'), 32, 'b')).toBe('a');
    expect(table.find4(words4('192.168.7.1')[0])).toBe('b');
    table.learn(4, words4('192.168.8.0'), 24, 'b');
    const gone = table.forget('b');
    expect(gone.map((route) => `${routeBytes(route).join('.')}/${route.prefix}`).sort()).toEqual([
      '192.168.7.1/32',
      '192.168.8.0/24',
    ]);
    expect(table.find4(words4('192.168.7.1')[0])).toBeUndefined();
    expect([...table.routes()]).toEqual([]);
  });

  it('looks up IPv6 hosts and networks', () => {
    const table = new VirtualTable<number>();
    const host = addressWords(Uint8Array.from([0xfd, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10, 1]));
    table.learn(6, addressWords(Uint8Array.from([0xfd, ...Array(15).fill(0)])), 8, 1);
    table.learn(6, host, 128, 2);
    expect(table.find6(...host)).toBe(2);
    expect(table.find6(host[0], host[1], host[2], 7)).toBe(1);
    expect(table.find6(0x20010db8, 0, 0, 1)).toBeUndefined();
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
            table.learn(4, [address, 0, 0, 0], prefix, name);
            model.set(name, { prefix, network: address & mask(prefix) });
          }
          for (const probe of [...probes, ...routes.map((entry) => entry.address)]) {
            const best = [...model.entries()]
              .filter(([, entry]) => (probe & mask(entry.prefix)) === entry.network)
              .sort((a, b) => b[1].prefix - a[1].prefix)[0];
            expect(table.find4(probe)).toBe(best?.[0]);
          }
        },
      ),
    );
  });
});
