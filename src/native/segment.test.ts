/**
 * Segmentation offload against a reference made here, byte by byte: super-packets are cut as Linux cuts
 * them, and only segments that the reference rules allow are joined. Every joined frame, cut again, must
 * give the packets that went in.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { addonForTests } from '../../test-kit/native-addon.ts';
import {
  ACK,
  CWR,
  checksumsRight,
  FIN,
  foldSum,
  ipHeadOf,
  PSH,
  pseudoSum,
  sumOf,
  type TcpFields,
  TIMESTAMPS,
  tcpChecksum,
  tcpPacket,
  tcpRun,
  URG,
  udpWithSum,
} from '../../test-kit/tcp-packets.ts';
import { PACKET_HEADROOM, PACKET_TAILROOM, PacketBatch } from '../base/base.ts';

const addon = addonForTests();
const VNET = 10;
const NEEDS_CSUM = 1;
const TCPV4 = 1;
const TCPV6 = 4;
const ECN = 0x80;

describe('splitFrame', () => {
  const sizes = [1, 2, 1399, 1400, 1401, 2800, 9999, 20_001];
  for (const v6 of [false, true]) {
    for (const payload of sizes) {
      it(`cuts ${payload} bytes of IPv${v6 ? 6 : 4} payload as the reference does`, () => {
        const packet = tcpPacket({
          v6,
          payload,
          flags: ACK | PSH | FIN | CWR,
          tcpOptions: TIMESTAMPS,
          id: 0xfffe,
        });
        expect(split(superFrame(packet, 1400))).toEqual(referenceSplit(packet, 1400).map(hex));
      });
    }
  }

  it('cuts IPv4 with options and IPv6 with an extension header', () => {
    for (const packet of [
      tcpPacket({ ipOptions: 8, payload: 5000 }),
      tcpPacket({ v6: true, extension: true, payload: 5000 }),
    ]) {
      expect(split(superFrame(packet, 999))).toEqual(referenceSplit(packet, 999).map(hex));
    }
  });

  it('cuts up to 64 KiB, with wrapping sequence numbers and ECN marked', () => {
    for (const v6 of [false, true]) {
      const packet = tcpPacket({
        v6,
        payload: 65_535 - 60,
        seq: 0xffff_ff00,
        tcpOptions: TIMESTAMPS.subarray(0, 8),
      });
      const frame = superFrame(packet, 1448);
      frame[1]! |= ECN;
      expect(split(frame)).toEqual(referenceSplit(packet, 1448).map(hex));
    }
  });

  it('gives segments whose checksums are right', () => {
    for (const v6 of [false, true]) {
      for (const text of split(superFrame(tcpPacket({ v6, payload: 4001 }), 1000))) {
        expect(checksumsRight(Buffer.from(text, 'hex'))).toBe(true);
      }
    }
  });

  it('finishes the checksum of a packet that is whole', () => {
    const packet = tcpPacket({ payload: 101 });
    const frame = superFrame(packet, 0);
    expect(split(frame)).toEqual([hex(packet)]);
  });

  it('writes a UDP checksum of zero as all ones', () => {
    const packet = udpWithSum(0);
    const frame = Buffer.concat([vnet({ flags: NEEDS_CSUM, start: 20, offset: 6 }), packet]);
    const [text] = split(frame);
    expect(Buffer.from(text!, 'hex').readUInt16BE(26)).toBe(0xffff);
  });

  it('leaves a packet without marks as it is', () => {
    expect(split(Buffer.concat([vnet({}), Buffer.from('45abcd', 'hex')]))).toEqual(['45abcd']);
  });

  it('drops segments longer than a slot and keeps the shorter last one', () => {
    const packet = tcpPacket({ payload: 3001 });
    expect(split(superFrame(packet, 1500), 300)).toEqual([hex(referenceSplit(packet, 1500)[2]!)]);
  });

  it('refuses frames that contradict themselves', () => {
    const good = superFrame(tcpPacket({ payload: 3000 }), 1000);
    const broken = (change: (frame: Buffer) => void) => {
      const frame = Buffer.from(good);
      change(frame);
      return frame;
    };
    const frames = [
      Buffer.alloc(0),
      good.subarray(0, VNET),
      good.subarray(0, VNET + 30),
      good.subarray(0, VNET + 40),
      broken((frame) => frame.writeUInt16LE(0, 4)),
      broken((frame) => frame.writeUInt16LE(4000, 6)),
      broken((frame) => frame.writeUInt16LE(24, 6)),
      broken((frame) => frame.writeUInt8(TCPV6, 1)),
      broken((frame) => frame.writeUInt8(3, 1)),
      broken((frame) => frame.writeUInt8(0x40, VNET + 32)),
      Buffer.concat([vnet({ flags: NEEDS_CSUM, start: 65_535, offset: 65_535 }), tcpPacket({ payload: 1 })]),
      Buffer.concat([vnet({ flags: NEEDS_CSUM, start: 20, offset: 21 }), tcpPacket({ payload: 1 })]),
    ];
    for (const frame of frames) expect(splitCount(frame)).toBe(-1);
  });

  it('survives any frame', () => {
    const property = fc.property(
      fc.uint8Array({ maxLength: 3000 }),
      fc.integer({ min: 0, max: 255 }),
      (bytes, type) => {
        const frame = Buffer.from(bytes);
        if (frame.length > VNET + 40) {
          frame.set([type & 1, (type >> 1) & 5]);
          frame.writeUInt16LE(type < 128 ? 20 : 40, 6);
          frame[VNET] = type < 128 ? 0x45 : 0x60;
        }
        split(frame, 200);
      },
    );
    fc.assert(property, { numRuns: 300 });
  });
});

describe('coalesceBatch', () => {
  for (const v6 of [false, true]) {
    const family = `IPv${v6 ? 6 : 4}`;

    it(`joins a run of ${family} segments, the last one shorter`, () => {
      const packets = tcpRun({ v6, payload: 1400, tcpOptions: TIMESTAMPS }, [1400, 1400, 1400, 77]);
      const [frame, ...rest] = coalesce(packets);
      expect(rest).toEqual([]);
      expect(frame!.subarray(0, VNET)).toEqual(
        vnet({
          flags: NEEDS_CSUM,
          type: v6 ? TCPV6 : TCPV4,
          head: (v6 ? 40 : 20) + 32,
          size: 1400,
          start: v6 ? 40 : 20,
          offset: 16,
        }),
      );
      expect(split(frame!)).toEqual(packets.map(hex));
    });

    it(`leaves the checksum field of ${family} the sum of the pseudo header`, () => {
      const [frame] = coalesce(tcpRun({ v6, payload: 100 }, [100, 100]));
      const packet = frame!.subarray(VNET);
      const field = packet.readUInt16BE((v6 ? 40 : 20) + 16);
      expect(field).toBe(foldSum(pseudoSum(packet, v6 ? 40 : 20)));
    });

    it(`ends a ${family} run at PSH, and keeps PSH`, () => {
      const packets = tcpRun({ v6, payload: 500 }, [500, 500, 500, 500]);
      packets[1] = tcpPacket({ v6, payload: 500, seq: 1000 + 500, id: 8, flags: ACK | PSH });
      expect(shape(coalesce(packets))).toEqual([2, 2]);
      expect(coalesce(packets).flatMap((frame) => split(frame))).toEqual(packets.map(hex));
    });
  }

  it('joins no more than an IP packet holds', () => {
    const packets = tcpRun({ payload: 1400 }, new Array(60).fill(1400));
    expect(shape(coalesce(packets))).toEqual([46, 14]);
    const small = tcpRun({ payload: 10 }, new Array(200).fill(10));
    expect(shape(coalesce(small))).toEqual([128, 72]);
  });

  it('joins each of the flows that are mixed, in the order of each', () => {
    const flows = [1, 2, 3].map((port) => tcpRun({ port, payload: 800 }, [800, 800, 800]));
    const mixed = [0, 1, 2].flatMap((i) => flows.map((flow) => flow[i]!));
    expect(shape(coalesce(mixed))).toEqual([3, 3, 3]);
    const many = Array.from({ length: 12 }, (_, port) => tcpRun({ port, payload: 50 }, [50, 50]));
    const frames = coalesce([0, 1].flatMap((i) => many.map((flow) => flow[i]!)));
    expect(frames.flatMap((frame) => split(frame)).sort()).toEqual(many.flat().map(hex).sort());
  });

  it('writes what is no TCP in between at once and alone', () => {
    const [a, b] = tcpRun({ payload: 600 }, [600, 600]) as [Buffer, Buffer];
    const junk = Buffer.from('00', 'hex');
    expect(coalesce([a, udpWithSum(1), b, junk]).map((frame) => frame.length - VNET)).toEqual([
      640, 28, 640, 1,
    ]);
  });

  const unlike: [string, Partial<TcpFields>, Partial<TcpFields>?][] = [
    ['another acknowledgement', { ack: 2 }],
    ['another window', { window: 9 }],
    ['another TTL', { ttl: 9 }],
    ['another TOS', { tos: 4 }],
    ['a gap in the sequence', { seq: 1401 }],
    ['an earlier sequence number', { seq: 900 }],
    ['a longer payload', { payload: 401 }],
    ['FIN', { flags: ACK | FIN }],
    ['CWR', { flags: ACK | CWR }],
    ['URG', { flags: ACK | URG }],
    ['no ACK', { flags: 0 }],
    ['no payload', { payload: 0 }],
    ['other options', { tcpOptions: TIMESTAMPS }],
    ['other timestamps', { tcpOptions: TIMESTAMPS.map((byte) => byte + 1) }, { tcpOptions: TIMESTAMPS }],
    ['IP options', { ipOptions: 4 }],
    ['IP options on both', { ipOptions: 4 }, { ipOptions: 4 }],
    ['a jump of the id while fragmenting is allowed', { id: 9, df: false }, { df: false }],
    ['DF on one only', { df: false }],
    ['an extension header', { v6: true, extension: true }, { v6: true, extension: true }],
    ['another family', { v6: true }],
    ['another port', { port: 9 }],
  ];
  for (const [what, second, first = {}] of unlike) {
    it(`does not join over ${what}`, () => {
      const base: TcpFields = { payload: 400, seq: 1000, id: 7, ...first };
      const packets = [tcpPacket(base), tcpPacket({ ...base, seq: 1400, id: 8, ...second })];
      expect(coalesce(packets).map((frame) => hex(frame.subarray(VNET)))).toEqual(packets.map(hex));
    });
  }

  it('takes any id where fragmenting is forbidden', () => {
    const packets = [tcpPacket({ payload: 9, id: 5 }), tcpPacket({ payload: 9, seq: 1009, id: 5 })];
    expect(shape(coalesce(packets))).toEqual([2]);
  });

  it('does not join over a wrong checksum, of first, second or IP header', () => {
    for (const [slot, at] of [
      [0, 36],
      [1, 36],
      [0, 60],
      [1, 60],
      [0, 10],
      [1, 10],
    ] as const) {
      const packets = tcpRun({ payload: 300 }, [300, 300, 300]);
      packets[slot]![at]! ^= 0x40;
      const frames = coalesce(packets);
      expect(frames.map((frame) => segments(frame))).toEqual(slot === 0 ? [1, 2] : [1, 1, 1]);
      expect(hex(frames[slot]!.subarray(VNET))).toBe(hex(packets[slot]!));
    }
  });

  it('does not join fragments, and keeps them in order', () => {
    const packets = tcpRun({ payload: 300, df: false }, [300, 300, 300]);
    packets[1]!.writeUInt16BE(0x2000, 6);
    expect(coalesce(packets).map((frame) => hex(frame.subarray(VNET)))).toEqual(packets.map(hex));
  });

  it('does not join packets longer or shorter than their header says', () => {
    for (const change of [-1, 1]) {
      const packets = tcpRun({ payload: 300 }, [300, 300]);
      packets[1]!.writeUInt16BE(340 + change, 2);
      expect(shape(coalesce(packets))).toEqual([1, 1]);
    }
  });

  it('gives back, cut again, any mixture of segments, each flow in order', () => {
    const segment = fc.record({
      port: fc.integer({ min: 1, max: 3 }),
      payload: fc.constantFrom(0, 1, 7, 500, 500, 500, 501),
      flags: fc.constantFrom(ACK, ACK, ACK, ACK | PSH, ACK | FIN),
      v6: fc.boolean(),
      gap: fc.constantFrom(0, 0, 0, 0, 1),
      broken: fc.constantFrom(false, false, false, true),
    });
    const property = fc.property(fc.array(segment, { maxLength: 100 }), (parts) => {
      const next = new Map<string, number>();
      const packets = parts.map(({ gap, broken, ...part }, i) => {
        const flow = `${part.v6}${part.port}`;
        const seq = (next.get(flow) ?? 0xffff_fe00) + gap;
        next.set(flow, (seq + part.payload) >>> 0);
        const packet = tcpPacket({ ...part, seq, id: i });
        if (broken) packet[packet.length - 1]! ^= 1;
        return packet;
      });
      const out = coalesce(packets).flatMap((frame) => split(frame));
      for (const flow of flowsOf(packets.map(hex))) {
        expect(withoutIds(out.filter((text) => flowOf(text) === flow))).toEqual(
          withoutIds(packets.map(hex).filter((text) => flowOf(text) === flow)),
        );
      }
      expect(out).toHaveLength(packets.length);
    });
    fc.assert(property, { numRuns: 200 });
  });

  it('survives any packets', () => {
    const packet = fc.tuple(
      fc.constantFrom(0x45, 0x60, 0x46, 0),
      fc.uint8Array({ minLength: 1, maxLength: 90 }),
    );
    const property = fc.property(fc.array(packet, { minLength: 1, maxLength: 20 }), (parts) => {
      const packets = parts.map(([first, bytes]) => {
        const data = Buffer.from(bytes);
        data[0] = first;
        if (data.length > 60) {
          data[first === 0x60 ? 6 : 9] = 6;
          data.writeUInt16BE(first === 0x60 ? data.length - 40 : data.length, first === 0x60 ? 4 : 2);
        }
        return data;
      });
      expect(
        coalesce(packets)
          .map((frame) => hex(frame.subarray(VNET)))
          .sort(),
      ).toEqual(packets.map(hex).sort());
    });
    fc.assert(property, { numRuns: 300 });
  });
});

/** The packet as a device hands it out before it is cut; size 0 = whole, checksum unfinished. */
function superFrame(packet: Buffer, size: number): Buffer {
  const v6 = packet[0]! >> 4 === 6;
  const start = ipHeadOf(packet);
  const copy = Buffer.from(packet);
  copy.writeUInt16BE(foldSum(pseudoSum(packet, start)), start + 16);
  const type = size === 0 ? 0 : v6 ? TCPV6 : TCPV4;
  return Buffer.concat([vnet({ flags: NEEDS_CSUM, type, size, start, offset: 16 }), copy]);
}

function vnet(fields: {
  flags?: number;
  type?: number;
  head?: number;
  size?: number;
  start?: number;
  offset?: number;
}) {
  const { flags = 0, type = 0, head = 0, size = 0, start = 0, offset = 0 } = fields;
  const header = Buffer.alloc(VNET);
  header.set([flags, type]);
  for (const [i, word] of [head, size, start, offset].entries()) header.writeUInt16LE(word, 2 + 2 * i);
  return header;
}

/** What Linux makes of a super-packet, in the plainest way. */
function referenceSplit(packet: Buffer, size: number): Buffer[] {
  const ipHead = ipHeadOf(packet);
  const head = ipHead + (packet[ipHead + 12]! >> 4) * 4;
  const out: Buffer[] = [];
  for (let at = head; at < packet.length; at += size) {
    const segment = Buffer.concat([packet.subarray(0, head), packet.subarray(at, at + size)]);
    if (segment[0]! >> 4 === 6) {
      segment.writeUInt16BE(segment.length - 40, 4);
    } else {
      segment.writeUInt16BE(segment.length, 2);
      segment.writeUInt16BE((packet.readUInt16BE(4) + out.length) & 0xffff, 4);
      segment.writeUInt16BE(0, 10);
      segment.writeUInt16BE(~foldSum(sumOf(segment.subarray(0, ipHead))) & 0xffff, 10);
    }
    segment.writeUInt32BE((packet.readUInt32BE(ipHead + 4) + at - head) >>> 0, ipHead + 4);
    if (at + size < packet.length) segment[ipHead + 13]! &= ~(PSH | FIN);
    if (out.length > 0) segment[ipHead + 13]! &= ~CWR;
    segment.writeUInt16BE(tcpChecksum(segment, ipHead), ipHead + 16);
    out.push(segment);
  }
  return out;
}

function split(frame: Buffer, maxPacketBytes = 1600): string[] {
  const batch = new PacketBatch(256, maxPacketBytes);
  batch.count = splitCount(frame, batch);
  const out: string[] = [];
  for (let slot = 0; slot < batch.count; slot++) {
    expect(batch.offsets[slot]).toBe(slot * batch.slotSize + PACKET_HEADROOM);
    out.push(hex(batch.packet(slot)));
  }
  return out;
}

function splitCount(frame: Buffer, batch = new PacketBatch(256)): number {
  const { slab, slotSize, offsets, lengths, capacity } = batch;
  const copy = Buffer.from(frame);
  return addon.splitFrame(copy, slab, slotSize, PACKET_HEADROOM, PACKET_TAILROOM, offsets, lengths, capacity);
}

function coalesce(packets: readonly Buffer[]): Buffer[] {
  const batch = new PacketBatch(Math.max(1, packets.length), 2000);
  for (const packet of packets) batch.push(packet);
  const out = Buffer.alloc(1 << 20);
  const sizes = new Int32Array(packets.length);
  const { slab, slotSize, offsets, lengths } = batch;
  const count = addon.coalesceBatch(slab, slotSize, offsets, lengths, 0, packets.length, out, sizes);
  const frames: Buffer[] = [];
  for (let i = 0, at = 0; i < count; at += sizes[i]!, i++) frames.push(out.subarray(at, at + sizes[i]!));
  return frames;
}

function segments(frame: Buffer): number {
  return frame[1] === 0 ? 1 : split(frame).length;
}

function shape(frames: readonly Buffer[]): number[] {
  return frames.map(segments);
}

function flowsOf(packets: readonly string[]): Set<string> {
  return new Set(packets.map(flowOf));
}

function flowOf(text: string): string {
  const packet = Buffer.from(text, 'hex');
  return `${packet[0]! >> 4} ${packet.readUInt16BE(ipHeadOf(packet))}`;
}

/** Ids of packets with DF may change: they mean nothing (RFC 6864). */
function withoutIds(packets: readonly string[]): string[] {
  return packets.map((text) =>
    text.startsWith('4') ? text.slice(0, 8) + text.slice(12, 20) + text.slice(24) : text,
  );
}

function hex(data: Uint8Array): string {
  return Buffer.from(data).toString('hex');
}
