/**
 * Fuzz entry of segmentation offload in the addon: any bytes as packets that a peer sent. Joined into super-packets
 * and cut again they are the packets that went in, and nothing outside of the slots changes; any bytes as a frame
 * of the device give packets that fit, or none.
 */
import { PACKET_HEADROOM, PACKET_TAILROOM, PacketBatch } from '../src/base/base.ts';
import { addonForTests } from '../test-kit/native-addon.ts';
import { ACK, tcpRun } from '../test-kit/tcp-packets.ts';

/** struct virtio_net_hdr */
const VNET = 10;
const SLOTS = 8;
const out = Buffer.alloc(1 << 19);
const sizes = new Int32Array(128);
const batch = new PacketBatch(SLOTS, 1600);
const pieces = new PacketBatch(64, 1600);
const addon = addonForTests();

export const target = {
  name: 'segments',
  corpus: [false, true].map((v6) => Buffer.concat(tcpRun({ v6, payload: 60, flags: ACK }, [60, 60, 60]))),
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
      for (let slot = 0; slot < count; slot++) again.push(pieces.packet(slot).toString('hex'));
    }
    const before = packets.map((packet) => Buffer.from(packet).toString('hex')).sort();
    if (again.sort().join() !== before.join()) throw new Error('packets changed on their way');
  },
};

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
