/**
 * Fuzz entry of segmentation offload in the addon: any bytes as packets that a peer sent. Joined into super-packets
 * and cut again they are the packets that went in, and nothing outside of the slots changes; any bytes as a frame
 * of the device give packets that fit, or none.
 */
import { PACKET_HEADROOM, PACKET_TAILROOM, PacketBatch } from '../src/base/base.ts';
import { addonForTests } from '../test-kit/native-addon.ts';
import { ACK, tcpPacket, tcpRun } from '../test-kit/tcp-packets.ts';

/** struct virtio_net_hdr */
const VNET = 10;
const IPV4_HEAD = 20;
const DONT_FRAGMENT = 0x4000;
const SLOTS = 8;
const out = Buffer.alloc(1 << 19);
const sizes = new Int32Array(128);
const batch = new PacketBatch(SLOTS, 1600);
const pieces = new PacketBatch(64, 1600);
const addon = addonForTests();

export const target = {
  name: 'segments',
  corpus: [
    ...[false, true].map((v6) => Buffer.concat(tcpRun({ v6, payload: 60, flags: ACK }, [60, 60, 60]))),
    Buffer.concat([1000, 1060].map((seq) => tcpPacket({ seq, payload: 60 }))),
  ],
  run(bytes: Uint8Array): void {
    cut(Uint8Array.from(bytes));
    const packets = packetsOf(bytes);
    batch.clear();
    for (const packet of packets) batch.push(packet);
    const { slab, slotSize, offsets, lengths } = batch;
    const frames = addon.coalesceBatch(slab, slotSize, offsets, lengths, 0, batch.count, out, sizes);
    const again: string[] = [];
    for (let i = 0, at = 0; i < frames; at += sizes[i]!, i++) {
      const frame = Uint8Array.from(out.subarray(at, at + sizes[i]!));
      if (frame.length < VNET) throw new Error(`a frame of ${frame.length} bytes`);
      const count = cut(frame);
      if (count < 1) throw new Error('our own frame contradicts itself');
      for (let slot = 0; slot < count; slot++) again.push(comparable(pieces.packet(slot)));
    }
    const before = packets.map((packet) => comparable(Buffer.from(packet))).sort();
    if (again.sort().join() !== before.join()) throw new Error('packets changed on their way');
  },
};

/**
 * The packet in hex, without what may change: ids of IPv4 packets that are never fragmented mean nothing (RFC 6864) and
 * count up in a super-packet. Whether the header's checksum is right stays.
 */
function comparable(packet: Buffer): string {
  const whole =
    packet.length >= IPV4_HEAD && packet[0] === 0x45 && (packet.readUInt16BE(6) & 0x7fff) === DONT_FRAGMENT;
  if (!whole) return packet.toString('hex');
  let sum = 0;
  for (let at = 0; at < IPV4_HEAD; at += 2) sum += packet.readUInt16BE(at);
  const copy = Buffer.from(packet);
  copy.writeUInt16BE(0, 4);
  copy.writeUInt16BE(sum % 0xffff, 10);
  return copy.toString('hex');
}

/** Cuts a frame into `pieces`; returns how many there are, -1 for none. */
function cut(frame: Uint8Array): number {
  const { slab, slotSize, offsets, lengths, capacity } = pieces;
  const count = addon.splitFrame(
    frame,
    slab,
    slotSize,
    PACKET_HEADROOM,
    PACKET_TAILROOM,
    offsets,
    lengths,
    capacity,
  );
  for (let slot = 0; slot < count; slot++) {
    if (lengths[slot]! < 0 || lengths[slot]! > pieces.maxPacketBytes)
      throw new Error('a packet beyond its slot');
  }
  return count;
}

/** The bytes as packets: as long as their IP headers say, the rest in one. */
function packetsOf(bytes: Uint8Array): Uint8Array[] {
  const packets: Uint8Array[] = [];
  for (let at = 0; at < bytes.length && packets.length < SLOTS; ) {
    const rest = bytes.subarray(at, at + batch.maxPacketBytes);
    const v6 = rest[0]! >> 4 === 6;
    const told = v6 ? 40 + (((rest[4] ?? 0) << 8) | (rest[5] ?? 0)) : ((rest[2] ?? 0) << 8) | (rest[3] ?? 0);
    const packet = rest.subarray(0, Math.min(Math.max(told, 1), rest.length));
    packets.push(packet);
    at += packet.length;
  }
  return packets;
}
