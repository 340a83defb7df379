/** Messages of the kernel's routing socket: known bytes (little-endian machines), and answers that lie about lengths. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  isMainDefault,
  RTM_DELADDR,
  RTM_DELROUTE,
  RTM_NEWADDR,
  RTM_NEWROUTE,
  RtnetlinkWriter,
  readReplies,
} from './rtnetlink.ts';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const bytes = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text.replaceAll(' ', ''), 'hex'));
const read = (text: string) => [...readReplies(bytes(text))];
const V4 = Uint8Array.of(10, 8, 0, 1);
const V6 = Uint8Array.from([0xfd, 0, ...Array.from({ length: 13 }, () => 0), 1]);

// The layouts of rtnetlink(7), as machines with little-endian numbers have them.
describe('requests', () => {
  const writer = new RtnetlinkWriter();

  it('set MTU, state and hardware address of a link', () => {
    expect(hex(writer.link(7, { mtu: 1400 }))).toBe(
      `28000000 1000 0500 00000000 00000000 11000000 07000000 00000000 00000000 08000400 78050000`.replaceAll(
        ' ',
        '',
      ),
    );
    expect(hex(writer.link(7, { up: true })).slice(32)).toBe('11000000070000000100000001000000');
    expect(hex(writer.link(7, { up: false })).slice(32)).toBe('11000000070000000000000001000000');
    const address = Uint8Array.of(2, 0, 0, 0, 0, 9);
    expect(hex(writer.link(7, { address })).slice(64)).toBe('0a0001000200000000090000');
  });

  it('add an address with its broadcast address, and delete it', () => {
    const request = hex(writer.address(RTM_NEWADDR, 7, { local: V4, prefix: 24 }));
    expect(request.slice(8, 16)).toBe('14000505');
    expect(request.slice(32)).toBe('0218000007000000' + '080002000a080001' + '080004000a0800ff');
    expect(hex(writer.address(RTM_DELADDR, 7, { local: V4, prefix: 24 })).slice(8, 16)).toBe('15000500');
  });

  it('give no broadcast address where there is none', () => {
    const peer = Uint8Array.of(10, 8, 0, 2);
    const pair = hex(writer.address(RTM_NEWADDR, 7, { local: V4, peer, prefix: 32 }));
    expect(pair.slice(32)).toBe('0220000007000000' + '080001000a080002' + '080002000a080001');
    for (const prefix of [31, 32])
      expect(writer.address(RTM_NEWADDR, 7, { local: V4, prefix }).length).toBe(32);
    expect(writer.address(RTM_NEWADDR, 7, { local: V6, prefix: 64, noDad: true })[18]).toBe(2);
  });

  it('add a route by gateway, by device, with metric, in another table', () => {
    const base = { network: V4, prefix: 32, index: 0, table: 0, metric: -1 };
    const plain = hex(writer.route(RTM_NEWROUTE, { ...base, gateway: V4 }));
    expect(plain.slice(8, 16)).toBe('18000504');
    expect(plain.slice(32)).toBe('02200000fe03000100000000' + '080001000a080001' + '080005000a080001');
    const other = hex(writer.route(RTM_NEWROUTE, { ...base, index: 3, table: 7777, metric: 5 }));
    expect(other.slice(32)).toBe(
      '022000000003fd0100000000' +
        '08000f00611e0000' +
        '080001000a080001' +
        '0800040003000000' +
        '0800060005000000',
    );
  });

  it('delete a route of whatever scope and kind', () => {
    const route = { network: V6, prefix: 64, gateway: V6, index: 3, table: 0, metric: 0 };
    const request = hex(writer.route(RTM_DELROUTE, route));
    expect(request.slice(8, 16)).toBe('19000500');
    expect(request.slice(32, 56)).toBe('0a400000fe00ff0000000000');
  });

  it('ask for one route, or for all', () => {
    expect(hex(writer.routeQuery(V6, false)).slice(8, 16)).toBe('1a000100');
    expect(hex(writer.routeQuery(V4, true)).slice(8, 16)).toBe('1a000103');
  });
});

describe('answers', () => {
  const ROUTE = '34000000 1800 0200 00000000 00000000 02000000fe03000100000000';

  it('are acknowledgements, refusals, ends of dumps', () => {
    expect(read('14000000 0200 0000 00000000 00000000 00000000')).toEqual([{ kind: 'done' }]);
    expect(read('14000000 0200 0000 00000000 00000000 efffffff')).toEqual([{ kind: 'refused', errno: 17 }]);
    expect(read('14000000 0300 0200 00000000 00000000 00000000')).toEqual([{ kind: 'done' }]);
    expect(read('10000000 1000 0000 00000000 00000000')).toEqual([{ kind: 'other' }]);
  });

  it('are routes, several in one datagram', () => {
    const route = `${ROUTE} 08000500 c0000201 08000400 03000000 08000f00 fe000000`;
    const [first, second, ...rest] = read(route + route);
    expect(first).toEqual({
      kind: 'route',
      route: { prefix: 0, table: 254, index: 3, gateway: Uint8Array.of(192, 0, 2, 1) },
    });
    expect(second).toEqual(first);
    expect(rest).toEqual([]);
    expect(first?.kind === 'route' && isMainDefault(first.route)).toBe(true);
  });

  it.each([
    ['a header cut off', '10000000 1800 00'],
    ['a length below the header', '0f000000 1800 0000 00000000 00000000'],
    ['a length beyond the datagram', '20000000 1800 0000 00000000 00000000'],
    ['a refusal without a number', '12000000 0200 0000 00000000 00000000 efff'],
    ['a route without its header', '14000000 1800 0000 00000000 00000000 02000000'],
    ['an attribute of length 0', '20000000 1800 0000 00000000 00000000 02000000fe03000100000000 00000500'],
    [
      'an attribute beyond its message',
      '20000000 1800 0000 00000000 00000000 02000000fe03000100000000 0c000500',
    ],
  ])('with %s are malformed', (_, text) => {
    expect(read(text)).toEqual([{ kind: 'malformed' }]);
  });

  it('are read no further behind one that is malformed', () => {
    const bad = '14000000 1800 0000 00000000 00000000 02000000';
    expect(read(`${bad} 14000000 0200 0000 00000000 00000000 00000000`)).toEqual([{ kind: 'malformed' }]);
  });

  it('of any bytes end, and read nothing behind them', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (datagram) => {
        const replies = [...readReplies(datagram)];
        expect(replies.length).toBeLessThanOrEqual(datagram.length / 16 + 1);
        for (const reply of replies) {
          if (reply.kind === 'route') expect(reply.route.gateway?.length ?? 0).toBeLessThan(datagram.length);
        }
      }),
    );
  });
});
