import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DHCP_ACK, dhcpAnswer } from '../../test-kit/dhcp-messages.ts';
import { MemoryLogger, PacketBatch } from '../base/base.ts';
import { type ClientNatRule, translate } from './client-nat.ts';
import { type InnerOptions, InnerRules, innerRulesEmpty } from './inner-rules.ts';

const NONE: InnerOptions = {
  clientNat: [],
  blockIpv6: 'off',
  remoteIpv6: undefined,
  passtos: false,
  linkRemote: undefined,
};
const SNAT: ClientNatRule = rule('snat', '192.168.5.0', '255.255.255.0', '10.77.5.0');
const DNAT: ClientNatRule = rule('dnat', '10.64.0.0', '255.255.0.0', '172.16.0.0');

describe('client-nat', () => {
  it('maps sources and destinations out, and back in', () => {
    const packet = ipv4('192.168.5.9', '10.64.3.4', 17, 30);
    const out = apply([SNAT, DNAT], packet, true);
    expect(addresses(out)).toEqual(['10.77.5.9', '172.16.3.4']);
    const answer = ipv4('172.16.3.4', '10.77.5.9', 6, 40);
    expect(addresses(apply([SNAT, DNAT], answer, false))).toEqual(['10.64.3.4', '192.168.5.9']);
  });

  it('leaves strangers, IPv6 and garbage alone', () => {
    const packet = ipv4('192.168.6.9', '8.8.8.8', 6, 40);
    expect(apply([SNAT, DNAT], packet, true)).toEqual(packet);
    const six = ipv6(60);
    expect(apply([SNAT, DNAT], six, true)).toEqual(six);
    expect(apply([SNAT], Buffer.from('4500'), true)).toEqual(Buffer.from('4500'));
  });

  it('keeps the checksums of IP, TCP and UDP right', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(6, 17, 1),
        fc.integer({ min: 20, max: 400 }),
        fc.nat(255),
        (protocol, bytes, host) => {
          const packet = ipv4(`192.168.5.${host}`, '10.64.1.2', protocol, bytes);
          const out = apply([SNAT, DNAT], packet, true);
          expect(checksumsAreRight(out)).toBe(true);
          expect(addresses(out)[0]).toBe(`10.77.5.${host}`);
        },
      ),
    );
  });

  it('leaves a UDP checksum of 0 and later fragments alone', () => {
    const unchecked = ipv4('192.168.5.9', '1.1.1.1', 17, 30);
    unchecked.writeUInt16BE(0, 26);
    expect(apply([SNAT], unchecked, true).readUInt16BE(26)).toBe(0);
    const later = ipv4('192.168.5.9', '1.1.1.1', 17, 30);
    later.writeUInt16BE(0x0007, 6);
    expect(apply([SNAT], later, true).subarray(20)).toEqual(later.subarray(20));
  });

  it('applies one rule to an address', () => {
    const again = rule('snat', '10.77.5.0', '255.255.255.0', '10.99.5.0');
    expect(addresses(apply([SNAT, again], ipv4('192.168.5.9', '1.1.1.1', 6, 40), true))[0]).toBe('10.77.5.9');
  });
});

describe('route-gateway dhcp', () => {
  it('names the router of an answer in a tap frame, and takes it out', () => {
    const routers: string[] = [];
    const log = new MemoryLogger();
    const rules = new InnerRules(
      { ...NONE, onDhcpRouter: (router) => routers.push(router) },
      'tap',
      1500,
      log,
    );
    const answer = dhcpAnswer(DHCP_ACK, [3, 4, 192, 168, 7, 254, 255]);
    const batch = new PacketBatch(1);
    batch.push(Buffer.concat([Buffer.from('0200000000020200000000010800', 'hex'), answer]));
    rules.incoming(batch, 0);
    rules.incoming(batch, 0);
    expect(routers).toEqual(['192.168.7.254']);
    expect(log.lines).toEqual(['Extracted DHCP router address: 192.168.7.254']);
    expect(batch.packet(0).subarray(-7).toString('hex')).toBe('ff000000000000');
    expect(innerRulesEmpty({ ...NONE, onDhcpRouter: () => undefined })).toBe(false);
  });
});

describe('block-ipv6', () => {
  it('answers IPv6 from tun with an ICMPv6 error that repeats the packet', () => {
    const { rules, batch } = setUp({ ...NONE, blockIpv6: 'sent', remoteIpv6: 'fd00::1' });
    const packet = ipv6(100);
    batch.push(packet);
    rules.outgoing(batch, 0);
    expect(batch.lengths[0]).toBe(0);
    const answer = rules.toTun!.packet(0);
    expect(answer[6]).toBe(58);
    expect(answer.subarray(8, 24)).toEqual(Buffer.from('fd000000000000000000000000000001', 'hex'));
    expect(answer.subarray(24, 40)).toEqual(packet.subarray(8, 24));
    expect([...answer.subarray(40, 42)]).toEqual([1, 0]);
    expect(answer.subarray(48)).toEqual(packet);
    expect(icmpSum(answer)).toBe(0xffff);
  });

  it('keeps the answer within the tunnel, and the peer its IPv6 unless both are blocked', () => {
    const { rules, batch } = setUp({ ...NONE, blockIpv6: 'sent' });
    batch.push(ipv6(1500));
    rules.outgoing(batch, 0);
    expect(rules.toTun!.lengths[0]).toBe(1280 + 48);
    batch.push(ipv6(60));
    rules.incoming(batch, 1);
    expect(batch.lengths[1]).toBe(60);
    const both = setUp({ ...NONE, blockIpv6: 'both' });
    both.batch.push(ipv6(61));
    both.rules.incoming(both.batch, 0);
    expect([both.batch.lengths[0], both.rules.toPeer!.count]).toEqual([0, 1]);
    expect(icmpSum(both.rules.toPeer!.packet(0))).toBe(0xffff);
  });

  it('queues a few answers only', () => {
    const { rules, batch } = setUp({ ...NONE, blockIpv6: 'sent' });
    for (let i = 0; i < 30; i++) {
      batch.clear();
      batch.push(ipv6(60));
      rules.outgoing(batch, 0);
      expect(batch.lengths[0]).toBe(0);
    }
    expect(rules.toTun!.count).toBe(8);
  });
});

describe('other rules', () => {
  it('notes the type of service of IPv4 packets', () => {
    const { rules, batch } = setUp({ ...NONE, passtos: true });
    const packet = ipv4('10.0.0.1', '10.0.0.2', 17, 30);
    packet[1] = 0xb8;
    batch.push(packet);
    batch.push(ipv6(60));
    rules.outgoing(batch, 0);
    rules.outgoing(batch, 1);
    expect([batch.tos[0], batch.tos[1]]).toEqual([0xb8, -1]);
  });

  it("drops packets to the link's other end, and says so", () => {
    const { rules, batch, log } = setUp({
      ...NONE,
      linkRemote: { family: 4, address: '192.0.2.9', port: 1194 },
    });
    batch.push(ipv4('10.0.0.1', '192.0.2.9', 17, 30));
    batch.push(ipv4('10.0.0.1', '192.0.2.8', 17, 30));
    rules.outgoing(batch, 0);
    rules.outgoing(batch, 1);
    expect([...batch.lengths.subarray(0, 2)]).toEqual([0, 50]);
    expect(log.lines).toEqual(['Recursive routing detected, drop tun packet to [AF_INET]192.0.2.9:1194']);
  });

  it('are none when nothing is asked for', () => {
    expect(innerRulesEmpty(NONE)).toBe(true);
    expect(innerRulesEmpty({ ...NONE, passtos: true })).toBe(false);
  });
});

function setUp(options: InnerOptions) {
  const log = new MemoryLogger();
  return { rules: new InnerRules(options, 'tun', 1500, log), batch: new PacketBatch(4), log };
}

function apply(rules: readonly ClientNatRule[], packet: Buffer, out: boolean): Buffer {
  const slab = Buffer.concat([Buffer.alloc(8, 0xa5), packet, Buffer.alloc(8, 0xa5)]);
  translate(rules, slab, 8, packet.length, out);
  expect(slab.subarray(0, 8).every((byte) => byte === 0xa5)).toBe(true);
  expect(slab.subarray(8 + packet.length).every((byte) => byte === 0xa5)).toBe(true);
  return Buffer.from(slab.subarray(8, 8 + packet.length));
}

function rule(type: 'snat' | 'dnat', network: string, netmask: string, foreign: string): ClientNatRule {
  return { type, network: word(network), netmask: word(netmask), foreign: word(foreign) };
}

function word(address: string): number {
  return Buffer.from(address.split('.').map(Number)).readInt32BE();
}

function addresses(packet: Buffer): string[] {
  return [packet.subarray(12, 16), packet.subarray(16, 20)].map((bytes) => bytes.join('.'));
}

function ipv4(source: string, destination: string, protocol: number, bytes: number): Buffer {
  const packet = Buffer.alloc(20 + bytes, 0x31);
  packet.set([0x45, 0, 0, 0, 0, 1, 0, 0, 64, protocol, 0, 0]);
  packet.writeUInt16BE(packet.length, 2);
  packet.writeInt32BE(word(source), 12);
  packet.writeInt32BE(word(destination), 16);
  packet.writeUInt16BE(~sum(packet.subarray(0, 20)) & 0xffff, 10);
  const at = protocol === 6 ? 36 : protocol === 17 ? 26 : 0;
  if (at === 0) return packet;
  packet.writeUInt16BE(0, at);
  packet.writeUInt16BE(~transportSum(packet) & 0xffff, at);
  return packet;
}

function checksumsAreRight(packet: Buffer): boolean {
  if (sum(packet.subarray(0, 20)) !== 0xffff) return false;
  return packet[9] === 1 || transportSum(packet) === 0xffff;
}

function transportSum(packet: Buffer): number {
  const pseudo = Buffer.from([0, packet[9]!, 0, 0]);
  pseudo.writeUInt16BE(packet.length - 20, 2);
  return sum(Buffer.concat([packet.subarray(12, 20), pseudo, packet.subarray(20)]));
}

function ipv6(bytes: number): Buffer {
  const packet = Buffer.alloc(bytes, 0x21);
  packet.set([0x60, 0, 0, 0, 0, 0, 17, 64]);
  packet.writeUInt16BE(bytes - 40, 4);
  return packet;
}

function icmpSum(packet: Buffer): number {
  const pseudo = Buffer.from([0, 0, 0, 58]);
  pseudo.writeUInt16BE(packet.length - 40, 0);
  return sum(Buffer.concat([packet.subarray(8, 40), pseudo, packet.subarray(40)]));
}

/** One's complement sum of 16-bit words. */
function sum(bytes: Buffer): number {
  const even = bytes.length % 2 === 0 ? bytes : Buffer.concat([bytes, Buffer.alloc(1)]);
  let total = 0;
  for (let at = 0; at < even.length; at += 2) total += even.readUInt16BE(at);
  while (total > 0xffff) total = (total & 0xffff) + (total >>> 16);
  return total;
}
