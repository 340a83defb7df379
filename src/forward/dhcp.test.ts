/** DHCP answers lose their routers and nothing else. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DHCP_ACK, DHCP_OFFER, dhcpAnswer, dhcpOptions, udpSum } from '../../test-kit/dhcp-messages.ts';
import { extractDhcpRouter } from './dhcp.ts';

const SUBNET = [1, 4, 255, 255, 255, 0];
const ROUTER = [3, 4, 10, 8, 0, 254];
const DNS = [6, 8, 9, 9, 9, 9, 1, 1, 1, 1];
const ROUTER_WORD = 0x0a0800fe;

describe('extractDhcpRouter', () => {
  it('takes the router out of an acknowledgement and names it', () => {
    const packet = dhcpAnswer(DHCP_ACK, [...SUBNET, ...ROUTER, ...DNS, 255]);
    const length = packet.length;
    expect(extractDhcpRouter(packet, 0, length)).toBe(ROUTER_WORD);
    expect([...dhcpOptions(packet)]).toEqual([53, 1, 5, ...SUBNET, ...DNS, 255, 0, 0, 0, 0, 0, 0]);
    expect(udpSum(packet)).toBe(0xffff);
    expect(packet.readUInt16BE(2)).toBe(length);
  });

  it('takes it out of an offer and names nothing', () => {
    const packet = dhcpAnswer(DHCP_OFFER, [...ROUTER, 255]);
    expect(extractDhcpRouter(packet, 0, packet.length)).toBe(0);
    expect([...dhcpOptions(packet)]).toEqual([53, 1, 2, 255, 0, 0, 0, 0, 0, 0]);
    expect(udpSum(packet)).toBe(0xffff);
  });

  it('names the first of several routers and removes all', () => {
    const packet = dhcpAnswer(DHCP_ACK, [3, 8, 10, 8, 0, 1, 10, 8, 0, 2, 0, ...ROUTER, ...DNS, 255]);
    expect(extractDhcpRouter(packet, 0, packet.length)).toBe(0x0a080001);
    const options = [...dhcpOptions(packet)];
    expect(options.slice(0, 15)).toEqual([53, 1, 5, 0, ...DNS, 255]);
    expect(options.slice(15).every((byte) => byte === 0)).toBe(true);
  });

  it('removes a router of odd length without naming it', () => {
    const packet = dhcpAnswer(DHCP_ACK, [3, 3, 1, 2, 3, 255]);
    expect(extractDhcpRouter(packet, 0, packet.length)).toBe(0);
    expect([...dhcpOptions(packet)]).toEqual([53, 1, 5, 255, 0, 0, 0, 0, 0]);
  });

  it('finds the options behind a longer IP header', () => {
    const packet = dhcpAnswer(DHCP_ACK, [...ROUTER, 255], { ipOptions: 8 });
    expect(extractDhcpRouter(packet, 0, packet.length)).toBe(ROUTER_WORD);
    expect(udpSum(packet)).toBe(0xffff);
  });

  it('leaves everything else as it is', () => {
    const good = [...ROUTER, 255];
    const others: Record<string, Buffer> = {
      'a request': changed(dhcpAnswer(DHCP_ACK, good), 28, 1),
      'a refusal': dhcpAnswer(6, good),
      'another port': changed(dhcpAnswer(DHCP_ACK, good), 23, 69),
      TCP: changed(dhcpAnswer(DHCP_ACK, good), 9, 6),
      'a fragment': changed(dhcpAnswer(DHCP_ACK, good), 6, 0x20),
      'a later fragment': changed(dhcpAnswer(DHCP_ACK, good), 7, 1),
      'plain BOOTP': changed(dhcpAnswer(DHCP_ACK, good), 28 + 236, 0),
      'a UDP length beyond the packet': changed(dhcpAnswer(DHCP_ACK, good), 24, 0x7f),
      'a UDP length within the header': changed(dhcpAnswer(DHCP_ACK, good), 24, 0),
      'an IP header of no size': changed(dhcpAnswer(DHCP_ACK, good), 0, 0x41),
    };
    for (const [name, packet] of Object.entries(others)) {
      const before = Buffer.from(packet);
      expect({ name, router: extractDhcpRouter(packet, 0, packet.length) }).toEqual({ name, router: 0 });
      expect({ name, packet }).toEqual({ name, packet: before });
    }
  });

  it('stops at options that do not fit, and at their end', () => {
    const beyond = dhcpAnswer(DHCP_ACK, [...SUBNET, 3, 40, 10, 8, 0, 1]);
    expect(extractDhcpRouter(beyond, 0, beyond.length)).toBe(0);
    expect([...dhcpOptions(beyond)].slice(9)).toEqual([3, 40, 10, 8, 0, 1]);
    const behind = dhcpAnswer(DHCP_ACK, [255, ...ROUTER]);
    expect(extractDhcpRouter(behind, 0, behind.length)).toBe(0);
    expect([...dhcpOptions(behind)]).toEqual([53, 1, 5, 255, ...ROUTER]);
  });

  it('keeps to the packet, keeps its length, and finds nothing the second time', () => {
    const option = fc.oneof(
      fc.constant([0]),
      fc
        .tuple(fc.constantFrom(1, 3, 6, 51, 53), fc.uint8Array({ maxLength: 12 }))
        .map(([code, value]) => [code, value.length, ...value]),
      fc.uint8Array({ maxLength: 6 }).map((bytes) => [...bytes]),
    );
    fc.assert(
      fc.property(
        fc.array(option, { maxLength: 12 }),
        fc.constantFrom(DHCP_OFFER, DHCP_ACK),
        (list, type) => {
          const packet = dhcpAnswer(type, [...list.flat(), 255]);
          const slab = Buffer.concat([Buffer.alloc(16, 0xa5), packet, Buffer.alloc(16, 0xa5)]);
          extractDhcpRouter(slab, 16, packet.length);
          const once = Buffer.from(slab);
          expect(extractDhcpRouter(slab, 16, packet.length)).toBe(0);
          expect(slab).toEqual(once);
          const guards = [slab.subarray(0, 16), slab.subarray(16 + packet.length)];
          for (const guard of guards) expect(guard).toEqual(Buffer.alloc(16, 0xa5));
          expect(udpSum(slab.subarray(16, 16 + packet.length))).toBe(0xffff);
        },
      ),
    );
  });
});

function changed(packet: Buffer, at: number, value: number): Buffer {
  packet[at] = value;
  return packet;
}
