import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { mssfix } from './mss.ts';

const mssOption = (value: number): number[] => [2, 4, value >>> 8, value & 0xff];

describe('mssfix', () => {
  it('lowers the MSS of an IPv4 SYN and keeps the checksum right', () => {
    const packet = tcpPacket({ version: 4, options: mssOption(1460) });
    expect(mssfix(packet, 0, packet.length, 1400)).toBe(true);
    expect(readMss(packet, 4)).toBe(1400);
    expect(tcpSum(packet, 4)).toBe(0xffff);
  });

  it('lets IPv6 have 20 less', () => {
    const packet = tcpPacket({ version: 6, options: mssOption(1440) });
    expect(mssfix(packet, 0, packet.length, 1400)).toBe(true);
    expect(readMss(packet, 6)).toBe(1380);
    expect(tcpSum(packet, 6)).toBe(0xffff);
  });

  it('finds the option behind others, at an odd place too', () => {
    for (const before of [[1, 1, 4, 2], [1], [8, 10, 1, 2, 3, 4, 5, 6, 7, 8, 1]]) {
      const packet = tcpPacket({ version: 4, options: [...before, ...mssOption(8960)] });
      expect(mssfix(packet, 0, packet.length, 1362)).toBe(true);
      expect(tcpSum(packet, 4)).toBe(0xffff);
    }
  });

  it('never raises a value', () => {
    const packet = tcpPacket({ version: 4, options: mssOption(536) });
    expectUntouched(packet);
  });

  it('leaves other packets alone', () => {
    expectUntouched(tcpPacket({ version: 4, options: mssOption(1460), flags: 0x10 }));
    expectUntouched(tcpPacket({ version: 4, options: [] }));
    expectUntouched(tcpPacket({ version: 4, options: [0, ...mssOption(1460)] }));
    expectUntouched(tcpPacket({ version: 4, options: [3, 0, ...mssOption(1460)] }));
    const fragment = tcpPacket({ version: 4, options: mssOption(1460) });
    fragment[7] = 1;
    expectUntouched(fragment);
    const udp = tcpPacket({ version: 6, options: mssOption(1460) });
    udp[6] = 17;
    expectUntouched(udp);
    const truncated = tcpPacket({ version: 4, options: mssOption(1460) });
    expectUntouched(truncated.subarray(0, truncated.length - 1));
  });

  it('keeps every right checksum right', () => {
    const other = fc.constantFrom([1], [1, 1, 1], [3, 3, 7], [4, 2], [8, 10, 0, 0, 0, 1, 0, 0, 0, 2]);
    const packetSpec = fc.record({
      version: fc.constantFrom<4 | 6>(4, 6),
      before: other,
      mss: fc.nat(0xffff),
      payload: fc.uint8Array({ maxLength: 50 }),
      cap: fc.integer({ min: 21, max: 0xffff }),
    });
    fc.assert(
      fc.property(packetSpec, ({ version, before, mss, payload, cap }) => {
        const packet = tcpPacket({ version, options: [...before, ...mssOption(mss)], payload });
        const changed = mssfix(packet, 0, packet.length, cap);
        expect(changed).toBe(mss > (version === 4 ? cap : cap - 20));
        expect(tcpSum(packet, version)).toBe(0xffff);
      }),
      { numRuns: 300 },
    );
  });

  it('stays inside the packet whatever its bytes are', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 20, maxLength: 90 }), (bytes) => {
        const slab = new Uint8Array(bytes.length + 64).fill(0xa5);
        slab.set(bytes, 32);
        slab[32] = 0x45;
        slab.set([0, bytes.length], 34);
        slab[41] = 6;
        mssfix(slab, 32, bytes.length, 100);
        expect(slab.subarray(0, 32).every((byte) => byte === 0xa5)).toBe(true);
        expect(slab.subarray(32 + bytes.length).every((byte) => byte === 0xa5)).toBe(true);
      }),
      { numRuns: 300 },
    );
  });
});

function expectUntouched(packet: Uint8Array): void {
  const before = Uint8Array.from(packet);
  expect(mssfix(packet, 0, packet.length, 1000)).toBe(false);
  expect(Uint8Array.from(packet)).toEqual(before);
}

interface TcpSpec {
  version: 4 | 6;
  options: number[];
  flags?: number;
  payload?: Uint8Array;
}

/** A packet with a right TCP checksum; options are padded to whole words. */
function tcpPacket({ version, options, flags = 0x02, payload = new Uint8Array(0) }: TcpSpec): Buffer {
  const padded = [...options, ...new Array<number>((4 - (options.length % 4)) % 4).fill(0)];
  const tcp = Buffer.alloc(20 + padded.length + payload.length);
  tcp.writeUInt16BE(40_000, 0);
  tcp.writeUInt16BE(443, 2);
  tcp[12] = ((20 + padded.length) / 4) << 4;
  tcp[13] = flags;
  tcp.set(padded, 20);
  tcp.set(payload, 20 + padded.length);
  const ip = Buffer.alloc(version === 4 ? 20 : 40);
  ip[0] = version === 4 ? 0x45 : 0x60;
  ip.writeUInt16BE(version === 4 ? ip.length + tcp.length : tcp.length, version === 4 ? 2 : 4);
  ip[version === 4 ? 9 : 6] = 6;
  ip.set([10, 8, 0, 2, 192, 0, 2, 77], version === 4 ? 12 : 30);
  const packet = Buffer.concat([ip, tcp]);
  packet.writeUInt16BE(~tcpSum(packet, version) & 0xffff, ip.length + 16);
  return packet;
}

/** One's complement sum over pseudo header and TCP; 0xffff when the checksum is right. */
function tcpSum(packet: Buffer, version: 4 | 6): number {
  const header = version === 4 ? 20 : 40;
  const addresses = packet.subarray(version === 4 ? 12 : 8, header);
  const tcp = packet.subarray(header);
  let sum = 6 + tcp.length;
  for (const part of [addresses, tcp]) {
    for (let i = 0; i < part.length; i += 2) sum += (part[i]! << 8) | (part[i + 1] ?? 0);
  }
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x10000);
  return sum;
}

function readMss(packet: Buffer, version: 4 | 6): number {
  return packet.readUInt16BE((version === 4 ? 20 : 40) + 22);
}
