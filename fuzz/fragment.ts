/**
 * Fuzz entry of fragments: the input is a run of packets (length byte pairs), pushed into one Reassembler.
 * What comes out fits a slot, nothing is written outside of the slot, and a packet split afterwards is
 * joined again to itself.
 */
import { PacketBatch } from '../src/base/base.ts';
import { Fragmenter, pieceSize, Reassembler } from '../src/forward/fragment.ts';

const GUARD = 0xa5;
const batch = new PacketBatch(3, 1600);
const pieces = new PacketBatch(32, 1600);
const guards = Buffer.alloc(batch.slotSize, GUARD);
batch.slab.fill(GUARD);

export const target = {
  name: 'fragment',
  run(bytes: Uint8Array): void {
    const reassembler = new Reassembler();
    let nowMs = 0;
    for (let at = 0; at + 2 <= bytes.length; ) {
      const length = Math.min(((bytes[at]! & 7) << 8) | bytes[at + 1]!, bytes.length - at - 2, 1600);
      nowMs += bytes[at]! >>> 3;
      push(reassembler, bytes.subarray(at + 2, at + 2 + length), nowMs);
      at += 2 + length;
    }
    roundTrip(reassembler, bytes.subarray(0, 1600), nowMs);
  },
};

function push(reassembler: Reassembler, packet: Uint8Array, nowMs: number): boolean {
  batch.clear();
  for (let slot = 0; slot < 3; slot++) batch.push(slot === 1 ? packet : guards.subarray(0, 1));
  const whole = reassembler.push(batch, 1, nowMs) === 'packet';
  if (!whole && batch.lengths[1] !== 0) throw new Error('a refused packet kept its length');
  if (batch.lengths[1]! > batch.maxPacketBytes) throw new Error('longer than a packet may be');
  const { slab, slotSize } = batch;
  const left = slab.compare(guards, 0, slotSize, 0, slotSize);
  if (left !== 0 || slab.compare(guards, 0, slotSize, 2 * slotSize, 3 * slotSize) !== 0)
    throw new Error('wrote outside the slot');
  return whole;
}

function roundTrip(reassembler: Reassembler, packet: Uint8Array, nowMs: number): void {
  if (packet.length < 64) return;
  const from = new PacketBatch(1, 1600);
  from.push(packet);
  pieces.clear();
  const max = 64 + (packet[0]! << 2);
  new Fragmenter(packet[1]!).split(from, 0, pieceSize(packet.length, max), pieces);
  // A minute later nothing of before is waited for.
  let joined = 0;
  for (let i = 0; i < pieces.count; i++) if (push(reassembler, pieces.packet(i), nowMs + 60_000)) joined++;
  if (joined !== 1 || batch.packet(1).compare(packet) !== 0) throw new Error('a packet changed on its way');
}
