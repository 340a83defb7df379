import { describe, expect, it } from 'vitest';
import {
  ipDestinationOffset,
  ipOffset,
  ipSourceOffset,
  ipVersion,
  isIpMulticast,
  isIpv6LinkLocalSource,
  readWord,
} from './proto.ts';

/** UDP from 192.168.0.1 to 224.0.0.1 with 4 bytes of options. */
const ipv4 = Buffer.from('460000200000400040110000c0a80001e000000100000000deadbeef00000000', 'hex');
const ipv6 = Buffer.alloc(40);
ipv6[0] = 0x60;
ipv6[6] = 58;
ipv6.set([0xfe, 0x80], 8);
ipv6.set([0xff, 0x02], 24);

describe('IP header fields', () => {
  it('are read at an offset', () => {
    const slab = Buffer.concat([Buffer.alloc(7), ipv4]);
    expect(ipVersion(slab, 7, ipv4.length)).toBe(4);
    expect(readWord(slab, ipSourceOffset(7, 4)) >>> 0).toBe(0xc0a80001);
    expect(readWord(slab, ipDestinationOffset(7, 4)) >>> 0).toBe(0xe0000001);
    expect(isIpMulticast(slab, 7, 4)).toBe(true);
  });

  it('of IPv6', () => {
    expect(ipVersion(ipv6, 0, 40)).toBe(6);
    expect(isIpMulticast(ipv6, 0, 6)).toBe(true);
    expect(isIpv6LinkLocalSource(ipv6, 0)).toBe(true);
  });

  it('are absent from packets that are too short or no IP', () => {
    expect(ipVersion(ipv6, 0, 39)).toBe(0);
    expect(ipVersion(ipv4, 0, 19)).toBe(0);
    expect(ipVersion(Buffer.alloc(60), 0, 60)).toBe(0);
  });
});

describe('ipOffset', () => {
  it('finds IP in Ethernet frames, tagged or not', () => {
    const macs = '0123456789ab0123456789cd';
    const plain = Buffer.concat([Buffer.from(`${macs}0800`, 'hex'), ipv4]);
    const tagged = Buffer.concat([Buffer.from(`${macs}8100000a86dd`, 'hex'), ipv6]);
    expect(ipOffset(plain, 0, plain.length, 'tap')).toBe(14);
    expect(ipOffset(tagged, 0, tagged.length, 'tap')).toBe(18);
    expect(ipOffset(ipv4, 0, ipv4.length, 'tun')).toBe(0);
  });

  it('finds none in other frames', () => {
    const arp = Buffer.alloc(60);
    arp.writeUInt16BE(0x0806, 12);
    expect(ipOffset(arp, 0, 60, 'tap')).toBe(-1);
    const lying = Buffer.concat([Buffer.from('0123456789ab0123456789cd86dd', 'hex'), ipv4]);
    expect(ipOffset(lying, 0, lying.length, 'tap')).toBe(-1);
    expect(ipOffset(ipv4, 0, 10, 'tap')).toBe(-1);
  });
});
